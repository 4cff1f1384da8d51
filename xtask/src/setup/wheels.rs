//! libtorch out of the wheels of PyPI. For Linux there is none for the CPU alone: the wheel of torch holds the libraries
//! of both, and its CPU half needs two small CUDA libraries to load, but neither a GPU nor a driver.
use super::archive::write_member;
use super::pip::{self, Pinned};
use super::{TORCH_VERSION, folder};
use crate::cache::{Cache, Staging, require_space};
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// What to fetch on one platform, and how to tell pip about it whatever Python it runs in.
struct Plan {
    wheels: &'static [Pinned],
    options: &'static [&'static str],
    /// The members of `torch/lib` to take, by the end of their name.
    torch_libraries: &'static [&'static str],
    /// The libraries to take from the other wheels, likewise.
    other_libraries: &'static [&'static str],
    unpacked_bytes: u64,
}

const LINUX_X86_64: Plan = Plan {
    wheels: &[
        Pinned {
            requirement: "torch==2.13.0",
            file: "torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl",
            sha256: "60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7",
            bytes: 526_574_961,
        },
        Pinned {
            requirement: "nvidia-cuda-runtime==13.0.96",
            file: "nvidia_cuda_runtime-13.0.96-py3-none-manylinux_2_17_x86_64.whl",
            sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
            bytes: 2_243_632,
        },
        Pinned {
            requirement: "nvidia-cuda-cupti==13.0.85",
            file: "nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl",
            sha256: "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
            bytes: 10_715_597,
        },
    ],
    options: &[
        "--only-binary=:all:",
        "--implementation=cp",
        "--python-version=3.11",
        "--abi=cp311",
        "--platform=manylinux_2_28_x86_64",
        "--platform=manylinux_2_25_x86_64",
        "--platform=manylinux_2_17_x86_64",
    ],
    torch_libraries: &["libc10.so", "libtorch_cpu.so", "libgomp.so.1"],
    other_libraries: &["libcudart.so.13", "libcupti.so.13"],
    unpacked_bytes: 460_000_000,
};

/// Here the wheel of torch is for the CPU and Apple's GPUs, and needs nothing beside it.
const MACOS_AARCH64: Plan = Plan {
    wheels: &[Pinned {
        requirement: "torch==2.13.0",
        file: "torch-2.13.0-cp311-cp311-macosx_14_0_arm64.whl",
        sha256: "e76f9bcecc52b8ff711239a2f7547d5353df95878ab232f0773c1d95928b92f8",
        bytes: 90_000_000,
    }],
    options: &[
        "--only-binary=:all:",
        "--implementation=cp",
        "--python-version=3.11",
        "--abi=cp311",
        "--platform=macosx_14_0_arm64",
    ],
    torch_libraries: &[".dylib"],
    other_libraries: &[],
    unpacked_bytes: 400_000_000,
};

fn plan(os: &str, arch: &str) -> Result<&'static Plan> {
    match (os, arch) {
        ("linux", "x86_64") => Ok(&LINUX_X86_64),
        ("macos", "aarch64") => Ok(&MACOS_AARCH64),
        _ => bail!("set-up knows none for {os} on {arch}; `pip install torch=={TORCH_VERSION}` may have one"),
    }
}

/// Fetches the wheels and puts a libtorch together as `target`.
pub(crate) fn fetch(cache: &Cache, target: &Path) -> Result<PathBuf> {
    let plan = plan(std::env::consts::OS, std::env::consts::ARCH)?;
    require_space(target, plan.needed(|wheel| cache.downloads().join(wheel.file).exists()), "libtorch")?;
    pip::require()?;
    let staging = Staging::begin(target)?;
    for wheel in plan.wheels {
        println!("Fetching {} from PyPI ({} MB).", wheel.requirement, wheel.bytes.div_ceil(1_000_000));
        let file = pip::download(cache, wheel, plan.options)?;
        println!("Unpacking it.");
        plan.unpack(&file, staging.path())
            .with_context(|| format!("{} cannot be unpacked; delete it and try again", file.display()))?;
    }
    fs::write(staging.path().join("build-version"), format!("{TORCH_VERSION}\n"))?;
    if cfg!(target_os = "linux") {
        // torch-sys links `torch`. The wheel's own one needs libtorch_cuda, so the linker is told to take these instead.
        fs::write(staging.path().join("lib/libtorch.so"), "INPUT(libtorch_cpu.so libc10.so)\n")?;
    }
    plan.require_libraries(staging.path())?;
    folder::seal(staging.path())?;
    staging.commit()?;
    pip::discard(cache, &plan.wheels.iter().collect::<Vec<_>>())?;
    Ok(target.into())
}

