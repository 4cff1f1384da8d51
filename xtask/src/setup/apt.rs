//! Packages of the system, where it is Debian or one of its kin.
use crate::process;
use anyhow::{Context, Result, anyhow, bail};
use std::process::Command;

/// Installs those of the packages of which there is no program, as root; each is named with a program by which it is seen to
/// be there. Says what was done.
pub(super) fn install(wanted: &[(&str, &str)]) -> Result<String> {
    let absent = absent(wanted, in_path);
    if absent.is_empty() {
        return Ok("already installed".into());
    }
    let list = absent.join(" ");
    if !in_path("apt-get") {
        bail!(
            "{list}: not installed, and there is no apt; install what is missing with the system's own package manager"
        );
    }
    if !is_root() {
        bail!("{list}: not installed, which takes root: sudo apt-get install -y {list}");
    }
    println!("Installing {list} with apt.");
    let apt = |args: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.args(args).env("DEBIAN_FRONTEND", "noninteractive");
        process::capture(&mut apt)
    };
    let mut install = vec!["install", "-y", "-qq", "--no-install-recommends"];
    install.extend(&absent);
    // The lists of packages may be old, or not there at all.
    if apt(&install).is_err() {
        apt(&["update", "-qq"]).context("apt cannot update its lists")?;
        apt(&install).with_context(|| format!("apt cannot install {list}"))?;
    }
    let still = self::absent(wanted, in_path);
    match still.as_slice() {
        [] => Ok(format!("installed {list}")),
        still => Err(anyhow!("apt has installed {list}, and of {} there is no program", still.join(", "))),
    }
}

/// The packages of which there is no program.
fn absent<'a>(wanted: &[(&'a str, &str)], is_there: impl Fn(&str) -> bool) -> Vec<&'a str> {
    wanted.iter().filter(|(_, program)| !is_there(program)).map(|(package, _)| *package).collect()
}

/// Whether there is a program of that name.
pub(super) fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Daemons are where only root looks.
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    places.map(|place| place.join(program)).any(|file| file.is_file())
}

fn is_root() -> bool {
    process::capture(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_installed() {
        let wanted = [("slurm-wlm", "slurmctld"), ("munge", "munged")];
        assert_eq!(absent(&wanted, |program| program != "munged"), ["munge"]);
        assert_eq!(absent(&wanted, |_| true), [""; 0]);
        assert_eq!(absent(&wanted, |_| false).join(" "), "slurm-wlm munge");
    }
}
