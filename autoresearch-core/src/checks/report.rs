//! What the checks found, as data and as a paragraph each.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What raised an alarm. It says which, and nothing of the holdout besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Concern {
    /// What validation gained does not carry over to the holdout: the search is mining the split.
    SplitMined,
    /// The incumbent's own runs come out differently as the study goes on.
    Drift,
    /// The whole gained much less than was claimed edit by edit.
    ClaimsInflated,
    /// Some candidates are noisier than others.
    UnequalVariance,
}

impl Concern {
    /// Its name in log events: `gap`, `drift`, `endpoint` or `variance`.
    pub fn check(self) -> &'static str {
        match self {
            Self::SplitMined => "gap",
            Self::Drift => "drift",
            Self::ClaimsInflated => "endpoint",
            Self::UnequalVariance => "variance",
        }
    }
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SplitMined => {
                "gains on validation do not carry over to the holdout: the search is mining the validation split; \
                 renew or enlarge it before believing more of what validation says"
            }
            Self::Drift => {
                "the incumbent's own runs drift as the study goes on: look for what changed on the machines or in the \
                 data, and compare only runs made side by side"
            }
            Self::ClaimsInflated => {
                "all that was kept gains less than 0.7 of what was claimed edit by edit: winner's curse, or edits that \
                 take from one another; quote the gain of the whole"
            }
            Self::UnequalVariance => {
                "some candidates are noisier than others: a noise pooled over candidates is wrong for them; prefer a \
                 policy that estimates it pair by pair"
            }
        })
    }
}

/// Kendall's rank correlation with the order of questions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Trend {
    /// tau-b: positive where gaps grow.
    pub tau: f64,
    /// One-sided p-value of "gaps grow". Looked at once, and no alarm rests on it: neighbours in a search are alike, which
    /// the test does not know.
    pub p_value: f64,
}

/// Gains over the baseline (since a resumption: over the incumbent of then), from the same runs on both splits, at the
/// look with the strongest evidence. In the objective's units, positive for better.
///
/// They come out at the end of the search, also where that is a limit which can be raised. A study that goes on after
/// somebody has seen them has seen its holdout: give it a fresh holdout or shard. The gap is then measured anew, and
/// [`GapCheck::seen_before`] says so.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GapNumbers {
    /// On validation.
    pub validation: f64,
    /// On the holdout.
    pub holdout: f64,
    /// Their difference.
    pub gap: f64,
    /// Its standard error: documents of both splits, and run noise that they do not share.
    pub error: f64,
    /// The p-value of "all but a twentieth of the gain on validation carries over", bounded over all proposals made by
    /// then.
    pub p_value: f64,
    /// The level that it was held against.
    pub level: f64,
    /// Proposals made by then.
    pub proposals: u64,
}

/// The gap between validation and holdout.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GapCheck {
    /// How many proposals had been made when it was flagged, if it was.
    pub flagged_at: Option<u64>,
    /// Questions that the holdout answered.
    pub questions: u64,
    /// Those whose held-out numbers, or what validation said of the same runs, are not known any more.
    pub unseen: u64,
    /// Whether the study has gone on after an end at which the numbers of questions until then came out: whoever went by
    /// them has had more of the holdout than its bits.
    #[serde(default)]
    pub seen_before: bool,
    /// Whether any gain on validation was large enough to be tested, from 20 proposals on, and its noise known.
    pub tested: bool,
    /// The numbers; only once the search is over.
    pub numbers: Option<GapNumbers>,
    /// Whether later questions have larger gaps; only once the search is over.
    pub trend: Option<Trend>,
}

/// Runs of one and the same incumbent in the order in which they were planned.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DriftCheck {
    /// Whether it was flagged, at this look or before.
    pub flagged: bool,
    /// Runs behind it.
    pub runs: u64,
    /// By how much the loss rises in a hundred runs of the study, within versions of the incumbent.
    pub per_hundred_runs: f64,
    /// The lower end of its 95 % interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Two-sided p-value of "no trend".
    pub p_value: f64,
    /// The level that it was held against.
    pub level: f64,
}

/// The gain of the whole against the sum of the claims.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EndpointCheck {
    /// Whether it was flagged, at this look or before.
    pub flagged: bool,
    /// Kept edits with a claimed effect.
    pub kept: u64,
    /// The sum of their claimed effects, that of a unit once.
    pub claimed: f64,
    /// The gain of the incumbent over the baseline on runs that chose neither.
    pub gain: f64,
    /// `gain / claimed`.
    pub ratio: f64,
    /// The lower end of the ratio's 95 % interval, the claims taken as they are.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Runs of the incumbent behind it.
    pub runs: u64,
    /// One-sided p-value of "at least 0.7 of the claims".
    pub p_value: f64,
    /// The level that it was held against.
    pub level: f64,
}

