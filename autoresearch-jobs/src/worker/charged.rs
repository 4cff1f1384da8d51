//! What a worker has charged so far, told while it runs: one that is ended later has been paid for all the same.

use autoresearch_core::RunContext;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The sum of all that one worker has charged, from its beginning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Sum {
    /// Which run it is for.
    pub(super) launch: String,
    /// Tells the process from others that were started for the same.
    pub(super) worker: String,
    pub(super) total: f64,
}

/// Passes what a run's worker charges on to the study, each amount once.
///
/// A driver that takes up the worker of a killed one hears all its lines again. How far the killed one came is in a file beside the
/// run's folder, where the run does not write. It is written when the study has been told: one that is killed in just that moment may
/// count one line's amount twice.
pub(super) struct Charged {
    launch: String,
    context: RunContext,
    note: PathBuf,
    passed: Mutex<Option<Sum>>,
}

impl Charged {
    pub(super) fn new(launch: &str, context: &RunContext, directory: &Path) -> Self {
        let name = directory.file_name().unwrap_or_default().to_string_lossy();
        let note = directory.with_file_name(format!(".{name}.charged"));
        let read = fs::read(&note).ok().and_then(|text| serde_json::from_slice::<Sum>(&text).ok());
        let passed = read.filter(|sum| sum.launch == launch && is_amount(sum.total));
        if passed.is_none() {
            // Of another attempt, if anything: nobody takes that up any more.
            let _ = fs::remove_file(&note);
        }
        Self { launch: launch.into(), context: context.clone(), note, passed: Mutex::new(passed) }
    }

    /// The worker has charged so much by now. Less than before is news of before.
    pub(super) fn hear(&self, sum: &Sum) {
        if sum.launch != self.launch || !is_amount(sum.total) {
            return;
        }
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let before =
            passed.as_ref().filter(|passed| passed.worker == sum.worker).map_or(0.0, |passed| passed.total);
        if sum.total <= before {
            return;
        }
        self.context.charge(sum.total - before);
        if let Err(why) = self.write(sum) {
            tracing::debug!("{}: {why}; after a restart this may be counted twice", self.note.display());
        }
        *passed = Some(sum.clone());
    }

    fn write(&self, sum: &Sum) -> io::Result<()> {
        let half = self.note.with_extension("half");
        fs::write(&half, serde_json::to_vec(sum)?)?;
        fs::rename(half, &self.note)
    }
}

/// The launch is over: whoever makes the run again begins at nothing. A driver that is killed does not come here.
impl Drop for Charged {
    fn drop(&mut self) {
        if self.passed.get_mut().unwrap_or_else(PoisonError::into_inner).is_some() {
            let _ = fs::remove_file(&self.note);
        }
    }
}

/// Whether it can be charged.
pub(super) fn is_amount(amount: f64) -> bool {
    amount.is_finite() && amount >= 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_amount_counts_once_also_after_a_restart() {
        let root = tempfile::tempdir().expect("a folder");
        let directory = root.path().join("r1");
        let context = || RunContext::for_test(1);
        let sum = |worker: &str, total| Sum { launch: "l".into(), worker: worker.into(), total };
        let (first, seen) = (context(), context());
        let charged = Charged::new("l", &first, &directory);
        for total in [0.25, 0.25, 0.75, 0.5, f64::NAN, -1.0] {
            charged.hear(&sum("a", total));
        }
        charged.hear(&Sum { launch: "other".into(), ..sum("a", 9.0) });
        assert_eq!(first.take_charges().iter().sum::<f64>(), 0.75);
        // The driver is killed; the next one hears the same lines again, and then more.
        std::mem::forget(charged);
        let charged = Charged::new("l", &seen, &directory);
        [0.25, 0.75, 1.0].iter().for_each(|&total| charged.hear(&sum("a", total)));
        assert_eq!(seen.take_charges().iter().sum::<f64>(), 0.25);
        // Another attempt has nothing to do with that, and neither has another worker.
        let note = root.path().join(".r1.charged");
        assert!(note.exists());
        let other = Charged::new("other", &context(), &directory);
        assert!(!note.exists());
        drop(other);
        charged.hear(&sum("b", 0.5));
        assert_eq!(seen.take_charges().iter().sum::<f64>(), 0.5);
        drop(charged);
        assert_eq!(fs::read_dir(root.path()).expect("the folder").count(), 0);
    }
}
