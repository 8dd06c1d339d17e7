//! A loop over a leading axis that carries values on, and its results.

use super::origin::Origins;
use super::size::sizes;
use super::{
    Batching, Bindings, Dims, Form, FormArg, Misfit, Name, Op, Operator, Rule, Size, Term, Type,
    ValueError, term,
};
use crate::tensor::{DType, Element, Tensor};
use crate::{each_dtype, tensor::Array};
use ndarray::{Axis, IxDyn};
use rustc_hash::FxHasher;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// `scan t in T (h = h0) for xt in x { ... }`: operands are the first values of the carries, the arrays that are sliced along
/// their first axis, and what the body reads from outside. The node stands for all results together; `Part` picks one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scan {
    /// From the end.
    pub reverse: bool,
    /// The number of steps.
    pub length: Size,
    /// How many values are carried.
    pub carries: usize,
    /// How many arrays are sliced.
    pub slices: usize,
    /// What is done in each step.
    pub body: Arc<Body>,
}

/// One step of a scan: its inputs are the index, the carries, the slices and what comes from outside; its results the next
/// values of the carries and what is stacked. Places `0..inputs` are the inputs, those after them the steps.
#[derive(Clone, Debug)]
pub struct Body {
    /// The types of the inputs.
    pub inputs: Vec<Type>,
    /// Operators, operands before their users.
    pub steps: Vec<Step>,
    /// The places of the results.
    pub results: Vec<u32>,
    /// What each place is called; of no matter for what the body does.
    pub names: Vec<Option<Name>>,
    /// Which place holds the adjoint of which: of a place, that place.
    pub adjoints: Vec<(u32, u32)>,
    hash: u64,
}

/// An operator inside a body.
#[derive(Clone, Debug)]
pub struct Step {
    /// The operator.
    pub op: Op,
    /// The places of its operands.
    pub operands: SmallVec<[u32; 4]>,
    /// The type of its value.
    pub ty: Type,
    /// Why it is there.
    pub origins: Origins,
}

/// One result of a scan.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// Which.
    pub which: Which,
    /// Its type.
    pub ty: Arc<Type>,
}

/// The results of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Which {
    /// What the body yields, stacked by the index of the step.
    Yield(usize),
    /// The last value of a carry.
    Final(usize),
    /// The values of a carry before each step, stacked by the index of the step.
    Trace(usize),
}

impl Body {
    /// A body; `names` has one entry for each input and each step.
    pub fn new(
        inputs: Vec<Type>,
        steps: Vec<Step>,
        results: Vec<u32>,
        names: Vec<Option<Name>>,
        adjoints: Vec<(u32, u32)>,
    ) -> Body {
        debug_assert_eq!(names.len(), inputs.len() + steps.len());
        let mut hasher = FxHasher::default();
        inputs.hash(&mut hasher);
        results.hash(&mut hasher);
        for step in &steps {
            step.op.hash(&mut hasher);
            step.operands.hash(&mut hasher);
        }
        Body { inputs, steps, results, names, adjoints, hash: hasher.finish() }
    }

    /// The type of a place.
    pub fn ty(&self, place: u32) -> &Type {
        let place = place as usize;
        match place.checked_sub(self.inputs.len()) {
            None => &self.inputs[place],
            Some(step) => &self.steps[step].ty,
        }
    }

    /// The operator at a place; `None` for an input.
    pub fn step(&self, place: u32) -> Option<&Step> {
        self.steps.get((place as usize).checked_sub(self.inputs.len())?)
    }

    /// Whether there is such an operator in it, or in the bodies within it.
    pub fn holds(&self, wanted: &impl Fn(&Op) -> bool) -> bool {
        self.steps.iter().any(|step| match &step.op {
            Op::Scan(scan) => scan.body.holds(wanted),
            op => wanted(op),
        })
    }

    /// The places that `roots` are computed from, with them.
    pub fn needed(&self, roots: impl IntoIterator<Item = u32>) -> Vec<bool> {
        let mut needed = vec![false; self.inputs.len() + self.steps.len()];
        roots.into_iter().for_each(|place| needed[place as usize] = true);
        for (number, step) in self.steps.iter().enumerate().rev() {
            if needed[self.inputs.len() + number] {
                step.operands.iter().for_each(|&operand| needed[operand as usize] = true);
            }
        }
        needed
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Body) -> bool {
        let same = |(a, b): (&Step, &Step)| a.op == b.op && a.operands == b.operands;
        self.hash == other.hash
            && self.inputs == other.inputs
            && self.results == other.results
            && self.steps.len() == other.steps.len()
            && self.steps.iter().zip(&other.steps).all(same)
    }
}

impl Eq for Body {}

impl Hash for Body {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Scan {
    /// The place of the first input that comes from outside.
    pub fn outside(&self) -> usize {
        1 + self.carries + self.slices
    }

