//! Thresholdout: the holdout speaks only where it disagrees with validation.

use super::rule::{Heard, HeardEffect, HoldoutRule, Memory, Reply};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The reusable holdout of Dwork, Feldman, Hardt, Pitassi, Reingold & Roth (2015, *Science* 349:636-638; algorithm in
/// arXiv 1506.02629, figure 1), as a rule that gives bits.
///
/// Where validation and holdout agree about a gain up to a threshold, validation's gain is released, and costs next to
/// nothing: such answers depend on the holdout only through the agreement. Where they do not, validation was
/// overfitted: the held-out gain with noise is released, and one of a budget of such answers is spent. The bit is
/// whether the released gain passes the policy's own test with the holdout's standard error.
///
/// With tolerance `T` and noise `σ`: the threshold is `T + Lap(2σ)`, drawn anew after each detection, each comparison
/// adds `Lap(4σ)`, and a released held-out gain `Lap(σ)`. The draws come from the study's seed and the question's
/// number. So the answers can be repeated; whoever knows the seed could in principle take the noise off again, which a
/// search that does not try to is not helped by.
///
/// What is spent are detections. The number of questions is limited as well, by
/// [`Holdout::queries`](crate::Holdout::queries), which may be generous here.
///
/// ```
/// use autoresearch_core::{Heard, HeardEffect, HoldoutRule, Memory, Thresholdout};
/// let rule = Thresholdout::new(0.1, 0.001).budget(20);
/// // Validation saw .30 and the holdout .02: overfitted.
/// let question = Heard::for_test(2.0, HeardEffect::new(Some(0.30), 0.02, 0.02), 0.01, 1);
/// let reply = rule.answer(&question, &Memory::default());
/// assert!(!reply.passed[0] && reply.detected == 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholdout {
    tolerance: f64,
    noise: f64,
    in_errors: bool,
    budget: u64,
}

impl Thresholdout {
    /// A tolerance between the gains on both splits and a noise, in the objective's units, and 20 detections a shard.
    /// Negative or non-finite numbers count as 0.
    pub fn new(tolerance: f64, noise: f64) -> Self {
        let clean = |x: f64| if x.is_finite() { x.max(0.0) } else { 0.0 };
        Self { tolerance: clean(tolerance), noise: clean(noise), in_errors: false, budget: 20 }
    }

    /// The same as multiples of each question's own standard error, where nothing is known of the objective's scale; 1
    /// and 0.25 are a start. The scale then rests on the held-out runs, which the published guarantee does not cover.
    pub fn in_standard_errors(tolerance: f64, noise: f64) -> Self {
        Self { in_errors: true, ..Self::new(tolerance, noise) }
    }

    /// How often a shard may say that validation was overfitted (default 20).
    #[must_use]
    pub fn budget(mut self, detections: u64) -> Self {
        self.budget = detections;
        self
    }

    /// The gain that is released, and whether validation was overfitted.
    fn release(&self, question: &Heard, effect: &HeardEffect, stream: u64, detected: u64) -> (f64, bool) {
        let unit = if self.in_errors { effect.error } else { 1.0 };
        let noise = self.noise * unit;
        let threshold = self.tolerance * unit + laplace(question.lasting_seed(detected), 2.0 * noise);
        let apart = effect.validation.map_or(f64::INFINITY, |v| (v - effect.gain).abs());
        match effect.validation {
            Some(v) if apart <= threshold + laplace(question.seed(2 * stream), 4.0 * noise) => (v, false),
            _ => (effect.gain + laplace(question.seed(2 * stream + 1), noise), true),
        }
    }
}

impl HoldoutRule for Thresholdout {
    fn describe(&self) -> String {
        format!("{self:?}")
    }

    fn answer(&self, question: &Heard, memory: &Memory) -> Reply {
        let mut detected = 0;
        let mut gains = Vec::with_capacity(question.effects().len());
        for (effect, stream) in question.effects().iter().zip(0..) {
            let (gain, overfitted) = self.release(question, effect, stream, memory.detected + detected);
            detected += u64::from(overfitted);
            gains.push(gain);
        }
        Reply { detected, ..Reply::new(question.test(&gains)) }
    }

    fn detections(&self) -> Option<u64> {
        Some(self.budget)
    }
}

/// A Laplace number of this scale, by its quantile function.
fn laplace(seed: u64, scale: f64) -> f64 {
    let u: f64 = ChaCha8Rng::seed_from_u64(seed).random::<f64>() - 0.5;
    // 1 - 2|u| is in [0, 1]; its logarithm stays finite.
    -scale * u.signum() * (1.0 - 2.0 * u.abs()).max(f64::MIN_POSITIVE).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(rule: &Thresholdout, validation: Option<f64>, gain: f64, question: u64, memory: &Memory) -> Reply {
        rule.answer(&Heard::for_test(1.0, HeardEffect::new(validation, gain, 0.1), 0.05, question), memory)
    }

    /// Mean 0 and mean size `scale`, as a Laplace number has; and the same again for the same seed.
    #[test]
    fn the_noise_is_laplace() {
        let n = 20_000;
        let draws: Vec<f64> = (0..n).map(|i| laplace(i, 3.0)).collect();
        let (mean, size) =
            (crate::stats::mean(&draws), draws.iter().map(|x| x.abs()).sum::<f64>() / n as f64);
        // Standard deviations of both means: 3·√2/√n and 3/√n.
        assert!(mean.abs() < 0.13 && (size - 3.0).abs() < 0.1, "{mean} {size}");
        assert_eq!(laplace(5, 3.0), draws[5]);
        assert_eq!(laplace(5, 0.0), 0.0);
    }

    #[test]
    fn agreement_releases_validation_and_overfitting_the_holdout() {
        let (rule, memory) = (Thresholdout::new(0.3, 0.0), Memory::default());
        // Agreed: .5 is released, five errors above 0; the held-out gain alone would be 2.
        assert_eq!(ask(&rule, Some(0.5), 0.2001, 1, &memory), Reply::new(vec![true]));
        // Apart: the held-out gain decides, whichever of both is larger.
        let detected = |passed| Reply { detected: 1, ..Reply::new(vec![passed]) };
        assert_eq!(ask(&rule, Some(0.5), 0.1, 1, &memory), detected(false));
        assert_eq!(ask(&rule, Some(0.5), 0.9, 1, &memory), detected(true));
        // Unknown validation agrees with nothing.
        assert_eq!(ask(&rule, None, 0.9, 1, &memory), detected(true));
        let scaled = Thresholdout::in_standard_errors(3.1, 0.0);
        assert_eq!(ask(&scaled, Some(0.5), 0.2, 1, &memory).detected, 0);
        assert_eq!(Thresholdout::new(f64::NAN, -1.0), Thresholdout::new(0.0, 0.0));
    }

    /// The threshold stays from question to question, and is drawn anew after a detection.
    #[test]
    fn noise_depends_on_question_and_detections() {
        let rule = Thresholdout::new(0.3, 0.1);
        let bits = |detected: u64| -> Vec<u64> {
            let memory = Memory { detected, ..Memory::default() };
            (0..200).map(|question| ask(&rule, Some(0.5), 0.2, question, &memory).detected).collect()
        };
        assert_eq!(bits(0), bits(0));
        assert_ne!(bits(0), bits(1));
        assert!(bits(0).contains(&0) && bits(0).contains(&1));
    }
}
