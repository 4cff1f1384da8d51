//! Downloads with curl, which resumes, follows redirects and knows the proxies of its user.
use crate::{cache, process};
use anyhow::{Context, Result};
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Fetches `url` to `file`. An interrupted download is continued by the next call.
pub(crate) fn fetch(url: &str, file: &Path) -> Result<()> {
    if file.exists() {
        return Ok(());
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    }
    let unfinished = unfinished(file);
    let continued = unfinished.exists();
    let mut outcome = run(url, &unfinished);
    if outcome.is_err() && continued {
        // A server that knows no ranges, or what is there is not a beginning of the file.
        println!("The download cannot be continued; starting it again.");
        cache::remove(&unfinished)?;
        outcome = run(url, &unfinished);
    }
    outcome.with_context(|| format!("{url} cannot be fetched"))?;
    cache::rename(&unfinished, file)
}

fn run(url: &str, file: &Path) -> Result<()> {
    let mut curl = Command::new("curl");
    curl.args(["--fail", "--location", "--show-error", "--connect-timeout", "10"]);
    // Gives up when next to nothing has come for half a minute.
    curl.args(["--speed-limit", "1000", "--speed-time", "30", "--continue-at", "-", "--output"]);
    curl.arg(file).arg(url);
    if std::io::stderr().is_terminal() {
        process::run(curl.arg("--progress-bar"))
    } else {
        process::capture(curl.arg("--silent")).map(drop)
    }
}

/// How many bytes of a file an earlier call has fetched.
pub(crate) fn fetched(file: &Path) -> u64 {
    fs::metadata(file).or_else(|_| fs::metadata(unfinished(file))).map_or(0, |data| data.len())
}

fn unfinished(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_os_string();
    name.push(".unfinished");
    name.into()
}
