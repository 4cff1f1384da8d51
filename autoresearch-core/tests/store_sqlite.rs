//! The SQLite store: conformance, what it refuses to open, and one writer beside many readers.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used)]

use autoresearch_core::testkit::conformance;
use autoresearch_core::{Event, Seq, SqliteStore, Store, StoreError};
use rusqlite::Connection;
use std::cell::Cell;
use std::error::Error;
use std::fs;
use std::path::Path;
use tempfile::{TempDir, tempdir};

type Events = Vec<(Seq, Event<f64>)>;

fn stopped_by(error: &str) -> Event<f64> {
    Event::Stopped { reason: autoresearch_core::StopReason::ProposerFailed(error.into()) }
}

async fn append(store: &SqliteStore, after: u64, n: usize) -> Result<Seq, StoreError> {
    let events: Vec<_> = (0..n).map(|i| stopped_by(&format!("{after}+{i}"))).collect();
    store.append(Seq(after), &events).await
}

async fn all(store: &SqliteStore) -> Result<Events, StoreError> {
    store.read(Seq(0), usize::MAX).await
}

/// The error of an open, as one reads it.
fn refused(path: impl AsRef<Path>) -> String {
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Open { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(path.as_ref().to_str().unwrap()), "{text}");
    text
}

fn sql(path: &Path, text: &str) {
    Connection::open(path).unwrap().execute_batch(text).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_conforms() {
    let folder = tempdir().unwrap();
    let made = Cell::new(0);
    let make = || {
        made.set(made.get() + 1);
        SqliteStore::open(folder.path().join(format!("{}.db", made.get()))).unwrap()
    };
    conformance::store(make).await;
}

#[tokio::test]
async fn events_survive_reopening() -> Result<(), Box<dyn Error>> {
    let folder = tempdir()?;
    let path = folder.path().join("study ü%20?mode=memory.db");
    let store = SqliteStore::open(&path)?;
    append(&store, 0, 3).await?;
    let before = all(&store).await?;
    drop(store);
    let store = SqliteStore::open(&path)?;
    assert_eq!(all(&store).await?, before);
    assert_eq!(append(&store, 3, 1).await?, Seq(4));
    assert_eq!(
        Store::<f64>::scratch(&store).unwrap(),
        folder.path().canonicalize()?.join("study ü%20?mode=memory.db.runs")
    );
    Ok(())
}

#[tokio::test]
async fn a_second_writer_is_refused_until_the_first_is_gone() -> Result<(), Box<dyn Error>> {
    let folder = tempdir()?;
    let path = folder.path().join("study.db");
    let first = SqliteStore::open(&path)?;
    let clone = first.clone();
    append(&first, 0, 1).await?;
    let mut names = vec![path.clone()];
    #[cfg(unix)]
    {
        names.push(folder.path().join("another name.db"));
        std::os::unix::fs::symlink(&path, &names[1])?;
    }
    for name in names {
        let error = SqliteStore::open(&name).unwrap_err();
        assert!(matches!(error, StoreError::Locked { .. }) && error.is_conflict(), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("study.db.lock") && text.contains(&std::process::id().to_string()), "{text}");
    }
    drop(first);
    assert!(SqliteStore::open(&path).is_err(), "a clone still has it");
    drop(clone);
    let second = SqliteStore::open(&path)?;
    assert_eq!(append(&second, 1, 1).await?, Seq(2));
    Ok(())
}

#[tokio::test]
async fn a_dropped_append_is_whole_or_nothing_and_the_next_call_knows() -> Result<(), Box<dyn Error>> {
    let folder = tempdir()?;
    let path = folder.path().join("study.db");
    let mut happened = 0;
    for round in 0..40 {
        let store = SqliteStore::open(&path)?; // also after a drop in the middle
        let last = all(&store).await?.len();
        let mut future = Box::pin(append(&store, last as u64, 50));
        for _ in 0..round % 4 {
            if poll_once(&mut future).await.is_some() {
                break; // it has happened already
            }
        }
        drop(future);
        let now = all(&store).await?.len();
        assert!(now == last || now == last + 50, "{} of 50 events", now - last);
        assert_eq!(all(&store).await?.len(), now, "a read sees the end of a dropped append");
        happened += usize::from(now > last);
    }
    assert!(happened > 0, "no dropped append had begun: the test is void");
    Ok(())
}

async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    let once = std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    });
    once.await
}

#[tokio::test]
async fn a_reader_follows_the_writer_and_cannot_write() -> Result<(), Box<dyn Error>> {
    let folder = tempdir()?;
    let path = folder.path().join("study.db");
    assert!(SqliteStore::open_read_only(&path).unwrap_err().to_string().contains("no such file"));
    assert!(!path.exists(), "opening read-only creates nothing");
    let writer = SqliteStore::open(&path)?;
    let reader = SqliteStore::open_read_only(&path)?;
    for i in 0..5 {
        append(&writer, i * 2, 2).await?;
        assert_eq!(all(&reader).await?, all(&writer).await?);
    }
    assert!(matches!(append(&reader, 10, 1).await, Err(StoreError::ReadOnly { .. })));
    drop(writer);
    assert_eq!(all(&reader).await?.len(), 10);
    drop(reader);
    assert_eq!(all(&SqliteStore::open_read_only(&path)?).await?.len(), 10, "with no writer at work");
    SqliteStore::open(&path)?;
    Ok(())
}

