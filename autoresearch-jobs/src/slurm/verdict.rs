//! What became of a job that Slurm has ended.

use super::wire::State;
use crate::cluster::{LaunchFolder, Record};
use crate::error::LaunchError;
use crate::exit::{Ended, JobExit};
use crate::job::Job;
use crate::limits::LimitKind;
use std::time::Duration;

/// How long a record may take that only may come: the engine has ended the job itself.
const PERHAPS: Duration = Duration::from_secs(2);
/// The exit statuses of the script: it is not wanted any more; it could not do its work.
const UNWANTED: i32 = 95;
const UNABLE: i32 = 96;
const KILL: i32 = 9;
const TERM: i32 = 15;

/// With a record: how the command ended, in the light of what Slurm says of it.
pub(super) fn with(
    record: &Record,
    state: Option<&State>,
    folder: &LaunchFolder,
    job: &Job,
) -> Result<JobExit, LaunchError> {
    let mut exit = record.exit(folder, job)?;
    let name = state.map_or("", |state| &state.name);
    // Slurm tells all processes to end, and the command may be faster than the script.
    let told = record.terminated()
        || (exit.limit.is_none() && [Ended::Signal(TERM), Ended::Status(128 + TERM)].contains(&exit.ended));
    match name {
        "TIMEOUT" if !exit.success() => {
            exit.limit.get_or_insert(LimitKind::WallClock);
        }
        "OUT_OF_MEMORY" if !exit.success() => {
            exit.limit.get_or_insert(LimitKind::Memory);
        }
        "PREEMPTED" | "NODE_FAIL" | "BOOT_FAIL" | "CANCELLED" | "DEADLINE" if told => {
            return Err(lost(state, folder, job));
        }
        _ if record.terminated() => return Err(lost(state, folder, job)),
        _ => {}
    }
    Ok(exit)
}

/// Without: what Slurm says, after a while in which the record may still come; `None`: not yet.
pub(super) fn without(
    state: Option<&State>,
    since: Duration,
    delay: Duration,
    folder: &LaunchFolder,
    job: &Job,
) -> Option<Result<JobExit, LaunchError>> {
    let limit = match state.map_or("", |state| &state.name) {
        "TIMEOUT" => Some(LimitKind::WallClock),
        "OUT_OF_MEMORY" => Some(LimitKind::Memory),
        "NODE_FAIL" | "PREEMPTED" | "BOOT_FAIL" | "DEADLINE" | "CANCELLED" | "REVOKED" => None,
        _ => {
            let code = state.and_then(|state| state.exit).map(|(status, _)| status);
            let due = since >= delay || matches!(code, Some(UNWANTED | UNABLE));
            if due && folder.is_tampered_with() {
                return Some(Ok(tampered(
                    code.filter(|&code| code != 0).unwrap_or(UNWANTED),
                    state,
                    folder,
                    job,
                )));
            }
            return due.then(|| Err(lost(state, folder, job)));
        }
    };
    // Of the first two, the job's own record says more: it may have ended well in spite of them.
    if since < if limit.is_some() { delay } else { PERHAPS } {
        return None;
    }
    Some(match limit {
        Some(limit) => {
            let (stdout, stderr, wall_seconds) = folder.said(job);
            let place = state.map(|state| state.nodes.to_string()).unwrap_or_default();
            let ended = JobExit::new(Ended::Signal(KILL));
            Ok(JobExit { limit: Some(limit), wall_seconds, stdout, stderr, place, ..ended })
        }
        None => Err(lost(state, folder, job)),
    })
}

/// The job has the rights of its user, and has taken away what says that it is wanted: no fault of the cluster's.
fn tampered(code: i32, state: Option<&State>, folder: &LaunchFolder, job: &Job) -> JobExit {
    let (stdout, said, wall_seconds) = folder.said(job);
    let stderr = format!("{said}\nthe job has deleted files of its launch, which are not its own\n");
    let place = state.map(|state| state.nodes.to_string()).unwrap_or_default();
    JobExit { wall_seconds, stdout, stderr, place, ..JobExit::new(Ended::Status(code)) }
}

fn lost(state: Option<&State>, folder: &LaunchFolder, job: &Job) -> LaunchError {
    let what = match state {
        None => "Slurm has forgotten the job, and there is no record of how it ended".into(),
        Some(state) => {
            let on = if state.nodes.is_empty() { String::new() } else { format!(" on {}", state.nodes) };
            let reason = match &*state.reason {
                "" | "None" => String::new(),
                reason => format!(" ({reason})"),
            };
            match (&*state.name, state.exit) {
                ("NODE_FAIL" | "BOOT_FAIL", _) => format!("the node was lost{on}: {}{reason}", state.name),
                ("PREEMPTED", _) => format!("another job has taken its place{on}: PREEMPTED{reason}"),
                ("CANCELLED", _) => format!("the job was cancelled, and not by this study{on}{reason}"),
                (_, Some((UNABLE, _))) => format!(
                    "the node cannot use the launch's folder {}{on}; is it on storage that all nodes share, at the same path?",
                    folder.path().display()
                ),
                (_, Some((UNWANTED, _))) => {
                    format!("the launch was taken for one that is not wanted any more{on}")
                }
                (name, code) => {
                    let code = code.map(|(status, signal)| format!(", exit code {status}:{signal}"));
                    format!(
                        "the job ended as {name}{on}{reason}{} and left no record of it in {}",
                        code.unwrap_or_default(),
                        folder.path().display()
                    )
                }
            }
        }
    };
    let (stdout, stderr, _) = folder.said(job);
    let said = if stderr.trim().is_empty() { stdout } else { stderr };
    let last: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &last[last.len().saturating_sub(5)..];
    let said = if last.is_empty() { String::new() } else { format!("; it said last: {}", last.join(" | ")) };
    LaunchError::Infrastructure(format!("{what}{said}"))
}
