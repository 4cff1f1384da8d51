//! Several proposers, of whom those are asked more whose proposals earn more.

use super::{Fate, Proposal, ProposeContext, ProposeError, Proposed, Proposer, TrialRecord};
use crate::arm::ProposalId;
use crate::candidate::Candidate;
use crate::compose::Compose;
use crate::state::mix;
use async_trait::async_trait;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{Beta, ContinuousCDF};
use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;

/// What was settled longer ago than that many proposals no longer sways who is asked.
const WINDOW: usize = 200;
/// How a proposal is marked with who made it.
const MARK: &str = "by:";

/// Several proposers, of whom those are asked more whose proposals earn more. Made by
/// [`ProposerExt::portfolio`](super::ProposerExt::portfolio).
///
/// A bandit: a proposal earns its effect while it is kept, and nothing otherwise. With `n` proposals of a member settled
/// that earned `s` in all, in units of the largest effect that any earned, its worth is drawn from
/// Beta(1 + s, 1 + n − s), and the largest draw is asked (Thompson sampling; Agrawal and Goyal 2012, for rewards
/// between 0 and 1). Only the last 200 settled proposals count (a sliding window, Trovò et al. 2020): what earned at
/// first need not later on. Which member is asked follows from the history and [`ProposeContext::seed`].
///
/// A proposal is marked with the tag `by:name`; by that the portfolio knows its own after a restart. A member is told
/// of everything that is settled, whoever proposed it, and its [`ProposeContext::proposals`] counts its own.
///
/// Members must make candidates that merge in the same way: the composer is that of the first who has one.
///
/// Where several proposals are wanted, members are asked for one after the other, each knowing those before it. A member
/// that waits or fails is passed over for this answer. One that is exhausted is asked again when something
/// has been kept, since a changed incumbent may have given it something to try. The portfolio is exhausted when all
/// members are and nothing is being judged; it fails when nobody answers and at least one failed.
///
/// ```
/// use autoresearch_core::{testkit, LocalSearch, ParamSet, ParamSpace, ProposerExt, RandomSearch};
/// let space = ParamSpace::new().float("x", 0.0..=1.0).float("y", 0.0..=1.0);
/// let proposer = LocalSearch::over(space.clone())
///     .portfolio("local")
///     .with("random", RandomSearch::over(space));
/// let start = ParamSet::new().with("x", 0.9).with("y", 0.9);
/// let loss = |set: &ParamSet, _| set.float("x").unwrap().powi(2) + set.float("y").unwrap().powi(2);
/// let played = testkit::play(proposer, start, 100, loss);
/// assert!(loss(played.incumbent(), 0) < 0.1);
/// let by_local = |p: &&String| *p == "by:local";
/// assert!(played.history().iter().any(|t| t.proposal.hypothesis.tags.iter().find(by_local).is_some()));
/// ```
///
/// # Cancel safety
/// That of the members.
pub struct Portfolio<C: Candidate> {
    members: Vec<Member<C>>,
    /// The latest settled proposals of the members, oldest first.
    recent: VecDeque<Earned>,
    /// All of them: a proposal that is settled again is counted once.
    known: HashSet<ProposalId>,
}

struct Member<C: Candidate> {
    mark: String,
    proposer: Box<dyn Proposer<C>>,
    exhausted: bool,
    /// Proposals of its that were settled, each counted once.
    settled: u64,
}

struct Earned {
    proposal: ProposalId,
    member: usize,
    gain: f64,
}

impl<C: Candidate> fmt::Debug for Portfolio<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.members.iter().map(|m| &m.mark)).finish()
    }
}

impl<C: Candidate> Portfolio<C> {
    pub(super) fn of(name: impl Into<String>, first: impl Proposer<C> + 'static) -> Self {
        Self { members: Vec::new(), recent: VecDeque::new(), known: HashSet::new() }.with(name, first)
    }

    /// Adds a member. Names tell members apart after a restart; one that is taken gets a number.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, proposer: impl Proposer<C> + 'static) -> Self {
        let name = name.into();
        let taken = |mark: &str| self.members.iter().any(|m| m.mark == mark);
        let mark = format!("{MARK}{name}");
        let numbered = (2..).map(|i| format!("{MARK}{name} {i}"));
        let mark = std::iter::once(mark).chain(numbered).find(|mark| !taken(mark)).unwrap_or_default();
        self.members.push(Member { mark, proposer: Box::new(proposer), exhausted: false, settled: 0 });
        self
    }

    fn made(&self, proposal: &Proposal<C>) -> Option<usize> {
        let tags = &proposal.hypothesis.tags;
        // The last mark: a portfolio within a portfolio has marked it before.
        tags.iter().rev().find_map(|tag| self.members.iter().position(|m| m.mark == *tag))
    }

    /// What each of those that are `open` is worth, as the parameters of a Beta distribution.
    fn worth(&self, open: &[usize]) -> Vec<(usize, f64, f64)> {
        let largest = self.recent.iter().map(|e| e.gain).fold(0.0, f64::max);
        let of = |member: &usize| {
            let own = self.recent.iter().filter(|e| e.member == *member);
            let (n, sum) = own.fold((0.0, 0.0), |(n, sum), e| (n + 1.0, sum + e.gain));
            let share = if largest > 0.0 { sum / largest } else { 0.0 };
            (*member, 1.0 + share, 1.0 + n - share)
        };
        open.iter().map(of).collect()
    }
}

