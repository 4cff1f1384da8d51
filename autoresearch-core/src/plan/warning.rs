//! What speaks against searching on this metric as it is.

use super::text::figure;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that a researcher should know before the search begins; `Display` says it in a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "warning", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Warning {
    /// Edits of the size that matters will not be told from nothing.
    Blind {
        /// Runs on one proposal.
        runs: u32,
        /// The smallest effect that they tell.
        effect: f64,
        /// The size that matters.
        matters: f64,
        /// The runs on one proposal that would do, if fewer than 4,096.
        needed: Option<u32>,
    },
    /// Nobody said what matters, and only large effects can be told.
    OnlyLargeEffects {
        /// Runs on one proposal.
        runs: u32,
        /// The smallest effect that they tell, in sigma.
        in_sigma: f64,
    },
    /// Sigma is hardly known.
    TooFewRuns {
        /// Runs on different seeds.
        seeds: usize,
    },
    /// Edits with a single pair on the baseline's seeds: they are not used.
    SinglePairs {
        /// How many.
        edits: usize,
    },
    /// Without per-unit values nothing is known of the split.
    NoUnits,
    /// So few documents are no sample.
    FewDocuments {
        /// How many there are.
        documents: usize,
    },
    /// The split misjudges edits by as much as the effects that are looked for.
    SplitNoise {
        /// Its standard deviation for an edit.
        sd: f64,
        /// The smallest effect that the runs tell.
        effect: f64,
    },
    /// A run does not fit the others.
    Outlier {
        /// Its seed.
        seed: u64,
        /// How many standard deviations it is off.
        deviation: f64,
        /// P-value of Grubbs' test.
        p: f64,
        /// Runs on different seeds.
        seeds: usize,
    },
    /// The noise has heavier tails than Gaussian noise.
    HeavyTails {
        /// Excess kurtosis.
        kurtosis: f64,
        /// Its p-value.
        p: f64,
        /// Runs on different seeds.
        seeds: usize,
    },
    /// The score changes from run to run in one direction.
    Drift {
        /// From the first run to the last.
        change: f64,
        /// P-value of Kendall's test.
        p: f64,
    },
    /// Repeats on one seed scatter less than runs on different seeds.
    RepeatsUnderstate {
        /// Their standard deviation, in sigma.
        ratio: f64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Blind { runs, effect, matters, needed } => {
                let (effect, matters) = (figure(effect), figure(matters));
                write!(
                    f,
                    "The search would be blind: {runs} runs a proposal tell an effect of {effect}, and {matters} \
                     is what matters; "
                )?;
                match needed {
                    Some(needed) => write!(f, "it takes {needed} runs a proposal, or a quieter metric."),
                    None => write!(f, "no affordable number of runs will do, only a quieter metric."),
                }
            }
            Self::OnlyLargeEffects { runs, in_sigma } => write!(
                f,
                "{runs} runs a proposal tell only effects above {in_sigma:.1} sigma. Of 96 edits to a tuned small \
                 language model one in twenty gained as much as 1.9 sigma: say what size matters to you."
            ),
            Self::TooFewRuns { seeds } => write!(
                f,
                "{seeds} seeds leave sigma almost unknown; run the baseline on 8 or more before any search."
            ),
            Self::SinglePairs { edits } => write!(
                f,
                "{edits} edit(s) share a single seed with the baseline, which tells nothing of how differences scatter: they \
                 were not used; run each on two of its seeds or more."
            ),
            Self::NoUnits => write!(
                f,
                "Without per-document values nothing can be said of the split's own noise; have the evaluator give one \
                 value a document."
            ),
            Self::FewDocuments { documents } => {
                write!(
                    f,
                    "{documents} documents are hardly a sample of text; what gains on them may gain on them alone."
                )
            }
            Self::SplitNoise { sd, effect } => write!(
                f,
                "The split misjudges an edit by {sd} (one standard deviation) however many runs it gets, beside a \
                 smallest detectable effect of {effect}: more documents are needed before more runs.",
                sd = figure(sd),
                effect = figure(effect)
            ),
            Self::Outlier { seed, deviation, p, seeds } => write!(
                f,
                "The run on seed {seed} lies {deviation:+.1} sd from the mean of {seeds} (Grubbs p = {p}): look at \
                 it before it sets sigma, and expect such runs in the search.",
                p = figure(p)
            ),
            Self::HeavyTails { kurtosis, p, seeds } => write!(
                f,
                "The noise has heavy tails (excess kurtosis {kurtosis:.1} in {seeds} runs, p = {p}): single runs \
                 mislead more often than sigma says.",
                p = figure(p)
            ),
            Self::Drift { change, p } => write!(
                f,
                "The score drifts by {change} from the first run to the last (Kendall p = {p}): run both arms \
                 in turn, and find out what changes.",
                change = figure(change),
                p = figure(p)
            ),
            Self::RepeatsUnderstate { ratio } => write!(
                f,
                "Repeats on one seed scatter by {ratio:.2} of what different seeds do: as a noise floor they would \
                 pass off luck as gain."
            ),
        }
    }
}
