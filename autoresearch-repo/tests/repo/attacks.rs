//! Edited code that cheats: each attack fails, or is the candidate's failure.

use crate::support::{Repo, edited, failed_as, has_sandbox, snapshot};
use autoresearch_core::{EvalContext, Evaluator, FailureKind};
use autoresearch_repo::{Measuring, Sandbox, Task};
use std::fs;
use std::process::Command;

const SCORE: &str = "echo loss: $(cat \"$AUTORESEARCH_ARTIFACTS/model\")\n";

/// A repository with a scorer that no edit reaches, and held-out data.
struct Fort {
    repo: Repo,
    task: Task,
}

impl Fort {
    fn new() -> Option<Self> {
        let repo =
            Repo::new(&[("train.sh", "echo 9 >model\n"), ("score.sh", SCORE), ("prepare.sh", "true\n")]);
        fs::create_dir(repo.beside("held")).unwrap();
        fs::write(repo.beside("held/secret"), "42\n").unwrap();
        let held = format!(
            "echo loss: $(($(cat \"$AUTORESEARCH_ARTIFACTS/model\") + $(cat {}/secret)))",
            repo.beside("held").display()
        );
        let spec = repo.spec().artifacts(["model"]).evaluate(Measuring::new("sh score.sh"));
        let spec =
            spec.holdout(Measuring::new(held).data(repo.beside("held"))).sandbox(Sandbox::bubblewrap());
        // Long enough for a machine that has other things to do.
        let mut spec = spec.minutes(0.5).memory(256 << 20).disk(8 << 20);
        spec.limits.output = autoresearch_repo::Bytes(1 << 20);
        has_sandbox().then(|| Self { task: spec.open().unwrap(), repo })
    }

    async fn attack(
        &self,
        script: &str,
    ) -> Result<autoresearch_core::Measurement, autoresearch_core::RunFailure> {
        let tree = edited(&self.task.baseline(), "train.sh", &format!("{script}\n"));
        self.repo.run(&self.task, &tree, 1).await
    }

    fn log(&self) -> String {
        fs::read_to_string(self.repo.beside("run-1/stdout.log")).unwrap()
    }
}

#[tokio::test]
async fn a_printed_number_is_not_believed() {
    let Some(fort) = Fort::new() else { return };
    let measured = fort.attack("echo 9 >model; echo loss: 0; (echo loss: -1)").await.unwrap();
    assert_eq!(measured.objective(), 9.0);
}

#[tokio::test]
async fn a_scorer_that_was_edited_is_found_and_not_used() {
    let Some(fort) = Fort::new() else { return };
    for script in [
        "echo 9 >model; echo 'echo loss: 0' >score.sh",
        "echo 9 >model; ln score.sh x; echo 'echo loss: 0' >x; rm x",
        "echo 9 >model; mv score.sh y; ln -s y score.sh",
        "echo 9 >model; rm prepare.sh",
        "echo 9 >model; cp score.sh z; echo '#' >>z; mv z score.sh",
        // The times are put back.
        "echo 9 >model; touch -r score.sh t; sed -i 's/loss/lxss/' score.sh; touch -r t score.sh",
    ] {
        let told = failed_as(FailureKind::Tampering, fort.attack(script).await);
        assert!(told.contains("score.sh") || told.contains("prepare.sh"), "{script}: {told}");
    }
    // A second name alone changes nothing; and the file is its own again in the next run.
    fort.attack("echo 9 >model; ln score.sh keep").await.unwrap();
    let measured = fort.attack("echo 9 >model; stat -c %h score.sh; ls").await.unwrap();
    assert_eq!((measured.objective(), fort.log().lines().next()), (9.0, Some("1")));
}

