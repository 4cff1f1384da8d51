//! The tests on held-out splits: one proposal against the incumbent, and the comparison at the end.

use super::rule::{Heard, HeardEffect, Place, Test};
use super::units::{Shares, documents};
use super::{Basis, Comparison, HeldOut, Holdout};
use crate::accept::{Claim, Noise};
use crate::measure::Direction;
use crate::stats;
use std::ops::Range;

/// Compares paired losses of baseline and incumbent.
pub(crate) fn compare(
    baseline: &[f64],
    incumbent: &[f64],
    direction: Direction,
    level: f64,
) -> Result<Comparison, stats::StatsError> {
    let paired = stats::paired_t(baseline, incumbent)?;
    let (low, high) = paired.interval(level);
    let sign = direction.loss(1.0);
    Ok(Comparison {
        baseline: sign * stats::mean(baseline),
        incumbent: sign * stats::mean(incumbent),
        gain: paired.difference,
        low,
        high,
    })
}

/// What the holdout says of a claim: the gain with `SE² = SE_split² + s_d²/n`, and the test `1 − Φ(g/SE) ≤ level`.
///
/// With the documents' error alone the false discovery rate rises to .26-.45 in simulation, because seed noise leaks
/// through; with the run noise alone a lucky validation split does. So both terms.
///
/// # Errors
/// The runs were not measured on the same units.
pub(super) fn hear(
    claim: &Claim,
    candidate: &[HeldOut],
    incumbent: &[HeldOut],
    settings: &Holdout,
    direction: Direction,
    place: Place,
) -> Result<(Heard, Basis), String> {
    let losses = |held: &[HeldOut]| held.iter().map(|h| h.loss(direction)).collect::<Vec<_>>();
    let (c, b) = (losses(candidate), losses(incumbent));
    let reference = stats::mean(&b);
    let gain = reference - stats::mean(&c);
    let run_variance = run_variance(&c, &b, claim.paired, claim.noise);
    let (split_variance, basis) = match settings.split_error {
        Some(se) => (se * se, Basis::Stated),
        None => split_variance(candidate, incumbent, direction)?,
    };
    let (run_variance, basis) = match (run_variance, basis) {
        (Some(v), basis) => (v, basis),
        (None, Basis::RunsOnly) => (0.0, Basis::SignOnly),
        (None, _) => (0.0, Basis::DocumentsOnly),
    };
    let effects = vec![HeardEffect::new(None, gain, (split_variance + run_variance).sqrt())];
    let test = Test::Pair { level: claim.level };
    Ok((Heard { reference, effects, test, place }, basis))
}

/// Variance of the mean gain over seeds: the differences seen here, pooled with what was known before. `None` where
/// there is one run an arm and nothing was known.
fn run_variance(candidate: &[f64], incumbent: &[f64], paired: bool, noise: Noise) -> Option<f64> {
    let about_mean = |xs: &[f64]| {
        let m = stats::mean(xs);
        xs.iter().map(|x| (x - m).powi(2)).sum::<f64>()
    };
    let (n, m) = (candidate.len().max(1) as f64, incumbent.len().max(1) as f64);
    if paired {
        let d: Vec<f64> = incumbent.iter().zip(candidate).map(|(b, c)| b - c).collect();
        let df = noise.df + n - 1.0;
        (df > 0.0).then(|| (noise.ss + about_mean(&d)) / df / n)
    } else {
        // A difference of two runs has twice the variance of one.
        let df = noise.df + n - 1.0 + m - 1.0;
        let ss = noise.ss + 2.0 * (about_mean(candidate) + about_mean(incumbent));
        (df > 0.0).then(|| ss / df / 2.0 * (1.0 / n + 1.0 / m))
    }
}

