//! How noisy an objective is, from a few runs of the baseline.

use autoresearch_core::plan::{Baseline, PlanError};
use autoresearch_core::stats::{Sides, sample_size_paired_t};
use autoresearch_core::{Direction, Measurement};

/// The gain that is asked about, as a share of the baseline's objective.
const GAIN: f64 = 0.01;
/// The plan's own level, and how often it is to find the gain.
const ALPHA: f64 = 0.01;
const POWER: f64 = 0.8;
/// The ends of the 95 % interval of a standard deviation from two runs, in that: √(1/χ²₀.₉₇₅(1)) and √(1/χ²₀.₀₂₅(1)).
const OF_TWO: (f64, f64) = (0.446, 31.9);
/// Runs on one proposal that are asked about.
const RUNS: [u32; 11] = [4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];

/// In a few sentences.
pub(super) fn noise(runs: &[(u64, Measurement)], direction: Direction) -> String {
    let values: Vec<f64> = runs.iter().map(|(_, run)| run.objective()).collect();
    match values.as_slice() {
        [] | [_] => "One run says nothing of the noise; `autoresearch init --runs 2` says a little, `--runs 8` enough to plan by.".into(),
        [a, b] => of_two(*a, *b),
        _ => of_several(runs, direction),
    }
}

fn of_two(a: f64, b: f64) -> String {
    if a == b {
        return same(2, a);
    }
    let (mean, sd) = ((a + b) / 2.0, (a - b).abs() / 2f64.sqrt());
    let told = format!(
        "Two runs on different seeds differ by {:.2} %: one run scatters by roughly {sd:.4} ({:.4} to {:.4} with 95 % \
         confidence, two runs being few).",
        share((a - b).abs(), mean),
        OF_TWO.0 * sd,
        OF_TWO.1 * sd
    );
    // A difference of two unrelated runs.
    let pairs = sample_size_paired_t(GAIN * mean.abs() / (2f64.sqrt() * sd), ALPHA, POWER, Sides::One);
    let needed = match pairs {
        Ok(pairs) if pairs.is_finite() && pairs < 1e6 => {
            format!("about {} runs, half of them of the baseline", 2 * (pairs.ceil() as u64).max(2))
        }
        _ => "more runs than anybody has".into(),
    };
    format!(
        "{told} If that is so, to tell a gain of 1 % ({:.4}) takes {needed} (paired t-test at level {ALPHA}, four times in \
         five). `autoresearch init --runs 8` says it better.",
        GAIN * mean.abs()
    )
}

fn of_several(runs: &[(u64, Measurement)], direction: Direction) -> String {
    let mean = runs.iter().map(|(_, run)| run.objective()).sum::<f64>() / runs.len() as f64;
    let plan = Baseline::of(runs.iter().cloned()).direction(direction).simulations(0).compare(RUNS);
    let plan = if mean == 0.0 { plan } else { plan.matters(GAIN * mean.abs()) };
    let design = match plan.design() {
        Ok(design) => design,
        Err(PlanError::NoSpread { runs, value }) => return same(runs, value),
        Err(why) => return format!("How noisy the objective is cannot be said: {why}."),
    };
    let found = design.by_runs.iter().find(|d| design.matters.is_some_and(|gain| d.effect <= gain));
    let needed = match (design.matters, found) {
        (None, _) => "A share of an objective around 0 means nothing.".into(),
        (Some(gain), Some(d)) => {
            format!("To tell a gain of 1 % ({gain:.4}) takes {} runs, half of them of the baseline.", d.runs)
        }
        (Some(gain), None) => {
            format!(
                "A gain of 1 % ({gain:.4}) cannot be told with 4096 runs: this objective is too noisy for that."
            )
        }
    };
    let warnings: String = design.warnings.iter().map(|warning| format!("\nWarning: {warning}")).collect();
    format!("{needed}\n{}{warnings}", design.paragraph())
}

fn same(runs: usize, value: f64) -> String {
    format!(
        "All {runs} runs on different seeds came out at {value}: there is no noise, or the seed (AUTORESEARCH_SEED, or as `seed` \
         in the task file says) does not reach the program, and then a gain may be a matter of the one seed that it has."
    )
}

fn share(part: f64, of: f64) -> f64 {
    100.0 * part / of.abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(values: &[f64]) -> String {
        let runs =
            (0..).zip(values).map(|(seed, value)| (seed, Measurement::scalar(*value).expect("finite")));
        noise(&runs.collect::<Vec<_>>(), Direction::Minimize)
    }

    #[test]
    fn two_runs_say_a_little() {
        // sd = .02/√2 = .01414, so that a difference has sd .02, and 1 % of 2.01 is 1.005 of these. The non-central t distribution,
        // integrated numerically apart from this code, has power .763 with 12 pairs and .810 with 13.
        let text = told(&[2.0, 2.02]);
        assert!(text.contains("roughly 0.0141") && text.contains("about 26 runs"), "{text}");
        assert!(told(&[2.0]).contains("--runs 2"));
    }

    #[test]
    fn several_runs_are_planned_by() {
        // A gain of .02 is 15 of their standard deviations, and a fortieth of those below. Two pairs would not do: the quantile of t
        // with one degree of freedom is 31.8.
        let text = told(&[2.0, 2.001, 1.999, 2.0005, 1.9995, 2.001, 1.998, 2.002]);
        assert!(text.contains("takes 8 runs"), "{text}");
        let text = told(&[2.0, 3.0, 1.0, 2.5, 1.5]);
        assert!(text.contains("cannot be told with 4096 runs"), "{text}");
    }

    #[test]
    fn no_noise_is_suspicious() {
        for values in [&[2.0, 2.0][..], &[2.0, 2.0, 2.0]] {
            assert!(told(values).contains("AUTORESEARCH_SEED"), "{}", told(values));
        }
    }
}