/// Whether the noise depends on the candidate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VarianceCheck {
    /// Whether it was flagged, at this look or before.
    pub flagged: bool,
    /// Arms with four runs each.
    pub arms: u64,
    /// The statistic of Brown & Forsythe.
    pub f: f64,
    /// The p-value of "all arms have one variance": that of F, and where it would convince, the share of random deals
    /// of the same residuals with as large an F, if larger.
    pub p_value: f64,
    /// The level that it was held against.
    pub level: f64,
}

/// What the overfitting checks of a study found. What could not be checked is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CheckReport {
    /// Validation against holdout; without a holdout there is none.
    pub gap: Option<GapCheck>,
    /// The incumbent against itself.
    pub drift: Option<DriftCheck>,
    /// The whole against the sum of its parts.
    pub endpoint: Option<EndpointCheck>,
    /// Candidates' noises against one another.
    pub variance: Option<VarianceCheck>,
}

impl CheckReport {
    /// All that was flagged.
    pub fn concerns(&self) -> Vec<Concern> {
        let of = |flagged: bool, concern| flagged.then_some(concern);
        [
            of(self.gap.is_some_and(|c| c.flagged_at.is_some()), Concern::SplitMined),
            of(self.drift.is_some_and(|c| c.flagged), Concern::Drift),
            of(self.endpoint.is_some_and(|c| c.flagged), Concern::ClaimsInflated),
            of(self.variance.is_some_and(|c| c.flagged), Concern::UnequalVariance),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl fmt::Display for GapCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Validation against holdout: ")?;
        match self.flagged_at {
            Some(n) => write!(f, "flagged after {n} proposals; gains on validation do not carry over")?,
            None if self.tested => f.write_str("nothing found")?,
            None if self.questions > 0 && self.unseen == self.questions => {
                f.write_str("not known: held-out numbers are not stored")?;
            }
            None => f.write_str(
                "from 20 proposals on no gain was large enough, or its noise well enough known, to be tested",
            )?,
        }
        write!(f, " ({} questions answered", self.questions)?;
        if self.unseen > 0 {
            write!(f, ", {} of them not compared", self.unseen)?;
        }
        f.write_str(").")?;
        if self.seen_before {
            f.write_str(
                " The numbers of earlier questions were seen before, when the study ended and then went on: it should \
                 have had a fresh holdout or shard since.",
            )?;
        }
        if let Some(n) = &self.numbers {
            write!(
                f,
                " After {} proposals the same runs gained {:+.4} on validation and {:+.4} on the holdout: a gap of \
                 {:.4} with a standard error of {:.4} (p = {:.1e}, held against {:.1e}).",
                n.proposals, n.validation, n.holdout, n.gap, n.error, n.p_value, n.level
            )?;
        }
        if let Some(t) = &self.trend {
            write!(
                f,
                " Over the questions the gaps have a trend of tau {:+.2} (p {}).",
                t.tau,
                if t.p_value < 0.001 { "< 0.001".to_string() } else { format!("= {:.3}", t.p_value) }
            )?;
        }
        Ok(())
    }
}

fn found(flagged: bool) -> &'static str {
    if flagged { "flagged" } else { "nothing found" }
}

impl fmt::Display for DriftCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Drift: {}. Over {} runs of incumbents by themselves the loss changes by {:+.4} in a hundred runs of the \
             study (95 % interval {:+.4} to {:+.4}, p = {:.2e}, held against {:.1e}).",
            found(self.flagged),
            self.runs,
            self.per_hundred_runs,
            self.low,
            self.high,
            self.p_value,
            self.level
        )
    }
}

impl fmt::Display for EndpointCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Endpoint against claims: {}. The {} kept edits claim {:+.4} together, and fresh runs show {:+.4}: {:.2} of \
             it (95 % interval {:.2} to {:.2}; p = {:.2e} for less than 0.7, held against {:.1e}).",
            found(self.flagged),
            self.kept,
            self.claimed,
            self.gain,
            self.ratio,
            self.low,
            self.high,
            self.p_value,
            self.level
        )
    }
}

impl fmt::Display for VarianceCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Variance of candidates: {}. Among {} arms with four runs each F is {:.2} (Brown & Forsythe; p = {:.2e}, held \
             against {:.1e}).",
            found(self.flagged),
            self.arms,
            self.f,
            self.p_value,
            self.level
        )
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.gap {
            Some(check) => writeln!(f, "{check}")?,
            None => writeln!(f, "Validation against holdout: not known, there is no holdout.")?,
        }
        match &self.drift {
            Some(check) => writeln!(f, "{check}")?,
            None => writeln!(f, "Drift: not known, too few runs of the incumbent by itself, or no noise.")?,
        }
        match &self.endpoint {
            Some(check) => writeln!(f, "{check}")?,
            None => writeln!(f, "Endpoint against claims: not known, too few fresh runs of what was kept.")?,
        }
        match &self.variance {
            Some(check) => writeln!(f, "{check}"),
            None => writeln!(f, "Variance of candidates: not known, too few arms with four runs."),
        }
    }
}
