//! What was learned: by source and by tag, how right predictions were, what to look at again.

use super::calibration::Calibration;
use super::curation::MOVED;
use super::{Settled, page};
use crate::arm::{ProposalId, Version};
use crate::candidate::Candidate;
use crate::propose::{Effect, Fate, History, Hypothesis, MARK, Source};
use crate::stats::student_quantile;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

/// How many near-misses are remembered.
const NEAR: usize = 20;
/// How many changes of sign are remembered, the latest.
const CHANGES: usize = 20;

/// What was learned of the ideas of a source, or under a tag.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct GroupLesson {
    /// Ideas that were tried.
    pub tried: u32,
    /// Those that are kept.
    pub kept: u32,
    /// What became of all of them.
    pub fates: BTreeMap<String, u32>,
    /// Why the latest one that failed did.
    pub last_failure: String,
    /// Runs that they took.
    pub runs: u64,
    /// The mean measured effect, in the objective's own units, positive for better; none measured: `None`.
    pub effect: Option<f64>,
    /// Its 95 % interval by Student's t; `None` for fewer than two.
    pub interval: Option<(f64, f64)>,
    /// How right the predictions were.
    pub calibration: Calibration,
    #[serde(skip)]
    sums: Sums,
}

/// An idea that was not kept, although it was measured to be better.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NearMiss {
    /// Which.
    pub proposal: ProposalId,
    /// Its title.
    pub title: String,
    /// What became of it.
    pub fate: Fate,
    /// What was measured.
    pub effect: Effect,
    /// The incumbent's version then.
    pub version: Version,
}

impl NearMiss {
    /// Whether the incumbent has moved far enough for a second look: by ten changes, after which a backlog lets it come
    /// back unless [told otherwise](crate::Curation::comes_back_after).
    pub fn is_due(&self, now: Version) -> bool {
        now.0.saturating_sub(self.version.0) >= MOVED
    }
}

/// An idea that was tried twice, and whose effect changed its sign as the incumbent moved.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SignChange {
    /// The proposal of the second time.
    pub proposal: ProposalId,
    /// Its title.
    pub title: String,
    /// The measured effect and the incumbent's version the first time.
    pub before: (f64, Version),
    /// And the second time.
    pub after: (f64, Version),
}

/// What was learned from everything that was tried. It holds nothing of holdout or test split but the fates.
///
/// ```
/// use autoresearch_core::{Effect, Fate, Lessons, Proposal, ProposalId, Settled, Source};
/// let idea = Proposal::new(()).title("warm up longer").tag("schedule").source(Source::person("Ada")).expecting(0.02);
/// let mut lessons = Lessons::new();
/// let measured = Effect::new(0.012, (0.002, 0.022), 0.95, 8, true);
/// lessons.settled(&Settled::new(ProposalId(1), &idea.hypothesis, Fate::Kept, 9).effect(Some(measured)));
/// assert_eq!(lessons.tag("schedule").map(|group| (group.tried, group.kept)), Some((1, 1)));
/// assert!(lessons.page().contains("Ada"));
/// ```
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Lessons {
    /// By source, as it is written; of what a portfolio's member proposed and names no source, by that member.
    pub sources: BTreeMap<String, GroupLesson>,
    /// By tag.
    pub tags: BTreeMap<String, GroupLesson>,
    /// The best ideas that were not kept, the largest measured effect per its error first.
    pub near_misses: Vec<NearMiss>,
    /// Ideas whose effect changed its sign, the latest last.
    pub sign_changes: Vec<SignChange>,
    /// The incumbent's version when the latest idea was settled.
    pub version: Version,
    /// What was counted of those that may be settled once more.
    #[serde(skip)]
    open: HashMap<ProposalId, (Fate, Option<Effect>, u32)>,
    /// By a hash of the title, so that an idea takes a few words: the latest measured effect.
    #[serde(skip)]
    measured: HashMap<u64, (f64, Version)>,
}

