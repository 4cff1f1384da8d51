//! From runs to verdicts: numbers alone.

use crate::stats::{Design, Moments, benjamini_hochberg, student_quantile, student_sf};

/// A run of the stack without some of its parts.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Which parts were in it.
    pub(super) on: Vec<bool>,
    /// Runs of one context share a mean: grows by one each time that parts are dropped.
    pub(super) context: u32,
    /// Higher is better.
    pub(super) score: f64,
}

/// What the runs say of a part's effect in the stack.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    pub(super) effect: f64,
    pub(super) standard_error: f64,
    /// Degrees of freedom of the standard error.
    pub(super) df: f64,
    pub(super) t: f64,
    /// One-sided p-value of "it helps".
    pub(super) p: f64,
    /// Runs that had it, and that had not.
    pub(super) runs: (u32, u32),
}

impl Estimate {
    /// The two-sided t interval of this level.
    pub(super) fn interval(&self, level: f64) -> (f64, f64) {
        let half = student_quantile(0.5 + level / 2.0, self.df) * self.standard_error;
        (self.effect - half, self.effect + half)
    }
}

/// Least squares over all rows, one mean a context; `others` are scores of another arm, which know the noise. `None`
/// for what was never seen both with and without, and where the numbers are too large to be fitted.
pub(super) fn estimates(rows: &[Row], units: usize, others: &[f64]) -> Vec<Option<Estimate>> {
    let on: Vec<Vec<bool>> = rows.iter().map(|row| row.on.clone()).collect();
    let contexts: Vec<u32> = rows.iter().map(|row| row.context).collect();
    let scores: Vec<f64> = rows.iter().map(|row| row.score).collect();
    let none = vec![None; units];
    let Ok(design) = Design::new(&on, &contexts) else { return none };
    let Ok(fit) = design.fit(&scores) else { return none };
    let others: Moments = others.iter().copied().collect();
    let known = others.n().saturating_sub(1) as f64;
    let (ss, df) = (fit.rss + if known > 0.0 { others.sum_of_squares() } else { 0.0 }, fit.df + known);
    let scale = scores.iter().fold(0.0_f64, |most, score| most.max(score.abs()));
    let estimate = |j: usize| {
        let information = design.information(j)?;
        if !(fit.coefficients[j].is_finite() && ss.is_finite()) {
            return None;
        }
        let runs = rows.iter().filter(|row| row.on[j]).count() as u32;
        // What is left of equal numbers after rounding is nothing.
        let effect = Some(fit.coefficients[j]).filter(|b| b.abs() > 1e-12 * scale).unwrap_or(0.0);
        let standard_error = if df > 0.0 { (ss / df / information).sqrt() } else { f64::INFINITY };
        let t = if effect == 0.0 { 0.0 } else { effect / standard_error };
        let p = if df > 0.0 { student_sf(t, df) } else { 1.0 };
        Some(Estimate { effect, standard_error, df, t, p, runs: (runs, rows.len() as u32 - runs) })
    };
    (0..units).map(estimate).collect()
}

/// Which parts earn their place at this false discovery rate (Benjamini & Hochberg 1995, *Journal of the Royal
/// Statistical Society B* 57:289-300). All parts count, also those that were dropped on the way.
pub(super) fn earning(estimates: &[Option<Estimate>], standing: &[bool], rate: f64) -> Vec<bool> {
    let p = |(estimate, standing): (&Option<Estimate>, &bool)| match estimate {
        Some(estimate) if *standing => estimate.p,
        _ => 1.0,
    };
    let p: Vec<f64> = estimates.iter().zip(standing).map(p).collect();
    let adjusted = benjamini_hochberg(&p).unwrap_or_else(|_| vec![1.0; p.len()]);
    adjusted.into_iter().map(|p| p <= rate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(on: [bool; 2], context: u32, score: f64) -> Row {
        Row { on: on.to_vec(), context, score }
    }

    /// By hand: with both 3.0 and 3.2, without the first 1.1, without the second 3.1.
    #[test]
    fn leaving_one_out_is_a_difference_of_means() {
        let rows = [
            row([true, true], 0, 3.0),
            row([true, true], 0, 3.2),
            row([false, true], 0, 1.1),
            row([true, false], 0, 3.1),
        ];
        let found = estimates(&rows, 2, &[0.0, 0.2]);
        let (first, second) = (found[0].expect("seen"), found[1].expect("seen"));
        assert!((first.effect - 2.0).abs() < 1e-12 && second.effect.abs() < 1e-12);
        // Two within-arm sums of squares of .02, one degree of freedom each; 1/s = 1/2 + 1.
        assert!((first.standard_error - (0.02_f64 * 1.5).sqrt()).abs() < 1e-12, "{first:?}");
        assert_eq!((first.df, first.runs), (2.0, (3, 1)));
        assert_eq!(earning(&found, &[true, true], 0.05), [true, false]);
        assert_eq!(earning(&found, &[false, true], 0.05), [false, false]);
    }

    #[test]
    fn what_was_never_left_out_has_no_estimate() {
        let rows = [row([true, true], 0, 1.0), row([false, true], 0, 2.0), row([true, true], 0, 1.5)];
        let found = estimates(&rows, 2, &[]);
        assert!(found[0].is_some() && found[1].is_none());
        // Finite numbers, whose squares are not.
        let huge = [row([true, true], 0, 1e300), row([false, true], 0, -1e300), row([true, true], 0, -1e299)];
        assert!(estimates(&huge, 2, &[]).iter().all(Option::is_none));
        assert!(estimates(&[], 2, &[]).iter().all(Option::is_none));
    }
}
