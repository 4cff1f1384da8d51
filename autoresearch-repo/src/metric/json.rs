//! Numbers in JSON objects, and what else the objects hold.

use super::object::Json;
use super::{Hit, MOST_FILE};
use autoresearch_core::{Measurement, MeasurementError};

/// Keys that say more of the objective, and are no metrics.
const OF_UNITS: [&str; 3] = ["values", "weights", "clusters"];

/// The objects among the lines that have the key.
pub(super) fn lines(stdout: &str, key: &str) -> impl Iterator<Item = Hit> {
    let objects = stdout.lines().map(str::trim).filter(|line| is_object(line));
    objects.filter_map(move |line| hit(serde_json::from_str(line).ok()?, key))
}

/// Whether a line may be one.
pub(super) fn is_object(line: &str) -> bool {
    line.starts_with('{') && line.len() as u64 <= MOST_FILE
}

/// The object, if it has the key.
pub(super) fn hit(object: Json, key: &str) -> Option<Hit> {
    let text = at(&object, key)?.to_string();
    Some(Hit { text, object: Some(object), key: key.into() })
}

/// By its whole name, or by a way of names through objects.
fn at<'a>(object: &'a Json, key: &str) -> Option<&'a Json> {
    object.get(key).or_else(|| key.split('.').try_fold(object, |value, name| value.get(name)))
}

/// The measurement that an object is; `outside` are names of metrics that it does not decide.
///
/// # Errors
/// In words: it contradicts itself, or a number is not finite.
pub(super) fn measurement(hit: &Hit, objective: f64, outside: &[&str]) -> Result<Measurement, String> {
    let said = |why: MeasurementError| why.to_string();
    let key = hit.key.as_str();
    let Some(object) = &hit.object else { return Measurement::scalar(objective).map_err(said) };
    let list = |name: &str| match object.get(name) {
        None => Ok(None),
        Some(Json::Numbers(numbers)) => Ok(Some(numbers)),
        Some(_) => Err(format!("`{name}` is no list of numbers")),
    };
    let numbers = |name: &str| -> Result<Option<Vec<f64>>, String> {
        Ok(list(name)?.map(|list| list.iter().filter_map(serde_json::Number::as_f64).collect()))
    };
    let mut measured = match numbers("values")? {
        None => Measurement::scalar(objective).map_err(said)?,
        Some(values) => {
            let mut measured = Measurement::new(values).map_err(said)?;
            if let Some(weights) = numbers("weights")? {
                measured = measured.weights(weights).map_err(said)?;
            }
            if let Some(list) = list("clusters")? {
                let clusters: Option<Vec<u64>> = list.iter().map(serde_json::Number::as_u64).collect();
                let clusters = clusters.ok_or("`clusters` is no list of whole numbers")?;
                measured = measured.clusters(clusters).map_err(said)?;
            }
            let mean = measured.objective();
            let same = (objective - mean).abs() <= 1e-6 * mean.abs().max(1e-3);
            if !same {
                return Err(format!(
                    "the objective {key:?} is {objective}, and the mean of its values is {mean}"
                ));
            }
            measured
        }
    };
    for (name, value) in object.entries() {
        let name = &**name;
        let other = name != key && !OF_UNITS.contains(&name) && !outside.contains(&name);
        if let Some(number) = value.number().filter(|_| other) {
            measured = measured.metric(name, number).map_err(said)?;
        }
    }
    Ok(measured)
}
