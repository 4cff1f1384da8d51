//! The world of parameters: one value for each key.

use super::draw::gaussian;
use super::noise::{Identity, Noise};
use super::stream::HOLDOUT;
use super::world::{Merit, World};
use crate::compose::{Compose, Conflict, Level, Unit};
use crate::state::mix;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// A candidate: the level of each key.
pub type Levels = Vec<u8>;

/// Levels of a numeric key.
const GRID: usize = 13;

/// A parameter set of numeric keys (7 of 10: bowls on a grid of 13 levels) and categorical ones (3 to 5 levels).
///
/// 45 % of the keys have something to gain: the best level gains U(.6, 4) over the baseline's. A proposal changes one
/// key, now and then two: a numeric one by one to three steps or to any level, a categorical one to any level.
///
/// Keys do not interact, but in a [`steep`](Self::steep) world.
#[derive(Debug)]
pub struct Slots {
    seed: u64,
    split: f64,
    noise: Noise,
    keys: Vec<Key>,
    /// Of every key: the one that moves its levels, and by how many.
    moved: Vec<Option<(usize, i32)>>,
}

/// How much larger effects are on a plain baseline, and how many of the keys another one moves.
const STEEP: f64 = 10.0;
const MOVED: f64 = 0.5;

#[derive(Debug)]
struct Key {
    numeric: bool,
    baseline: u8,
    /// The gain of each level over the baseline's.
    gains: Vec<f64>,
}

impl Key {
    fn draw(rng: &mut impl Rng) -> Self {
        let (numeric, good) = (rng.random::<f64>() < 0.7, rng.random::<f64>() < 0.45);
        let gain = if good { 0.6 + 3.4 * rng.random::<f64>() } else { 0.0 };
        if numeric {
            let distance = if good { rng.random_range(1..=4) } else { 0 };
            let best = rng.random_range(0..GRID as i32 - distance);
            let (best, baseline) = (best, best + distance);
            let (best, baseline) = if rng.random() { (best, baseline) } else { (12 - best, 12 - baseline) };
            let depth = if good { gain / bowl(distance) } else { 0.8 * rng.random::<f64>() };
            let gains = (0..GRID as i32).map(|x| gain - depth * bowl((x - best).abs())).collect();
            return Self { numeric, baseline: baseline as u8, gains };
        }
        let levels = rng.random_range(3..=5);
        let mut gains: Vec<f64> = (0..levels).map(|_| -3.0 * rng.random::<f64>()).collect();
        let baseline = rng.random_range(0..levels);
        gains[baseline] = 0.0;
        if good {
            gains[(baseline + rng.random_range(1..levels)) % levels] = gain;
        }
        Self { numeric, baseline: baseline as u8, gains }
    }

    fn gain(&self, level: u8) -> f64 {
        self.gains.get(usize::from(level)).copied().unwrap_or(0.0)
    }

    fn best(&self) -> f64 {
        self.gains.iter().copied().fold(0.0, f64::max)
    }

    /// Another level than this one.
    fn propose(&self, from: u8, rng: &mut impl Rng) -> u8 {
        if self.numeric && rng.random::<f64>() < 0.7 {
            let step = rng.random_range(1..=3) * if rng.random() { 1 } else { -1 };
            let to = (i32::from(from) + step).clamp(0, GRID as i32 - 1) as u8;
            if to != from {
                return to;
            }
        }
        let levels = self.gains.len() as u8;
        (from + rng.random_range(1..levels)) % levels
    }
}

/// Quadratic near the bottom, linear far away, in steps.
fn bowl(distance: i32) -> f64 {
    let far = f64::from(distance) / 4.0;
    16.0 * ((1.0 + far * far).sqrt() - 1.0)
}

impl Slots {
    /// A parameter set of `keys` keys.
    pub fn new(keys: usize, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(mix(seed, 31));
        Self {
            seed,
            split: 0.0,
            noise: Noise::Gaussian,
            keys: (0..keys).map(|_| Key::draw(&mut rng)).collect(),
            moved: vec![None; keys],
        }
    }

