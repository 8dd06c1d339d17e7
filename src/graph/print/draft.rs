//! An expression as text in which names may still be open.

use crate::graph::{Model, NodeId, Operands};
use crate::ops::align::{align, lay};
use crate::ops::shape::{Broadcast, Reshape};
use crate::ops::{Form, FormArg, Op, Operator, Size, Type, join};
use crate::tensor::DType;
use rustc_hash::FxHashMap;

/// How tightly an expression holds together; higher is tighter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Or,
    And,
    Not,
    Compare,
    Sum,
    Product,
    Sign,
    Power,
    Atom,
}

/// A piece of text or a name that is not yet given.
#[derive(Clone, Debug)]
pub enum Piece {
    Text(String),
    Name(NodeId),
}

/// An expression with open names.
#[derive(Clone, Debug)]
pub struct Draft {
    pub pieces: Vec<Piece>,
    pub level: Level,
    /// The width in columns, open names with the width they are taken to have.
    pub width: usize,
    /// Whether it has no element type of its own: numbers and dimensions only.
    pub free: bool,
    /// Whether a matrix product, a convolution or a pooling is in it.
    pub product: bool,
    /// The nodes it is made of.
    pub nodes: Vec<NodeId>,
}

impl Draft {
    pub fn text(text: impl Into<String>, level: Level) -> Draft {
        let text = text.into();
        let width = text.chars().count();
        Draft {
            pieces: vec![Piece::Text(text)],
            level,
            width,
            free: false,
            product: false,
            nodes: Vec::new(),
        }
    }

    pub fn name(id: NodeId, width: usize) -> Draft {
        Draft {
            pieces: vec![Piece::Name(id)],
            level: Level::Atom,
            width,
            free: false,
            product: false,
            nodes: Vec::new(),
        }
    }

    /// What the value `id` reads, where that is no expression.
    pub fn gathered(id: NodeId, parts: &[Draft]) -> Draft {
        let mut draft = Draft::empty(Level::Atom);
        for part in parts {
            draft.append(part.clone());
        }
        draft.nodes.push(id);
        draft
    }

    /// Whether it is just the name of that node.
    pub fn names(&self, id: NodeId) -> bool {
        matches!(self.pieces.as_slice(), [Piece::Name(name)] if *name == id)
    }

    /// Writes on.
    pub fn push(&mut self, text: &str) {
        self.width += text.chars().count();
        match self.pieces.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Text(text.into())),
        }
    }

    /// Writes an expression behind.
    pub fn append(&mut self, other: Draft) {
        self.width += other.width;
        self.product |= other.product;
        self.nodes.extend(other.nodes);
        for piece in other.pieces {
            match (self.pieces.last_mut(), piece) {
                (Some(Piece::Text(last)), Piece::Text(text)) => last.push_str(&text),
                (_, piece) => self.pieces.push(piece),
            }
        }
    }

    fn empty(level: Level) -> Draft {
        Draft {
            pieces: Vec::new(),
            level,
            width: 0,
            free: false,
            product: false,
            nodes: Vec::new(),
        }
    }

    /// Whether it begins with a minus.
    fn is_negative(&self) -> bool {
        matches!(self.pieces.first(), Some(Piece::Text(text)) if text.starts_with('-'))
    }

    /// The same in parentheses where it holds together less tightly than `level`.
    fn within(self, level: Level) -> Draft {
        if self.level >= level {
            return self;
        }
        let mut draft = Draft { free: self.free, ..Draft::empty(Level::Atom) };
        draft.push("(");
        draft.append(self);
        draft.push(")");
        draft
    }

    /// A reduction with its axes kept: `sum[K, keep](x)`.
    fn kept(&self) -> Option<Draft> {
        let Some(Piece::Text(text)) = self.pieces.first() else { return None };
        let place = text.find("](").filter(|_| self.level == Level::Atom)?;
        let mut draft = self.clone();
        draft.pieces[0] = Piece::Text(format!("{}, keep{}", &text[..place], &text[place..]));
        draft.width += ", keep".len();
        Some(draft)
    }

    /// The width with names of these widths, all others of the width `other`.
    pub fn width_with(&self, names: &FxHashMap<NodeId, usize>, other: usize) -> usize {
        let width = |piece: &Piece| match piece {
            Piece::Text(text) => text.chars().count(),
            Piece::Name(id) => names.get(id).copied().unwrap_or(other),
        };
        self.pieces.iter().map(width).sum()
    }

    /// The text with every name given.
    pub fn finish(&self, names: &FxHashMap<NodeId, String>) -> String {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.as_str(),
                Piece::Name(id) => names.get(id).map_or("?", String::as_str),
            })
            .collect()
    }
}

