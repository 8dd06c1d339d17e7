//! Plain arrays, in which the tests say by index what an operator means.

/// Numbers in row-major order under a shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

/// The array whose element at each index is `f` of it.
pub fn build(shape: &[usize], f: impl Fn(&[usize]) -> f64) -> Array {
    let count: usize = shape.iter().product();
    let mut index = vec![0; shape.len()];
    let values = (0..count)
        .map(|place| {
            let mut rest = place;
            for (at, size) in index.iter_mut().zip(shape).rev() {
                *at = rest % size;
                rest /= size;
            }
            f(&index)
        })
        .collect();
    Array { shape: shape.to_vec(), values }
}

/// A number as an array.
pub fn scalar(value: f64) -> Array {
    Array { shape: Vec::new(), values: vec![value] }
}

/// The sum of `f` over `0..n`.
pub fn total(n: usize, f: impl Fn(usize) -> f64) -> f64 {
    (0..n).map(f).sum()
}

impl Array {
    /// The element at an index.
    pub fn at(&self, index: &[usize]) -> f64 {
        assert_eq!(index.len(), self.shape.len());
        let place = index.iter().zip(&self.shape).fold(0, |place, (&at, &size)| {
            assert!(at < size, "{index:?} in {:?}", self.shape);
            place * size + at
        });
        self.values[place]
    }

    /// The element at an index as an index.
    pub fn int(&self, index: &[usize]) -> usize {
        self.at(index) as usize
    }

    /// Each element through `f`.
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Array {
        Array { shape: self.shape.clone(), values: self.values.iter().map(|&v| f(v)).collect() }
    }

    /// The size of an axis.
    pub fn size(&self, axis: usize) -> usize {
        self.shape[axis]
    }
}
