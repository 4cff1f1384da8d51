//! What earlier drivers have left of a run.

use super::folder::{LaunchFolder, Note};
use crate::error::LaunchError;
use crate::id::JobId;
use crate::local::files;
use autoresearch_core::RunId;
use std::path::Path;
use std::{fs, io};

/// The launches of a run that earlier drivers have left, oldest first.
///
/// # Errors
/// The folder cannot be read, or what is in it: storage may be away for a moment, and what cannot be read may be running.
pub(crate) fn earlier(root: &Path, key: &str) -> Result<Vec<LaunchFolder>, LaunchError> {
    let run = root.join(key);
    let unread = |path: &Path| {
        let path = path.display();
        LaunchError::io(format!(
            "{path} is left of an earlier launch and cannot be read, so that it is not known what still runs"
        ))
    };
    let entries = match fs::read_dir(&run) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(unread(&run))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(unread(&run))?.path();
        let note = match fs::read(path.join("launch.json")) {
            Ok(text) => serde_json::from_slice(&text).ok(),
            Err(why) if matches!(why.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                // Not complete when its driver ended: nothing was submitted.
                let _ = files::remove(&path);
                continue;
            }
            Err(why) => return Err(unread(&path)(why)),
        };
        // One that does not say what it is cannot be adopted, and is ended all the same: its name is its token.
        let note = note.unwrap_or_else(|| {
            let token = entry_name(&path);
            Note { id: JobId::new(key, RunId(0), u32::MAX), token, digest: String::new() }
        });
        found.push(LaunchFolder { path, note });
    }
    found.sort_by(|a, b| a.note.token.cmp(&b.note.token));
    Ok(found)
}

fn entry_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::script::Set;
    use super::*;
    use crate::job::Job;
    use std::collections::BTreeMap;

    #[test]
    fn what_cannot_be_read_is_not_taken_for_nothing() {
        let root = tempfile::tempdir().unwrap();
        assert!(earlier(root.path(), "s-r1").unwrap().is_empty());
        let (id, job) = (JobId::new("s", RunId(1), 0), Job::new(["true"]));
        let make =
            || LaunchFolder::make(root.path(), &id, &job, &Set::default(), "d".into(), &BTreeMap::new());
        let whole = make().unwrap();
        assert_eq!(earlier(root.path(), "s-r1").unwrap()[0].note, whole.note);
        // Cut short by a crash of the machine: it may have been submitted.
        fs::write(whole.path().join("launch.json"), "{\"id\":").unwrap();
        let found = earlier(root.path(), "s-r1").unwrap();
        assert_eq!((found.len(), &found[0].note.token, &*found[0].note.digest), (1, &whole.note.token, ""));
        // As of storage that is away: reading it fails, and it is there.
        let unreadable = make().unwrap();
        fs::remove_file(unreadable.path().join("launch.json")).unwrap();
        fs::create_dir(unreadable.path().join("launch.json")).unwrap();
        let why = earlier(root.path(), "s-r1").unwrap_err().to_string();
        assert!(why.contains("not known what still runs") && unreadable.path().exists(), "{why}");
        fs::remove_dir(unreadable.path().join("launch.json")).unwrap();
        assert_eq!(earlier(root.path(), "s-r1").unwrap().len(), 1);
        assert!(!unreadable.path().exists(), "nothing of it was submitted");
    }
}
