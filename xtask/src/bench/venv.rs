//! A Python that has a package: the user's where it does, else an environment of its own under the target folder.
use crate::process;
use crate::workspace;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Python that can import `module`; `install` is what pip is asked for, where none has it yet.
pub(super) fn python_with(module: &str, install: &[&str]) -> Result<Command> {
    if let Some(python) = found(module) {
        return Ok(python);
    }
    let (folder, python) = own(module);
    eprintln!("installing {} into {}", install.join(" "), folder.display());
    process::capture(process::python().args(["-m", "venv"]).arg(&folder))
        .context("no environment can be made for it")?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]).args(install);
    process::capture(&mut pip).context("pip cannot install it")?;
    Ok(Command::new(python))
}

/// The same, if one is there already.
pub(super) fn found(module: &str) -> Option<Command> {
    let (_, own) = own(module);
    let has =
        |mut python: Command| process::capture(python.args(["-c", &format!("import {module}")])).is_ok();
    if has(process::python()) {
        return Some(process::python());
    }
    has(Command::new(&own)).then(|| Command::new(own))
}

fn own(module: &str) -> (PathBuf, PathBuf) {
    let folder = target().join(module);
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    (folder, python)
}

fn target() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    named
        .map_or_else(|| workspace::root().join("target"), |folder| workspace::root().join(Path::new(&folder)))
}
