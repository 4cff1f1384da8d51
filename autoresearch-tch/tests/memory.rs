//! Whose the peak of memory is. One test alone in its process, since the system keeps one peak a process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use autoresearch_core::Fidelity;
use autoresearch_tch::GptTrainer;
use common::{splits, tiny, train};

#[tokio::test]
async fn a_run_alone_has_its_own_peak_and_two_at_once_say_that_they_were_two() {
    if std::fs::write("/proc/self/clear_refs", "5").is_err() {
        eprintln!("skipped: this system does not let a process set its peak of memory back");
        return;
    }
    let trainer = GptTrainer::new(&splits()).fidelity(Fidelity::steps(40));
    let run = async |seed| train(&trainer, tiny(), seed).await.unwrap().0.metrics;
    let first = run(1).await;
    let before = vec![1_u8; 400_000_000];
    assert_eq!(before[before.len() / 7], 1);
    let during = run(2).await;
    drop(before);
    let after = run(3).await;
    assert!(first.memory_alone && during.memory_alone && after.memory_alone);
    let [first, during, after] = [first, during, after].map(|metrics| metrics.memory_gb.unwrap());
    assert!(during > first + 0.35, "{first} {during}: what else the process holds counts");
    assert!(after < during - 0.35, "{during} {after}: the peak is of before the run");

    let (a, b) = tokio::join!(run(4), run(5));
    assert!(!(a.memory_alone && b.memory_alone), "two at once");
}
