//! Two-level designs: which of many factors are switched on in which run.

use super::StatsError;
use super::error::parameter;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The largest order, far beyond what anyone can run.
const MAX_ORDER: usize = 1 << 12;

/// An orthogonal design of `runs` runs: row `i` says which of `factors` factors are on in run `i`.
///
/// Each factor is on in exactly half of the runs, and each pair of factors together in exactly a quarter (for 4
/// runs or more), so that every run informs about every factor (Plackett & Burman 1946, *Biometrika*
/// 33:305-325). The columns are drawn from a Hadamard matrix of order `runs`, with random signs and in a random
/// order of runs, by a generator that depends on `seed` alone.
///
/// Orders that are a power of two are Sylvester's. Others are those of Paley (1933, *Journal of Mathematics and
/// Physics* 12:311-320), where `runs - 1` is a prime of the form `4i + 3` (12, 20, 24: the designs of Plackett and
/// Burman) or `runs/2 - 1` one of the form `4i + 1` (28, 36), and the doubles of either (40, 48, 56).
///
/// # Errors
/// [`StatsError::Parameter`] if `factors` is not below `runs`, or if there is no design with so many runs.
///
/// ```
/// use autoresearch_core::stats::{fold_over, two_level_design};
///
/// let mut runs = two_level_design(11, 12, 7)?;
/// assert!((0..11).all(|factor| runs.iter().filter(|run| run[factor]).count() == 6));
/// runs.extend(fold_over(&runs)); // 24 runs whose main effects no two-factor interaction can feign
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn two_level_design(factors: usize, runs: usize, seed: u64) -> Result<Vec<Vec<bool>>, StatsError> {
    let matrix = if (2..=MAX_ORDER).contains(&runs) { hadamard(runs) } else { None };
    let Some(matrix) = matrix else {
        return Err(parameter(
            "runs",
            runs as f64,
            "an order with a known construction, such as 2^q, 12 or 20",
        ));
    };
    if factors >= runs {
        return Err(parameter("factors", factors as f64, "below the number of runs"));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut columns: Vec<usize> = (1..runs).collect();
    columns.shuffle(&mut rng);
    let mut order: Vec<usize> = (0..runs).collect();
    order.shuffle(&mut rng);
    let signs: Vec<bool> = (0..factors).map(|_| rng.random()).collect();
    let row = |&i: &usize| (0..factors).map(|j| matrix[i][columns[j]] ^ signs[j]).collect();
    Ok(order.iter().map(row).collect())
}

/// The runs with every factor switched the other way. Together with the runs themselves, main effects are clear
/// of all two-factor interactions (resolution IV; Box & Wilson 1951, *Journal of the Royal Statistical Society B*
/// 13:1-45).
pub fn fold_over(runs: &[Vec<bool>]) -> Vec<Vec<bool>> {
    runs.iter().map(|run| run.iter().map(|on| !on).collect()).collect()
}

/// A Hadamard matrix (true for +1) whose first column is constant.
fn hadamard(order: usize) -> Option<Vec<Vec<bool>>> {
    let mut matrix = if order == 1 {
        vec![vec![true]]
    } else if order.is_power_of_two() {
        double(&hadamard(order / 2)?)
    } else if !order.is_multiple_of(4) {
        return None;
    } else if is_prime(order - 1) {
        paley_one(order - 1)
    } else if (order / 2) % 4 == 2 && is_prime(order / 2 - 1) {
        paley_two(order / 2 - 1)
    } else {
        double(&hadamard(order / 2)?)
    };
    for row in &mut matrix {
        let first = row[0];
        row.iter_mut().for_each(|entry| *entry = *entry == first);
    }
    Some(matrix)
}

/// Sylvester: `[H H; H -H]`.
fn double(matrix: &[Vec<bool>]) -> Vec<Vec<bool>> {
    let half = |lower: bool| {
        matrix.iter().map(move |row| row.iter().copied().chain(row.iter().map(|e| e ^ lower)).collect())
    };
    half(false).chain(half(true)).collect()
}

/// Paley's first construction, `I + S` with the skew conference matrix `S` of a prime of the form `4i + 3`.
fn paley_one(prime: usize) -> Vec<Vec<bool>> {
    let sign = conference(prime);
    (0..=prime)
        .map(|i| {
            let entry = |j: usize| match (i, j) {
                (i, j) if i == j => true,
                (_, 0) => false, // skew: the first column is minus the first row
                (i, j) => sign(i, j),
            };
            (0..=prime).map(entry).collect()
        })
        .collect()
}

/// Paley's second construction, for a prime of the form `4i + 1`: in its symmetric conference matrix each entry
/// becomes a block, `±[+ +; + -]` off the diagonal and `[+ -; - -]` on it.
fn paley_two(prime: usize) -> Vec<Vec<bool>> {
    let sign = conference(prime);
    let size = 2 * (prime + 1);
    (0..size)
        .map(|row| {
            let entry = |column: usize| {
                let (i, j) = (row / 2, column / 2);
                match (row % 2, column % 2) {
                    (0, 0) if i == j => true,
                    _ if i == j => false,
                    (1, 1) => !sign(i, j),
                    _ => sign(i, j),
                }
            };
            (0..size).map(entry).collect()
        })
        .collect()
}

/// The entries off the diagonal of the bordered matrix of quadratic residues: + in the border, and inside +
/// where `i - j` is a square modulo the prime.
fn conference(prime: usize) -> impl Fn(usize, usize) -> bool {
    let mut square = vec![false; prime];
    (1..prime).for_each(|x| square[x * x % prime] = true);
    move |i, j| i == 0 || j == 0 || square[(i + prime - j) % prime]
}

fn is_prime(n: usize) -> bool {
    n >= 2 && (2..).take_while(|d| d * d <= n).all(|d| !n.is_multiple_of(d))
}
