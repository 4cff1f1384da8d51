//! Work on all cores, whose results do not depend on how many there are.
use anyhow::Result;
use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// Plays `groups` times `size` jobs and hands each group's results, in order, to `done`, groups in order. The first
/// failure ends it.
pub(super) fn each<T: Send>(
    groups: usize,
    size: usize,
    play: impl Fn(usize) -> Result<T> + Sync,
    mut done: impl FnMut(usize, Vec<T>),
) -> Result<()> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let (next, total) = (AtomicUsize::new(0), groups * size);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads.min(total) {
            let (sender, next, play) = (sender.clone(), &next, &play);
            scope.spawn(move || {
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    if job >= total || sender.send((job, play(job))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut group = 0;
        for (job, result) in receiver {
            let result = result.inspect_err(|_| next.store(total, Ordering::Relaxed))?;
            waiting.insert(job, result);
            while waiting.range(group * size..(group + 1) * size).count() == size && group < groups {
                let rest = waiting.split_off(&((group + 1) * size));
                done(group, std::mem::replace(&mut waiting, rest).into_values().collect());
                group += 1;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order() {
        let mut seen = Vec::new();
        each(4, 25, |job| Ok(job * job), |group, results| seen.push((group, results))).unwrap();
        let expected: Vec<_> =
            (0..4).map(|g| (g, (g * 25..(g + 1) * 25).map(|j| j * j).collect::<Vec<_>>())).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_failure_ends_it() {
        let play = |job| if job == 30 { Err(anyhow::anyhow!("job {job}")) } else { Ok(job) };
        assert_eq!(each(100, 10, play, |_, _| ()).unwrap_err().to_string(), "job 30");
    }
}
