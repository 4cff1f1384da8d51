//! The references of a study, and what is appended to them.

use super::error::HistoryError;
use super::message::{self, About};
use super::runs::Runs;
use crate::git::{Message, Oid};
use crate::task::home;
use crate::tree::{GitMerge, GitTree, Repo};
use autoresearch_core::{Compose, Fate, Proposal, ProposalId, RunId, TrialRecord};
use std::collections::HashSet;
use std::sync::Arc;

/// Appends to three lines of commits below `refs/autoresearch/<name>/`, however many proposals there are:
///
/// * `proposals`: every proposal as it was made, so that nothing of it can be lost,
/// * `settled`: every proposal as it was settled, with its fate and the evidence,
/// * `kept`: what is kept, each with the tree that it gives on those before; the branch `autoresearch/<name>` follows it.
pub(super) struct Ledger {
    pub(super) repo: Arc<Repo>,
    merge: GitMerge,
    about: About,
    /// What was settled in earlier sessions, as `(proposal, fate)`; read when it is first needed.
    known: Option<Vec<(String, String)>>,
    /// How many settled proposals were told so far.
    told: usize,
    /// Trees that a reference reaches already.
    reached: HashSet<Oid>,
    runs: Runs,
    /// Why nothing more is written.
    broken: Option<HistoryError>,
}

/// Where a study's lines of commits are.
pub(crate) fn reference(name: &str, line: &str) -> String {
    format!("refs/autoresearch/{name}/{line}")
}

/// The branch that people look at.
pub(crate) fn branch(name: &str) -> String {
    format!("refs/heads/autoresearch/{name}")
}

impl Ledger {
    pub(super) fn new(repo: &Arc<Repo>, merge: &GitMerge, about: About) -> Self {
        Self {
            repo: Arc::clone(repo),
            merge: merge.clone(),
            about,
            known: None,
            told: 0,
            reached: HashSet::from([repo.base_tree.clone()]),
            runs: Runs::default(),
            broken: None,
        }
    }

    /// A run of these proposals has ended.
    pub(super) fn ran(&mut self, run: RunId, proposals: impl Iterator<Item = ProposalId>) {
        // Those of earlier sessions come first; why they cannot be read is told where it matters.
        let _ = self.known();
        self.runs.ran(run, proposals);
    }

