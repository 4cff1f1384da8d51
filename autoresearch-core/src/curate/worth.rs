//! What the ideas of a source or under a tag have earned, and how sure that is: gamma-Poisson shrinkage.
//!
//! Rewards are rare and unequal in size, so their sum is counted in units of `φ = Σr²/Σr`, as a Poisson number of which
//! it has mean and variance (quasi-Poisson: McCullagh & Nelder 1989, ch. 6). A group's worth `ρ`, relative to the
//! others, is Gamma(κ, κ) beforehand and Gamma(κ + R, κ + E) afterwards, with its count `R` and the count `E` that an
//! average group would have had. How much groups differ, `1/κ`, is learned from all of them by moments
//! (empirical Bayes: Clayton & Kaldor 1987). All that is kept are sums.

use crate::state::mix;
use crate::stats::normal_quantile;
use std::collections::HashMap;

/// The variance of worths that is assumed beforehand, and how many groups that assumption weighs.
const SPREAD: f64 = 1.0;
const WEIGHT: f64 = 2.0;

/// What was tried of a group.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Earned {
    /// Ideas, each counted as much as what else is known of it was worth then.
    pub(super) exposure: f64,
    pub(super) tried: f64,
    pub(super) reward: f64,
    pub(super) squares: f64,
    pub(super) runs: f64,
}

impl Earned {
    /// Adds one idea, or takes one out that is settled anew.
    pub(super) fn add(&mut self, sign: f64, exposure: f64, reward: f64, runs: f64) {
        self.exposure += sign * exposure;
        self.tried += sign;
        self.reward += sign * reward;
        self.squares += sign * reward * reward;
        self.runs += sign * runs;
    }
}

/// Groups of one kind: the sources, or the tags.
#[derive(Debug, Clone, Default)]
pub(super) struct Groups {
    by_name: HashMap<String, Earned>,
}

/// How groups of one kind compare at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    /// Rewards in units of this are counted.
    unit: f64,
    /// Counts that an idea of average worth brings.
    rate: f64,
    shape: f64,
}

impl Groups {
    pub(super) fn get(&self, name: &str) -> Earned {
        self.by_name.get(name).copied().unwrap_or_default()
    }

    pub(super) fn entry(&mut self, name: &str) -> &mut Earned {
        if !self.by_name.contains_key(name) {
            self.by_name.insert(name.to_string(), Earned::default());
        }
        self.by_name.entry(name.to_string()).or_default()
    }

    /// The scale of these groups, given what all ideas earned together. Takes time by the number of groups.
    pub(super) fn scale(&self, all: &Earned) -> Scale {
        if !(all.reward > 0.0 && all.exposure > 0.0) {
            return Scale { unit: 1.0, rate: 0.0, shape: 1.0 / SPREAD };
        }
        let unit = all.squares / all.reward;
        let rate = all.reward / all.exposure / unit;
        let (mut weight, mut sum) = (WEIGHT, WEIGHT * SPREAD);
        // In no order of its own: sums of many terms would differ in their last bits from process to process.
        let mut terms: Vec<(f64, f64)> = self.by_name.values().map(|g| excess(g, unit, rate)).collect();
        terms.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        for (w, excess) in terms {
            weight += w;
            sum += w * excess;
        }
        Scale { unit, rate, shape: 1.0 / (sum / weight).clamp(0.05, 4.0) }
    }
}

/// By how much a group's worth varies beyond chance, and how much that says.
fn excess(group: &Earned, unit: f64, rate: f64) -> (f64, f64) {
    let (count, expected) = (group.reward / unit, group.exposure * rate);
    if expected <= 0.0 {
        return (0.0, 0.0);
    }
    (expected / (1.0 + expected), ((count - expected).powi(2) - expected) / (expected * expected).max(1.0))
}

impl Scale {
    /// The scale with groups as different as is assumed beforehand, in no time.
    pub(super) fn assumed(all: &Earned) -> Self {
        Groups::default().scale(all)
    }

