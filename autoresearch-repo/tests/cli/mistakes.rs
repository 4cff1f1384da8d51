//! What makes no sense is told: what, where, and what to do.

use crate::support::{AGENT, Repo};
use std::fs;

#[track_caller]
fn refused(repo: &Repo, words: &[&str], status: i32, told: &[&str]) {
    let said = repo.says(words);
    assert_eq!(said.status, Some(status), "{words:?}: {said:?}");
    assert!(said.err.contains("error: "), "{words:?}: {said:?}");
    for text in told {
        assert!(said.err.contains(text), "{words:?}, {text:?}: {said:?}");
    }
}

#[test]
fn files_and_options_that_make_no_sense() {
    let repo = Repo::new();
    for command in ["run", "resume", "status", "report", "finalize"] {
        refused(&repo, &[command], 2, &["task.toml: there is no such file", "autoresearch init"]);
    }
    refused(&repo, &["run", "--fast"], 2, &["--fast"]);
    refused(&repo, &["audit", "results.tsv"], 2, &["results.tsv"]);
    fs::write(repo.beside("results.tsv"), "a\tb\n").unwrap();
    refused(&repo, &["audit", "results.tsv"], 2, &[]);
    refused(&repo, &["audit", "results.tsv", "--df", "3"], 2, &["--noise"]);

    fs::write(repo.task(), "repository = \".\"\neditable = [\n").unwrap();
    refused(&repo, &["run"], 2, &["task.toml:2: "]);
    repo.write_task("speed = 3\n");
    refused(&repo, &["run"], 2, &["task.toml:8: ", "unknown field `speed`"]);
    repo.write_task("[proposer]\nagent = \" \"\n");
    refused(&repo, &["run"], 2, &["task.toml:9: proposer.agent: ", "empty"]);
    repo.write_task("[proposer]\nprogram = \"no.md\"\n");
    refused(&repo, &["run"], 2, &["task.toml:9: ", "no.md cannot be read"]);
    repo.write_task("");
    refused(&repo, &["run"], 2, &["nobody proposes", "agent = ", "AUTORESEARCH_LLM_URL"]);
    for command in ["resume", "status", "report", "finalize"] {
        refused(&repo, &[command], 2, &["there is no study at", "autoresearch run task.toml"]);
    }
    let text = fs::read_to_string(repo.task()).unwrap();
    fs::write(repo.task(), text.replace("\"repo\"", "\".\"")).unwrap();
    refused(&repo, &["run"], 2, &["task.toml:1: repository: "]);
}

/// Each mistake in the file is told with its line, what it is, and what is to be written.
#[test]
fn mistakes_in_the_file() {
    let repo = Repo::new();
    repo.write_task("[proposer]\nagent = \"true\"\n");
    let text = fs::read_to_string(repo.task()).unwrap();
    let cases: [(&str, &str, &[&str]); 9] = [
        (", direction = \"minimize\"", "", &["task.toml:6: objective: ", "which way is better", "maximize"]),
        ("[\"train.sh\"]", "\"train.sh\"", &["task.toml:3: ", "expected a list, as in"]),
        ("minutes = 1", "minutes = \"ten\"", &["task.toml:7: ", "expected a number"]),
        ("minutes = 1", "processes = -3", &["task.toml:7: ", "expected a whole number"]),
        ("minutes = 1", "minutes = 1e300", &["limits.minutes: 1e300 minutes are no limit", "below"]),
        ("\"train.sh\"]", "\"src/**\"]", &["task.toml:3: editable: ", "matches no file"]),
        (
            "run =",
            "protected = [\"train.sh\"]\nrun =",
            &["task.toml:4: protected: ", "both editable and protected"],
        ),
        (
            "\"repo\"",
            "\"nowhere\"",
            &["task.toml:1: repository: there is no folder", "name a git repository"],
        ),
        ("[proposer]", "[study]\nruns = 3\n[proposer]", &["the limit on runs is 3", "raise the limit"]),
    ];
    for (from, to, told) in cases {
        fs::write(repo.task(), text.replacen(from, to, 1)).unwrap();
        refused(&repo, &["run"], 2, told);
        assert!(!repo.says(&["run"]).err.contains("began with"), "nothing has begun yet");
    }
    fs::write(repo.beside("log.jsonl"), "{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":\"y\"}\n").unwrap();
    let said = repo.says(&["audit", "log.jsonl"]);
    assert!(!(said.out + &said.err).contains(".metric("), "options are called as they are here");
}

