//! What edited code leaves in the way, and what stands in the repository itself.

use crate::support::{Repo, edited, failed_as, has_sandbox, snapshot};
use autoresearch_core::FailureKind;
use autoresearch_repo::Sandbox;
use std::fs;
use std::process::Command;

/// Folders that no path leads into, more of them in one another than a process may have open.
#[tokio::test]
async fn what_lies_deep_is_taken_away_and_what_cannot_be_is_the_candidates_failure() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let usual = Rlimit { current: Some(1024), ..getrlimit(Resource::Nofile) };
    setrlimit(Resource::Nofile, usual).unwrap();
    for sandbox in [Sandbox::none(), Sandbox::bubblewrap()] {
        if sandbox == Sandbox::bubblewrap() && !has_sandbox() {
            continue;
        }
        let repo = Repo::usual();
        let task = repo.spec().sandbox(sandbox).open().unwrap();
        for script in [
            "n=$(printf %0250d 0); for i in $(seq 30); do mkdir $n; cd -P $n; done; chmod 0 .; echo loss: 1",
            "n=$(printf d/%.0s $(seq 100)); for i in $(seq 30); do mkdir -p $n; cd -P $n; done; echo loss: 1",
        ] {
            let tree = edited(&task.baseline(), "train.sh", &format!("set -e\n{script}\n"));
            assert_eq!(repo.run(&task, &tree, 1).await.unwrap().objective(), 1.0, "{script}");
            assert_eq!(repo.left().len(), 1, "{script}");
        }
    }
    // Where there are files that are locked by a flag, and it may be set (by root).
    let repo = Repo::usual();
    let task = repo.task();
    let tree = edited(&task.baseline(), "train.sh", "touch mine\nchattr +i mine || echo no\necho loss: 1\n");
    let done = repo.run(&task, &tree, 2).await;
    let left = repo.left();
    for folder in &left {
        let mine = repo.beside("work").join(folder).join("tree/mine");
        let _ = Command::new("chattr").arg("-i").arg(mine).output();
    }
    if fs::read_to_string(repo.beside("run-2/stdout.log")).unwrap().contains("no") {
        return println!("SKIPPED: no flags of files here");
    }
    let told = failed_as(FailureKind::Tampering, done);
    assert!(told.contains("cannot be removed: mine"), "{told}");
    // Another run has another folder.
    assert_eq!(repo.run(&task, &task.baseline(), 3).await.unwrap().objective(), 903.0);
    drop(task);
    assert_eq!(repo.left(), [""; 0]);
}

#[tokio::test]
async fn merges_know_no_attributes_or_drivers_of_the_configuration() {
    use autoresearch_core::Compose;
    let repo = Repo::new(&[("train.sh", "rate=1\necho loss: 1\n")]);
    let evil = repo.beside("evil");
    repo.git(&["config", "merge.evil.driver", &format!("touch {}", evil.display())]);
    let before = snapshot(&repo.path());
    for attributes in ["* merge=evil\n", "* merge=union\n", "* merge=ours\n", "* -merge\n"] {
        repo.write(".git/info/attributes", attributes);
        let task = repo.task();
        let edit = |text: &str| edited(&task.baseline(), "train.sh", text);
        let conflict = task
            .composer()
            .apply(&edit("rate=2\necho loss: 1\n"), &task.baseline(), &edit("rate=3\necho loss: 1\n"))
            .unwrap_err();
        assert_eq!(conflict.place, "train.sh:1", "{attributes}: {conflict:?}");
        assert!(!evil.exists(), "{attributes}");
    }
    let config = |files: &[(std::path::PathBuf, Vec<u8>)]| {
        files.iter().find(|(path, _)| path.ends_with(".git/config")).cloned()
    };
    assert_eq!(config(&snapshot(&repo.path())), config(&before));
}
