//! Dropout whose masks come from the run's seed.

use crate::parameters::generator;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;
use tch::Tensor;

/// Drops numbers at random in training, by masks from a stream of the run's seed that has nothing in common with
/// the ones of initial weights and batches.
///
/// Every site of a model has a stream of its own, keyed by its name: a block more, or one site without dropout, leaves
/// the masks of all other sites alone. libtorch's own dropout draws from a generator that all runs of a process share.
#[derive(Debug)]
pub struct Dropout {
    seed: u64,
    sites: HashMap<String, ChaCha8Rng>,
}

/// Decisions are made of 16 random bits each.
const STEPS: f64 = 65_536.0;

impl Dropout {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, sites: HashMap::new() }
    }

    /// `x` with each number set to 0 with probability `share` and otherwise divided by 1 - `share`, so that its
    /// mean stays (Srivastava et al., 2014). `share` is rounded to a multiple of 1/65,536; at 0 nothing is drawn.
    ///
    /// # Panics
    /// If `share` is not from 0 to below 1.
    pub fn drop(&mut self, site: &str, x: &Tensor, share: f64) -> Tensor {
        assert!((0.0..1.0).contains(&share), "the share to drop is {share}, it must be from 0 to below 1");
        if share == 0.0 {
            return x.shallow_clone();
        }
        let least = (share * STEPS).round().min(STEPS - 1.0);
        let kept = (1.0 / (1.0 - least / STEPS)) as f32;
        let least = least as u16;
        let mut bytes = vec![0_u8; 2 * x.numel()];
        self.site(site).fill_bytes(&mut bytes);
        let number = |two: &[u8; 2]| if u16::from_le_bytes(*two) < least { 0.0 } else { kept };
        let mask: Vec<f32> = bytes.as_chunks().0.iter().map(number).collect();
        x * Tensor::from_slice(&mask).view(x.size().as_slice()).to_device(x.device())
    }

    fn site(&mut self, name: &str) -> &mut ChaCha8Rng {
        let seed = self.seed;
        self.sites.entry(name.to_string()).or_insert_with(|| generator(seed, &format!("\0dropout {name}")))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    fn dropped(dropout: &mut Dropout, site: &str, count: i64, share: f64) -> Vec<f32> {
        dropout.drop(site, &Tensor::ones([count], (Kind::Float, Device::Cpu)), share).try_into().unwrap()
    }

    #[test]
    fn the_share_is_dropped_and_the_mean_stays() {
        let n = 200_000;
        for share in [0.1, 0.5, 0.9] {
            let x = dropped(&mut Dropout::new(1), "here", n, share);
            let zeros = x.iter().filter(|x| **x == 0.0).count() as f64 / n as f64;
            // Four standard errors of a share of n decisions.
            assert!(
                (zeros - share).abs() < 4.0 * (share * (1.0 - share) / n as f64).sqrt(),
                "{share}: {zeros}"
            );
            let kept = x.iter().copied().find(|x| *x > 0.0).unwrap();
            assert!((f64::from(kept) * (1.0 - share) - 1.0).abs() < 1e-3, "{share}: {kept}");
        }
        assert_eq!(dropped(&mut Dropout::new(1), "here", 5, 0.0), [1.0; 5]);
    }

    #[test]
    fn every_site_has_a_stream_of_its_own() {
        let (mut alone, mut both) = (Dropout::new(3), Dropout::new(3));
        let first = dropped(&mut alone, "a", 100, 0.5);
        let second = dropped(&mut alone, "a", 100, 0.5);
        assert_ne!(first, second, "a site's masks differ from pass to pass");
        assert_eq!(dropped(&mut both, "a", 100, 0.5), first);
        assert_ne!(dropped(&mut both, "b", 100, 0.5), first);
        assert_eq!(dropped(&mut both, "a", 100, 0.5), second, "another site does not matter");
        assert_ne!(dropped(&mut Dropout::new(4), "a", 100, 0.5), first);
    }
}
