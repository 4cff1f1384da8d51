//! How a command is told its seed and how much it is given.

use autoresearch_core::Fidelity;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a value is passed to the run command: as a variable, as an argument at its end, or both. Unless said, as the variable
/// `AUTORESEARCH_SEED` or `AUTORESEARCH_FIDELITY`, which is always set. A place for it in the command is `{seed}` or `{fidelity}`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table that says how the value is passed, as in `{ argument = \"--seed\" }`"
)]
pub struct Passed {
    /// The variable's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// The argument that stands before the value, such as `--seed`; one that ends in `=` and the value are one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argument: Option<String>,
}

/// How much a run is given, and how the run command is told.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table that says how much a run is given, as in `{ steps = 1000, argument = \"--steps\" }`"
)]
pub struct FidelitySpec {
    /// Optimiser steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Training tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Floating-point operations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flops: Option<f64>,
    /// Elapsed seconds: the load of the machine becomes noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// The variable's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// The argument that stands before the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argument: Option<String>,
}

impl Passed {
    /// The arguments that a value becomes.
    pub(crate) fn arguments(&self, value: &str) -> Vec<String> {
        match &self.argument {
            Some(argument) if argument.ends_with('=') => vec![format!("{argument}{value}")],
            Some(argument) => vec![argument.clone(), value.into()],
            None => Vec::new(),
        }
    }
}

impl FidelitySpec {
    /// The fidelity, if one is said.
    ///
    /// # Errors
    /// In words: several are, or one that is nothing.
    pub(crate) fn fidelity(&self) -> Result<Option<Fidelity>, String> {
        let seconds = |s: f64| Duration::try_from_secs_f64(s).unwrap_or_default();
        let said = [
            self.steps.map(Fidelity::steps),
            self.tokens.map(Fidelity::tokens),
            self.flops.map(Fidelity::flops),
            self.seconds.map(|s| Fidelity::wall_clock(seconds(s))),
        ];
        let said: Vec<Fidelity> = said.into_iter().flatten().collect();
        let positive = |fidelity: &Fidelity| match *fidelity {
            Fidelity::Steps(n) | Fidelity::Tokens(n) => n > 0,
            Fidelity::Flops(x) => x > 0.0 && x.is_finite(),
            Fidelity::WallClock(time) => !time.is_zero(),
            _ => true,
        };
        match said.as_slice() {
            [] => Ok(None),
            [one] if positive(one) => Ok(Some(*one)),
            [_] => Err("give a number above 0".into()),
            _ => Err("say one of `steps`, `tokens`, `flops` and `seconds`".into()),
        }
    }

    pub(crate) fn passed(&self) -> Passed {
        Passed { env: self.env.clone(), argument: self.argument.clone() }
    }
}

/// A fidelity as a command is told it: a number, in its own unit (elapsed time in seconds).
pub(crate) fn number(fidelity: Fidelity) -> String {
    match fidelity {
        Fidelity::Steps(n) | Fidelity::Tokens(n) => n.to_string(),
        Fidelity::Flops(x) => format!("{x}"),
        Fidelity::WallClock(time) => format!("{}", time.as_secs_f64()),
        other => other.to_string(),
    }
}
