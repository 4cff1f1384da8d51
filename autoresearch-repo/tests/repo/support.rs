//! Small repositories, and tasks in them.

use autoresearch_core::{EvalContext, Evaluator, Executor, Measurement};
use autoresearch_core::{FailureKind, RunContext, RunFailure};
use autoresearch_repo::{GitTree, Objective, RunOutput, Sandbox, Task, TaskSpec};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A repository with files in it, and a folder beside it.
pub(crate) struct Repo {
    folder: TempDir,
}

/// What "trains": a loss that depends on the rate, and noise that depends on the seed.
pub(crate) const TRAIN: &str = "rate=5\n\nwarmup=0\n\n. ./prepare.sh\n\nfinish $rate\n";
pub(crate) const PREPARE: &str =
    "finish() { echo \"loss: $((($1 - 2) * ($1 - 2) * 100 + AUTORESEARCH_SEED % 7))\"; }\n";

impl Repo {
    /// With these files, committed.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let repo = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(repo.path()).unwrap();
        repo.git(&["init", "-q", "-b", "main"]);
        repo.commit(files);
        repo
    }

    /// The usual ones.
    pub(crate) fn usual() -> Self {
        Self::new(&[("train.sh", TRAIN), ("prepare.sh", PREPARE), ("README", "read me\n")])
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("repo")
    }

    /// A place beside the repository.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let to = self.path().join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, text).unwrap();
    }

    pub(crate) fn commit(&self, files: &[(&str, &str)]) {
        files.iter().for_each(|(path, text)| self.write(path, text));
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "files"]);
    }

    pub(crate) fn git(&self, words: &[&str]) -> String {
        let mut command = Command::new("git");
        command
            .arg("-C")
            .arg(self.path())
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
            .args(words);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_string()
    }

    /// A task that edits `train.sh`, without a sandbox and with folders beside the repository.
    pub(crate) fn spec(&self) -> TaskSpec {
        Task::at(self.path())
            .editable(["train.sh"])
            .run("sh train.sh")
            .objective(Objective::line("loss:").minimize())
            .minutes(1.0)
            .sandbox(Sandbox::none())
            .work(self.beside("work"))
    }

    pub(crate) fn task(&self) -> Task {
        self.spec().open().unwrap()
    }

    /// A run of a tree, and its measurement.
    pub(crate) async fn run(
        &self,
        task: &Task,
        tree: &GitTree,
        seed: u64,
    ) -> Result<Measurement, RunFailure> {
        let output = self.execute(task, tree, seed).await?;
        task.evaluator().evaluate(&output, EvalContext::for_test(seed)).await
    }

    pub(crate) async fn execute(
        &self,
        task: &Task,
        tree: &GitTree,
        seed: u64,
    ) -> Result<RunOutput, RunFailure> {
        let mut cx = RunContext::for_test(seed).in_directory(self.beside(&format!("run-{seed}")));
        cx.study = format!("t{}", self.folder.path().display()).into();
        cx.run = autoresearch_core::RunId(seed);
        task.executor().execute(tree.clone(), cx).await
    }

    /// What is left in the folder of runs, but for its lock.
    pub(crate) fn left(&self) -> Vec<String> {
        let names = fs::read_dir(self.beside("work")).into_iter().flatten().flatten();
        names
            .map(|entry| entry.file_name().into_string().unwrap())
            .filter(|name| !["lock", "jobs"].contains(&name.as_str()))
            .collect()
    }
}

/// A tree with a file written anew.
pub(crate) fn edited(tree: &GitTree, path: &str, text: &str) -> GitTree {
    use autoresearch_llm::SourceTree;
    tree.with([(path.to_string(), Some(text.into()))].into()).unwrap()
}

#[track_caller]
pub(crate) fn failed_as(what: FailureKind, done: Result<Measurement, RunFailure>) -> String {
    match done {
        Ok(measured) => panic!("{what:?} was expected, and it is {measured:?}"),
        Err(failure) => {
            assert_eq!(failure.what(), what, "{failure}");
            failure.to_string()
        }
    }
}

/// Whether a sandbox can be had here; said if not.
pub(crate) fn has_sandbox() -> bool {
    let arguments = ["--unshare-all", "--ro-bind", "/", "/", "true"];
    let works = Command::new("bwrap").args(arguments).output().is_ok_and(|output| output.status.success());
    if !works {
        eprintln!("SKIPPED: no working `bwrap` here");
    }
    works
}

/// Every file below a folder with its bytes.
pub(crate) fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut files, mut open) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(here) = open.pop() {
        for entry in fs::read_dir(here).unwrap().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => open.push(entry.path()),
                false => files.push((entry.path(), fs::read(entry.path()).unwrap_or_default())),
            }
        }
    }
    files.sort();
    files
}
