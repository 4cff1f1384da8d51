//! What a run costs beside its command, on small and large repositories, and what a thousand runs leave behind.
//!
//! `cargo bench -p autoresearch-repo --bench repo [-- --json] [-- --only PART]`; `cargo xtask bench repo` runs the same. Without
//! `--bench` (under `cargo test --benches`) everything is played small, to see that it works.

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("SKIPPED: this crate is for Linux");
}

#[cfg(target_os = "linux")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    linux::main().await
}

#[cfg(target_os = "linux")]
mod linux {
    use autoresearch_core::{EvalContext, Evaluator, Executor, RunContext, RunId};
    use autoresearch_llm::SourceTree;
    use autoresearch_repo::{GitTree, Objective, Sandbox, Task};
    use std::error::Error;
    use std::fs;
    use std::path::Path;
    use std::process::Command;
    use std::time::Instant;

    type Done<T> = Result<T, Box<dyn Error>>;

    /// A figure, and the most that it may be.
    struct Figure {
        name: String,
        value: f64,
        unit: &'static str,
        at_most: Option<f64>,
    }

    impl Figure {
        fn shown(&self, json: bool) -> String {
            let ok = self.at_most.map(|most| self.value <= most);
            if json {
                let (name, value, unit) = (&self.name, self.value, self.unit);
                return serde_json::json!({"name": name, "value": value, "unit": unit, "at_most": self.at_most, "ok": ok})
                    .to_string();
            }
            let bound = self.at_most.map(|most| format!("  (at most {most})")).unwrap_or_default();
            format!("{:58} {:>12.3} {}{bound}", self.name, self.value, self.unit)
        }
    }

    pub(super) async fn main() -> Done<()> {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let has = |flag: &str| args.iter().any(|arg| arg == flag);
        let only = args.iter().position(|arg| arg == "--only").and_then(|i| args.get(i + 1));
        let wanted = |part: &str| only.is_none_or(|only| part.contains(only.as_str()));
        let full = has("--bench");
        let show = |figures: Vec<Figure>| {
            figures.iter().for_each(|figure| println!("{}", figure.shown(has("--json"))))
        };
        let sizes: &[(usize, f64)] = if full { &[(2000, 150.0), (50_000, 1000.0)] } else { &[(20, 150.0)] };
        for &(files, bound) in sizes.iter().filter(|_| wanted("overhead")) {
            let reps = if full { 31 } else { 3 };
            show(overhead(files, full.then_some(bound), reps).await?);
        }
        if wanted("left") {
            show(left(if full { 1000 } else { 5 }).await?);
        }
        Ok(())
    }

