//! The audit of a study of one's own: its store holds every run, so that noise is measured.

use super::columns::{Columns, Guess, Sureness};
use super::error::AuditError;
use super::judge;
use super::noise::{NoiseSource, RunNoise};
use super::report::{AuditReport, Counts, Total};
use super::table::Format;
use super::verdict::{AuditedRow, Bench, Trial, Verdict};
use crate::accept::Role;
use crate::arm::{Arm, ProposalId, Version};
use crate::candidate::Candidate;
use crate::measure::Direction;
use crate::propose::{Effect, Fate};
use crate::state::Event;
use crate::stats::{Moments, student_quantile};
use crate::store::{Seq, Store};
use std::collections::{BTreeMap, BTreeSet};

/// With fewer pairs the noise of their own differences is hardly known, and the noise pooled over all arms serves better.
const PAIRS: u64 = 4;

/// The runs of an arm on an incumbent: one value a seed.
#[derive(Default)]
struct Runs {
    seeds: BTreeSet<(u64, bool)>,
    /// Runs that tested or calibrated: none of them chose what was kept.
    fresh: Moments,
    /// The same by seed.
    by_seed: BTreeMap<u64, f64>,
    /// The final runs, baseline against incumbent.
    last: Moments,
}

/// A settled proposal.
struct Settled {
    seq: u64,
    fate: Fate,
    effect: Option<Effect>,
}

/// Everything of a study that an audit needs.
#[derive(Default)]
struct Facts {
    study: String,
    direction: Direction,
    titles: BTreeMap<ProposalId, String>,
    runs: BTreeMap<(Version, Arm), Runs>,
    settled: BTreeMap<ProposalId, Settled>,
    version: Version,
}

/// Audits a stored study: noise is measured by its runs, pooled within each arm over different seeds; each kept
/// proposal is compared with its incumbent on fresh runs where both have them (paired, where they share four seeds or
/// more: the standard deviation of the differences counts, with as many degrees of freedom less one), else by the effect that was recorded.
///
/// It looks at single proposals with the simplest test there is. A policy's own evidence (an e-value, a certificate, the
/// holdout's answer) may be stronger, and is in the study's report.
///
/// # Errors
/// The store cannot be read, or holds no study.
///
/// # Cancel safety
/// It only reads.
pub async fn store<C: Candidate>(store: &impl Store<C>) -> Result<AuditReport, AuditError> {
    let mut facts: Option<Facts> = None;
    let mut seq = Seq(0);
    loop {
        let page = store.read(seq, 1024).await?;
        let Some((last, _)) = page.last() else { break };
        seq = *last;
        for (at, event) in page {
            match (event, &mut facts) {
                (Event::Opened { study, settings, .. }, None) => {
                    facts = Some(Facts { study, direction: settings.direction, ..Facts::default() });
                }
                (event, Some(facts)) => facts.hear(at, event),
                (_, None) => return Err(AuditError::NotAStudy),
            }
        }
    }
    Ok(facts.ok_or(AuditError::NotAStudy)?.report())
}

impl Facts {
    fn hear<C>(&mut self, at: Seq, event: Event<C>) {
        match event {
            Event::Proposed { first, proposals, .. } => {
                for (id, proposal) in (first.0..).zip(proposals) {
                    self.titles.insert(ProposalId(id), proposal.hypothesis.title);
                }
            }
            Event::Finished { run, outcome: Ok(m), .. } if run.role != Role::Screen => {
                let runs = self.runs.entry((run.version, run.arm)).or_default();
                let is_last = run.role == Role::Final;
                if runs.seeds.insert((run.seed, is_last)) {
                    if is_last {
                        runs.last.push(m.objective());
                    } else {
                        runs.fresh.push(m.objective());
                        runs.by_seed.insert(run.seed, m.objective());
                    }
                }
            }
            Event::Settled { proposal, fate, effect, version, .. } => {
                self.version = version;
                self.settled.insert(proposal, Settled { seq: at.0, fate, effect });
            }
            _ => {}
        }
    }

