//! Ranks with ties.

/// The rank of each value, from 1; equal values share the mean of their ranks. The values must be finite.
pub(super) fn midranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    // `chunk_by` compares floats by value, so that -0.0 ties with 0.0.
    for group in order.chunk_by(|&i, &j| values[i] == values[j]) {
        let rank = (2 * start + group.len() + 1) as f64 / 2.0;
        group.iter().for_each(|&i| ranks[i] = rank);
        start += group.len();
    }
    ranks
}

/// The sum of `of(t)` over the groups of `t` equal values.
pub(super) fn over_ties(values: &[f64], of: impl Fn(f64) -> f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.chunk_by(|a, b| a == b).map(|group| of(group.len() as f64)).sum()
}
