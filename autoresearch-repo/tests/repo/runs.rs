//! Runs: what comes of them, what they see, and what they leave.

use crate::support::{Repo, TRAIN, edited, failed_as, has_sandbox};
use autoresearch_core::{Executor, FailureKind, Fidelity, RunContext};
use autoresearch_repo::{FidelitySpec, Measuring, Objective, Passed, Sandbox};
use std::fs;

#[tokio::test]
async fn a_run_prints_its_number() {
    let repo = Repo::usual();
    let task = repo.task();
    let measured = repo.run(&task, &task.baseline(), 3).await.unwrap();
    assert_eq!(measured.objective(), 903.0);
    assert!(measured.metrics().contains_key("seconds"), "{measured:?}");
    let better = edited(&task.baseline(), "train.sh", &TRAIN.replace("rate=5", "rate=2"));
    assert_eq!(repo.run(&task, &better, 3).await.unwrap().objective(), 3.0);
    // The baseline is as it was, in the folder that the other one had.
    assert_eq!(repo.run(&task, &task.baseline(), 4).await.unwrap().objective(), 904.0);
    assert_eq!(repo.left().len(), 1, "one folder serves all runs, one after another");
    drop(task);
    assert_eq!(repo.left(), [""; 0]);
}

#[tokio::test]
async fn nothing_of_a_run_is_seen_by_the_next() {
    let repo = Repo::usual();
    let task = repo.task();
    let mess = "ls -a; cat README; mkdir -p d/e .git; echo x >d/e/f; echo x >>README; ln -s / up; chmod 0 d; rm prepare.sh; echo loss: 1\n";
    let messy = edited(&task.baseline(), "train.sh", mess);
    // What is not editable is protected unless said.
    let told = failed_as(FailureKind::Tampering, repo.run(&task, &messy, 1).await);
    assert!(told.contains("`README` and 1 more"), "{told}");
    let looker = edited(&task.baseline(), "train.sh", "find . | sort; cat README; echo loss: 1\n");
    let output = repo.execute(&task, &looker, 2).await.unwrap();
    let seen = fs::read_to_string(output.folder.join("stdout.log")).unwrap();
    assert_eq!(seen, ".\n./README\n./prepare.sh\n./train.sh\nread me\nloss: 1\n");
}

/// What a run could read of the one before, or tell one run from another by, beside bytes.
#[tokio::test]
async fn times_rights_and_attributes_say_nothing_of_other_runs() {
    let repo = Repo::usual();
    repo.commit(&[("d/e/f", "x\n")]);
    let task = repo.task();
    let look = "find . -printf '%p %m %n %T@\\n' | sort; getfattr -dR . 2>/dev/null; echo loss: 1\n";
    let looker = edited(&task.baseline(), "train.sh", look);
    let mut seen = Vec::new();
    for (seed, mess) in [
        "true",
        "touch -d @1 README d d/e; mkdir -p new/empty",
        "chmod 600 README; chmod 700 d",
        "ln README other",
        "setfattr -n user.a -v b README d || python3 -c 'import os; [os.setxattr(p, \"user.a\", b\"b\") for p in (\"README\", \"d\")]'",
    ]
    .into_iter()
    .enumerate()
    {
        let messy = edited(&task.baseline(), "train.sh", &format!("{mess}\necho loss: 1\n"));
        let _ = repo.run(&task, &messy, 10 + seed as u64).await;
        let output = repo.execute(&task, &looker, 50 + seed as u64).await.unwrap();
        seen.push(fs::read_to_string(output.folder.join("stdout.log")).unwrap());
    }
    let made: i64 = repo.git(&["show", "-s", "--format=%ct"]).trim().parse().unwrap();
    assert!(seen[0].contains(&format!("./d/e/f 644 1 {made}.0000000000\n")), "{}", seen[0]);
    assert!(seen[0].contains(&format!("./train.sh 644 1 {}.0000000000\n", made + 1)), "{}", seen[0]);
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
}

