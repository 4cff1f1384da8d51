//! What keeps proposed code from the rest of the machine.

use crate::TaskError;
use autoresearch_jobs::{Bubblewrap, Launcher, LocalProcess};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// What keeps the commands of a task from the rest of the machine. `docs/sandbox.md` says what each stops, and what it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Sandbox {
    /// [`Bubblewrap`]: a command sees the system, its own folder and the data that the task names, and can write to its folder alone.
    Bubblewrap,
    /// Nothing: commands run with all rights of the user. For code and proposers that are trusted.
    None,
}

impl Sandbox {
    /// Commands see the system, their own folder and the data that the task names, and can write to their folder alone.
    pub fn bubblewrap() -> Self {
        Self::Bubblewrap
    }

    /// No sandbox: commands run with all rights of the user.
    pub fn none() -> Self {
        Self::None
    }

    /// What runs jobs in it, with its own files in this folder, on these GPUs.
    pub(crate) fn launcher(self, folder: &Path, gpus: &[String]) -> Arc<dyn Launcher> {
        let local = LocalProcess::new().folder(folder).gpus(gpus);
        match self {
            Self::Bubblewrap => Arc::new(Bubblewrap::on(local)),
            Self::None => Arc::new(local),
        }
    }

    /// The sandbox that was asked for, or the one that is had where none was.
    ///
    /// # Errors
    /// There is none, and nobody said that there need not be one.
    pub(crate) fn chosen(asked: Option<Self>) -> Result<Self, TaskError> {
        match asked {
            Some(Self::None) => Ok(Self::None),
            asked => probe().map(|()| Self::Bubblewrap).map_err(|why| {
                let first = match asked {
                    Some(_) => "bubblewrap was asked for, and",
                    None => "no sandbox was named, so that proposed code is to run in bubblewrap, and",
                };
                TaskError::new(
                    "sandbox",
                    format!("{first} {why}; if the code and whoever proposes it are trusted, say `sandbox = \"none\"`"),
                )
            }),
        }
    }
}

/// Whether a sandbox can be had here.
fn probe() -> Result<(), String> {
    let arguments = [
        "--unshare-all",
        "--die-with-parent",
        "--ro-bind",
        "/",
        "/",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "true",
    ];
    let tried = Command::new("bwrap").args(arguments).stdin(Stdio::null()).output();
    match tried {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "`bwrap` cannot make one here: {}; unprivileged user namespaces must be allowed (`sysctl \
             kernel.unprivileged_userns_clone=1`, `sysctl kernel.apparmor_restrict_unprivileged_userns=0`; in a container: \
             `--security-opt seccomp=unconfined`)",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(why) => Err(format!(
            "`bwrap` cannot be started ({why}): install it (`apt-get install bubblewrap`, `dnf install bubblewrap`, `pacman -S \
             bubblewrap`)"
        )),
    }
}
