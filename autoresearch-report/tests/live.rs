//! The page of a study that runs.
#![cfg(feature = "live")]
#![allow(clippy::unwrap_used)]

mod support;

use autoresearch_core::*;
use autoresearch_report::Live;
use std::net::SocketAddr;
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
