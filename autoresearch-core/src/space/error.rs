//! What can be wrong with a space, or with a candidate in it.

/// A parameter space that makes no sense, or a candidate that lies outside of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpaceError {
    /// The space itself is wrong: a mistake in the code that describes it.
    #[error("the parameter space is wrong at `{name}`: {problem}")]
    Definition {
        /// The parameter at which it was found.
        name: String,
        /// What is wrong, with the remedy.
        problem: String,
    },
    /// A value that the parameter cannot take.
    #[error("`{name}` is {value}; it must be {allowed}")]
    Outside {
        /// The parameter.
        name: String,
        /// What the candidate holds, as JSON.
        value: String,
        /// What it may hold.
        allowed: String,
    },
    /// The candidate has no value for a parameter that needs one.
    #[error(
        "`{name}` is missing; it must be {allowed} (is that the field's name? `.optional()` allows `None`)"
    )]
    Missing {
        /// The parameter.
        name: String,
        /// What it may hold.
        allowed: String,
    },
    /// The candidate does not go through JSON, or is no set of named values.
    #[error("the candidate is no set of parameters: {reason}")]
    Candidate {
        /// Why not.
        reason: String,
    },
}

impl SpaceError {
    /// The parameter that is to blame, if it is one.
    pub fn parameter(&self) -> Option<&str> {
        match self {
            Self::Definition { name, .. } | Self::Outside { name, .. } | Self::Missing { name, .. } => {
                Some(name)
            }
            Self::Candidate { .. } => None,
        }
    }

    pub(crate) fn definition(name: &str, problem: impl Into<String>) -> Self {
        Self::Definition { name: name.into(), problem: problem.into() }
    }

    pub(crate) fn candidate(reason: impl ToString) -> Self {
        Self::Candidate { reason: reason.to_string() }
    }
}
