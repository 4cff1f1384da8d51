//! The Ladder: only what beats the best released so far gets an answer of its own.

use super::rule::{Heard, HoldoutRule, Memory, Reply};

/// The Ladder of Blum & Hardt (2015, *ICML*, PMLR 37:1006-1014): yes only if the held-out loss is below the best
/// released one by more than a step; then this loss, rounded, is the best released.
///
/// The incumbent's loss at a shard's first question is where its ladder begins. Of several factors, each in its turn
/// must take the stack of the incumbent and those before it another step down. A factor that was answered with yes
/// before, for the incumbent of now, is part of what was released, and its answer stands.
///
/// The best released loss is stored with the answer, **rounded to the step**: that number leaves the holdout by this
/// rule's design, and no other does.
///
/// The rule does not look at the policy's level: it protects the holdout against being mined, and not against seed
/// noise beyond its step. A lucky release makes the next rung harder, never easier. Do not combine with a promise of
/// a false discovery rate that rests on the holdout.
///
/// ```
/// use autoresearch_core::{Heard, HeardEffect, HoldoutRule, Ladder, Memory};
/// let rule = Ladder::fixed(0.5);
/// let ask = |gain| Heard::for_test(10.0, HeardEffect::new(None, gain, 0.1), 0.05, 1);
/// let reply = rule.answer(&ask(0.4), &Memory::default());
/// assert!(!reply.passed[0] && reply.released == Some(10.0));
/// let reply = rule.answer(&ask(0.8), &Memory::default());
/// assert!(reply.passed[0] && reply.released == Some(9.0)); // 9.2, to the nearest half
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ladder {
    step: Option<f64>,
}

impl Default for Ladder {
    fn default() -> Self {
        Self::new()
    }
}

impl Ladder {
    /// Parameter-free: the step is the standard error of the gain in question, and losses are rounded to the largest
    /// power of two that is not above it. Where no noise is known at all, losses are rounded to three digits.
    pub fn new() -> Self {
        Self { step: None }
    }

    /// A fixed step, in the objective's units, to whose multiples losses are rounded. One that is not positive and
    /// finite is taken as not given.
    pub fn fixed(step: f64) -> Self {
        Self { step: (step.is_finite() && step > 0.0).then_some(step) }
    }

    /// The step for an effect with this standard error, and the grid on which a loss like this is released.
    fn step(&self, error: f64, loss: f64) -> (f64, f64) {
        match self.step {
            Some(step) => (step, step),
            None if error > 0.0 && error.is_finite() => (error, power_of_two(error)),
            // Any step is one where nothing is known of the noise; about three digits of the loss are let out.
            None => (error, power_of_two(loss.abs()) / 1024.0),
        }
    }
}

impl HoldoutRule for Ladder {
    fn describe(&self) -> String {
        format!("{self:?}")
    }

    fn answer(&self, question: &Heard, memory: &Memory) -> Reply {
        let effects = question.effects();
        let mut best = memory.released;
        let confirmed: f64 = effects.iter().filter(|e| e.confirmed).map(|e| e.gain).sum();
        let mut stack = question.reference() - confirmed;
        let mut passed = Vec::with_capacity(effects.len());
        for effect in effects {
            if effect.confirmed {
                passed.push(true);
                continue;
            }
            let loss = stack - effect.gain;
            let (step, grid) = self.step(effect.error, loss);
            let released = best.unwrap_or_else(|| rounded(stack, grid));
            let yes = loss < released - step;
            if yes {
                stack = loss;
            }
            best = Some(if yes { rounded(loss, grid) } else { released });
            passed.push(yes);
        }
        Reply { released: best, ..Reply::new(passed) }
    }
}

/// The largest that is not above `x`.
fn power_of_two(x: f64) -> f64 {
    x.log2().floor().exp2()
}

