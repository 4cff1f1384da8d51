//! Whether what was kept on a small model carries over to a larger one that trains for longer.

use crate::data::Data;
use crate::estimate::Estimate;
use crate::noise::rank_correlation;
use crate::plan::{LARGE, LARGE_SINGLE, SINGLE, singles};
use crate::recipes::Start;
use crate::search::Ended;
use crate::task::Size;
use autoresearch_core::TimeToLoss;
use serde::{Deserialize, Serialize};

/// Of one start, and of what the recommended policy kept from there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Transfer {
    pub(crate) start: Start,
    /// Parameters of the start, small and large.
    pub(crate) parameters: (u64, u64),
    /// Gain on the test split at the large size, in bits per byte, on equal seeds.
    pub(crate) test: Estimate,
    /// How many of the seeds reach the start's final training loss, and the share of its tokens, operations and seconds
    /// that they need for it.
    pub(crate) reached: usize,
    pub(crate) tokens: Option<Estimate>,
    pub(crate) flops: Option<Estimate>,
    pub(crate) seconds: Option<Estimate>,
    /// Of single edits: what each is worth small and large, and the rank correlation of the two.
    pub(crate) edits: Vec<(String, f64, f64)>,
    pub(crate) rank_correlation: Option<f64>,
}

pub(crate) fn measure(ended: &Ended, data: &Data) -> Option<Transfer> {
    let (start, kept) = (&ended.baseline, &ended.kept_recipe);
    let large = data.pairs(start, kept, LARGE, Size::Large);
    let small = data.on(start, SINGLE, Size::Small);
    let times: Vec<TimeToLoss> =
        large.iter().filter_map(|(a, b)| TimeToLoss::of(&a.curve, &b.curve)).collect();
    let edits: Vec<(String, f64, f64)> = singles(ended)
        .into_iter()
        .filter_map(|(key, recipe)| {
            let worth = |seeds, size| {
                let pairs = data.pairs(start, &recipe, seeds, size);
                Estimate::of(pairs.iter().map(|(a, b)| a.test - b.test)).map(|estimate| estimate.mean)
            };
            Some((key, worth(SINGLE, Size::Small)?, worth(LARGE_SINGLE, Size::Large)?))
        })
        .collect();
    Some(Transfer {
        start: ended.search.start,
        parameters: (small.first()?.parameters, large.first()?.0.parameters),
        test: Estimate::of(large.iter().map(|(a, b)| a.test - b.test))?,
        reached: times.len(),
        tokens: Estimate::of(times.iter().map(|t| t.tokens)),
        flops: Estimate::of(times.iter().filter_map(|t| t.flops)),
        seconds: Estimate::of(times.iter().map(|t| t.seconds)),
        rank_correlation: rank_correlation(&edits.iter().map(|(_, a, b)| (*a, *b)).collect::<Vec<_>>()),
        edits,
    })
}
