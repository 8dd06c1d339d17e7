//! The SIMD levels: which there are, which this machine has, and how generic code is compiled for each.

use super::lanes::Simd;
use super::portable::Portable;

/// A level that this machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Level(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// What every machine has.
    pub const PORTABLE: Level = Level(Kind::Portable);

    /// The levels of this machine, the slowest first.
    pub fn available() -> Vec<Level> {
        let mut levels = vec![Level::PORTABLE];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            levels.push(Level(Kind::Avx2));
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
                levels.push(Level(Kind::Avx512));
            }
        }
        levels
    }

    /// The fastest of this machine.
    pub fn best() -> Level {
        Level::available().pop().unwrap_or(Level::PORTABLE)
    }

    /// The level of that name, if this machine has it.
    pub fn named(name: &str) -> Option<Level> {
        Level::available().into_iter().find(|level| level.name() == name)
    }

    /// Its place among the levels that there are anywhere, below `COUNT`.
    pub fn number(self) -> usize {
        self.0 as usize
    }

    /// The number of levels that there are anywhere.
    pub const COUNT: usize = 3;

    /// Its name: `portable`, `avx2`, `avx512`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
        }
    }
}

impl Level {
    /// Whether its vectors are of 512 bits; none where the emitter does not know the level.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn is_wide(self) -> Option<bool> {
        match self.0 {
            Kind::Portable => None,
            Kind::Avx2 => Some(false),
            Kind::Avx512 => Some(true),
        }
    }
}

impl Default for Level {
    fn default() -> Self {
        Level::best()
    }
}

/// Code over the vectors of any level. `run` and all that it calls on vectors has to be inlined: only so is it compiled
/// with the instructions of the level.
pub(super) trait Task {
    type Out;
    fn run<S: Simd>(self) -> Self::Out;
}

/// Runs a task at a level.
#[inline]
pub(super) fn dispatch<T: Task>(level: Level, task: T) -> T::Out {
    match level.0 {
        Kind::Portable => task.run::<Portable>(),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a `Level` of this kind is made by `available` alone, where the machine has these features.
        Kind::Avx2 => unsafe { avx2(task) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Kind::Avx512 => unsafe { avx512(task) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<T: Task>(task: T) -> T::Out {
    task.run::<super::avx2::Avx2>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
fn avx512<T: Task>(task: T) -> T::Out {
    task.run::<super::avx512::Avx512>()
}