    /// How many values are stacked.
    pub fn yields(&self) -> usize {
        self.body.results.len() - self.carries
    }

    /// The type of a result.
    pub fn part(&self, which: Which) -> Part {
        let stacked =
            |ty: &Type| ty.with_shape(std::iter::once(&self.length).chain(&ty.shape).cloned());
        let ty = match which {
            Which::Yield(place) => stacked(self.body.ty(self.body.results[self.carries + place])),
            Which::Final(place) => self.body.inputs[1 + place].clone(),
            Which::Trace(place) => stacked(&self.body.inputs[1 + place]),
        };
        Part { which, ty: Arc::new(ty) }
    }

    /// The results `wanted`, step after step.
    pub fn run(
        &self,
        operands: &[Tensor],
        wanted: &[Which],
        bindings: &Bindings,
    ) -> Result<Vec<Tensor>, ValueError> {
        let program = Program::new(&self.body, bindings)?;
        let length = usize::try_from(self.length.eval(bindings)?)
            .map_err(|_| ValueError::Shape(format!("a scan of {} steps", self.length)))?;
        let (first, rest) = operands.split_at(self.carries);
        let (sliced, outside) = rest.split_at(self.slices);
        let mut carries = first.to_vec();
        let mut stacks: Vec<Option<Tensor>> = Vec::new();
        for which in wanted {
            stacks.push(match which {
                Which::Final(_) => None,
                _ => {
                    let ty = self.part(*which).ty;
                    Some(Tensor::full(ty.dtype, &sizes(&ty.shape, bindings)?, 0.0))
                }
            });
        }
        for step in 0..length {
            let index = if self.reverse { length - 1 - step } else { step };
            let mut inputs = vec![ndarray::arr0(index as i64).into_dyn().into()];
            let before = carries.clone();
            inputs.append(&mut carries);
            inputs.extend(sliced.iter().map(|array| row(array, index)));
            inputs.extend(outside.iter().cloned());
            let mut results = program.run(inputs, bindings)?;
            for (which, stack) in wanted.iter().zip(&mut stacks) {
                match (which, stack) {
                    (Which::Yield(place), Some(stack)) => {
                        set_row(stack, index, &results[self.carries + place])
                    }
                    (Which::Trace(place), Some(stack)) => set_row(stack, index, &before[*place]),
                    _ => {}
                }
            }
            results.truncate(self.carries);
            carries = results;
        }
        Ok(wanted
            .iter()
            .zip(stacks)
            .map(|(which, stack)| match (which, stack) {
                (Which::Final(place), _) => carries[*place].clone(),
                (_, stack) => stack.expect("what is stacked has a place"),
            })
            .collect())
    }
}

/// A body with the numbers of one run.
struct Program<'a> {
    body: &'a Body,
    /// The shape of each step's value.
    shapes: Vec<Vec<usize>>,
    /// How often each place is used.
    uses: Vec<u32>,
    /// The results that are picked of each scan inside.
    picked: Vec<Vec<Which>>,
}

impl Program<'_> {
    fn new<'a>(body: &'a Body, bindings: &Bindings) -> Result<Program<'a>, ValueError> {
        let mut uses = vec![0; body.inputs.len() + body.steps.len()];
        let mut picked = vec![Vec::new(); body.steps.len()];
        for step in &body.steps {
            for &operand in &step.operands {
                uses[operand as usize] += 1;
            }
            if let Op::Part(part) = &step.op {
                picked[step.operands[0] as usize - body.inputs.len()].push(part.which);
            }
        }
        for &result in &body.results {
            uses[result as usize] += 1;
        }
        let shapes = body
            .steps
            .iter()
            .map(|step| sizes(&step.ty.shape, bindings))
            .collect::<Result<_, _>>()?;
        Ok(Program { body, shapes, uses, picked })
    }

    fn run(&self, inputs: Vec<Tensor>, bindings: &Bindings) -> Result<Vec<Tensor>, ValueError> {
        let first = inputs.len();
        let mut uses = self.uses.clone();
        let mut known: Vec<Option<Tensor>> = inputs.into_iter().map(Some).collect();
        let mut scans: Vec<(u32, Vec<Tensor>)> = Vec::new();
        for (number, step) in self.body.steps.iter().enumerate() {
            let place = (first + number) as u32;
            if let Op::Part(part) = &step.op {
                let of = step.operands[0];
                let which = self.picked[of as usize - first].iter().position(|w| *w == part.which);
                let results = &scans.iter().find(|(scan, _)| *scan == of).expect("it has run").1;
                known.push(Some(results[which.expect("it is picked")].clone()));
                continue;
            }
            let tensors: Vec<Tensor> = step
                .operands
                .iter()
                .map(|&operand| known[operand as usize].clone().expect("operands come first"))
                .collect();
            for &operand in &step.operands {
                uses[operand as usize] -= 1;
                if uses[operand as usize] == 0 {
                    known[operand as usize] = None;
                }
            }
            known.push(match &step.op {
                Op::Scan(scan) => {
                    scans.push((place, scan.run(&tensors, &self.picked[number], bindings)?));
                    None
                }
                op => Some(op.value(&tensors, &self.shapes[number], bindings)?),
            });
        }
        let result = |&place: &u32| known[place as usize].clone().expect("results are kept");
        Ok(self.body.results.iter().map(result).collect())
    }
}