#[tokio::test]
async fn nothing_outside_can_be_read_or_written() {
    let Some(fort) = Fort::new() else { return };
    let (repo, held) = (fort.repo.path(), fort.repo.beside("held"));
    let before = snapshot(&repo);
    let script = format!(
        "echo 9 >model; cat {held}/secret {repo}/.git/config {repo}/train.sh {work}/*/lock; ls {run} {repo} {held}; ls /root /home\n\
         echo x >{repo}/evil; echo x >{held}/evil; echo x >/usr/evil; echo x >../evil; echo x >{run}/evil; ls ..",
        held = held.display(),
        repo = repo.display(),
        work = fort.repo.beside("work").display(),
        run = fort.repo.beside("run-1").display(),
    );
    fort.attack(&script).await.unwrap();
    // What it takes for the folder above is within its own `/tmp`.
    assert_eq!(fort.log(), "evil\ntree\n");
    assert!(!snapshot(&fort.repo.beside("work")).iter().any(|(path, _)| path.ends_with("evil")));
    assert_eq!(snapshot(&repo).len(), before.len() + 2, "the objects of one edit, and nothing else");
    assert_eq!(fs::read_dir(&held).unwrap().count(), 1);
    assert!(!std::path::Path::new("/usr/evil").exists());
    // The holdout's own command reads it.
    let output = fort.repo.execute(&fort.task, &fort.task.baseline(), 2).await.unwrap();
    let held = fort.task.holdout().unwrap().evaluate(&output, EvalContext::for_test(2)).await.unwrap();
    assert_eq!(held.objective(), 51.0);
}

#[tokio::test]
async fn artifacts_that_are_links_or_pipes_are_not_taken() {
    let Some(fort) = Fort::new() else { return };
    let secret = fort.repo.beside("held/secret");
    for script in [
        format!("ln -s {} model", secret.display()),
        "mkfifo model".into(),
        "mkdir model".into(),
        "ln -s score.sh model".into(),
        "ln -s /dev/zero model".into(),
    ] {
        let told = failed_as(FailureKind::InvalidMetric, fort.attack(&script).await);
        assert!(told.contains("left no file `model`"), "{script}: {told}");
    }
}

#[tokio::test]
async fn what_the_holdout_says_is_not_told() {
    let Some(fort) = Fort::new() else { return };
    // The scorer takes it; the holdout's arithmetic does not.
    let tree = edited(&fort.task.baseline(), "train.sh", "echo '1 x' >model\n");
    let output = fort.repo.execute(&fort.task, &tree, 1).await.unwrap();
    let failure = fort.task.holdout().unwrap().evaluate(&output, EvalContext::for_test(1)).await.unwrap_err();
    assert_eq!(failure.message(), "the command of [holdout] gave no number");
}

#[tokio::test]
async fn a_daemon_does_not_outlive_its_run() {
    let Some(fort) = Fort::new() else { return };
    let mark = format!("8{}", std::process::id());
    fort.attack(&format!("echo 9 >model; setsid sh -c 'sleep {mark}' >/dev/null 2>&1 & nohup sleep {mark} >/dev/null 2>&1 & echo 9 >model"))
        .await
        .unwrap();
    let found = Command::new("pgrep").args(["-f", &format!("sleep {mark}")]).output();
    assert!(found.is_err() || found.is_ok_and(|found| found.stdout.is_empty()));
}

#[tokio::test]
async fn a_run_that_forks_without_end_is_ended() {
    let Some(fort) = Fort::new() else { return };
    let mut spec = fort.task.spec().clone();
    spec.limits.processes = 30;
    let task = spec.open().unwrap();
    let tree = edited(&task.baseline(), "train.sh", "while true; do sleep 30 & done\n");
    let told = failed_as(FailureKind::Crash, fort.repo.run(&task, &tree, 1).await);
    assert!(told.contains("limit of processes"), "{told}");
}

#[tokio::test]
async fn a_run_that_fills_the_disk_is_ended() {
    let Some(fort) = Fort::new() else { return };
    let told = failed_as(FailureKind::Crash, fort.attack("exec head -c 100000000 /dev/zero >big").await);
    assert!(told.contains("limit of file size"), "{told}");
    for many in [
        "i=0; while true; do i=$((i + 1)); head -c 1000000 /dev/zero >f$i; done",
        "i=0; while true; do i=$((i + 1)); head -c 1000000 /dev/zero >/tmp/f$i; done",
        "seq 1 5000 | xargs mkdir; sleep 60",
        // Files without a name.
        "exec python3 -c 'import os,time\nk=[]\nfor i in range(40):\n f=open(\"x\",\"wb\"); f.write(bytes(1000000)); f.flush(); os.unlink(\"x\"); k.append(f)\ntime.sleep(60)' || exit 9",
    ] {
        let result = fort.attack(many).await;
        if many.contains("python3") && Command::new("python3").arg("--version").output().is_err() {
            continue;
        }
        let told = failed_as(FailureKind::Crash, result);
        assert!(told.contains("limit of disk space"), "{many}: {told}");
    }
}