    /// A plain baseline: all effects are ten times as large, tens of sigma, and every other key has its levels moved by
    /// one to four places where a key before it is not what it was at the baseline, so that what is best there
    /// depends on what was chosen here.
    #[must_use]
    pub fn steep(mut self) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(mix(self.seed, 34));
        for key in &mut self.keys {
            key.gains.iter_mut().for_each(|gain| *gain *= STEEP);
        }
        for (key, moved) in self.moved.iter_mut().enumerate().skip(1) {
            let by = rng.random_range(1..=4) * if rng.random() { 1 } else { -1 };
            *moved = (rng.random::<f64>() < MOVED).then(|| (rng.random_range(0..key), by));
        }
        self
    }

    /// Of every key: whether it is a number, and how many levels it has.
    pub(super) fn levels(&self) -> impl Iterator<Item = (bool, usize)> + '_ {
        self.keys.iter().map(|key| (key.numeric, key.gains.len()))
    }

    /// What a key's value gains over the baseline's, where the others are what they are.
    fn gain_of(&self, key: usize, candidate: &Levels) -> f64 {
        let own = &self.keys[key];
        let by = |(other, by): (usize, i32)| {
            if candidate[other] == self.keys[other].baseline { 0 } else { by }
        };
        match self.moved[key].map_or(0, by) {
            0 => own.gain(candidate[key]),
            by if own.numeric => own.gain((i32::from(candidate[key]) + by).clamp(0, GRID as i32 - 1) as u8),
            by => own.gain((i32::from(candidate[key]) + by).rem_euclid(own.gains.len() as i32) as u8),
        }
    }

    /// The standard deviation of the bias that each level but the baseline's has on the validation split.
    #[must_use]
    pub fn split_noise(mut self, sd: f64) -> Self {
        self.split = sd;
        self
    }

    /// The distribution of run noise.
    #[must_use]
    pub fn noise(mut self, noise: Noise) -> Self {
        self.noise = noise;
        self
    }

    fn bias(&self, candidate: &Levels, split: usize) -> f64 {
        if self.split == 0.0 {
            return 0.0;
        }
        let changed = candidate.iter().enumerate().filter(|(k, level)| **level != self.keys[*k].baseline);
        let one = |(k, level): (usize, &u8)| {
            gaussian(mix(mix(self.seed, 32 + split as u64), (k as u64) << 8 | u64::from(*level)))
        };
        let sd = if split == 0 { self.split } else { self.split / HOLDOUT.sqrt() };
        sd * changed.map(one).sum::<f64>()
    }
}

impl World for Slots {
    type Candidate = Levels;

    fn baseline(&self) -> Levels {
        self.keys.iter().map(|key| key.baseline).collect()
    }

    fn propose(&self, index: u32, on: &Levels) -> Levels {
        let mut rng = ChaCha8Rng::seed_from_u64(mix(mix(self.seed, 33), u64::from(index)));
        let mut edited = on.clone();
        let changes = if rng.random::<f64>() < 0.2 { 2 } else { 1 };
        for _ in 0..changes {
            let key = rng.random_range(0..self.keys.len());
            edited[key] = self.keys[key].propose(on[key], &mut rng);
        }
        edited
    }

    /// A step is taken from the value of before.
    fn is_one_change(&self, _index: u32) -> bool {
        false
    }

    fn loss(&self, candidate: &Levels, seed: u64, split: usize) -> f64 {
        let whole = candidate.iter().fold(17, |hash, level| mix(hash, u64::from(*level)));
        let identity = Identity { whole, ..Identity::default() };
        self.noise.draw(self.seed, &identity, seed, split)
            - self.gain(candidate)
            - self.bias(candidate, split)
    }

    fn composer(&self) -> Arc<dyn Compose<Levels>> {
        Arc::new(LevelMerge { numeric: self.keys.iter().map(|key| key.numeric).collect() })
    }

    fn gain(&self, candidate: &Levels) -> f64 {
        (0..self.keys.len()).map(|key| self.gain_of(key, candidate)).sum()
    }

    /// The sum of what each key could gain; of a steep world an upper bound.
    fn ideal(&self, _proposals: u64) -> f64 {
        self.keys.iter().map(Key::best).sum()
    }

    fn judge(&self, candidate: &Levels) -> Merit {
        let all = self.gain(candidate);
        let without = |key: usize| {
            let mut without = candidate.clone();
            without[key] = self.keys[key].baseline;
            self.gain(&without)
        };
        let changed = (0..candidate.len()).filter(|key| self.keys[*key].baseline != candidate[*key]);
        let gains: Vec<f64> = changed.map(|key| all - without(key)).collect();
        // A sum of many terms is off by its last digits.
        let junk = gains.iter().filter(|gain| **gain < 1e-9).count();
        let weak = gains.iter().filter(|gain| **gain < 0.25).count();
        Merit { edits: gains.len(), junk, weak, units: gains.len(), junk_units: junk }
    }

    fn split_error(&self) -> Option<f64> {
        (self.split > 0.0).then(|| self.split / HOLDOUT.sqrt())
    }
}

/// Merges key by key; every changed key is a unit.
#[derive(Debug)]
struct LevelMerge {
    numeric: Vec<bool>,
}

impl LevelMerge {
    fn level(&self, key: usize, level: u8) -> Level {
        if self.numeric[key] {
            Level::Number(f64::from(level) / (GRID - 1) as f64)
        } else {
            Level::Choice(level.to_string())
        }
    }
}

fn name(key: usize) -> String {
    format!("k{key}")
}

