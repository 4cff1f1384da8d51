//! What a report of 10,000 trials costs, and what the live page of a study that writes 100 events a second does:
//! `cargo bench -p autoresearch-report --all-features`. How fast a browser opens the page, the tests of the page in a browser
//! say: `cargo test --release -p autoresearch-report --all-features --test browser thousand -- --nocapture`.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../tests/support/mod.rs"]
mod support;

use autoresearch_core::{Event, Seq, SqliteStore, Store};
use autoresearch_report::{Live, Report};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use support::large;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TRIALS: u64 = 10_000;
const SECONDS: u64 = 20;

/// The median of five.
fn median(mut f: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..5)
        .map(|_| {
            let began = Instant::now();
            f();
            began.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[2]
}

fn events(trials: u64) -> Vec<Event<Value>> {
    large(trials, |i| {
        format!("proposal {i} with a title of the usual length: raise the learning rate by {i} %")
    })
}

/// Seconds of processor that this process has used, and megabytes that it holds.
fn used() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks: f64 = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split(' ')
        .skip(12)
        .take(2)
        .filter_map(|x| x.parse::<f64>().ok())
        .sum();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let held = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<f64>().ok());
    (ticks / 100.0, held.unwrap_or(0.0) / 1024.0)
}

/// Appends ten events every tenth of a second, and says how long that took at most and on average: the second process.
fn write(path: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(path).unwrap();
        let mut seq =
            store.read(Seq(0), usize::MAX).await.map_or(0, |all: Vec<(Seq, Event<Value>)>| all.len());
        let (all, began) = (events(TRIALS + SECONDS * 50), Instant::now());
        let (mut longest, mut sum, mut n) = (0f64, 0.0, 0);
        while began.elapsed().as_secs() < SECONDS && seq + 10 <= all.len() {
            let one = Instant::now();
            store.append(Seq(seq as u64), &all[seq..seq + 10]).await.unwrap();
            seq += 10;
            let took = one.elapsed().as_secs_f64() * 1e3;
            (longest, sum, n) = (longest.max(took), sum + took, n + 1);
            tokio::time::sleep(Duration::from_millis(100).saturating_sub(one.elapsed())).await;
        }
        println!(
            "  writer: {n} transactions of 10 events, {:.1} ms each, {longest:.1} ms at most",
            sum / f64::from(n)
        );
    });
}

fn second_process(path: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap()).arg("write").arg(path).spawn().unwrap()
}

async fn browser(host: String, reads: bool) -> u64 {
    let mut stream = TcpStream::connect(&host).await.unwrap();
    stream.write_all(format!("GET /events HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    let (mut bytes, mut buffer) = (0, vec![0; 65_536]);
    let end = Instant::now() + Duration::from_secs(SECONDS);
    while Instant::now() < end {
        if !reads {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        }
        match tokio::time::timeout(Duration::from_millis(200), stream.read(&mut buffer)).await {
            Ok(Ok(n)) => bytes += n as u64,
            Ok(Err(_)) => break,
            Err(_) => {}
        }
    }
    bytes
}

fn main() {
    let given: Vec<String> = std::env::args().collect();
    if let [_, what, path] = given.as_slice()
        && what == "write"
    {
        return write(Path::new(path));
    }
    // Built with all targets of a test run, it is not run by it.
    if !given.iter().any(|argument| argument == "--bench") {
        return println!("measured by `cargo bench`");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("study.db");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let store = SqliteStore::open(&path).unwrap();
    runtime.block_on(store.append(Seq(0), &events(TRIALS))).unwrap();
    drop(store);

    println!("{TRIALS} trials");
    let report = Report::open(&path).unwrap();
    println!("  read from SQLite: {:.2} s", median(|| drop(Report::open(&path).unwrap())));
    println!("  page: {:.2} s, {:.2} MB", median(|| drop(report.html())), report.html().len() as f64 / 1e6);
    println!(
        "  JSON: {:.2} s, {:.2} MB",
        median(|| drop(report.json().unwrap())),
        report.json().unwrap().len() as f64 / 1e6
    );
    #[cfg(feature = "png")]
    println!("  picture of dots: {:.2} s", median(|| drop(report.progress_png().unwrap())));
    drop(report);

    println!("a study that writes alone");
    second_process(&path).wait().unwrap();
    println!("the same beside a server with five browsers, one of which never reads");
    runtime.block_on(async {
        let live = Live::bind(&path, 0).await.unwrap();
        let host = live.address().unwrap().to_string();
        let server = tokio::spawn(live.serve());
        tokio::time::sleep(Duration::from_secs(5)).await;
        let (cpu, held) = used();
        println!("  server before: {held:.0} MB");
        let mut writer = second_process(&path);
        let browsers: Vec<_> = (0..5).map(|i| tokio::spawn(browser(host.clone(), i > 0))).collect();
        let mut bytes = 0;
        for browser in browsers {
            bytes += browser.await.unwrap();
        }
        tokio::task::spawn_blocking(move || writer.wait().unwrap()).await.unwrap();
        let (after, held) = used();
        println!(
            "  server: {:.1} % of a processor (what the browsers took of it is in that), {held:.0} MB, {:.1} MB sent",
            100.0 * (after - cpu) / SECONDS as f64,
            bytes as f64 / 1e6
        );
        server.abort();
    });
}