#[tokio::test]
async fn git_is_not_led_astray() {
    let Some(fort) = Fort::new() else { return };
    let before = snapshot(&fort.repo.path().join(".git/hooks"));
    let config = fs::read(fort.repo.path().join(".git/config")).unwrap();
    let evil = fort.repo.beside("evil");
    let script = format!(
        "echo 9 >model; git init -q . 2>/dev/null; mkdir -p .git/hooks; printf '[core]\\n fsmonitor = touch {evil}\\n hooksPath = .git/hooks\\n' \
         >.git/config; printf '#!/bin/sh\\ntouch {evil}\\n' >.git/hooks/post-checkout; chmod +x .git/hooks/*; echo 'gitdir: /tmp' >x; \
         echo '* filter=evil' >.gitattributes; git config --global core.pager 'touch {evil}' 2>/dev/null; true",
        evil = evil.display()
    );
    assert_eq!(fort.attack(&script).await.unwrap().objective(), 9.0);
    assert_eq!(fort.attack("echo 8 >model; ls -a").await.unwrap().objective(), 8.0);
    assert!(!fort.log().contains(".git"), "{}", fort.log());
    assert!(!evil.exists());
    assert_eq!(snapshot(&fort.repo.path().join(".git/hooks")), before);
    assert_eq!(fs::read(fort.repo.path().join(".git/config")).unwrap(), config);
}

#[tokio::test]
async fn hooks_and_filters_of_the_repository_do_not_run() {
    let repo =
        Repo::new(&[("train.sh", "echo loss: 1\n"), (".gitattributes", "*.sh filter=evil merge=evil\n")]);
    let evil = repo.beside("evil");
    let touch = format!("touch {}", evil.display());
    for key in
        ["filter.evil.smudge", "filter.evil.clean", "merge.evil.driver", "core.fsmonitor", "core.sshCommand"]
    {
        repo.git(&["config", key, &touch]);
    }
    let hook = repo.path().join(".git/hooks/reference-transaction");
    fs::write(&hook, format!("#!/bin/sh\n{touch}\n")).unwrap();
    Command::new("chmod").arg("+x").arg(&hook).status().unwrap();
    fs::remove_file(&evil).unwrap_or_default();
    let task = repo.spec().editable(["train.sh", ".gitattributes"]).open().unwrap();
    fs::remove_file(&evil).unwrap_or_default(); // looking for what is not committed may ask the user's own filters
    let one = edited(&task.baseline(), "train.sh", "echo loss: 2\n");
    let two = edited(&task.baseline(), "train.sh", "echo loss: 3\n");
    use autoresearch_core::Compose;
    assert!(task.composer().apply(&one, &task.baseline(), &two).is_err());
    assert_eq!(repo.run(&task, &one, 1).await.unwrap().objective(), 2.0);
    assert!(!evil.exists());
}

#[tokio::test]
async fn a_huge_number_file_and_a_flood_of_output_are_failures() {
    let Some(fort) = Fort::new() else { return };
    let told = failed_as(FailureKind::Crash, fort.attack("yes").await);
    assert!(told.contains("output"), "{told}");
    let mut spec = fort.task.spec().clone();
    spec.evaluate = None;
    spec.holdout = None;
    spec.limits.disk = autoresearch_repo::Bytes(64 << 20);
    spec.objective = autoresearch_repo::Objective::file("model").minimize();
    let task = spec.open().unwrap();
    let tree = edited(&task.baseline(), "train.sh", "head -c 30000000 /dev/zero >model\n");
    let told = failed_as(FailureKind::InvalidMetric, fort.repo.run(&task, &tree, 3).await);
    assert!(told.contains("30000000 bytes"), "{told}");
}

#[tokio::test]
async fn a_run_has_no_network() {
    let Some(fort) = Fort::new() else { return };
    fort.attack("echo 9 >model; ls /sys/class/net 2>/dev/null; cat /proc/net/route | wc -l").await.unwrap();
    assert_eq!(fort.log().lines().last(), Some("1"), "no route but the table's head");
}
