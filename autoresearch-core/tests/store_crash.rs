//! The SQLite store when the process is killed or the disk is full: nothing that was acknowledged is lost.

#![cfg(all(feature = "sqlite", unix))]
#![allow(clippy::unwrap_used)]

#[path = "support/small_disk.rs"]
mod small_disk;

use autoresearch_core::{Arm, Event, Proposal, ProposalId, Seq, SqliteStore, Store, StoreError, Version};
use small_disk::SmallDisk;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::tempdir;

/// The child's study, handed over in the environment.
const STUDY: &str = "AUTORESEARCH_CRASH_TEST_STUDY";
/// Events in a batch: a last event that is no multiple of it tells of half a batch.
const BATCH: u64 = 3;

fn event(seq: u64) -> Event<f64> {
    Event::Proposed {
        first: ProposalId(seq),
        on: Arm::incumbent(),
        version: Version(0),
        proposals: vec![Proposal::new(seq as f64 / 3.0).rationale("x".repeat(500))],
    }
}

/// Appends the batch after `last`.
async fn append(store: &SqliteStore, last: Seq) -> Result<Seq, StoreError> {
    let batch: Vec<_> = (1..=BATCH).map(|i| event(last.0 + i)).collect();
    store.append(last, &batch).await
}

async fn checked(store: &SqliteStore) -> Seq {
    let stored = store.read(Seq(0), usize::MAX).await.unwrap();
    for (i, (seq, stored)) in stored.iter().enumerate() {
        assert_eq!((seq.0, stored), (i as u64 + 1, &event(seq.0)));
    }
    let last = stored.len() as u64;
    assert_eq!(last % BATCH, 0, "half a batch was stored");
    Seq(last)
}

/// The process that gets killed; does nothing unless it is told its study. It ends by itself after ten seconds.
#[tokio::test]
async fn the_child() {
    let Some(path) = std::env::var_os(STUDY).map(PathBuf::from) else { return };
    let store = SqliteStore::open(path).unwrap();
    let mut last = checked(&store).await;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        last = append(&store, last).await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "stored {last}").unwrap();
        out.flush().unwrap();
    }
}

