//! Folders on shared storage of launches that nobody knows of any more: of a driver that was killed, whose head was started anew.

use super::core::Core;
use super::run::blocking;
use crate::error::LaunchError;
use std::path::Path;

/// Removes those of this run, which is claimed, that were there before this launcher's first launch.
pub(super) async fn remove(core: &Core, key: &str, keeps: impl Fn(&str) -> bool) -> Result<(), LaunchError> {
    let Some(folder) = core.settings.folder.clone() else { return Ok(()) };
    let there = folder.clone();
    let before = core.before.get_or_try_init(|| blocking(move || names(&there))).await?;
    let left: Vec<_> =
        before.iter().filter(|name| is_of(name, key) && !keeps(name)).map(|name| folder.join(name)).collect();
    if left.is_empty() {
        return Ok(());
    }
    blocking(move || {
        for folder in left.into_iter().filter(|folder| folder.exists()) {
            tracing::info!(folder = %folder.display(), "a folder of a launch that Ray does not know any more is removed");
            // Should its job begin all the same, it finds nothing to do.
            let _ = std::fs::remove_file(folder.join("spec.json"));
            let _ = std::fs::remove_dir_all(folder);
        }
    })
    .await
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// Whether this is the name of a launch of the run: its key, an attempt, a hash, and perhaps a number.
fn is_of(name: &str, key: &str) -> bool {
    let rest = name.strip_prefix(key).and_then(|rest| rest.strip_prefix("-a"));
    let Some(parts) = rest.map(|rest| rest.split('-').collect::<Vec<_>>()) else { return false };
    let number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let hash = |text: &str| text.len() == 16 && text.chars().all(|c| c.is_ascii_hexdigit());
    match parts[..] {
        [attempt, content] => number(attempt) && hash(content),
        [attempt, content, n] => number(attempt) && hash(content) && number(n),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_launches_of_the_run_are_taken_for_such() {
        for name in ["s-r1-a0-0123456789abcdef", "s-r1-a12-0123456789abcdef-2"] {
            assert!(is_of(name, "s-r1"), "{name}");
        }
        for name in [
            "s-r1.lock",
            "s-r1",
            "s-r1-a0",
            "s-r11-a0-0123456789abcdef",
            "s-r1-a0-0123456789abcdef-r3-a0-0123456789abcdef",
            "s-r1-a0-0123456789abcdeg",
            "s-r1-ax-0123456789abcdef",
        ] {
            assert!(!is_of(name, "s-r1"), "{name}");
        }
    }
}
