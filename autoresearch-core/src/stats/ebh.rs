//! e-BH: which of many e-values are discoveries, with the false discovery rate of all of them.

/// The e-Benjamini-Hochberg procedure (Wang & Ramdas 2022, *Journal of the Royal Statistical Society B*
/// 84:822-852): the indices, in ascending order, of the `k` largest e-values, for the largest `k` whose `k`-th
/// largest e-value is at least `total/(alpha·k)`. It keeps the false discovery rate at or below `alpha` however
/// the e-values depend on each other.
///
/// `log_e` holds natural logarithms; one that is NaN is never kept. `total` counts *all* hypotheses, also those
/// given up before the end and not listed; it is at least the number listed. An `alpha` outside of `(0, 1]` keeps
/// nothing.
///
/// ```
/// use autoresearch_core::stats::e_bh;
///
/// let log_e = [45.0_f64, 3.0, 120.0, 0.2, 25.0, 9.0, 210.0, 1.0].map(f64::ln);
/// assert_eq!(e_bh(&log_e, 0.1, 8), [0, 2, 4, 6]);
/// assert_eq!(e_bh(&log_e, 0.1, 50), [] as [usize; 0]); // 42 others were given up: a steeper hurdle
/// ```
pub fn e_bh(log_e: &[f64], alpha: f64, total: usize) -> Vec<usize> {
    e_bh_after(log_e, alpha, total, 0)
}

/// [`e_bh`] for a later certificate, when `before` units are certified already: the `r` largest, for the largest
/// `r` whose `r`-th largest e-value is at least `total/(alpha·(before + r))`.
///
/// `alpha` is the share of this certificate, [`certificate_level`]. The false discovery rate of all certificates
/// together then holds as long as certified units are not undone.
pub fn e_bh_after(log_e: &[f64], alpha: f64, total: usize, before: usize) -> Vec<usize> {
    if !(alpha > 0.0 && alpha <= 1.0) {
        return Vec::new();
    }
    let mut order: Vec<usize> = (0..log_e.len()).filter(|&i| !log_e[i].is_nan()).collect();
    order.sort_by(|&a, &b| log_e[b].total_cmp(&log_e[a]));
    let ln_total = (total.max(log_e.len()) as f64).ln();
    // An e-value that is exactly at the hurdle is not to fail by the rounding of its logarithm.
    let hurdle = |r: usize| ln_total - alpha.ln() - (before.saturating_add(r) as f64).ln() - 1e-12;
    let reaches = |&r: &usize| log_e[order[r - 1]] >= hurdle(r);
    let kept = (1..=order.len()).rev().find(reaches).unwrap_or(0);
    order.truncate(kept);
    order.sort_unstable();
    order
}

/// The share of `alpha` of the `k`-th certificate, `alpha/(k·(k+1))`: the shares of all certificates sum to
/// `alpha`. They count from 1 (and 0 gets nothing).
pub fn certificate_level(alpha: f64, k: u64) -> f64 {
    if k == 0 { 0.0 } else { alpha / k as f64 / (k as f64 + 1.0) }
}
