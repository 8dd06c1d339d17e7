//! Dense arrays of numbers with their element types.

use ndarray::{ArcArray, ArrayD, IxDyn};

/// An element type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// Truth values.
    Bool,
    /// 32-bit signed integers; arithmetic wraps.
    I32,
    /// 64-bit signed integers; arithmetic wraps.
    I64,
    /// IEEE binary32.
    F32,
    /// IEEE binary64.
    F64,
}

/// Whether memory can hold so many bytes in one piece.
pub fn has_room(bytes: usize) -> bool {
    let mut probe = Vec::<u8>::new();
    let there = probe.try_reserve_exact(bytes).is_ok();
    // Without this the compiler may take it for granted.
    std::hint::black_box(&probe);
    there
}

impl DType {
    /// All of them, narrowest first.
    pub const ALL: [DType; 5] = [DType::Bool, DType::I32, DType::I64, DType::F32, DType::F64];

    /// The name in the language.
    pub fn name(self) -> &'static str {
        match self {
            DType::Bool => "bool",
            DType::I32 => "i32",
            DType::I64 => "i64",
            DType::F32 => "f32",
            DType::F64 => "f64",
        }
    }

    /// The type of that name.
    pub fn named(name: &str) -> Option<DType> {
        DType::ALL.into_iter().find(|dtype| dtype.name() == name)
    }

    /// The bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            DType::Bool => 1,
            DType::I32 | DType::F32 => 4,
            DType::I64 | DType::F64 => 8,
        }
    }

    /// Whether this is `f32` or `f64`.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64)
    }

    /// Whether this is `i32` or `i64`.
    pub fn is_int(self) -> bool {
        matches!(self, DType::I32 | DType::I64)
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A shared array; cloning costs a reference count.
pub type Array<T> = ArcArray<T, IxDyn>;

/// An array of any element type.
#[derive(Clone, Debug, PartialEq)]
pub enum Tensor {
    /// Truth values.
    Bool(Array<bool>),
    /// 32-bit integers.
    I32(Array<i32>),
    /// 64-bit integers.
    I64(Array<i64>),
    /// 32-bit floats.
    F32(Array<f32>),
    /// 64-bit floats.
    F64(Array<f64>),
}

/// A Rust type that can be an element.
pub trait Element: Copy + Send + Sync + 'static {
    /// Its name among the element types.
    const DTYPE: DType;
    /// The tensor of an array.
    fn wrap(array: Array<Self>) -> Tensor;
    /// The array of a tensor.
    ///
    /// # Panics
    /// Where the tensor has another element type: a bug of the caller.
    fn of(tensor: &Tensor) -> &Array<Self>;
}

macro_rules! element {
    ($($variant:ident $type:ty),*) => {$(
        impl Element for $type {
            const DTYPE: DType = DType::$variant;
            fn wrap(array: Array<Self>) -> Tensor {
                Tensor::$variant(array)
            }
            fn of(tensor: &Tensor) -> &Array<Self> {
                match tensor {
                    Tensor::$variant(array) => array,
                    other => panic!("a tensor of {} where {} is meant", other.dtype(), DType::$variant),
                }
            }
        }
        impl From<ArrayD<$type>> for Tensor {
            fn from(array: ArrayD<$type>) -> Tensor {
                Tensor::$variant(array.into_shared())
            }
        }
    )*};
}
element!(Bool bool, I32 i32, I64 i64, F32 f32, F64 f64);

/// Runs `$body` with `$array` bound to the typed array inside a tensor.
#[macro_export]
macro_rules! each_dtype {
    ($tensor:expr, $array:ident => $body:expr) => {
        match $tensor {
            $crate::tensor::Tensor::Bool($array) => $body,
            $crate::tensor::Tensor::I32($array) => $body,
            $crate::tensor::Tensor::I64($array) => $body,
            $crate::tensor::Tensor::F32($array) => $body,
            $crate::tensor::Tensor::F64($array) => $body,
        }
    };
}

