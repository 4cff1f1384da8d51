//! What many statistics ask of their input.

use super::StatsError;
use super::error::parameter;

/// A probability with both ends excluded.
pub(super) fn open_unit(name: &'static str, value: f64) -> Result<(), StatsError> {
    if value > 0.0 && value < 1.0 {
        Ok(())
    } else {
        Err(parameter(name, value, "between 0 and 1, both excluded"))
    }
}

/// A probability with both ends included.
pub(super) fn closed_unit(name: &'static str, value: f64) -> Result<(), StatsError> {
    if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(parameter(name, value, "between 0 and 1")) }
}

/// A finite number above zero.
pub(super) fn positive(name: &'static str, value: f64) -> Result<(), StatsError> {
    if value > 0.0 && value.is_finite() { Ok(()) } else { Err(parameter(name, value, "positive and finite")) }
}

/// A finite number.
pub(super) fn finite(name: &'static str, value: f64) -> Result<(), StatsError> {
    if value.is_finite() { Ok(()) } else { Err(StatsError::NonFinite { what: name.to_string(), value }) }
}

/// A list of finite numbers.
pub(super) fn all_finite(name: &str, values: &[f64]) -> Result<(), StatsError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(i) => Err(StatsError::NonFinite { what: format!("{name}[{i}]"), value: values[i] }),
        None => Ok(()),
    }
}

/// Two lists that match one to one.
pub(super) fn same_length(
    left_name: &'static str,
    left: usize,
    right_name: &'static str,
    right: usize,
) -> Result<(), StatsError> {
    if left == right {
        Ok(())
    } else {
        Err(StatsError::LengthMismatch { left_name, left, right_name, right })
    }
}
