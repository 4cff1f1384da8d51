//! The stores against their contract, and the SQLite file against accidents.

use autoresearch_core::{Event, MemoryStore, Seq, SqliteStore, StopReason, Store, StoreError, testkit};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

fn event() -> Event<f64> {
    Event::Stopping { reason: StopReason::ProposerFailed("x".repeat(200)) }
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    testkit::store_conformance(MemoryStore::new).await;
}

#[tokio::test]
async fn sqlite_keeps_the_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    let n = AtomicU32::new(0);
    testkit::store_conformance(|| {
        let name = format!("{}.db", n.fetch_add(1, Ordering::Relaxed));
        SqliteStore::open(folder.path().join(name)).expect("a new store")
    })
    .await;
}

#[tokio::test]
async fn a_closed_store_opens_again_and_a_reader_follows_the_writer() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("study.db");
    let store = SqliteStore::open(&file).expect("a new store");
    store.append(Seq(0), &[event()]).await.expect("an append");
    drop(store);
    let store = SqliteStore::open(&file).expect("the same store");
    let reader = SqliteStore::open_read_only(&file).expect("a reader");
    let count = async |s: &SqliteStore| Store::<f64>::read(s, Seq(0), 99).await.expect("readable").len();
    assert_eq!(count(&reader).await, 1);
    store.append(Seq(1), &[event()]).await.expect("an append");
    assert_eq!(count(&reader).await, 2);
    assert!(matches!(reader.append(Seq(2), &[event()]).await, Err(StoreError::ReadOnly { .. })));
}

#[tokio::test]
async fn bad_files_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let message = |r: Result<SqliteStore, StoreError>| r.expect_err("refused").to_string();

    assert!(message(SqliteStore::open(folder.path())).contains("it is a folder"));
    assert!(message(SqliteStore::open(at("no/such/study.db"))).contains("does not exist"));
    std::fs::write(at("text.db"), "not a database, but long enough to have a header".repeat(10))
        .expect("a file");
    assert!(message(SqliteStore::open(at("text.db"))).contains("not a database"));
    assert!(message(SqliteStore::open_read_only(at("none.db"))).contains("none.db"));

    rusqlite::Connection::open(at("other.db"))
        .and_then(|c| c.execute_batch("CREATE TABLE customers (name TEXT)"))
        .expect("somebody else's database");
    assert!(matches!(SqliteStore::open(at("other.db")), Err(StoreError::Foreign { .. })));

    drop(SqliteStore::open(at("new.db")).expect("a store"));
    rusqlite::Connection::open(at("new.db"))
        .and_then(|c| c.pragma_update(None, "user_version", 99))
        .expect("a newer schema");
    assert!(message(SqliteStore::open(at("new.db"))).contains("schema version 99"));

    let held = SqliteStore::open(at("held.db")).expect("a store");
    assert!(matches!(SqliteStore::open(at("held.db")), Err(StoreError::InUse { .. })));
    drop(held);
    SqliteStore::open(at("held.db")).expect("free again");
}

#[tokio::test]
async fn a_damaged_event_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("study.db");
    let store = SqliteStore::open(&file).expect("a store");
    store.append(Seq(0), &[event(), event(), event()]).await.expect("an append");
    drop(store);
    let sql = "UPDATE events SET body = '{\"event\":\"nonsense\"}' WHERE seq = 2";
    rusqlite::Connection::open(&file).and_then(|c| c.execute(sql, [])).expect("damage");
    let store = SqliteStore::open(&file).expect("a store");
    let error = Store::<f64>::read(&store, Seq(0), 9).await.expect_err("damaged").to_string();
    assert!(error.contains("event 2"), "{error}");
    drop(store);
    rusqlite::Connection::open(&file)
        .and_then(|c| c.execute("DELETE FROM events WHERE seq = 2", []))
        .expect("damage");
    let store = SqliteStore::open(&file).expect("a store");
    let error = Store::<f64>::read(&store, Seq(0), 9).await.expect_err("damaged").to_string();
    assert!(error.contains("event 2") && error.contains("missing"), "{error}");
}

/// The child of the test below: appends until it is killed, and says what was acknowledged.
#[tokio::test]
async fn child_that_appends() {
    let Some(file) = std::env::var_os("AUTORESEARCH_TEST_APPEND_TO") else { return };
    let store = SqliteStore::open(file).expect("a store");
    let mut end = Seq(Store::<f64>::read(&store, Seq(0), usize::MAX).await.expect("readable").len() as u64);
    for _ in 0..20_000 {
        end = store.append(end, &[event(), event()]).await.expect("an append");
        println!("acknowledged {}", end.0);
    }
}

#[tokio::test]
async fn a_killed_writer_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("study.db");
    for round in 0..6 {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["child_that_appends", "--exact", "--nocapture"])
            .env("AUTORESEARCH_TEST_APPEND_TO", &file)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut acknowledged = 0;
        let mut seen = 0;
        for line in lines.map_while(Result::ok) {
            if let Some(n) = line.split("acknowledged ").nth(1).and_then(|n| n.trim().parse::<u64>().ok()) {
                acknowledged = n;
                seen += 1;
                if seen == 5 + 13 * round {
                    child.kill().expect("a kill -9");
                }
            }
        }
        child.wait().expect("its end");
        assert!(acknowledged > 0, "the child did something");
        let store = SqliteStore::open(&file).expect("the lock is gone with the process");
        let stored = Store::<f64>::read(&store, Seq(0), usize::MAX).await.expect("readable").len() as u64;
        assert!(stored >= acknowledged, "{stored} stored, {acknowledged} acknowledged");
        assert_eq!(stored % 2, 0, "batches are whole");
    }
}
