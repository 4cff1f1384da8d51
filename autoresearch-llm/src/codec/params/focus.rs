//! One parameter, drawn, for a model that cannot get away from what was tried.

use super::schema::pair;
use crate::codec::Focus;
use crate::codec::hint::shown;
use autoresearch_core::{Param, ParamKind, ParamSet, ParamSpace, ParamValue};
use serde_json::{Value, json};

/// Draws one of these parameters, and a value for it that it does not have now.
///
/// With it come those without a value that it may make matter.
pub(super) fn focus(space: &ParamSpace, active: &[&Param], now: &ParamSet, seed: u64) -> Option<Focus> {
    let at = usize::try_from(seed % u64::try_from(active.len()).ok()?.max(1)).ok()?;
    let param = *active.get(at)?;
    let wakes = |other: &&Param| {
        other.when.iter().any(|condition| condition.on == param.name) && now.get(&other.name).is_none()
    };
    let with: Vec<&Param> = space.params().iter().filter(wakes).collect();
    let mut own = pair(param, now);
    if let Some(value) = own.pointer_mut("/properties/value") {
        leave_out(value, &param.kind, now.get(&param.name));
    }
    let each: Vec<Value> = std::iter::once(own).chain(with.iter().map(|other| pair(other, now))).collect();
    let schema = json!({
        "type": "array",
        "items": {"anyOf": each},
        "minItems": 1,
        "maxItems": each.len(),
    });
    let mut said = format!("Change `{}`, which is {} now", param.name, shown(now.get(&param.name)));
    for other in with {
        said += &format!(", and `{}` with it where that matters then", other.name);
    }
    said += ", and nothing else.";
    // The parameters are drawn by the seed as well; another number makes the value independent of that.
    let drawn = space.sample(seed.rotate_left(32) ^ 0x5bd1_e995).ok();
    let drawn = drawn.as_ref().and_then(|set| set.get(&param.name)).map(|value| short(value, &param.kind));
    if let Some(value) = drawn.filter(|value| Some(value) != now.get(&param.name)) {
        said += &format!(" It could be {}, for instance, if you know nothing better.", shown(Some(&value)));
    }
    Some(Focus::new(schema, said))
}

/// Takes what stands now from what is listed.
fn leave_out(schema: &mut Value, kind: &ParamKind, now: Option<&ParamValue>) {
    let now = now.map_or(Value::Null, |now| json!(now));
    match kind {
        ParamKind::Bool if now.is_boolean() && schema["type"] == "boolean" => {
            schema["enum"] = json!([now == false])
        }
        ParamKind::Choice { .. } => {
            if let Some(listed) = schema["enum"].as_array_mut().filter(|listed| listed.len() > 1) {
                listed.retain(|value| *value != now);
            }
        }
        _ => {}
    }
}

/// Three significant digits are enough for an example.
fn short(value: &ParamValue, kind: &ParamKind) -> ParamValue {
    match (value, kind) {
        (ParamValue::Float(x), ParamKind::Float { low, high, .. }) => {
            let rounded: f64 = format!("{x:.2e}").parse().unwrap_or(*x);
            ParamValue::Float(rounded.clamp(*low, *high))
        }
        _ => value.clone(),
    }
}
