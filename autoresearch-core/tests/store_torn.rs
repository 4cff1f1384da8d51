//! What is left of a store whose files were cut off, mixed up or copied in the middle of things: the beginning of the
//! history, or an error that says what is wrong. Never another history.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used)]

use autoresearch_core::{Event, Seq, SqliteStore, StopReason, Store, StoreError};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::tempdir;

/// Events in a batch.
const BATCH: u64 = 3;

/// No event is like another one.
fn event(seq: u64) -> Event<f64> {
    let text = format!("event {seq} {}", "x".repeat((seq as usize * 37) % 900));
    Event::Stopped { reason: StopReason::ProposerFailed(text) }
}

async fn append(store: &SqliteStore, last: Seq) -> Seq {
    let batch: Vec<_> = (1..=BATCH).map(|i| event(last.0 + i)).collect();
    store.append(last, &batch).await.unwrap()
}

/// A store with so many batches, open.
async fn filled(path: &Path, batches: u64) -> SqliteStore {
    let store = SqliteStore::open(path).unwrap();
    let mut last = Seq(0);
    for _ in 0..batches {
        last = append(&store, last).await;
    }
    store
}

fn log(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}-wal", path.display()))
}

/// Scattered over `0..n`.
fn places(n: usize, count: u64) -> impl Iterator<Item = usize> {
    (1..=count).map(move |i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20) as usize % n)
}

/// How many events a store has, all of them as they were appended; or why it has none to give.
async fn read(path: &Path) -> Result<u64, StoreError> {
    let store = SqliteStore::open(path)?;
    let stored: Vec<(Seq, Event<f64>)> = store.read(Seq(0), usize::MAX).await?;
    for (i, (seq, stored)) in stored.iter().enumerate() {
        assert_eq!((seq.0, stored), (i as u64 + 1, &event(i as u64 + 1)), "another history");
    }
    Ok(stored.len() as u64)
}

fn is_clear(error: &StoreError) {
    let known =
        matches!(error, StoreError::Damaged { .. } | StoreError::Corrupt { .. } | StoreError::Open { .. });
    let text = error.to_string();
    assert!(known && text.contains("study.db"), "{error:?}");
    assert!(text.contains("copy") || text.contains("right file") || text.contains("together"), "{text}");
}

#[tokio::test]
async fn of_a_torn_log_whole_appends_are_left() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("study.db");
    let store = filled(&path, 40).await;
    let (database, whole) = (fs::read(&path).unwrap(), fs::read(log(&path)).unwrap());
    drop(store);
    let torn = tempdir().unwrap();
    let (mut found, path) = (Vec::new(), torn.path().join("study.db"));
    for (i, cut) in places(whole.len(), 60).enumerate() {
        let mut tail = whole.clone();
        match i % 3 {
            0 => tail.truncate(cut),
            // Blocks that never reached the disk.
            1 => tail[cut..].fill(0),
            // Bits that turned.
            _ => tail[cut] ^= 0x10,
        }
        fs::write(&path, &database).unwrap();
        fs::write(log(&path), &tail).unwrap();
        let events = read(&path).await.unwrap();
        assert_eq!(events % BATCH, 0, "half an append was left");
        // It can be gone on with.
        let store = SqliteStore::open(&path).unwrap();
        append(&store, Seq(events)).await;
        found.push(events);
        drop(store);
        fs::remove_file(&path).unwrap();
        let _ = fs::remove_file(log(&path));
    }
    assert!(found.iter().any(|n| *n < 60), "{found:?}");
    assert!(found.iter().any(|n| *n > 60), "{found:?}");
}

#[tokio::test]
async fn a_torn_database_is_told() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("study.db");
    drop(filled(&path, 40).await);
    assert!(!log(&path).exists(), "all of it is in the database");
    let whole = fs::read(&path).unwrap();
    let mut errors = 0;
    for cut in places(whole.len() - 1, 60).map(|cut| cut + 1) {
        fs::write(&path, &whole[..cut]).unwrap();
        match read(&path).await {
            Ok(events) => assert!(events < 40 * BATCH, "{cut} of {} bytes hold all of it", whole.len()),
            Err(error) => {
                is_clear(&error);
                errors += 1;
            }
        }
        let _ = fs::remove_file(log(&path));
    }
    assert!(errors > 50, "{errors} of 60 were told");
}

