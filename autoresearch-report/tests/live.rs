//! The page of a study that runs.
#![cfg(feature = "live")]
#![allow(clippy::unwrap_used)]

mod support;

use autoresearch_core::*;
use autoresearch_report::Live;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use support::large;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

async fn ask(address: SocketAddr, path: &str, host: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn page(address: SocketAddr, host: &str) -> String {
    let mut text = String::new();
    ask(address, "/", host).await.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn news_come_as_they_are_stored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("study.db");
    let live = Live::bind(&path, 0).await.unwrap();
    let address = live.address().unwrap();
    assert!(address.ip().is_loopback());
    let server = tokio::spawn(live.serve());
    let host = address.to_string();
    // Before there is a study.
    let first = page(address, &host).await;
    assert!(first.starts_with("HTTP/1.1 200") && first.contains("There is nothing in this store yet."));
    // Under another name, as a page of another site would ask.
    assert!(page(address, "evil.example").await.starts_with("HTTP/1.1 403"));

    let all = large(30, |i| format!("<b>step {i}</b>"));
    let store = SqliteStore::open(&path).unwrap();
    store.append(Seq(0), &all[..11]).await.unwrap();
    let mut lines = BufReader::new(ask(address, "/events", &host).await).lines();
    let mut seen = String::new();
    let all_of_it = async {
        let mut stored = false;
        while let Some(line) = lines.next_line().await.unwrap() {
            seen += &line;
            if !stored && seen.contains("step 3") {
                store.append(Seq(11), &all[11..]).await.unwrap();
                stored = true;
            }
            if seen.contains("step 30") {
                return;
            }
        }
        panic!("the server ended: {seen}");
    };
    tokio::time::timeout(Duration::from_secs(30), all_of_it).await.unwrap();
    assert!(!seen.contains("<b>"), "{seen}");
    assert!(page(address, &host).await.contains("Of 30 proposals none was kept"));
    server.abort();
}

/// What one browser has heard: rows by their numbers, how many messages of each kind, and the state.
#[derive(Default)]
struct Heard {
    rows: BTreeMap<u64, Value>,
    kinds: BTreeMap<String, u64>,
    state: String,
}

/// Listens until the study is said to have stopped; `pause` after each line, as a slow browser would.
async fn listen(address: SocketAddr, query: String, pause: Duration) -> Heard {
    let path = format!("/events{query}");
    let mut lines = BufReader::new(ask(address, &path, &address.to_string()).await).lines();
    let (mut heard, mut kind) = (Heard::default(), String::new());
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some(name) = line.strip_prefix("event: ") {
            kind = name.into();
            *heard.kinds.entry(kind.clone()).or_default() += 1;
        } else if let Some(data) = line.strip_prefix("data: ") {
            match kind.as_str() {
                "rows" => {
                    let rows: Vec<Value> = serde_json::from_str(data).unwrap();
                    heard.rows.extend(rows.into_iter().map(|row| (row[0].as_u64().unwrap(), row)));
                }
                "state" => heard.state = data.into(),
                "as-of" => assert!(data.ends_with(" UTC")),
                _ => assert!(serde_json::from_str::<Value>(data).unwrap()["html"].is_string()),
            }
        }
        if heard.state == "stopped" {
            return heard;
        }
        tokio::time::sleep(pause).await;
    }
    panic!("the server ended");
}

