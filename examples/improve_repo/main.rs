//! A repository that improves: `cargo run --release -p autoresearch-repo --example improve_repo`.
//!
//! `repository/` is a small language model in plain Python: `train.py` may be edited, `evaluate.py` measures what it leaves, on text
//! that no run sees. It is copied into a temporary git repository, so that nothing of yours is touched. Who proposes:
//!
//! | | |
//! |---|---|
//! | nothing said | a list of edits (`script.rs`): good, useless, broken and dishonest ones. About a minute |
//! | `-- model` | the language model that AUTORESEARCH_LLM_URL and AUTORESEARCH_LLM_MODEL name, or else the small local one of `cargo xtask setup --llm`, which writes nothing that is an edit, and shows that such answers cost no run |
//! | `-- agent my-agent --flag {prompt}` | an agent's command line, with your rights and your HOME |
//!
//! Each run is behind bubblewrap; where there is none, `-- --no-sandbox` before all else says that what is proposed may have your rights.
//!
//! The program `autoresearch` does the same with a task.toml and no Rust.

#[cfg(target_os = "linux")]
#[path = "../support/local_model.rs"]
mod local_model;
#[cfg(target_os = "linux")]
mod script;

#[cfg(target_os = "linux")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    improve::improve().await
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("runs are kept apart by what Linux has for that: see this on a Linux machine");
}

#[cfg(target_os = "linux")]
mod improve {
    use super::{local_model, script};
    use autoresearch_core::{Progress, Proposer, SqliteStore};
    use autoresearch_llm::{CommandProposer, LlmProposer, LocalAgent};
    use autoresearch_repo::{GitTree, Measuring, Objective, Sandbox, StudySpec, Task, TaskSpec};
    use autoresearch_report::Report;
    use std::error::Error;
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::time::Duration;

    /// Runs of the study, and proposals: a model or an agent would go on for ever.
    const RUNS: u64 = 140;
    const PROPOSALS: u64 = 12;

    pub(super) async fn improve() -> Result<(), Box<dyn Error>> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/improve_repo").canonicalize()?;
        let folder = tempfile::Builder::new().prefix("improve_repo-").tempdir()?.keep();
        let repository = repository(&here.join("repository"), &folder.join("repository"))?;
        let mut words: Vec<String> = std::env::args().skip(1).collect();
        let bare = words.first().is_some_and(|word| word == "--no-sandbox");
        let sandbox = if bare { Sandbox::none() } else { Sandbox::bubblewrap() };
        words.drain(..usize::from(bare));
        let task = open(task(&repository, &here.join("held")), sandbox)?;
        task.notices().iter().for_each(|notice| eprintln!("note: {notice}"));

        // The local model's server ends with this.
        let (proposer, _server) = proposer(&task, &here, words)?;
        let store = SqliteStore::open(folder.join("study.db"))?;
        let report = task.study(proposer).store(store).observer(Progress::bar()).run().await?;
        println!("{report}");

        Report::open(folder.join("study.db"))?
            .titled("improve_repo")
            .write_html(folder.join("report.html"))?;
        println!("{}", folder.join("report.html").display());
        match task.finalize(&report, "improved") {
            Ok(made) => {
                let log = format!("{}..{}", made.onto, made.branch);
                println!("{}, branch {}:\n", repository.display(), made.branch);
                println!("{}", git(&repository, &["log", "--stat", "--reverse", &log])?);
            }
            Err(nothing) => println!("there is no branch: {nothing}"),
        }
        Ok(())
    }

    /// A copy, as a git repository with one commit.
    fn repository(from: &Path, to: &Path) -> Result<PathBuf, Box<dyn Error>> {
        std::fs::create_dir_all(to)?;
        for name in ["train.py", "prepare.py", "evaluate.py", "program.md", "train.txt"] {
            std::fs::copy(from.join(name), to.join(name))?;
        }
        git(to, &["init", "-q", "-b", "main"])?;
        git(to, &["add", "-A"])?;
        git(to, &["commit", "-q", "-m", "A small language model"])?;
        Ok(to.into())
    }

    fn task(repository: &Path, held: &Path) -> TaskSpec {
        let measure = |name: &str| {
            let text = held.join(name);
            let command = format!("python3 -B evaluate.py {{artifacts}} '{}'", text.display());
            Measuring::new(command).data(text)
        };
        let mut spec = Task::at(repository)
            .name("improve")
            .editable(["train.py"])
            .run("python3 -B train.py")
            .artifacts(["model.json"])
            .objective(Objective::json("bits").minimize())
            .evaluate(measure("validation.txt"))
            .holdout(measure("holdout.txt"))
            .minutes(1.0)
            .memory(1 << 30);
        let at_once = std::thread::available_parallelism().map_or(1, |n| n.get().min(4));
        spec.study = StudySpec {
            runs: Some(RUNS),
            proposals: Some(PROPOSALS),
            in_flight: Some(at_once),
            seed: Some(1),
            ..spec.study
        };
        spec
    }

    /// Behind a sandbox; without one only where that is said.
    fn open(spec: TaskSpec, sandbox: Sandbox) -> Result<Task, Box<dyn Error>> {
        spec.sandbox(sandbox).open().map_err(|error| match error.key.as_str() {
            "sandbox" => format!("{}; here: `-- --no-sandbox`, before all else", error.message).into(),
            _ => error.into(),
        })
    }

    type Chosen = (Box<dyn Proposer<GitTree>>, Option<local_model::Server>);

    fn proposer(task: &Task, here: &Path, words: Vec<String>) -> Result<Chosen, Box<dyn Error>> {
        let mut words = words.into_iter();
        let program = std::fs::read_to_string(here.join("repository/program.md"))?;
        match words.next().as_deref() {
            None => Ok((Box::new(script::proposer()), None)),
            Some("model") => {
                let (model, server) = local_model::model()?;
                let model = LlmProposer::new(model, task.codec()).program(program);
                // The small one is slow, and has little to say.
                let small = server.is_some();
                let model = if small { model.plain_text().answer_tokens(200).repairs(0) } else { model };
                Ok((Box::new(model), server))
            }
            Some("agent") => {
                let agent =
                    LocalAgent::new(words.next().ok_or("which agent? `-- agent my-agent --flag {prompt}`")?);
                let agent = agent.args(words).env("HOME").limit(Duration::from_secs(600));
                let agent = CommandProposer::new(agent, task.spec().editable.clone())?.program(program);
                Ok((Box::new(agent), None))
            }
            Some(other) => {
                Err(format!("{other}: say nothing, `model`, or `agent` and its command line").into())
            }
        }
    }

    fn git(repository: &Path, words: &[&str]) -> Result<String, Box<dyn Error>> {
        let who = [
            "-c",
            "user.name=improve_repo",
            "-c",
            "user.email=improve_repo@localhost",
            "-c",
            "commit.gpgsign=false",
        ];
        let output = Command::new("git").arg("-C").arg(repository).args(who).args(words).output()?;
        match output.status.success() {
            true => Ok(String::from_utf8(output.stdout)?),
            false => {
                Err(format!("git {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr)).into())
            }
        }
    }
}
