//! Files into a job's folder, and out of it.

use crate::error::LaunchError;
use crate::job::{FileIn, Job};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Puts the job's files into the folder.
pub(crate) fn put(job: &Job, folder: &Path) -> Result<(), LaunchError> {
    for (name, file) in &job.files_in {
        let path = folder.join(name);
        let what = |why: &io::Error| format!("cannot put the file {name} into the job's folder: {why}");
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|why| LaunchError::Infrastructure(what(&why)))?;
        }
        let put = match file {
            FileIn::Text(text) => fs::write(&path, text),
            FileIn::Bytes(bytes) => fs::write(&path, bytes),
            FileIn::At(from) => fs::copy(from, &path).map(drop),
        };
        put.map_err(|why| match (file, why.kind()) {
            (FileIn::At(from), io::ErrorKind::NotFound) => LaunchError::Setup(format!(
                "the job's file {} is not there; make it, or leave it out",
                from.display()
            )),
            _ => LaunchError::Infrastructure(what(&why)),
        })?;
    }
    Ok(())
}

/// The patterns of what is to be collected; a `*` stays within one folder.
pub(crate) fn patterns(job: &Job) -> Result<GlobSet, LaunchError> {
    let mut set = GlobSetBuilder::new();
    for pattern in &job.files_out {
        let pattern = pattern.trim_start_matches("./");
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        set.add(
            glob.map_err(|why| LaunchError::Setup(format!("{pattern:?} is no pattern for files: {why}")))?,
        );
    }
    set.build().map_err(|why| LaunchError::Setup(why.to_string()))
}

/// Collects what matches: each file whole or not at all. Nothing of the job is running any more, so that no link can be
/// slipped in between the look and the copy.
pub(crate) fn collect(patterns: &GlobSet, folder: &Path, into: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    walk(folder, Path::new(""), patterns, &mut found)?;
    found.sort();
    for name in &found {
        let to = into.join(name);
        let parent = to.parent().unwrap_or(into);
        fs::create_dir_all(parent)?;
        // Renamed, so that nobody finds half a file.
        let half = parent.join(format!(".half-{}-{}", std::process::id(), super::claim::mark()));
        let copied = fs::copy(folder.join(name), &half).and_then(|_| fs::rename(&half, &to));
        if let Err(why) = copied {
            let _ = fs::remove_file(&half);
            return Err(why);
        }
    }
    Ok(found)
}

fn walk(folder: &Path, below: &Path, patterns: &GlobSet, found: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder.join(below))? {
        let entry = entry?;
        let path: PathBuf = below.join(entry.file_name());
        // Of the entry itself: links are neither collected nor followed.
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(folder, &path, patterns, found)?;
        } else if kind.is_file()
            && patterns.is_match(&path)
            && let Some(name) = path.to_str()
        {
            found.push(name.into());
        }
    }
    Ok(())
}

/// Deletes the folder with all that is in it, also what its owner has locked himself out of.
pub(crate) fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(why) if why.kind() == io::ErrorKind::PermissionDenied => {
            unlock(folder);
            fs::remove_dir_all(folder)
        }
        done => done,
    }
}

fn unlock(folder: &Path) {
    let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            unlock(&entry.path());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_matches_is_collected_and_links_are_not() {
        let (from, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let job = Job::new(["true"])
            .file("a.json", "1")
            .file("d/b.json", "2")
            .file("d/e/c.bin", "3")
            .file("x", "4");
        put(&job, from.path()).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", from.path().join("link.json")).unwrap();
        std::os::unix::fs::symlink("/etc", from.path().join("etc")).unwrap();
        let collected = |files: &[&str]| {
            let job = Job::new(["true"]).collect(files.iter().copied(), into.path());
            collect(&patterns(&job).unwrap(), from.path(), into.path()).unwrap()
        };
        assert_eq!(collected(&["*.json"]), ["a.json"]);
        assert_eq!(collected(&["**/*.json", "./d/e/*"]), ["a.json", "d/b.json", "d/e/c.bin"]);
        assert_eq!(collected(&["etc/passwd", "**/passwd"]), [""; 0]);
        assert_eq!(fs::read_to_string(into.path().join("d/e/c.bin")).unwrap(), "3");
        let all = fs::read_dir(into.path()).unwrap().count();
        assert_eq!(all, 2, "half a file lies about");
        assert!(patterns(&Job::new(["true"]).collect(["a[", "b"], "x")).is_err());
    }
}