#[tokio::test]
async fn a_killed_writer_loses_nothing_that_was_acknowledged() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("study.db");
    for round in 0..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_child", "--nocapture", "--test-threads=1"])
            .env(STUDY, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let acknowledged = |line: &str| line.rsplit_once("stored ")?.1.trim().parse::<u64>().ok();
        let (mut seen, mut last, mut line) = (0, 0, String::new());
        // Another number of appends each round, so that the kill falls on another moment.
        while seen < 5 + 37 * round {
            line.clear();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the child ended by itself");
            if let Some(seq) = acknowledged(&line) {
                (seen, last) = (seen + 1, seq);
            }
        }
        if round == 0 {
            let StoreError::Locked { holder, .. } = SqliteStore::open(&path).unwrap_err() else {
                panic!("two processes write one store");
            };
            assert_eq!(holder, Some(child.id()));
            let text = SqliteStore::open(&path).unwrap_err().to_string();
            assert!(text.contains(&format!("process {}; wait for it or stop it", child.id())), "{text}");
            assert!(checked(&SqliteStore::open_read_only(&path).unwrap()).await.0 >= last);
        }
        std::thread::sleep(Duration::from_micros(300 * round));
        child.kill().unwrap(); // SIGKILL
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        // The very last line may be cut off in the middle of its number.
        let whole = rest.rfind('\n').map_or("", |end| &rest[..=end]);
        let last = whole.lines().filter_map(acknowledged).fold(last, u64::max);
        assert_eq!(child.wait().unwrap().signal(), Some(9), "it was not killed but ended");

        let reader = SqliteStore::open_read_only(&path).unwrap();
        let read = checked(&reader).await;
        drop(reader);
        let store = SqliteStore::open(&path).expect("the lock of a killed process is gone");
        let found = checked(&store).await;
        assert!(found.0 == last || found.0 == last + BATCH, "acknowledged {last}, found {found}");
        assert_eq!(read, found, "a reader sees what the next writer sees");
        append(&store, found).await.unwrap();
    }
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_goes_on_once_there_is_room() {
    let folder = tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(folder.path()) else {
        eprintln!("SKIPPED: a full disk needs the right to mount a tmpfs");
        return;
    };
    let ballast = disk.0.join("ballast");
    fs::write(&ballast, vec![1; 300_000]).unwrap();
    let store = SqliteStore::open(disk.0.join("study.db")).unwrap();
    let mut last = Seq(0);
    let error = loop {
        match append(&store, last).await {
            Ok(seq) => last = seq,
            Err(error) => break error,
        }
        assert!(last.0 < 10_000, "the disk never fills");
    };
    assert!(matches!(error, StoreError::Full { .. }) && error.is_transient(), "{error:?}");
    assert!(last.0 > 100, "only {last} events on an empty disk");
    assert_eq!(checked(&store).await, last);
    assert!(append(&store, last).await.is_err(), "still full");
    fs::remove_file(ballast).unwrap();
    let next = append(&store, last).await.expect("there is room again");
    drop(store);
    let store = SqliteStore::open(disk.0.join("study.db")).unwrap();
    assert_eq!(checked(&store).await, next);

    let mut last = next;
    while let Ok(seq) = append(&store, last).await {
        last = seq;
    }
    drop(store);
    let reopened = SqliteStore::open_read_only(disk.0.join("study.db"));
    assert_eq!(checked(&reopened.expect("it can be read on a full disk")).await, last);
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_is_told_at_open() {
    let folder = tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(folder.path()) else {
        eprintln!("SKIPPED: a read-only disk needs the right to mount a tmpfs");
        return;
    };
    let path = disk.0.join("study.db");
    append(&SqliteStore::open(&path).unwrap(), Seq(0)).await.unwrap();
    let remount = Command::new("mount").args(["-o", "remount,ro"]).arg(&disk.0).status().unwrap();
    assert!(remount.success());
    for error in [
        SqliteStore::open(&path).unwrap_err(),
        SqliteStore::open(disk.0.join("new.db")).unwrap_err(),
        SqliteStore::open_read_only(&path).unwrap_err(),
    ] {
        let text = error.to_string();
        eprintln!("{text}");
        assert!(matches!(error, StoreError::Open { .. }) && text.contains("writ"), "{error:?}");
    }
}

/// The process that may not write; says what it is told.
#[test]
fn the_stranger() {
    let Some(path) = std::env::var_os(STRANGERS_STUDY) else { return };
    let told = SqliteStore::open(path).map_or_else(|error| error.to_string(), |_| "it was opened".into());
    println!("told: {told}");
}

const STRANGERS_STUDY: &str = "AUTORESEARCH_STRANGERS_STUDY";

/// What a process is told that is not root: root may write everything.
fn told_as_stranger(path: &Path) -> Option<String> {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "the_stranger", "--nocapture", "--test-threads=1"]).env(STRANGERS_STUDY, path);
    let id = Command::new("id").arg("-u").output().ok()?;
    if id.stdout == b"0\n" {
        child.uid(65534).current_dir("/");
    }
    let output = child.output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().find_map(|line| Some(line.split_once("told: ")?.1.to_string()))
}

#[tokio::test]
async fn a_file_or_folder_that_may_not_be_written_is_told() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("study.db");
    append(&SqliteStore::open(&path).unwrap(), Seq(0)).await.unwrap();
    fs::remove_file(folder.path().join("study.db.lock")).unwrap();
    let allow = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for (file, inside, says) in [(0o444, 0o777, "change its permissions"), (0o666, 0o555, "must be writable")]
    {
        allow(&path, file);
        allow(folder.path(), inside);
        let Some(told) = told_as_stranger(&path) else {
            eprintln!("SKIPPED: no other user can run this test");
            return;
        };
        assert!(told.contains("study.db") && told.contains(says), "{told}");
    }
    allow(folder.path(), 0o777);
    assert_eq!(told_as_stranger(&path).unwrap(), "it was opened");
}
