//! A question is heard: on its shard, by the rule of the study.

use super::effects::{self, Question};
use super::gate;
use super::rule::{Heard, Memory, Place, Reply};
use super::{Answer, Basis, HeldOut, Holdout, Release};
use crate::accept::Claim;
use crate::measure::Direction;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Where a question is heard.
pub(crate) struct Hall<'a> {
    pub(crate) rules: &'a Holdout,
    pub(crate) direction: Direction,
    pub(crate) seed: u64,
    pub(crate) question: u64,
    pub(crate) shard: u64,
    pub(crate) memory: Memory,
}

/// Answers about one proposal. `held` are the candidate's measurements, then the incumbent's; `validation` is its gain
/// there.
///
/// # Errors
/// The runs were not measured on the same units, the shard has none, or the rule broke its contract.
pub(crate) fn decide_pair(
    hall: &Hall<'_>,
    claim: &Claim,
    held: Vec<HeldOut>,
    validation: Option<f64>,
) -> Result<(Answer, Release), String> {
    let held = hall.rules.on_shard(hall.shard, held)?;
    let (candidate, incumbent) = held.split_at(claim.candidate.len());
    let (mut heard, basis) =
        gate::hear(claim, candidate, incumbent, hall.rules, hall.direction, hall.place())?;
    heard.effects.iter_mut().for_each(|effect| effect.validation = validation);
    let reply = hall.reply(&heard)?;
    let passed = reply.passed.first().copied().unwrap_or(false);
    Ok((Answer { passed, basis }, Release { detected: reply.detected, value: reply.released }))
}

/// Answers about several factors: a bit for each, no for those that were not asked about.
///
/// # Errors
/// As [`decide_pair`].
pub(crate) fn decide_effects(
    hall: &Hall<'_>,
    question: &Question<'_>,
    held: Vec<HeldOut>,
) -> Result<(Vec<bool>, Basis, Release), String> {
    let held = hall.rules.on_shard(hall.shard, held)?;
    let (heard, factors, basis) = effects::hear(question, &held, hall.rules, hall.direction, hall.place())?;
    let mut bits = vec![false; question.asked.len()];
    // What the runs say nothing about gets a no, and never reaches the rule.
    if factors.is_empty() {
        return Ok((bits, basis, Release::default()));
    }
    let reply = hall.reply(&heard)?;
    factors.into_iter().zip(reply.passed).for_each(|(j, passed)| bits[j] = passed);
    Ok((bits, basis, Release { detected: reply.detected, value: reply.released }))
}

impl Hall<'_> {
    fn place(&self) -> Place {
        Place { seed: self.seed, question: self.question, shard: self.shard }
    }

    fn reply(&self, heard: &Heard) -> Result<Reply, String> {
        let rule = self.rules.rule.get();
        let reply = catch_unwind(AssertUnwindSafe(|| rule.answer(heard, &self.memory)));
        let reply = reply.map_err(|_| "the holdout's rule panicked".to_string())?;
        let (asked, got) = (heard.effects.len(), reply.passed.len());
        if asked != got || reply.released.is_some_and(|x| !x.is_finite()) {
            return Err(format!(
                "the holdout's rule was asked about {asked} effects and gave {got} bits (released: {:?}); it must \
                 give one for each, and release finite numbers only",
                reply.released.map(f64::is_finite)
            ));
        }
        // More detections than answers would take more from the budget than was set aside for the question.
        Ok(Reply { detected: reply.detected.min(asked as u64), ..reply })
    }
}
