//! Files into a job's folder, and out of it.

pub use super::remove::remove;
use crate::error::LaunchError;
use crate::job::{FileIn, Job};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use rustix::fs::OFlags;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Puts the job's files into the folder.
pub(crate) fn put(job: &Job, folder: &Path) -> Result<(), LaunchError> {
    for (name, file) in &job.files_in {
        let what = |why: &io::Error| format!("cannot put the file {name} into the job's folder: {why}");
        let mut to = make(folder, Path::new(name)).map_err(|why| LaunchError::Infrastructure(what(&why)))?;
        let put = match file {
            FileIn::Text(text) => to.write_all(text.as_bytes()),
            FileIn::Bytes(bytes) => to.write_all(bytes),
            FileIn::At(from) => File::open(from).and_then(|mut from| {
                io::copy(&mut from, &mut to)?;
                to.set_permissions(from.metadata()?.permissions())
            }),
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

/// Opens a file below the folder for writing, empty. An earlier job may have been in the folder: what it has left there leads
/// nowhere else.
fn make(folder: &Path, name: &Path) -> io::Result<File> {
    let mut at = folder.to_path_buf();
    let mut parts = name.components().peekable();
    while let Some(part) = parts.next() {
        at.push(part);
        if parts.peek().is_none() {
            break;
        }
        match fs::symlink_metadata(&at) {
            Ok(about) if about.is_dir() => {}
            Ok(_) => return Err(io::Error::other(format!("{} is there and no folder", at.display()))),
            Err(_) => fs::create_dir(&at)?,
        }
    }
    create(&at)
}

/// Opens a file for writing, empty, unless it is a link or a pipe.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).custom_flags(i32::try_from(flags).unwrap_or(0));
    let file = options.open(path).map_err(|why| match fs::symlink_metadata(path) {
        Ok(about) if about.is_symlink() => io::Error::other(format!("{} is a link", path.display())),
        _ => why,
    })?;
    let kind = file.metadata()?.file_type();
    match kind.is_file() || kind.is_char_device() {
        true => Ok(file),
        false => Err(io::Error::other(format!("{} is no file", path.display()))),
    }
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

/// What was collected, and what was not.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Collected {
    pub(crate) files: Vec<String>,
    /// What matched and is left out, each with the reason.
    pub(crate) not_collected: Vec<String>,
}

/// Collects what matches: each file whole or not at all. Nothing of the job is running any more, so that no link can be
/// slipped in between the look and the copy.
///
/// `most` is what it may come to, in bytes as they are read: a file with holes is no way around a limit on the disk. Sizes are
/// looked at before anything is copied.
pub(crate) fn collect_all(
    patterns: &GlobSet,
    folder: &Path,
    into: &Path,
    most: Option<u64>,
) -> io::Result<Collected> {
    let mut left = most;
    let mut all = Collected::default();
    walk(folder, Path::new(""), DEPTH, patterns, &mut all)?;
    let Collected { files, not_collected } = &mut all;
    files.sort();
    files.retain(|name| {
        let size = File::open(folder.join(name)).and_then(|file| file.metadata()).map(|about| about.len());
        let why = match (size, &mut left) {
            (Err(why), _) => why.to_string(),
            (Ok(size), Some(left)) if size > *left => {
                format!("its {size} bytes are more than may be collected")
            }
            (Ok(size), left) => {
                left.iter_mut().for_each(|left| *left -= size);
                return true;
            }
        };
        not_collected.push(format!("{name}: {why}"));
        false
    });
    for name in files {
        let to = into.join(&*name);
        let parent = to.parent().unwrap_or(into);
        fs::create_dir_all(parent)?;
        // Renamed, so that nobody finds half a file.
        let half = parent.join(format!(".half-{}-{}", std::process::id(), super::claim::mark()));
        let copied = fs::copy(folder.join(&*name), &half).and_then(|_| fs::rename(&half, &to));
        if let Err(why) = copied {
            let _ = fs::remove_file(&half);
            return Err(why);
        }
    }
    for what in &all.not_collected {
        tracing::warn!("a file of the job is not collected: {what}");
    }
    Ok(all)
}

/// The most that are told of what is left out.
const TOLD: usize = 20;

/// How deep files are looked for.
const DEPTH: usize = 64;

/// Whether a job can bring it about that its folder cannot be read: it has locked it, taken it away, put something else in its
/// place, or nested folders until their path is too long. Then it does not want it collected; anything else is the machine's.
fn is_the_jobs(why: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound, PermissionDenied};
    matches!(why.kind(), PermissionDenied | NotFound | NotADirectory | InvalidFilename)
}

fn walk(
    folder: &Path,
    below: &Path,
    depth: usize,
    patterns: &GlobSet,
    found: &mut Collected,
) -> io::Result<()> {
    let entries = match fs::read_dir(folder.join(below)) {
        Err(why) if is_the_jobs(&why) => {
            if found.not_collected.len() < TOLD {
                found.not_collected.push(format!("{}/: {why}", Path::new(".").join(below).display()));
            }
            return Ok(());
        }
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let path: PathBuf = below.join(entry.file_name());
        // Of the entry itself: links are neither collected nor followed.
        let kind = entry.file_type()?;
        if kind.is_dir() {
            match depth {
                0 if found.not_collected.len() < TOLD => {
                    found.not_collected.push(format!("{}: deeper than {DEPTH} folders", path.display()));
                }
                0 => {}
                _ => walk(folder, &path, depth - 1, patterns, found)?,
            }
        } else if kind.is_file() && patterns.is_match(&path) {
            match path.to_str() {
                Some(name) => found.files.push(name.into()),
                None if found.not_collected.len() < TOLD => {
                    found.not_collected.push(format!("{}: its name is no UTF-8", path.display()));
                }
                None => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn what_an_earlier_job_has_left_leads_nowhere() {
        let (folder, away) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let outside = away.path().join("precious");
        fs::write(&outside, "precious").unwrap();
        std::os::unix::fs::symlink(&outside, folder.path().join("link")).unwrap();
        std::os::unix::fs::symlink(away.path(), folder.path().join("d")).unwrap();
        for name in ["link", "d/precious"] {
            assert!(put(&Job::new(["true"]).file(name, "x"), folder.path()).is_err(), "{name}");
        }
        assert!(create(&folder.path().join("link")).is_err());
        assert_eq!(fs::read_to_string(outside).unwrap(), "precious");
        let made = std::process::Command::new("mkfifo").arg(folder.path().join("pipe")).status();
        assert!(made.unwrap().success());
        assert!(create(&folder.path().join("pipe")).is_err());
        create(Path::new("/dev/null")).unwrap();
    }

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
            collect_all(&patterns(&job).unwrap(), from.path(), into.path(), None).unwrap().files
        };
        assert_eq!(collected(&["*.json"]), ["a.json"]);
        assert_eq!(collected(&["**/*.json", "./d/e/*"]), ["a.json", "d/b.json", "d/e/c.bin"]);
        assert_eq!(collected(&["etc/passwd", "**/passwd"]), [""; 0]);
        assert_eq!(fs::read_to_string(into.path().join("d/e/c.bin")).unwrap(), "3");
        let all = fs::read_dir(into.path()).unwrap().count();
        assert_eq!(all, 2, "half a file lies about");
        assert!(patterns(&Job::new(["true"]).collect(["a[", "b"], "x")).is_err());
    }

    #[test]
    fn what_cannot_be_collected_is_said() {
        let (from, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(from.path().join("good.txt"), "1").unwrap();
        let odd = std::ffi::OsStr::from_bytes(b"odd\xff.txt");
        fs::write(from.path().join(odd), "2").unwrap();
        let wanted = patterns(&Job::new(["true"]).collect(["*.txt"], into.path())).unwrap();
        let all = collect_all(&wanted, from.path(), into.path(), None).unwrap();
        assert_eq!(all.files, ["good.txt"]);
        assert_eq!(all.not_collected, ["odd\u{FFFD}.txt: its name is no UTF-8"]);
    }

    #[test]
    fn holes_are_no_way_around_the_disk() {
        let (from, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (name, size) in [("a", 1000), ("b", 1 << 40), ("c", 24)] {
            File::create(from.path().join(name)).unwrap().set_len(size).unwrap();
        }
        let wanted = patterns(&Job::new(["true"]).collect(["*"], into.path())).unwrap();
        let all = collect_all(&wanted, from.path(), into.path(), Some(1024)).unwrap();
        assert_eq!(all.files, ["a", "c"]);
        assert_eq!(all.not_collected, ["b: its 1099511627776 bytes are more than may be collected"]);
    }

    /// A job that has taken its folder away, or nests folders without end, has done so itself: what there is is collected.
    #[test]
    fn a_folder_that_cannot_be_read_is_the_jobs_own_doing() {
        let (from, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(from.path().join("good.txt"), "1").unwrap();
        // Deeper than it is looked, and longer than a path may be.
        let script = "n=0; while [ $n -lt 100 ]; do d=$(printf '%0200d' 0); mkdir $d && cd -P $d || exit; n=$((n + 1)); done";
        let made = std::process::Command::new("sh").args(["-c", script]).current_dir(from.path()).status();
        assert!(made.unwrap().success());
        let wanted = patterns(&Job::new(["true"]).collect(["**/*.txt"], into.path())).unwrap();
        let all = collect_all(&wanted, from.path(), into.path(), None).unwrap();
        assert_eq!((all.files.len(), all.not_collected.len()), (1, 1), "{all:?}");
        crate::disk::remove(from.path()).unwrap();
        let all = collect_all(&wanted, from.path(), into.path(), None).unwrap();
        assert_eq!((all.files.len(), all.not_collected.len()), (0, 1), "{all:?}");
        assert!(all.not_collected[0].contains("No such file"), "{all:?}");
    }
}
