//! Devices that commands may use: cards, above all.

use autoresearch_llm::Globs;
use serde::{Deserialize, Deserializer};
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Where they are.
const DEV: &str = "/dev/";
/// What a driver of NVIDIA's needs, where cards are named and no devices are.
const OF_CARDS: &str = "/dev/nvidia*";
/// How many folders below `/dev` are looked into, in one another.
const DEEP: usize = 3;

/// The device files that globs match: those of characters, as cards are, and neither disks nor shared memory.
///
/// # Errors
/// In words: a glob that is none, or not below `/dev`, or matches nothing here.
pub(super) fn found(globs: &[String]) -> Result<Vec<PathBuf>, String> {
    let mut all = Vec::new();
    for glob in globs {
        let below = below(glob)?;
        let globs = Globs::new([below])?;
        let mut found = Vec::new();
        look(Path::new(DEV), &globs, DEEP, &mut found);
        if found.is_empty() {
            return Err(format!(
                "{glob:?} matches no device here (disks, shared memory and terminals are none that may be named); see `ls -R /dev`"
            ));
        }
        all.append(&mut found);
    }
    all.sort();
    all.dedup();
    Ok(all)
}

/// # Errors
/// In words: a glob that is none, or not below `/dev`.
pub(super) fn check(globs: &[String]) -> Result<(), String> {
    globs.iter().try_for_each(|glob| Globs::new([below(glob)?]).map(drop))
}

/// The globs of a task: those of cards, where cards are named and no devices are.
pub(super) fn of(devices: &[String], gpus: &[String]) -> Vec<String> {
    match devices.is_empty() && !gpus.is_empty() {
        true => vec![OF_CARDS.into()],
        false => devices.to_vec(),
    }
}

fn below(glob: &str) -> Result<String, String> {
    let below = glob.strip_prefix(DEV).filter(|below| !below.is_empty());
    let plain = below.filter(|below| !below.split('/').any(|part| part == ".."));
    plain.map(String::from).ok_or_else(|| format!("{glob:?} is no device; write them like \"/dev/nvidia*\""))
}

fn look(at: &Path, globs: &Globs, deep: usize, found: &mut Vec<PathBuf>) {
    // A terminal would let what is typed into it come from a run.
    const NONE: [&str; 7] = ["shm", "mqueue", "pts", "ptmx", "tty", "console", "mem"];
    for entry in fs::read_dir(at).into_iter().flatten().flatten() {
        let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
        let name = path.strip_prefix(DEV).ok().and_then(Path::to_str).unwrap_or_default();
        if NONE.contains(&name) || name.starts_with("tty") || name.starts_with("vcs") {
            continue;
        }
        if kind.is_dir() && deep > 1 {
            look(&path, globs, deep - 1, found);
        } else if kind.is_char_device() && globs.matches(name) {
            found.push(path);
        }
    }
}

/// Names of cards, which people also write as numbers.
pub(super) fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a number or a name of a GPU, as CUDA_VISIBLE_DEVICES has them")]
    enum Written {
        Number(u32),
        Name(String),
    }
    let written = Vec::<Written>::deserialize(deserializer)?;
    let name = |written| match written {
        Written::Number(number) => number.to_string(),
        Written::Name(name) => name,
    };
    Ok(written.into_iter().map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_below_dev_and_neither_disks_nor_memory() {
        let globs = |globs: &[&str]| globs.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(found(&globs(&["/dev/nul*", "/dev/null"])), Ok(vec![PathBuf::from("/dev/null")]));
        for wrong in ["/dev/", "/etc/passwd", "dev/null", "/dev/../etc/passwd"] {
            assert!(check(&globs(&[wrong])).unwrap_err().contains("is no device"), "{wrong}");
        }
        for none in ["/dev/shm", "/dev/sd*", "/dev/vd*", "/dev/pts/*", "/dev/no-such-thing", "/dev/tty*"] {
            assert!(found(&globs(&[none])).unwrap_err().contains("matches no device"), "{none}");
        }
        assert!(!found(&globs(&["/dev/**"])).unwrap().iter().any(|path| path.starts_with("/dev/pts")));
        assert_eq!(of(&[], &globs(&["0"])), globs(&["/dev/nvidia*"]));
    }
}