#[test]
fn what_is_no_store_is_refused() -> Result<(), Box<dyn Error>> {
    let folder = tempdir()?;
    let at = |name: &str| folder.path().join(name);
    assert!(refused(folder.path()).contains("is a directory"));
    assert!(refused(at("missing/study.db")).contains("create it first"));
    assert!(refused(at("..")).contains("directory") || refused(at("..")).contains("no file"));
    assert!(SqliteStore::open("").is_err());
    for (name, text) in [("short.txt", "some notes".to_string()), ("long.txt", "some notes\n".repeat(1000))] {
        fs::write(at(name), &text)?;
        assert!(refused(at(name)).contains("not an SQLite database"));
        assert_eq!(fs::read_to_string(at(name))?, text, "it was written to");
    }
    fs::write(at("file"), "")?;
    assert!(SqliteStore::open(at("file/study.db")).is_err());
    let _made_of_an_empty_file = SqliteStore::open(at("file"))?;
    fs::write(at("empty"), "")?;
    let error = SqliteStore::open_read_only(at("empty")).unwrap_err().to_string();
    assert!(error.contains("no study in it yet"), "{error}");
    Ok(())
}

#[test]
fn another_programs_database_is_refused_and_left_alone() -> Result<(), Box<dyn Error>> {
    let folder = tempdir()?;
    for (name, setup) in [
        (
            "tables.db",
            "CREATE TABLE events (seq INTEGER PRIMARY KEY, body TEXT); INSERT INTO events VALUES (1, 'x')",
        ),
        ("version.db", "PRAGMA user_version = 1"),
        ("application.db", "PRAGMA application_id = 7"),
        ("no-schema.db", "PRAGMA application_id = 0x41525348"),
    ] {
        let path = folder.path().join(name);
        sql(&path, setup);
        let before = fs::read(&path)?;
        assert!(refused(&path).contains("another program"));
        assert!(SqliteStore::open_read_only(&path).is_err());
        assert_eq!(fs::read(&path)?, before);
    }
    assert_eq!(fs::read_dir(folder.path())?.count(), 4, "nothing was left beside them");
    Ok(())
}

#[test]
fn a_newer_schema_is_refused() -> Result<(), Box<dyn Error>> {
    let folder = tempdir()?;
    let path = folder.path().join("study.db");
    drop(SqliteStore::open(&path)?);
    sql(&path, "PRAGMA user_version = 2");
    for error in [SqliteStore::open(&path).unwrap_err(), SqliteStore::open_read_only(&path).unwrap_err()] {
        assert!(matches!(error, StoreError::NewerSchema { found: 2, known: 1, .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains("study.db has schema 2") && text.contains("use the version that wrote it"),
            "{text}"
        );
    }
    Ok(())
}

async fn study_of_three() -> (TempDir, SqliteStore) {
    let folder = tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("study.db")).unwrap();
    append(&store, 0, 3).await.unwrap();
    (folder, store)
}

#[tokio::test]
async fn a_damaged_event_is_named() {
    for (damage, seq, says) in [
        ("UPDATE events SET body = '{\"event\":\"stopp' WHERE seq = 2", 2, "EOF"),
        ("UPDATE events SET body = '{\"event\":\"from the future\"}' WHERE seq = 3", 3, "from the future"),
        ("DELETE FROM events WHERE seq = 2", 2, "missing"),
    ] {
        let (_folder, store) = study_of_three().await;
        sql(store.path(), damage);
        let error = all(&store).await.unwrap_err();
        let StoreError::Corrupt { seq: named, .. } = &error else { panic!("{error:?}") };
        assert_eq!(*named, Seq(seq));
        assert!(error.to_string().contains(says) && error.to_string().contains("study.db"), "{error}");
        let before: Events = store.read(Seq(0), seq as usize - 1).await.unwrap();
        assert_eq!(before.len() as u64, seq - 1, "what comes before it can be read");
    }
}

#[tokio::test]
async fn candidates_that_cannot_be_given_back() {
    let folder = tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("study.db")).unwrap();
    let opened = |x: f64| autoresearch_core::Event::Proposed {
        first: autoresearch_core::ProposalId(1),
        on: autoresearch_core::Arm::incumbent(),
        version: autoresearch_core::Version(0),
        proposals: vec![autoresearch_core::Proposal::new(x)],
    };
    let error = store.append(Seq(0), &[opened(1.5), opened(f64::NAN)]).await.unwrap_err();
    assert!(matches!(error, StoreError::Encode { kind: "proposed", .. }), "{error:?}");
    assert_eq!(all(&store).await.unwrap(), []);
    store.append(Seq(0), &[opened(1.5)]).await.unwrap();
    let as_text = Store::<String>::read(&store, Seq(0), 9).await.unwrap_err();
    assert!(matches!(as_text, StoreError::Corrupt { seq: Seq(1), .. }), "{as_text:?}");
}

#[tokio::test]
async fn another_program_may_hold_it_for_a_moment() {
    let (_folder, store) = study_of_three().await;
    let other = Connection::open(store.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let release = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(200));
        other.execute_batch("ROLLBACK").unwrap();
    });
    assert_eq!(append(&store, 3, 1).await.unwrap(), Seq(4));
    release.join().unwrap();
}

#[tokio::test]
async fn a_writer_that_heeds_no_lock_is_noticed() {
    let (_folder, store) = study_of_three().await;
    sql(store.path(), "INSERT INTO events VALUES (4, 0, 'exhausted', '{\"event\":\"exhausted\"}')");
    let error = append(&store, 3, 2).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { expected: Seq(3), found: Seq(4) }), "{error:?}");
    assert_eq!(all(&store).await.unwrap()[3..], [(Seq(4), Event::Exhausted)]);
}
