//! From a repository to a branch.

use crate::support::{AGENT, Repo, has_sandbox, said};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn from_a_repository_to_a_branch() {
    let repo = Repo::new();
    repo.write("README", "the user's own change\n");
    repo.write("untracked", "mine\n");
    let before = repo.of_user();

    if has_sandbox() {
        let told = repo.does(&["init", "repo"]);
        for line in [
            "baseline, seed 1: 901 in",
            "baseline, seed 2: 902 in",
            "Two runs on different seeds differ by 0.11 %",
        ] {
            assert!(told.out.contains(line), "{line}: {told:?}");
        }
        for note in ["it is guessed", "there is no [holdout]", "`README`", "nobody proposes"] {
            assert!(told.err.contains(note), "{note}: {told:?}");
        }
        let text = fs::read_to_string(repo.task()).unwrap();
        assert!(text.contains("name       = \"repo\"") && text.contains("line = \"loss:\""), "{text}");
        let kept = repo.does(&["init", "repo", "--runs", "8"]);
        assert!(
            kept.err.contains("it is kept") && kept.out.contains("to tell a gain of 1 % (9.0")
                || kept.out.contains("To tell a gain of 1 % (9.0"),
            "{kept:?}"
        );
    }

    repo.write_task(&format!("[study]\nruns = 100\nproposals = 1\n[proposer]\n{AGENT}"));
    let run = repo.does(&["run", "--quiet"]);
    assert!(run.out.contains("a lower rate"), "{run:?}");
    assert!(!run.err.contains("note:"), "{run:?}");
    let status = repo.does(&["status"]);
    assert!(
        status.out.contains("Of 1 proposal one was kept") && status.out.contains("has ended"),
        "{status:?}"
    );
    let again = repo.does(&["resume"]);
    assert!(again.out.contains("a lower rate"), "a study at its end stays there: {again:?}");

    let report = repo.does(&["report", "--out", "written"]);
    assert!(report.out.contains("written/report.html"), "{report:?}");
    for name in ["report.html", "results.tsv", "summary.md", "report.json", "progress.png"] {
        assert!(repo.beside("written").join(name).is_file(), "{name}");
    }
    fs::write(repo.beside("certified.json"), "{}").unwrap();
    let wrong = repo.says(&["report", "--certified", "certified.json"]);
    assert!(wrong.status == Some(2) && wrong.err.contains("it wants a `Certified` as JSON"), "{wrong:?}");
    live_page(&repo);
    let audit = repo.does(&["audit", "written/results.tsv"]);
    assert!(!audit.out.is_empty());

    let made = repo.does(&["finalize", "task.toml", "better"]);
    assert!(made.out.starts_with("branch better with 1 commit on "), "{made:?}");
    assert!(repo.git(&["show", "better:train.sh"]).contains("rate=3"));
    assert_eq!(repo.git(&["rev-parse", "better~1"]), repo.git(&["rev-parse", "HEAD"]));
    assert_eq!(repo.of_user(), before, "working tree, HEAD, index and configuration are the user's");

    let exists = repo.says(&["finalize", "task.toml", "better"]);
    assert!(exists.status == Some(1) && exists.err.contains("the branch better exists"), "{exists:?}");

    // Somebody goes on working.
    repo.git(&["commit", "-q", "-am", "read this"]);
    let moved = repo.says(&["finalize", "task.toml", "later"]);
    assert!(
        moved.status == Some(1) && moved.err.contains("the base has moved") && moved.err.contains("--onto"),
        "{moved:?}"
    );
    repo.does(&["finalize", "task.toml", "later", "--onto", "HEAD"]);
    assert_eq!(repo.git(&["show", "later:README"]), "the user's own change");
    repo.does(&["finalize", "task.toml", "recorded", "--onto", "HEAD", "--recorded"]);
    assert_eq!(repo.git(&["rev-parse", "recorded^{tree}"]), repo.git(&["rev-parse", "later^{tree}"]));
    // And the study can be looked at and resumed on its own base.
    repo.does(&["status"]);
    repo.does(&["resume", "-q"]);
}

/// The page is served until Ctrl-C.
fn live_page(repo: &Repo) {
    let mut command = repo.command(&["report", "--live"]);
    let mut serving = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = String::new();
    BufReader::new(serving.stdout.take().unwrap()).read_line(&mut told).unwrap();
    let host = told.trim().strip_prefix("http://").unwrap().trim_end_matches('/').to_string();
    let page = || {
        let mut stream = TcpStream::connect(&host).unwrap();
        write!(stream, "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page
    };
    // Read within a second or two; before that it says that it waits.
    let found = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        page().contains("Of 1 proposal one was kept")
    });
    let sent = Command::new("kill").args(["-INT", &serving.id().to_string()]).status().unwrap();
    let ended = serving.wait().unwrap();
    assert!(found && sent.success() && ended.success(), "{told}: {found}, {ended}");
}

#[test]
fn what_is_stopped_goes_on() {
    let repo = Repo::new();
    repo.write("train.sh", &format!("sleep 0.2\n{}", crate::support::TRAIN));
    repo.git(&["commit", "-q", "-am", "slower"]);
    repo.write_task(&format!("[study]\nruns = 40\nproposals = 1\n[proposer]\n{AGENT}"));
    let running = repo.command(&["run"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let store = repo.path().join(".git/autoresearch/t/study.db");
    while !store.exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let begun = repo.does(&["status"]);
    assert!(
        begun.out.contains("has not stopped") || begun.out.contains("Nothing has been stored"),
        "{begun:?}"
    );
    let sent = Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let stopped = said(running.wait_with_output().unwrap());
    assert_eq!(stopped.status, Some(130), "{stopped:?}");
    assert!(stopped.err.contains("`autoresearch resume task.toml` goes on"), "{stopped:?}");
    let (status, nothing) = (repo.does(&["status"]).out, repo.says(&["finalize"]));
    assert!(nothing.status == Some(1) && nothing.err.contains("kept nothing"), "{nothing:?}");
    assert_eq!(repo.does(&["status"]).out, status, "nothing is added to a study by asking for its branch");
    let again = repo.says(&["run"]);
    assert!(again.status == Some(2) && again.err.contains("autoresearch resume"), "{again:?}");
    let resumed = repo.does(&["resume"]);
    assert!(resumed.out.contains("a lower rate"), "{resumed:?}");
}
