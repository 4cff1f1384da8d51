//! Several proposers, of whom those are asked more whose proposals earn more.

use super::{Fate, Proposal, ProposeContext, ProposeError, Proposed, Proposer, Taken, TrialRecord};
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
/// What a member's proposals cost is held against that of all at first, with the weight of so many.
const COST_WEIGHT: f64 = 5.0;
/// So many of a member's proposals failed one after the other: it is paused, until so many more are settled.
const FAILURES: u32 = 10;
const PAUSE: u64 = 30;
/// The share of proposals that every member is asked for, whatever it earned.
const FLOOR: f64 = 0.05;
/// How a proposal is marked with who made it.
pub(crate) const MARK: &str = "by:";

/// Several proposers, of whom those are asked more whose proposals earn more. Made by
/// [`ProposerExt::portfolio`](super::ProposerExt::portfolio).
///
/// A bandit: a proposal earns its effect while it is kept, or in the stack of a policy that scouts ahead, and nothing
/// otherwise. With `n` proposals of a member settled
/// that earned `s` in all, in units of the largest effect that any earned, its worth is drawn from
/// Beta(1 + s, 1 + n − s), and who has the largest draw per run that its proposals cost is asked (Thompson sampling;
/// Agrawal and Goyal 2012, for rewards between 0 and 1). Besides, each member is asked for one proposal of twenty
/// ([`floor`](Self::floor)). Only the last 200 settled proposals count (a sliding window, Trovò et al. 2020): what earned at
/// first need not later on. Which member is asked follows from the history and [`ProposeContext::seed`].
///
/// A proposal is marked with the tag `by:name`; by that the portfolio knows its own after a restart. A member is told
/// of everything that is settled, whoever proposed it, and its [`ProposeContext::proposals`] counts its own.
///
/// Members must make candidates that merge in the same way: the composer is that of the first who has one.
///
/// Where several proposals are wanted, members are asked for one after the other, each knowing those before it. A member
/// that waits or fails is passed over for this answer. One that is exhausted is asked again when something
/// has been kept, since a changed incumbent may have given it something to try. One whose last ten proposals all failed
/// is paused until thirty more are settled or something is kept, and then for as long again if it fails once
/// more; a remark in the study's history says so. The portfolio is exhausted when all
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
    floor: f64,
}

struct Member<C: Candidate> {
    mark: String,
    proposer: Box<dyn Proposer<C>>,
    exhausted: bool,
    /// Proposals of its that were settled, each counted once.
    settled: u64,
    /// How many of its proposals failed one after the other, up to the latest.
    failures: u32,
    /// It is passed over until so many proposals are settled in all.
    paused: u64,
    /// The pause that was told of last. What is known of pauses comes from the history, and may be of long ago.
    told: u64,
}

#[derive(Clone, Copy)]
struct Earned {
    proposal: ProposalId,
    member: usize,
    gain: f64,
    runs: f64,
}

impl<C: Candidate> fmt::Debug for Portfolio<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.members.iter().map(|m| &m.mark)).finish()
    }
}

impl<C: Candidate> Portfolio<C> {
    pub(super) fn of(name: impl Into<String>, first: impl Proposer<C> + 'static) -> Self {
        let (members, recent, known) = (Vec::new(), VecDeque::new(), HashSet::new());
        Self { members, recent, known, floor: FLOOR }.with(name, first)
    }

    /// Adds a member. Names tell members apart after a restart; one that is taken gets a number.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, proposer: impl Proposer<C> + 'static) -> Self {
        let name = name.into();
        let taken = |mark: &str| self.members.iter().any(|m| m.mark == mark);
        let mark = format!("{MARK}{name}");
        let numbered = (2..).map(|i| format!("{MARK}{name} {i}"));
        let mark = std::iter::once(mark).chain(numbered).find(|mark| !taken(mark)).unwrap_or_default();
        self.members.push(Member {
            mark,
            proposer: Box::new(proposer),
            exhausted: false,
            settled: 0,
            failures: 0,
            paused: 0,
            told: 0,
        });
        self
    }

    /// The share of proposals, from 0 to 1 over the number of members, that every member is asked for whatever it earned
    /// (default .05; for more than 20 members what all of them together can have).
    #[must_use]
    pub fn floor(mut self, share: f64) -> Self {
        self.floor = share;
        self
    }

    /// Those that are paused, by name.
    pub fn paused(&self) -> impl Iterator<Item = &str> + '_ {
        let is_paused = |m: &&Member<C>| self.is_paused(m);
        self.members.iter().filter(is_paused).map(|m| m.mark.trim_start_matches(MARK))
    }

    fn is_paused(&self, member: &Member<C>) -> bool {
        member.paused > self.known.len() as u64
    }

    /// Counts failures in a row, and pauses who only fails.
    fn note(&mut self, member: usize, fate: Fate) {
        let settled = self.known.len() as u64;
        if fate == Fate::Kept {
            self.members.iter_mut().for_each(|m| m.paused = 0);
        }
        let member = &mut self.members[member];
        member.failures = if fate == Fate::Failed { member.failures + 1 } else { 0 };
        if member.failures >= FAILURES && member.paused <= settled {
            member.paused = settled + PAUSE;
        }
    }

    fn made(&self, proposal: &Proposal<C>) -> Option<usize> {
        let tags = &proposal.hypothesis.tags;
        // The last mark: a portfolio within a portfolio has marked it before.
        tags.iter().rev().find_map(|tag| self.members.iter().position(|m| m.mark == *tag))
    }

    /// What was earned lately: by what was settled, and by what an unproven stack has taken up.
    fn earned(&self, taken: &[Taken<C>]) -> Vec<Earned> {
        let oldest = self.recent.front().filter(|_| self.recent.len() == WINDOW).map(|e| e.proposal);
        let recent = taken.iter().filter(|t| oldest.is_none_or(|oldest| t.id > oldest));
        let of = |t: &Taken<C>| {
            let (gain, runs) = (t.effect.mean.max(0.0), f64::from(t.effect.runs));
            Some(Earned { proposal: t.id, member: self.made(&t.proposal)?, gain, runs })
        };
        let unsettled: Vec<Earned> = recent.filter_map(of).collect();
        let is_settled = |e: &&Earned| unsettled.iter().all(|u| u.proposal != e.proposal);
        let settled: Vec<Earned> = self.recent.iter().filter(is_settled).copied().collect();
        settled.into_iter().chain(unsettled).collect()
    }

    /// What each of those that are `open` is worth.
    fn worth(&self, open: &[usize], taken: &[Taken<C>]) -> Vec<Worth> {
        let recent = self.earned(taken);
        let largest = recent.iter().map(|e| e.gain).fold(0.0, f64::max);
        let runs: f64 = recent.iter().map(|e| e.runs).sum();
        let usual = if runs > 0.0 { runs / recent.len() as f64 } else { 1.0 };
        let of = |&member: &usize| {
            let own = recent.iter().filter(|e| e.member == member);
            let (n, sum, runs) = own.fold((0.0, 0.0, 0.0), |(n, s, r), e| (n + 1.0, s + e.gain, r + e.runs));
            let share = if largest > 0.0 { sum / largest } else { 0.0 };
            let cost = (runs + COST_WEIGHT * usual) / (n + COST_WEIGHT);
            Worth { member, a: 1.0 + share, b: 1.0 + n - share, cost }
        };
        open.iter().map(of).collect()
    }
}

