//! The rule of an operator's derivative as a formula, from the operator itself.

use crate::export::formula::{Formula, read};
use crate::graph::print::{Part, stated};
use crate::graph::{Kind, Model, NodeId, Origins, Output};
use crate::ops::{Name, Op, Operator, Rule};
use crate::passes::simplify;

/// The operator of a node on plain names, and how the derivative by operand number `place` comes from that by its value.
/// `None` where it is no single formula, or is given elsewhere.
pub fn rule(model: &Model, id: NodeId, place: usize, of: &str) -> Option<(Formula, Formula)> {
    let op = model.op(id);
    let types = model.operand_types(id);
    if !op.steps().is_empty() || matches!(op, Op::Scan(_) | Op::Part(_)) {
        return None;
    }
    let rule = Rule { operands: &types, result: model.ty(id), dims: &model.dims };
    let term = op.vjp(&rule).into_iter().nth(place)??;
    let operands: Vec<String> = match op {
        Op::Scalar(row) => row.arguments().iter().map(|name| name.to_string()).collect(),
        _ if types.len() <= 4 => {
            ["x", "w", "u", "v"][..types.len()].iter().map(|name| name.to_string()).collect()
        }
        _ => return None,
    };
    let result =
        ["y", "z", "r"].into_iter().find(|name| !operands.iter().any(|own| own == name))?;
    let mut small = Model::default();
    small.dims = model.dims.clone();
    small.floats = Some(model.float());
    let adjoint = format!("d_{result}");
    let names = operands.iter().map(String::as_str).chain([result, &adjoint]);
    let types = types.iter().chain([model.ty(id), model.ty(id)]);
    let mut variables = Vec::new();
    for (name, ty) in names.zip(types) {
        variables.push(small.input(&name.into(), ty.clone()));
    }
    let dtype = model.ty(id).dtype;
    let node = small.plant(&term, &variables, dtype, &Origins::default()).ok()?;
    let name: Name = format!("d_{}", operands[place]).into();
    small.outputs.push(Output { kind: Kind::Gradient, name, node });
    let printed = stated(&simplify(&small).0, Part::Adjoint);
    let [only] = printed.as_slice() else { return None };
    let by = |name: &str| Formula::partial(Formula::name(of), Formula::name(name));
    let right = read(&only.text, &|name| (name == adjoint).then(|| by(result)))?;
    let value = form(model, id, &operands, &variables, &small)?;
    let value = Formula::infix("=", Formula::name(result), value);
    Some((value, Formula::infix("=", by(&operands[place]), right)))
}

/// The operator itself on plain names.
fn form(
    model: &Model,
    id: NodeId,
    operands: &[String],
    variables: &[NodeId],
    small: &Model,
) -> Option<Formula> {
    let mut alone = small.clone();
    let node = alone
        .insert(model.op(id).clone(), &variables[..operands.len()], &Origins::default())
        .ok()?;
    alone.outputs = vec![Output { kind: Kind::Gradient, name: "value".into(), node }];
    let printed = stated(&alone, Part::Adjoint);
    let [only] = printed.as_slice() else { return None };
    read(&only.text, &|_| None)
}