#[tokio::test]
async fn a_log_without_its_database_is_kept() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("study.db");
    let store = filled(&path, 4).await;
    let (database, whole) = (fs::read(&path).unwrap(), fs::read(log(&path)).unwrap());
    drop(store);
    fs::write(log(&path), &whole).unwrap();
    fs::write(&path, "").unwrap();
    for _ in 0..2 {
        let error = SqliteStore::open(&path).unwrap_err();
        is_clear(&error);
        assert!(error.to_string().contains("study.db-wal"), "{error}");
        is_clear(&SqliteStore::open_read_only(&path).unwrap_err());
        let _ = fs::remove_file(&path); // and the same where there is no file at all
    }
    assert_eq!(fs::read(log(&path)).unwrap(), whole, "SQLite would have deleted it");
    fs::write(&path, database).unwrap();
    assert_eq!(read(&path).await.unwrap(), 4 * BATCH, "brought together again");
}

/// Writes in a thread of its own until it is told to stop; says how far it came.
fn writing(path: &Path, stop: &AtomicBool) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(path).unwrap();
        let mut last = Seq(0);
        while !stop.load(Ordering::Relaxed) && last.0 < 30_000 {
            last = append(&store, last).await;
        }
        last.0
    })
}

#[test]
fn copied_while_it_is_written() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let folder = tempdir().unwrap();
    let path = folder.path().join("study.db");
    let stop = AtomicBool::new(false);
    let (backups, copies) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| writing(&path, &stop));
        while !path.exists() || fs::metadata(log(&path)).map_or(0, |meta| meta.len()) < 100_000 {
            std::thread::yield_now();
        }
        let taken = runtime.block_on(async {
            let reader = SqliteStore::open_read_only(&path).unwrap();
            let (mut backups, mut copies) = (Vec::new(), Vec::new());
            for i in 0..8 {
                let at_least: Vec<(Seq, Event<f64>)> = reader.read(Seq(0), usize::MAX).await.unwrap();
                let backup = folder.path().join(format!("backup of study.db {i}"));
                reader.backup_to(&backup).await.unwrap();
                backups.push((backup, at_least.len() as u64));
                // The file alone, and the file with its log: neither is how to do it.
                for with_log in [false, true] {
                    let copy = folder.path().join(format!("copy {i} {with_log} of study.db"));
                    fs::copy(&path, &copy).unwrap();
                    if with_log && i % 2 == 0 {
                        std::thread::sleep(std::time::Duration::from_millis(30));
                    }
                    if with_log {
                        fs::copy(log(&path), log(&copy)).unwrap();
                    }
                    copies.push(copy);
                }
            }
            (backups, copies)
        });
        stop.store(true, Ordering::Relaxed);
        assert!(writer.join().unwrap() > 0);
        taken
    });
    for (backup, at_least) in backups {
        let events = runtime.block_on(read(&backup)).unwrap();
        assert!(events >= at_least && events.is_multiple_of(BATCH), "{events} of {at_least} and more");
        let store = SqliteStore::open(&backup).unwrap();
        runtime.block_on(append(&store, Seq(events)));
    }
    for copy in copies {
        if let Err(error) = runtime.block_on(read(&copy)) {
            is_clear(&error);
        }
    }
}

#[tokio::test]
async fn a_backup_replaces_nothing() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("study.db");
    let store = filled(&path, 2).await;
    let taken = folder.path().join("taken");
    fs::write(&taken, "notes").unwrap();
    for (to, says) in
        [(taken.clone(), "already"), (path.clone(), "already"), (folder.path().join("no/where"), "")]
    {
        let error = store.backup_to(&to).await.unwrap_err();
        assert!(matches!(error, StoreError::Open { .. }) && error.to_string().contains(says), "{error:?}");
    }
    assert_eq!(fs::read_to_string(&taken).unwrap(), "notes");
    fs::write(folder.path().join("copy.partial"), "of a copy that was killed").unwrap();
    store.backup_to(folder.path().join("copy")).await.unwrap();
    assert_eq!(read(&folder.path().join("copy")).await.unwrap(), 2 * BATCH);
    assert!(!folder.path().join("copy.partial").exists());
}
