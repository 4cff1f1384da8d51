//! What commands may read besides the tree.

use super::spec::TaskSpec;
use crate::TaskError;
use crate::tree::Repo;
use std::path::{Component, Path, PathBuf};

/// Something that commands may read besides the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Data {
    /// Where it is.
    pub(crate) from: PathBuf,
    /// Where it stands in the folder of the command, too.
    pub(crate) at: Option<String>,
}

/// What each kind of command may read: of the run, and of the three that measure.
#[derive(Debug, Default)]
pub(crate) struct AllData {
    pub(crate) run: Vec<Data>,
    pub(crate) evaluate: Vec<Data>,
    pub(crate) holdout: Vec<Data>,
    pub(crate) test: Vec<Data>,
}

/// Folders that every job sees.
pub(super) const SYSTEM: [&str; 4] = ["/usr", "/opt", "/nix/store", "/gnu/store"];

/// Finds data, and sees to it that no run sees what it must not.
pub(super) struct Finder<'a> {
    pub(super) spec: &'a TaskSpec,
    pub(super) repo: &'a Repo,
    /// The top of the working tree.
    pub(super) top: Option<&'a Path>,
    /// Where folders of runs are made.
    pub(super) work: &'a Path,
    /// Whether data must be there: nothing is run without.
    pub(super) there: bool,
}

impl Finder<'_> {
    /// # Errors
    /// Something is not there, or would be seen by those who must not.
    pub(super) fn all(&self) -> Result<AllData, TaskError> {
        let spec = self.spec;
        let run = self.found("data", &spec.data)?;
        let inner =
            [("the repository's own folder", self.repo.git.dir()), ("the folder of all runs", self.work)];
        for (what, place) in inner {
            let place = real(place);
            let shared = |data: &&Data| data.from.starts_with(&place) || place.starts_with(&data.from);
            if let Some(data) = run.iter().find(shared) {
                let why = format!(
                    "{} and {what}, {}, are not apart: a run would see other runs, the history or the store; name what it needs alone",
                    data.from.display(),
                    place.display()
                );
                return Err(spec.wrong("data", why));
            }
        }
        let of = |key: &str, measuring: &Option<super::Measuring>| {
            let paths = measuring.as_ref().map_or(&[][..], |measuring| &measuring.data);
            self.found(&format!("{key}.data"), paths)
        };
        let (evaluate, holdout, test) =
            (of("evaluate", &spec.evaluate)?, of("holdout", &spec.holdout)?, of("test", &spec.test)?);
        for (key, held) in [("holdout", &holdout), ("test", &test)] {
            held.iter().try_for_each(|data| self.apart(key, data, &run))?;
        }
        Ok(AllData { run, evaluate, holdout, test })
    }

    fn found(&self, key: &str, paths: &[PathBuf]) -> Result<Vec<Data>, TaskError> {
        paths.iter().map(|path| self.find(key, path)).collect()
    }

    fn find(&self, key: &str, path: &Path) -> Result<Data, TaskError> {
        let at = path.is_relative().then(|| plain(path)).flatten();
        if path.is_relative() && at.is_none() {
            let why = format!("{} leads out of the repository; give an absolute path", path.display());
            return Err(self.spec.wrong(key, why));
        }
        let whole = match (&at, self.top) {
            (Some(at), Some(top)) => top.join(at),
            _ => path.into(),
        };
        let from = match whole.canonicalize() {
            Err(why) if self.there => {
                let hint = home_hint(path).unwrap_or("make it first, or leave it out");
                let why = format!("{} cannot be found ({why}); {hint}", whole.display());
                return Err(self.spec.wrong(key, why));
            }
            found => found.unwrap_or(whole),
        };
        let tracked = at.as_ref().is_some_and(|at| self.repo.has_within(at));
        // What is part of the tree stands in every folder anyway.
        Ok(Data { from, at: at.filter(|_| !tracked) })
    }

    /// # Errors
    /// Held-out data can be seen by a run.
    fn apart(&self, key: &str, data: &Data, run: &[Data]) -> Result<(), TaskError> {
        let from = &data.from;
        let wrong =
            |why: String| Err(self.spec.wrong(&format!("{key}.data"), format!("{} {why}", from.display())));
        let shared = |run: &&Data| from.starts_with(&run.from) || run.from.starts_with(from);
        if let Some(shared) = run.iter().find(shared) {
            let how = if from.starts_with(&shared.from) { "is within" } else { "has in it" };
            return wrong(format!(
                "{how} {}, which every run may read; keep the two apart",
                shared.from.display()
            ));
        }
        if let Some(system) = SYSTEM.iter().find(|system| from.starts_with(system)) {
            return wrong(format!("is within {system}, which every sandbox sees; keep it elsewhere"));
        }
        let inside = self.top.and_then(|top| from.strip_prefix(top).ok()).and_then(Path::to_str);
        if inside.is_some_and(|inside| self.repo.has_within(inside)) {
            return wrong(
                "is committed, so that every run has it in its folder; keep it out of the repository".into(),
            );
        }
        Ok(())
    }
}

/// Where data stands in folders of runs, as far as the task alone says it.
pub(super) fn places(spec: &TaskSpec) -> Vec<String> {
    spec.data.iter().filter(|path| path.is_relative()).filter_map(|path| plain(path)).collect()
}

/// What to do about a path that only a shell understands.
pub(super) fn home_hint(path: &Path) -> Option<&'static str> {
    path.components()
        .any(|part| part.as_os_str() == "~")
        .then_some("`~` means nothing here: write the home folder out, as in \"/home/me/data\"")
}

/// A relative path of a file below a folder, written plainly.
fn plain(path: &Path) -> Option<String> {
    let parts = path.components().filter(|part| !matches!(part, Component::CurDir));
    let parts: Option<Vec<&str>> = parts
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join("/"))
}

/// A path without links, as far as it is there.
fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
    let there = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    match there {
        Some((above, real)) => real.join(path.strip_prefix(above).unwrap_or(Path::new(""))),
        None => path,
    }
}
