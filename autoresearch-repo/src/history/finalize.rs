//! A clean branch of what was certified.

use super::error::HistoryError;
use super::ledger::{apply, kept};
use super::message;
use super::unit::{joint, told, units};
use crate::Task;
use crate::git::{Git, Merged, Oid};
use crate::tree::GitTree;
use autoresearch_core::{Fate, Guarantee, Report, TrialRecord};
use std::collections::{BTreeMap, BTreeSet};

/// A branch that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finalized {
    /// Its name.
    pub branch: String,
    /// The commit that it began at.
    pub onto: String,
    /// Its commits, oldest first: one an edit, and one for edits that were certified as one unit.
    pub commits: Vec<String>,
}

/// An edit that is to be a commit.
struct Edit {
    title: String,
    message: String,
    /// The proposals that were judged as one with it, with its own.
    unit: BTreeSet<String>,
    from: Oid,
    to: Oid,
}

impl Task {
    /// Writes a branch with one commit for each certified edit (one for all edits of a unit, which were judged together), oldest
    /// first, on the base that the study started from. Nothing is checked out, and no other branch is touched.
    ///
    /// # Errors
    /// The base has moved meanwhile (the message says how to go on), the branch exists, nothing is certified, or the edits one after
    /// another are not what was certified as a whole. Then nothing is written.
    pub fn finalize(&self, report: &Report<GitTree>, branch: &str) -> Result<Finalized, HistoryError> {
        self.write(self.certified(report)?, branch, None, Some(report.certified()))
    }

    /// The same on another commit: each edit is merged onto what is there.
    ///
    /// # Errors
    /// As [`finalize`](Self::finalize), and an edit that does not merge.
    pub fn finalize_onto(
        &self,
        report: &Report<GitTree>,
        branch: &str,
        onto: &str,
    ) -> Result<Finalized, HistoryError> {
        self.write(self.certified(report)?, branch, Some(onto), None)
    }

    /// The same from what is recorded in the repository alone, without a report: what is kept and was not revoked. Whether the study's
    /// policy promises anything of it is not known here.
    ///
    /// # Errors
    /// As [`finalize_onto`](Self::finalize_onto).
    pub fn finalize_recorded(&self, branch: &str, onto: Option<&str>) -> Result<Finalized, HistoryError> {
        let commits = kept(self.repo(), self.name())?;
        let mut before = self.repo().base_tree.clone();
        let mut edits: BTreeMap<String, (usize, Edit)> = BTreeMap::new();
        for (i, entry) in commits.into_iter().enumerate() {
            let found = message::trailers(&entry.text);
            let proposal = found.get("Proposal").cloned().unwrap_or_default();
            let from = std::mem::replace(&mut before, entry.tree.clone());
            if found.get("Fate").is_some_and(|fate| *fate == Fate::Revoked.to_string()) {
                edits.remove(&proposal);
                continue;
            }
            let title = entry.text.lines().next().unwrap_or_default().into();
            let unit = told(&entry.text);
            edits.insert(proposal, (i, Edit { title, message: entry.text, unit, from, to: entry.tree }));
        }
        let mut edits: Vec<(usize, Edit)> = edits.into_values().collect();
        edits.sort_by_key(|(i, _)| *i);
        let edits: Vec<Edit> = edits.into_iter().map(|(_, edit)| edit).collect();
        if edits.is_empty() {
            return Err(HistoryError::Nothing(format!(
                "nothing is kept under the name {:?} yet",
                self.name()
            )));
        }
        self.write(edits, branch, onto, None)
    }

    /// The edits of a report's certified candidate, each from the tree before it to the tree after.
    fn certified(&self, report: &Report<GitTree>) -> Result<Vec<Edit>, HistoryError> {
        let nothing = |why: &str| Err(HistoryError::Nothing(why.into()));
        if report.baseline().base() != self.repo().base.as_str() {
            return Err(HistoryError::OtherStudy(format!(
                "the report is of a study on {}, and the task is on {}; open the task with that base",
                report.baseline().base(),
                self.repo().base
            )));
        }
        let records: Vec<&TrialRecord<GitTree>> = report.history().iter().collect();
        let revoked =
            |i: usize| records[i..].iter().any(|r| r.id == records[i].id && r.fate == Fate::Revoked);
        let kept = (0..records.len()).filter(|&i| records[i].fate == Fate::Kept && !revoked(i));
        let kept: Vec<(usize, &TrialRecord<GitTree>)> = kept.map(|i| (i + 1, records[i])).collect();
        if kept.is_empty() {
            return nothing("the study has kept nothing");
        }
        if report.guarantee == Guarantee::None {
            return nothing(
                "the study's policy promises nothing of what it kept, and so certifies nothing; certify it first, or take what is recorded \
                 as it is",
            );
        }
        let merge = self.composer();
        let mut tip = self.baseline();
        let mut edits = Vec::new();
        for (number, record) in kept {
            let title = record.proposal.hypothesis.title.clone();
            let next = apply(&merge, &tip, record).map_err(|conflict| HistoryError::Conflict {
                title: title.clone(),
                place: conflict.place,
                reason: conflict.reason,
            })?;
            let message = self.message_of(record, number)?;
            let unit = record.together.iter().chain([&record.id]).map(ToString::to_string).collect();
            let (from, to) = (tip.tree_oid().clone(), next.tree_oid().clone());
            edits.push(Edit { title, message, unit, from, to });
            tip = next;
        }
        Ok(edits)
    }

