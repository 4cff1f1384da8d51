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
    /// power of two that is not above it.
    pub fn new() -> Self {
        Self { step: None }
    }

    /// A fixed step, in the objective's units, to whose multiples losses are rounded. One that is not positive and
    /// finite is taken as not given.
    pub fn fixed(step: f64) -> Self {
        Self { step: (step.is_finite() && step > 0.0).then_some(step) }
    }

    /// The step for an effect with this standard error, and the grid of what is released.
    fn step(&self, error: f64) -> (f64, f64) {
        match self.step {
            Some(step) => (step, step),
            // Without any noise there is nothing to hide behind: the coarsest grid that tells losses apart.
            None if error > 0.0 && error.is_finite() => (error, error.log2().floor().exp2()),
            None => (0.0, 2f64.powi(-20)),
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
            let (step, grid) = self.step(effect.error);
            let released = best.unwrap_or_else(|| rounded(stack, grid));
            let loss = stack - effect.gain;
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

fn rounded(x: f64, grid: f64) -> f64 {
    let steps = (x / grid).round() * grid;
    if steps.is_finite() { steps } else { x }
}
