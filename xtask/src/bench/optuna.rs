//! Optuna's speed: with the user's Python where it has Optuna, else in an environment of its own under the target folder.
use crate::process;
use crate::workspace;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

const SCRIPT: &str = include_str!("optuna_ask_tell.py");

/// Trials that Optuna asks for and tells of in a second of processor time.
pub(super) fn trials_per_second() -> Result<f64> {
    let told = process::capture(python()?.args(["-c", SCRIPT]))?;
    told.trim().parse().with_context(|| format!("no rate: {told}"))
}

/// A Python that has Optuna.
fn python() -> Result<Command> {
    if has_optuna(process::python()) {
        return Ok(process::python());
    }
    let folder = target().join("optuna");
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !has_optuna(Command::new(&python)) {
        eprintln!("installing Optuna into {}", folder.display());
        process::capture(process::python().args(["-m", "venv"]).arg(&folder))
            .context("no environment can be made for it")?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "optuna"]);
        process::capture(&mut pip).context("pip cannot install it")?;
    }
    Ok(Command::new(python))
}

fn has_optuna(mut python: Command) -> bool {
    process::capture(python.args(["-c", "import optuna"])).is_ok()
}

fn target() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    named
        .map_or_else(|| workspace::root().join("target"), |folder| workspace::root().join(Path::new(&folder)))
}
