//! The script that runs a job on a node of a Ray cluster, without one.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/ray/job.py");

/// What came of a job of this shell script: its record, and the names in the archive.
fn run(script: &str, collect: &[&str]) -> (Value, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let spec = json!({
        "launch": "L", "at": folder.path(), "command": ["/bin/sh", "-c", script], "folder": null, "env": {}, "files": {},
        "packed": [], "modes": {}, "collect": collect, "limits": {}, "echo": 0, "returned": 1 << 20,
    });
    let status = Command::new("python3")
        .args(["-I", SCRIPT])
        .env("AUTORESEARCH_SPEC", STANDARD.encode(spec.to_string()))
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    let file = File::open(folder.path().join("exit-L.zip"));
    let mut archive = zip::ZipArchive::new(file.unwrap_or_else(|why| panic!("{status}: {why}"))).unwrap();
    let mut text = String::new();
    archive.by_name("exit.json").unwrap().read_to_string(&mut text).unwrap();
    let names = (0..archive.len()).map(|at| archive.by_index(at).unwrap().name().unwrap().into_owned());
    (serde_json::from_str(&text).unwrap(), names.collect())
}

#[test]
fn a_job_can_end_its_own_children_by_signals() {
    for signal in ["TERM", "INT", "HUP"] {
        let (record, _) = run(&format!("kill -{signal} $$; sleep 0.1; exit 5"), &[]);
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
    let (record, names) =
        run("echo 1 >a.txt; : >\"$(printf 'b\\377.txt')\"; : >c.txt; chmod 0 c.txt", &[r".*\.txt"]);
    assert_eq!(record["ended"], json!({"status": 0}), "{record}");
    assert!(names.contains(&"out/a.txt".to_owned()), "{names:?}");
    let missed = record["not_collected"].as_array().unwrap_or_else(|| panic!("nothing is told: {record}"));
    assert!(missed.iter().any(|why| why.as_str().unwrap().contains("no UTF-8")), "{missed:?}");
    let root = rustix::process::getuid().is_root();
    assert_eq!(missed.len(), if root { 1 } else { 2 }, "{missed:?}");
}