/// Runs `$body` with `$T` as the Rust type of an element type.
macro_rules! typed {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::tensor::DType::Bool => {
                type $T = bool;
                $body
            }
            $crate::tensor::DType::I32 => {
                type $T = i32;
                $body
            }
            $crate::tensor::DType::I64 => {
                type $T = i64;
                $body
            }
            $crate::tensor::DType::F32 => {
                type $T = f32;
                $body
            }
            $crate::tensor::DType::F64 => {
                type $T = f64;
                $body
            }
        }
    };
}
pub(crate) use typed;

impl Tensor {
    /// The element type.
    pub fn dtype(&self) -> DType {
        match self {
            Tensor::Bool(_) => DType::Bool,
            Tensor::I32(_) => DType::I32,
            Tensor::I64(_) => DType::I64,
            Tensor::F32(_) => DType::F32,
            Tensor::F64(_) => DType::F64,
        }
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &[usize] {
        each_dtype!(self, a => a.shape())
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        each_dtype!(self, a => a.len())
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every element in row-major order as f64; i64 beyond 2^53 is rounded, true is 1.
    pub fn to_f64(&self) -> Vec<f64> {
        match self {
            Tensor::Bool(a) => a.iter().map(|&v| f64::from(u8::from(v))).collect(),
            Tensor::I32(a) => a.iter().map(|&v| f64::from(v)).collect(),
            Tensor::I64(a) => a.iter().map(|&v| v as f64).collect(),
            Tensor::F32(a) => a.iter().map(|&v| f64::from(v)).collect(),
            Tensor::F64(a) => a.iter().copied().collect(),
        }
    }

    /// The tensor of `shape` whose elements, in row-major order, are `values` rounded to `dtype`.
    /// Towards integers fractions are cut and what does not fit is the nearest bound; NaN is 0. To bool all but 0 is true.
    ///
    /// # Panics
    /// Where `values` has another length than `shape` asks for.
    pub fn from_f64(dtype: DType, shape: &[usize], values: Vec<f64>) -> Tensor {
        fn build<T: Element>(shape: &[usize], values: Vec<f64>, cast: impl Fn(f64) -> T) -> Tensor {
            let values: Vec<T> = values.into_iter().map(cast).collect();
            T::wrap(
                ArrayD::from_shape_vec(IxDyn(shape), values)
                    .expect("as many values as the shape asks for")
                    .into_shared(),
            )
        }
        match dtype {
            DType::Bool => build(shape, values, |v| v != 0.0),
            DType::I32 => build(shape, values, |v| v as i32),
            DType::I64 => build(shape, values, |v| v as i64),
            DType::F32 => build(shape, values, |v| v as f32),
            DType::F64 => build(shape, values, |v| v),
        }
    }

    /// The tensor of `shape` filled with `value`.
    pub fn full(dtype: DType, shape: &[usize], value: f64) -> Tensor {
        Tensor::from_f64(dtype, shape, vec![value; shape.iter().product()])
    }

    /// The rank-0 tensor of `value`.
    pub fn scalar(dtype: DType, value: f64) -> Tensor {
        Tensor::full(dtype, &[], value)
    }

    /// The same numbers with another element type, by the rules of `from_f64`; between integers exactly, wrapping.
    pub fn cast(&self, dtype: DType) -> Tensor {
        match (self, dtype) {
            (tensor, dtype) if tensor.dtype() == dtype => tensor.clone(),
            (Tensor::I32(a), DType::I64) => a.mapv(i64::from).into(),
            (Tensor::I64(a), DType::I32) => a.mapv(|v| v as i32).into(),
            (Tensor::I64(a), DType::F32) => a.mapv(|v| v as f32).into(),
            (tensor, dtype) => Tensor::from_f64(dtype, tensor.shape(), tensor.to_f64()),
        }
    }

    /// The only element of a tensor that has one, as f64.
    pub fn item(&self) -> Option<f64> {
        (self.len() == 1).then(|| self.to_f64()[0])
    }

    /// The same elements in row-major order under another shape.
    ///
    /// # Panics
    /// Where the shapes have different numbers of elements.
    pub fn reshape(&self, shape: &[usize]) -> Tensor {
        fn go<T: Element>(array: &Array<T>, shape: &[usize]) -> Tensor {
            T::wrap(array.to_shape(IxDyn(shape)).expect("as many elements as before").to_shared())
        }
        each_dtype!(self, a => go(a, shape))
    }
}
