//! What somebody meets who uses the program for the first time.

use crate::support::{AGENT, Repo, has_sandbox};
use std::fs;
use std::process::Command;

#[test]
fn a_folder_within_a_repository() {
    let repo = Repo::new();
    fs::create_dir_all(repo.path().join("deep/my part")).unwrap();
    repo.git(&["mv", "train.sh", "deep/my part/train.sh"]);
    repo.git(&["commit", "-q", "-m", "deeper"]);
    if has_sandbox() {
        let told = repo.does(&["init", "repo/deep/my part"]);
        assert!(told.out.contains("baseline, seed 1: 901 in"), "{told:?}");
    } else {
        repo.says(&["init", "repo/deep/my part"]);
    }
    let text = fs::read_to_string(repo.task()).unwrap();
    assert!(text.contains("editable   = [\"deep/my part/train.sh\"]"), "{text}");
    assert!(text.contains("run        = \"cd 'deep/my part' && sh train.sh\""), "{text}");
    // The file that is there is of this repository, and of no other.
    let other = repo.beside("other");
    fs::create_dir(&other).unwrap();
    assert!(Command::new("git").arg("init").arg("-q").arg(&other).status().unwrap().success());
    let told = repo.says(&["init", "other"]);
    assert!(
        told.status == Some(2) && told.err.contains("is there already, and of the repository"),
        "{told:?}"
    );
}

#[test]
fn a_virtual_environment_is_found_and_one_that_is_missing_is_hinted_at() {
    let repo = Repo::new();
    let python = |words: &[&str]| Command::new("python3").args(words).current_dir(repo.path()).status();
    if !has_sandbox()
        || !python(&["-m", "venv", "--without-pip", ".venv"]).is_ok_and(|status| status.success())
    {
        return println!("SKIPPED: no sandbox, or no python3 with venv");
    }
    let packages = fs::read_dir(repo.path().join(".venv/lib")).unwrap().flatten().next().unwrap().path();
    fs::write(packages.join("site-packages/of_venv.py"), "LOSS = 7\n").unwrap();
    repo.write("train.py", "import of_venv\nprint('loss:', of_venv.LOSS)\n");
    repo.write(".gitignore", ".venv\n");
    repo.git(&["add", "-A"]);
    repo.git(&["commit", "-q", "-m", "in Python"]);
    let told = repo.does(&["init", "repo"]);
    assert!(told.out.contains("baseline, seed 2: 7 in"), "{told:?}");
    let text = fs::read_to_string(repo.task()).unwrap();
    assert!(
        text.contains("run        = \".venv/bin/python train.py\"") && text.contains("data = [\".venv\""),
        "{text}"
    );
    // As it would be written by somebody who does not know.
    let naive =
        text.replace(".venv/bin/python train.py", "python3 train.py").replace("\ndata = [", "\n# data = [");
    fs::write(repo.task(), naive).unwrap();
    let told = repo.says(&["init"]);
    assert!(told.status == Some(1) && told.err.contains("hint: ") && told.err.contains("venv"), "{told:?}");
}

#[test]
fn a_held_out_command_that_is_broken_is_found_by_init() {
    let repo = Repo::new();
    repo.write("train.sh", "echo 4 >model; echo loss: 4\n");
    repo.git(&["commit", "-q", "-am", "a model"]);
    let more = "artifacts = [\"model\"]\nholdout = { run = \"echo what is wrong >&2; exit 9\" }\n";
    repo.write_task(more);
    let told = repo.says(&["init"]);
    assert!(
        told.status == Some(1) && told.err.contains("[holdout]") && told.err.contains("what is wrong"),
        "{told:?}"
    );
}

#[test]
fn a_study_that_is_refused_can_be_begun_when_that_is_mended() {
    let repo = Repo::new();
    let task =
        |runs: u64| repo.write_task(&format!("[study]\nruns = {runs}\nproposals = 1\n[proposer]\n{AGENT}"));
    task(1);
    let refused = repo.says(&["run", "-q"]);
    if refused.status == Some(0) {
        panic!("a study of one run is none: {refused:?}");
    }
    assert!(!refused.err.contains("resume"), "{refused:?}");
    task(60);
    repo.does(&["run", "-q"]);
}

#[test]
fn finalize_takes_a_branch_alone_and_says_first_that_the_base_has_moved() {
    let repo = Repo::new();
    repo.write_task(&format!("[study]\nruns = 60\nproposals = 1\n[proposer]\n{AGENT}"));
    repo.does(&["run", "-q"]);
    let made = repo.does(&["finalize", "better"]);
    assert!(made.out.starts_with("branch better with 1 commit on "), "{made:?}");
    // What is checked out now does not have the task's file.
    repo.git(&["mv", "train.sh", "go.sh"]);
    repo.git(&["commit", "-q", "-m", "another name"]);
    let moved = repo.says(&["finalize", "later"]);
    assert!(moved.status == Some(1) && moved.err.contains("the base has moved"), "{moved:?}");
}

#[test]
fn mistakes_are_told_in_words_of_the_file() {
    let repo = Repo::new();
    for (more, told) in [
        ("artifacts = [\"../x\"]", "artifacts: "),
        ("fidelity = {}", "fidelity: say how much"),
        ("study = { in_flight = 1000000 }", "study.in_flight: "),
        ("evaluate = \"sh x\"", "expected a table with a command"),
        ("constraints = [3]", "expected a table with a metric"),
        ("work = \"~/work\"", "write the home folder out"),
    ] {
        repo.write_task(more);
        let said = repo.says(&["init"]);
        assert!(said.status == Some(2) && said.err.contains(told), "{more}: {said:?}");
        assert!(!said.err.contains("struct"), "{said:?}");
    }
}
