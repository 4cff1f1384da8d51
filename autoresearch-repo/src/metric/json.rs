//! Numbers in JSON objects, and what else the objects hold.

use super::Hit;
use autoresearch_core::{Measurement, MeasurementError};
use serde_json::Value;

/// Keys that say more of the objective, and are no metrics.
const OF_UNITS: [&str; 3] = ["values", "weights", "clusters"];

/// The objects among the lines that have the key.
pub(super) fn lines(stdout: &str, key: &str) -> Vec<Hit> {
    let objects = stdout.lines().map(str::trim).filter(|line| line.starts_with('{'));
    objects.filter_map(|line| hit(serde_json::from_str(line).ok()?, key)).collect()
}

/// The object, if it has the key.
pub(super) fn hit(object: Value, key: &str) -> Option<Hit> {
    let value = at(&object, key)?;
    let text = value.as_str().map_or_else(|| value.to_string(), String::from);
    Some(Hit { text, object: Some(object), key: key.into() })
}

/// By its whole name, or by a way of names through objects.
fn at<'a>(object: &'a Value, key: &str) -> Option<&'a Value> {
    object.get(key).or_else(|| key.split('.').try_fold(object, |value, name| value.get(name)))
}

/// The measurement that an object is.
///
/// # Errors
/// In words: it contradicts itself, or a number is not finite.
pub(super) fn measurement(object: Option<&Value>, key: &str, objective: f64) -> Result<Measurement, String> {
    let said = |why: MeasurementError| why.to_string();
    let Some(object) = object else { return Measurement::scalar(objective).map_err(said) };
    let numbers = |name: &str| -> Result<Option<Vec<f64>>, String> {
        let Some(list) = object.get(name) else { return Ok(None) };
        let list = list.as_array().ok_or_else(|| format!("`{name}` is no list of numbers"))?;
        let number =
            |value: &Value| value.as_f64().ok_or_else(|| format!("{value} in `{name}` is no number"));
        list.iter().map(number).collect::<Result<_, _>>().map(Some)
    };
    let mut measured = match numbers("values")? {
        None => Measurement::scalar(objective).map_err(said)?,
        Some(values) => {
            let mut measured = Measurement::new(values).map_err(said)?;
            if let Some(weights) = numbers("weights")? {
                measured = measured.weights(weights).map_err(said)?;
            }
            if let Some(list) = object.get("clusters") {
                let clusters: Option<Vec<u64>> =
                    list.as_array().and_then(|list| list.iter().map(Value::as_u64).collect());
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
    for (name, value) in object.as_object().into_iter().flatten() {
        if let Some(number) = value.as_f64().filter(|_| name != key && !OF_UNITS.contains(&name.as_str())) {
            measured = measured.metric(name, number).map_err(said)?;
        }
    }
    Ok(measured)
}
