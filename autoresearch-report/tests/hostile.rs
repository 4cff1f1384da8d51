//! Whatever is written in a store is shown as text, and nothing in it breaks a report.
#![allow(clippy::unwrap_used)]

mod support;

use autoresearch_core::*;
use autoresearch_report::{Fold, Report, ReportError};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use support::{HOSTILE, large, stored};

/// A text of so many that have broken pages before.
fn nasty(i: usize) -> String {
    match HOSTILE.get(i % (HOSTILE.len() + 1)) {
        Some(text) => (*text).to_string(),
        None => "<svg/onload=alert(1)>".repeat(5_000),
    }
}

/// A store in which every text is hostile: names, titles, reasons, tags, keys and values of candidates, remarks, what
/// failed runs said last, what was charged for.
fn everything_is_hostile() -> Vec<Event<Value>> {
    let settings = serde_json::to_value(Settings::new().holdout(Holdout::new())).unwrap();
    let mut all = vec![json!({
        "event": "opened", "study": nasty(0), "baseline": {nasty(1): nasty(0), "a": {"b": [nasty(9), 1]}},
        "settings": settings, "policy": nasty(1), "executor": nasty(9),
    })];
    for i in 0..40u64 {
        let n = i as usize;
        let mut candidate = json!({"a": {"b": [format!("{}\n{}", nasty(n), i), i]}});
        candidate[nasty(1)] = json!(nasty(n));
        let hypothesis = json!({
            "title": nasty(n), "change": format!("-{}\n+{}\n@@ {}", nasty(n), nasty(n + 1), nasty(n + 2)),
            "rationale": nasty(n), "expected": 0.01, "tags": (0..20).map(nasty).collect::<Vec<_>>(),
        });
        all.push(json!({
            "event": "proposed", "first": i + 1, "on": [], "version": 0,
            "proposals": [{"candidate": candidate, "hypothesis": hypothesis}],
        }));
        let outcome = match i % 3 {
            0 => json!({"Ok": {"objective": 1.0 - i as f64 * 0.01, "metrics": {nasty(n): 1.0}}}),
            _ => serde_json::to_value(Err::<(), _>(RunFailure::candidate(nasty(n)))).unwrap(),
        };
        all.push(json!({
            "event": "finished", "attempt": 0, "seconds": 1.0, "elapsed": i as f64, "outcome": outcome,
            "run": {"id": i + 1, "arm": [{"proposal": i + 1}], "version": 0, "seed": i, "role": "screen"},
        }));
        all.push(json!({"event": "remarked", "text": nasty(n)}));
        all.push(json!({"event": "charged", "amount": 0.5, "what": nasty(n), "used": {nasty(n): 3}}));
        all.push(json!({"event": "deferred", "proposal": i + 1, "reason": nasty(n)}));
        let fate = ["kept", "rejected", "failed", "held_back", "set_aside", "undecided"][n % 6];
        all.push(json!({
            "event": "settled", "proposal": i + 1, "fate": fate, "version": i / 6 + 1, "runs": 1, "reason": nasty(n),
            "effect": {"mean": 0.01, "low": 0.0, "high": 0.02, "level": 0.95, "runs": 1, "fresh": false},
        }));
    }
    let stop = StopReason::ProposerFailed(nasty(1));
    all.push(json!({"event": "stopped", "reason": serde_json::to_value(stop).unwrap()}));
    all.into_iter().map(|event| serde_json::from_value(event).unwrap()).collect()
}

#[tokio::test]
async fn every_text_of_a_store_is_shown_as_text() {
    let report = Report::of(&stored(everything_is_hostile()).await).unwrap().titled(nasty(1));
    assert_eq!(report.data().state.unreadable_count, 0);
    let html = report.html();
    assert!(html.len() < 1_000_000, "{} bytes", html.len());
    assert_eq!(html.matches("<script").count(), 3);
    let allowed = [
        "!DOCTYPE",
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "a",
        "header",
        "h1",
        "h2",
        "h3",
        "p",
        "bdi",
        "code",
        "nav",
        "main",
        "section",
        "div",
        "ul",
        "li",
        "svg",
        "path",
        "desc",
        "g",
        "line",
        "text",
        "figure",
        "figcaption",
        "rect",
        "circle",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "span",
        "strong",
        "details",
        "summary",
        "pre",
        "del",
        "ins",
        "form",
        "label",
        "input",
        "select",
        "option",
        "noscript",
        "dl",
        "dt",
        "dd",
        "footer",
        "br",
    ];
    // Between its scripts the page has the elements that it is made of, no other, and no handler of events.
    let shown = html.split("<script").next().unwrap();
    for element in shown.split('<').skip(1).filter(|element| !element.starts_with('/')) {
        let name: String = element.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '!').collect();
        assert!(allowed.contains(&name.as_str()), "<{}", element.chars().take(80).collect::<String>());
        let tag = element.split('>').next().unwrap();
        let outside: String = tag.split('"').step_by(2).collect();
        assert!(!outside.contains(" on"), "{tag}");
    }
    let control = |c: char| c.is_control() && c != '\n';
    for (name, text) in [
        ("page", html.clone()),
        ("chart", report.progress_svg()),
        ("summary", report.summary()),
        ("table", report.results_tsv(&nasty(5)).replace('\t', " ")),
    ] {
        assert!(!text.contains(control), "{name} has control characters");
        // A table of plain text may say what it likes.
        assert!(name == "table" || !(text.contains("<img") || text.contains("<svg/")), "{name}");
    }
    assert!(!report.summary().contains("<script"));
    assert!(report.results_tsv("m").lines().all(|line| line.split('\t').count() == 5));
    let json: Value = serde_json::from_str(&report.json().unwrap()).unwrap();
    assert_eq!(json["proposals"].as_array().unwrap().len(), 40);
    assert_eq!(json["proposals"][0]["title"], HOSTILE[0]);
    assert_eq!(json["summary"]["headline"].as_str().unwrap(), report.in_short().headline);
}

