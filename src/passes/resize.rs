//! The same model with its dimensions under other names.

use crate::graph::Model;
use crate::ops::conv::{Conv, Part as ConvPart};
use crate::ops::index::{OneHot, PutAlong};
use crate::ops::leaf::{Eye, Iota, SizeOf, Variable};
use crate::ops::pool::{Kind, Pool};
use crate::ops::scan::{Body, Part, Scan, Step};
use crate::ops::shape::{Broadcast, Reshape};
use crate::ops::slice::{Cut, Pad, Slice};
use crate::ops::window::Frame;
use crate::ops::{Dims, Misfit, Name, Op, Size, Type, custom::Custom, random::Random};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The model with every dimension in `by` replaced by its size there, all at once. A name stands for a dimension of that name,
/// which has the declared size of the one that it replaces. Fails where what is computed has no type then.
pub fn resize(model: &Model, by: &FxHashMap<Name, Size>) -> Result<Model, Misfit> {
    let mut named = model.clone();
    let own = Resize { by };
    named.dims = own.dims(&model.dims);
    for range in named.variables.values_mut().filter_map(|variable| variable.range.as_mut()) {
        range.low.0 = own.size(&range.low.0);
        range.high.0 = own.size(&range.high.0);
    }
    named.rebuild(|target, id, operands| {
        target.insert(own.op(named.op(id)), operands, named.origins(id))
    })
}

struct Resize<'a> {
    by: &'a FxHashMap<Name, Size>,
}

impl Resize<'_> {
    fn dims(&self, dims: &Dims) -> Dims {
        let mut renamed = Dims::default();
        for (name, size) in dims.iter() {
            if let Size::Named(name) = self.size(&Size::Named(name.clone())) {
                renamed.declare(name, size.map(|size| self.size(size)));
            }
        }
        renamed
    }

    fn size(&self, size: &Size) -> Size {
        size.substitute(&mut |name| self.by.get(name).cloned())
    }

    fn sizes<'s, L: FromIterator<Size>>(&self, sizes: impl IntoIterator<Item = &'s Size>) -> L {
        sizes.into_iter().map(|size| self.size(size)).collect()
    }

    fn ty(&self, ty: &Type) -> Type {
        Type { dtype: ty.dtype, shape: self.sizes(&ty.shape) }
    }

    fn frame(&self, frame: Frame) -> Frame {
        let pair = |(low, high): &(Size, Size)| (self.size(low), self.size(high));
        Frame { padding: frame.padding.iter().map(pair).collect(), ..frame }
    }

    fn op(&self, op: &Op) -> Op {
        match op.clone() {
            Op::Variable(Variable { name, ty }) => {
                Variable { name, ty: Arc::new(self.ty(&ty)) }.into()
            }
            Op::SizeOf(SizeOf { dtype, size }) => SizeOf { dtype, size: self.size(&size) }.into(),
            Op::Iota(Iota { dtype, size }) => Iota { dtype, size: self.size(&size) }.into(),
            Op::Eye(Eye { dtype, size }) => Eye { dtype, size: self.size(&size) }.into(),
            Op::Broadcast(Broadcast { to, from }) => Broadcast { to: self.sizes(&to), from }.into(),
            Op::Reshape(Reshape { to }) => Reshape { to: self.sizes(&to) }.into(),
            Op::Slice(Slice { cuts }) => {
                let cut = |cut: &Cut| match cut {
                    Cut::At(place) => Cut::At(self.size(place)),
                    Cut::Range { start, size, step } => {
                        Cut::Range { start: self.size(start), size: self.size(size), step: *step }
                    }
                };
                Slice { cuts: cuts.iter().map(cut).collect() }.into()
            }
            Op::Pad(Pad { low, high, between }) => {
                Pad { low: self.sizes(&low), high: self.sizes(&high), between }.into()
            }
            Op::PutAlong(put) => PutAlong { size: self.size(&put.size), ..put }.into(),
            Op::OneHot(hot) => OneHot { size: self.size(&hot.size), ..hot }.into(),
            Op::Conv(Conv { part, frame, groups }) => {
                let part = match part {
                    ConvPart::Input(sizes) => ConvPart::Input(self.sizes(&sizes)),
                    ConvPart::Filter(sizes) => ConvPart::Filter(self.sizes(&sizes)),
                    part => part,
                };
                Conv { part, frame: self.frame(frame), groups: self.size(&groups) }.into()
            }
            Op::Pool(Pool { kind, window, frame }) => {
                let kind = match kind {
                    Kind::MeanAdjoint { count_pad, sizes } => {
                        Kind::MeanAdjoint { count_pad, sizes: self.sizes(&sizes) }
                    }
                    kind => kind,
                };
                Pool { kind, window, frame: self.frame(frame) }.into()
            }
            Op::Random(random) => Random { shape: self.sizes(&random.shape), ..random }.into(),
            Op::Custom(custom) => {
                let steps = custom.steps.iter();
                let steps = steps.map(|(op, operands)| (self.op(op), operands.clone())).collect();
                Custom { steps, ..custom }.into()
            }
            Op::Part(Part { which, ty }) => Part { which, ty: Arc::new(self.ty(&ty)) }.into(),
            Op::Scan(scan) => {
                let body = Arc::new(self.body(&scan.body));
                Scan { length: self.size(&scan.length), body, ..scan }.into()
            }
            other => other,
        }
    }

    fn body(&self, body: &Body) -> Body {
        let step =
            |step: &Step| Step { op: self.op(&step.op), ty: self.ty(&step.ty), ..step.clone() };
        Body::new(
            body.inputs.iter().map(|ty| self.ty(ty)).collect(),
            body.steps.iter().map(step).collect(),
            body.results.clone(),
            body.names.clone(),
            body.adjoints.clone(),
        )
    }
}
