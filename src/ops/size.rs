//! Symbolic sizes: polynomials in the names of dimensions, and what is declared about those names.

use indexmap::IndexMap;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A name of the language.
pub type Name = Arc<str>;

/// The sizes that names have in one run.
pub type Bindings = FxHashMap<Name, i64>;

/// The size of an axis, in canonical form: equal sizes are equal values.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Size {
    /// A number.
    Known(i64),
    /// A declared dimension; an axis of this size bears its name.
    Named(Name),
    /// Any other polynomial.
    Poly(Arc<Poly>),
}

/// The sizes of all axes.
pub type Shape = SmallVec<[Size; 2]>;

/// A sum of products with integer coefficients, sorted, without zero coefficients.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Poly(Vec<(Vec<Factor>, i64)>);

/// What a product is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Factor {
    Named(Name),
    /// The quotient rounded down.
    Floor(Arc<Poly>, i64),
    /// What is beyond 63 bits, or beyond what is held: it swallows all that it meets.
    TooLarge,
}

/// So many products are held in a sum, and so many factors in a product.
const MOST: usize = 1024;

/// So deep quotients are held within each other.
const DEPTH: usize = 64;

impl From<i64> for Size {
    fn from(value: i64) -> Size {
        Size::Known(value)
    }
}

impl Size {
    /// The dimension `name`.
    pub fn named(name: &str) -> Size {
        Size::Named(name.into())
    }

    /// The number, where it is one.
    pub fn known(&self) -> Option<i64> {
        match self {
            Size::Known(value) => Some(*value),
            _ => None,
        }
    }

    /// The name, where it is just a name.
    pub fn name(&self) -> Option<&Name> {
        match self {
            Size::Named(name) => Some(name),
            _ => None,
        }
    }

    /// Whether it is the number 1.
    pub fn is_one(&self) -> bool {
        *self == Size::Known(1)
    }

    fn poly(&self) -> Poly {
        match self {
            Size::Known(0) => Poly::default(),
            Size::Known(value) => Poly(vec![(Vec::new(), *value)]),
            Size::Named(name) => Poly(vec![(vec![Factor::Named(name.clone())], 1)]),
            Size::Poly(poly) => (**poly).clone(),
        }
    }

    fn of(poly: Poly) -> Size {
        match poly.0.as_slice() {
            [] => Size::Known(0),
            [(product, value)] if product.is_empty() => Size::Known(*value),
            [(product, 1)] => match product.as_slice() {
                [Factor::Named(name)] => Size::Named(name.clone()),
                _ => Size::Poly(Arc::new(poly)),
            },
            _ => Size::Poly(Arc::new(poly)),
        }
    }

    fn too_large() -> Size {
        Size::Poly(Arc::new(Poly(vec![(vec![Factor::TooLarge], 1)])))
    }

    /// Whether it came out beyond 63 bits, or of too many parts to be held.
    pub fn is_too_large(&self) -> bool {
        matches!(self, Size::Poly(poly) if poly.0.iter().any(|(product, _)| product.contains(&Factor::TooLarge)))
    }

    /// The quotient by a positive number, rounded down.
    pub fn floor_div(&self, divisor: i64) -> Size {
        debug_assert!(divisor > 0);
        if divisor == 1 || self.is_too_large() {
            return self.clone();
        }
        if let Size::Known(value) = self {
            return Size::Known(value.div_euclid(divisor));
        }
        let (mut whole, mut rest) = (Poly::default(), Poly::default());
        for (product, value) in self.poly().0 {
            let quotient = value.div_euclid(divisor);
            if value % divisor == 0 || product.is_empty() {
                whole.0.push((product.clone(), quotient));
                if value != quotient * divisor {
                    rest.0.push((product, value - quotient * divisor));
                }
            } else {
                rest.0.push((product, value));
            }
        }
        whole.0.retain(|(_, value)| *value != 0);
        if rest.0.iter().all(|(product, _)| product.is_empty()) {
            return Size::of(whole);
        }
        if rest.depth() >= DEPTH {
            return Size::too_large();
        }
        let floor = Poly(vec![(vec![Factor::Floor(Arc::new(rest), divisor)], 1)]);
        Size::of(whole) + Size::of(floor)
    }

