//! Opening a task: its repository, its files, its data, its sandbox.

use super::data::{Finder, SYSTEM, places};
use super::spec::TaskSpec;
use super::{Inner, Task};
use crate::TaskError;
use crate::git::{Found, Git, Oid};
use crate::history::{branch, reference};
use crate::run::Workshop;
use crate::sandbox::Sandbox;
use crate::tree::{GitMerge, Repo, RepoCodec, Scope, register};
use crate::work::Pool;
use autoresearch_llm::{EditCodec, Globs, TreeMerge};
use std::path::Path;
use std::sync::Arc;

const PARTIAL: &str = "this is a partial clone, and nothing is fetched here: fetch what is missing first (`git fetch --refetch --no-filter`)";
const NO_HOLDOUT: &str = "there is no [holdout]: what is kept was tested on fresh runs, but on the same data that steered the search, so \
                          that gains may be those of this split alone; hold data out and name a command that measures on it";
const NO_EVALUATE: &str = "there is no [evaluate]: the objective is what the edited code itself says, and an edit that prints a better \
                           number is believed; name a command that computes it from the run's artifacts";

impl Task {
    /// `runs`: whether anything will be run, so that there must be data and a sandbox.
    pub(super) fn open(spec: TaskSpec, runs: bool) -> Result<Self, TaskError> {
        spec.check()?;
        let wrong = |key: &str, why: &dyn std::fmt::Display| spec.wrong(key, why.to_string());
        let Found { git, top, head } =
            Git::find(&spec.repository).map_err(|why| wrong("repository", &why))?;
        let base = base(&spec, head)?;
        let scope = scope(&spec)?;
        let mut notices = Vec::new();
        let partial = is_partial(&git);
        let repo = Repo::open(git, base, scope).map_err(|why| match partial {
            true => wrong("repository", &format!("{why}; {PARTIAL}")),
            false => wrong("repository", &why),
        })?;
        let repo = Arc::new(repo);
        files(&spec, &repo, &mut notices)?;
        let work = Pool::root(spec.work.as_deref());
        let top = top.as_deref();
        let data = Finder { spec: &spec, repo: &repo, top, work: &work, there: runs }.all()?;
        let sandbox = match runs {
            true => Sandbox::chosen(spec.sandbox).map_err(|error| spec.wrong("sandbox", error.message))?,
            false => Sandbox::None,
        };
        let mut devices = Vec::new();
        if sandbox == Sandbox::Bubblewrap {
            let globs = super::devices::of(&spec.devices, &spec.gpus);
            let key = if spec.devices.is_empty() { "gpus" } else { "devices" };
            devices = super::devices::found(&globs).map_err(|why| spec.wrong(key, why))?;
        }
        remarks(&spec, &repo, sandbox, top, &mut notices);
        names(&spec, &repo, &mut notices)?;
        register(&repo);
        let editable = || Globs::new(spec.editable.iter().cloned());
        editable().map_err(|why| spec.wrong("editable", why))?;
        let merge = TreeMerge::over(spec.editable.iter().cloned()).map_err(|why| wrong("editable", &why))?;
        let merge = GitMerge::new(merge);
        let codec = codec(&spec, &merge).map_err(|why| wrong("editable", &why))?;
        let workshop = Arc::new(Workshop::new(&spec, &repo, data, devices, sandbox));
        Ok(Self(Arc::new(Inner { spec, repo, merge, codec, workshop, notices })))
    }
}

/// The commit to start from.
pub(super) fn base(spec: &TaskSpec, head: Option<Oid>) -> Result<Oid, TaskError> {
    match &spec.base {
        Some(revision) => Git::commit_at(&spec.repository, revision).ok_or_else(|| {
            spec.wrong(
                "base",
                format!("the repository has no commit {revision:?}; name a branch, a tag or a commit"),
            )
        }),
        None => head.ok_or_else(|| {
            spec.wrong("repository", "it has no commit yet; commit what is to be the baseline")
        }),
    }
}

/// Whether objects were left out when the repository was cloned.
fn is_partial(git: &Git) -> bool {
    let config = std::fs::read_to_string(git.dir().join("config")).unwrap_or_default().to_lowercase();
    config.contains("promisor") || config.contains("partialclone")
}

/// Whether the references of the history can be made.
fn names(spec: &TaskSpec, repo: &Repo, notices: &mut Vec<String>) -> Result<(), TaskError> {
    let kept = reference(&spec.name, "kept");
    if let Some(other) = repo.git.in_the_way(&kept) {
        return Err(spec.wrong("name", format!("{other} is in the way of {kept}; choose another name")));
    }
    let branch = branch(&spec.name);
    if let Some(other) = repo.git.in_the_way(&branch) {
        notices.push(format!(
            "{other} is in the way of {branch}, which will not be there: what is kept is in {kept}; rename the one (`git branch -m`), \
             or choose another `name`"
        ));
    }
    Ok(())
}

