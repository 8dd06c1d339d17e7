//! What hands used to other languages write, and what `.nn` writes in its place.

use super::kind::Kind;

/// What was probably meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meant {
    /// This token.
    Token(Kind),
    /// A string between quotes that are not `"`.
    Quote,
    /// White space or a comment.
    Nothing,
    /// Something that only the writer knows.
    Unclear,
}

/// What the character or operator `text` was meant for, with a thing to do.
pub fn meant(text: &str) -> (Meant, Option<&'static str>) {
    let found = MEANT.iter().find(|(spellings, ..)| spellings.split(' ').any(|s| s == text));
    match (found, text) {
        (Some(&(_, meant, help)), _) => (meant, Some(help)),
        (None, _) if text.starts_with("//") || text.starts_with("/*") => {
            (Meant::Nothing, Some("a comment begins with `#`; a whole quotient is `floor(a / b)`"))
        }
        (None, _) if text.chars().all(|c| c.is_whitespace() || is_invisible(c)) => {
            (Meant::Nothing, Some("write a plain space"))
        }
        _ => (Meant::Unclear, None),
    }
}

/// Whether `text`, a single character, is an operator elsewhere.
pub fn is_operator(text: &str) -> bool {
    matches!(text, "&" | "|" | "!" | "%" | "?")
}

/// Whether `c` is taken for the end of a string that a typographic quote began.
pub fn is_double_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '”' | '„' | '«' | '»' | '＂' | '「' | '」')
}

/// What to do about a statement that begins with `word` as in another language.
pub fn foreign(word: &str) -> Option<&'static str> {
    FOREIGN.iter().find(|(words, _)| words.split(' ').any(|w| w == word)).map(|&(_, help)| help)
}

/// Whether `word` announces a binding in another language and can simply be left out.
pub fn is_let(word: &str) -> bool {
    matches!(word, "let" | "var" | "val" | "auto" | "local" | "set" | "mut")
}

fn is_invisible(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}')
}

use Meant::{Nothing, Quote, Token, Unclear};

const MEANT: &[(&str, Meant, &str)] = &[
    ("**", Token(Kind::Caret), "a power is written `x^2`"),
    ("&& & ∧", Token(Kind::And), "write `and`"),
    ("|| | ∨", Token(Kind::Or), "write `or`; an absolute value is `abs(x)`"),
    ("! ¬ ！", Token(Kind::Not), "write `not`"),
    ("% ％", Token(Kind::Star), "a remainder is written `mod(a, b)`"),
    ("? ？", Unclear, "a choice is written `where(condition, a, b)`"),
    (":=", Token(Kind::Equals), "write `=`"),
    ("===", Token(Kind::Eq), "write `==`"),
    ("+= -= *= /=", Unclear, "give the new value a name of its own: `b = a + 1`"),
    ("... …", Token(Kind::Dots), "write two dots: `..`"),
    ("\\", Nothing, "a line continues inside brackets and after an operator, without `\\`"),
    ("，", Token(Kind::Comma), "write a plain `,`"),
    ("、", Token(Kind::Comma), "write a plain `,`"),
    ("；", Token(Kind::Semi), "write a plain `;`"),
    ("：", Token(Kind::Colon), "write a plain `:`"),
    ("（", Token(Kind::Open), "write a plain `(`"),
    ("）", Token(Kind::Close), "write a plain `)`"),
    ("［ 【", Token(Kind::OpenSquare), "write a plain `[`"),
    ("］ 】", Token(Kind::CloseSquare), "write a plain `]`"),
    ("｛", Token(Kind::OpenBrace), "write a plain `{`"),
    ("｝", Token(Kind::CloseBrace), "write a plain `}`"),
    ("＝", Token(Kind::Equals), "write a plain `=`"),
    ("～", Token(Kind::Tilde), "write a plain `~`"),
    ("＾", Token(Kind::Caret), "write a plain `^`"),
    ("＠", Token(Kind::At), "write a plain `@`"),
    ("＋", Token(Kind::Plus), "write a plain `+`"),
    ("－ − – —", Token(Kind::Minus), "write a plain `-`"),
    ("＊ × · ⋅ ∗ ⊙ ∘", Token(Kind::Star), "write `*`"),
    ("／ ÷ ∕", Token(Kind::Slash), "write `/`"),
    ("＜", Token(Kind::Lt), "write a plain `<`"),
    ("＞", Token(Kind::Gt), "write a plain `>`"),
    ("≤ ⩽", Token(Kind::Le), "write `<=`"),
    ("≥ ⩾", Token(Kind::Ge), "write `>=`"),
    ("≠", Token(Kind::Ne), "write `!=`"),
    ("→", Token(Kind::Arrow), "write `->`"),
    ("∈", Token(Kind::In), "write `in`"),
    ("∼", Token(Kind::Tilde), "write `~`"),
    ("‘ ’ ′ ＇ ´ ᵀ", Token(Kind::Quote), "a transpose is written `x'`, with a plain quote"),
    ("“ ” „ « » ＂ 「 」", Quote, "write a plain `\"` on both sides"),
    ("¹ ² ³ ⁴ ⁵ ⁶ ⁷ ⁸ ⁹ ⁰ ⁻ ⁿ", Unclear, "a power is written `x^2`"),
    ("₀ ₁ ₂ ₃ ₄ ₅ ₆ ₇ ₈ ₉", Unclear, "an index in a name is written `x1` or `x_1`"),
    ("½ ¼ ¾", Unclear, "a fraction is written `1/2`"),
    ("∞", Unclear, "write `inf`"),
    ("√", Unclear, "write `sqrt(x)`"),
    ("∑", Unclear, "write `sum[N](x)`"),
    ("∏", Unclear, "write `prod[N](x)`"),
    ("∇ ∂", Unclear, "write `grad(C, W)`"),
    ("。 ．", Unclear, "write a plain `.`"),
];

const FOREIGN: &[(&str, &str)] = &[
    ("let var val auto local set mut", "leave the word out: `x = ...`"),
    ("model module network net class struct object", "leave the word out: a file is a model"),
    ("def function func fun define lambda", "write `fn name(x) { return ... }`"),
    ("import include require from load", "write `use \"file.nn\"`"),
    ("if elif else switch match case", "a choice is written `where(condition, a, b)`"),
    ("while loop foreach", "write `repeat 12 (h = x) { ... }` or `scan t in T (h = x) { ... }`"),
    (
        "tensor variable weight weights parameter",
        "write `param W: f32[D, H]` or `input x: f32[N, D]`",
    ),
    ("int float double f32 f64 bool i32 i64", "the type stands behind the name: `input x: f32[N]`"),
    ("print show assert", "write `output x`, or `expect a == b`"),
    ("minimize minimise objective", "write `loss C = ...`"),
    ("placeholder data", "write `input x: f32[N, D]`"),
];
