//! What a job takes of the disk.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What a file takes at least: its entry and its inode are not free, and those may run out, too.
const LEAST: u64 = 4096;

/// Bytes that everything in these folders takes, and the files that these processes have open and nobody can name any more. Links
/// are not followed; a file with several names counts once.
pub(super) fn taken(folders: &[PathBuf], pids: &[i32]) -> u64 {
    let mut seen = HashSet::new();
    let within: u64 = folders.iter().map(|folder| of_folder(folder, &mut seen)).sum();
    within + pids.iter().map(|pid| of_nameless(*pid, &mut seen)).sum::<u64>()
}

type Seen = HashSet<(u64, u64)>;

fn of_folder(folder: &Path, seen: &mut Seen) -> u64 {
    let (mut sum, mut open) = (0, vec![folder.to_path_buf()]);
    while let Some(here) = open.pop() {
        for entry in fs::read_dir(here).into_iter().flatten().flatten() {
            // Of the entry itself.
            let Ok(about) = entry.metadata() else { continue };
            if about.is_dir() {
                open.push(entry.path());
            } else if about.nlink() > 1 && !seen.insert((about.dev(), about.ino())) {
                continue;
            }
            sum += (about.blocks() * 512).max(LEAST);
        }
    }
    sum
}

fn of_nameless(pid: i32, seen: &mut Seen) -> u64 {
    let mut sum = 0;
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
        let Ok(about) = fs::metadata(entry.path()) else { continue };
        if about.is_file() && about.nlink() == 0 && seen.insert((about.dev(), about.ino())) {
            sum += (about.blocks() * 512).max(LEAST);
        }
    }
    sum
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn everything_counts_once_also_what_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let (path, all) = (folder.path(), [folder.path().to_path_buf()]);
        assert_eq!(taken(&all, &[]), 0);
        fs::create_dir(path.join("d")).unwrap();
        fs::write(path.join("d/a"), vec![1; 100_000]).unwrap();
        std::os::unix::fs::symlink("/usr", path.join("l")).unwrap();
        let before = taken(&all, &[]);
        assert!((100_000 + 2 * LEAST..200_000).contains(&before), "{before}");
        fs::hard_link(path.join("d/a"), path.join("b")).unwrap();
        assert_eq!(taken(&all, &[]), before);
        let nameless = tempfile::tempfile_in(path).unwrap();
        nameless.set_len(1 << 20).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&nameless, &vec![1; 1 << 20], 0).unwrap();
        nameless.sync_all().unwrap();
        let me = i32::try_from(std::process::id()).unwrap();
        assert!(taken(&all, &[me]) >= before + (1 << 20));
    }
}