impl Lessons {
    /// Nothing learned yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was learned in a study: of all that it settled, such as
    /// [`StudyState::history`](crate::StudyState::history) and [`ProposeContext::history`](crate::ProposeContext::history)
    /// hold. It takes time for all of them; a proposer that wants it at each call feeds a `Lessons` of its own from
    /// [`Proposer::observe`](crate::Proposer::observe).
    pub fn of<C: Candidate>(history: &History<C>) -> Self {
        let mut lessons = Self::new();
        history.iter().for_each(|record| lessons.settled(&record.into()));
        lessons
    }

    /// Whether there is nothing to tell: no source, no tag, no near-miss and no change of sign.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
            && self.tags.is_empty()
            && self.near_misses.is_empty()
            && self.sign_changes.is_empty()
    }

    /// What was learned of a source.
    pub fn source(&self, source: &Source) -> Option<&GroupLesson> {
        self.sources.get(&source.to_string())
    }

    /// What was learned of the ideas under a tag.
    pub fn tag(&self, tag: &str) -> Option<&GroupLesson> {
        self.tags.get(tag)
    }

    /// Near-misses that are due for a second look.
    pub fn due(&self) -> impl Iterator<Item = &NearMiss> + '_ {
        self.near_misses.iter().filter(|miss| miss.is_due(self.version))
    }

    /// All of it as a page of text.
    pub fn page(&self) -> String {
        page::page(self)
    }

    /// The most important of it in at most so many characters, whole lines only: for a language model, whose tokens are
    /// about four characters each.
    pub fn digest(&self, characters: usize) -> String {
        page::digest(self, characters)
    }

    /// Learns from an idea that was tried. One that is settled once more counts once, with what came of it last.
    pub fn settled(&mut self, outcome: &Settled<'_>) {
        let Settled { id, hypothesis, fate, runs, version, reason, .. } = *outcome;
        // That the holdout said no is all that anybody may learn of it.
        let effect = outcome.effect.filter(|_| fate != Fate::HeldBack);
        self.version = self.version.max(version);
        if fate == Fate::Conflict {
            return;
        }
        let before = self.open.remove(&id);
        let now = (fate, effect, runs);
        for group in self.groups(hypothesis) {
            if let Some(before) = before {
                group.count(-1.0, hypothesis, before);
            }
            group.count(1.0, hypothesis, now);
            if fate == Fate::Failed {
                group.last_failure = reason.to_string();
            }
        }
        if matches!(fate, Fate::Kept | Fate::SetAside | Fate::Undecided) {
            self.open.insert(id, now);
        }
        self.look_again(outcome);
        self.compare(outcome);
    }

    fn groups(&mut self, hypothesis: &Hypothesis) -> Vec<&mut GroupLesson> {
        // A portfolio marks whose proposal it is; the outermost one last.
        let mark = || hypothesis.tags.iter().rev().find_map(|tag| tag.strip_prefix(MARK)).map(String::from);
        let source = hypothesis.source.as_ref().map(Source::to_string).or_else(mark);
        let by_source = source.map(|source| self.sources.entry(source).or_default());
        // Each tag once, however often it was said.
        let tags: BTreeSet<&String> = hypothesis.tags.iter().filter(|tag| !tag.starts_with(MARK)).collect();
        for tag in &tags {
            self.tags.entry((*tag).clone()).or_default();
        }
        let mine = self.tags.iter_mut().filter(|(tag, _)| tags.contains(tag));
        by_source.into_iter().chain(mine.map(|(_, group)| group)).collect()
    }

    fn look_again(&mut self, outcome: &Settled<'_>) {
        self.near_misses.retain(|miss| miss.proposal != outcome.id);
        let Some(effect) = outcome.effect.filter(|_| outcome.is_near()) else { return };
        self.near_misses.push(NearMiss {
            proposal: outcome.id,
            title: outcome.hypothesis.title.clone(),
            fate: outcome.fate,
            effect,
            version: outcome.version,
        });
        // By how surely it was better: the error falls with the root of the runs.
        let mark = |miss: &NearMiss| miss.effect.mean * f64::from(miss.effect.runs).sqrt();
        self.near_misses.sort_by(|a, b| mark(b).total_cmp(&mark(a)));
        self.near_misses.truncate(NEAR);
    }

    fn compare(&mut self, outcome: &Settled<'_>) {
        let (Some(effect), title) = (outcome.effect, &outcome.hypothesis.title) else { return };
        if title.is_empty() || outcome.fate == Fate::HeldBack {
            return;
        }
        // What was kept was measured on the incumbent before.
        let on = outcome.version.0.saturating_sub(u32::from(outcome.fate == Fate::Kept));
        let after = (effect.mean, Version(on));
        let mut hasher = DefaultHasher::new();
        title.hash(&mut hasher);
        let Some(before) = self.measured.insert(hasher.finish(), after) else { return };
        if before.0 * after.0 < 0.0 && before.1 != after.1 {
            let (proposal, title) = (outcome.id, title.clone());
            self.sign_changes.push(SignChange { proposal, title, before, after });
            if self.sign_changes.len() > CHANGES {
                self.sign_changes.remove(0);
            }
        }
    }
}

