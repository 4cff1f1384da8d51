//! Is a folder a libtorch, is it whole, and which version is it?
use super::TORCH_VERSION;
use anyhow::{Context, Error, Result, anyhow, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// The record that set-up leaves in a folder which it made itself: size and name of each file in `lib`.
const RECORD: &str = "autoresearch-files.txt";

/// The libraries that nothing works without.
pub(crate) fn required_libraries() -> [String; 2] {
    let (before, after) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    ["c10", "torch_cpu"].map(|name| format!("{before}{name}{after}"))
}

/// Checks that a folder has the parts of a libtorch, and returns its version.
pub(crate) fn check(folder: &Path) -> Result<String> {
    for part in ["include", "lib"] {
        if !folder.join(part).is_dir() {
            bail!("{} has no folder `{part}`", folder.display());
        }
    }
    for library in required_libraries() {
        if !folder.join("lib").join(&library).is_file() {
            bail!("{} lacks {library}", folder.join("lib").display());
        }
    }
    version(folder)
}

/// [`check`], and the version must be the one wanted.
pub(crate) fn check_version(folder: &Path) -> Result<()> {
    let version = check(folder)?;
    if version == TORCH_VERSION { Ok(()) } else { Err(wrong_version(&version)) }
}

/// The error for a libtorch of another version.
pub(crate) fn wrong_version(found: &str) -> Error {
    anyhow!("it is libtorch {found}, and tch is made for {TORCH_VERSION}")
}

/// [`check_version`] for a folder of the cache, and its libraries must have the sizes that were recorded.
pub(crate) fn check_cached(folder: &Path) -> Result<PathBuf> {
    if !folder.exists() {
        bail!("{} is not there", folder.display());
    }
    let record = fs::read_to_string(folder.join(RECORD))
        .with_context(|| format!("{} has no {RECORD}", folder.display()))?;
    for (size, name) in record.lines().filter_map(|line| line.split_once(' ')) {
        let path = folder.join("lib").join(name);
        let found = fs::metadata(&path).map(|data| data.len()).unwrap_or(0);
        if size.parse() != Ok(found) {
            bail!("{} is damaged: {found} bytes and not {size}", path.display());
        }
    }
    check_version(folder)?;
    Ok(folder.into())
}

/// Checks a folder that was just made, and records the sizes of its libraries.
pub(crate) fn seal(folder: &Path) -> Result<()> {
    check_version(folder)?;
    let mut record = String::new();
    for entry in fs::read_dir(folder.join("lib"))? {
        let entry = entry?;
        record.push_str(&format!("{} {}\n", entry.metadata()?.len(), entry.file_name().display()));
    }
    fs::write(folder.join(RECORD), record)
        .with_context(|| format!("{RECORD} cannot be written into {}", folder.display()))
}

/// The version of a libtorch, without what follows a `+`: from `build-version` in an archive, `version.py` in a Python
/// package, or else the headers.
fn version(folder: &Path) -> Result<String> {
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    read("build-version")
        .map(|text| base(text.trim()).to_owned())
        .or_else(|| read("version.py").as_deref().and_then(from_python))
        .or_else(|| read("include/torch/headeronly/version.h").as_deref().and_then(from_header))
        .or_else(|| read("include/torch/version.h").as_deref().and_then(from_header))
        .filter(|version| !version.is_empty())
        .ok_or_else(|| {
            anyhow!("{} says its version neither in build-version nor in its headers", folder.display())
        })
}

fn base(version: &str) -> &str {
    version.split_once('+').map_or(version, |(base, _)| base)
}

/// The version in the `version.py` of a Python torch.
fn from_python(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix("__version__ ="))?;
    Some(base(value.trim().trim_matches(['\'', '"'])).to_owned())
}

/// The version in the `version.h` of libtorch.
fn from_header(text: &str) -> Option<String> {
    let number = |name: &str| {
        let rest =
            text.lines().find_map(|line| line.strip_prefix(&format!("#define TORCH_VERSION_{name} ")))?;
        rest.trim().parse::<u32>().ok()
    };
    Some(format!("{}.{}.{}", number("MAJOR")?, number("MINOR")?, number("PATCH")?))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Makes a folder that looks like a libtorch.
    pub(crate) fn fake(folder: &Path, version: &str) {
        for part in ["include", "lib"] {
            fs::create_dir_all(folder.join(part)).unwrap();
        }
        for library in required_libraries() {
            fs::write(folder.join("lib").join(library), "machine code").unwrap();
        }
        fs::write(folder.join("build-version"), format!("{version}\n")).unwrap();
    }

    #[test]
    fn versions_are_read_from_all_three_places() {
        assert_eq!(base("2.13.0+cpu"), "2.13.0");
        let python = "from typing import Optional\n__version__ = '2.13.0+cu130'\ndebug = False\n";
        assert_eq!(from_python(python), Some("2.13.0".into()));
        let header = "#pragma once\n\n#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 13\n\
                      #define TORCH_VERSION_PATCH 0\n#define TORCH_VERSION_ABI_TAG 0\n";
        assert_eq!(from_header(header), Some("2.13.0".into()));
        assert_eq!(from_header("#define TORCH_VERSION_MAJOR two"), None);
    }

    #[test]
    fn what_a_folder_lacks_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let says = || format!("{:#}", check_version(dir.path()).unwrap_err());
        assert!(says().contains("`include`"));
        fake(dir.path(), TORCH_VERSION);
        check_version(dir.path()).unwrap();
        fs::write(dir.path().join("build-version"), "2.1.0+cpu").unwrap();
        assert_eq!(says(), format!("it is libtorch 2.1.0, and tch is made for {TORCH_VERSION}"));
        fs::remove_file(dir.path().join("build-version")).unwrap();
        assert!(says().contains("says its version neither"));
        fs::remove_file(dir.path().join("lib").join(&required_libraries()[0])).unwrap();
        assert!(says().contains(&required_libraries()[0]));
    }

    #[test]
    fn a_cached_folder_must_be_sealed_and_undamaged() {
        let dir = tempfile::tempdir().unwrap();
        fake(dir.path(), TORCH_VERSION);
        assert!(check_cached(dir.path()).is_err());
        seal(dir.path()).unwrap();
        check_cached(dir.path()).unwrap();
        fs::write(dir.path().join("lib").join(&required_libraries()[1]), "half").unwrap();
        let error = check_cached(dir.path()).unwrap_err().to_string();
        assert!(error.contains("is damaged: 4 bytes and not 12"), "{error}");
    }
}