    /// Proposals were made on this.
    pub(super) fn proposed(
        &mut self,
        parent: &GitTree,
        proposals: &[Proposal<GitTree>],
    ) -> Result<(), HistoryError> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        let (known, told) = (self.known()?.len(), self.told);
        if told < known {
            return Err(HistoryError::OtherStudy(format!(
                "the repository holds the history of another study with the name {:?} ({known} settled proposals in {}); give this one \
                 another `name`, or open the store that belongs to that history",
                self.about.name,
                reference(&self.about.name, "settled")
            )));
        }
        for proposal in proposals {
            let text = message::proposed(&proposal.hypothesis, parent, &self.about.name);
            let beside = self.reach(parent)?;
            self.append("proposals", proposal.candidate.tree_oid(), beside.as_ref(), &text)?;
            self.reached.insert(proposal.candidate.tree_oid().clone());
        }
        Ok(())
    }

    /// A commit of a tree that no reference reaches yet.
    fn reach(&mut self, tree: &GitTree) -> Result<Option<Oid>, HistoryError> {
        if !self.reached.insert(tree.tree_oid().clone()) {
            return Ok(None);
        }
        Ok(Some(self.repo.git.commit(
            tree.tree_oid(),
            &[&self.repo.base],
            "what a proposal was made on\n",
        )?))
    }

    /// A proposal was settled; in a study that was resumed those of before are told once more.
    pub(super) fn settled(&mut self, record: &TrialRecord<GitTree>) {
        if self.broken.is_some() {
            return;
        }
        if let Err(why) = self.write_down(record) {
            tracing::error!("the history of {:?} is not written any more: {why}", self.about.name);
            self.broken = Some(why);
        }
    }

    fn write_down(&mut self, record: &TrialRecord<GitTree>) -> Result<(), HistoryError> {
        let told = self.told;
        self.told += 1;
        let (id, fate) = (record.id.to_string(), record.fate.to_string());
        if let Some((known_id, known_fate)) = self.known()?.get(told).cloned() {
            if (&known_id, &known_fate) == (&id, &fate) {
                return Ok(());
            }
            return Err(HistoryError::OtherStudy(format!(
                "number {} of what was settled is {id}, {fate}, and in {} it is {known_id}, {known_fate}: the repository holds the history \
                 of another study with the name {:?}; give this one another `name`",
                told + 1,
                reference(&self.about.name, "settled"),
                self.about.name
            )));
        }
        let runs = self.runs.settled(record.id, record.fate == Fate::SetAside);
        let text = message::settled(record, &runs, &self.about, told + 1);
        // First what is kept: it is found again by its number if this is the last that happens.
        match record.fate {
            Fate::Kept => self.keep(record, told + 1, &text, false)?,
            Fate::Revoked => self.keep(record, told + 1, &text, true)?,
            _ => {}
        }
        self.append("settled", record.proposal.candidate.tree_oid(), None, &text)
    }

    /// What earlier sessions have settled.
    fn known(&mut self) -> Result<&[(String, String)], HistoryError> {
        if self.known.is_none() {
            let line = reference(&self.about.name, "settled");
            let mut known = Vec::new();
            if let Some(tip) = self.repo.git.tip(&line) {
                if !self.repo.git.is_ancestor(&self.repo.base, &tip) {
                    return Err(HistoryError::OtherStudy(format!(
                        "the repository holds the history of another study with the name {:?}, which started from another commit than {}; \
                         give this one another `name`",
                        self.about.name, self.repo.base
                    )));
                }
                for entry in self.repo.git.log(&tip, Some(&self.repo.base))?.iter().rev() {
                    let found = message::trailers(&entry.text);
                    let get = |name: &str| found.get(name).cloned().unwrap_or_default();
                    known.push((get("Proposal"), get("Fate")));
                }
            }
            let goes_on = self.repo.git.tip(&reference(&self.about.name, "proposals")).is_some();
            self.runs = Runs::open(&home(self.repo.git.dir(), &self.about.name), goes_on);
            self.known = Some(known);
        }
        Ok(self.known.as_deref().unwrap_or_default())
    }

    /// Appends a commit to a line.
    fn append(&self, line: &str, tree: &Oid, beside: Option<&Oid>, text: &str) -> Result<(), HistoryError> {
        let line = reference(&self.about.name, line);
        let git = &self.repo.git;
        let tip = git.tip(&line);
        let before = tip.as_ref().unwrap_or(&self.repo.base);
        let parents: Vec<&Oid> = std::iter::once(before).chain(beside).collect();
        let commit = git.commit(tree, &parents, text)?;
        Ok(git.move_ref(&line, &commit, tip.as_ref(), "autoresearch")?)
    }

    /// Appends what a change gives on what is kept already, or what is left without it.
    fn keep(
        &self,
        record: &TrialRecord<GitTree>,
        number: usize,
        text: &str,
        revoked: bool,
    ) -> Result<(), HistoryError> {
        let kept = kept(&self.repo, &self.about.name)?;
        if kept.iter().any(|entry| message::trailers(&entry.text).get("Settled") == Some(&number.to_string()))
        {
            return self.show();
        }
        let tip = kept.last().map_or(&self.repo.base_tree, |entry| &entry.tree);
        let tip = GitTree::in_repo(&self.repo, tip.clone()).map_err(HistoryError::Git)?;
        let title = &record.proposal.hypothesis.title;
        let tree = match revoked {
            false => apply(&self.merge, &tip, record),
            true => self.taken_back(&kept, &tip, record),
        };
        let tree = tree.map_err(|conflict| HistoryError::Conflict {
            title: title.clone(),
            place: conflict.place,
            reason: conflict.reason,
        })?;
        let text = if revoked { format!("Revert: {text}") } else { text.into() };
        self.append("kept", tree.tree_oid(), None, &text)?;
        self.show()
    }

    /// What is left without a change that was kept once: without what its own commit did.
    fn taken_back(
        &self,
        kept: &[Message],
        tip: &GitTree,
        record: &TrialRecord<GitTree>,
    ) -> Result<GitTree, autoresearch_core::Conflict> {
        let id = record.id.to_string();
        let is_it = |entry: &Message| message::trailers(&entry.text).get("Proposal") == Some(&id);
        let failed = |reason: String| autoresearch_core::Conflict { place: "the history".into(), reason };
        let at = kept.iter().rposition(is_it).ok_or_else(|| failed(format!("{id} was never kept")))?;
        let before = at.checked_sub(1).map_or(&self.repo.base_tree, |before| &kept[before].tree);
        let tree = |oid: &Oid| GitTree::in_repo(&self.repo, oid.clone()).map_err(failed);
        self.merge.apply(tip, &tree(&kept[at].tree)?, &tree(before)?)
    }

    /// Lets the branch follow, unless somebody stands on it or has commits of his own on it.
    fn show(&self) -> Result<(), HistoryError> {
        let git = &self.repo.git;
        let (line, branch) = (reference(&self.about.name, "kept"), branch(&self.about.name));
        let Some(tip) = git.tip(&line) else { return Ok(()) };
        let shown = git.tip(&branch);
        let ours = shown.as_ref().is_none_or(|shown| git.is_ancestor(shown, &tip));
        if shown.as_ref() == Some(&tip) {
            return Ok(());
        }
        if !ours || git.is_checked_out(&branch) {
            tracing::warn!(
                "{branch} is checked out or has commits of others, and stays as it is; what is kept is in {line}"
            );
            return Ok(());
        }
        // It is for people to look at: what is kept is in the line, whether or not the branch can follow.
        if let Err(why) = git.move_ref(&branch, &tip, shown.as_ref(), "autoresearch") {
            tracing::warn!("{branch} does not follow ({why}); what is kept is in {line}");
        }
        Ok(())
    }
}

/// What a kept change gives on a tree: the whole of it, or those units that were kept.
pub(super) fn apply(
    merge: &GitMerge,
    on: &GitTree,
    record: &TrialRecord<GitTree>,
) -> Result<GitTree, autoresearch_core::Conflict> {
    let Some(units) = &record.units else {
        return merge.apply(on, &record.parent, &record.proposal.candidate);
    };
    let all = merge.units(&record.parent, &record.proposal.candidate);
    let mut some = units.iter().filter_map(|k| all.get(usize::from(*k)));
    some.try_fold(on.clone(), |on, unit| merge.switch(&on, &record.parent, unit))
}

/// The commits of what is kept, oldest first.
pub(super) fn kept(repo: &Repo, name: &str) -> Result<Vec<Message>, HistoryError> {
    let Some(tip) = repo.git.tip(&reference(name, "kept")) else { return Ok(Vec::new()) };
    let mut commits = repo.git.log(&tip, Some(&repo.base))?;
    commits.reverse();
    Ok(commits)
}
