//! A small repository, and the program at work in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A loss that depends on the rate, and noise that depends on the seed.
pub(crate) const TRAIN: &str =
    "rate=5\necho \"loss: $(((rate - 2) * (rate - 2) * 100 + AUTORESEARCH_SEED % 7))\"\n";
/// An agent that lowers the rate.
pub(crate) const AGENT: &str =
    "agent = \"sed -i 's/rate=5/rate=3/' train.sh; echo 'title: a lower rate' > PROPOSAL.md\"\n";

/// What a program said, and its exit status.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) struct Repo {
    folder: TempDir,
}

impl Repo {
    pub(crate) fn new() -> Self {
        let repo = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(repo.path()).unwrap();
        repo.git(&["init", "-q", "-b", "main"]);
        repo.write("train.sh", TRAIN);
        repo.write("README", "read me\n");
        repo.git(&["add", "-A"]);
        repo.git(&["commit", "-q", "-m", "files"]);
        repo
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("repo")
    }

    /// The task's file, outside of the repository.
    pub(crate) fn task(&self) -> PathBuf {
        self.folder.path().join("task.toml")
    }

    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        fs::write(self.path().join(path), text).unwrap();
    }

    /// Writes a task file with this at its end.
    pub(crate) fn write_task(&self, more: &str) {
        let sandbox = if has_sandbox() { "bubblewrap" } else { "none" };
        let text = format!(
            "repository = \"repo\"\nname = \"t\"\neditable = [\"train.sh\"]\nrun = \"sh train.sh\"\nsandbox = \"{sandbox}\"\n\
             objective = {{ line = \"loss:\", direction = \"minimize\" }}\nlimits = {{ minutes = 1 }}\n{more}"
        );
        fs::write(self.task(), text).unwrap();
    }

    pub(crate) fn git(&self, words: &[&str]) -> String {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.path());
        command.args(["-c", "user.name=t", "-c", "user.email=t@example.org"]).args(words);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_string()
    }

    /// The program, in the folder above the repository, with no model in its environment.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_autoresearch"));
        command.args(words).current_dir(self.folder.path()).stdin(Stdio::null());
        for name in ["AUTORESEARCH_LLM_URL", "OPENAI_BASE_URL", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"] {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn says(&self, words: &[&str]) -> Said {
        said(self.command(words).output().unwrap())
    }

    /// The same of something that must succeed.
    #[track_caller]
    pub(crate) fn does(&self, words: &[&str]) -> Said {
        let said = self.says(words);
        assert_eq!(said.status, Some(0), "{words:?}: {said:?}");
        said
    }

    /// All that is the user's own: the working tree, HEAD, index, configuration, hooks, and the branch.
    pub(crate) fn of_user(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let git = self.path().join(".git");
        let theirs =
            ["HEAD", "index", "config", "hooks", "info", "refs/heads/main", "ORIG_HEAD", "worktrees"];
        let mut files = snapshot(&self.path());
        files.retain(|(path, _)| {
            !path.starts_with(&git) || theirs.iter().any(|name| path.starts_with(git.join(name)))
        });
        files
    }
}

pub(crate) fn said(output: Output) -> Said {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Whether a sandbox can be had here; said if not.
pub(crate) fn has_sandbox() -> bool {
    let words = ["--unshare-all", "--ro-bind", "/", "/", "true"];
    let works = Command::new("bwrap").args(words).output().is_ok_and(|output| output.status.success());
    if !works {
        eprintln!("SKIPPED: the sandbox, for there is no working `bwrap` here");
    }
    works
}

fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
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
