//! The name of a launch that stays the same over restarts.

use autoresearch_core::{RunContext, RunId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// How much of a study's name is kept in file names.
const SHOWN: usize = 48;

/// Which launch this is: the run of a study, and the attempt at it.
///
/// The same after a restart, so that what was left running is found again. As text ([`Display`](fmt::Display)) it is a
/// safe file name on every system, and no two ids have the same.
///
/// ```
/// use autoresearch_core::RunId;
/// use autoresearch_jobs::JobId;
/// assert_eq!(JobId::new("learning-rates", RunId(7), 1).to_string(), "learning-rates-r7-a1");
/// let odd = JobId::new("../rates", RunId(7), 1);
/// assert!(!odd.to_string().contains(['/', '.']), "{odd}");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobId {
    /// The study's identifier.
    pub study: String,
    /// The run.
    pub run: RunId,
    /// 0 for the first attempt at the run.
    pub attempt: u32,
}

impl JobId {
    /// The id of an attempt at a run.
    pub fn new(study: impl Into<String>, run: RunId, attempt: u32) -> Self {
        Self { study: study.into(), run, attempt }
    }

    /// The id of the attempt that this context is for.
    pub fn of(cx: &RunContext) -> Self {
        Self::new(&*cx.study, cx.run, cx.attempt)
    }

    /// What all attempts at the run have in common, as a safe file name: no two of them may run at once.
    pub fn run_key(&self) -> String {
        format!("{}-{}", safe(&self.study), self.run)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-a{}", self.run_key(), self.attempt)
    }
}

/// The name itself where it is harmless; else what is harmless of it, and a hash that tells it from all others.
fn safe(name: &str) -> String {
    let harmless = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    // No plain name ends as those with a hash do, and none looks like an option.
    let plain = (1..=SHOWN).contains(&name.len()) && name.chars().all(harmless) && !name.starts_with('-');
    if plain && !name.contains("--") {
        return name.into();
    }
    let kept = name
        .chars()
        .take(SHOWN)
        .map(|c| if harmless(c.to_ascii_lowercase()) { c.to_ascii_lowercase() } else { '_' });
    let digest = Sha256::digest(name.as_bytes());
    let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("s{}--{hash}", kept.collect::<String>().replace("--", "__"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_ids_share_a_name_and_each_is_a_safe_file_name() {
        let long = "x".repeat(300);
        let studies =
            ["a", "A", "a/b", "a_b", "a.b", "..", "", "-a", "ä", "a--b", &long, &long[1..], "a b\n"];
        let mut names = BTreeSet::new();
        for study in studies {
            for (run, attempt) in [(1, 0), (1, 1), (11, 0)] {
                let name = JobId::new(study, RunId(run), attempt).to_string();
                let harmless = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
                assert!(name.chars().all(harmless) && !name.starts_with('-') && name.len() < 128, "{name}");
                assert!(names.insert(name.to_lowercase()), "{name} twice");
            }
        }
    }

    #[test]
    fn attempts_share_the_key_of_their_run() {
        let (first, second) = (JobId::new("s", RunId(3), 0), JobId::new("s", RunId(3), 1));
        assert_eq!((first.run_key(), second.run_key()), ("s-r3".into(), "s-r3".into()));
        assert_ne!(first.to_string(), second.to_string());
    }
}
