//! The links in a checkout that lead into the cache.
use crate::cache;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

/// Makes `link` lead to `folder`, whatever it led to before. Nothing that is not a link is touched.
pub(crate) fn point(link: &Path, folder: &Path) -> Result<()> {
    match fs::symlink_metadata(link) {
        Err(_) => {}
        Ok(found) if found.is_symlink() => {
            if fs::read_link(link).is_ok_and(|old| old == folder) {
                return Ok(());
            }
        }
        Ok(_) => bail!(
            "{} is not a link, and set-up needs one of this name; move it away and run `cargo xtask setup` again",
            link.display()
        ),
    }
    // Renamed into place, so that a build which runs meanwhile finds the old link or the new one.
    let mut fresh = link.as_os_str().to_os_string();
    fresh.push(format!(".partial-{}", std::process::id()));
    let fresh = Path::new(&fresh);
    cache::remove(fresh)?;
    make(folder, fresh)
        .with_context(|| format!("a link to {} cannot be made at {}", folder.display(), link.display()))?;
    if cfg!(windows) && link.is_symlink() {
        fs::remove_dir(link).with_context(|| format!("{} cannot be replaced", link.display()))?;
    }
    cache::rename(fresh, link)
}

#[cfg(unix)]
fn make(folder: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(folder, link)
}

#[cfg(windows)]
fn make(folder: &Path, link: &Path) -> std::io::Result<()> {
    // Windows wants developer mode, or an administrator, for this.
    std::os::windows::fs::symlink_dir(folder, link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_made_kept_and_turned() {
        let dir = tempfile::tempdir().unwrap();
        let (link, a, b) = (dir.path().join("link"), dir.path().join("a"), dir.path().join("b"));
        for folder in [&a, &a, &b] {
            fs::create_dir_all(folder).unwrap();
            point(&link, folder).unwrap();
            assert_eq!(fs::read_link(&link).unwrap(), *folder);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    }

    #[test]
    fn what_is_not_a_link_stays() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        fs::create_dir(&link).unwrap();
        assert!(point(&link, dir.path()).unwrap_err().to_string().contains("is not a link"));
        assert!(link.is_dir());
    }
}
