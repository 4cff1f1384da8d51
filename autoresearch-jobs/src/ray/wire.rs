//! What Ray's Jobs API is told, and what it says.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The key, in a job's metadata, of the run that it is an attempt at.
pub(super) const RUN: &str = "autoresearch_run";
/// … of the attempt.
pub(super) const ATTEMPT: &str = "autoresearch_attempt";
/// … of a hash of all that the job is.
pub(super) const CONTENT: &str = "autoresearch_content";
/// … of the launch, which results are fenced by.
pub(super) const LAUNCH: &str = "autoresearch_launch";

/// What lines of standard output have in them that a job's own program tells this library's.
pub(super) const OWN: &str = "\u{1}autoresearch-";

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub(super) enum Status {
    Pending,
    Running,
    Stopped,
    Succeeded,
    Failed,
    /// One that a later Ray may have.
    Other(String),
}

impl From<String> for Status {
    fn from(word: String) -> Self {
        match word.as_str() {
            "PENDING" => Self::Pending,
            "RUNNING" => Self::Running,
            "STOPPED" => Self::Stopped,
            "SUCCEEDED" => Self::Succeeded,
            "FAILED" => Self::Failed,
            _ => Self::Other(word),
        }
    }
}

impl Status {
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Stopped | Self::Succeeded | Self::Failed)
    }

    /// Whether something of it may be running.
    pub(super) fn is_at_work(&self) -> bool {
        !self.is_over() && *self != Self::Pending
    }
}

/// What Ray says about a job. Much more comes, and is not looked at.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct JobInfo {
    /// Jobs that were not submitted through the API have none.
    #[serde(default)]
    pub(super) submission_id: Option<String>,
    pub(super) status: Status,
    #[serde(default)]
    pub(super) message: Option<String>,
    #[serde(default)]
    pub(super) error_type: Option<String>,
    #[serde(default)]
    pub(super) metadata: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(super) driver_exit_code: Option<i32>,
}

impl JobInfo {
    pub(super) fn meta(&self, key: &str) -> Option<&str> {
        self.metadata.as_ref()?.get(key).map(String::as_str)
    }

    /// Ray's own words, without the log that it appends.
    pub(super) fn said(&self) -> String {
        let message = self.message.as_deref().unwrap_or_default();
        let message = message.split("last available logs").next().unwrap_or_default();
        let words: Vec<&str> = message.split_whitespace().collect();
        shorten(words.join(" ").trim_end_matches([',', ' ']), 600)
    }
}

/// A job to be run.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Submit {
    pub(super) entrypoint: String,
    pub(super) submission_id: String,
    pub(super) runtime_env: RuntimeEnv,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) entrypoint_num_cpus: f64,
    pub(super) entrypoint_num_gpus: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) entrypoint_memory: Option<u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) entrypoint_resources: BTreeMap<String, f64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) entrypoint_label_selector: BTreeMap<String, String>,
}

/// What it finds where it runs.
#[derive(Debug, Clone, Serialize)]
pub(super) struct RuntimeEnv {
    pub(super) working_dir: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) env_vars: BTreeMap<String, String>,
}

/// The text of a job's log.
#[derive(Debug, Deserialize)]
pub(super) struct Logs {
    pub(super) logs: Option<String>,
}

/// What is wrong, of a body that is a trace of Python: its last line that says something.
pub(super) fn last_line(body: &str) -> String {
    let mut lines = body.lines().rev().map(str::trim);
    shorten(lines.find(|line| line.chars().any(char::is_alphanumeric)).unwrap_or("(nothing)"), 300)
}

pub(super) fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Bodies as Ray 2.60 sent them.
    fn body(exchange: &str) -> &str {
        let (_, body) = exchange.split_once("\n\n").unwrap();
        body.split("\n--curl").next().unwrap()
    }

    macro_rules! recorded {
        ($name:literal) => {
            body(include_str!(concat!("../../tests/support/ray/", $name)))
        };
    }

    #[test]
    fn a_real_list_is_read() {
        let list: Vec<JobInfo> = serde_json::from_str(recorded!("list.txt")).unwrap();
        assert_eq!(list.len(), 7);
        let of = |id: &str| list.iter().find(|job| job.submission_id.as_deref() == Some(id)).unwrap();
        assert_eq!((of("q1").status.clone(), of("q1").driver_exit_code), (Status::Succeeded, Some(0)));
        assert_eq!(
            (of("exp-0003").status.clone(), of("exp-0003").driver_exit_code),
            (Status::Failed, Some(7))
        );
        assert_eq!(of("exp-0003").said(), "Job entrypoint command failed with exit code 7");
        assert_eq!(of("exp-0001").meta("experiment"), Some("0001"));
        let pending = of("exp-9cpu");
        assert!(!pending.status.is_over() && pending.said().contains("waiting for resources"), "{pending:?}");
    }

    #[test]
    fn a_node_that_died_is_told() {
        let job: JobInfo = serde_json::from_str(recorded!("node_died.txt")).unwrap();
        assert_eq!(
            (&job.status, job.error_type.as_deref()),
            (&Status::Failed, Some("JOB_SUPERVISOR_ACTOR_DIED"))
        );
        assert!(job.said().contains("its node has died") && job.driver_exit_code.is_none(), "{job:?}");
    }

    #[test]
    fn traces_are_told_by_their_last_line() {
        let twice = last_line(recorded!("submit_twice.txt"));
        assert!(twice.starts_with("ValueError: Job with submission_id exp-0001 already exists."), "{twice}");
        let logs = last_line(recorded!("logs_node_died.txt"));
        assert!(logs.contains("InvalidUrlClientError: http://127.0.0.1:-1/"), "{logs}");
        assert_eq!(last_line(" \n.\n"), "(nothing)");
    }

    #[test]
    fn what_a_later_version_may_say_does_not_stop_it() {
        let job: JobInfo = serde_json::from_str(r#"{"status":"PAUSED","metadata":null,"new":[1]}"#).unwrap();
        assert_eq!(
            (job.status.clone(), job.submission_id.as_deref(), job.meta(RUN)),
            (Status::Other("PAUSED".into()), None, None)
        );
    }
}