/// Who looks for a run's files in the wrong place is told where they are.
#[test]
fn an_evaluator_that_looks_in_the_wrong_place() {
    let repo = Repo::new();
    repo.write("train.sh", "echo 'loss: 5' > model.txt\n");
    repo.git(&["commit", "-q", "-am", "leaves a file"]);
    let measures =
        |file: &str| format!("artifacts = [\"model.txt\"]\nevaluate = {{ run = \"cat {file}\" }}\n");
    repo.write_task(&measures("model.txt"));
    refused(&repo, &["init"], 1, &["hint: what a run leaves is in the folder", "`{artifacts}/model.txt`"]);
    repo.write_task(&measures("{artifacts}/model.txt"));
    assert!(repo.does(&["init"]).out.contains("baseline, seed 1: 5 in"));
}

/// `autoresearch audit … | head -1`: who reads has had enough, and nothing went wrong.
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let repo = Repo::new();
    fs::write(repo.beside("log.tsv"), "commit\tloss\tstatus\na\t2\tkeep\nb\t1\tkeep\n").unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = repo.command(&["audit", "log.tsv"]);
    let output = command.stdout(writer).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn repositories_that_cannot_be_begun_with() {
    let repo = Repo::new();
    fs::create_dir(repo.beside("plain")).unwrap();
    refused(&repo, &["init", "plain"], 2, &["repository: "]);
    refused(&repo, &["init", "nowhere"], 2, &["nowhere: ", "name a folder of a git repository"]);
    assert!(!repo.task().exists(), "nothing is written for what is no repository");
    repo.write("train.sh", "exit 3\n");
    repo.git(&["mv", "train.sh", "go.sh"]);
    repo.git(&["commit", "-q", "-am", "another name"]);
    refused(&repo, &["init", "repo"], 2, &["CHANGE_ME", "`editable` and `run`"]);
    repo.write_task("");
    let text = fs::read_to_string(repo.task()).unwrap();
    fs::write(repo.task(), text.replace("train.sh", "go.sh")).unwrap();
    refused(&repo, &["init", "repo"], 1, &["the baseline gave no number on seed 1", "3"]);
}

#[test]
fn a_store_of_another_study_is_not_gone_on_with() {
    let repo = Repo::new();
    let more = format!("[study]\nruns = 60\nproposals = 1\n[proposer]\n{AGENT}");
    repo.write_task(&more);
    repo.does(&["run", "-q", "--store", "one.db"]);
    let text = fs::read_to_string(repo.task()).unwrap();
    fs::write(repo.task(), text.replace("sh train.sh", "sh ./train.sh")).unwrap();
    for words in [&["resume", "--store", "one.db"][..], &["finalize", "--store", "one.db"]] {
        refused(&repo, words, 2, &["give the task another `name`"]);
    }
    fs::write(repo.beside("no.db"), "this is no database, and long enough to be looked at as one").unwrap();
    refused(&repo, &["resume", "--store", "no.db"], 2, &["no.db"]);
}

#[test]
fn the_readme_shows_a_task() {
    let readme = include_str!("../../README.md");
    let text = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let spec = autoresearch_repo::TaskSpec::parse(text, "/r").unwrap();
    assert!(spec.evaluate.is_some() && spec.holdout.is_some() && spec.proposer.agent.is_some());
    assert_eq!(spec.proposer.program.as_deref(), Some(std::path::Path::new("/r/program.md")));
}
