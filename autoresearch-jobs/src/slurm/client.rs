//! Slurm's own programs.

use super::wire::{self, FORMAT, State};
use crate::cluster::{NoAnswer, Said, run};
use crate::error::LaunchError;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

/// How long one of them may take: they wait for a controller that is busy.
const WITHIN: Duration = Duration::from_secs(60);

/// Calls the programs that are in `PATH`, or in a folder.
#[derive(Debug, Clone, Default)]
pub(super) struct Client {
    pub(super) programs: Option<PathBuf>,
}

/// Why nothing was submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    /// It may be taken later.
    Later(String),
    /// It will not.
    Never(LaunchError),
}

impl Client {
    fn call(&self, program: &str, args: &[String], input: &str) -> Result<Said, NoAnswer> {
        let path = self.programs.as_ref().map_or_else(|| program.into(), |folder| folder.join(program));
        run(&path, args, input, WITHIN)
    }

    fn missing(&self, program: &str) -> String {
        match &self.programs {
            Some(folder) => format!("Slurm's {program} is not in {}", folder.display()),
            None => format!(
                "Slurm's {program} is not in PATH; start the study on a machine that submits to the cluster (a login node), \
                 load its module, or say where the programs are with `.programs(…)`"
            ),
        }
    }

    /// Submits a script, and gives its id.
    pub(super) fn sbatch(&self, args: &[String], script: &str) -> Result<String, Refused> {
        match self.call("sbatch", args, script) {
            Err(NoAnswer::Missing) => Err(Refused::Never(LaunchError::Setup(self.missing("sbatch")))),
            Err(NoAnswer::Failed(why)) => Err(Refused::Later(why)),
            Ok(said) if said.good => match wire::submitted(&said.stdout) {
                Some(id) => Ok(id.into()),
                None => Err(Refused::Later(format!("sbatch printed {:?} and no id", said.stdout))),
            },
            Ok(said) if wire::passes(&said.stderr) => Err(Refused::Later(said.stderr)),
            Ok(said) => Err(Refused::Never(LaunchError::Setup(format!(
                "Slurm does not take the job: {}; change what it asks for",
                said.stderr
            )))),
        }
    }

    /// All jobs of this user, also those that have ended and are not forgotten yet.
    pub(super) fn squeue(&self) -> Result<HashMap<String, State>, String> {
        let user = rustix::process::geteuid().as_raw();
        let args = [
            "--noheader",
            "--array",
            "--states=all",
            &format!("--user={user}"),
            &format!("--format={FORMAT}"),
        ];
        match self.call("squeue", &args.map(String::from), "") {
            Err(NoAnswer::Missing) => Err(self.missing("squeue")),
            Err(NoAnswer::Failed(why)) => Err(why),
            Ok(said) if said.good => wire::jobs(&said.stdout),
            Ok(said) => Err(said.stderr),
        }
    }

    /// Tells jobs to end. That some are not there any more is fine.
    pub(super) fn scancel(&self, ids: &[String]) -> Result<(), String> {
        match self.call("scancel", ids, "") {
            Err(NoAnswer::Missing) => Err(self.missing("scancel")),
            Err(NoAnswer::Failed(why)) => Err(why),
            Ok(said) if said.good || said.stderr.to_lowercase().contains("invalid job id") => Ok(()),
            Ok(said) => Err(said.stderr),
        }
    }

    /// A job that `squeue` may not show any more.
    pub(super) fn scontrol(&self, id: &str) -> Option<State> {
        let args = ["--oneliner", "show", "job", id].map(String::from);
        let said = self.call("scontrol", &args, "").ok().filter(|said| said.good)?;
        // Asked for the first of an array, it prints all of it.
        let line = said.stdout.lines().find(|line| {
            let index = id.split_once('_').map(|(_, index)| format!("ArrayTaskId={index} "));
            index.is_none_or(|index| line.contains(&index))
        })?;
        wire::job(line)
    }
}
