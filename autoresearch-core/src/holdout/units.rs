//! The units behind held-out measurements: whether they are the same, and the sources that they come from.

use super::HeldOut;
use crate::measure::{Direction, PerUnit};
use std::collections::HashMap;

/// Whether all were measured on the same units.
pub(super) fn same_units(all: &[&PerUnit]) -> Result<(), String> {
    let Some((first, rest)) = all.split_first() else { return Ok(()) };
    let differs = |other: &&&PerUnit| {
        other.values.len() != first.values.len()
            || other.weights != first.weights
            || other.clusters != first.clusters
    };
    match rest.iter().find(differs) {
        None => Ok(()),
        Some(other) => Err(format!(
            "held-out measurements of one question differ in their units ({} and {} values, or other weights or \
             clusters); the evaluator must give the same units in the same order for every run",
            first.values.len(),
            other.values.len()
        )),
    }
}

/// The losses of every source, one a run, and the sources' weights; nothing where there are no per-unit values.
pub(super) fn documents(held: &[HeldOut], direction: Direction) -> Result<(Vec<Vec<f64>>, Vec<f64>), String> {
    let Some(units) = held.iter().map(|h| h.0.units()).collect::<Option<Vec<&PerUnit>>>() else {
        return Ok((Vec::new(), Vec::new()));
    };
    same_units(&units)?;
    let (mut losses, mut weights) = (Vec::new(), Vec::new());
    for (run, units) in units.iter().enumerate() {
        let (means, of_sources) = by_source(units);
        if run == 0 {
            losses = vec![Vec::with_capacity(held.len()); means.len()];
            weights = of_sources;
        }
        losses.iter_mut().zip(means).for_each(|(list, mean)| list.push(direction.loss(mean)));
    }
    Ok((losses, weights))
}

/// Weighted means and weights of the sources that the units come from, in order of appearance.
fn by_source(units: &PerUnit) -> (Vec<f64>, Vec<f64>) {
    let mut places = HashMap::new();
    let (mut sums, mut weights): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    for (i, value) in units.values.iter().enumerate() {
        let source = units.clusters.as_ref().map_or(i as u64, |c| c[i]);
        let weight = units.weights.as_ref().map_or(1.0, |w| w[i]);
        let at = *places.entry(source).or_insert(sums.len());
        if at == sums.len() {
            sums.push(0.0);
            weights.push(0.0);
        }
        sums[at] += weight * value;
        weights[at] += weight;
    }
    let means = sums.iter().zip(&weights).map(|(s, w)| if *w > 0.0 { s / w } else { 0.0 }).collect();
    (means, weights)
}
