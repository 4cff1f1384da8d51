//! Which runs tried which proposals, in this session and in those before.

use autoresearch_core::{ProposalId, RunId};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where they are noted, a run a line: its number, and those of its proposals.
const NOTES: &str = "runs.txt";

/// The runs of proposals that are not settled yet. Notes are for messages of commits alone: what is missing in them is told as a number.
#[derive(Debug, Default)]
pub(super) struct Runs {
    file: PathBuf,
    of: BTreeMap<ProposalId, BTreeSet<RunId>>,
}

impl Runs {
    /// Of the study in this folder; what was noted before is its own only if it `goes_on`.
    pub(super) fn open(home: &Path, goes_on: bool) -> Self {
        let mut runs = Self { file: home.join(NOTES), of: BTreeMap::new() };
        if !goes_on {
            let _ = fs::remove_file(&runs.file);
            return runs;
        }
        for line in fs::read_to_string(&runs.file).unwrap_or_default().lines() {
            let numbers: Result<Vec<u64>, _> = line.split(' ').map(str::parse).collect();
            if let Ok([run, proposals @ ..]) = numbers.as_deref() {
                proposals.iter().for_each(|proposal| runs.add(RunId(*run), ProposalId(*proposal)));
            }
        }
        runs
    }

    /// A run of these has ended.
    pub(super) fn ran(&mut self, run: RunId, proposals: impl Iterator<Item = ProposalId>) {
        let mut line = run.0.to_string();
        for proposal in proposals {
            line.push_str(&format!(" {}", proposal.0));
            self.add(run, proposal);
        }
        if line.contains(' ')
            && let Err(why) = self.note(&line)
        {
            tracing::debug!(
                "{}: {why}; messages of commits may count runs instead of naming them",
                self.file.display()
            );
        }
    }

    fn note(&self, line: &str) -> std::io::Result<()> {
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder)?;
        }
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.file)?
            .write_all(format!("{line}\n").as_bytes())
    }

    fn add(&mut self, run: RunId, proposal: ProposalId) {
        self.of.entry(proposal).or_default().insert(run);
    }

    /// Those of a proposal, which is settled; `again`: not for the last time.
    pub(super) fn settled(&mut self, proposal: ProposalId, again: bool) -> Vec<RunId> {
        let runs = match again {
            true => self.of.get(&proposal).cloned(),
            false => self.of.remove(&proposal),
        };
        runs.unwrap_or_default().into_iter().collect()
    }
}