#[tokio::test]
async fn failures_are_told_apart() {
    let repo = Repo::usual();
    let task = repo.spec().memory(64 << 20).open().unwrap();
    let hasty = repo.spec().minutes(0.02).open().unwrap();
    let cases = [
        ("echo no good >&2; exit 3", FailureKind::Crash, "status 3"),
        ("kill -SEGV $$", FailureKind::Crash, "SIGSEGV"),
        ("sleep 60", FailureKind::Timeout, "wall-clock"),
        ("echo loss: 1; head -c 400000000 /dev/zero | tail >out", FailureKind::OutOfMemory, "memory"),
        ("echo bloss: 1", FailureKind::InvalidMetric, "no line of its output begins with \"loss:\""),
        ("echo loss: nan", FailureKind::InvalidMetric, "NaN"),
        ("echo loss: 1; echo loss: 2", FailureKind::InvalidMetric, "2 times"),
        ("echo loss: high", FailureKind::InvalidMetric, "no number"),
        ("yes", FailureKind::Crash, "output"),
    ];
    let mut small = repo.spec();
    small.limits.output = autoresearch_repo::Bytes(1 << 20);
    let small = small.open().unwrap();
    for (i, (script, kind, said)) in cases.into_iter().enumerate() {
        let task = match script {
            "yes" => &small,
            "sleep 60" => &hasty,
            _ => &task,
        };
        let tree = edited(&task.baseline(), "train.sh", &format!("{script}\n"));
        let told = failed_as(kind, repo.run(task, &tree, 10 + i as u64).await);
        assert!(told.contains(said), "{script}: {told}");
    }
    let tree = edited(&task.baseline(), "train.sh", "echo a long story; echo no good >&2; exit 3\n");
    let told = failed_as(FailureKind::Crash, repo.run(&task, &tree, 30).await);
    assert!(
        told.contains("standard error:\nno good") && told.contains("standard output:\na long story"),
        "{told}"
    );
}

#[tokio::test]
async fn a_command_is_told_its_seed_and_how_much_it_is_given() {
    let repo = Repo::new(&[("train.sh", "echo \"$@ $SEED $STEPS $AUTORESEARCH_SEED\"; echo loss: 1\n")]);
    let passed = Passed { env: Some("SEED".into()), argument: Some("--seed".into()) };
    let steps = FidelitySpec {
        steps: Some(50),
        env: Some("STEPS".into()),
        argument: Some("--n=".into()),
        ..Default::default()
    };
    let task = repo
        .spec()
        .run("sh train.sh {seed}")
        .seed(passed)
        .fidelity(steps)
        .setup("echo ready >flag")
        .open()
        .unwrap();
    let mut cx = RunContext::for_test(7).in_directory(repo.beside("run"));
    cx.fidelity = Some(Fidelity::steps(20));
    let output = task.executor().execute(task.baseline(), cx.clone()).await.unwrap();
    let said = fs::read_to_string(output.folder.join("stdout.log")).unwrap();
    assert_eq!(said.lines().next(), Some("7 --seed 7 --n=20 7 20 7"));
    // Found again after a restart, but not as another run's.
    assert_eq!(task.executor().reopen(&task.baseline(), &cx).await, Some(output));
    cx.seed = 8;
    assert_eq!(task.executor().reopen(&task.baseline(), &cx).await, None);
}

#[tokio::test]
async fn the_environment_is_what_the_task_allows_and_secrets_are_not_told() {
    let repo = Repo::new(&[("train.sh", "env; echo loss: $1\n")]);
    // `CARGO_MANIFEST_DIR` and `CARGO_PKG_NAME` are set for every test.
    let task = repo.spec().inherit(["CARGO_PKG_NAME"]).set("MY_FLAG", "on").open().unwrap();
    let told = failed_as(FailureKind::InvalidMetric, repo.run(&task, &task.baseline(), 1).await);
    assert!(told.contains("MY_FLAG=on") && told.contains("CARGO_PKG_NAME=[CARGO_PKG_NAME]"), "{told}");
    assert!(!told.contains("CARGO_MANIFEST_DIR"), "{told}");
}

#[tokio::test]
async fn the_objective_is_computed_apart_from_the_run() {
    let files =
        [("train.sh", "echo 3 >model; echo loss: 0\n"), ("score.sh", "echo loss: $(cat \"$1/model\")\n")];
    let repo = Repo::new(&files);
    let spec = repo.spec().artifacts(["model"]).evaluate(Measuring::new("sh score.sh {artifacts}"));
    let task = spec.open().unwrap();
    assert_eq!(repo.run(&task, &task.baseline(), 1).await.unwrap().objective(), 3.0);
    let empty = edited(&task.baseline(), "train.sh", "echo loss: 0\n");
    let told = failed_as(FailureKind::InvalidMetric, repo.run(&task, &empty, 2).await);
    assert!(told.contains("left no file `model`"), "{told}");
    let odd = edited(&task.baseline(), "train.sh", "echo abc >model\n");
    let told = failed_as(FailureKind::InvalidMetric, repo.run(&task, &odd, 3).await);
    assert!(told.contains("[evaluate]") && told.contains("abc"), "{told}");
}