/// The text of a node that depends on no variable, written out in full.
pub fn alone(model: &Model, id: NodeId) -> String {
    let operands = model.operands(id);
    let drafts =
        operands.iter().map(|&operand| Draft::text(alone(model, operand), Level::Or)).collect();
    render(model, id, drafts).finish(&FxHashMap::default())
}

/// The expression of a node, given those of its operands.
pub fn render(model: &Model, id: NodeId, operands: Vec<Draft>) -> Draft {
    let op = model.op(id);
    let types = model.operand_types(id);
    let (operands, free) = match op {
        Op::Scalar(_) | Op::Select(_) => laid(model, id, operands),
        Op::MatMul(_) if leads_agree(model, id, &operands) => (operands, false),
        _ => {
            let parts = model.operands(id);
            let spelled =
                parts.iter().zip(operands).map(|(&operand, draft)| {
                    match open_broadcast(model, operand, &draft) {
                        Some(broadcast) => spelled(model, operand, broadcast, draft),
                        None if matches!(op, Op::Broadcast(_)) => draft,
                        None => typed(model, operand, draft, matches!(op, Op::Cast(_))),
                    }
                });
            (spelled.collect(), false)
        }
    };
    let form = match op {
        Op::Reshape(reshape) if renames(model, &types[0], reshape) => {
            Form::Postfix(format!(" as [{}]", join(&reshape.to)))
        }
        Op::Gather(gather) if operands[1].free || is_literal(model, id) => {
            Form::call("gather", 2).along([types[0].axis_label(gather.axis)])
        }
        _ => op.form(&types, model.ty(id)),
    };
    let mut draft = match form {
        Form::Atom(text) => {
            let level = match op {
                Op::Const(_) if text.starts_with('-') => Level::Sign,
                Op::Const(_) if text.contains('/') => Level::Product,
                Op::SizeOf(size) => size_level(&size.size),
                _ => Level::Atom,
            };
            Draft {
                free: matches!(op, Op::Const(c) if c.dtype != DType::Bool)
                    || matches!(op, Op::SizeOf(_)),
                ..Draft::text(text, level)
            }
        }
        // `(r * h) @ U` is right without parentheses too, and then read as `r * (h @ U)`.
        Form::Infix("@") => {
            let mut operands = operands.into_iter();
            let left = operands.next().expect("two operands");
            let product = matches!(model.op(model.operands(id)[0]), Op::MatMul(_));
            let left = if product { left } else { left.within(Level::Sign) };
            infix("@", std::iter::once(left).chain(operands).collect())
        }
        Form::Infix(symbol) => infix(symbol, operands),
        Form::Prefix(symbol) => {
            let level = if symbol == "-" { Level::Sign } else { Level::Not };
            let mut draft = Draft::empty(level);
            draft.push(symbol);
            draft.append(
                operands.into_iter().next().expect("a prefix has an operand").within(level),
            );
            draft
        }
        Form::Postfix(text) => {
            let (level, inner) = if text.starts_with('^') {
                (Level::Power, Level::Atom)
            } else {
                (Level::Atom, Level::Atom)
            };
            let mut draft = Draft::empty(level);
            draft.append(
                operands.into_iter().next().expect("a postfix has an operand").within(inner),
            );
            draft.push(&text);
            draft
        }
        Form::Index(axis) => {
            let mut operands = operands.into_iter();
            let mut draft = Draft::empty(Level::Atom);
            draft.append(operands.next().expect("what is indexed").within(Level::Atom));
            draft.push(&format!("[{}", ":, ".repeat(axis)));
            draft.append(operands.next().expect("an index"));
            draft.push("]");
            draft
        }
        Form::TimesLog { power, quotient } => times_log(power, quotient, operands),
        Form::Call { name, brackets, args } => called(&name, &brackets, &args, operands),
        Form::Broadcast => {
            // Its user decides how much of it is written.
            operands.into_iter().next().expect("a broadcast has an operand")
        }
    };
    if let Op::Random(random) = op
        && random.dtype != model.float()
    {
        draft = called(random.dtype.name(), &[], &[FormArg::Operand(0)], vec![draft]);
    }
    draft.free |= free;
    draft.product |= matches!(op, Op::MatMul(_) | Op::Conv(_) | Op::Pool(_));
    draft.nodes.push(id);
    draft
}

