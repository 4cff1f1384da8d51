//! The CPUs that this process may use.

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::io;

/// Those that any of its threads may use: the one that asks may be pinned to a single one, as threads of a runtime are.
fn set() -> io::Result<CpuSet> {
    let mut set = sched_getaffinity(None)?;
    for thread in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let number = thread.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        // One that has ended meanwhile adds nothing.
        if let Some(Ok(more)) = number.map(|number| sched_getaffinity(Some(number))) {
            (0..CpuSet::MAX_CPU).filter(|&cpu| more.is_set(cpu)).for_each(|cpu| set.set(cpu));
        }
    }
    Ok(set)
}

/// Their numbers.
pub(super) fn all() -> io::Result<Vec<usize>> {
    let set = set()?;
    Ok((0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect())
}

/// Lets this thread, and what it starts, use all of them, whatever thread has started it.
pub(super) fn unpin() {
    if let Ok(set) = set() {
        let _ = sched_setaffinity(None, &set);
    }
}

/// Pins this thread, and gives what it was pinned to.
pub(super) fn pin(cpus: &[usize]) -> io::Result<CpuSet> {
    let before = sched_getaffinity(None)?;
    let mut set = CpuSet::new();
    cpus.iter().for_each(|&cpu| set.set(cpu));
    sched_setaffinity(None, &set)?;
    Ok(before)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_pinned_knows_of_the_others() {
        let here = all().unwrap();
        let there = std::thread::spawn(|| {
            pin(&all().unwrap()[..1]).unwrap();
            let (pinned, known) = (sched_getaffinity(None).unwrap().count(), all().unwrap());
            unpin();
            (pinned, known, sched_getaffinity(None).unwrap().count() as usize)
        });
        let (pinned, known, unpinned) = there.join().unwrap();
        assert_eq!((pinned, known, unpinned), (1, here.clone(), here.len()));
    }
}