    fn noise(&self) -> RunNoise {
        let (mut squares, mut df) = (0.0, 0.0);
        for moments in self.runs.values().flat_map(|runs| [&runs.fresh, &runs.last]).filter(|m| m.n() > 1) {
            squares += moments.sum_of_squares();
            df += moments.n() as f64 - 1.0;
        }
        let sd = if df > 0.0 { Some((squares / df).sqrt()).filter(|sd| *sd > 0.0) } else { None };
        match sd {
            Some(sd) => RunNoise::of(NoiseSource::Study, Some(sd), Some(df)),
            None => {
                let mut noise = RunNoise::of(NoiseSource::Unknown, None, None);
                noise.warnings.push(match df {
                    0.0 => "No arm of the study ran on two seeds.".into(),
                    _ => "Runs of the same arm agree to the last digit, whatever the seed: there is no noise to tell.".into(),
                });
                noise
            }
        }
    }

    fn fresh(&self, version: Version, arm: Arm) -> Option<&Runs> {
        self.runs.get(&(version, arm)).filter(|runs| runs.fresh.n() > 0)
    }

    /// Gains of a candidate on the seeds that it shares with the incumbent; `None` below [`PAIRS`] of them.
    fn differences(&self, candidate: &Runs, incumbent: &Runs) -> Option<Moments> {
        let loss = |value: f64| self.direction.loss(value);
        let gain = |(seed, value): (&u64, &f64)| Some(loss(*incumbent.by_seed.get(seed)?) - loss(*value));
        Some(candidate.by_seed.iter().filter_map(gain).collect::<Moments>()).filter(|m| m.n() >= PAIRS)
    }

    /// A kept proposal against its incumbent, on fresh runs.
    fn compared(&self, id: ProposalId) -> Option<(&Runs, &Runs)> {
        let arm = Arm::single(id);
        let both =
            |version| Some((self.fresh(version, arm.clone())?, self.fresh(version, Arm::incumbent())?));
        (0..=self.version.0).rev().map(Version).find_map(both)
    }

    fn rows(&self, bench: &Bench<'_>) -> Vec<AuditedRow> {
        let baseline = self.fresh(Version(0), Arm::incumbent()).map(|runs| &runs.fresh);
        let trial = |seq, id: String, description: String| Trial {
            line: seq,
            id,
            description,
            value: None,
            runs: 0,
            before: None,
            repeats: None,
        };
        let first = Trial {
            value: baseline.map(Moments::mean),
            runs: baseline.map_or(0, |m| m.n() as u32),
            ..trial(1, "baseline".into(), "baseline".into())
        };
        let mut rows = vec![bench.judge(first)];
        let mut kept: Vec<(&ProposalId, &Settled)> =
            self.settled.iter().filter(|(_, settled)| settled.fate == Fate::Kept).collect();
        kept.sort_by_key(|(_, settled)| settled.seq);
        for (id, settled) in kept {
            let title = self.titles.get(id).cloned().unwrap_or_default();
            let mut trial = trial(settled.seq, id.to_string(), title);
            trial.before = Some((None, 0));
            if let Some((candidate, incumbent)) = self.compared(*id) {
                let (fresh, before) = (&candidate.fresh, &incumbent.fresh);
                (trial.value, trial.runs) = (Some(fresh.mean()), fresh.n() as u32);
                trial.before = Some((Some(before.mean()), before.n() as u32));
                let mut row = bench.judge(trial);
                if let Some(differences) = self.differences(candidate, incumbent) {
                    bench.pair(&mut row, &differences);
                }
                rows.push(row);
                continue;
            }
            let mut row = bench.judge(trial);
            if let Some(effect) = settled.effect {
                row.runs = effect.runs;
                bench.weigh(&mut row, effect.mean, error_of(&effect, bench.noise.freedom()));
            }
            rows.push(row);
        }
        rows
    }

