//! Stores in files: finished, damaged, being written.
#![allow(clippy::unwrap_used)]

mod support;

use autoresearch_core::*;
use autoresearch_report::{Report, ReportError};
use serde_json::Value;
use support::{large, study};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_read_while_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("study.db");
    let store = SqliteStore::open(&path).unwrap();
    let running = tokio::spawn(study(60, |i| format!("step {i}")).store(store).run());
    let mut seen = 0;
    let mut reports = 0;
    while !running.is_finished() {
        let of = path.clone();
        let report = tokio::task::spawn_blocking(move || Report::open(of)).await.unwrap();
        // Before the first event is stored it may be that there is nothing to be read.
        if let Ok(report) = report {
            let runs = report.data().cost.runs;
            assert!(runs >= seen, "{runs} after {seen}");
            assert_eq!(report.data().state.unreadable_count, 0);
            assert!(report.html().contains("In short"));
            seen = runs;
            reports += 1;
        }
    }
    let told = running.await.unwrap().unwrap();
    assert!(reports > 0);
    let report = Report::open(&path).unwrap();
    assert_eq!(report.data().cost.runs, told.runs);
    assert!(report.data().state.stopped && report.data().state.began.is_some());
}

#[tokio::test]
async fn all_files_are_written_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("study.db");
    let store = SqliteStore::open(&path).unwrap();
    study(60, |i| format!("step {i}")).store(store.clone()).run().await.unwrap();
    let out = folder.path().join("a/b");
    for _ in 0..2 {
        Report::of(&store).unwrap().write_all(&out).unwrap();
    }
    let mut names: Vec<String> =
        std::fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let mut expected = vec!["progress.svg", "report.html", "report.json", "results.tsv", "summary.md"];
    if cfg!(feature = "png") {
        expected.insert(0, "progress.png");
    }
    assert_eq!(names, expected);
    let json: Value = serde_json::from_slice(&std::fs::read(out.join("report.json")).unwrap()).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["study"]["policy"], Report::of(&store).unwrap().data().study.as_ref().unwrap().policy);
    #[cfg(feature = "png")]
    assert!(std::fs::read(out.join("progress.png")).unwrap().starts_with(b"\x89PNG"));
    let into_a_file = Report::of(&store).unwrap().write_html(out.join("report.html/x.html"));
    assert!(matches!(into_a_file, Err(ReportError::Write { .. })));
}

#[tokio::test]
async fn what_is_no_store_is_an_error_and_a_damaged_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Report::open(folder.path().join("none.db")).unwrap_err();
    assert!(missing.to_string().contains("there is no such file"), "{missing}");
    let path = folder.path().join("study.db");
    let store = SqliteStore::open(&path).unwrap();
    store.append(Seq(0), &large(800, |i| format!("step {i}"))).await.unwrap();
    drop(store);
    // All is in the database itself now; some of its pages are then overwritten.
    let mut bytes = std::fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    bytes[half..half + 20_000].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    match Report::open(&path) {
        Ok(report) => assert!(report.data().state.unreadable_count > 0),
        Err(error) => assert!(matches!(error, ReportError::Read { .. }), "{error}"),
    }
}