/// Whether a reshape gives other names to axes that stay as they are.
fn renames(model: &Model, from: &Type, reshape: &Reshape) -> bool {
    from.rank() == reshape.to.len()
        && from.shape.iter().zip(&reshape.to).all(|(a, b)| model.dims.equal(a, b))
}

/// Whether the index of a gather is written out in numbers.
fn is_literal(model: &Model, id: NodeId) -> bool {
    matches!(model.op(model.operands(id)[1]), Op::Literal(_) | Op::Const(_))
}

fn size_level(size: &Size) -> Level {
    match size {
        size if size.is_atom() => Level::Atom,
        Size::Known(_) => Level::Sign,
        size if size.to_string().contains([' ', '-']) => Level::Sum,
        _ => Level::Product,
    }
}

fn infix(symbol: &str, operands: Vec<Draft>) -> Draft {
    let level = match symbol {
        "or" => Level::Or,
        "and" => Level::And,
        "+" | "-" => Level::Sum,
        "*" | "/" | "@" => Level::Product,
        "^" => Level::Power,
        _ => Level::Compare,
    };
    let mut operands = operands.into_iter();
    let (left, right) =
        (operands.next().expect("two operands"), operands.next().expect("two operands"));
    let (left, right) = match level {
        Level::Power => (left.within(Level::Atom), right.within(Level::Sign)),
        Level::Compare => (left.within(Level::Sum), right.within(Level::Sum)),
        level => (left.within(level), right.within(above(level))),
    };
    // `a - -b * c` is right too, and hard to read.
    let right =
        if symbol == "-" && right.is_negative() { right.within(Level::Atom) } else { right };
    let mut draft = Draft { free: left.free && right.free, ..Draft::empty(level) };
    draft.append(left);
    if symbol == "^" {
        draft.push("^");
    } else {
        draft.push(&format!(" {symbol} "));
    }
    draft.append(right);
    draft
}

/// `x * log(x)`, `x^n * log(x)`, `x * log(x / y)`.
fn times_log(power: bool, quotient: bool, operands: Vec<Draft>) -> Draft {
    let mut operands = operands.into_iter();
    let x = operands.next().expect("an operand");
    let (mut factor, mut inner) = (x.clone(), x);
    if let Some(other) = operands.next() {
        if power {
            factor = infix("^", vec![factor, other]);
        } else if quotient {
            inner = infix("/", vec![inner, other]);
        }
    }
    let log = called("log", &[], &[FormArg::Operand(0)], vec![inner]);
    infix("*", vec![factor, log])
}

fn above(level: Level) -> Level {
    match level {
        Level::Or => Level::And,
        Level::And => Level::Not,
        Level::Not => Level::Compare,
        Level::Compare => Level::Sum,
        Level::Sum => Level::Product,
        Level::Product => Level::Sign,
        Level::Sign => Level::Power,
        Level::Power | Level::Atom => Level::Atom,
    }
}

fn called(name: &str, brackets: &[String], args: &[FormArg], operands: Vec<Draft>) -> Draft {
    let mut draft = Draft::empty(Level::Atom);
    draft.push(name);
    if !brackets.is_empty() {
        draft.push(&format!("[{}]", brackets.join(", ")));
    }
    draft.push("(");
    let mut operands: Vec<Option<Draft>> = operands.into_iter().map(Some).collect();
    for (place, arg) in args.iter().enumerate() {
        if place > 0 {
            draft.push(", ");
        }
        match arg {
            FormArg::Operand(number) => {
                draft.append(operands[*number].take().expect("each operand is written once"))
            }
            FormArg::Text(text) => draft.push(text),
            FormArg::List => {
                draft.push("[");
                for (number, operand) in operands.iter_mut().enumerate() {
                    if number > 0 {
                        draft.push(", ");
                    }
                    draft.append(operand.take().expect("each operand is written once"));
                }
                draft.push("]");
            }
        }
    }
    draft.push(")");
    draft
}

