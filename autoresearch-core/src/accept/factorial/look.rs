//! One look at all stage B runs of a trial: the regression, its evidence, and whether it is worth going on.

use super::budget::MOST;
use crate::arm::RunId;
use crate::propose::Effect;
use crate::stats::{Design, PHI, Residual, coefficient_log_e, half_normal_log_e, student_quantile};

/// Fewer runs than these test nothing; from `OUTLOOK` runs on what is still to come is reckoned with as well.
const TEST: usize = 4;
const OUTLOOK: usize = 6;
/// An effect of one sigma that is five times less likely than none is given up.
const FUTILE: f64 = 0.2;
/// The outlook is optimistic by so many standard errors.
const OPTIMISM: f64 = 1.5;

/// A finished run of stage B.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) on: Vec<bool>,
    pub(super) block: u32,
    pub(super) run: RunId,
    pub(super) score: f64,
}

/// What the runs so far say.
#[derive(Debug, Clone)]
pub(super) struct Look {
    runs: usize,
    /// Coefficient and information of each proposal that can be told from the others.
    effects: Vec<Option<(f64, f64)>>,
    /// Of these runs alone.
    pub(super) residual: Residual,
    /// With what was known before.
    pub(super) noise: Residual,
}

impl Look {
    /// `None` where the runs cannot be fitted at all.
    pub(super) fn new(seen: &[Seen], known: Residual) -> Option<Self> {
        let on: Vec<Vec<bool>> = seen.iter().map(|run| run.on.clone()).collect();
        let blocks: Vec<u32> = seen.iter().map(|run| run.block).collect();
        let scores: Vec<f64> = seen.iter().map(|run| run.score).collect();
        let design = Design::new(&on, &blocks).ok()?;
        let fit = design.fit(&scores).ok()?;
        let effect = |(j, &beta): (usize, &f64)| design.information(j).map(|s| (beta, s));
        let effects = fit.coefficients.iter().enumerate().map(effect).collect();
        let residual = Residual::new(fit.rss, fit.df);
        Some(Self { runs: seen.len(), effects, residual, noise: residual.pooled(known) })
    }

    fn variance(&self) -> f64 {
        self.noise.variance().unwrap_or(f64::NAN)
    }

    /// Coefficient and information, where there is enough for a test.
    fn tested(&self, j: usize) -> Option<(f64, f64)> {
        self.effects.get(j).copied().flatten().filter(|_| self.runs >= TEST)
    }

    /// The logarithm of the e-value that proposal `j` is an improvement; `None` where it cannot be told.
    pub(super) fn log_e(&self, j: usize) -> Option<f64> {
        let (beta, s) = self.tested(j)?;
        let log_e = coefficient_log_e(beta, s, self.noise.ss, self.noise.df, PHI);
        (!log_e.is_nan()).then_some(log_e)
    }

    /// Whether proposal `j` can be given up, at a level whose hurdle is `threshold`.
    pub(super) fn is_futile(&self, j: usize, threshold: f64) -> bool {
        let (Some((beta, s)), s2) = (self.tested(j), self.variance()) else { return false };
        if s2 == 0.0 {
            return beta <= 0.0; // without noise there is nothing to wait for
        }
        let d = s2.sqrt();
        if s * (d * beta - d * d / 2.0) / s2 <= FUTILE.ln() {
            return true;
        }
        if self.runs < OUTLOOK {
            return false;
        }
        let most = s + MOST.saturating_sub(self.runs) as f64 / 4.0;
        let best = (beta + OPTIMISM * (s2 * (1.0 / s - 1.0 / most)).sqrt()).max(0.0);
        half_normal_log_e(best, s2 / most, 2.0 * s2) < threshold
    }

    /// The measured improvement with a 95 % interval.
    pub(super) fn effect(&self, j: usize, runs: u32) -> Option<Effect> {
        let (beta, s) = self.effects.get(j).copied().flatten()?;
        let half = -student_quantile(0.025, self.noise.df) * (self.variance() / s).sqrt();
        Some(Effect::new(beta, (beta - half, beta + half), 0.95, runs, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::TTestE;

    fn pairs(gains: &[f64]) -> Vec<Seen> {
        let pair = |(i, gain): (usize, &f64)| {
            let seen = |on, score| Seen { on: vec![on], block: i as u32, run: RunId(1), score };
            [seen(true, i as f64 + gain), seen(false, i as f64)]
        };
        gains.iter().enumerate().flat_map(pair).collect()
    }

    /// Blocked pairs of one proposal: the paired e-value with what is known doubled and kappa = 1.
    #[test]
    fn one_alone_is_the_paired_test() {
        let gains = [1.4, 0.3, 2.2, 0.9];
        let look = Look::new(&pairs(&gains), Residual::new(7.0, 7.0)).expect("a fit");
        let mut paired = TTestE::new(14.0, 7.0).expect("a test");
        gains.iter().for_each(|gain| paired.push(*gain));
        let (got, expected) = (look.log_e(0).expect("a test"), paired.log_e());
        assert!((got - expected).abs() < 1e-9, "{got} instead of {expected}");
    }

    #[test]
    fn too_few_runs_test_nothing() {
        let look = Look::new(&pairs(&[3.0]), Residual::new(7.0, 7.0)).expect("a fit");
        assert!(look.log_e(0).is_none() && !look.is_futile(0, 7.0));
    }

    #[test]
    fn what_hurts_is_given_up_and_what_shines_is_not() {
        let look = |gains: &[f64]| Look::new(&pairs(gains), Residual::new(7.0, 7.0)).expect("a fit");
        assert!(look(&[-1.0, -1.5]).is_futile(0, 7.0));
        assert!(!look(&[2.0, 1.5, 2.5]).is_futile(0, 7.0));
        // After nearly all runs a faint effect cannot reach its hurdle any more.
        let faint: Vec<f64> = (0..23).map(|i| 0.55 + if i % 2 == 0 { 1.4 } else { -1.4 }).collect();
        assert!(look(&faint).is_futile(0, 12.0) && !look(&faint).is_futile(0, 1.0));
    }

    #[test]
    fn without_noise_the_sign_decides() {
        let look = |gain| Look::new(&pairs(&[gain; 3]), Residual::new(0.0, 7.0)).expect("a fit");
        assert!(!look(1.0).is_futile(0, 7.0) && look(1.0).log_e(0).expect("a test") > 5.0);
        assert!(look(0.0).is_futile(0, 7.0) && look(-1.0).is_futile(0, 7.0));
    }
}
