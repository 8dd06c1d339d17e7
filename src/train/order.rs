//! The order of rows: which validate, and how the others come in each epoch.

use crate::ops::stream::Stream;

/// Shuffles the rows of an epoch (Fisher and Yates, Durstenfeld 1964): for i from the last place down to 1, place i is swapped
/// with place `floor(u * (i + 1))`, where u is number i of the stream of seed, `order` and epoch.
pub fn shuffle(rows: &mut [usize], seed: u64, epoch: u64) {
    let stream = Stream::new(seed, "order").at(epoch);
    for place in (1..rows.len()).rev() {
        rows.swap(place, drawn(stream, place));
    }
}

/// The rows to train on and those to validate on, both rising: of `count` the part `val`, rounded, but at least one where it is
/// above 0. Those that validate come first where all are shuffled by the stream of seed and `validation`.
pub fn split(count: usize, val: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let mut rows: Vec<usize> = (0..count).collect();
    if val <= 0.0 {
        return (rows, Vec::new());
    }
    let held = ((count as f64 * val).round() as usize).clamp(1.min(count), count);
    let stream = Stream::new(seed, "validation");
    for place in (1..count).rev() {
        rows.swap(place, drawn(stream, place));
    }
    let mut train = rows.split_off(held);
    train.sort_unstable();
    rows.sort_unstable();
    (train, rows)
}

fn drawn(stream: Stream, place: usize) -> usize {
    // A product that rounds up to `place + 1` would be one too many.
    ((stream.uniform(place as u64) * (place + 1) as f64) as usize).min(place)
}