    /// Baseline against the last incumbent: on final runs where there are some, else on the runs that calibrated both.
    fn total(&self, bench: &Bench<'_>, rows: &[AuditedRow]) -> Option<Total> {
        let runs = |version| self.runs.get(&(version, Arm::incumbent()));
        let (base, now) = (runs(Version(0))?, runs(self.version)?);
        let (base, now) = if base.last.n() > 0 && now.last.n() > 0 {
            (&base.last, &now.last)
        } else {
            (&base.fresh, &now.fresh)
        };
        if self.version == Version(0) || base.n() == 0 || now.n() == 0 {
            return None;
        }
        // These runs chose neither: there is one comparison.
        let bench = Bench { tries: 1, ..*bench };
        let line = rows.last()?.line;
        let ends = [(base, None), (now, Some((Some(base.mean()), base.n() as u32)))].map(|(m, before)| {
            bench.judge(Trial {
                line,
                id: String::new(),
                description: String::new(),
                value: Some(m.mean()),
                runs: m.n() as u32,
                before,
                repeats: None,
            })
        });
        let mut total = judge::total(&bench, &ends)?;
        let small: Vec<f64> =
            rows.iter().filter(|r| r.ratio.is_some_and(|r| r < 1.0)).filter_map(|r| r.gain).collect();
        (total.below_seed, total.gain_below_seed) =
            (Some(small.len()), Some(small.iter().fold(0.0, |sum, gain| sum + gain)));
        Some(total)
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts { rows: 1 + self.titles.len(), kept: 1, ..Counts::default() };
        for id in self.titles.keys() {
            match self.settled.get(id).map(|settled| settled.fate) {
                None => counts.unfinished += 1,
                Some(Fate::Kept) => counts.kept += 1,
                Some(Fate::Failed | Fate::Conflict) => counts.crashed += 1,
                Some(_) => counts.discarded += 1,
            }
        }
        counts
    }

    fn report(self) -> AuditReport {
        let noise = self.noise();
        let counts = self.counts();
        let tries = counts.kept - 1 + counts.discarded;
        let alpha = 0.05;
        let bench = Bench::new(&noise, self.direction, alpha, tries);
        let rows = self.rows(&bench);
        let total = self.total(&bench, &rows);
        let told = |what: &str| Guess::new(what.to_string(), "the store says so", Sureness::Stated);
        let recorded = rows
            .iter()
            .filter(|r| r.value.is_none() && r.gain.is_some() && r.verdict != Verdict::Baseline)
            .count();
        let mut notes = Vec::new();
        if recorded > 0 {
            notes.push(format!(
                "{recorded} kept proposal(s) had no fresh runs of their own beside the incumbent's; their gains are the \
                 recorded effects, with standard errors from the recorded intervals."
            ));
        }
        let paired = rows.iter().filter(|row| row.paired.is_some()).count();
        if paired > 0 {
            notes.push(format!(
                "{paired} kept proposal(s) ran on seeds of the incumbent's: their gains are the means of paired differences, \
                 with the standard error of those."
            ));
        }
        AuditReport {
            source: format!("study {}", self.study),
            format: Format::Store,
            columns: Columns {
                metric: told("objective"),
                status: Some(told("fate")),
                description: Some(told("title")),
                seed: Some(told("seed")),
                id: Some(told("proposal")),
                config: Vec::new(),
                agree: Vec::new(),
            },
            direction: Guess::new(self.direction, "the store says so", Sureness::Stated),
            keeps_are_stated: true,
            counts,
            unreadable: Vec::new(),
            tries,
            alpha,
            rows,
            total,
            notes,
            doubts: Vec::new(),
            noise,
        }
    }
}

/// The standard error that a recorded interval implies; a confidence sequence, being wider, gives too large a one.
fn error_of(effect: &Effect, df: f64) -> Option<f64> {
    let half = 0.5 * (effect.high? - effect.low?);
    let quantile = -student_quantile(0.5 * (1.0 - effect.level), df);
    Some(half / quantile).filter(|error| *error > 0.0 && error.is_finite())
}
