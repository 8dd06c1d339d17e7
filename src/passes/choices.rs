//! Laws of choices, of what guards a kink and of what a kink chooses.

use super::law::Cx;
use super::product::zero_branch;
use super::structure::Found;
use crate::graph::{NodeId, Operands, Origins};
use crate::ops::leaf::Const;
use crate::ops::{Number, Op, Scalar, Select};

/// `where(true, x, y)` is x.
pub fn choice_by_constant(cx: &mut Cx, op: &Op, operands: &[NodeId], _origins: &Origins) -> Found {
    let Op::Select(_) = op else { return Ok(None) };
    let Some(number) = cx.see().filled(operands[0]) else { return Ok(None) };
    let taken = if number.is_zero() { operands[2] } else { operands[1] };
    let rank = operands.iter().map(|&id| cx.see().ty(id).rank()).max().unwrap_or(0);
    let whole = cx.see().ty(taken).rank() == rank || cx.see().ty(taken).rank() == 0;
    Ok(whole.then_some(taken))
}

/// `true and c` is c, `false and c` is false, and so for `or`.
pub fn condition_by_constant(
    cx: &mut Cx,
    op: &Op,
    operands: &[NodeId],
    _origins: &Origins,
) -> Found {
    let Op::Scalar(row @ (Scalar::And | Scalar::Or)) = op else { return Ok(None) };
    let rank = operands.iter().map(|&id| cx.see().ty(id).rank()).max().unwrap_or(0);
    for (constant, other) in [(operands[0], operands[1]), (operands[1], operands[0])] {
        let Some(number) = cx.see().filled(constant) else { continue };
        let decides = number.is_zero() == (*row == Scalar::And);
        let left = if decides { constant } else { other };
        if cx.see().ty(left).rank() == rank || cx.see().filled(left).is_some() {
            return Ok(Some(left));
        }
    }
    Ok(None)
}

/// `where(c, x, 0) + where(c, 0, y)` is `where(c, x, y)`, and so on for sums of choices by one condition.
pub fn choices_together(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let Op::Scalar(Scalar::Add) = op else { return Ok(None) };
    let choice = |cx: &Cx, id: NodeId| {
        matches!(cx.see().op(id), Op::Select(_)) && cx.is_open(id) && zero_branch(cx, id).is_some()
    };
    if !operands.iter().all(|&id| choice(cx, id)) {
        return Ok(None);
    }
    let (one, two) = (cx.see().operands(operands[0]), cx.see().operands(operands[1]));
    if one[0] != two[0] {
        return Ok(None);
    }
    let yes = cx.scalar(Scalar::Add, &[one[1], two[1]], origins)?;
    let no = cx.scalar(Scalar::Add, &[one[2], two[2]], origins)?;
    cx.build(Select, &[one[0], yes, no], origins).map(Some)
}

/// `sqrt(x)^2` is x, unless the root has a name and x is a formula.
pub fn square_of_root(cx: &mut Cx, op: &Op, operands: &[NodeId], _: &Origins) -> Found {
    let root = operands[0];
    if *op != Op::Scalar(Scalar::Square) || *cx.see().op(root) != Op::Scalar(Scalar::Sqrt) {
        return Ok(None);
    }
    let x = cx.see().operands(root)[0];
    Ok(Some(x).filter(|&x| !cx.is_named(root) || cx.is_named(x)))
}

/// Where the source text computes r as `where(s == 0, 0, sqrt(s))`, r stands for `sqrt(s)` and `r == 0` for `s == 0`; if r
/// has no name, `sqrt(s)` stands for r.
pub fn root_by_name(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let mut changed = false;
    let mut all: Operands = operands.into();
    for operand in &mut all {
        if !cx.is_forward(*operand) {
            continue;
        }
        let parts = cx.see().operands(*operand);
        let other = match cx.see().op(*operand) {
            Op::Scalar(Scalar::Sqrt) => guarded_root(cx, *operand),
            Op::Scalar(Scalar::Eq) => {
                let root = cx.see().find(&Scalar::Sqrt.into(), &parts[..1]);
                let named = root.and_then(|root| guarded_root(cx, root));
                let zero = cx.see().filled(parts[1]).is_some_and(|number| number.is_zero());
                match named.filter(|_| zero) {
                    Some(named) => {
                        Some(cx.model().insert(Scalar::Eq, &[named, parts[1]], origins)?)
                    }
                    None => None,
                }
            }
            Op::Select(_) if !cx.is_named(*operand) && is_guarded_root(cx, *operand) => {
                Some(parts[2])
            }
            _ => None,
        };
        if let Some(other) = other {
            *operand = other;
            changed = true;
        }
    }
    if !changed {
        return Ok(None);
    }
    cx.build(op.clone(), &all, origins).map(Some)
}

/// The value with a name that is `where(s == 0, 0, sqrt(s))`, for `sqrt(s)`.
fn guarded_root(cx: &Cx, root: NodeId) -> Option<NodeId> {
    let model = cx.see();
    let s = model.operands(root)[0];
    let number = |dtype| Const { dtype, value: Number::ZERO }.into();
    let zero = model.find(&number(model.ty(s).dtype), &[])?;
    let condition = model.find(&Scalar::Eq.into(), &[s, zero])?;
    model.find(&Select.into(), &[condition, zero, root]).filter(|&id| cx.is_named(id))
}

fn is_guarded_root(cx: &Cx, id: NodeId) -> bool {
    let model = cx.see();
    let parts = model.operands(id);
    let sides = model.operands(parts[0]);
    let zero = |id: NodeId| model.filled(id).is_some_and(|number| number.is_zero());
    *model.op(parts[0]) == Op::Scalar(Scalar::Eq)
        && *model.op(parts[2]) == Op::Scalar(Scalar::Sqrt)
        && model.operands(parts[2])[0] == sides[0]
        && zero(sides[1])
        && zero(parts[1])
}

/// `relu(x) > 0` is `x > 0`: said of x where that is a name or a short formula.
pub fn above_kink(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let Op::Scalar(Scalar::Gt) = op else { return Ok(None) };
    let Op::Scalar(Scalar::Relu) = cx.see().op(operands[0]) else { return Ok(None) };
    let x = cx.see().operands(operands[0])[0];
    let zero = cx.see().filled(operands[1]).is_some_and(|number| number.is_zero());
    let short = |cx: &Cx, id: NodeId| {
        cx.is_named(id) || cx.see().operands(id).iter().all(|&part| cx.is_named(part))
    };
    if !zero || cx.is_named(operands[0]) || !short(cx, x) {
        return Ok(None);
    }
    cx.build(Scalar::Gt, &[x, operands[1]], origins).map(Some)
}

/// `1 > x` is `x < 1`.
pub fn number_on_the_right(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let Op::Scalar(row) = op else { return Ok(None) };
    let turned = match row {
        Scalar::Eq | Scalar::Ne => *row,
        Scalar::Lt => Scalar::Gt,
        Scalar::Le => Scalar::Ge,
        Scalar::Gt => Scalar::Lt,
        Scalar::Ge => Scalar::Le,
        _ => return Ok(None),
    };
    let number = |cx: &Cx, id: NodeId| cx.see().filled(id).is_some();
    if !number(cx, operands[0]) || number(cx, operands[1]) {
        return Ok(None);
    }
    cx.build(turned, &[operands[1], operands[0]], origins).map(Some)
}
