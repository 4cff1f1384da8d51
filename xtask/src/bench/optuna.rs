//! Optuna's speed.
use super::venv;
use crate::process;
use anyhow::{Context, Result};

const SCRIPT: &str = include_str!("optuna_ask_tell.py");

/// Trials that Optuna asks for and tells of in a second of processor time.
pub(super) fn trials_per_second() -> Result<f64> {
    let told = process::capture(venv::python_with("optuna", &["optuna"])?.args(["-c", SCRIPT]))?;
    told.trim().parse().with_context(|| format!("no rate: {told}"))
}
