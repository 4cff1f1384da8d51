//! Where libtorch comes from: the first source that works.
use super::{TORCH_VERSION, archive, folder, python, wheels};
use crate::cache::Cache;
use crate::workspace::LIBTORCH_LINK;
use anyhow::{Context, Result, anyhow};
use std::env::var_os;
use std::path::{Path, PathBuf};

/// A libtorch to build with, and who had it.
#[derive(Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) folder: PathBuf,
    pub(crate) source: &'static str,
}

/// A place to look for libtorch, with what it answers: a folder, or why there is none.
type Source<'a> = (&'static str, Box<dyn FnMut() -> Result<PathBuf> + 'a>);

/// Finds libtorch, or fetches it.
pub(crate) fn obtain(root: &Path, cache: &Cache) -> Result<Found> {
    if let Some(folder) = named_by_user(&root.join(LIBTORCH_LINK)) {
        return user(&folder);
    }
    let target = cache.path(&format!("libtorch-{TORCH_VERSION}-cpu"));
    let cached = || folder::check_cached(&target);
    if let Ok(found) = cached() {
        return Ok(Found { folder: found, source: "the cache" });
    }
    // One set-up at a time from here on. Another one may have filled the cache while this one waited.
    let _lock = cache.lock()?;
    let mut why_not = Vec::new();
    let sources: [Source<'_>; 4] = [
        ("the cache", Box::new(cached)),
        ("Python's torch", Box::new(python::find)),
        ("the official archive", Box::new(|| archive::fetch(cache, &target))),
        ("the wheels of PyPI", Box::new(|| wheels::fetch(cache, &target))),
    ];
    let found = first(sources, &mut |source, reason| {
        println!("Not from {source}: {reason}");
        why_not.push(format!("  {source}: {reason}"));
    });
    found.ok_or_else(|| {
        anyhow!(
            "libtorch {TORCH_VERSION} was found nowhere:\n{}\nMend one of these, or set LIBTORCH to an unpacked \
             libtorch {TORCH_VERSION} (https://pytorch.org/get-started/locally) and run `cargo xtask setup` again",
            why_not.join("\n")
        )
    })
}

/// Asks one source after the other, and says why those before the one that worked did not.
fn first<'a>(
    sources: impl IntoIterator<Item = Source<'a>>,
    refused: &mut dyn FnMut(&str, &str),
) -> Option<Found> {
    for (source, mut ask) in sources {
        match ask() {
            Ok(folder) => return Some(Found { folder, source }),
            Err(why) => refused(source, &format!("{why:#}")),
        }
    }
    None
}

/// `LIBTORCH`, unless it is the value that `.cargo/config.toml` gives it.
fn named_by_user(link: &Path) -> Option<PathBuf> {
    var_os("LIBTORCH").filter(|value| !value.is_empty()).map(PathBuf::from).filter(|folder| folder != link)
}

/// What the user names is taken or is an error; something else instead of it would be a surprise.
fn user(named: &Path) -> Result<Found> {
    let advice = || {
        format!(
            "LIBTORCH={} cannot be used; set it to an unpacked libtorch {TORCH_VERSION}, or unset it and \
             `cargo xtask setup` finds or fetches one",
            named.display()
        )
    };
    let folder = std::path::absolute(named).with_context(advice)?;
    let version = folder::check(&folder).with_context(advice)?;
    if version != TORCH_VERSION && var_os("LIBTORCH_BYPASS_VERSION_CHECK").is_none() {
        return Err(folder::wrong_version(&version)).with_context(advice);
    }
    Ok(Found { folder, source: "named by LIBTORCH" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    #[test]
    fn the_first_source_that_works_is_taken_and_the_earlier_ones_are_explained() {
        let mut reasons = Vec::new();
        let sources: [Source<'_>; 4] = [
            ("a", Box::new(|| bail!("no a"))),
            ("b", Box::new(|| Err(anyhow!("deep").context("no b")))),
            ("c", Box::new(|| Ok("/c".into()))),
            ("d", Box::new(|| panic!("asked although c had it"))),
        ];
        let found = first(sources, &mut |source, reason| reasons.push(format!("{source}: {reason}")));
        assert_eq!(found, Some(Found { folder: "/c".into(), source: "c" }));
        assert_eq!(reasons, ["a: no a", "b: no b: deep"]);
        assert_eq!(first([], &mut |_, _| {}), None);
    }

    #[test]
    fn a_folder_of_the_user_is_an_error_when_it_is_not_right() {
        let dir = tempfile::tempdir().unwrap();
        let error = format!("{:#}", user(dir.path()).unwrap_err());
        assert!(error.contains("LIBTORCH=") && error.contains("include"), "{error}");
    }
}