    /// As it was recorded, with the runs' numbers, where it was.
    fn message_of(&self, record: &TrialRecord<GitTree>, number: usize) -> Result<String, HistoryError> {
        let recorded = self.recorded()?.into_iter().find(|recorded| {
            let says = |name: &str, value: String| recorded.trailers.get(name) == Some(&value);
            says("Proposal", record.id.to_string()) && says("Settled", number.to_string())
        });
        Ok(recorded
            .map_or_else(|| message::settled(record, &[], &self.about(), number), |found| found.message))
    }

    fn write(
        &self,
        edits: Vec<Edit>,
        branch: &str,
        onto: Option<&str>,
        certified: Option<&GitTree>,
    ) -> Result<Finalized, HistoryError> {
        let repo = self.repo();
        let git = &repo.git;
        let reference = format!("refs/heads/{branch}");
        if branch.starts_with('-') || !git.is_ref_name(&reference) {
            return Err(HistoryError::Name(format!("{branch:?} is no name for a branch")));
        }
        if git.resolve(&reference).is_some() {
            return Err(HistoryError::BranchExists(branch.into()));
        }
        let start = match onto {
            Some(revision) => self.revision(revision)?,
            None => self.unmoved()?,
        };
        let none = || HistoryError::Git(format!("the commit {start} has no tree"));
        let tree = git.resolve(&format!("{start}^{{tree}}")).ok_or_else(none)?;
        let units = units(&edits.iter().map(|edit| edit.unit.clone()).collect::<Vec<_>>());
        let in_order = units.iter().flatten().copied().eq(0..edits.len());
        let written = self.append(&edits, &units, &tree, &start);
        let (tree, commits) = match written {
            // Those of a unit may not go next to each other; each is a commit then, as it came.
            Err(HistoryError::Conflict { .. }) if !in_order => {
                let each: Vec<Vec<usize>> = (0..edits.len()).map(|at| vec![at]).collect();
                self.append(&edits, &each, &tree, &start)?
            }
            written => written?,
        };
        let commit = commits.last().unwrap_or(&start).clone();
        let commits = commits.iter().map(ToString::to_string).collect();
        if let Some(certified) = certified.filter(|certified| *certified.tree_oid() != tree) {
            let (made, certified) = (tree.to_string(), certified.tree().to_string());
            return Err(HistoryError::Differs { made, certified });
        }
        git.move_ref(&reference, &commit, None, "autoresearch: certified edits")?;
        Ok(Finalized { branch: branch.into(), onto: start.to_string(), commits })
    }

    /// One commit a unit; no reference is moved.
    fn append(
        &self,
        edits: &[Edit],
        units: &[Vec<usize>],
        tree: &Oid,
        onto: &Oid,
    ) -> Result<(Oid, Vec<Oid>), HistoryError> {
        let repo = self.repo();
        let (mut tree, mut commits) = (tree.clone(), Vec::new());
        for unit in units {
            let unit: Vec<&Edit> = unit.iter().filter_map(|at| edits.get(*at)).collect();
            for edit in &unit {
                tree = match repo.merge(&edit.from, &tree, &edit.to)? {
                    Merged::Clean(tree) => tree,
                    Merged::Conflict { place, reason } => {
                        return Err(HistoryError::Conflict { title: edit.title.clone(), place, reason });
                    }
                };
            }
            let messages: Vec<&str> = unit.iter().map(|edit| edit.message.as_str()).collect();
            let before = commits.last().unwrap_or(onto);
            let commit = repo.git.commit(&tree, &[before], &joint(&messages))?;
            commits.push(commit);
        }
        Ok((tree, commits))
    }

    fn revision(&self, revision: &str) -> Result<Oid, HistoryError> {
        let none = || {
            HistoryError::Name(format!(
                "the repository has no commit {revision:?}; name a branch or a commit"
            ))
        };
        Git::commit_at(&self.spec().repository, revision).ok_or_else(none)
    }

    /// The base, if it is where it was.
    fn unmoved(&self) -> Result<Oid, HistoryError> {
        let place = self.spec().base.clone().unwrap_or_else(|| "HEAD".into());
        let (base, now) = (self.repo().base.clone(), self.revision(&place)?);
        if now == base {
            return Ok(base);
        }
        Err(self.spec().moved(base.as_str(), place, now.to_string()))
    }
}
