//! Which Python a repository means, and what a sandbox must see of it.

use std::path::{Path, PathBuf};

/// How Python is called.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Python {
    pub(super) command: String,
    /// Folders that runs must be able to read for it, as the `data` of a task: none where it is the system's.
    pub(super) data: Vec<String>,
}

/// Where programs are that every sandbox sees.
const SYSTEM: [&str; 4] = ["/usr", "/opt", "/nix/store", "/gnu/store"];

impl Python {
    /// The virtual environment of a folder (`within` leads to it from the repository's top), or the one that is active, or else that
    /// of the system.
    pub(super) fn of(folder: &Path, within: &str) -> Self {
        for name in [".venv", "venv"] {
            let place = folder.join(name);
            if place.join("bin/python").exists() {
                let data = std::iter::once(format!("{within}{name}")).chain(made_from(&place)).collect();
                return Self { command: format!("{name}/bin/python"), data };
            }
        }
        let active =
            ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(std::env::var_os).map(PathBuf::from);
        for place in active.filter(|place| place.is_absolute() && place.join("bin/python").exists()) {
            if let Some(written) = place.to_str().filter(|_| !of_system(&place)) {
                let data = std::iter::once(written.to_string()).chain(made_from(&place)).collect();
                return Self { command: super::look::word(&format!("{written}/bin/python")), data };
            }
        }
        Self { command: of_path().into(), data: Vec::new() }
    }
}

/// The folder of the Python that an environment was made from, where sandboxes do not see it anyway.
fn made_from(place: &Path) -> Option<String> {
    let real = place.join("bin/python").canonicalize().ok()?;
    let folder = real.parent()?.parent()?;
    let inside = place.canonicalize().is_ok_and(|place| folder.starts_with(place));
    (!inside && !of_system(folder)).then(|| folder.to_str().map(String::from)).flatten()
}

fn of_system(place: &Path) -> bool {
    SYSTEM.iter().any(|system| place.starts_with(system))
}

/// `python3` where that is what there is, as on most systems.
fn of_path() -> &'static str {
    let there = |name: &str| {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders).any(|folder: PathBuf| folder.join(name).is_file())
    };
    if there("python3") || !there("python") { "python3" } else { "python" }
}

/// What to do where a program or a package was not found in a sandbox.
pub(super) fn hint(told: &str) -> Option<&'static str> {
    const SIGNS: [&str; 5] = [
        "ModuleNotFoundError",
        "No module named",
        "not found",
        "No such file or directory",
        "cannot open shared object",
    ];
    SIGNS.iter().any(|sign| told.contains(sign)).then_some(
        "a sandbox sees /usr and /opt, and nothing of your home folder: where a Python, its packages or another tool are elsewhere (venv, \
         conda, uv, pyenv, cargo), name the folder in `data` and the program in `run`, as in `data = [\".venv\"]` and `run = \
         \".venv/bin/python train.py\"`, and with a virtual environment also the folder of the Python that it was made from; \
         docs/sandbox.md says more",
    )
}