/// The part of an array at a place of its leading axis.
pub fn row(tensor: &Tensor, index: usize) -> Tensor {
    fn go<T: Element>(array: &Array<T>, index: usize) -> Tensor {
        T::wrap(array.index_axis(Axis(0), index).to_shared())
    }
    each_dtype!(tensor, array => go(array, index))
}

fn set_row(stack: &mut Tensor, index: usize, value: &Tensor) {
    fn go<T: Element>(stack: &mut Array<T>, index: usize, value: &Tensor) {
        let value = T::of(value);
        let shape = IxDyn(value.shape());
        let view = value.view().into_shape_with_order(shape).expect("it is its own shape");
        stack.index_axis_mut(Axis(0), index).assign(&view);
    }
    each_dtype!(stack, stack => go(stack, index, value))
}

impl Operator for Scan {
    fn name(&self) -> Cow<'static, str> {
        "scan".into()
    }

    fn infer(&self, operands: &[Type], dims: &Dims) -> Result<Type, Misfit> {
        let body = &self.body;
        let equal = |a: &Type, b: &Type| {
            a.dtype == b.dtype
                && a.rank() == b.rank()
                && a.shape.iter().zip(&b.shape).all(|(a, b)| dims.equal(a, b))
        };
        debug_assert_eq!(operands.len() + 1, body.inputs.len());
        for (place, (operand, input)) in operands.iter().zip(&body.inputs[1..]).enumerate() {
            let sliced = (self.carries..self.carries + self.slices).contains(&place);
            let fits = match (sliced, operand.shape.first()) {
                (false, _) => equal(operand, input),
                (true, None) => false,
                (true, Some(lead)) => {
                    let rest = operand.with_shape(operand.shape[1..].iter().cloned());
                    dims.equal(lead, &self.length) && equal(&rest, input)
                }
            };
            if !fits {
                let message = format!("the body of the scan takes {input}; this is {operand}");
                return Err(Misfit::shape(message).at(place, None));
            }
        }
        for (place, &next) in body.results[..self.carries].iter().enumerate() {
            let (input, next) = (&body.inputs[1 + place], body.ty(next));
            if !equal(input, next) {
                let message = format!("a carry is {input} and becomes {next}");
                return Err(Misfit::shape(message).at(place, None));
            }
        }
        Ok(Type::scalar(DType::Bool))
    }

    fn value(
        &self,
        _operands: &[Tensor],
        _to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        Err(ValueError::Shape("a scan has several results".into()))
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        vec![None; rule.operands.len()]
    }

    fn batch(&self, batching: &Batching) -> Term {
        term::apply(self.clone(), (0..batching.operands.len()).map(Term::Var).collect())
    }

    fn form(&self, operands: &[Type], _result: &Type) -> Form {
        Form::call("scan", operands.len())
    }

    fn flops(&self, _operands: &[Type], _result: &Type) -> Size {
        let each = self.body.steps.iter().map(|step| {
            let types: SmallVec<[Type; 4]> =
                step.operands.iter().map(|&place| self.body.ty(place).clone()).collect();
            step.op.flops(&types, &step.ty)
        });
        each.fold(Size::Known(0), |sum, flops| sum + flops) * self.length.clone()
    }
}

impl Operator for Part {
    fn name(&self) -> Cow<'static, str> {
        "scan".into()
    }

    fn infer(&self, _operands: &[Type], _dims: &Dims) -> Result<Type, Misfit> {
        Ok((*self.ty).clone())
    }

    fn value(
        &self,
        _operands: &[Tensor],
        _to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        Err(ValueError::Shape("a result of a scan without the scan".into()))
    }

    fn vjp(&self, _rule: &Rule) -> Vec<Option<Term>> {
        vec![None]
    }

    fn batch(&self, _batching: &Batching) -> Term {
        term::apply(self.clone(), vec![Term::Var(0)])
    }

    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        let name = match self.which {
            Which::Yield(_) => "yielded",
            Which::Final(_) => "last",
            Which::Trace(_) => "before",
        };
        Form::Call { name: name.into(), brackets: Vec::new(), args: vec![FormArg::Operand(0)] }
    }

    fn flops(&self, _operands: &[Type], _result: &Type) -> Size {
        Size::Known(0)
    }
}