    fn posterior(&self, group: &Earned) -> (f64, f64) {
        (self.shape + (group.reward / self.unit).max(0.0), self.shape + (group.exposure * self.rate).max(0.0))
    }

    /// Worth relative to the average, shrunk towards it.
    pub(super) fn mean(&self, group: &Earned) -> f64 {
        let (a, b) = self.posterior(group);
        a / b
    }

    /// A draw of that worth, from a number that is uniform in every bit.
    pub(super) fn draw(&self, group: &Earned, hash: u64) -> f64 {
        let (a, b) = self.posterior(group);
        // The cube of a normal number is nearly gamma (Wilson & Hilferty 1931).
        let z = gaussian(hash);
        let root = 1.0 - 1.0 / (9.0 * a) + z / (3.0 * a.sqrt());
        a / b * root.max(0.05).powi(3)
    }
}

/// Standard normal, from a number that is uniform in every bit.
pub(super) fn gaussian(hash: u64) -> f64 {
    normal_quantile(((mix(hash, 1) >> 11) as f64 + 0.5) / (1u64 << 53) as f64)
}

/// A name as a number, the same on every machine (FNV-1a).
pub(super) fn named(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_groups(good: f64, bad: f64, n: f64) -> (Groups, Earned) {
        let (mut groups, mut all) = (Groups::default(), Earned::default());
        for (name, hits) in [("good", good), ("bad", bad)] {
            for i in 0..n as u32 {
                let reward = if f64::from(i) < hits { 2.0 } else { 0.0 };
                groups.entry(name).add(1.0, 1.0, reward, 1.0);
                all.add(1.0, 1.0, reward, 1.0);
            }
        }
        (groups, all)
    }

    /// By hand: 22 rewards of 2 in 200 ideas: a unit of 2, .11 a idea; groups expect 11 and have 20 and 2.
    #[test]
    fn worth_by_hand() {
        let (groups, all) = two_groups(20.0, 2.0, 100.0);
        let scale = groups.scale(&all);
        assert!((scale.unit - 2.0).abs() < 1e-12 && (scale.rate - 0.11).abs() < 1e-12);
        // Excess (81 − 11)/121 for both, each with weight 11/12, and the prior's 1 with weight 2.
        let spread = (2.0 + 2.0 * 11.0 / 12.0 * 70.0 / 121.0) / (2.0 + 2.0 * 11.0 / 12.0);
        assert!((1.0 / scale.shape - spread).abs() < 1e-9);
        let good = scale.mean(&groups.get("good"));
        assert!((good - (scale.shape + 20.0) / (scale.shape + 11.0)).abs() < 1e-9);
        assert!(scale.mean(&groups.get("bad")) < 0.4 && scale.mean(&groups.get("new")) == 1.0);
    }

    #[test]
    fn without_a_reward_all_are_alike() {
        let (groups, all) = two_groups(0.0, 0.0, 50.0);
        let scale = groups.scale(&all);
        assert_eq!(scale.mean(&groups.get("good")), 1.0);
    }

    #[test]
    fn draws_spread_about_the_mean() {
        let (groups, all) = two_groups(20.0, 2.0, 100.0);
        let scale = groups.scale(&all);
        let good = groups.get("good");
        let draws: Vec<f64> = (0..20_000).map(|i| scale.draw(&good, mix(3, i))).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        assert!((mean / scale.mean(&good) - 1.0).abs() < 0.01, "{mean}");
        let var = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0;
        let (a, b) = scale.posterior(&good);
        assert!((var / (a / (b * b)) - 1.0).abs() < 0.1, "{var}");
    }

    #[test]
    fn what_is_taken_out_leaves_no_trace() {
        let (mut groups, _) = two_groups(3.0, 1.0, 10.0);
        let before = groups.get("good");
        groups.entry("good").add(1.0, 0.5, 2.0, 7.0);
        groups.entry("good").add(-1.0, 0.5, 2.0, 7.0);
        assert_eq!(groups.get("good"), before);
    }
}
