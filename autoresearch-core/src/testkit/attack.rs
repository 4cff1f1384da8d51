//! Mining a split by its answers: the boosting attack of Blum & Hardt, and honest guessing to compare it with.

use crate::accept::Acceptor;
use crate::checks::{CheckReport, Checks, Concern};
use crate::holdout::Holdout;
use crate::limits::{Limits, StopReason};
use crate::measure::Measurement;
use crate::propose::{Fate, Proposal, ProposeContext, ProposeError, Proposed, Proposer, TrialRecord};
use crate::state::{Action, Settings, StateError, StudyState, mix};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One that labels documents: right on a share of them that its skill says, independently of all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voter {
    /// Which one.
    pub seed: u64,
    /// 64ths of the documents that it gets right: 32 is chance, on any split.
    pub skill: u8,
    /// Whether it says the opposite.
    pub flipped: bool,
}

impl Voter {
    /// One that guesses.
    pub fn guessing(seed: u64) -> Self {
        Self { seed, skill: 32, flipped: false }
    }

    /// Which of 64 documents it gets right.
    fn right(self, split: u64, word: u64) -> u64 {
        let at = mix(mix(self.seed, split), word);
        // A probability in binary digits, the least first: a random bit halves it, or halves the way to 1.
        let digits = (0..6).fold(0, |right, digit| {
            let random = mix(at, digit);
            if self.skill >> digit & 1 == 1 { random | right } else { random & right }
        });
        let right = if self.skill >= 64 { u64::MAX } else { digits };
        if self.flipped { !right } else { right }
    }
}

/// A majority vote on two labels. Nobody at all tosses a coin: a loss of one half on every document.
pub type Votes = Vec<Voter>;

/// Measures votes on one split: a loss of 0 or 1 a document, one half where votes are tied.
///
/// # Panics
/// There are no documents.
pub fn measure(votes: &Votes, split: u64, documents: usize) -> Measurement {
    let mut losses = Vec::with_capacity(documents);
    for word in 0..documents.div_ceil(64) as u64 {
        // Counts of 64 documents at once, bit by bit.
        let mut planes = [0_u64; 16];
        for voter in votes {
            let mut carry = voter.right(split, word);
            for plane in &mut planes {
                (*plane, carry) = (*plane ^ carry, *plane & carry);
            }
        }
        for bit in 0..64.min(documents - 64 * word as usize) {
            let count: usize =
                planes.iter().enumerate().map(|(power, plane)| ((plane >> bit & 1) as usize) << power).sum();
            losses.push(match (2 * count).cmp(&votes.len()) {
                std::cmp::Ordering::Greater => 0.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 1.0,
            });
        }
    }
    Measurement::new(losses).unwrap_or_else(|e| panic!("a split of {documents} documents: {e}"))
}

/// How a [`Miner`] goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mining {
    /// The boosting attack: random voters, those that beat chance on validation are put together by majority.
    Boosting,
    /// The same, and the others vote the other way round: all answers are used.
    BoostingBothWays,
    /// No attack: every proposal is a voter of its own, whatever the answers were.
    Guessing,
    /// No attack, and something to be found: of its voters a tenth get 35 to 39 of 64 right, half get 24 to 31.
    Trying,
}

/// A proposer of votes. The boosting attack is that of Blum & Hardt (2015, *The Ladder: A Reliable Leaderboard for
/// Machine Learning Competitions*, arXiv 1502.04585): with `k` answers on `n` documents it gains `sqrt(k/n)` on them, and
/// nothing on any others. Every sixteenth of its proposals is the vote so far; the others are new voters.
///
/// It knows what every proposer knows: the effects in the history. It goes by proposals that are judged one by one against
/// the incumbent of their time, as [`Greedy`](crate::Greedy) does, on a split without run noise.
#[derive(Debug)]
pub struct Miner {
    mining: Mining,
    /// The loss of the incumbent.
    incumbent: f64,
    voters: Votes,
    made: u64,
}

const VOTES_EVERY: u64 = 16;

impl Miner {
    /// Begins at a baseline that tosses coins.
    pub fn new(mining: Mining) -> Self {
        Self { mining, incumbent: 0.5, voters: Votes::new(), made: 0 }
    }

    /// The next proposal; `seed` decides its randomness.
    pub fn next(&mut self, seed: u64) -> Votes {
        self.made += 1;
        let boosts = matches!(self.mining, Mining::Boosting | Mining::BoostingBothWays);
        if boosts && self.made.is_multiple_of(VOTES_EVERY) && !self.voters.is_empty() {
            return self.voters.clone();
        }
        let kind = mix(seed, 1) % 100;
        let skill = match self.mining {
            Mining::Trying if kind < 10 => 35 + (mix(seed, 2) % 5) as u8,
            Mining::Trying if kind < 60 => 24 + (mix(seed, 2) % 8) as u8,
            _ => 32,
        };
        vec![Voter { skill, ..Voter::guessing(mix(seed, 3)) }]
    }

    /// Learns from what validation said.
    fn learn(&mut self, settled: &TrialRecord<Votes>) {
        let Some(effect) = settled.effect else { return };
        let loss = self.incumbent - effect.mean;
        if settled.fate == Fate::Kept {
            self.incumbent = loss;
        }
        if let [voter] = *settled.proposal.candidate {
            match self.mining {
                _ if loss < 0.5 => self.voters.push(voter),
                Mining::BoostingBothWays => self.voters.push(Voter { flipped: !voter.flipped, ..voter }),
                _ => {}
            }
        }
    }
}