/// To the nearest multiple; what is so small against its grid that nothing is left becomes 0.
fn rounded(x: f64, grid: f64) -> f64 {
    let multiple = (x / grid).round() * grid;
    if multiple.is_finite() { multiple } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::holdout::HeardEffect;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn of(effects: Vec<HeardEffect>) -> Heard {
        Heard { effects, ..Heard::for_test(10.0, HeardEffect::new(None, 0.0, 0.0), 0.05, 1) }
    }

    #[test]
    fn factors_climb_one_after_the_other() {
        let effect = |gain| HeardEffect::new(None, gain, 0.3);
        let question = of(vec![effect(0.8), effect(0.4), effect(1.2)]);
        let reply = Ladder::fixed(0.5).answer(&question, &Memory::default());
        // 10 → 9.2, released as 9; 8.8 is less than a step below; 9.2 - 1.2 = 8 is not.
        assert_eq!(reply, Reply { released: Some(8.0), ..Reply::new(vec![true, false, true]) });
        // Asked again: what was confirmed stands, costs nothing, and is below the others.
        let before = HeardEffect { confirmed: true, ..effect(0.8) };
        let memory = Memory { released: Some(9.0), ..Memory::default() };
        let reply = Ladder::fixed(0.5).answer(&of(vec![effect(0.4), before, effect(1.0)]), &memory);
        assert_eq!(reply, Reply { released: Some(8.0), ..Reply::new(vec![false, true, true]) });
    }

    #[test]
    fn without_a_step_the_standard_error_is_one() {
        let ask = |gain, error| {
            Ladder::new().answer(&of(vec![HeardEffect::new(None, gain, error)]), &Memory::default())
        };
        let reply = ask(0.25, 0.3);
        assert_eq!(reply, Reply { released: Some(10.0), ..Reply::new(vec![false]) });
        let reply = ask(0.4, 0.3); // 9.6, to the nearest quarter
        assert_eq!(reply, Reply { released: Some(9.5), ..Reply::new(vec![true]) });
        assert!(ask(1e-3, 0.0).passed[0] && !ask(0.0, 0.0).passed[0] && !ask(9.0, f64::INFINITY).passed[0]);
        assert_eq!([0.0, -1.0, f64::NAN].map(Ladder::fixed), [Ladder::new(); 3]);
    }

    /// The boosting attack of the paper: random guesses, and the majority of those that were reported to be better.
    /// With every loss disclosed its loss on the holdout is far below one half; what the Ladder says leads nowhere.
    #[test]
    fn mining_it_leads_nowhere() {
        let (n, guesses) = (400, 600);
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mut guess = || -> Vec<bool> { (0..n).map(|_| rng.random()).collect() };
        let truth = guess();
        let loss = |g: &[bool]| g.iter().zip(&truth).filter(|(a, b)| a != b).count() as f64 / n as f64;
        let mut memory = Memory::default();
        let (mut disclosed, mut reported) = (Vec::new(), Vec::new());
        for _ in 0..guesses {
            let one = guess();
            // Two guesses differ on half of the units: a standard error of √(1/2)/√n.
            let effect = HeardEffect::new(None, 0.5 - loss(&one), (0.5 / n as f64).sqrt());
            let question = Heard { reference: 0.5, ..of(vec![effect]) };
            let reply = Ladder::new().answer(&question, &memory);
            memory = Memory { released: reply.released, ..memory };
            if reply.passed[0] {
                reported.push(one.clone());
            }
            if loss(&one) < 0.5 {
                disclosed.push(one);
            }
        }
        let majority = |all: &[Vec<bool>]| -> Vec<bool> {
            (0..n).map(|i| 2 * all.iter().filter(|g| g[i]).count() > all.len()).collect()
        };
        assert!(loss(&majority(&disclosed)) < 0.3);
        let best = memory.released.expect("the best so far");
        // Every rung is a standard error or more; the best of 600 guesses is three below one half.
        assert!(
            reported.len() <= 4 && best > 0.5 - 4.0 * 0.5 / (n as f64).sqrt(),
            "{} {best}",
            reported.len()
        );
        assert!(loss(&majority(&reported)) > 0.4);
    }
}
