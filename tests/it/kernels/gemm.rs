//! Products agree with plain loops: all small sizes, all orders of operands, every level, any number of threads.

use super::numbers;
use pullback::exec::kernels::gemm::{Finish, Matrix, Packed, product, products};
use pullback::exec::kernels::{Context, Float, Level, Team};
use pullback::exec::pool::Pool;

/// Of f64, in order.
fn plain<T: Float>((m, k, n): (usize, usize, usize), a: Matrix<T>, b: Matrix<T>) -> Vec<f64> {
    let mut c = vec![0.0; m * n];
    for i in 0..m {
        for j in 0..n {
            c[i * n + j] = (0..k)
                .map(|x| {
                    let left = a.data[i * a.steps.0 + x * a.steps.1].to();
                    left * b.data[x * b.steps.0 + j * b.steps.1].to()
                })
                .sum();
        }
    }
    c
}

/// The matrix in rows, in columns, in rows further apart than they are long, or strewn.
fn laid<T>(data: &[T], rows: usize, columns: usize, how: usize) -> Matrix<'_, T> {
    let steps = match how {
        0 => (columns, 1),
        1 => (1, rows),
        2 => (columns + 3, 1),
        _ => (2 * columns + 1, 2),
    };
    Matrix { data, steps }
}

fn near<T: Float>(found: &[T], wanted: &[f64], tolerance: f64, what: &str) {
    for (place, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        let found = found.to();
        assert!((found - wanted).abs() <= tolerance, "{what} at {place}: {found} for {wanted}");
    }
}

fn check<T: Float>(sizes: (usize, usize, usize), tolerance: f64) {
    let (m, k, n) = sizes;
    let left: Vec<T> = numbers(2 * (m + 1) * (k + 4), 1);
    let right: Vec<T> = numbers(2 * (k + 1) * (n + 4), 2);
    for how in 0..16 {
        let (a, b) = (laid(&left, m, k, how % 4), laid(&right, k, n, how / 4));
        let wanted = plain(sizes, a, b);
        for level in Level::available() {
            let context = Context { level, team: &Team::alone() };
            let what = format!("{} {sizes:?} {how}", level.name());
            let mut c = vec![T::of_f64(9.0); m * n];
            product(&context, sizes, a, b, (&mut c, n), &Finish::default());
            near(&c, &wanted, tolerance * k as f64, &what);
            let packed = Packed::new(level, k, n, b);
            let mut again = vec![T::of_f64(9.0); m * n];
            product(&context, sizes, a, &packed, (&mut again, n), &Finish::default());
            near(&again, &wanted, tolerance * k as f64, &what);
        }
    }
}

#[test]
fn small_products() {
    for m in [0, 1, 3, 9] {
        for k in [0, 1, 5, 17] {
            for n in [0, 1, 2, 15, 16, 33] {
                check::<f32>((m, k, n), 2e-7);
                check::<f64>((m, k, n), 4e-16);
            }
        }
    }
}

#[test]
fn large_products() {
    for sizes in
        [(64, 300, 70), (37, 784, 10), (270, 20, 40), (20, 600, 40), (1, 600, 50), (50, 600, 1)]
    {
        check::<f32>(sizes, 1e-7);
        check::<f64>(sizes, 2e-16);
    }
}

/// A few left rows by many columns, in whole vectors and not.
#[test]
fn few_rows() {
    for sizes in [(1, 87, 256), (2, 6, 261), (2, 40, 271), (1, 0, 300)] {
        check::<f32>(sizes, 2e-7);
        check::<f64>(sizes, 4e-16);
    }
}

/// Rows of the left operand a multiple of 1 KiB apart, which are copied.
#[test]
fn rows_in_each_others_way() {
    for sizes in [(27, 256, 40), (256, 21, 36)] {
        check::<f32>(sizes, 1e-7);
        check::<f64>(sizes, 2e-16);
    }
}

