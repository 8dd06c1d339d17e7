//! Two models as one graph, in which equal values are one node.

use super::{Model, NodeId, Origins, Variable};
use crate::ops::{Misfit, Name, Op, Type, leaf};
use std::sync::Arc;

/// Two models in one.
pub struct Joined {
    /// The first model with the values of the second one added; what is declared twice is declared as in the first.
    pub model: Model,
    /// Where the values of the second model are; what nothing needs there is left out.
    map: Vec<Option<NodeId>>,
    /// The variables of both that are of another type in the second: there they are variables of their own.
    pub apart: Vec<Name>,
}

impl Joined {
    /// Where a value of the second model is.
    pub fn of_second(&self, id: NodeId) -> Option<NodeId> {
        self.map[id.index()]
    }
}

/// Both models in one. Variables of one name, element type and sizes are one variable, dimensions of one name one dimension: if
/// only one model gives it a size, it has that. Fails where what the second model computes has no type among the first one's
/// sizes.
pub fn join(one: &Model, two: &Model) -> Result<Joined, Misfit> {
    let mut model = one.clone();
    for (name, size) in two.dims.iter() {
        if model.dims.is_free(name) || !model.dims.contains(name) {
            model.dims.declare(name.clone(), size.cloned());
        }
    }
    let (live, mut map) = (two.live(), vec![None; two.len()]);
    let mut apart = Vec::new();
    for id in two.nodes().filter(|id| live[id.index()]) {
        let operands: Vec<NodeId> = two
            .operands(id)
            .iter()
            .map(|operand| map[operand.index()].expect("operands come first"))
            .collect();
        let mut op = two.op(id).clone();
        if let Op::Variable(leaf::Variable { name, ty }) = &op {
            let known = one.variables.get(name).map(|known| one.ty(known.node));
            if let Some(known) = known.filter(|known| same(&model, known, ty)) {
                op = leaf::Variable { name: name.clone(), ty: Arc::new(known.clone()) }.into();
            } else if known.is_some() {
                apart.push(name.clone());
                let other = format!("{name} of the second").into();
                op = leaf::Variable { name: other, ty: ty.clone() }.into();
            }
        }
        let node = model.insert(op.clone(), &operands, &Origins::default())?;
        map[id.index()] = Some(node);
        if let Op::Variable(leaf::Variable { name, .. }) = op
            && let Some(variable) = two.variables.values().find(|variable| variable.node == id)
        {
            match model.variables.get_mut(&name) {
                Some(known) => known.symmetric &= variable.symmetric,
                None => {
                    let added = Variable { node, init: None, ..variable.clone() };
                    model.variables.insert(name, added);
                }
            }
        }
    }
    Ok(Joined { model, map, apart })
}

/// Whether two types are one by what is declared about dimensions.
fn same(model: &Model, one: &Type, two: &Type) -> bool {
    let pairs = || one.shape.iter().zip(&two.shape);
    one.dtype == two.dtype
        && one.rank() == two.rank()
        && pairs().all(|(one, two)| model.dims.equal(one, two))
}