    /// The exact quotient, where the divisor divides.
    pub fn exact_div(&self, divisor: &Size) -> Option<Size> {
        // The leading product: that of the most factors, of those the last.
        let leading = |size: &Size| {
            size.poly().0.into_iter().max_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)))
        };
        let (by, value) = leading(divisor)?;
        let (mut rest, mut quotient) = (self.clone(), Size::Known(0));
        while let Some((mut product, coefficient)) = leading(&rest) {
            for factor in &by {
                let place = product.iter().position(|f| f == factor)?;
                product.remove(place);
            }
            if coefficient.checked_rem(value)? != 0 {
                return None;
            }
            let term = Size::of(Poly(vec![(product, coefficient.checked_div(value)?)]));
            rest = rest - term.clone() * divisor.clone();
            quotient = quotient + term;
            if rest.is_too_large() {
                return None;
            }
        }
        Some(quotient)
    }

    /// The same with every name replaced by what `by` says of it.
    pub fn substitute(&self, by: &mut dyn FnMut(&Name) -> Option<Size>) -> Size {
        match self {
            Size::Known(_) => self.clone(),
            Size::Named(name) => by(name).unwrap_or_else(|| self.clone()),
            Size::Poly(poly) => poly.substitute(by),
        }
    }

    /// The number under `bindings`; the first unbound name where there is one, or an overflow.
    pub fn eval(&self, bindings: &Bindings) -> Result<i64, SizeError> {
        match self {
            Size::Known(value) => Ok(*value),
            Size::Named(name) => {
                bindings.get(name).copied().ok_or_else(|| SizeError::Unbound(name.clone()))
            }
            Size::Poly(poly) => poly.eval(bindings),
        }
    }

    /// The names it is made of, in order, each once.
    pub fn names(&self) -> Vec<Name> {
        fn collect(poly: &Poly, names: &mut Vec<Name>) {
            for factor in poly.0.iter().flat_map(|(product, _)| product) {
                match factor {
                    Factor::Named(name) if !names.contains(name) => names.push(name.clone()),
                    Factor::Named(_) => {}
                    Factor::Floor(inner, _) => collect(inner, names),
                    Factor::TooLarge => {}
                }
            }
        }
        let mut names = Vec::new();
        collect(&self.poly(), &mut names);
        names
    }

    /// Number and other factors, where it is one product.
    pub fn factors(&self) -> Option<(i64, Vec<Size>)> {
        let poly = self.poly();
        let [(product, number)] = poly.0.as_slice() else { return None };
        let sizes = product.iter().map(|factor| Size::of(Poly(vec![(vec![factor.clone()], 1)])));
        Some((*number, sizes.collect()))
    }

    /// Whether it stands as one factor in a product when printed.
    pub fn is_atom(&self) -> bool {
        match self {
            Size::Known(value) => *value >= 0,
            Size::Named(_) => true,
            Size::Poly(poly) => {
                matches!(poly.0.as_slice(), [(product, 1)] if matches!(product.as_slice(), [Factor::Floor(..)]))
            }
        }
    }
}

/// Why a size has no number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// A dimension that nothing gives a size.
    #[error("nothing gives the dimension `{0}` a size")]
    Unbound(Name),
    /// A number of more than 63 bits.
    #[error("a size is beyond 2^63")]
    Overflow,
    /// A size below 0, or an array beyond what memory can hold.
    #[error("an array of shape {0} cannot be")]
    Unfit(String),
}

impl Poly {
    /// How deep quotients stand within each other.
    fn depth(&self) -> usize {
        let depth = |factor: &Factor| match factor {
            Factor::Floor(inner, _) => 1 + inner.depth(),
            Factor::Named(_) | Factor::TooLarge => 0,
        };
        self.0.iter().flat_map(|(product, _)| product).map(depth).max().unwrap_or(0)
    }

    fn substitute(&self, by: &mut dyn FnMut(&Name) -> Option<Size>) -> Size {
        let mut sum = Size::Known(0);
        for (product, value) in &self.0 {
            let mut term = Size::Known(*value);
            for factor in product {
                let factor = match factor {
                    Factor::Named(name) => by(name).unwrap_or_else(|| Size::Named(name.clone())),
                    Factor::Floor(inner, divisor) => inner.substitute(by).floor_div(*divisor),
                    Factor::TooLarge => return Size::too_large(),
                };
                term = term * factor;
            }
            sum = sum + term;
        }
        sum
    }

