//! Random numbers by counter: number i of a stream needs none before it.

/// The stream of numbers of a seed and a name.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    key: u64,
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection that scatters.
pub fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl Stream {
    /// The stream of `seed` and `name`; streams of different names are independent.
    pub fn new(seed: u64, name: &str) -> Stream {
        let key = name
            .bytes()
            .fold(mix(seed ^ 0x9e37_79b9_7f4a_7c15), |key, byte| mix(key ^ u64::from(byte)));
        Stream { key }
    }

    /// The stream of its own that belongs to a number, such as a step.
    pub fn at(self, number: u64) -> Stream {
        Stream { key: mix(self.key ^ mix(number.wrapping_add(0x9e37_79b9_7f4a_7c15))) }
    }

    /// Number `index`, uniform in (0, 1).
    pub fn uniform(self, index: u64) -> f64 {
        let bits = mix(self.key.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        ((bits >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// Number `index`, standard normal (Box and Muller).
    pub fn normal(self, index: u64) -> f64 {
        let radius = (-2.0 * self.uniform(2 * index).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform(2 * index + 1)).cos()
    }
}
