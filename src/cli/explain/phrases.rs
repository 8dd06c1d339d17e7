//! The sentences of explanations, in every language.

use crate::cli::args::Lang;

macro_rules! phrases {
    ($($name:ident: $en:literal, $zh:literal;)*) => {
        /// The sentences of one language; `{0}`, `{1}` stand for what they are about.
        pub struct Phrases {
            /// The code of the language.
            pub code: &'static str,
            $(pub $name: &'static str,)*
        }

        const EN: Phrases = Phrases { code: "en", $($name: $en,)* };
        const ZH: Phrases = Phrases { code: "zh", $($name: $zh,)* };
    };
}

phrases! {
    changes: "How {0} changes with {1}", "{0} 如何随 {1} 变化";
    gradient: "The gradient of {0}, step by step", "{0} 的梯度：逐步推导";
    chain: "Chain rule: d{0}/dw = dz/dw * d{0}/dz. The forward pass gives the first factor, the backward pass the second.",
        "链式法则：d{0}/dw = dz/dw * d{0}/dz。前向传播给出第一个因子，反向传播给出第二个因子。";
    network: "The model", "模型";
    inputs: "Forward pass: each weight's dz/dw is the input it multiplies", "前向传播：每个权重的 dz/dw 就是它所乘的输入";
    movement: "Forward pass: how far the next values move with it", "前向传播：它变动时，下一层的值随之变动多少";
    linear: "dw stands for a small movement of w; the next values move in proportion to it.",
        "dw 表示 w 的微小变动；下一层的值与之成比例地变动。";
    carried: "A movement of {0} moves {1} step by step through a loop.", "{0} 的变动沿循环逐步影响 {1}。";
    left_out: "The forward pass of the {0} other values is left out: ask for one of them.", "其余 {0} 个值的前向传播从略：请单独询问其中之一。";
    backward: "Backward pass: d{0}/dz, from the output to the input", "反向传播：从输出到输入求 d{0}/dz";
    product: "Product: forward x backward", "乘积：前向 × 反向";
    output_layer: "output layer", "输出层";
    hidden_layer: "hidden layer", "隐藏层";
    paths: "{0} acts in several ways: the derivative is the sum over all paths", "{0} 通过多条路径起作用：导数是所有路径之和";
    rule: "{0} rule of {1}", "{1} 的 {0} 法则";
    times: "product", "乘法";
    quotient: "quotient", "除法";
    sum: "sum", "加法";
    undone: "broadcast undone", "广播还原";
    left: "matmul left", "矩阵乘法（左）";
    right: "matmul right", "矩阵乘法（右）";
    own_rule: "the rule given beside the function `{0}`", "函数 `{0}` 自带的求导法则";
    direct: "direct part", "直接部分";
    rounds: "for {0} from {1} to {2}:", "对 {0} 从 {1} 到 {2}：";
    rounds_back: "Back through the loop, {0} from {1} to {2}:", "沿循环反向，{0} 从 {1} 到 {2}：";
    rounds_back_within: "In each of these steps, back through the loop within it, {0} from {1} to {2}:",
        "在其中每一步内，沿内层循环反向，{0} 从 {1} 到 {2}：";
    last_round: "at the last step", "最后一步";
    other_rounds: "at each step before", "此前每一步";
    many_rounds: "The numbers of single steps are left out: they are shown of up to {0} steps.", "单步的数值从略：只显示至多 {0} 步。";
    looped: "the derivative is carried through a loop", "导数沿循环逐步传递";
    nudge: "nudge check", "微扰检验";
    trusted: "by differences of several steps", "取多种步长的差商";
    ok: "ok", "一致";
    kink: "a kink: the slopes to both sides differ, the derivative lies between them", "折点：两侧斜率不同，导数介于两者之间";
    held: ", what `stop_gradient` holds standing still", "（`stop_gradient` 所固定的量保持不动）";
    refuted: "REFUTED", "不一致";
    infinite: "the value is not finite there: give other data", "该点的值不是有限数：请换数据";
    apart: "{0} does not depend on {1}: the derivative is 0", "{0} 不依赖 {1}：导数为 0";
    cut: "each way from {1} to {0} leads through `{2}`, which has no derivative: it is 0",
        "从 {1} 到 {0} 的每条路径都经过没有导数的 `{2}`：导数为 0";
    itself: "{0} moves with itself", "{0} 随自身变动";
    large: "shape [{0}], from {1} to {2}", "形状 [{0}]，取值从 {1} 到 {2}";
}

/// The sentences of a language.
pub fn phrases(lang: Lang) -> &'static Phrases {
    match lang {
        Lang::En => &EN,
        Lang::Zh => &ZH,
    }
}

/// The phrase with what it is about.
pub fn fill(phrase: &str, about: &[&str]) -> String {
    let mut text = String::new();
    let mut rest = phrase;
    while let Some(at) = rest.find('{') {
        let number = rest[at + 1..].split('}').next().and_then(|number| number.parse().ok());
        let word = number.and_then(|number: usize| about.get(number));
        text.push_str(&rest[..at]);
        text.push_str(word.copied().unwrap_or_default());
        rest = rest[at..].split_once('}').map_or("", |(_, rest)| rest);
    }
    text + rest
}