impl Plan {
    /// Bytes that must be free. While pip works, the file that it fetches is there twice.
    fn needed(&self, is_there: impl Fn(&Pinned) -> bool) -> u64 {
        let missing = self.wheels.iter().filter(|wheel| !is_there(wheel)).map(|wheel| wheel.bytes);
        missing.clone().sum::<u64>() + self.unpacked_bytes.max(missing.max().unwrap_or(0))
    }

    fn unpack(&self, wheel: &Path, folder: &Path) -> Result<()> {
        let mut archive = zip::ZipArchive::new(BufReader::new(File::open(wheel)?))?;
        for index in 0..archive.len() {
            let mut member = archive.by_index(index)?;
            let path =
                member.enclosed_name().filter(|_| member.is_file()).and_then(|name| self.wanted(&name));
            if let Some(path) = path {
                write_member(&mut member, &folder.join(path))?;
            }
        }
        Ok(())
    }

    /// Where a member of a wheel goes.
    fn wanted(&self, member: &Path) -> Option<PathBuf> {
        let file = Path::new(member.file_name()?);
        if let Ok(rest) = member.strip_prefix("torch") {
            let is_library = rest.parent() == Some(Path::new("lib")) && ends(file, self.torch_libraries);
            return (rest.starts_with("include") || is_library).then(|| rest.into());
        }
        ends(file, self.other_libraries).then(|| Path::new("lib").join(file))
    }

    /// All that was to be taken was there to take.
    fn require_libraries(&self, folder: &Path) -> Result<()> {
        let files: Vec<_> =
            fs::read_dir(folder.join("lib"))?.flatten().map(|entry| entry.file_name()).collect();
        for end in self.torch_libraries.iter().chain(self.other_libraries) {
            if !files.iter().any(|file| ends(Path::new(file), &[end])) {
                bail!("the wheels have no library {end}");
            }
        }
        Ok(())
    }
}

fn ends(file: &Path, ends: &[&str]) -> bool {
    file.to_str().is_some_and(|file| ends.iter().any(|end| file.ends_with(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goes(name: &str) -> Option<String> {
        LINUX_X86_64.wanted(Path::new(name)).map(|path| path.display().to_string())
    }

    #[test]
    fn the_cpu_half_is_taken() {
        assert_eq!(goes("torch/lib/libtorch_cpu.so"), Some("lib/libtorch_cpu.so".into()));
        assert_eq!(goes("torch/lib/libgomp.so.1"), Some("lib/libgomp.so.1".into()));
        assert_eq!(goes("torch/include/ATen/ATen.h"), Some("include/ATen/ATen.h".into()));
        assert_eq!(goes("nvidia/cu13/lib/libcudart.so.13"), Some("lib/libcudart.so.13".into()));
        assert_eq!(goes("torch/lib/libtorch_cuda.so"), None);
        assert_eq!(goes("torch/lib/libtorch.so"), None);
        assert_eq!(goes("torchgen/include/x.h"), None);
        assert_eq!(goes("torch/share/cmake/Torch/TorchConfig.cmake"), None);
    }

    #[test]
    fn the_space_shrinks_with_what_is_there() {
        let nothing = LINUX_X86_64.needed(|_| false);
        assert_eq!(nothing, 526_574_961 + 2_243_632 + 10_715_597 + 526_574_961);
        assert_eq!(LINUX_X86_64.needed(|_| true), 460_000_000);
    }

    #[test]
    fn the_wheels_are_of_the_version_wanted() {
        for plan in [&LINUX_X86_64, &MACOS_AARCH64] {
            let torch = &plan.wheels[0];
            assert_eq!(torch.requirement, format!("torch=={TORCH_VERSION}"));
            assert!(torch.file.starts_with(&format!("torch-{TORCH_VERSION}-")));
        }
        assert!(plan("linux", "riscv64").is_err());
    }
}