    /// A repository with so many files of up to 8 kB in folders of a hundred, and one script.
    fn repository(folder: &Path, files: usize) -> Done<()> {
        for i in 0..files {
            let within = folder.join(format!("src/m{:03}", i / 100));
            if i % 100 == 0 {
                fs::create_dir_all(&within)?;
            }
            let line = format!("value_{i} = {}\n", i * 7919 % 1000);
            let size = [500, 1000, 2000, 4000, 8000][i % 5];
            let text: String = line.chars().cycle().take(size).collect();
            fs::write(within.join(format!("f{i:05}.py")), text)?;
        }
        fs::write(folder.join("train.sh"), "echo loss: 1\n")?;
        let identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "gc.auto=0"];
        for words in [&["init", "-q"][..], &["add", "-A"], &["commit", "-q", "-m", "files"]] {
            let done = Command::new("git").arg("-C").arg(folder).args(identity).args(words).status()?;
            if !done.success() {
                return Err(format!("git {words:?} failed").into());
            }
        }
        Ok(())
    }

    fn sandbox() -> Sandbox {
        let words = ["--unshare-all", "--ro-bind", "/", "/", "true"];
        match Command::new("bwrap").args(words).status() {
            Ok(status) if status.success() => Sandbox::bubblewrap(),
            _ => {
                eprintln!("there is no working `bwrap`: measured without a sandbox");
                Sandbox::none()
            }
        }
    }

    fn task(folder: &Path) -> Done<Task> {
        let task = Task::at(folder.join("repo")).editable(["train.sh"]).run("sh train.sh").minutes(1.0);
        let task =
            task.objective(Objective::line("loss:").minimize()).sandbox(sandbox()).work(folder.join("work"));
        Ok(task.open()?)
    }

    /// One run of an edit of its own, measured, its folder deleted; milliseconds.
    async fn run(task: &Task, folder: &Path, n: u64) -> Done<f64> {
        let tree: GitTree = task
            .baseline()
            .with([("train.sh".to_string(), Some(format!("# {n}\necho loss: 1\n").into()))].into())?;
        let begun = Instant::now();
        let mut cx = RunContext::for_test(n).in_directory(folder.join(format!("run-{n}")));
        cx.run = RunId(n);
        cx.study = format!("bench-{}", std::process::id()).into();
        let output = task.executor().execute(tree, cx).await?;
        let mut cx = EvalContext::for_test(n);
        cx.run = RunId(n);
        let measured = task.evaluator().evaluate(&output, cx).await?;
        fs::remove_dir_all(folder.join(format!("run-{n}")))?;
        let milliseconds = begun.elapsed().as_secs_f64() * 1000.0;
        if measured.objective() != 1.0 {
            return Err("the run gave another number".into());
        }
        Ok(milliseconds)
    }

    async fn overhead(files: usize, bound: Option<f64>, reps: u64) -> Done<Vec<Figure>> {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("repo"))?;
        repository(&folder.path().join("repo"), files)?;
        let begun = Instant::now();
        let task = task(folder.path())?;
        let opened = begun.elapsed().as_secs_f64() * 1000.0;
        let first = run(&task, folder.path(), 0).await?;
        let mut times = Vec::new();
        for n in 1..=reps {
            times.push(run(&task, folder.path(), n).await?);
        }
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        let figure = |what: &str, value, at_most| Figure {
            name: format!("{files} files: {what}"),
            value,
            unit: "ms",
            at_most,
        };
        Ok(vec![
            figure("opening the task", opened, None),
            figure("the first run, which makes a folder", first, None),
            figure("a run, median", at(0.5), bound),
            figure("a run, 9 of 10", at(0.9), None),
        ])
    }

    /// What is there after so many runs that was not there before.
    async fn left(runs: u64) -> Done<Vec<Figure>> {
        let folder = tempfile::tempdir()?;
        let repo = folder.path().join("repo");
        fs::create_dir(&repo)?;
        repository(&repo, 50)?;
        let count = |words: &[&str]| -> Done<f64> {
            let output = Command::new("git").arg("-C").arg(&repo).args(words).output()?;
            Ok(String::from_utf8_lossy(&output.stdout).lines().count() as f64)
        };
        let processes = || -> Done<f64> {
            let me = std::process::id().to_string();
            let output = Command::new("ps").args(["-o", "pid=", "--ppid", &me]).output()?;
            // `ps` itself is one of them.
            Ok(String::from_utf8_lossy(&output.stdout).lines().count() as f64 - 1.0)
        };
        let (refs, worktrees, children) =
            (count(&["for-each-ref"])?, count(&["worktree", "list"])?, processes()?);
        let task = task(folder.path())?;
        for n in 0..runs {
            run(&task, folder.path(), n).await?;
        }
        drop(task);
        let names = |path: &Path| -> Done<f64> {
            let found = fs::read_dir(path)?
                .flatten()
                .filter(|entry| entry.file_name() != "lock" && entry.file_name() != "jobs");
            Ok(found.count() as f64)
        };
        let jobs = names(&folder.path().join("work/jobs"))?;
        let figure = |what: &str, value, unit| Figure {
            name: format!("after {runs} runs: {what}"),
            value,
            unit,
            at_most: Some(0.0),
        };
        Ok(vec![
            figure("references more", count(&["for-each-ref"])? - refs, "refs"),
            figure("worktrees more", count(&["worktree", "list"])? - worktrees, "trees"),
            figure("processes more", processes()? - children, "processes"),
            figure("folders of runs", names(&folder.path().join("work"))?, "folders"),
            figure("what the launcher has left", jobs, "entries"),
            figure("files and folders beside", names(folder.path())? - 2.0, "entries"),
        ])
    }
}
