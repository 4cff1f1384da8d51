//! The account of the holdout's questions, shard by shard.

use super::rule::Memory;
use super::{Holdout, Release};
use crate::accept::HoldoutStatus;
use std::fmt;

/// What a shard was asked and what it answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShardLedger {
    /// Questions put to it: proposals, or factors of several.
    pub asked: u64,
    /// Those that were answered; the others are open.
    pub answered: u64,
    /// Answered with yes.
    pub yes: u64,
    /// Answers that said that validation was overfitted; of [`Thresholdout`](crate::Thresholdout).
    pub detected: u64,
    /// Questions that it was the last to turn away.
    pub refused: u64,
}

/// What the holdout was asked and what it answered: counts, and no number of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HoldoutLedger {
    /// The shards that have had their turn, in order; the last has it now.
    pub shards: Vec<ShardLedger>,
    /// How many there are in all.
    pub of: u64,
}

impl HoldoutLedger {
    /// All shards together.
    pub fn total(&self) -> ShardLedger {
        self.shards.iter().fold(ShardLedger::default(), |sum, shard| ShardLedger {
            asked: sum.asked + shard.asked,
            answered: sum.answered + shard.answered,
            yes: sum.yes + shard.yes,
            detected: sum.detected + shard.detected,
            refused: sum.refused + shard.refused,
        })
    }
}

impl fmt::Display for HoldoutLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ShardLedger { asked, answered, yes, detected, refused } = self.total();
        write!(f, "asked {asked} times and said yes {yes} times")?;
        if detected > 0 {
            write!(f, ", found validation overfitted {detected} times")?;
        }
        if asked > answered {
            write!(f, "; {} not answered yet", asked - answered)?;
        }
        if refused > 0 {
            write!(f, "; {refused} refused, its budget being spent")?;
        }
        if self.of > 1 {
            let shards: Vec<String> = self.shards.iter().map(|s| format!("{}/{}", s.yes, s.asked)).collect();
            write!(f, " (yes/asked by shard: {}; {} shards in all)", shards.join(", "), self.of)?;
        }
        Ok(())
    }
}

/// The account and the rules that it is kept by.
#[derive(Debug, Default)]
pub(crate) struct Book {
    rules: Option<Holdout>,
    shards: Vec<ShardLedger>,
    /// What the shard's rule released last.
    released: Vec<Option<f64>>,
}

impl Book {
    pub(crate) fn new(rules: Option<&Holdout>) -> Self {
        Self { rules: rules.cloned(), shards: vec![ShardLedger::default()], released: vec![None] }
    }

    pub(crate) fn ledger(&self) -> HoldoutLedger {
        match &self.rules {
            None => HoldoutLedger::default(),
            Some(rules) => HoldoutLedger { shards: self.shards.clone(), of: rules.shards },
        }
    }

    pub(crate) fn status(&self) -> HoldoutStatus {
        let Some(rules) = &self.rules else { return HoldoutStatus::Absent };
        let left = self.left_here().saturating_add(self.fresh().saturating_mul(rules.fresh_shard()));
        if left > 0 { HoldoutStatus::Open { left } } else { HoldoutStatus::Spent }
    }

    /// Takes up to `wanted` questions from the budget, all from one shard, which is given: answers to one question
    /// must not rest on two shards. A shard that has too few left for all of them gives way to the next for good.
    pub(crate) fn ask(&mut self, wanted: u64) -> (u64, u64) {
        let here = self.left_here();
        if here < wanted && self.fresh() > 0 && self.fresh_shard() > here {
            self.shards.push(ShardLedger::default());
            self.released.push(None);
        }
        let granted = self.left_here().min(wanted);
        let shard = self.shards.len() as u64 - 1;
        if let Some(now) = self.shards.last_mut() {
            now.asked += granted;
            now.refused += wanted - granted;
        }
        (shard, granted)
    }

    /// The shard has answered so many questions.
    pub(crate) fn answered(&mut self, shard: u64, questions: u64, yes: u64, release: &Release) {
        let Some(entry) = self.shards.get_mut(shard as usize) else { return };
        entry.answered += questions;
        entry.yes += yes;
        entry.detected += release.detected;
        if let Some(slot) = self.released.get_mut(shard as usize) {
            *slot = release.value.or(*slot);
        }
    }

