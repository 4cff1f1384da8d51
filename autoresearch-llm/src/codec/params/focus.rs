//! One parameter, drawn, for a model that cannot get away from what was tried.

use super::schema::pair;
use crate::codec::Focus;
use crate::codec::hint::shown;
use autoresearch_core::{Param, ParamKind, ParamSet, ParamSpace, ParamValue};
use serde_json::json;

/// How many values are offered of a parameter that can take any number of them.
const OFFERED: usize = 5;

/// Draws one of the parameters that have an effect, and some values for it that it does not have now.
///
/// Values are offered, and not only ranges, since servers that hold a model to a schema do not hold it to the bounds of
/// numbers, and small models copy numbers that they see. With the parameter come those that it may make matter and that
/// have no value which would do.
pub(super) fn focus(space: &ParamSpace, active: &[&Param], now: &ParamSet, seed: u64) -> Option<Focus> {
    let at = usize::try_from(seed % u64::try_from(active.len()).ok()?.max(1)).ok()?;
    let param = *active.get(at)?;
    let mut drawn = vec![param];
    for other in space.params().iter().filter(|other| !active.contains(other)) {
        let is_on = |name: &String| drawn.iter().any(|one| one.name == *name);
        let unfit = now.get(&other.name).is_none_or(|value| !other.kind.contains(value));
        if unfit && other.when.iter().any(|condition| is_on(&condition.on)) {
            drawn.push(other);
        }
    }
    let (mut each, mut said) = (Vec::new(), String::from("change nothing but"));
    for (i, one) in drawn.into_iter().enumerate() {
        let values = offered(one, now.get(&one.name), seed);
        let mut pair = pair(one, now);
        if let Some(value) = pair.pointer_mut("/properties/value").filter(|_| !values.is_empty()) {
            value["enum"] = values.iter().map(|value| json!(value)).collect();
        }
        each.push(pair);
        let listed: Vec<String> = values.iter().map(|value| shown(Some(value))).collect();
        let too = if i == 0 { "" } else { ", and, where that matters then," };
        said += &format!("{too} `{}`, to {}", one.name, listed.join(" or "));
    }
    said += ".";
    let schema = json!({
        "type": "array",
        "items": {"anyOf": each},
        "minItems": 1,
        "maxItems": each.len(),
    });
    Some(Focus::new(schema, said))
}

/// Values that the parameter does not have now: all others of a list, some of a range.
fn offered(param: &Param, now: Option<&ParamValue>, seed: u64) -> Vec<ParamValue> {
    let all = match &param.kind {
        ParamKind::Bool => vec![ParamValue::Bool(false), ParamValue::Bool(true)],
        ParamKind::Choice { values } => values.clone(),
        kind => {
            let mut alone = param.clone();
            alone.when.clear();
            let alone = ParamSpace::new().param(alone);
            let draw = |i: u64| alone.sample(seed.rotate_left(32).wrapping_add(i)).ok();
            let value = |set: ParamSet| set.get(&param.name).map(|value| short(value, kind));
            (0..4 * OFFERED as u64).filter_map(|i| draw(i).and_then(value)).collect()
        }
    };
    let most = if matches!(param.kind, ParamKind::Choice { .. }) { all.len() } else { OFFERED };
    let mut others: Vec<ParamValue> = Vec::new();
    for value in all {
        if others.len() < most && Some(&value) != now && !others.contains(&value) {
            others.push(value);
        }
    }
    others
}

/// Three significant digits are enough.
fn short(value: &ParamValue, kind: &ParamKind) -> ParamValue {
    match (value, kind) {
        (ParamValue::Float(x), ParamKind::Float { low, high, .. }) => {
            let rounded: f64 = format!("{x:.2e}").parse().unwrap_or(*x);
            ParamValue::Float(rounded.clamp(*low, *high))
        }
        _ => value.clone(),
    }
}
