//! The SQLite store: an append against a bare transaction, appends that many runs share, and resuming.

use crate::figure::{Bound, Figure, Scale, median, processor_seconds_of_all};
use crate::machine::Machine;
use crate::study::{one_thread, study};
use autoresearch_core::{Event, Seq, SqliteStore, Store};
use rusqlite::{Connection, TransactionBehavior, params};
use std::time::Instant;
use tempfile::{TempDir, tempdir_in};

/// On the disk that the build is on: a temporary folder is often in memory, where syncing costs nothing.
fn folder() -> TempDir {
    tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder")
}

/// What a study appends at a time: what a run came to, and what followed.
fn batches(n: u64) -> Vec<Vec<Event<f64>>> {
    let mut batches = Vec::new();
    Machine::new(n).play(n, |events| batches.push(events));
    batches.retain(|batch| matches!(batch[..], [Event::Finished { .. }, Event::Settled { .. }]));
    batches
}

/// A database as the store's, and nothing around it.
fn bare(path: &std::path::Path) -> Connection {
    let connection = Connection::open(path).expect("a file");
    connection.pragma_update(None, "journal_mode", "WAL").expect("a log");
    connection.pragma_update(None, "synchronous", "FULL").expect("a level");
    let table = "CREATE TABLE events (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, \
                 body TEXT NOT NULL) STRICT";
    connection.execute_batch(table).expect("a table");
    connection
}

fn transaction(connection: &mut Connection, seq: &mut i64, rows: &[(&str, String)]) {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).expect("begun");
    {
        let mut insert =
            transaction.prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3, ?4)").expect("SQL");
        for (kind, body) in rows {
            *seq += 1;
            insert.execute(params![*seq, 1_700_000_000_000_i64, kind, body]).expect("inserted");
        }
    }
    transaction.commit().expect("committed");
}

/// Durable appends against bare transactions of the same rows with the same syncing, turn by turn.
pub(crate) fn append(scale: &Scale) -> Vec<Figure> {
    let folder = folder();
    let (runtime, turns, batches) = (one_thread(), scale.of(1500, 20), batches(scale.of(1501, 21)));
    let store = SqliteStore::open(folder.path().join("study.db")).expect("a store");
    let mut connection = bare(&folder.path().join("bare.db"));
    let (mut last, mut seq) = (Seq(0), 0);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for batch in batches.iter().cycle().take(turns as usize) {
        let start = Instant::now();
        last = runtime.block_on(store.append(last, batch)).expect("appended");
        ours.push(start.elapsed().as_secs_f64());
        let text = |event| serde_json::to_string(event).expect("JSON");
        let rows: Vec<_> = batch.iter().map(|event| (event.kind(), text(event))).collect();
        let start = Instant::now();
        transaction(&mut connection, &mut seq, &rows);
        theirs.push(start.elapsed().as_secs_f64());
    }
    let (ours, theirs) = (median(ours), median(theirs));
    vec![
        Figure::new("durable append against a bare transaction", ours / theirs, "times", Bound::AtMost(1.3)),
        Figure::new("durable append", ours * 1e6, "us", Bound::None),
        Figure::new("bare transaction", theirs * 1e6, "us", Bound::None),
    ]
}

fn trials_per_second(folder: &TempDir, name: &str, trials: u64, in_flight: usize) -> f64 {
    let store = SqliteStore::open(folder.path().join(name)).expect("a store");
    let study = study(store, trials, in_flight);
    let start = Instant::now();
    one_thread().block_on(study.run()).expect("a report");
    trials as f64 / start.elapsed().as_secs_f64()
}

/// Facts that arrive while an append is under way share the next one.
pub(crate) fn grouped(scale: &Scale) -> Vec<Figure> {
    let folder = folder();
    let (mut single, mut many) = (Vec::new(), Vec::new());
    for round in 0..scale.of(3, 1) {
        single.push(trials_per_second(&folder, &format!("{round}-1.db"), scale.of(1000, 10), 1));
        many.push(trials_per_second(&folder, &format!("{round}-64.db"), scale.of(16_000, 70), 64));
    }
    let (single, many) = (median(single), median(many));
    vec![
        Figure::new("64 runs in flight against one, SQLite", many / single, "times", Bound::AtLeast(5.0)),
        Figure::new("driver, SQLite store", single, "trials/s", Bound::None),
        Figure::new("driver, SQLite store, 64 in flight", many, "trials/s", Bound::None),
    ]
}

/// A long study that is opened again.
pub(crate) fn resume(scale: &Scale) -> Vec<Figure> {
    let (folder, runtime, trials) = (folder(), one_thread(), scale.of(100_000, 100));
    let path = folder.path().join("long.db");
    let mut events = Vec::new();
    let mut machine = Machine::new(trials);
    machine.play(u64::MAX, |mut batch| events.append(&mut batch));
    let store = SqliteStore::open(&path).expect("a store");
    let mut last = Seq(0);
    for batch in events.chunks(10_000) {
        last = runtime.block_on(store.append(last, batch)).expect("appended");
    }
    drop(store);
    let (mut times, mut processor) = (Vec::new(), Vec::new());
    for _ in 0..scale.of(5, 1) {
        let (start, before) = (Instant::now(), processor_seconds_of_all());
        let study = study(SqliteStore::open(&path).expect("a store"), trials, 1);
        let report = runtime.block_on(study.run()).expect("a report");
        times.push(start.elapsed().as_secs_f64());
        processor.extend(before.zip(processor_seconds_of_all()).map(|(before, now)| now - before));
        assert_eq!(report.proposals, trials, "it was not resumed");
    }
    let mut figures = vec![Figure::new("resuming 100,000 trials", median(times), "s", Bound::AtMost(2.0))];
    if !processor.is_empty() {
        let name = "resuming 100,000 trials, processor time of all threads";
        figures.push(Figure::new(name, median(processor), "s", Bound::None));
    }
    figures.push(Figure::new("their events", events.len() as f64, "events", Bound::None));
    figures
}
