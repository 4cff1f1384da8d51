//! The working folder of a job, as Ray takes it.

use crate::error::LaunchError;
use sha2::{Digest, Sha256};
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The most that Ray stores of one package.
const LIMIT: usize = 100 << 20;

/// A zip archive with the name that Ray knows it by: the same for the same files.
#[derive(Debug, Clone)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

impl Package {
    /// Packs files, in the order given.
    ///
    /// # Errors
    /// They are more than Ray stores.
    pub(super) fn of<'a>(files: impl IntoIterator<Item = (String, &'a [u8])>) -> Result<Self, LaunchError> {
        let bytes = pack(files)
            .map_err(|why| LaunchError::Infrastructure(format!("cannot pack the job's files: {why}")))?;
        if bytes.len() > LIMIT {
            return Err(LaunchError::Setup(format!(
                "the job's files are {} when packed, and Ray takes 100 MiB; put them on storage that the nodes share and name \
                 the path, or give the launcher a folder there with `.folder(…)`",
                crate::limits::bytes(bytes.len() as u64)
            )));
        }
        let digest = Sha256::digest(&bytes);
        Ok(Self { name: format!("_ray_pkg_{}.zip", hex(&digest[..16])), bytes })
    }

    /// How a job names it.
    pub(super) fn uri(&self) -> String {
        format!("gcs://{}", self.name)
    }
}

fn pack<'a>(files: impl IntoIterator<Item = (String, &'a [u8])>) -> Result<Vec<u8>, zip::result::ZipError> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        // No time of its own: what is the same has the same name.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(zip::DateTime::default())
            .unix_permissions(0o755);
        zip.start_file(name, options)?;
        zip.write_all(bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_are_the_same_package() {
        let of = |text: &'static str| Package::of([("a/b.txt".to_owned(), text.as_bytes())]).unwrap();
        assert_eq!(of("x").name, of("x").name);
        assert_ne!(of("x").name, of("y").name);
        assert!(of("x").uri().starts_with("gcs://_ray_pkg_") && of("x").uri().ends_with(".zip"));
        let mut archive = zip::ZipArchive::new(Cursor::new(of("x").bytes)).unwrap();
        assert_eq!(archive.by_index(0).unwrap().name().unwrap(), "a/b.txt");
    }
}