/// Writes as SQLite's own client that waits for nobody: whoever holds a lock that it needs is found out.
fn impatient(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(Duration::ZERO).unwrap();
    connection.pragma_update(None, "synchronous", "NORMAL").unwrap();
    connection
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_never_finds_the_study_locked_and_all_browsers_hear_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("study.db");
    let mut all = large(700, |i| format!("step {i}"));
    all.push(serde_json::from_value(json!({"event": "stopped", "reason": "runs"})).unwrap());
    let store = SqliteStore::open(&path).unwrap();
    store.append(Seq(0), &all[..100]).await.unwrap();
    drop(store);

    let live = Live::bind(&path, 0).await.unwrap();
    let address = live.address().unwrap();
    let host = address.to_string();
    let server = tokio::spawn(live.serve());
    while !page(address, &host).await.contains("step 20") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // One that knows the page, one that does not, a slow one, and one that never reads.
    let shown = page(address, &host).await;
    let look = shown.split("live(").last().unwrap().split(')').next().unwrap();
    let fast = tokio::spawn(listen(address, format!("?look={look}"), Duration::ZERO));
    let new = tokio::spawn(listen(address, String::new(), Duration::ZERO));
    let slow = tokio::spawn(listen(address, "?look=7".into(), Duration::from_millis(30)));
    let _deaf = ask(address, "/events", &host).await;

    let writer = impatient(&path);
    let busy = AtomicU64::new(0);
    for (i, event) in all.iter().enumerate().skip(100) {
        let body = serde_json::to_string(event).unwrap();
        let insert = "INSERT INTO events (at, kind, body) VALUES (?1, ?2, ?3)";
        if writer.execute(insert, (i as i64, event.kind(), body)).is_err() {
            busy.fetch_add(1, Ordering::Relaxed);
        }
        if i % 50 == 0 {
            // Reading goes on meanwhile, and the log is folded back as far as readers let it, which is all.
            let sql = "PRAGMA wal_checkpoint(PASSIVE)";
            let (held, log, folded): (i64, i64, i64) =
                writer.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
            busy.fetch_add(held.unsigned_abs(), Ordering::Relaxed);
            assert!(folded <= log);
            assert!(page(address, &host).await.starts_with("HTTP/1.1 200"));
        }
    }
    assert_eq!(busy.load(Ordering::Relaxed), 0, "SQLITE_BUSY");

    let heard = async { [fast.await.unwrap(), new.await.unwrap(), slow.await.unwrap()] };
    let [fast, new, slow] = tokio::time::timeout(Duration::from_secs(60), heard).await.unwrap();
    assert_eq!(new.rows.len(), 700);
    assert_eq!(new.rows, slow.rows);
    assert!(new.rows.values().all(|row| row[2] != 2), "all are settled");
    // Who had the page already was not told again what was on it.
    assert!(!fast.rows.contains_key(&5) && fast.rows.contains_key(&700));
    assert!(fast.rows.iter().all(|(id, row)| new.rows[id] == *row));
    // A slow one is told less often, not later and later.
    assert!(slow.kinds["state"] <= new.kinds["state"], "{:?} {:?}", slow.kinds, new.kinds);
    server.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_study_that_is_dead_or_cannot_be_read_is_not_told_as_live() {
    let folder = tempfile::tempdir().unwrap();
    let state = async |path: &Path| {
        let live = Live::bind(path, 0).await.unwrap();
        let address = live.address().unwrap();
        let server = tokio::spawn(live.serve());
        let mut lines = BufReader::new(ask(address, "/events", &address.to_string()).await).lines();
        let mut is_state = false;
        loop {
            let line = lines.next_line().await.unwrap().unwrap();
            match line.strip_prefix("data: ") {
                Some(said) if is_state && said != "waiting for the study" => {
                    server.abort();
                    return said.to_string();
                }
                _ => is_state = line == "event: state",
            }
        }
    };
    // Its events are of 1970.
    let dead = folder.path().join("dead.db");
    drop(SqliteStore::open(&dead).unwrap());
    let writer = impatient(&dead);
    for (i, event) in large(9, |i| format!("step {i}")).iter().enumerate() {
        let insert = "INSERT INTO events (at, kind, body) VALUES (?1, ?2, ?3)";
        let body = serde_json::to_string(event).unwrap();
        writer.execute(insert, (1000 * i as i64, event.kind(), body)).unwrap();
    }
    let wait = Duration::from_secs(30);
    let said = tokio::time::timeout(wait, state(&dead)).await.unwrap();
    assert!(said.starts_with("no event for ") && said.contains("days"), "{said}");
    let text = folder.path().join("text.db");
    std::fs::write(&text, "this is no database, whatever it is called, and long enough to be one").unwrap();
    let said = tokio::time::timeout(wait, state(&text)).await.unwrap();
    assert!(said.starts_with("not read: ") && said.contains("text.db"), "{said}");
}