    fn eval(&self, bindings: &Bindings) -> Result<i64, SizeError> {
        let mut sum = 0i64;
        for (product, value) in &self.0 {
            let mut term = *value;
            for factor in product {
                let factor = match factor {
                    Factor::Named(name) => Size::Named(name.clone()).eval(bindings)?,
                    Factor::Floor(inner, divisor) => inner.eval(bindings)?.div_euclid(*divisor),
                    Factor::TooLarge => return Err(SizeError::Overflow),
                };
                term = term.checked_mul(factor).ok_or(SizeError::Overflow)?;
            }
            sum = sum.checked_add(term).ok_or(SizeError::Overflow)?;
        }
        Ok(sum)
    }
}

fn collect(terms: impl Iterator<Item = Option<(Vec<Factor>, i64)>>) -> Size {
    let mut sum: BTreeMap<Vec<Factor>, i64> = BTreeMap::new();
    for term in terms {
        let Some((product, value)) = term else { return Size::too_large() };
        let held = product.len() <= MOST && !product.contains(&Factor::TooLarge);
        let total = sum.entry(product).or_default();
        match total.checked_add(value) {
            Some(value) if held => *total = value,
            _ => return Size::too_large(),
        }
        if sum.len() > MOST {
            return Size::too_large();
        }
    }
    sum.retain(|_, value| *value != 0);
    Size::of(Poly(sum.into_iter().collect()))
}

impl std::ops::Add for Size {
    type Output = Size;
    fn add(self, other: Size) -> Size {
        match (&self, &other) {
            (Size::Known(0), _) => return other,
            (_, Size::Known(0)) => return self,
            (Size::Known(a), Size::Known(b)) => {
                return a.checked_add(*b).map_or_else(Size::too_large, Size::Known);
            }
            _ => {}
        }
        collect(self.poly().0.into_iter().chain(other.poly().0).map(Some))
    }
}

impl std::ops::Sub for Size {
    type Output = Size;
    fn sub(self, other: Size) -> Size {
        self + other * Size::Known(-1)
    }
}

impl std::ops::Mul for Size {
    type Output = Size;
    fn mul(self, other: Size) -> Size {
        match (&self, &other) {
            (Size::Known(1), _) => return other,
            (_, Size::Known(1)) => return self,
            (Size::Known(a), Size::Known(b)) => {
                return a.checked_mul(*b).map_or_else(Size::too_large, Size::Known);
            }
            _ => {}
        }
        let (left, right) = (self.poly(), other.poly());
        collect(left.0.iter().flat_map(|(a, x)| {
            right.0.iter().map(move |(b, y)| {
                let mut product: Vec<Factor> = a.iter().chain(b).cloned().collect();
                product.sort();
                Some((product, x.checked_mul(*y)?))
            })
        }))
    }
}

/// The number of elements of `shape`.
pub fn elements(shape: &[Size]) -> Size {
    shape.iter().cloned().fold(Size::Known(1), |product, size| product * size)
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Size::Known(value) => write!(f, "{value}"),
            Size::Named(name) => f.write_str(name),
            Size::Poly(poly) => write!(f, "{poly}"),
        }
    }
}

impl fmt::Display for Poly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let constants_last = self
            .0
            .iter()
            .filter(|t| !t.0.is_empty())
            .chain(self.0.iter().filter(|t| t.0.is_empty()));
        for (place, (product, value)) in constants_last.enumerate() {
            match (place, *value < 0) {
                (0, true) => f.write_str("-")?,
                (0, false) => {}
                (_, true) => f.write_str(" - ")?,
                (_, false) => f.write_str(" + ")?,
            }
            let mut factors: Vec<String> = Vec::new();
            if value.unsigned_abs() != 1 || product.is_empty() {
                factors.push(value.unsigned_abs().to_string());
            }
            for factor in product {
                factors.push(match factor {
                    Factor::Named(name) => name.to_string(),
                    Factor::Floor(inner, divisor) if inner.0.len() == 1 => {
                        format!("floor({inner}/{divisor})")
                    }
                    Factor::Floor(inner, divisor) => format!("floor(({inner})/{divisor})"),
                    Factor::TooLarge => "(more than 2^63)".to_string(),
                });
            }
            f.write_str(&factors.join("*"))?;
        }
        Ok(())
    }
}