/// A study's file with such bodies after the first events of another.
async fn file(folder: &Path, bodies: &[&[u8]]) -> std::path::PathBuf {
    let path = folder.join("study.db");
    let store = SqliteStore::open(&path).unwrap();
    store.append(Seq(0), &large(10, |i| format!("step {i}"))).await.unwrap();
    drop(store);
    let connection = Connection::open(&path).unwrap();
    for body in bodies {
        let insert = "INSERT INTO events (at, kind, body) VALUES (0, 'settled', CAST(?1 AS TEXT))";
        connection.execute(insert, [body]).unwrap();
    }
    path
}

#[tokio::test]
async fn events_that_are_no_text_or_no_event_are_told_and_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let deep = "[".repeat(100_000);
    let bodies: [&[u8]; 6] = [
        br#"{"event":"remarked","text":"half a letter: \ud800"}"#,
        b"{\"event\":\"remarked\",\"text\":\"no UTF-8: \xff\xfe\"}",
        b"",
        br#"{"event":"dreamed","of":"electric sheep"}"#,
        deep.as_bytes(),
        br#"{"event":"remarked","text":"and one that is fine"}"#,
    ];
    let path = file(folder.path(), &bodies).await;
    let report = Report::open(&path).unwrap();
    assert_eq!(report.data().state.unreadable_count, 5, "{:?}", report.data().state.unreadable);
    assert_eq!(report.data().remarks, ["and one that is fine"]);
    assert_eq!(report.data().proposals.len(), 10);
    assert!(report.html().contains("Events that cannot be understood"));
    assert!(report.summary().contains("5 events of the store cannot be understood"));
    let headline = report.in_short().headline;
    assert!(headline.starts_with("Incomplete: 5 events of this store cannot be understood"), "{headline}");
}

#[tokio::test]
async fn what_is_no_study_is_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("text.db"), "id\tval_bpb\n").unwrap();
    std::fs::write(at("nothing.db"), "").unwrap();
    let other = Connection::open(at("other.db")).unwrap();
    other.execute_batch("CREATE TABLE bookmarks (url TEXT); INSERT INTO bookmarks VALUES ('x');").unwrap();
    let newer = file(folder.path(), &[]).await;
    Connection::open(&newer).unwrap().pragma_update(None, "user_version", 999).unwrap();
    let wrong = [
        (folder.path().to_path_buf(), ""),
        (at("none.db"), "there is no such file"),
        (at("text.db"), "text.db"),
        (at("nothing.db"), "nothing.db"),
        (at("other.db"), "other.db"),
        (newer, "999"),
    ];
    for (path, part) in wrong {
        let error = Report::open(&path).unwrap_err();
        assert!(matches!(error, ReportError::Store(_)), "{}: {error:?}", path.display());
        assert!(error.to_string().contains(part), "{}: {error}", path.display());
    }
    // A study that was made and has no event yet is no error.
    let empty = at("empty.db");
    drop(SqliteStore::open(&empty).unwrap());
    let report = Report::open(&empty).unwrap();
    assert!(report.data().study.is_none() && report.html().contains("There is nothing in this store yet."));
    report.write_all(at("report")).unwrap();
    assert_eq!(report.data().state.last, Fold::new().last());
}

/// Not a test of its own: what the next one starts as a second process, and kills.
#[test]
#[ignore = "the writer of another test"]
fn writer() {
    let Some(path) = std::env::var_os("AUTORESEARCH_TEST_WRITER") else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(path).unwrap();
        let (all, mut seq) = (large(20_000, |i| format!("step {i}")), 0);
        while seq < all.len() {
            let next = (seq + 1 + seq % 7).min(all.len());
            store.append(Seq(seq as u64), &all[seq..next]).await.unwrap();
            seq = next;
        }
    });
}