/// Variance of the mean gain that comes from the split being finite.
fn split_variance(
    candidate: &[HeldOut],
    incumbent: &[HeldOut],
    direction: Direction,
) -> Result<(f64, Basis), String> {
    let (documents, weights) = documents(&[candidate, incumbent].concat(), direction)?;
    let shares = Shares::new(&weights);
    let Some(factor) = shares.factor() else {
        return Ok((0.0, Basis::RunsOnly)); // a single document says nothing about documents
    };
    let (n, all) = (candidate.len(), candidate.len() + incumbent.len());
    let variance = |c: Range<usize>, b: Range<usize>| {
        let gain = |losses: &Vec<f64>| stats::mean(&losses[b.clone()]) - stats::mean(&losses[c.clone()]);
        factor * shares.scatter(&documents.iter().map(gain).collect::<Vec<f64>>())
    };
    let whole = variance(0..n, n..all);
    if n < 4 || incumbent.len() != n {
        return Ok((whole, Basis::RunsAndDocuments));
    }
    // Of one pair: component + run×document; of the mean of n pairs: component + run×document / n.
    let one = (0..n).map(|i| variance(i..i + 1, n + i..n + i + 1)).sum::<f64>() / n as f64;
    let component = (n as f64 * whole - one) / (n as f64 - 1.0);
    Ok((component.max(0.0), Basis::RunsAndDocumentComponent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arm::RunId;
    use crate::holdout::{Answer, HoldoutRule, Memory, OneBit};
    use crate::measure::Measurement;

    fn claim(n: usize, level: f64, noise: Noise) -> Claim {
        let ids = |from: u64| (from..from + n as u64).map(RunId).collect();
        Claim::new(ids(1), ids(100), true, level, noise)
    }

    /// Runs that lie `shift` below 5 on every document, with these deviations of whole runs and of documents.
    fn runs(shift: f64, of_runs: &[f64], of_documents: &[f64]) -> Vec<HeldOut> {
        let one = |r: &f64| {
            Measurement::new(of_documents.iter().map(|d| 5.0 - shift + r + d)).expect("finite").into()
        };
        of_runs.iter().map(one).collect()
    }

    fn ask(claim: &Claim, candidate: &[HeldOut], incumbent: &[HeldOut], rules: &Holdout) -> Answer {
        let heard = hear(claim, candidate, incumbent, rules, Direction::Minimize, Place::default());
        let (question, basis) = heard.expect("comparable");
        Answer { passed: OneBit.answer(&question, &Memory::default()).passed[0], basis }
    }

    #[test]
    fn both_noises_count() {
        let claim = claim(2, 0.05, Noise::default());
        let (documents, quiet) = ([0.1, -0.1, 0.0], [0.0, 0.0]);
        let incumbent = runs(0.0, &quiet, &documents);
        let rules = Holdout::new();
        // A gain of .5 everywhere, the same on both seeds: yes.
        assert!(ask(&claim, &runs(0.5, &[0.01, -0.01], &documents), &incumbent, &rules).passed);
        // The same gain with the documents agreeing and the seeds far apart: the runs' noise says no.
        let answer = ask(&claim, &runs(0.5, &[1.0, -1.0], &documents), &incumbent, &rules);
        assert_eq!(answer, Answer { passed: false, basis: Basis::RunsAndDocuments });
        // The same gain with the seeds agreeing and the documents apart: the split's noise says no.
        let apart = [1.5, -1.4, -0.1];
        assert!(!ask(&claim, &runs(0.5, &[0.01, -0.01], &apart), &incumbent, &rules).passed);
        // And no gain is no gain.
        assert!(!ask(&claim, &runs(-0.5, &quiet, &documents), &incumbent, &rules).passed);
    }

    #[test]
    fn what_is_stated_replaces_what_is_estimated() {
        let noise = Noise::new(0.02, 7.0);
        let scalar = |x: f64| HeldOut::from(Measurement::scalar(x).expect("finite"));
        let (candidate, incumbent) = ([scalar(4.5), scalar(4.5)], [scalar(5.0), scalar(5.0)]);
        let claim = claim(2, 0.01, noise);
        let ask = |rules| ask(&claim, &candidate, &incumbent, &rules);
        assert_eq!(ask(Holdout::new()), Answer { passed: true, basis: Basis::RunsOnly });
        // g = .5, SE² = .1² + (.02/8)/2: z = 4.9, passes; with a split error of .4 z is 1.25, p = .106.
        assert_eq!(ask(Holdout::new().split_error(0.1)), Answer { passed: true, basis: Basis::Stated });
        assert_eq!(ask(Holdout::new().split_error(0.4)), Answer { passed: false, basis: Basis::Stated });
    }

    /// From four pairs on, run × document noise is not counted twice.
    #[test]
    fn the_documents_own_part_is_estimated() {
        let pattern = [[0.3, -0.3], [-0.3, 0.3], [0.3, -0.3], [-0.3, 0.3]];
        let noisy = |shift: f64| -> Vec<HeldOut> {
            let one = |d: &[f64; 2]| Measurement::new(d.map(|d| 5.0 - shift + d)).expect("finite").into();
            pattern.iter().map(one).collect()
        };
        let still = runs(0.0, &[0.0; 4], &[0.0, 0.0]);
        let answer = ask(&claim(4, 0.01, Noise::new(0.01, 7.0)), &noisy(0.2), &still, &Holdout::new());
        assert_eq!(answer, Answer { passed: true, basis: Basis::RunsAndDocumentComponent });
    }

    #[test]
    fn other_units_are_an_error() {
        let (two, three) = (runs(0.0, &[0.0], &[0.0; 2]), runs(0.0, &[0.0], &[0.0; 3]));
        let claim = claim(1, 0.1, Noise::default());
        let error = hear(&claim, &two, &three, &Holdout::new(), Direction::Minimize, Place::default());
        assert!(error.expect_err("not comparable").contains("2 and 3 values"));
    }

    /// Hand numbers: differences .1, .2, .3 have mean .2, sd .1, t(.975, 2) = 4.302653 (any t table).
    #[test]
    fn comparison_by_hand() {
        let c = compare(&[1.0, 1.1, 1.2], &[0.9, 0.9, 0.9], Direction::Minimize, 0.95).expect("three pairs");
        let half = 4.302_653 * 0.1 / 3f64.sqrt();
        assert!(
            (c.gain - 0.2).abs() < 1e-12
                && (c.low - (0.2 - half)).abs() < 1e-6
                && (c.high - (0.2 + half)).abs() < 1e-6
        );
        let up = compare(
            &[-1.0, -1.1, -1.2],
            &[-0.9, -0.9, -0.9].map(|x: f64| x - 0.4),
            Direction::Maximize,
            0.95,
        );
        let up = up.expect("three pairs");
        assert!(
            (up.baseline - 1.1).abs() < 1e-12
                && (up.incumbent - 1.3).abs() < 1e-12
                && (up.gain - 0.2).abs() < 1e-12
        );
    }
}
