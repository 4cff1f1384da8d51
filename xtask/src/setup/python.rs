//! A torch that Python has installed.
use super::folder;
use crate::process;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// Prints where the package is without importing it, which takes seconds.
const WHERE: &str =
    "import importlib.util as u; s = u.find_spec('torch'); print(s.origin if s and s.origin else '')";

/// The folder of Python's torch package, if it is of the right version and made for the CPU alone.
pub(crate) fn find() -> Result<PathBuf> {
    let origin = process::capture(process::python().args(["-c", WHERE]))?;
    let Some(package) = Path::new(origin.trim()).parent().filter(|path| path.is_absolute()) else {
        bail!("Python has no torch");
    };
    check(package)?;
    Ok(package.into())
}

/// With a CUDA build `libtorch.so` drags in gigabytes of libraries, each process that links it starts slowly, and a
/// binary that wants CUDA needs more than this to find it. So that one is for users who ask for it.
fn check(package: &Path) -> Result<()> {
    folder::check_version(package)?;
    let lib = package.join("lib");
    if ["libtorch_cuda.so", "torch_cuda.dll", "libtorch_hip.so"].iter().any(|name| lib.join(name).exists()) {
        bail!(
            "{} is a build for GPUs, and set-up wants one for the CPU; to use it all the same, set LIBTORCH={0}",
            package.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::TORCH_VERSION;

    #[test]
    fn a_build_for_gpus_is_left_to_those_who_ask_for_it() {
        let dir = tempfile::tempdir().unwrap();
        folder::tests::fake(dir.path(), TORCH_VERSION);
        check(dir.path()).unwrap();
        std::fs::write(dir.path().join("lib/libtorch_cuda.so"), "").unwrap();
        assert!(check(dir.path()).unwrap_err().to_string().contains("set LIBTORCH="));
    }
}