/// Sums behind a group's figures.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Sums {
    n: f64,
    effect: f64,
    squares: f64,
    /// Predicted against measured.
    pairs: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
    yy: f64,
    spreads: f64,
    within: f64,
    odds: f64,
    brier: f64,
    odds_kept: f64,
}

impl GroupLesson {
    fn count(
        &mut self,
        sign: f64,
        hypothesis: &Hypothesis,
        (fate, effect, runs): (Fate, Option<Effect>, u32),
    ) {
        let add = |n: u32, by: f64| if by > 0.0 { n + 1 } else { n.saturating_sub(1) };
        let is_kept = fate == Fate::Kept;
        self.tried = add(self.tried, sign);
        if is_kept {
            self.kept = add(self.kept, sign);
        }
        let count = self.fates.entry(fate.to_string()).or_default();
        *count = add(*count, sign);
        self.fates.retain(|_, n| *n > 0);
        let runs = u64::from(runs);
        self.runs = if sign > 0.0 { self.runs + runs } else { self.runs.saturating_sub(runs) };
        let sums = &mut self.sums;
        if let Some(effect) = effect {
            let y = effect.mean;
            sums.n += sign;
            sums.effect += sign * y;
            sums.squares += sign * y * y;
            if let Some(x) = hypothesis.expected {
                sums.pairs += sign;
                sums.x += sign * x;
                sums.y += sign * y;
                sums.xx += sign * x * x;
                sums.xy += sign * x * y;
                sums.yy += sign * y * y;
                if let Some(sd) = hypothesis.spread {
                    sums.spreads += sign;
                    sums.within += if (y - x).abs() <= 2.0 * sd { sign } else { 0.0 };
                }
            }
        }
        if let Some(p) = hypothesis.kept {
            let kept = if is_kept { 1.0 } else { 0.0 };
            sums.odds += sign;
            sums.odds_kept += sign * kept;
            sums.brier += sign * (p - kept).powi(2);
        }
        self.figures();
    }

    fn figures(&mut self) {
        let s = self.sums;
        self.effect = (s.n > 0.0).then(|| s.effect / s.n);
        self.interval = (s.n > 1.0).then(|| {
            let mean = s.effect / s.n;
            let variance = ((s.squares - s.n * mean * mean) / (s.n - 1.0)).max(0.0);
            let half = student_quantile(0.975, s.n - 1.0) * (variance / s.n).sqrt();
            (mean - half, mean + half)
        });
        self.calibration = s.calibration();
    }
}

impl Sums {
    fn calibration(&self) -> Calibration {
        let n = self.pairs;
        let (sxx, syy) = (self.xx - self.x * self.x / n, self.yy - self.y * self.y / n);
        let line = (n > 2.0 && sxx > 1e-12 * self.xx).then(|| {
            let slope = (self.xy - self.x * self.y / n) / sxx;
            let variance = ((syy - slope * slope * sxx) / (n - 2.0)).max(0.0);
            (slope, (variance / sxx).sqrt(), variance.sqrt())
        });
        let share = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
        let kept = share(self.odds_kept, self.odds);
        Calibration {
            predicted: n as u32,
            slope: line.map(|l| l.0),
            slope_error: line.map(|l| l.1),
            noise: line.map(|l| l.2),
            coverage: share(self.within, self.spreads),
            brier: share(self.brier, self.odds),
            brier_of_share: kept.map(|p| p * (1.0 - p)),
        }
    }
}
