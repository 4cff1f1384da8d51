//! The scenario that 752 training runs of a small language model suggest.

use super::draw::float;
use super::noise::FEATURES;
use super::stream::Edit;
use rand::{Rng, RngExt};

/// What the first, second and third strongest member of a mechanism contribute of their effect; the others nothing.
const BY_RANK: [f64; 3] = [1.0, 0.55, 0.10];
/// How many mechanisms the edits share.
const MECHANISMS: usize = 5;
/// Above this an edit may work through a mechanism that others share.
const SHARED: f64 = 0.5;
/// An effect below this counts as none.
pub(super) const NEGLIGIBLE: f64 = 0.25;
/// What the holdout sees of a gain.
pub(super) const HOLDOUT_SLOPE: f64 = 0.97;

fn exponential(rng: &mut impl Rng, mean: f64) -> f64 {
    -mean * (1.0 - rng.random::<f64>()).ln()
}

pub(super) fn effect(rng: &mut impl Rng) -> f64 {
    match rng.random::<f64>() {
        x if x < 0.36 => exponential(rng, 0.96),
        x if x < 0.84 => -exponential(rng, 0.42),
        _ => -exponential(rng, 4.85),
    }
}

/// The standard deviation of an edit's bias on the validation split.
pub(super) fn split_noise(effect: f64) -> f64 {
    0.03 + 0.03 * effect.abs()
}

/// Of the edits above .5, half work through one of a few mechanisms and a fifth compete for one slot; each edit touches
/// some parts of training. Returns the members of each mechanism, the strongest first.
pub(super) fn structure(first: u32, edits: &mut [Edit], rng: &mut impl Rng) -> Vec<Vec<u32>> {
    let mut mechanisms = vec![Vec::new(); MECHANISMS];
    for (i, edit) in edits.iter_mut().enumerate() {
        let shapes = rng.random::<f64>() < 0.14;
        let rho = 0.35 + 0.64 * rng.random::<f64>().powf(if shapes { 1.0 } else { 1.0 / 2.6 });
        edit.touches = (0..FEATURES).fold(0, |bits, m| bits | u16::from(rng.random::<f64>() >= rho) << m);
        match rng.random::<f64>() {
            _ if float(edit.effect) <= SHARED => {}
            x if x < 0.5 => {
                let mechanism = rng.random_range(0..mechanisms.len());
                edit.mechanism = Some(mechanism);
                mechanisms[mechanism].push(first + i as u32);
            }
            x if x < 0.7 => edit.slot = Some(first),
            _ => {}
        }
    }
    for members in &mut mechanisms {
        members.sort_by_key(|edit| std::cmp::Reverse(edits[(edit - first) as usize].effect));
    }
    mechanisms
}

/// What the present members of a mechanism contribute together, given their effects, the strongest first.
pub(super) fn mechanism(effects: impl Iterator<Item = i64>) -> i64 {
    effects.zip(BY_RANK).map(|(effect, share)| (effect as f64 * share) as i64).sum()
}