/// What a member's proposals are worth, as the parameters of a Beta distribution, and what one costs in runs.
struct Worth {
    member: usize,
    a: f64,
    b: f64,
    cost: f64,
}

/// Draws who is asked for the proposal of this number.
///
/// A draw depends on the member and the number alone, so that it makes no difference whether a member is known to be
/// exhausted or says so when it is asked: after a restart it is not known. For the same reason each has a draw of its
/// own for its floor.
fn draw(worth: &[Worth], floor: f64, number: usize, seed: u64) -> Option<usize> {
    let draws = worth.iter().map(|Worth { member, a, b, cost }| {
        let mut rng = ChaCha8Rng::seed_from_u64(own_seed(seed, *member, number));
        let (u, owed): (f64, f64) = (rng.random(), rng.random());
        // Both parameters are at least 1, so that the distribution exists.
        let value = Beta::new(*a, *b).map_or(u, |beta| beta.inverse_cdf(u)) / cost;
        // Whose turn it is by its floor comes before all others.
        (*member, owed < floor, value)
    });
    draws.max_by(|x, y| x.1.cmp(&y.1).then(x.2.total_cmp(&y.2))).map(|(member, ..)| member)
}

fn own_seed(seed: u64, member: usize, number: usize) -> u64 {
    mix(mix(seed, member as u64), number as u64)
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<C: Candidate> Proposer<C> for Portfolio<C> {
    async fn propose(&mut self, cx: ProposeContext<'_, C>) -> Result<Proposed<C>, ProposeError> {
        let wanted = cx.wanted.max(1);
        let open: Vec<usize> = (0..self.members.len()).filter(|i| !self.members[*i].exhausted).collect();
        let settled = self.known.len() as u64;
        for member in self.members.iter_mut().filter(|m| m.paused > settled && m.paused != m.told) {
            member.told = member.paused;
            let name = member.mark.trim_start_matches(MARK);
            let failed = format!("{name} is paused: its last {} proposals failed", member.failures);
            tracing::warn!("{failed}");
            cx.remark(format!("{failed}; it is asked again after {PAUSE} more are settled"));
        }
        let awake: Vec<usize> =
            open.iter().filter(|i| !self.is_paused(&self.members[**i])).copied().collect();
        // Where all who have something to say are paused, they are asked all the same.
        let mut worth = self.worth(if awake.is_empty() { &open } else { &awake }, &cx.taken);
        let (mut made, mut failure, mut unaffordable): (Vec<Proposal<C>>, _, _) = (Vec::new(), None, None);
        let mut waits = false;
        let mut pending = cx.pending.clone();
        // One after the other: who is asked for the second may not depend on whether the first had to be drawn again.
        while made.len() < wanted
            && let Some(i) = draw(&worth, self.floor, made.len(), cx.seed)
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
            worth.retain(|other| other.member != i); // not again for this answer
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
            let runs = f64::from(settled.runs);
            match self.recent.iter_mut().find(|e| e.proposal == settled.id) {
                // Set aside before, and taken up again; or revoked.
                Some(earlier) => (earlier.gain, earlier.runs) = (gain, runs),
                None => {
                    self.members[member].settled += u64::from(self.known.insert(settled.id));
                    self.recent.push_back(Earned { proposal: settled.id, member, gain, runs });
                    if self.recent.len() > WINDOW {
                        self.recent.pop_front();
                    }
                }
            }
            self.note(member, settled.fate);
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