#[tokio::test]
async fn units_constraints_and_files_come_through() {
    let script =
        "echo '{\"loss\": 2, \"values\": [1, 3], \"speed\": 9}' ; echo '{\"a\": {\"b\": 4}}' >r.json\n";
    let repo = Repo::new(&[("train.sh", script)]);
    let spec = repo
        .spec()
        .objective(Objective::json("loss").minimize())
        .metric("b", Objective::file("r.json").key("a.b"));
    let task = spec.at_most("b", 5.0).open().unwrap();
    let measured = repo.run(&task, &task.baseline(), 1).await.unwrap();
    assert_eq!(measured.units().unwrap().values(), [1.0, 3.0]);
    assert_eq!((measured.metrics()["speed"], measured.metrics()["b"]), (9.0, 4.0));
}

#[tokio::test]
async fn data_beside_the_tree_stands_where_commands_look_for_it() {
    let repo = Repo::new(&[("train.sh", "echo loss: $(cat data/x.txt)\n"), (".gitignore", "data\n")]);
    repo.write("data/x.txt", "5\n");
    for sandbox in [Sandbox::none(), Sandbox::bubblewrap()] {
        if sandbox == Sandbox::bubblewrap() && !has_sandbox() {
            continue;
        }
        let task = repo.spec().data("data").sandbox(sandbox).open().unwrap();
        for seed in [1, 2] {
            assert_eq!(repo.run(&task, &task.baseline(), seed).await.unwrap().objective(), 5.0);
        }
    }
}

#[tokio::test]
async fn two_runs_at_once_do_not_see_each_other() {
    let script = "echo $AUTORESEARCH_SEED >mine; sleep 0.3; echo loss: $(cat mine); ls | wc -l >&2\n";
    let repo = Repo::new(&[("train.sh", script)]);
    let task = repo.task();
    let baseline = task.baseline();
    let runs = (1..=4).map(|seed| repo.run(&task, &baseline, seed));
    let (a, b, c, d) = {
        let mut runs: Vec<_> = runs.collect();
        let (d, c, b, a) =
            (runs.pop().unwrap(), runs.pop().unwrap(), runs.pop().unwrap(), runs.pop().unwrap());
        tokio::join!(a, b, c, d)
    };
    for (seed, run) in [(1.0, a), (2.0, b), (3.0, c), (4.0, d)] {
        assert_eq!(run.unwrap().objective(), seed);
    }
    for seed in 1..=4 {
        let said = fs::read_to_string(repo.beside(&format!("run-{seed}")).join("stderr.log")).unwrap();
        assert_eq!(said.trim(), "2", "train.sh and mine");
    }
}

#[tokio::test]
async fn a_dropped_run_leaves_nothing() {
    let repo = Repo::new(&[("train.sh", "echo $$ >pid; sleep 600\n")]);
    let task = repo.task();
    let baseline = task.baseline();
    let run = repo.run(&task, &baseline, 1);
    let ended = tokio::time::timeout(std::time::Duration::from_millis(700), run).await;
    assert!(ended.is_err());
    assert_eq!(repo.left(), [""; 0]);
}

#[tokio::test]
async fn what_a_process_that_is_gone_has_left_is_cleared_away() {
    let repo = Repo::usual();
    let left = repo.beside("work").join("tree-1-7");
    fs::create_dir_all(left.join("tree/d")).unwrap();
    fs::write(left.join("lock"), "").unwrap();
    let task = repo.task();
    repo.run(&task, &task.baseline(), 1).await.unwrap();
    assert!(!left.exists());
    assert_eq!(repo.left().len(), 1);
}

/// In containers that share a folder, processes have the same numbers.
#[tokio::test]
async fn a_folder_of_another_process_with_the_same_number_is_let_alone() {
    let repo = Repo::usual();
    let task = repo.task();
    // As it was named once, by the number of the process and a count.
    let mut held = Vec::new();
    for n in 0..300 {
        let other = repo.beside("work").join(format!("tree-{}-{n}", std::process::id()));
        fs::create_dir_all(other.join("tree")).unwrap();
        let lock = fs::File::create(other.join("lock")).unwrap();
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
        held.push((other, lock));
    }
    assert_eq!(repo.run(&task, &task.baseline(), 1).await.unwrap().objective(), 901.0);
    assert!(held.iter().all(|(other, _)| other.join("tree").exists()));
}

