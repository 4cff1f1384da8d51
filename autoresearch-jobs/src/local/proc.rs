//! What `/proc` says about the processes of this machine.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Clock ticks a second in what the kernel tells user space; the same on all of Linux's architectures.
pub(super) const TICKS: f64 = 100.0;

/// A process that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) group: i32,
    /// When it was started, in ticks since the machine was: with the number it names a process for good, as numbers alone,
    /// which are given out again, do not.
    pub(super) started: u64,
    /// Processor time in ticks, its own and that of children that it has waited for.
    pub(super) ticks: u64,
    /// Pages in memory.
    pub(super) pages: u64,
    /// It has given its memory back and is about to end, as the first process of a sandbox is until all others in it are gone. (Or it
    /// is the kernel's own.)
    pub(super) ending: bool,
}

/// All processes that have not ended, without this one and the first.
///
/// # Errors
/// They cannot be looked at, as where this process has no descriptors left: nobody is then not the same as none.
pub(super) fn all() -> io::Result<Vec<Entry>> {
    let me = i32::try_from(std::process::id()).unwrap_or(0);
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()).filter(|&pid| pid > 1 && pid != me)
        else {
            continue;
        };
        let stat = match stat(pid) {
            // It has ended meanwhile; or it is somebody else's, and none of ours.
            Err(why) if is_gone(&why) || why.kind() == io::ErrorKind::PermissionDenied => continue,
            stat => stat?,
        };
        all.extend(parse(pid, &stat).and_then(|(entry, state)| (!has_ended(pid, state)).then_some(entry)));
    }
    Ok(all)
}

fn is_gone(why: &io::Error) -> bool {
    why.kind() == io::ErrorKind::NotFound
        || why.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

/// One process, unless it has ended.
pub(super) fn entry(pid: i32) -> Option<Entry> {
    let (entry, state) = parse(pid, &stat(pid).ok()?)?;
    (!has_ended(pid, state)).then_some(entry)
}

/// What waits to be collected has ended, unless it is only its first thread that has.
fn has_ended(pid: i32, state: u8) -> bool {
    matches!(state, b'Z' | b'X') && fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count) < 2
}

/// When a process was started that has not been collected yet, whether it has ended or not.
pub(super) fn started(pid: i32) -> Option<u64> {
    parse(pid, &stat(pid).ok()?).map(|(entry, _)| entry.started)
}

/// What the kernel says of a process in one line, in one read: there are many processes to ask about.
fn stat(pid: i32) -> io::Result<Vec<u8>> {
    let mut line = vec![0; 1024];
    let read = fs::File::open(format!("/proc/{pid}/stat")).and_then(|mut file| file.read(&mut line))?;
    line.truncate(read);
    Ok(line)
}

/// Now, in ticks since the machine was started.
pub(super) fn now() -> Option<u64> {
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = uptime.split_ascii_whitespace().next()?.parse().ok()?;
    Some((seconds * TICKS) as u64)
}

/// Names this start of this machine.
pub(super) fn boot() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().into()
    })
}

/// The process and its state. The name of the program, in parentheses, can hold anything.
fn parse(pid: i32, stat: &[u8]) -> Option<(Entry, u8)> {
    let after = stat.iter().rposition(|&byte| byte == b')')? + 1;
    let fields: Vec<&str> = std::str::from_utf8(&stat[after..]).ok()?.split_ascii_whitespace().collect();
    let state = *fields.first()?.as_bytes().first()?;
    let number = |i: usize| fields.get(i)?.parse::<i64>().ok();
    let ticks = (11..=14).filter_map(number).map(|ticks| ticks.max(0) as u64).sum();
    let entry = Entry {
        pid,
        parent: number(1)? as i32,
        group: number(2)? as i32,
        started: fields.get(19)?.parse().ok()?,
        ticks,
        ending: number(20) == Some(0) && number(1) != Some(2),
        pages: number(21).map_or(0, |pages| pages.max(0) as u64),
    };
    Some((entry, state))
}

/// Whether a variable of this name is in the environment that the process was started with.
pub(super) fn has_variable(pid: i32, name: &str) -> bool {
    let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return false };
    let mut variables = environment.split(|&byte| byte == 0);
    variables
        .any(|variable| variable.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"=")))
}

/// Whether the process stands in one of the folders.
pub(super) fn stands_in(pid: i32, folders: &[PathBuf]) -> bool {
    fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| {
        // A folder that was deleted has this behind its name.
        let cwd = cwd.as_os_str().as_bytes();
        let cwd = Path::new(OsStr::from_bytes(cwd.strip_suffix(b" (deleted)").unwrap_or(cwd)));
        folders.iter().any(|folder| cwd.starts_with(folder))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_of_programs_do_no_harm() {
        let stat = b"77 (a) R 1 (b) S 5 76 77 0 -1 4194560 1 0 0 0 1 2 3 4 20 0 1 0 12345 1000 2 18446744073709551615";
        let expected =
            Entry { pid: 77, parent: 5, group: 76, started: 12345, ticks: 10, pages: 2, ending: false };
        assert_eq!(parse(77, stat), Some((expected, b'S')));
        assert_eq!(parse(77, b"77 (a"), None);
        assert_eq!(parse(77, b"77 (a) S"), None);
    }

    #[test]
    fn this_process_has_not_ended_and_knows_its_folder() {
        let me = i32::try_from(std::process::id()).unwrap();
        let entry = entry(me).unwrap();
        assert!(entry.pages > 0 && entry.started <= now().unwrap());
        assert!(stands_in(me, &["/no/such/folder".into(), std::env::current_dir().unwrap()]));
        assert!(!stands_in(me, &["/no/such/folder".into()]));
        assert!(all().unwrap().iter().all(|entry| entry.pid != me));
    }
}