#[test]
fn a_store_that_another_process_writes_and_is_killed_over_is_always_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("study.db");
    let mut writer = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer", "--ignored"])
        .env("AUTORESEARCH_TEST_WRITER", &path)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let (mut seen, mut reports) = (0, 0);
    while reports < 12 {
        match Report::open(&path) {
            Ok(report) => {
                let state = &report.data().state;
                assert_eq!((state.events, state.unreadable_count), (state.last, 0));
                assert!(state.last >= seen, "{} after {seen}", state.last);
                assert!(report.html().contains("In short"));
                reports += u32::from(state.last > seen);
                seen = state.last;
            }
            Err(error) if seen == 0 => assert!(matches!(error, ReportError::Store(_)), "{error}"),
            Err(error) => panic!("after {seen} events: {error}"),
        }
        assert!(writer.try_wait().unwrap().is_none() || seen > 0, "the writer ended");
        std::thread::sleep(Duration::from_millis(5));
    }
    writer.kill().unwrap();
    writer.wait().unwrap();
    let report = Report::open(&path).unwrap();
    assert!(report.data().state.last >= seen && !report.data().state.stopped);
    assert!(report.in_short().state.contains("it was killed and can be resumed"));
}

/// A study of so many proposals in one file, without a log.
async fn whole(folder: &Path, proposals: u64) -> std::path::PathBuf {
    let path = folder.join("study.db");
    let store = SqliteStore::open(&path).unwrap();
    store.append(Seq(0), &large(proposals, |i| format!("step {i}"))).await.unwrap();
    drop(store);
    assert!(!folder.join("study.db-wal").exists(), "the last to close it folds it back");
    path
}

#[tokio::test]
async fn reading_leaves_nothing_beside_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = whole(folder.path(), 300).await;
    let names = || {
        let all = std::fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> = all.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let (before, bytes) = (names(), std::fs::read(&path).unwrap());
    for _ in 0..2 {
        assert_eq!(Report::open(&path).unwrap().data().proposals.len(), 300);
        assert_eq!(names(), before);
    }
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "nothing is written to it either");
    // What a writer has there stays, and so does what one left that was killed.
    let store = SqliteStore::open(&path).unwrap();
    let last = Report::open(&path).unwrap().data().state.last;
    store.append(Seq(last), &[Event::<Value>::Exhausted]).await.unwrap();
    assert_eq!(Report::open(&path).unwrap().data().state.last, last + 1);
    store.append(Seq(last + 1), &[Event::<Value>::Exhausted]).await.unwrap();
    assert!(folder.path().join("study.db-wal").exists());
    drop(store);
    assert_eq!(Report::open(&path).unwrap().data().state.last, last + 2);
}

#[tokio::test]
async fn a_damaged_store_says_so_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = whole(folder.path(), 1500).await;
    let (bytes, all) = (std::fs::read(&path).unwrap(), Report::open(&path).unwrap().data().state.events);
    assert!(
        bytes.len() < 500 * 4096,
        "{} bytes: the tree has one page of its own, near the start",
        bytes.len()
    );
    // Pages overwritten in the middle; and a file cut off at a third.
    let mut spoiled = bytes.clone();
    let half = bytes.len() / 2 / 4096 * 4096;
    spoiled[half..half + 12_288].fill(0xa5);
    for (name, bytes) in [("spoiled.db", &spoiled[..]), ("cut.db", &bytes[..bytes.len() / 3])] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let report = Report::open(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let state = &report.data().state;
        assert!(state.events > 100 && state.events < all && state.broken.is_some(), "{name}: {state:?}");
        let summary = report.in_short();
        let start = "Incomplete: this store could only be read to event ";
        assert!(summary.headline.starts_with(start), "{name}: {}", summary.headline);
        assert!(
            summary.state.contains("damaged") && !summary.state.contains("is running"),
            "{}",
            summary.state
        );
        assert!(report.data().damage().is_some());
    }
    let sound = Report::open(&path).unwrap();
    assert!(sound.data().damage().is_none() && !sound.in_short().headline.contains("Incomplete"));
}

/// SQLite finds the pages with events by inner pages of their tree. A third level of it is made when the second is full, and
/// its pages lie where the file ended by then: without them there is no way to the others, and the store is refused.
#[tokio::test]
async fn a_large_store_that_is_cut_off_before_its_inner_pages_is_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = whole(folder.path(), 4000).await;
    let bytes = std::fs::read(&path).unwrap();
    let inner: Vec<usize> = (4..bytes.len() / 4096).filter(|page| bytes[page * 4096] == 5).collect();
    let first = *inner.first().expect("a tree of three levels");
    let cut = folder.path().join("cut.db");
    std::fs::write(&cut, &bytes[..first * 4096]).unwrap();
    let error = Report::open(&cut).unwrap_err();
    assert!(error.to_string().contains("Take a copy that is whole"), "{error}");
    // Behind them it is read as far as it goes.
    let last = *inner.last().unwrap();
    std::fs::write(&cut, &bytes[..(last + 40) * 4096]).unwrap();
    let report = Report::open(&cut).unwrap();
    assert!(report.data().state.events > 1000 && report.data().damage().is_some());
}
