//! A candidate's JSON under edit, and how an edit reads.

use crate::compose::{get_path, set_path};
use crate::space::{ParamSpace, ParamValue};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

/// A candidate's JSON that is being edited.
#[derive(Clone)]
pub(super) struct Draft<'a> {
    pub(super) space: &'a ParamSpace,
    pub(super) value: Value,
}

impl Draft<'_> {
    pub(super) fn is_active(&self, i: usize) -> bool {
        self.space.is_active(i, &self.value)
    }

    pub(super) fn get(&self, i: usize) -> Option<ParamValue> {
        self.space
            .params()
            .get(i)
            .and_then(|p| get_path(&self.value, &p.name))
            .and_then(ParamValue::from_json)
    }

    pub(super) fn set(&mut self, i: usize, value: &ParamValue) {
        if let Some(param) = self.space.params().get(i) {
            set_path(&mut self.value, &param.name, value.to_json());
        }
    }

    /// Gives a value to what an edit has made active and what has no valid one.
    pub(super) fn complete(&mut self, rng: &mut ChaCha8Rng) {
        for (i, param) in self.space.params().iter().enumerate() {
            if self.is_active(i) && param.validate(&self.value).is_err() {
                self.set(i, &param.kind.draw(rng));
            }
        }
    }
}

/// Both values of a change, numbers with as many digits as it takes to tell the difference to a percent.
pub(super) fn show(from: Option<&Value>, to: Option<&Value>) -> (String, String) {
    let plain = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "unset".to_string(),
        Some(Value::String(s)) => s.clone(),
        Some(other) => other.to_string(),
    };
    let float = |value: Option<&Value>| value.filter(|v| v.is_f64()).and_then(Value::as_f64);
    let (a, b) = (float(from), float(to));
    // The largest difference that may be hidden; a number alone is shown to a percent of itself.
    let slack = match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() / 100.0,
        (Some(x), None) | (None, Some(x)) => x.abs() / 100.0,
        (None, None) => return (plain(from), plain(to)),
    };
    let reads = |x: f64, digits: usize| {
        number(x, digits).parse::<f64>().is_ok_and(|shown| (shown - x).abs() <= slack)
    };
    let digits = (2..17).find(|d| [a, b].into_iter().flatten().all(|x| reads(x, *d))).unwrap_or(17);
    let text = |x: Option<f64>, value| x.map_or_else(|| plain(value), |x| number(x, digits));
    (text(a, from), text(b, to))
}

/// A number with so many significant digits.
fn number(x: f64, digits: usize) -> String {
    if x == 0.0 {
        "0".into()
    } else if (1e-2..1e5).contains(&x.abs()) {
        let before = x.abs().log10().floor() as i32 + 1;
        format!("{x:.*}", usize::try_from(digits as i32 - before).unwrap_or(0))
    } else {
        format!("{x:.*e}", digits - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_change_reads_as_short_as_it_can_be_told() {
        for (from, to, expected) in [
            (json!(1e-3), json!(2.1e-3), ("1.0e-3", "2.1e-3")),
            (json!(1e-3), json!(1.052e-3), ("1.000e-3", "1.052e-3")),
            (json!(0.1f32), json!(0.25), ("0.10", "0.25")),
            (json!(9e-3), json!(0.02), ("9.0e-3", "0.020")),
            (json!(0.0), json!(-0.5), ("0", "-0.50")),
            (json!(512.0), json!(1234.5), ("512", "1234")),
            (json!(64), json!(96), ("64", "96")),
            (json!("adamw"), json!("muon"), ("adamw", "muon")),
            (json!(null), json!(0.951), ("unset", "0.95")),
            (json!(false), json!(true), ("false", "true")),
        ] {
            let (a, b) = show(Some(&from), Some(&to));
            assert_eq!((a.as_str(), b.as_str()), expected);
        }
        assert_eq!(show(None, Some(&json!(3))), ("unset".into(), "3".into()));
    }
}