/// The numbers of symbolic sizes, of an array that memory can hold.
pub fn sizes(shape: &[Size], bindings: &Bindings) -> Result<Vec<usize>, SizeError> {
    let numbers = shape.iter().map(|size| size.eval(bindings)).collect::<Result<Vec<i64>, _>>()?;
    let found: Option<Vec<usize>> = numbers.iter().map(|&n| usize::try_from(n).ok()).collect();
    let count =
        |sizes: &Vec<usize>| sizes.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
    found
        .filter(|sizes| count(sizes).is_some_and(|count| count < 1 << 40))
        .ok_or_else(|| SizeError::Unfit(format!("[{}]", super::join(&numbers))))
}

/// The declared dimensions: each is free, or has a size in terms of earlier ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dims {
    table: IndexMap<Name, Option<Size>>,
    /// The declared sizes in terms of dimensions without one.
    resolved: FxHashMap<Name, Size>,
    /// The dimensions by what they come to, where that is more than a name or a number.
    named: FxHashMap<Size, Name>,
}

impl Dims {
    /// Declares `name`; `size` gives it a size in terms of earlier names.
    pub fn declare(&mut self, name: Name, size: Option<Size>) {
        if let Some(size) = &size {
            let resolved = self.resolve(size);
            if matches!(size, Size::Poly(_)) && !resolved.is_too_large() {
                self.named.entry(resolved.clone()).or_insert_with(|| name.clone());
            }
            self.resolved.insert(name.clone(), resolved);
        }
        self.table.insert(name, size);
    }

    /// The number of dimensions.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is no dimension.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Whether `name` is a dimension.
    pub fn contains(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// Whether `name` is a dimension without a declared size.
    pub fn is_free(&self, name: &str) -> bool {
        matches!(self.table.get(name), Some(None))
    }

    /// The dimensions in order of declaration.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, Option<&Size>)> {
        self.table.iter().map(|(name, size)| (name, size.as_ref()))
    }

    /// The size with every declared size put in.
    pub fn resolve(&self, size: &Size) -> Size {
        size.substitute(&mut |name| self.resolved.get(name).cloned())
    }

    /// Whether two sizes are equal by what is declared.
    pub fn equal(&self, a: &Size, b: &Size) -> bool {
        if a == b {
            return !a.is_too_large();
        }
        let resolved = self.resolve(a);
        !resolved.is_too_large() && resolved == self.resolve(b)
    }

    /// The size under the name that a dimension declares for it, if one does.
    pub fn rename(&self, size: Size) -> Size {
        if !matches!(size, Size::Poly(_)) {
            return size;
        }
        self.named.get(&self.resolve(&size)).map_or(size, |name| Size::Named(name.clone()))
    }

    /// What two axes have in common when they meet: the size of both, by the more telling name.
    /// Different declared names do not agree, whatever their sizes.
    pub fn agree(&self, a: &Size, b: &Size) -> Option<Size> {
        match (a, b) {
            _ if a == b => Some(a.clone()),
            (Size::Named(_), Size::Named(_)) => None,
            (Size::Named(_), _) if self.equal(a, b) => Some(a.clone()),
            _ if self.equal(a, b) => Some(b.clone()),
            _ => None,
        }
    }

    /// The bindings with every declared size added and checked against what is given.
    pub fn bind(&self, given: &Bindings) -> Result<Bindings, BindError> {
        let mut bindings = given.clone();
        for (name, size) in &self.table {
            let Some(size) = size else { continue };
            match (size.eval(&bindings), bindings.get(name)) {
                (Ok(declared), Some(&given)) if declared != given => {
                    return Err(BindError { name: name.clone(), declared, given });
                }
                (Ok(declared), _) => {
                    bindings.insert(name.clone(), declared);
                }
                (Err(_), _) => {}
            }
        }
        Ok(bindings)
    }
}

/// A dimension that is given another size than the model declares.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the dimension `{name}` is {declared} by its declaration and {given} here")]
pub struct BindError {
    /// The dimension.
    pub name: Name,
    /// The size in the model.
    pub declared: i64,
    /// The size given.
    pub given: i64,
}
