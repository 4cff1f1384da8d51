//! What can be wrong with the input of a statistic.

/// Input that a statistic cannot be computed from.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StatsError {
    /// There was nothing to compute from.
    #[error("{what} is empty")]
    Empty {
        /// The name of the argument.
        what: &'static str,
    },
    /// Two lists that belong together, item by item, differ in length.
    #[error("{left_name} has {left} values but {right_name} has {right}: they must match one to one")]
    LengthMismatch {
        /// The name of the first list.
        left_name: &'static str,
        /// Its length.
        left: usize,
        /// The name of the second list.
        right_name: &'static str,
        /// Its length.
        right: usize,
    },
    /// A value is NaN or infinite, or a sum over the values overflowed.
    #[error("{what} is not finite: {value}")]
    NonFinite {
        /// The name of the value; for an item of a list with its index.
        what: String,
        /// The value found.
        value: f64,
    },
    /// A parameter lies outside of its range.
    #[error("{name} = {value}, but it must be {expected}")]
    Parameter {
        /// The name of the parameter.
        name: &'static str,
        /// The value given.
        value: f64,
        /// The range, in words.
        expected: &'static str,
    },
}

/// A [`StatsError::Parameter`].
pub(super) fn parameter(name: &'static str, value: f64, expected: &'static str) -> StatsError {
    StatsError::Parameter { name, value, expected }
}
