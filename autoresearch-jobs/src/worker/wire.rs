//! What a study and its workers tell each other.

use super::charged::Sum;
use crate::id::JobId;
use autoresearch_core::{Arm, Fidelity, RunContext, RunFailure, RunProgress};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Names the executor that a worker is to build.
pub(super) const NAME: &str = "AUTORESEARCH_WORKER";
/// Names the folder of the request and the outcome.
pub(super) const FOLDER: &str = "AUTORESEARCH_WORKER_FOLDER";
/// What is to be run.
pub(super) const REQUEST: &str = "request.json";
/// There from the moment on in which the executor is called: what goes wrong before is not the candidate's fault. The candidate
/// could delete it, so that it is [said](has_begun) on standard output as well, where nothing is taken back.
pub(super) const BEGUN: &str = "begun";
/// What came of it.
pub(super) const OUTCOME: &str = "outcome.json";
/// What a worker's own lines on standard output begin with.
const OWN: &str = "\u{1}autoresearch-";
/// … those of progress.
const PROGRESS: &str = "\u{1}autoresearch-progress ";
/// … the one that says that the executor is called, with the launch.
const HAS_BEGUN: &str = "\u{1}autoresearch-begun ";

/// … those of what was charged.
const HAS_CHARGED: &str = "\u{1}autoresearch-charged ";

/// Takes note of where it is, goes where the study stands (as far as that can be seen from here), and becomes the worker.
pub(super) const ENTER: &str = r#"AUTORESEARCH_WORKER_FOLDER=$PWD; export AUTORESEARCH_WORKER_FOLDER; cd "$1" 2>/dev/null; shift; exec "$@""#;

/// A run, and what its context says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request<C> {
    pub(super) id: JobId,
    /// Tells what is asked for from all else, so that no outcome is taken for another's. The same after a restart, so that a launcher
    /// can take up what is still running.
    pub(super) launch: String,
    pub(super) candidate: C,
    pub(super) arm: Arm,
    pub(super) seed: u64,
    pub(super) fidelity: Option<Fidelity>,
    pub(super) directory: PathBuf,
    /// Size and time of the program that is to make it: what is still running of another build is not taken up.
    pub(super) program: String,
}

impl<C: Serialize> Request<C> {
    /// # Errors
    /// The candidate cannot be told as JSON.
    pub(super) fn new(
        candidate: C,
        cx: &RunContext,
        directory: PathBuf,
        program: String,
    ) -> Result<Self, RunFailure> {
        let (id, arm) = (JobId::of(cx), cx.arm.clone());
        let (seed, fidelity) = (cx.seed, cx.fidelity);
        let mut request =
            Self { id, launch: String::new(), candidate, arm, seed, fidelity, directory, program };
        // In one order: maps have another in each process.
        let asked = serde_json::to_value(&request).and_then(|mut asked| {
            asked.sort_all_objects();
            serde_json::to_vec(&asked)
        });
        let asked =
            asked.map_err(|why| RunFailure::candidate(format!("the run cannot be told as JSON: {why}")))?;
        let digest = Sha256::digest(asked);
        request.launch = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Ok(request)
    }
}

/// The context of a run that a study elsewhere has asked for.
pub(super) fn context(request: &Request<impl Sized>) -> RunContext {
    let mut cx = RunContext::for_test(request.seed).in_directory(&request.directory);
    cx.study = request.id.study.as_str().into();
    (cx.run, cx.attempt) = (request.id.run, request.id.attempt);
    (cx.arm, cx.fidelity) = (request.arm.clone(), request.fidelity);
    cx
}

/// How a run ended in its worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Outcome<A> {
    pub(super) launch: String,
    /// Which process it is of.
    #[serde(default)]
    pub(super) worker: String,
    pub(super) charges: Vec<f64>,
    pub(super) result: Result<A, RunFailure>,
}

/// A finished run as it is found again after a restart.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept<C, A> {
    pub(super) identity: String,
    pub(super) candidate: C,
    pub(super) seed: u64,
    pub(super) fidelity: Option<Fidelity>,
    pub(super) output: A,
}

/// Where that is, in the run's folder.
fn place(directory: &Path) -> PathBuf {
    directory.join(".worker")
}