impl Compose<Levels> for LevelMerge {
    fn apply(&self, base: &Levels, parent: &Levels, edited: &Levels) -> Result<Levels, Conflict> {
        let merge = |key: usize| {
            let (b, p, e) = (base[key], parent[key], edited[key]);
            if b != p && e != p && b != e {
                return Err(Conflict { place: name(key), reason: format!("{p} -> {e} meets {b}") });
            }
            Ok(if e == p { b } else { e })
        };
        (0..base.len()).map(merge).collect()
    }

    fn units(&self, parent: &Levels, edited: &Levels) -> Vec<Unit<Levels>> {
        let changed = (0..parent.len()).filter(|key| parent[*key] != edited[*key]);
        let unit = |key: usize| {
            let mut alone = parent.clone();
            alone[key] = edited[key];
            Unit::new(name(key), alone)
                .levels(Some(self.level(key, parent[key])), Some(self.level(key, edited[key])))
        };
        changed.map(unit).collect()
    }

    fn switch(&self, base: &Levels, _parent: &Levels, unit: &Unit<Levels>) -> Result<Levels, Conflict> {
        let key: usize = unit.key[1..].parse().unwrap_or_default();
        let mut switched = base.clone();
        switched[key] = unit.edited[key];
        Ok(switched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws_and_units() {
        let merge = LevelMerge { numeric: vec![true; 8] };
        let (parent, edited): (Levels, Levels) = (vec![0, 1, 2], vec![0, 3, 4]);
        assert_eq!(merge.apply(&parent, &parent, &edited), Ok(edited.clone()));
        assert_eq!(merge.apply(&vec![9, 1, 2], &parent, &parent), Ok(vec![9, 1, 2]));
        assert_eq!(merge.apply(&vec![9, 1, 2], &parent, &edited), Ok(vec![9, 3, 4]));
        let conflict = merge.apply(&vec![0, 2, 2], &parent, &edited).expect_err("both changed k1");
        assert_eq!(conflict.place, "k1");
        let units: Vec<_> = merge.units(&parent, &edited).into_iter().map(|u| (u.key, u.edited)).collect();
        assert_eq!(units, [("k1".to_string(), vec![0, 3, 2]), ("k2".to_string(), vec![0, 1, 4])]);
    }

    #[test]
    fn in_a_steep_world_what_is_best_here_depends_on_what_was_chosen_there() {
        let (flat, steep) = (Slots::new(35, 3), Slots::new(35, 3).steep());
        let baseline = steep.baseline();
        assert!(steep.gain(&baseline).abs() < 1e-9, "up to rounding");
        let alone = |key: usize, level: u8| {
            let mut edited = baseline.clone();
            edited[key] = level;
            (flat.gain(&edited), steep.gain(&edited), edited)
        };
        let mut depends = 0;
        for key in 0..35 {
            let (gain, tenfold, one) = alone(key, (baseline[key] + 1) % 3);
            let is_moving = (0..35).any(|other| steep.moved[other].is_some_and(|(mover, _)| mover == key));
            // A key that moves no other has its own effect, ten times as large.
            assert!(is_moving || (tenfold - STEEP * gain).abs() < 1e-9, "{key}");
            if let Some((mover, _)) = steep.moved[key] {
                let (_, other, _) = alone(mover, (baseline[mover] + 1) % 3);
                let mut both = one;
                both[mover] = (baseline[mover] + 1) % 3;
                depends += usize::from((steep.gain(&both) - tenfold - other).abs() > 1.0);
            }
        }
        assert!(depends >= 5, "{depends} keys of 35 depend on another");
        let best = alone(0, baseline[0]).2;
        assert_eq!(steep.judge(&best), Merit::default());
    }

    #[test]
    fn the_optimum_is_what_was_promised() {
        let worlds = 200;
        let ideal =
            (0..worlds).map(|seed| Slots::new(35, seed).ideal(0)).sum::<f64>() / f64::from(worlds as u32);
        // 35 · .45 · 2.3
        assert!((ideal - 36.2).abs() < 1.5, "{ideal}");
    }

    #[test]
    fn nothing_changed_is_nothing_gained() {
        let world = Slots::new(35, 1).split_noise(1.0);
        let baseline = world.baseline();
        assert_eq!((world.gain(&baseline), world.bias(&baseline, 0)), (0.0, 0.0));
        assert_eq!(world.judge(&baseline), Merit::default());
        let proposed: Vec<Levels> = (0..500).map(|i| world.propose(i, &baseline)).collect();
        assert!(proposed.iter().all(|p| (1..=2).contains(&world.judge(p).edits)));
        assert!(
            proposed.iter().all(|p| p.iter().zip(&world.keys).all(|(l, k)| usize::from(*l) < k.gains.len()))
        );
        assert_eq!(proposed[7], world.propose(7, &baseline));
    }
}
