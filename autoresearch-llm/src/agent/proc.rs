//! What `/proc` says about the processes of this machine (Linux).

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A process that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) pid: i32,
    pub(super) parent: i32,
    /// When it was started, in ticks since the machine was: with the number it names a process for good, as numbers alone,
    /// which are given out again, do not.
    pub(super) started: u64,
}

/// All processes that have not ended, without this one and the first.
pub(super) fn all() -> Vec<Entry> {
    let Ok(folder) = fs::read_dir("/proc") else { return Vec::new() };
    let me = i32::try_from(std::process::id()).unwrap_or(0);
    let pids = folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|&pid| pid > 1 && pid != me).filter_map(entry).collect()
}

/// One process, unless it has ended.
pub(super) fn entry(pid: i32) -> Option<Entry> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let (entry, state) = parse(pid, &stat)?;
    // What waits to be collected has ended, unless it is only its first thread that has.
    let ended = matches!(state, b'Z' | b'X')
        && fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count) < 2;
    (!ended).then_some(entry)
}

/// When a process was started that has not been collected yet, whether it has ended or not.
pub(super) fn started(pid: i32) -> Option<u64> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse(pid, &stat).map(|(entry, _)| entry.started)
}

/// The process and its state. The name of the program, in parentheses, can hold anything.
fn parse(pid: i32, stat: &[u8]) -> Option<(Entry, u8)> {
    let after = stat.iter().rposition(|&byte| byte == b')')? + 1;
    let fields: Vec<&str> = std::str::from_utf8(&stat[after..]).ok()?.split_ascii_whitespace().collect();
    let state = *fields.first()?.as_bytes().first()?;
    Some((Entry { pid, parent: fields.get(1)?.parse().ok()?, started: fields.get(19)?.parse().ok()? }, state))
}

/// Whether a variable of this name is in the environment that the process was started with.
pub(super) fn has_variable(pid: i32, name: &str) -> bool {
    let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return false };
    let mut variables = environment.split(|&byte| byte == 0);
    variables
        .any(|variable| variable.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"=")))
}

/// Whether the process stands in the folder, or reads or writes one of these pipes as its standard streams.
pub(super) fn touches(pid: i32, folder: &Path, pipes: &[std::path::PathBuf]) -> bool {
    let link = |name: &str| fs::read_link(format!("/proc/{pid}/{name}"));
    let stands = link("cwd").is_ok_and(|cwd| {
        // A folder that was deleted has this behind its name.
        let cwd = cwd.as_os_str().as_bytes();
        Path::new(OsStr::from_bytes(cwd.strip_suffix(b" (deleted)").unwrap_or(cwd))).starts_with(folder)
    });
    stands || ["fd/0", "fd/1", "fd/2"].iter().any(|name| link(name).is_ok_and(|to| pipes.contains(&to)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_of_programs_do_no_harm() {
        let stat = b"77 (a) R 1 (b) S 5 77 77 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 1000 2 18446744073709551615";
        let expected = Entry { pid: 77, parent: 5, started: 12345 };
        assert_eq!(parse(77, stat), Some((expected, b'S')));
        assert_eq!(parse(77, b"77 (a"), None);
        assert_eq!(parse(77, b"77 (a) S"), None);
    }

    #[test]
    fn this_process_has_ended_not_and_knows_its_folder() {
        let me = i32::try_from(std::process::id()).unwrap();
        assert_eq!(entry(me).unwrap().pid, me);
        assert!(touches(me, &std::env::current_dir().unwrap(), &[]));
        assert!(!touches(me, Path::new("/no/such/folder"), &[]));
        assert!(all().iter().all(|entry| entry.pid != me));
    }
}