/// Keeps it there. The run was free to leave anything in its folder, so that what stands there now is taken away first; no process
/// of it is left to put it back.
pub(super) fn keep(directory: &Path, text: &[u8]) -> io::Result<()> {
    let place = place(directory);
    match fs::symlink_metadata(&place) {
        Ok(about) if about.is_dir() => fs::remove_dir_all(&place)?,
        Ok(_) => fs::remove_file(&place)?,
        Err(_) => {}
    }
    fs::create_dir(&place)?;
    let (half, whole) = (place.join("half"), place.join("kept.json"));
    fs::write(&half, text)?;
    fs::rename(half, whole)
}

/// What is kept there, if it is a file of at most so many bytes.
pub(super) fn kept(directory: &Path, most: u64) -> Option<Vec<u8>> {
    let (place, file) = (place(directory), place(directory).join("kept.json"));
    let is_own = fs::symlink_metadata(place).is_ok_and(|about| about.is_dir());
    let is_file = fs::symlink_metadata(&file).is_ok_and(|about| about.is_file() && about.len() <= most);
    if is_own && is_file { fs::read(file).ok() } else { None }
}

#[derive(Serialize, Deserialize)]
struct Progress {
    step: u64,
    of: Option<u64>,
    loss: Option<f64>,
}

/// A line of progress.
pub(super) fn to_line(progress: RunProgress) -> String {
    let RunProgress { step, of, loss } = progress;
    // Not a number is nothing to show, and JSON has no word for it.
    let progress = Progress { step, of, loss: loss.filter(|loss| loss.is_finite()) };
    format!("{PROGRESS}{}", serde_json::to_string(&progress).unwrap_or_default())
}

/// The progress that a line tells, if it is such a line.
pub(super) fn from_line(line: &str) -> Option<RunProgress> {
    // What the run has printed without ending the line stands before it.
    let (_, json) = line.split_once(PROGRESS)?;
    let Progress { step, of, loss } = serde_json::from_str(json).ok()?;
    Some(RunProgress { step, of, loss })
}

/// A line that says what was charged.
pub(super) fn charged_line(sum: &Sum) -> String {
    format!("{HAS_CHARGED}{}", serde_json::to_string(sum).unwrap_or_default())
}

/// What was charged by a line, if it is such a line.
pub(super) fn has_charged(line: &str) -> Option<Sum> {
    serde_json::from_str(line.split_once(HAS_CHARGED)?.1).ok()
}

/// The line that says that the executor of this launch is called now.
pub(super) fn begun_line(launch: &str) -> String {
    format!("{HAS_BEGUN}{launch}")
}

/// Whether a line says so.
pub(super) fn has_begun(line: &str, launch: &str) -> bool {
    line.split_once(HAS_BEGUN).is_some_and(|(_, of)| of.trim_end() == launch)
}

/// The output without the worker's own lines.
pub(super) fn without_own(output: &str) -> String {
    output.split_inclusive('\n').filter(|line| !line.contains(OWN)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_survives_the_way() {
        let progress = RunProgress { step: 3, of: Some(10), loss: Some(0.1 + 0.2) };
        assert_eq!(from_line(&to_line(progress)), Some(progress));
        let nan = RunProgress { loss: Some(f64::NAN), ..progress };
        assert_eq!(from_line(&to_line(nan)), Some(RunProgress { loss: None, ..progress }));
        assert_eq!(from_line(&format!("epoch 1 {}", to_line(progress))), Some(progress));
        assert_eq!(from_line("autoresearch-progress {}"), None);
        assert!(
            has_begun(&begun_line("7a"), "7a")
                && !has_begun(&begun_line("7a"), "7")
                && !has_begun("7a", "7a")
        );
        let sum = Sum { launch: "7a".into(), worker: "1".into(), total: 0.1 + 0.2 };
        assert_eq!(has_charged(&charged_line(&sum)), Some(sum));
        assert_eq!(has_charged(&to_line(progress)), None);
        // As long as they get: what `pace` reckons with.
        let longest = RunProgress { step: u64::MAX, of: Some(u64::MAX), loss: Some(-f64::MIN_POSITIVE) };
        let sum = Sum { launch: "7".repeat(32), worker: "9".repeat(30), total: f64::MAX };
        let lengths = (to_line(longest).len(), charged_line(&sum).len());
        assert!(lengths.0 < 169 && lengths.1 < 169, "{lengths:?}");
        let output = format!("a\n{}\n{}\nb", begun_line("7a"), to_line(progress));
        assert_eq!(without_own(&output), "a\nb");
    }
}
