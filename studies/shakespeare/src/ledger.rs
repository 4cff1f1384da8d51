//! Runs beside the searches, each made once: a line of JSON a run, appended when it has ended.

use crate::task::{Measured, Size, Task};
use anyhow::{Context, Result, bail};
use autoresearch_core::Cancellation;
use autoresearch_tch::GptRecipe;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::task::JoinSet;

/// A run that is needed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Need {
    pub recipe: GptRecipe,
    pub seed: u64,
    pub size: Size,
    /// Which time it is run: to see whether a run can be repeated.
    #[serde(default, skip_serializing_if = "is_first")]
    pub again: u32,
}

fn is_first(again: &u32) -> bool {
    *again == 0
}

/// A line of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    need: Need,
    outcome: Result<Measured, String>,
}

/// What was run, by recipe, seed and size.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    path: PathBuf,
    runs: BTreeMap<String, (Need, Result<Measured, String>)>,
}

impl Need {
    pub(crate) fn small(recipe: &GptRecipe, seed: u64) -> Self {
        Self { recipe: recipe.clone(), seed, size: Size::Small, again: 0 }
    }

    pub(crate) fn large(recipe: &GptRecipe, seed: u64) -> Self {
        Self { recipe: recipe.clone(), seed, size: Size::Large, again: 0 }
    }

    fn key(&self) -> String {
        // A recipe is flat and finite, so that equal recipes are equal texts.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Ledger {
    /// # Errors
    /// The file cannot be read, or a line that is not the last one is none of ours.
    pub(crate) fn open(path: PathBuf) -> Result<Self> {
        let text = if path.exists() {
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?
        } else {
            String::new()
        };
        let mut runs = BTreeMap::new();
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        for (number, line) in text[..whole].lines().enumerate() {
            match serde_json::from_str::<Line>(line) {
                Ok(line) => drop(runs.insert(line.need.key(), (line.need, line.outcome))),
                Err(why) => bail!("{}:{}: {why}", path.display(), number + 1),
            }
        }
        if whole < text.len() {
            // A process was killed while it wrote: what it wrote was never acknowledged.
            OpenOptions::new().write(true).open(&path)?.set_len(whole as u64)?;
        }
        Ok(Self { path, runs })
    }

    /// All runs that gave numbers.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (&Need, &Measured)> {
        self.runs.values().filter_map(|(need, outcome)| Some((need, outcome.as_ref().ok()?)))
    }

    /// Makes the runs that are missing, so many at a time. Whether all are there afterwards.
    ///
    /// # Errors
    /// The ledger cannot be written, or a run was lost to the machine.
    pub(crate) async fn fill(
        &mut self,
        needs: impl IntoIterator<Item = Need>,
        task: &Arc<Task>,
        parallel: usize,
        stop: &Cancellation,
    ) -> Result<bool> {
        let mut seen = std::collections::BTreeSet::new();
        let missing = |need: &Need| !self.runs.contains_key(&need.key()) && seen.insert(need.key());
        let mut waiting: VecDeque<Need> = needs.into_iter().filter(missing).collect();
        if waiting.is_empty() {
            return Ok(true);
        }
        println!("{} runs to make, {} at a time", waiting.len(), parallel);
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        let scratch = self.path.with_extension("scratch");
        let (mut flying, mut number) = (JoinSet::new(), 0u64);
        loop {
            while flying.len() < parallel && !stop.is_cancelled() {
                let Some(need) = waiting.pop_front() else { break };
                number += 1;
                let (task, folder) = (Arc::clone(task), scratch.join(number.to_string()));
                flying.spawn(async move {
                    let outcome = task.run(need.recipe.clone(), need.seed, need.size, &folder).await;
                    (need, outcome)
                });
            }
            let Some(ended) = flying.join_next().await else { break };
            let (need, outcome) = ended?;
            let outcome = match outcome {
                Ok(measured) => Ok(measured),
                Err(failure) if failure.fault() == autoresearch_core::Fault::Candidate => {
                    Err(failure.to_string())
                }
                Err(failure) => return Err(failure.into()),
            };
            append(&mut file, &Line { need: need.clone(), outcome: outcome.clone() })?;
            self.runs.insert(need.key(), (need, outcome));
        }
        fs::remove_dir_all(&scratch).ok();
        Ok(waiting.is_empty())
    }
}

fn append(file: &mut File, line: &Line) -> Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    file.write_all(text.as_bytes())?;
    Ok(file.sync_data()?)
}

/// Where the ledger of a study is.
pub(crate) fn path(root: &Path) -> PathBuf {
    root.join("runs.jsonl")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs() -> Vec<Need> {
        (1..=3).map(|seed| Need::small(&GptRecipe::default(), seed)).collect()
    }

    #[tokio::test]
    async fn runs_are_made_once_and_a_torn_line_is_made_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = path(folder.path());
        let (task, stop) = (Arc::new(Task::tiny()), Cancellation::new());
        let mut ledger = Ledger::open(file.clone()).expect("nothing yet");
        assert!(ledger.fill(needs(), &task, 2, &stop).await.expect("runs"));
        let text = fs::read_to_string(&file).expect("a ledger");
        assert_eq!(text.lines().count(), 3);
        let first: Vec<String> =
            ledger.runs().map(|(need, run)| format!("{need:?} {:?}", run.test)).collect();

        // Killed while the last line was written.
        fs::write(&file, &text[..text.len() - 40]).expect("torn");
        let mut ledger = Ledger::open(file.clone()).expect("a torn ledger");
        assert_eq!(ledger.runs().count(), 2);
        assert!(ledger.fill(needs(), &task, 2, &stop).await.expect("the last run"));
        let again: Vec<String> =
            ledger.runs().map(|(need, run)| format!("{need:?} {:?}", run.test)).collect();
        assert_eq!(again, first, "the same run gives the same numbers");

        // What is broken in the middle is nobody's torn line.
        fs::write(&file, text.replacen("\"seed\":2", "\"seed\":x", 1)).expect("broken");
        let error = Ledger::open(file).expect_err("a broken line").to_string();
        assert!(error.contains("runs.jsonl:"), "{error}");
    }
}
