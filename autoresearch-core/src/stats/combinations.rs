//! Ways to choose `k` of `n` things.

/// `n` over `k` as a float: exact while it is below 2^53.
pub(super) fn binomial(n: usize, k: usize) -> f64 {
    if k > n {
        return 0.0;
    }
    let k = k.min(n - k);
    (0..k).fold(1.0, |product: f64, i| (product * (n - i) as f64 / (i + 1) as f64).round())
}

/// Calls `visit` with each choice of `k` of `0..n`, in lexicographic order.
pub(super) fn combinations(n: usize, k: usize, mut visit: impl FnMut(&[usize])) {
    if k > n {
        return;
    }
    let mut chosen: Vec<usize> = (0..k).collect();
    loop {
        visit(&chosen);
        let Some(i) = (0..k).rev().find(|&i| chosen[i] < n - k + i) else {
            return;
        };
        chosen[i] += 1;
        for j in i + 1..k {
            chosen[j] = chosen[j - 1] + 1;
        }
    }
}