#[async_trait]
impl Proposer<Votes> for Miner {
    async fn propose(&mut self, cx: ProposeContext<'_, Votes>) -> Result<Proposed<Votes>, ProposeError> {
        Ok(Proposal::new(self.next(cx.seed)).into())
    }

    fn observe(&mut self, settled: &TrialRecord<Votes>) {
        self.learn(settled);
    }
}

/// What a miner's study came to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Mined {
    /// What the checks raised, with the number of proposals made by then.
    pub concerns: Vec<(Concern, u64)>,
    /// What they found.
    pub checks: CheckReport,
    /// Proposals made.
    pub proposals: u64,
    /// Why it ended.
    pub stopped: StopReason,
}

/// Plays a study of votes: so many proposals on so many documents, with a holdout of as many documents as it is told.
///
/// ```
/// use autoresearch_core::testkit::attack::{Miner, Mining, mine};
/// use autoresearch_core::{Checks, Greedy};
/// let attack = mine(Miner::new(Mining::BoostingBothWays), Greedy::new(), 199, (2_000, 20_000), 1, Checks::new())?;
/// assert!(attack.checks.gap.unwrap().flagged_at.is_some());
/// # Ok::<(), autoresearch_core::StateError>(())
/// ```
///
/// # Errors
/// What the state machine refuses; none is expected.
pub fn mine(
    mut miner: Miner,
    acceptor: impl Acceptor + 'static,
    proposals: u64,
    documents: (usize, usize),
    seed: u64,
    mut checks: Checks,
) -> Result<Mined, StateError> {
    let settings = Settings::new().limits(Limits::new().proposals(proposals)).seed(seed);
    let settings = settings.holdout(Holdout::new().queries(u64::MAX));
    let mut study = StudyState::new(Votes::new(), acceptor, settings)?;
    let (mut observed, mut concerns) = (0, Vec::new());
    // The two splits of this seed's world.
    let splits = [mix(seed, 0xA77A), mix(seed, 0xA77B)];
    let stopped = loop {
        while let Some(settled) = study.history().get(observed) {
            miner.learn(settled);
            observed += 1;
        }
        match study.next_action() {
            Action::Propose { .. } => {
                let next = miner.next(mix(study.view().seed, seed));
                study.proposed(Proposal::new(next))?;
            }
            Action::Run(run) => {
                study.finished(run.id, Ok(measure(&run.candidate, splits[0], documents.0)))?;
            }
            Action::AskHoldout(query) => {
                // The incumbent's runs come again and again: a candidate is measured once a question.
                let mut known: BTreeMap<_, Measurement> = BTreeMap::new();
                let held = query.runs.iter().map(|run| {
                    let measured = known.entry((run.version, &run.arm));
                    measured.or_insert_with(|| measure(&run.candidate, splits[1], documents.1)).clone().into()
                });
                let held: Vec<_> = held.collect();
                let concern = checks.held_out(&query, &held);
                concerns.extend(concern.map(|concern| (concern, study.proposals())));
                study.held_out(query.id, held)?;
            }
            Action::Wait => return Err(StateError::NotAsked),
            Action::Stop(reason) => break reason,
        }
        for event in study.take_events() {
            concerns.extend(checks.heard(&event).into_iter().map(|concern| (concern, study.proposals())));
        }
        checks.release(|run| study.needs_output(run));
    };
    for event in study.take_events() {
        concerns.extend(checks.heard(&event).into_iter().map(|concern| (concern, study.proposals())));
    }
    Ok(Mined { concerns, checks: checks.report(), proposals: study.proposals(), stopped })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voters_are_right_as_often_as_their_skill_says() {
        for skill in [0, 1, 24, 32, 39, 63, 64] {
            let loss = measure(&vec![Voter { skill, ..Voter::guessing(5) }], 3, 40_000).objective();
            let expected = 1.0 - f64::from(skill) / 64.0;
            // Four standard errors of a share.
            assert!(
                (loss - expected).abs() <= 4.0 * (expected * (1.0 - expected) / 40_000.0).sqrt(),
                "{skill}"
            );
        }
    }

    #[test]
    fn votes_are_counted() {
        let voter = |skill| Voter { skill, ..Voter::guessing(1) };
        let loss = |skills: &[u8]| measure(&skills.iter().map(|s| voter(*s)).collect(), 0, 100).objective();
        assert_eq!([loss(&[]), loss(&[64]), loss(&[64, 0]), loss(&[64, 64, 0])], [0.5, 0.0, 0.5, 0.0]);
        assert_eq!(loss(&[0, 64, 0]), 1.0);
        let flipped = Voter { flipped: true, ..voter(64) };
        assert_eq!(measure(&vec![flipped], 0, 70).objective(), 1.0);
    }

    /// `sqrt(k/n)` on validation up to a factor, and nothing elsewhere.
    #[test]
    fn the_vote_gains_on_the_split_that_it_mines_alone() {
        let n = 4_000;
        let all: Votes = (0..161).map(Voter::guessing).collect();
        let chosen: Votes =
            all.iter().copied().filter(|v| measure(&vec![*v], 1, n).objective() < 0.5).collect();
        let gain = |split| 0.5 - measure(&chosen, split, n).objective();
        let error = 0.5 / (n as f64).sqrt();
        // .64·sqrt(m) standard errors for m chosen voters: a half-normal mean of .80 each, times φ(0)·2 for the vote.
        let expected = 0.64 * (chosen.len() as f64).sqrt() * error;
        assert!((gain(1) - expected).abs() < 4.0 * error, "{} {expected}", gain(1));
        assert!(gain(2).abs() < 4.0 * error);
    }
}
