//! Where the values of a model are defined: what denominators, logarithms, roots and matrices ask for.

use super::facts::{not_negative, positive};
use crate::graph::{Model, NodeId};
use crate::ops::linalg::{Matrix, Of};
use crate::ops::{Op, Scalar};

/// A condition on each entry of a value, or on a matrix: `> 0`, `!= 0`, `is invertible`.
pub type Condition = (NodeId, &'static str);

/// What must hold for the results of a model to be defined over the reals, as far as it is not known to hold. Bodies of
/// loops have conditions of their own, which are not looked for.
pub fn conditions(model: &Model) -> Vec<Condition> {
    let needed = model.needed(model.outputs.iter().map(|output| output.node));
    let mut found: Vec<Condition> = Vec::new();
    for id in model.nodes().filter(|id| needed[id.index()]) {
        if let Some((of, is)) = condition(model, id) {
            let of = source(model, of);
            if !holds(model, of, is) && !found.contains(&(of, is)) {
                found.push((of, is));
            }
        }
    }
    let above: Vec<NodeId> =
        found.iter().filter(|(_, is)| *is == "> 0").map(|(of, _)| *of).collect();
    found.retain(|(of, is)| !(above.contains(of) && matches!(*is, "!= 0" | ">= 0")));
    found
}

fn condition(model: &Model, id: NodeId) -> Option<Condition> {
    let x = model.operands(id);
    let float = model.ty(id).dtype.is_float();
    Some(match model.op(id) {
        Op::Scalar(row) if float => match row {
            Scalar::Div | Scalar::Mod => (x[1], "!= 0"),
            Scalar::Log | Scalar::Rsqrt | Scalar::Polygamma => (x[x.len() - 1], "> 0"),
            Scalar::Log1p => (x[0], "> -1"),
            Scalar::Sqrt1pm1 => (x[0], ">= -1"),
            Scalar::Sqrt | Scalar::Xlogx | Scalar::Powlog => (x[0], ">= 0"),
            Scalar::Xlogy | Scalar::RelEntr => (x[1], "> 0"),
            Scalar::Asin | Scalar::Acos => (x[0], "in [-1, 1]"),
            Scalar::Atanh | Scalar::Erfinv => (x[0], "in (-1, 1)"),
            Scalar::Acosh => (x[0], ">= 1"),
            Scalar::Lgamma | Scalar::Digamma => (x[0], "not 0, -1, -2, ..."),
            Scalar::Pow => match model.filled(x[1]) {
                Some(power) if power.to_f64().fract() == 0.0 && !power.is_negative() => {
                    return None;
                }
                Some(power) if power.to_f64().fract() == 0.0 => (x[0], "!= 0"),
                Some(power) if !power.is_negative() => (x[0], ">= 0"),
                _ => (x[0], "> 0"),
            },
            _ => return None,
        },
        Op::Matrix(Matrix::Cholesky) => (x[0], "positive definite"),
        Op::Matrix(_) => (x[0], "invertible"),
        Op::Solve(solve) if solve.of == Of::Whole => (x[0], "invertible"),
        Op::Solve(_) => (x[0], "without a 0 on its diagonal"),
        _ => return None,
    })
}

/// The value behind its layout.
fn source(model: &Model, id: NodeId) -> NodeId {
    let mut id = id;
    while let Op::Broadcast(_) | Op::Reshape(_) | Op::Barrier(_) = model.op(id) {
        id = model.operands(id)[0];
    }
    id
}

fn holds(model: &Model, of: NodeId, is: &str) -> bool {
    let known = model.filled(of).map(|number| number.to_f64());
    match is {
        "> 0" => positive(model, of),
        "!= 0" => positive(model, of) || known.is_some_and(|number| number != 0.0),
        ">= 0" | "> -1" => not_negative(model, of),
        _ => false,
    }
}
