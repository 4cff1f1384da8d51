//! Where trees that were read from a store find their repository.

use super::Repo;
use crate::git::Oid;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

type Open = Mutex<HashMap<Oid, Vec<Weak<Repo>>>>;

/// The repositories that are open, by their base. They are held weakly: none is kept open by this.
static OPEN: LazyLock<Open> = LazyLock::new(Open::default);

/// Makes a repository findable while it is open.
pub(crate) fn register(repo: &Arc<Repo>) {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|_, repos| {
        repos.retain(|repo| repo.strong_count() > 0);
        !repos.is_empty()
    });
    open.entry(repo.base.clone()).or_default().push(Arc::downgrade(repo));
}

/// The repository that was opened last with this base and has the tree.
pub(super) fn find(base: &Oid, tree: &Oid) -> Option<Arc<Repo>> {
    let repos: Vec<Arc<Repo>> = {
        let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(base)?.iter().filter_map(Weak::upgrade).collect()
    };
    repos.into_iter().rev().find(|repo| *tree == repo.base_tree || repo.git.has(tree))
}
