//! Where a task's study is stored.

use super::Given;
use super::failure::Failure;
use autoresearch_repo::TaskSpec;
use std::path::PathBuf;

/// A task, and the file of its study.
pub(super) struct Place {
    pub(super) spec: TaskSpec,
    pub(super) store: PathBuf,
}

/// # Errors
/// The task's file makes no sense, or its repository cannot be found.
pub(super) fn place(given: &Given) -> Result<Place, Failure> {
    if !given.task.exists() {
        let path = given.task.display();
        return Err(Failure::input(format!("{path}: there is no such file; `autoresearch init` writes one")));
    }
    let spec = TaskSpec::read(&given.task)?;
    let store = match &given.store {
        Some(store) => store.clone(),
        None => spec.home()?.join("study.db"),
    };
    Ok(Place { spec, store })
}

/// The same, of a study that must be there.
///
/// # Errors
/// There is none, besides.
pub(super) fn stored(given: &Given) -> Result<Place, Failure> {
    let place = place(given)?;
    match place.store.exists() {
        true => Ok(place),
        false => Err(Failure::input(format!(
            "there is no study at {} yet; `autoresearch run {}` begins one",
            place.store.display(),
            given.task.display()
        ))),
    }
}