/// Draws who is asked for the proposal of this number.
///
/// A draw depends on the member and the number alone, so that it makes no difference whether a member is known to be
/// exhausted or says so when it is asked: after a restart it is not known.
fn draw(worth: &[(usize, f64, f64)], number: usize, seed: u64) -> Option<usize> {
    let draws = worth.iter().map(|(member, a, b)| {
        let u: f64 = ChaCha8Rng::seed_from_u64(own_seed(seed, *member, number)).random();
        // Both parameters are at least 1, so that the distribution exists.
        (*member, Beta::new(*a, *b).map_or(u, |beta| beta.inverse_cdf(u)))
    });
    draws.max_by(|x, y| x.1.total_cmp(&y.1)).map(|(member, _)| member)
}

/// A member's randomness for a proposal of this number.
fn own_seed(seed: u64, member: usize, number: usize) -> u64 {
    mix(mix(seed, member as u64), number as u64)
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<C: Candidate> Proposer<C> for Portfolio<C> {
    async fn propose(&mut self, cx: ProposeContext<'_, C>) -> Result<Proposed<C>, ProposeError> {
        let wanted = cx.wanted.max(1);
        let open: Vec<usize> = (0..self.members.len()).filter(|i| !self.members[*i].exhausted).collect();
        let mut worth = self.worth(&open);
        let (mut made, mut failure, mut unaffordable): (Vec<Proposal<C>>, _, _) = (Vec::new(), None, None);
        let mut waits = false;
        let mut pending = cx.pending.clone();
        // One after the other: who is asked for the second may not depend on whether the first had to be drawn again.
        while made.len() < wanted
            && let Some(i) = draw(&worth, made.len(), cx.seed)
        {
            let waiting = pending.iter().filter(|p| self.made(p) == Some(i)).count() as u64;
            let member = &mut self.members[i];
            let mut own = cx.clone();
            (own.wanted, own.pending) = (1, pending.clone());
            own.proposals = member.settled + waiting;
            own.seed = mix(own_seed(cx.seed, i, made.len()), 1);
            match member.proposer.propose(own).await {
                Ok(Proposed::Proposals(proposals)) if !proposals.is_empty() => {
                    for proposal in proposals {
                        let proposal = proposal.tag(&member.mark);
                        pending.push(Arc::new(proposal.clone()));
                        made.push(proposal);
                    }
                    continue;
                }
                Ok(Proposed::Exhausted) => member.exhausted = true,
                Ok(Proposed::Wait | Proposed::Proposals(_)) => waits = true,
                // Others may ask for less.
                Err(error) if error.is_unaffordable() => unaffordable = unaffordable.or(Some(error)),
                Err(error) => {
                    tracing::warn!(member = member.mark, %error, "a member of the portfolio failed");
                    failure = failure.or(Some(error));
                }
            }
            worth.retain(|(other, ..)| *other != i); // not again for this answer
        }
        match (made.is_empty(), failure) {
            (false, _) => Ok(made.into()),
            (true, Some(error)) => Err(error),
            (true, None) if waits => Ok(Proposed::Wait),
            (true, None) => match unaffordable {
                Some(error) => Err(error),
                None if cx.under_way => Ok(Proposed::Wait),
                None => Ok(Proposed::Exhausted),
            },
        }
    }

    fn observe(&mut self, settled: &TrialRecord<C>) {
        if let Some(member) = self.made(&settled.proposal) {
            let kept = settled.fate == Fate::Kept;
            let gain = settled.effect.filter(|_| kept).map_or(0.0, |e| e.mean.max(0.0));
            match self.recent.iter_mut().find(|e| e.proposal == settled.id) {
                // Set aside before, and taken up again; or revoked.
                Some(earlier) => earlier.gain = gain,
                None => {
                    self.members[member].settled += u64::from(self.known.insert(settled.id));
                    self.recent.push_back(Earned { proposal: settled.id, member, gain });
                    if self.recent.len() > WINDOW {
                        self.recent.pop_front();
                    }
                }
            }
        }
        for member in &mut self.members {
            member.exhausted &= settled.fate != Fate::Kept;
            member.proposer.observe(settled);
        }
    }

    fn composer(&self) -> Option<Arc<dyn Compose<C>>> {
        self.members.iter().find_map(|member| member.proposer.composer())
    }
}
