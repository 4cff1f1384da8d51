//! Shards: parts of the holdout that take turns, so that the answers of one do not wear out the others.

use super::{HeldOut, Holdout};
use crate::measure::Measurement;
use crate::state::mix;

impl Holdout {
    /// What a shard sees of the measurements: the units of its own sources. Sources are dealt to shards by a hash of
    /// their cluster, or of their place where there are no clusters.
    ///
    /// # Errors
    /// There are no per-unit values to divide, or too few sources for this shard to get any.
    pub(crate) fn on_shard(&self, shard: u64, held: Vec<HeldOut>) -> Result<Vec<HeldOut>, String> {
        if self.shards == 1 {
            return Ok(held);
        }
        held.into_iter().map(|one| self.restrict(shard, &one)).collect()
    }

    /// Whether measurements like this one can be divided into the shards.
    ///
    /// # Errors
    /// As [`on_shard`](Self::on_shard), for the first shard that gets nothing.
    pub(crate) fn fits(&self, held: &HeldOut) -> Result<(), String> {
        (0..self.shards).try_for_each(|shard| self.on_shard(shard, vec![held.clone()]).map(drop))
    }

    /// Which shard a source belongs to.
    fn shard_of(&self, source: u64) -> u64 {
        mix(source, 0x5AAD) % self.shards.max(1)
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
            (0..units.values().len()).filter(|&i| self.shard_of(source(i)) == shard).collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn held(values: &[f64], clusters: &[u64]) -> HeldOut {
        let m = Measurement::new(values.iter().copied()).and_then(|m| m.clusters(clusters.iter().copied()));
        m.expect("finite").into()
    }

    proptest! {
        /// Every source is in one shard, and shards get their share of sources: within six binomial errors.
        #[test]
        fn sources_are_dealt_evenly(shards in 1..12u64, first in any::<u64>(), stride in 1..1000u64) {
            let rules = Holdout::new().shards(shards);
            let n = 1200u64;
            let mut counts = vec![0u64; shards as usize];
            for i in 0..n {
                counts[rules.shard_of(first.wrapping_add(i * stride)) as usize] += 1;
            }
            let share = n as f64 / shards as f64;
            let bound = 6.0 * (share * (1.0 - 1.0 / shards as f64)).sqrt();
            prop_assert_eq!(counts.iter().sum::<u64>(), n);
            prop_assert!(counts.iter().all(|&c| (c as f64 - share).abs() <= bound), "{:?}", counts);
        }

        /// What the other shards' sources measured changes nothing, and a source is never divided.
        #[test]
        fn a_shard_sees_its_own_sources_alone(
            units in prop::collection::vec((0..30u64, -1.0..1.0f64, -1.0..1.0f64), 80..120),
            shards in 2..4u64,
        ) {
            let rules = Holdout::new().shards(shards);
            let clusters: Vec<u64> = units.iter().map(|u| u.0).collect();
            let values: Vec<f64> = units.iter().map(|u| u.1).collect();
            for shard in 0..shards {
                let moved: Vec<f64> = units
                    .iter()
                    .map(|&(c, a, b)| if rules.shard_of(c) == shard { a } else { b })
                    .collect();
                let see = |values: &[f64]| rules.on_shard(shard, vec![held(values, &clusters)]);
                let (one, other) = (see(&values), see(&moved));
                prop_assert_eq!(one.is_ok(), other.is_ok());
                if let (Ok(one), Ok(other)) = (one, other) {
                    prop_assert_eq!(&one[0].0, &other[0].0);
                    let mine = clusters.iter().filter(|c| rules.shard_of(**c) == shard).count();
                    prop_assert_eq!(one[0].0.units().map(|u| u.values().len()), Some(mine));
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_divided_says_so() {
        let rules = Holdout::new().shards(2);
        let scalar = HeldOut::from(Measurement::scalar(1.0).expect("finite"));
        let error = rules.on_shard(0, vec![scalar.clone()]).expect_err("no units");
        assert!(error.contains("no per-unit values") && error.contains(".shards("), "{error}");
        assert!(Holdout::new().on_shard(0, vec![scalar]).is_ok());
        let one = held(&[1.0, 2.0], &[7, 7]);
        let empty = 1 - rules.shard_of(7);
        let error = rules.on_shard(empty, vec![one]).expect_err("no sources");
        assert!(error.contains("on its 0 values") && error.contains("fewer shards"), "{error}");
    }
}
