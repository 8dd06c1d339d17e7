//! Functions with derivatives of their own: each is printed as the boundary that it is.

use super::Part;
use super::statements::statements;
use crate::graph::{Kind, Model, NodeId, Operands, Origins, Output};
use crate::ops::custom::Custom;
use crate::ops::{Name, Op, Type};

/// The functions that the calls of a printed model need: each returns its first argument, and what flows back to the others
/// is by its rule.
pub fn functions(model: &Model) -> Vec<String> {
    let live = model.live();
    let mut seen: Vec<&Name> = Vec::new();
    let mut lines = Vec::new();
    for id in model.nodes().filter(|id| live[id.index()]) {
        let Op::Custom(custom) = model.op(id) else { continue };
        if !seen.contains(&&custom.name) {
            seen.push(&custom.name);
            lines.extend(function(model, id, custom));
        }
    }
    lines
}

fn function(model: &Model, id: NodeId, custom: &Custom) -> Vec<String> {
    let types = model.operand_types(id);
    let mut rule = Model { dims: model.dims.clone(), lines: vec![0], ..Model::default() };
    // The first float variable says what type numbers have.
    rule.input(&"?".into(), Type::scalar(model.float()));
    let plain = |stem: &str| {
        let taken = |name: &str| model.dims.contains(name);
        let mut name = stem.to_string();
        while taken(&name) {
            name.push('_');
        }
        Name::from(name)
    };
    let params: Vec<Name> = match types.len() {
        2 => vec![plain("y"), plain("x")],
        count => {
            let rest = (1..count).map(|number| plain(&format!("x{number}")));
            std::iter::once(plain("y")).chain(rest).collect()
        }
    };
    let adjoint = plain("dy");
    let mut values: Operands =
        params.iter().zip(&types).map(|(name, ty)| rule.input(name, ty.clone())).collect();
    values.push(values[0]);
    values.push(rule.input(&adjoint, types[0].clone()));
    for (op, operands) in custom.steps.iter() {
        let operands: Operands = operands.iter().map(|&number| values[number]).collect();
        let step = rule.insert(op.clone(), &operands, &Origins::default());
        values.push(step.expect("a rule is well typed"));
    }
    let mut returned = Vec::new();
    for (param, flow) in params.iter().zip(custom.flows.iter()) {
        let Some(flow) = flow else {
            returned.push("0".to_string());
            continue;
        };
        let name = plain(&format!("d_{param}"));
        returned.push(name.to_string());
        rule.outputs.push(Output { kind: Kind::Output, name, node: values[*flow] });
    }
    let mut lines = vec![
        format!("fn {}({}) {{", custom.name, params.join(", ")),
        format!("    return {}", params[0]),
        format!("}} vjp({adjoint}) {{"),
    ];
    let body = statements(&rule, Part::Whole);
    lines.extend(body.iter().map(|line| format!("    {} = {}", line.name, line.text)));
    lines.push(format!("    return {}", returned.join(", ")));
    lines.push("}".into());
    lines
}