/// The operands of an elementwise operator, broadcasts left out where the language puts them back; and whether all of them
/// are free of an element type.
fn laid(model: &Model, id: NodeId, drafts: Vec<Draft>) -> (Vec<Draft>, bool) {
    let operands = model.operands(id);
    let result = &model.ty(id).shape;
    let open: Vec<Option<&Broadcast>> = operands
        .iter()
        .zip(&drafts)
        .map(|(&operand, draft)| open_broadcast(model, operand, draft))
        .collect();
    let bare: Vec<Type> = operands
        .iter()
        .zip(&open)
        .map(|(&operand, open)| match open {
            Some(_) => model.ty(model.operands(operand)[0]).clone(),
            None => model.ty(operand).clone(),
        })
        .collect();
    let drafts = if agrees(model, &operands, &open, &bare, result) {
        drafts
    } else {
        let opened: Vec<(Draft, Type)> = operands
            .iter()
            .zip(drafts)
            .zip(&open)
            .map(|((&operand, draft), open)| match open {
                Some(broadcast) => opened(model, operand, broadcast, draft),
                None => (draft, model.ty(operand).clone()),
            })
            .collect();
        let types: Vec<Type> = opened.iter().map(|(_, ty)| ty.clone()).collect();
        if agrees(model, &operands, &open, &types, result) {
            opened.into_iter().map(|(draft, _)| draft).collect()
        } else {
            opened
                .into_iter()
                .zip(operands.iter().zip(&open))
                .map(|((draft, _), (&operand, open))| match open {
                    Some(broadcast) => written(model, operand, broadcast, draft),
                    None => draft,
                })
                .collect()
        }
    };
    let free = drafts.iter().all(|draft| draft.free);
    (settled(model, &operands, drafts), free)
}

/// Where all is free of an element type, the first number says it, unless it is the default.
fn settled(model: &Model, operands: &Operands, mut drafts: Vec<Draft>) -> Vec<Draft> {
    let typed =
        |draft: &Draft, operand: NodeId| !draft.free && model.ty(operand).dtype != DType::Bool;
    if operands.iter().zip(&drafts).any(|(&operand, draft)| typed(draft, operand)) {
        return drafts;
    }
    let place = drafts.iter().position(|draft| draft.free);
    if let Some(place) = place
        && model.ty(operands[place]).dtype != model.float()
    {
        let draft = std::mem::replace(&mut drafts[place], Draft::empty(Level::Atom));
        drafts[place] = called(
            model.ty(operands[place]).dtype.name(),
            &[],
            &[FormArg::Operand(0)],
            vec![draft],
        );
    }
    drafts
}

/// Whether the language lays the leading axes of a matrix product out as the graph has them.
fn leads_agree(model: &Model, id: NodeId, drafts: &[Draft]) -> bool {
    let operands = model.operands(id);
    let open = |place: usize| open_broadcast(model, operands[place], &drafts[place]);
    let bare = |place: usize| match open(place) {
        Some(_) => model.ty(model.operands(operands[place])[0]),
        None => model.ty(operands[place]),
    };
    if (0..2).any(|place| bare(place).rank() < 3) {
        return false;
    }
    let lead = |ty: &Type| ty.with_shape(ty.shape[..ty.rank() - 2].iter().cloned());
    let Ok((lead, _)) = align(&[lead(bare(0)), lead(bare(1))], &model.dims, "") else {
        return false;
    };
    (0..2).all(|place| {
        let shape = &bare(place).shape;
        let to: Vec<Size> = lead.iter().chain(&shape[shape.len() - 2..]).cloned().collect();
        match open(place) {
            Some(broadcast) => {
                broadcast.to.as_slice() == to
                    && lay(shape, &to, &model.dims).as_ref() == Some(&broadcast.from)
            }
            None => shape.as_slice() == to,
        }
    })
}

/// The broadcast that an operand is, where it is not a value with a name of its own.
fn open_broadcast<'a>(model: &'a Model, operand: NodeId, draft: &Draft) -> Option<&'a Broadcast> {
    match model.op(operand) {
        Op::Broadcast(broadcast) if !draft.names(operand) => Some(broadcast),
        _ => None,
    }
}

/// A number with its element type where that is not the one it would get, or where it is to be seen.
pub fn typed(model: &Model, id: NodeId, draft: Draft, seen: bool) -> Draft {
    let dtype = model.ty(id).dtype;
    if !draft.free || (dtype == model.float() && !seen) {
        return draft;
    }
    called(dtype.name(), &[], &[FormArg::Operand(0)], vec![draft])
}

