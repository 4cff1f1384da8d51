//! Runs whose workers are told to end, again and again.

use crate::exit::{Ended, JobExit};
use autoresearch_core::{FailureKind, RunFailure};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// A worker that ends by `SIGTERM` so often in a row, and in no other way between, has sent it itself: people and machines that
/// shut down do not single out one run.
const OFTEN: u32 = 3;

/// `SIGHUP`, `SIGINT`, `SIGTERM`.
const TOLD: [Ended; 3] = [Ended::Signal(1), Ended::Signal(2), Ended::Signal(15)];

/// How often in a row each run was told to end.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<HashMap<String, u32>>);

impl Told {
    /// Whether the worker of a run was told to end, once the executor had been called.
    pub(super) fn is_told(exit: &JobExit, begun: bool) -> bool {
        begun && exit.limit.is_none() && TOLD.contains(&exit.ended)
    }

    /// Takes note of the end of an attempt at the run. The failure that it is in the end, where it was told to end too often.
    pub(super) fn note(&self, run: &str, told: bool) -> Option<RunFailure> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !told {
            counts.remove(run);
            return None;
        }
        let count = counts.entry(run.to_owned()).or_default();
        *count += 1;
        if *count < OFTEN {
            return None;
        }
        counts.remove(run);
        let message = format!(
            "the run's worker was ended by SIGTERM or the like {OFTEN} times in a row, and not by this study: it does so itself"
        );
        Some(RunFailure::candidate(message).kind(FailureKind::Crash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_told_to_end_in_a_row_counts() {
        let told = Told::default();
        assert!([true, true, false, true, true].iter().all(|&is| told.note("a", is).is_none()));
        assert!(told.note("b", true).is_none(), "each run for itself");
        assert!(told.note("a", true).is_some());
        assert!(told.note("a", true).is_none(), "and anew from there");
    }
}
