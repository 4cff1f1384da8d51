//! The checkout at hand.
use std::path::{Path, PathBuf};

/// The link in the workspace root that leads to libtorch; `.cargo/config.toml` points `LIBTORCH` at it.
pub(crate) const LIBTORCH_LINK: &str = ".libtorch";
/// The link in the workspace root that leads to the text to train on.
pub(crate) const CORPUS_LINK: &str = ".corpus";
/// The link in the workspace root that leads to a Python with a small language model and its server.
pub(crate) const LLM_LINK: &str = ".llm";
/// The link in the workspace root that leads to a Python with Ray.
pub(crate) const RAY_LINK: &str = ".ray";

/// The workspace root. Cargo says at run time which checkout it runs for; that counts, since checkouts which share a
/// target folder also share the binary.
pub(crate) fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map_or(package.clone(), Path::to_path_buf)
}
