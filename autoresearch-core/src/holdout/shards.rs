//! Shards: parts of the holdout that take turns, so that the answers of one do not wear out the others.

use super::{HeldOut, Holdout};
use crate::measure::Measurement;
use crate::state::mix;

impl Holdout {
    /// Which shard answers after so many questions.
    fn shard_after(&self, asked: u64) -> u64 {
        (asked / self.queries.max(1)).min(self.shards - 1)
    }

    /// What a shard sees of the measurements: the units of its own sources. Sources are dealt to shards by a hash of
    /// their cluster, or of their place where there are no clusters.
    ///
    /// # Errors
    /// There are no per-unit values to divide, or fewer sources than shards.
    pub(crate) fn on_shard(&self, asked: u64, held: Vec<HeldOut>) -> Result<Vec<HeldOut>, String> {
        if self.shards == 1 {
            return Ok(held);
        }
        let shard = self.shard_after(asked);
        held.into_iter().map(|one| self.restrict(shard, &one)).collect()
    }

    fn restrict(&self, shard: u64, held: &HeldOut) -> Result<HeldOut, String> {
        let Some(units) = held.0.units() else {
            return Err(
                "the holdout is to be divided into shards, and its measurements have no per-unit values; \
                        give one value a document (`Measurement::new`), or drop `.shards(…)`"
                    .into(),
            );
        };
        let source = |i: usize| units.clusters().map_or(i as u64, |c| c[i]);
        let mine: Vec<usize> =
            (0..units.values().len()).filter(|&i| mix(source(i), 0x5AAD) % self.shards == shard).collect();
        let pick = |values: &[f64]| mine.iter().map(|&i| values[i]).collect::<Vec<f64>>();
        let restricted = || {
            let mut m = Measurement::new(pick(units.values()))?;
            if let Some(weights) = units.weights() {
                m = m.weights(pick(weights))?;
            }
            if let Some(clusters) = units.clusters() {
                m = m.clusters(mine.iter().map(|&i| clusters[i]))?;
            }
            Ok::<_, crate::measure::MeasurementError>(m)
        };
        restricted().map(HeldOut).map_err(|e| {
            format!(
                "shard {} of {} of the holdout cannot be measured on its {} values: {e}; use fewer shards, or more \
                 documents",
                shard + 1,
                self.shards,
                mine.len()
            )
        })
    }
}
