//! How the checks share one false-alarm rate, over all their looks.

/// The false-alarm rate of all checks of a study together.
pub(super) const ALPHA: f64 = 0.05;

/// Three fifths of it go to the gap, the rest to the other three in equal parts.
pub(super) const GAP: f64 = 0.6 * ALPHA;
pub(super) const OTHER: f64 = 0.4 * ALPHA / 3.0;

/// The level of the `look`-th look (counted from 1): `share/(k(k+1))`, which sums to `share` over endless looks.
pub(super) fn level(share: f64, look: u32) -> f64 {
    let k = f64::from(look.max(1));
    share / (k * (k + 1.0))
}

/// The share of a session: what an earlier one has spent is not known when the holdout's numbers went with it. The first
/// gets four fifths, those after it `1/(5k(k+1))`.
pub(super) fn of_session(session: u32) -> f64 {
    if session <= 1 { 0.8 } else { level(0.2, session - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_the_rate() {
        assert!((GAP + 3.0 * OTHER - ALPHA).abs() < 1e-15);
        let looks: f64 = (1..100_000).map(|k| level(GAP, k)).sum();
        let sessions: f64 = (1..100_000).map(of_session).sum();
        assert!(looks <= GAP && looks > 0.999 * GAP, "{looks}");
        assert!(sessions <= 1.0 && sessions > 0.999, "{sessions}");
    }
}