/// Columns of the left operand over more pages than are known at once, which are copied where many panels read them.
#[test]
fn strewn_columns() {
    let sizes @ (m, k, n) = (129, 512, 485);
    let (a, b): (Vec<f32>, Vec<f32>) = (numbers(m * k, 1), numbers(k * n, 2));
    let (a, b) = (laid(&a, m, k, 1), laid(&b, k, n, 0));
    let wanted = plain(sizes, a, b);
    for level in Level::available() {
        let mut c = vec![9.0; m * n];
        let context = Context { level, team: &Team::alone() };
        product(&context, sizes, a, b, (&mut c, n), &Finish::default());
        near(&c, &wanted, 1e-7 * k as f64, level.name());
    }
}

#[test]
fn the_end_of_a_product() {
    end_of((9, 500, 37));
    end_of((2, 1500, 300));
}

fn end_of((m, k, n): (usize, usize, usize)) {
    let (a, b): (Vec<f64>, Vec<f64>) = (numbers(m * k, 1), numbers(k * n, 2));
    let (old, bias): (Vec<f64>, Vec<f64>) = (numbers(m * (n + 2), 3), numbers(n, 4));
    let (a, b) = (laid(&a, m, k, 0), laid(&b, k, n, 0));
    let (plain, end) = (plain((m, k, n), a, b), Finish::default());
    for level in Level::available() {
        let context = Context { level, team: &Team::alone() };
        let mut c = old.clone();
        let finish = Finish { scale: -0.5, adds: true, bias: Some(&bias), relu: true, ..end };
        product(&context, (m, k, n), a, b, (&mut c, n + 2), &finish);
        for i in 0..m {
            for j in 0..n + 2 {
                let before = old[i * (n + 2) + j];
                let wanted = match j < n {
                    true => (before - 0.5 * plain[i * n + j] + bias[j]).max(0.0),
                    false => before,
                };
                assert!((c[i * (n + 2) + j] - wanted).abs() < 1e-12, "{} {i} {j}", level.name());
            }
        }
    }
}

#[test]
fn many_products() {
    let (count, m, k, n) = (37, 5, 12, 20);
    let (a, b): (Vec<f32>, Vec<f32>) = (numbers(count * m * k, 1), numbers(count * k * n, 2));
    for level in Level::available() {
        for threads in [1, 3] {
            let pool = Pool::new(threads);
            let context = Context { level, team: pool.team() };
            let mut c = vec![0.0; count * m * n];
            let (left, right) = (laid(&a, m, k, 0), laid(&b, k, n, 1));
            let places = |i: usize| (i * m * k, (count - 1 - i) * k * n);
            products(&context, (m, k, n), (left, right), &mut c, &places, &Finish::default());
            for (i, c) in c.chunks_exact(m * n).enumerate() {
                let (x, y) = places(i);
                let wanted = plain((m, k, n), laid(&a[x..], m, k, 0), laid(&b[y..], k, n, 1));
                near(c, &wanted, 1e-5, level.name());
            }
        }
    }
}

#[test]
fn threads_change_no_bit() {
    for sizes in [(64, 300, 96), (200, 40, 64), (70, 500, 10), (1, 3000, 100), (2, 700, 1003)] {
        let (m, k, n) = sizes;
        let (a, b): (Vec<f32>, Vec<f32>) = (numbers(m * k, 1), numbers(k * n, 2));
        for level in Level::available() {
            for how in [0, 3] {
                let of = |threads| {
                    let pool = Pool::new(threads);
                    let context = Context { level, team: pool.team() };
                    let mut c = vec![0.0; m * n];
                    let (a, b) = (laid(&a, m, k, how % 2), laid(&b, k, n, how / 2));
                    product(&context, sizes, a, b, (&mut c, n), &Finish::default());
                    c.into_iter().map(f32::to_bits).collect::<Vec<_>>()
                };
                let one = of(1);
                for threads in [2, 3] {
                    assert!(of(threads) == one, "{} {sizes:?} {how} {threads}", level.name());
                }
            }
        }
    }
}