/// Whether the language lays operands of these types out as the graph has them.
fn agrees(
    model: &Model,
    operands: &Operands,
    open: &[Option<&Broadcast>],
    types: &[Type],
    result: &[Size],
) -> bool {
    let Ok((shape, maps)) = align(types, &model.dims, "") else { return false };
    let scalars = types.iter().zip(open).any(|(ty, open)| ty.rank() == 0 && open.is_some());
    *shape == *result
        && !scalars
        && operands.iter().zip(open).zip(types.iter().zip(maps)).all(
            |((&operand, open), (ty, map))| match open {
                Some(broadcast) => composed(ty, &map, model, operand, broadcast) == broadcast.from,
                None => true,
            },
        )
}

/// Where each axis of the result lies in the operand of the broadcast, if a value of type `ty` is laid out by `map`.
fn composed(
    ty: &Type,
    map: &crate::ops::align::Map,
    model: &Model,
    operand: NodeId,
    broadcast: &Broadcast,
) -> crate::ops::align::Map {
    let inner = model.ty(model.operands(operand)[0]);
    if inner.rank() == ty.rank() {
        return map.clone();
    }
    // `ty` has new axes of size 1: number its own axes through.
    let lead = broadcast.from.iter().take_while(|from| from.is_none()).count();
    map.iter()
        .map(|axis| {
            axis.and_then(|axis| broadcast.from.get(axis as usize + lead).copied().flatten())
        })
        .collect()
}

/// An operand with its missing axes written as `None`, those in front left out.
fn opened(model: &Model, operand: NodeId, broadcast: &Broadcast, draft: Draft) -> (Draft, Type) {
    let inner = model.ty(model.operands(operand)[0]).clone();
    let lead = broadcast.from.iter().take_while(|from| from.is_none()).count();
    let rest = &broadcast.from[lead..];
    if rest.iter().all(Option::is_some) {
        return (draft, inner);
    }
    let shape = rest.iter().map(|from| match from {
        Some(axis) => inner.shape[*axis as usize].clone(),
        None => Size::Known(1),
    });
    let ty = inner.with_shape(shape);
    if lead == 0
        && let Op::Reduce(reduce) = model.op(model.operands(operand)[0])
        && rest.iter().enumerate().all(|(axis, from)| from.is_none() == reduce.axes.contains(&axis))
        && let Some(draft) = draft.kept()
    {
        return (draft, ty);
    }
    let parts: Vec<&str> =
        rest.iter().map(|from| if from.is_some() { ":" } else { "None" }).collect();
    let mut indexed = Draft::empty(Level::Atom);
    indexed.append(draft.within(Level::Atom));
    indexed.push(&format!("[{}]", parts.join(", ")));
    (indexed, ty)
}

/// `broadcast(x, [N, K])`.
fn written(model: &Model, id: NodeId, broadcast: &Broadcast, draft: Draft) -> Draft {
    let draft = typed(model, id, draft, false);
    called(
        "broadcast",
        &[],
        &[FormArg::Operand(0), FormArg::Text(format!("[{}]", join(&broadcast.to)))],
        vec![draft],
    )
}

/// A value that stands by itself, as in the head of a scan.
pub fn argument(model: &Model, id: NodeId, draft: Draft) -> Draft {
    match open_broadcast(model, id, &draft) {
        Some(broadcast) => spelled(model, id, broadcast, draft),
        None => typed(model, id, draft, false),
    }
}

/// A broadcast as a statement or an argument of its own.
pub fn spelled(model: &Model, id: NodeId, broadcast: &Broadcast, draft: Draft) -> Draft {
    let inner = model.operands(id)[0];
    if let Some(number) = model.constant(inner)
        && model.ty(inner).dtype == model.float()
    {
        let shape = join(&broadcast.to);
        let text = match number {
            number if number.is_zero() => format!("zeros({shape})"),
            number if number.is_one() => format!("ones({shape})"),
            number => format!("full([{shape}], {number})"),
        };
        return Draft { nodes: draft.nodes, ..Draft::text(text, Level::Atom) };
    }
    if model.ty(inner).rank() == 0
        && broadcast.to.len() == 1
        && broadcast.to[0].is_one()
        && !draft.free
    {
        let mut one = Draft::empty(Level::Atom);
        one.append(draft.within(Level::Atom));
        one.push("[None]");
        return one;
    }
    let lays = crate::ops::align::lay(&model.ty(inner).shape, &broadcast.to, &model.dims);
    if lays.as_ref() == Some(&broadcast.from) {
        return written(model, id, broadcast, draft);
    }
    let (draft, ty) = opened(model, id, broadcast, draft);
    if broadcast.from.iter().all(Option::is_some) || ty.shape == broadcast.to {
        draft
    } else {
        written(model, id, broadcast, draft)
    }
}