#[tokio::test]
async fn everything_that_a_task_says_is_tried_on_the_baseline() {
    let repo = Repo::new(&[
        ("train.sh", "echo 3 >model; echo loss: 0\n"),
        ("score.sh", "echo loss: $(cat $1/model)\n"),
    ]);
    let score = || Measuring::new("sh score.sh {artifacts}");
    let spec = repo.spec().artifacts(["model"]).evaluate(score());
    let task = spec.clone().holdout(score()).test(score()).at_most("seconds", 1e6).open().unwrap();
    assert_eq!(task.try_everything(1).await.unwrap().objective(), 3.0);
    let broken = || Measuring::new("echo a word of it >&2; sh scroe.sh {artifacts}");
    let wrong = |name: &str, spec: autoresearch_repo::TaskSpec| (format!("[{name}]"), spec);
    for (name, spec) in
        [wrong("holdout", spec.clone().holdout(broken())), wrong("test", spec.clone().test(broken()))]
    {
        let told = spec.open().unwrap().try_everything(1).await.unwrap_err().to_string();
        assert!(told.contains(&name) && told.contains("a word of it"), "{told}");
    }
    let told = spec.at_most("secnods", 9.0).open().unwrap().try_everything(1).await.unwrap_err().to_string();
    assert!(told.contains("\"secnods\"") && told.contains("seconds"), "{told}");
}

#[tokio::test]
async fn links_modes_and_odd_names_are_as_in_the_tree() {
    let repo = Repo::usual();
    repo.write("tool", "#!/bin/sh\necho loss: 8\n");
    repo.git(&["update-index", "--add", "--chmod=+x", "tool"]);
    std::os::unix::fs::symlink("tool", repo.path().join("link")).unwrap();
    repo.commit(&[("a b/ü \"x\".txt", "odd\n"), ("crlf.txt", "a\r\nb\r\n")]);
    repo.git(&["update-index", "--chmod=+x", "tool"]);
    repo.git(&["commit", "-qm", "x", "--allow-empty"]);
    let script = "cat \"a b/ü \\\"x\\\".txt\"; od -c crlf.txt | head -1; ./link\n";
    let task = repo.task();
    let tree = edited(&task.baseline(), "train.sh", script);
    for seed in [1, 2] {
        let output = repo.execute(&task, &tree, seed).await.unwrap();
        assert_eq!(output.printed.unwrap().objective(), 8.0);
        let said = fs::read_to_string(output.folder.join("stdout.log")).unwrap();
        assert!(said.starts_with("odd\n") && said.contains("\\r"), "{said}");
    }
}

#[tokio::test]
async fn any_launcher_runs_the_jobs() {
    use autoresearch_jobs::testkit::FakeLauncher;
    use autoresearch_jobs::{Ended, JobExit};
    let repo = Repo::usual();
    let fake = FakeLauncher::answering(|_, job, _| {
        assert_eq!(job.command[2], "sh train.sh");
        let mut exit = JobExit::new(Ended::Status(0));
        exit.stdout = "loss: 12\n".into();
        Ok(exit)
    });
    let task = repo.task().on(fake);
    assert_eq!(repo.run(&task, &task.baseline(), 1).await.unwrap().objective(), 12.0);
    assert_eq!(repo.left(), [""; 0], "of a launcher that is not known no folder is used twice");
}

#[tokio::test]
async fn executor_and_evaluator_keep_their_contracts() {
    use autoresearch_core::testkit::conformance;
    let repo = Repo::new(&[
        ("train.sh", "echo $AUTORESEARCH_SEED >model; echo loss: $AUTORESEARCH_SEED\n"),
        ("score.sh", "echo loss: $(cat \"$1/model\")\n"),
    ]);
    let task =
        repo.spec().artifacts(["model"]).evaluate(Measuring::new("sh score.sh {artifacts}")).open().unwrap();
    conformance::executor(&task.executor(), &task.evaluator(), task.baseline(), 0.0).await;
    let (one, two) =
        (repo.execute(&task, &task.baseline(), 1).await, repo.execute(&task, &task.baseline(), 2).await);
    conformance::evaluator(&task.evaluator(), &one.unwrap(), &two.unwrap()).await;
}
