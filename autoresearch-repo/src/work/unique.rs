//! A name that no other process has, here or elsewhere.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

/// This process's: its number, which one in another container or on another machine may have, too, and a random one.
pub(crate) fn unique() -> &'static str {
    static NAME: LazyLock<String> =
        LazyLock::new(|| format!("{}-{:016x}", std::process::id(), RandomState::new().hash_one("process")));
    &NAME
}
