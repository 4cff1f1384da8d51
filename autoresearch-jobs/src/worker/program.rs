//! The program that workers are.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A program as it was when the study began.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) args: Vec<OsString>,
    was: (u64, Option<SystemTime>),
}

impl Program {
    /// This one, with the arguments that it was given.
    pub(super) fn own() -> Result<Self, String> {
        let path = std::env::current_exe()
            .map_err(|why| format!("this program's own file cannot be found: {why}"))?;
        Self::at(path, std::env::args_os().skip(1).collect())
    }

    pub(super) fn at(path: PathBuf, args: Vec<OsString>) -> Result<Self, String> {
        let path = std::path::absolute(&path).unwrap_or(path);
        let was = stamp(&path)?;
        Ok(Self { path, args, was })
    }

    /// Tells it from another build.
    pub(super) fn stamp(&self) -> String {
        let since =
            self.was.1.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok()).unwrap_or_default();
        format!("{}-{}", self.was.0, since.as_nanos())
    }

    /// A study whose program was rebuilt under it would compare runs of two programs.
    pub(super) fn check(&self) -> Result<(), String> {
        match stamp(&self.path)? == self.was {
            true => Ok(()),
            false => Err(format!(
                "{} is another file than when the study began; start the study again, and its workers with it",
                self.path.display()
            )),
        }
    }
}

fn stamp(path: &Path) -> Result<(u64, Option<SystemTime>), String> {
    let about =
        fs::metadata(path).map_err(|why| format!("the worker's program {}: {why}", path.display()))?;
    Ok((about.len(), about.modified().ok()))
}