fn scope(spec: &TaskSpec) -> Result<Scope, TaskError> {
    let globs =
        |key: &str, globs: &[String]| Globs::new(globs.iter().cloned()).map_err(|why| spec.wrong(key, why));
    Ok(Scope {
        editable: globs("editable", &spec.editable)?,
        protected: spec.protected.as_deref().map(|protected| globs("protected", protected)).transpose()?,
        shown: spec.show.as_deref().map(|shown| globs("show", shown)).transpose()?,
        create: spec.create,
        delete: spec.delete,
        data: places(spec),
        most_bytes: 1 << 20,
    })
}

fn codec(spec: &TaskSpec, merge: &GitMerge) -> Result<RepoCodec, autoresearch_llm::CodecError> {
    let mut edits = EditCodec::new(spec.editable.iter().cloned())?;
    if spec.create {
        edits = edits.creating();
    }
    if spec.delete {
        edits = edits.deleting();
    }
    let shown: Vec<String> = spec.protected.iter().chain(&spec.show).flatten().cloned().collect();
    if !shown.is_empty() {
        edits = edits.showing(shown)?;
    }
    Ok(RepoCodec::new(edits, merge.clone()))
}

/// Whether the globs mean files, and different ones.
fn files(spec: &TaskSpec, repo: &Repo, notices: &mut Vec<String>) -> Result<(), TaskError> {
    for (key, globs) in [("editable", Some(&spec.editable)), ("protected", spec.protected.as_ref())] {
        for glob in globs.into_iter().flatten() {
            let one = Globs::new([glob.clone()]).map_err(|why| spec.wrong(key, why))?;
            if repo.listing.keys().any(|path| one.matches(path)) {
                continue;
            }
            if key == "editable" && spec.create {
                notices.push(format!("`{glob}` matches no file of the base yet"));
                continue;
            }
            let untracked = "; a file must be committed to be part of the base";
            return Err(
                spec.wrong(key, format!("`{glob}` matches no file of the base {}{untracked}", repo.base))
            );
        }
    }
    let both = |path: &&String| {
        repo.scope.editable.matches(path)
            && repo.scope.protected.as_ref().is_some_and(|globs| globs.matches(path))
    };
    if let Some(path) = repo.listing.keys().find(both) {
        return Err(spec.wrong(
            "protected",
            format!("`{path}` is both editable and protected; name it in one of the two"),
        ));
    }
    let odd =
        repo.listing.iter().find(|(path, entry)| repo.scope.editable.matches(path) && !entry.mode.is_file());
    if let Some((path, _)) = odd {
        notices
            .push(format!("`{path}` matches `editable` and is a link or a submodule: it cannot be edited"));
    }
    Ok(())
}

/// What the user should know.
fn remarks(spec: &TaskSpec, repo: &Repo, sandbox: Sandbox, top: Option<&Path>, notices: &mut Vec<String>) {
    if spec.holdout.is_none() {
        notices.push(NO_HOLDOUT.into());
    }
    if spec.evaluate.is_none() {
        notices.push(NO_EVALUATE.into());
    }
    if sandbox == Sandbox::None {
        notices.push("there is no sandbox: proposed code runs with all rights of the user, and can read whatever is held out".into());
    }
    let dirty = top.map(Git::uncommitted).unwrap_or_default();
    if let Some(first) = dirty.first() {
        let more =
            if dirty.len() > 1 { format!(" and {} more files", dirty.len() - 1) } else { String::new() };
        notices.push(format!(
            "changes that are not committed (`{first}`{more}) are no part of the base {}",
            repo.base
        ));
    }
    if repo.listing.values().any(|entry| entry.mode == crate::git::Mode::Submodule) {
        notices.push("submodules are empty folders in runs".into());
    }
    let filters = |path: &&String| {
        let text = repo.listing.get(*path).and_then(|entry| repo.text(&entry.oid).ok().flatten());
        let plain = |line: &str| !line.trim_start().starts_with('#') && line.contains("filter=");
        text.is_some_and(|text| text.lines().any(plain))
    };
    let of_attributes = |path: &&String| path.rsplit('/').next() == Some(".gitattributes");
    if let Some(path) = repo.listing.keys().filter(of_attributes).find(filters) {
        notices.push(format!(
            "`{path}` names filters (as git LFS does), which do not run here: of such a file runs have what git stores, such as a \
             pointer; name the files themselves in `data`"
        ));
    }
    if sandbox == Sandbox::Bubblewrap
        && let Some(system) = SYSTEM.iter().find(|system| repo.git.dir().starts_with(system))
    {
        notices
            .push(format!("the repository is within {system}, which every sandbox sees: keep it elsewhere"));
    }
}
