//! The official archive of libtorch for the CPU: the file that the feature `download-libtorch` of tch takes.
use super::{TORCH_VERSION, curl, folder};
use crate::cache::{Cache, Staging, human, remove, require_space};
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// About what the archive weighs, and what is taken out of it. No server says so before it is asked.
const ARCHIVE_BYTES: u64 = 250_000_000;
const UNPACKED_BYTES: u64 = 700_000_000;

/// Fetches the archive and unpacks it as `target`.
pub(crate) fn fetch(cache: &Cache, target: &Path) -> Result<PathBuf> {
    // The variable is for those whose network has a mirror.
    let url = match std::env::var("AUTORESEARCH_LIBTORCH_URL") {
        Ok(mirror) if !mirror.is_empty() => mirror,
        _ => url(std::env::consts::OS, std::env::consts::ARCH)?,
    };
    let archive = cache.downloads().join(format!("libtorch-{TORCH_VERSION}-cpu.zip"));
    let left = ARCHIVE_BYTES.saturating_sub(curl::fetched(&archive));
    require_space(target, left + UNPACKED_BYTES, "libtorch")?;
    println!("Fetching {url} (about {}).", human(left));
    curl::fetch(&url, &archive)?;
    println!("Unpacking it.");
    let staging = Staging::begin(target)?;
    let unpacked = unpack(&archive, staging.path()).and_then(|()| folder::seal(staging.path()));
    if let Err(why) = unpacked {
        if why.chain().any(|cause| cause.is::<io::Error>()) {
            return Err(why).with_context(|| format!("{} cannot be unpacked", archive.display()));
        }
        remove(&archive)?; // or the next set-up would take it for good again
        return Err(why).with_context(|| format!("what {url} sent is not a libtorch"));
    }
    staging.commit()?;
    remove(&archive)?;
    Ok(target.into())
}

fn url(os: &str, arch: &str) -> Result<String> {
    let file = match (os, arch) {
        ("linux", "x86_64") => "libtorch-shared-with-deps",
        ("windows", "x86_64") => "libtorch-win-shared-with-deps",
        _ => bail!("there is none for {os} on {arch}"),
    };
    Ok(format!("https://download.pytorch.org/libtorch/cpu/{file}-{TORCH_VERSION}%2Bcpu.zip"))
}

/// Unpacks what building and running needs.
fn unpack(archive: &Path, folder: &Path) -> Result<()> {
    let mut archive = zip::ZipArchive::new(io::BufReader::new(File::open(archive)?))?;
    for index in 0..archive.len() {
        let mut member = archive.by_index(index)?;
        if !member.is_file() {
            continue;
        }
        let Some(path) = member.enclosed_name().as_deref().and_then(wanted).map(|path| folder.join(path))
        else {
            continue;
        };
        write_member(&mut member, &path)?;
    }
    Ok(())
}

/// Writes one member of an archive; the zip crate compares checksum and size at its end.
pub(crate) fn write_member(member: &mut impl io::Read, path: &Path) -> Result<()> {
    let mut write = || -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = io::BufWriter::with_capacity(1 << 20, File::create(path)?);
        io::copy(member, &mut file)?;
        file.into_inner()?;
        Ok(())
    };
    write().with_context(|| format!("{} cannot be written", path.display()))
}

/// Where a member goes, with the leading `libtorch` taken off. The static libraries are for other uses.
fn wanted(member: &Path) -> Option<PathBuf> {
    let path = member.strip_prefix("libtorch").ok()?;
    let part = path == Path::new("build-version") || path.starts_with("include") || path.starts_with("lib");
    (part && path.extension() != Some("a".as_ref())).then(|| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_the_one_that_tch_knows() {
        assert_eq!(
            url("linux", "x86_64").unwrap(),
            format!(
                "https://download.pytorch.org/libtorch/cpu/libtorch-shared-with-deps-{TORCH_VERSION}%2Bcpu.zip"
            )
        );
        assert!(url("linux", "aarch64").is_err());
    }

    #[test]
    fn libraries_and_headers_are_taken_and_the_rest_is_left() {
        let goes = |name: &str| wanted(Path::new(name)).map(|path| path.display().to_string());
        assert_eq!(goes("libtorch/lib/libtorch_cpu.so"), Some("lib/libtorch_cpu.so".into()));
        assert_eq!(goes("libtorch/lib/libgomp-98b21ff3.so.1"), Some("lib/libgomp-98b21ff3.so.1".into()));
        assert_eq!(goes("libtorch/include/torch/all.h"), Some("include/torch/all.h".into()));
        assert_eq!(goes("libtorch/build-version"), Some("build-version".into()));
        assert_eq!(goes("libtorch/lib/libdnnl.a"), None);
        assert_eq!(goes("libtorch/share/cmake/Torch/TorchConfig.cmake"), None);
        assert_eq!(goes("other/lib/x.so"), None);
    }
}
