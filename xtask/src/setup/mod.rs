//! `cargo xtask setup`: libtorch and the text to train on, into a cache that checkouts share, and two links in this
//! checkout that lead there; with `--llm` a small language model, likewise; with `--cluster` what the
//! tests on clusters need, and with `--browser` what those need that look at pages.
mod apt;
mod archive;
pub(crate) mod browser;
pub(crate) mod cluster;
mod corpus;
mod curl;
mod folder;
mod libtorch;
mod link;
pub(crate) mod llm;
mod pip;
mod python;
mod wheels;

use crate::cache::Cache;
use crate::workspace::{CORPUS_LINK, LIBTORCH_LINK, root};
use anyhow::Result;
use std::io::{Write, stdout};
use std::time::Instant;

/// The version of libtorch that tch is made for; it accepts no other. Change it together with tch, and the checksums in
/// [`wheels`] with it.
const TORCH_VERSION: &str = "2.13.0";

/// Sets this checkout up. Fast when nothing is left to do.
pub(crate) fn run() -> Result<()> {
    let start = Instant::now();
    let (root, cache) = (root(), Cache::locate()?);
    let found = libtorch::obtain(&root, &cache)?;
    link::point(&root.join(LIBTORCH_LINK), &found.folder)?;
    println!("libtorch {TORCH_VERSION}: {} ({})", found.folder.display(), found.source);
    let corpus = corpus::obtain(&cache)?;
    link::point(&root.join(CORPUS_LINK), &corpus)?;
    println!("Text to train on: {}", corpus.display());
    println!("The checkout is set up ({:.1} s).", start.elapsed().as_secs_f64());
    // What follows may replace this process, or write past its buffer.
    stdout().flush()?;
    Ok(())
}
