//! The script that runs a job on a node of a Ray cluster, without one.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::path::Path;
use std::process::{Command, Stdio};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/ray/job.py");

fn spec(script: &str, collect: &[&str], limits: Value, at: Option<&Path>) -> Value {
    json!({
        "launch": "L", "at": at, "command": ["/bin/sh", "-c", script], "folder": null, "env": {}, "files": {},
        "packed": [], "modes": {}, "collect": collect, "limits": limits, "echo": 0, "returned": 1 << 20,
    })
}

fn script(spec: &Value, scratch: &Path) -> Command {
    let mut python = Command::new("python3");
    python
        .args(["-I", SCRIPT])
        .env("AUTORESEARCH_SPEC", STANDARD.encode(spec.to_string()))
        .env("TMPDIR", scratch);
    python.stdin(Stdio::null());
    python
}

fn record(archive: impl Read + Seek) -> (Value, Vec<String>) {
    let mut archive = zip::ZipArchive::new(archive).unwrap();
    let mut text = String::new();
    archive.by_name("exit.json").unwrap().read_to_string(&mut text).unwrap();
    let names = (0..archive.len()).map(|at| archive.by_index(at).unwrap().name().unwrap().into_owned());
    let names = names.collect();
    (serde_json::from_str(&text).unwrap(), names)
}

/// What came of a job of this shell script: its record, and the names in the archive.
fn run(said: &str, collect: &[&str], limits: Value) -> (Value, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let spec = spec(said, collect, limits, Some(folder.path()));
    let status = script(&spec, folder.path()).stdout(Stdio::null()).status().unwrap();
    let file = File::open(folder.path().join("exit-L.zip"));
    record(file.unwrap_or_else(|why| panic!("{status}: {why}")))
}

/// Without a folder: the record as it stands in the log.
fn logged(said: &str) -> Value {
    let scratch = tempfile::tempdir().unwrap();
    let output = script(&spec(said, &[], json!({}), None), scratch.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, rest) =
        text.split_once("autoresearch-ray L begin ").unwrap_or_else(|| panic!("no record: {text}"));
    let (_, rest) = rest.split_once('\n').unwrap();
    let (data, _) = rest.split_once('\u{1}').unwrap();
    record(Cursor::new(STANDARD.decode(data.replace('\n', "")).unwrap())).0
}

#[test]
fn what_is_meant_for_the_library_is_not_lost_in_what_a_job_says() {
    let own = "printf 'mid-line \\001autoresearch-begun 7a\\n'";
    let record = logged(&format!(
        "{own}; head -c 300000 /dev/zero | tr '\\0' x; echo; printf '\\001autoresearch-half'; exit 3"
    ));
    assert_eq!(record["own"], json!(["\u{1}autoresearch-begun 7a"]));
    assert!(!record["stdout"].as_str().unwrap().contains("begun"), "{record}");
    // Nor is there more of it than a record holds.
    let record = logged(
        "i=0; while [ $i -lt 9000 ]; do printf '\\001autoresearch-progress %0100d\\n' $i; i=$((i+1)); done",
    );
    let own: usize = record["own"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().len()).sum();
    assert!((200 << 10..=256 << 10).contains(&own), "{own}");
}

#[test]
fn more_than_may_be_collected_is_not_packed() {
    let (record, names) =
        run("printf 12 >a; truncate -s 1T b; printf 3 >c", &["[abc]"], json!({"collected": 3}));
    assert_eq!(names, ["exit.json", "out/a", "out/c"]);
    assert_eq!(record["not_collected"], json!(["b: its 1099511627776 bytes are more than may be collected"]));
}

#[test]
fn a_job_can_end_its_own_children_by_signals() {
    for signal in ["TERM", "INT", "HUP"] {
        let (record, _) = run(&format!("kill -{signal} $$; sleep 0.1; exit 5"), &[], json!({}));
        let number = match signal {
            "TERM" => 15,
            "INT" => 2,
            _ => 1,
        };
        assert_eq!(record["ended"], json!({"signal": number}), "{signal}: {record}");
    }
}

#[test]
fn a_file_that_cannot_be_had_does_not_take_the_run_with_it() {
    // Its name is no UTF-8; of files without permission the superuser sees nothing.
    let (record, names) = run(
        "echo 1 >a.txt; : >\"$(printf 'b\\377.txt')\"; : >c.txt; chmod 0 c.txt",
        &[r".*\.txt"],
        json!({}),
    );
    assert_eq!(record["ended"], json!({"status": 0}), "{record}");
    assert!(names.contains(&"out/a.txt".to_owned()), "{names:?}");
    let missed = record["not_collected"].as_array().unwrap_or_else(|| panic!("nothing is told: {record}"));
    assert!(missed.iter().any(|why| why.as_str().unwrap().contains("no UTF-8")), "{missed:?}");
    let root = rustix::process::getuid().is_root();
    assert_eq!(missed.len(), if root { 1 } else { 2 }, "{missed:?}");
}
