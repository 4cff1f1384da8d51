//! What came of a job that has ended.

use super::client::Trouble;
use super::record::{self, Lost, Record, Wanted};
use super::run::{Run, Submitted, blocking};
use super::spec::Read;
use super::wire::{JobInfo, OWN, Status, shorten};
use crate::error::LaunchError;
use crate::exit::{Ended, JobExit};
use crate::job::Job;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How long a record may take to be seen on shared storage, once Ray says that the job has ended.
const SEEN: Duration = Duration::from_secs(10);
/// The status with which the script on the node says that it found nothing to do.
const TAKEN_BACK: i32 = 96;
/// What shells say of a program that they cannot start.
const NOT_STARTED: [&str; 4] = ["not found", "No such file", "ermission denied", "annot execute"];

/// What is taken of what comes back; through the log no more than may be returned that way.
fn wanted(read: &Read, returned: Option<u64>) -> Wanted<'_> {
    let most = read.job.limits.collected.into_iter().chain(returned).min();
    Wanted { names: &read.wanted, most, into: read.job.collect_into.as_deref() }
}

/// Whether a launch's folder is gone, which this driver has not taken away, while what it was in is there.
fn taken_away(at: &Path) -> bool {
    let gone = std::fs::symlink_metadata(at).is_err_and(|why| why.kind() == std::io::ErrorKind::NotFound);
    gone && at.parent().is_some_and(Path::is_dir)
}

impl Run<'_> {
    /// The exit, or whose fault it is that there is none.
    pub(super) async fn exit(
        &self,
        there: &Submitted,
        info: &JobInfo,
        read: &Arc<Read>,
    ) -> Result<JobExit, LaunchError> {
        let (record, log) = self.record(there, info, read).await?;
        let why = match record {
            Ok(Record { refused: Some(why), .. }) => return Err(LaunchError::Setup(why)),
            Ok(record) => {
                self.keep_output(there, &read.job).await?;
                if there.at.is_none() && self.watch.wants_lines() {
                    // A job cannot take these back by saying a lot.
                    record.own.iter().for_each(|line| self.watch.tell(line));
                    let others = record.exit.stdout.lines().filter(|line| !line.contains(OWN));
                    others.for_each(|line| self.watch.tell(line));
                }
                return Ok(record::settled(record.exit, read.job.limits.file_size.is_some()));
            }
            Err(Lost::TooMuch(why)) => return Err(LaunchError::Setup(why)),
            Err(Lost::Io(why)) => return Err(LaunchError::Infrastructure(why)),
            Err(Lost::None(why)) => why,
        };
        let log = match log {
            None => self.core.client.logs(&there.submission).await.unwrap_or_default(),
            Some(log) => log,
        };
        let last: Vec<&str> = log.lines().rev().filter(|line| !line.trim().is_empty()).take(5).collect();
        let last = shorten(&last.into_iter().rev().collect::<Vec<_>>().join(" | "), 1000);
        let last = if last.is_empty() { last } else { format!("; its log ends with: {last}") };
        let name = &there.submission;
        if info.driver_exit_code == Some(TAKEN_BACK) && there.at.is_some() {
            let folder = self.core.settings.folder.as_deref().unwrap_or(Path::new("")).display();
            return Err(LaunchError::Setup(format!(
                "the job {name} has not found its folder below {folder}; it must be on storage that driver and nodes share, \
                 under one name{last}"
            )));
        }
        if let (Some(code), Some(at)) = (info.driver_exit_code, &there.at)
            && taken_away(at)
        {
            let stderr = "the job has deleted files of its launch, which are not its own\n".into();
            return Ok(JobExit { stderr, ..JobExit::new(Ended::Status(code.max(1))) });
        }
        // A record would have been written by now; and this is what shells say where a program cannot be started.
        if matches!(info.driver_exit_code, Some(126 | 127))
            && NOT_STARTED.iter().any(|words| last.contains(words))
        {
            return Err(LaunchError::Setup(format!(
                "the job {name} has found no Python that runs on its node, for the script that runs jobs there; install it, or name it \
                 with `.python(…)`{last}"
            )));
        }
        let what = match info.status {
            Status::Stopped => format!("the job {name} was stopped by somebody else"),
            _ => format!("the job {name} was lost; Ray says: {}", info.said()),
        };
        let kind = info.error_type.as_deref().map(|kind| format!(" [{kind}]")).unwrap_or_default();
        Err(LaunchError::Infrastructure(format!("{what}{kind} ({why}){last}")))
    }

    /// The record, and the log if it was read for that.
    async fn record(
        &self,
        there: &Submitted,
        info: &JobInfo,
        read: &Arc<Read>,
    ) -> Result<(Result<Record, Lost>, Option<String>), LaunchError> {
        let launch = there.launch.clone();
        if let Some(at) = &there.at {
            let path = at.join(format!("exit-{launch}.zip"));
            // A job that was lost with its node has most likely written none.
            let patience = if info.driver_exit_code.is_some() { SEEN } else { Duration::ZERO };
            let began = Instant::now();
            loop {
                let (read, path, launch) = (Arc::clone(read), path.clone(), launch.clone());
                let look = move || record::from_file(&path, &launch, wanted(&read, None)).transpose();
                match blocking(look).await? {
                    Some(record) => return Ok((record, None)),
                    None if info.driver_exit_code == Some(TAKEN_BACK) || began.elapsed() >= patience => break,
                    None => sleep(Duration::from_millis(100)).await,
                }
            }
            return Ok((Err(Lost::None("its folder has no record of how it ended".into())), None));
        }
        let log = match self.core.client.logs(&there.submission).await {
            Err(Trouble::Away(_)) => self.core.ask(|| self.core.client.logs(&there.submission)).await,
            // Of a node that is gone, Ray cannot tell the log.
            Err(why) => Err(LaunchError::Infrastructure(why.to_string())),
            Ok(log) => Ok(log),
        };
        let log = match log {
            Ok(log) => log,
            Err(why) => {
                return Ok((Err(Lost::None(format!("its log cannot be had: {why}"))), Some(String::new())));
            }
        };
        let found = record::in_log(&log, &launch);
        let record = match found {
            Err(lost) => Err(lost),
            Ok(data) => {
                let read = Arc::clone(read);
                let most = self.core.settings.returned;
                let take = move || record::from_bytes(data, &launch, wanted(&read, Some(most)));
                blocking(take).await?
            }
        };
        Ok((record, Some(log)))
    }

    async fn keep_output(&self, there: &Submitted, job: &Job) -> Result<(), LaunchError> {
        let Some(at) = &there.at else { return Ok(()) };
        let pairs = [("stdout", job.stdout.clone()), ("stderr", job.stderr.clone())];
        let pairs: Vec<_> = pairs.into_iter().filter_map(|(name, to)| Some((at.join(name), to?))).collect();
        let copied = blocking(move || {
            pairs.into_iter().try_for_each(|(from, to)| {
                let what = format!("cannot write the job's output to {}", to.display());
                std::fs::copy(from, to).map(drop).map_err(LaunchError::io(what))
            })
        });
        copied.await?
    }
}
