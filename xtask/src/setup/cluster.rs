//! Slurm, Ray and bubblewrap: for the tests that start real ones on this machine.
use super::{apt, link};
use crate::cache::{self, Cache, require_space};
use crate::process;
use crate::workspace::{RAY_LINK, root};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// What apt is asked for, and a program of each by which it is seen to be there.
const DEBIAN: [(&str, &str); 4] =
    [("slurm-wlm", "slurmctld"), ("munge", "munged"), ("bubblewrap", "bwrap"), ("iproute2", "ip")];
/// Its job interface is what the launcher speaks; what it answers (the error around a repeated id, what stopping a pending job does)
/// is known for this release and may be otherwise in another.
const RAY: &str = "2.60";
/// The packages, and what they unpack to.
const RAY_BYTES: u64 = 900_000_000;

/// Sets this machine up as far as that can be done, and says what it has done and what is left to the user.
pub(crate) fn run() -> Result<()> {
    let start = Instant::now();
    let mut left = Vec::new();
    for (what, outcome) in [("Slurm and bubblewrap", apt::install(&DEBIAN)), ("Ray", ray())] {
        match outcome {
            Ok(said) => println!("{what}: {said}"),
            Err(why) => {
                println!("{what}: SKIPPED: {why:#}");
                left.push(what);
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    match left.as_slice() {
        [] => println!("The tests on clusters have all they need ({seconds:.1} s)."),
        left => println!("Tests that need {} say so and are left out ({seconds:.1} s).", left.join(", ")),
    }
    Ok(())
}

/// Ray in an environment of its own in the cache, to which a link in the checkout leads.
fn ray() -> Result<String> {
    let cache = Cache::locate()?;
    let folder = cache.path(&format!("ray-{RAY}"));
    let mut done = "already installed";
    if check(&folder).is_err() {
        let _lock = cache.lock()?;
        if check(&folder).is_err() {
            install(&folder)?;
            done = "installed";
        }
    }
    let version = check(&folder)?;
    link::point(&root().join(RAY_LINK), &folder)?;
    Ok(format!("{done}: {version}, in {}", folder.display()))
}

fn install(folder: &Path) -> Result<()> {
    require_space(folder, RAY_BYTES, "Ray")?;
    println!("Fetching Ray {RAY} from PyPI.");
    // Programs in such an environment name their Python by its path, so it is made where it is to stay. Whether it is whole is seen by
    // Ray's starting, each time; what is there now does not.
    cache::remove(folder)?;
    process::capture(process::python().args(["-m", "venv"]).arg(folder))
        .context("no environment can be made for Ray (on Debian: apt-get install python3-venv)")?;
    let mut pip = Command::new(bin(folder, "python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--only-binary=:all:",
        "--no-cache-dir",
        "--disable-pip-version-check",
    ]);
    pip.args(["--no-input", &format!("ray[default]=={RAY}.*")]);
    let installed = process::capture(&mut pip).context("pip cannot install Ray");
    if let Err(why) = installed {
        cache::remove(folder)?;
        return Err(why);
    }
    Ok(())
}

fn check(folder: &Path) -> Result<String> {
    let ray = bin(folder, "ray");
    if !ray.exists() {
        bail!("{} has no ray", folder.display());
    }
    let said = process::capture(Command::new(&ray).arg("--version"))
        .with_context(|| format!("{} does not start", ray.display()))?;
    Ok(said.trim().into())
}

fn bin(folder: &Path, program: &str) -> PathBuf {
    folder.join("bin").join(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_without_ray_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        assert!(check(dir.path()).unwrap_err().to_string().contains("has no ray"));
    }
}
