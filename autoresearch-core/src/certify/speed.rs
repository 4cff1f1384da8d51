//! How much sooner what was kept gets to where the origin ends.

use super::outcome::Pairs;
use crate::arm::RunId;
use crate::candidate::Candidate;
use crate::curve::{CurvePoint, TimeToLoss};
use crate::state::Event;
use crate::stats::{mean, one_sample_t};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The training curves of a certification's runs.
pub(super) type Curves = BTreeMap<RunId, Vec<CurvePoint>>;

/// Takes the curves out of events.
pub(super) fn curves<'e, C: Candidate>(events: impl IntoIterator<Item = &'e Event<C>>) -> Curves {
    let curve = |event: &Event<C>| match event {
        Event::Finished { run, outcome: Ok(measurement), .. } => {
            let curve = measurement.training_curve();
            (!curve.is_empty()).then(|| (run.id, curve.to_vec()))
        }
        _ => None,
    };
    events.into_iter().filter_map(curve).collect()
}

/// What a stack needs to reach the training loss that the origin ends at, as shares of all that the origin was trained with:
/// .89 is 11 % less. From pairs of runs on equal seeds ([`TimeToLoss`]), averaged over those that got there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TimeToBaseline {
    /// Pairs of runs with curves.
    pub pairs: u32,
    /// In how many of them the stack got there.
    pub reached: u32,
    /// Share of the tokens.
    pub tokens: f64,
    /// A 95 % t interval of that over seeds; `None` where fewer than two pairs, or not all of them, got there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<(f64, f64)>,
    /// Share of the floating-point operations; `None` where nobody counted them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flops: Option<f64>,
    /// Share of the seconds: as noisy as the machine was busy.
    pub seconds: f64,
}

impl TimeToBaseline {
    /// `None` where no pair has curves or none got there.
    pub(super) fn of(pairs: &Pairs, curves: &Curves) -> Option<Self> {
        let both = pairs.origin.iter().zip(&pairs.now);
        let both = both.filter_map(|((a, _), (b, _))| curves.get(a).zip(curves.get(b)));
        let times: Vec<Option<TimeToLoss>> = both.map(|(origin, now)| TimeToLoss::of(origin, now)).collect();
        let there: Vec<TimeToLoss> = times.iter().flatten().copied().collect();
        if there.is_empty() {
            return None;
        }
        let of = |share: fn(&TimeToLoss) -> f64| there.iter().map(share).collect::<Vec<f64>>();
        let tokens = of(|time| time.tokens);
        let flops: Option<Vec<f64>> = there.iter().map(|time| time.flops).collect();
        let all = there.len() == times.len() && there.len() > 1;
        Some(Self {
            pairs: times.len() as u32,
            reached: there.len() as u32,
            interval: all.then(|| one_sample_t(&tokens, 0.0).interval(LEVEL)),
            tokens: mean(&tokens),
            flops: flops.map(|flops| mean(&flops)),
            seconds: mean(&of(|time| time.seconds)),
        })
    }
}

/// Level of the interval.
const LEVEL: f64 = 0.95;

impl fmt::Display for TimeToBaseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pairs, reached, tokens, interval, flops, seconds } = self;
        write!(f, "the origin's final training loss is reached after {:.0} %", 100.0 * tokens)?;
        if let Some((low, high)) = interval {
            write!(f, " [{:.0} %, {:.0} %]", 100.0 * low, 100.0 * high)?;
        }
        f.write_str(" of the tokens")?;
        if let Some(flops) = flops {
            write!(f, ", {:.0} % of the operations", 100.0 * flops)?;
        }
        write!(f, ", {:.0} % of the seconds, in {reached} of {pairs} pairs", 100.0 * seconds)
    }
}