    pub(crate) fn memory(&self, shard: u64) -> Memory {
        let at = shard as usize;
        let ShardLedger { answered, yes, detected, .. } = self.shards.get(at).copied().unwrap_or_default();
        Memory { answered, yes, detected, released: self.released.get(at).copied().flatten() }
    }

    /// What the present shard can answer, even if every open question turns out to be a detection.
    fn left_here(&self) -> u64 {
        let (Some(rules), Some(now)) = (&self.rules, self.shards.last()) else { return 0 };
        let of_budget = rules.rule.get().detections().map_or(u64::MAX, |budget| {
            budget.saturating_sub(now.detected).saturating_sub(now.asked - now.answered)
        });
        rules.queries.saturating_sub(now.asked).min(of_budget)
    }

    /// Shards that nobody has asked yet.
    fn fresh(&self) -> u64 {
        self.rules.as_ref().map_or(0, |rules| rules.shards.saturating_sub(self.shards.len() as u64))
    }

    fn fresh_shard(&self) -> u64 {
        self.rules.as_ref().map_or(0, Holdout::fresh_shard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::holdout::Thresholdout;
    use proptest::prelude::*;

    proptest! {
        /// However it is asked: no shard answers more than it may, detections stay within their budget, every question
        /// is granted or refused, and it is spent when nothing is left.
        #[test]
        fn the_budget_is_kept(
            (queries, shards, budget) in (0..9u64, 1..4u64, 0..6u64),
            questions in prop::collection::vec((0..6u64, any::<u64>()), 0..40),
            detects in any::<bool>(),
        ) {
            let rules = Holdout::new().queries(queries).shards(shards);
            let rules = if detects { rules.rule(Thresholdout::new(1.0, 0.0).budget(budget)) } else { rules };
            let (mut book, mut wanted_in_all) = (Book::new(Some(&rules)), 0);
            for (wanted, luck) in questions {
                let before = book.status();
                let (shard, granted) = book.ask(wanted);
                wanted_in_all += wanted;
                prop_assert!(granted <= wanted);
                if before == HoldoutStatus::Spent {
                    prop_assert_eq!(granted, 0);
                } else {
                    prop_assert!(granted > 0 || wanted == 0, "{:?} {:?}", before, book);
                }
                let detected = if detects { luck % (granted + 1) } else { 0 };
                let release = Release { detected, value: (luck % 2 == 0).then_some(luck as f64) };
                book.answered(shard, granted, luck % (granted + 1), &release);
                let memory = book.memory(shard);
                prop_assert!(release.value.is_none() || memory.released == release.value);
            }
            let ledger = book.ledger();
            prop_assert!(ledger.shards.len() as u64 <= shards);
            for shard in &ledger.shards {
                prop_assert!(shard.asked <= queries && shard.answered == shard.asked && shard.yes <= shard.asked);
                prop_assert!(!detects || shard.detected <= budget);
            }
            prop_assert_eq!(ledger.total().asked + ledger.total().refused, wanted_in_all);
        }
    }

    /// A question larger than a shard stays where most of it can be answered; open questions count as detections.
    #[test]
    fn a_shard_that_is_as_good_as_the_next_is_not_left() {
        let mut book = Book::new(Some(&Holdout::new().queries(4).shards(2)));
        assert_eq!(book.ask(6), (0, 4));
        assert_eq!(book.status(), HoldoutStatus::Open { left: 4 });
        assert_eq!((book.ask(3), book.ask(2)), ((1, 3), (1, 1)));
        assert_eq!(book.status(), HoldoutStatus::Spent);
        assert_eq!(book.ledger().total().refused, 3);

        let rules = Holdout::new().rule(Thresholdout::new(1.0, 0.0).budget(2));
        let mut book = Book::new(Some(&rules));
        assert_eq!((book.ask(2), book.ask(1)), ((0, 2), (0, 0)));
        book.answered(0, 2, 2, &Release { detected: 1, value: None });
        assert_eq!(book.ask(5), (0, 1));
        assert_eq!(Book::new(None).status(), HoldoutStatus::Absent);
    }
}
