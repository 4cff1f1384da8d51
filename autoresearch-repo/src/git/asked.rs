//! What git says in a folder of the user's.

use super::{GitError, OLDEST, checked, text};
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

/// What git says of a folder of the user's, with the user's own configuration: it says which repositories of others are
/// trusted.
pub(super) fn asked(folder: &Path, words: &[&str]) -> Result<String, GitError> {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_git(name)) {
        command.env_remove(name);
    }
    command.arg("--no-optional-locks").arg("-C").arg(folder);
    command.args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]);
    command.args(words).stdin(Stdio::null());
    let output = command.output().map_err(|why| GitError::new(format!("git cannot be started: {why}")))?;
    text(checked(output, &words.join(" "))?)
}

fn is_of_git(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with("GIT_")
}

/// Which git this is.
///
/// # Errors
/// It is missing or too old.
pub(super) fn version() -> Result<(u32, u32), GitError> {
    let output = Command::new("git").arg("--version").stdin(Stdio::null()).output();
    let output = output.map_err(|why| {
        GitError::new(format!(
            "git cannot be started ({why}); install git {}.{} or later",
            OLDEST.0, OLDEST.1
        ))
    })?;
    let said = text(checked(output, "--version")?)?;
    let mut numbers = said.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version < OLDEST {
        return Err(GitError::new(format!(
            "this is {said}, and merging needs git {}.{} or later; install a newer one",
            OLDEST.0, OLDEST.1
        )));
    }
    Ok(version)
}
