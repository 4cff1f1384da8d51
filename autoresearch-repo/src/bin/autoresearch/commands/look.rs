//! What a repository looks like, and the task file for it.

use super::python::Python;
use std::path::Path;

/// Programs that are likely to be the experiment, the likeliest first.
const PROGRAMS: [&str; 10] = [
    "train.py",
    "main.py",
    "run.py",
    "experiment.py",
    "bench.py",
    "train.sh",
    "run.sh",
    "bench.sh",
    "main.sh",
    "experiment.sh",
];
/// What is likely to stand before the number, and whether higher is better.
const NUMBERS: [(&str, bool); 15] = [
    ("val_bpb", false),
    ("val_loss", false),
    ("val_acc", true),
    ("val_accuracy", true),
    ("bits_per_byte", false),
    ("bits", false),
    ("accuracy", true),
    ("score", true),
    ("reward", true),
    ("perplexity", false),
    ("rmse", false),
    ("error", false),
    ("loss", false),
    ("seconds", false),
    ("latency", false),
];
/// Programs that are likely to measure, so that the run's own number need not be believed.
const EVALUATORS: [&str; 4] = ["evaluate.py", "eval.py", "evaluate.sh", "eval.sh"];
/// Bytes of a file that are looked at.
const LOOKED_AT: u64 = 1 << 20;

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Looks {
    /// `train.py` is edited and `prepare.py` is not, as in the original autoresearch.
    pub(super) original: bool,
    /// The program that is run, and edited.
    pub(super) program: Option<String>,
    /// Where the number stands, as the objective of a task file, and whether higher is better.
    pub(super) number: Option<(String, bool)>,
    /// A program that measures.
    pub(super) evaluator: Option<String>,
    /// How Python is called here.
    pub(super) python: Python,
    /// The way from the repository's top to the folder, with `/` at its end; empty where it is the top.
    pub(super) within: String,
}

impl Looks {
    /// Of this folder. Nothing in it is run.
    pub(super) fn at(folder: &Path) -> Self {
        let first =
            |names: &[&str]| names.iter().find(|name| folder.join(name).is_file()).map(ToString::to_string);
        let program = first(&PROGRAMS);
        let says = |name: &str| text(&folder.join(name)).is_some_and(|text| text.contains("val_bpb"));
        let original = program.as_deref() == Some("train.py")
            && folder.join("prepare.py").is_file()
            && (says("train.py") || says("prepare.py"));
        let others = ["prepare.py", "prepare.sh", "README.md", "program.md"];
        let number = match original {
            true => Some(("line = \"val_bpb:\"".into(), false)),
            false => {
                let names = program.as_deref().into_iter().chain(others);
                names.filter_map(|name| text(&folder.join(name))).find_map(|text| number(&text))
            }
        };
        let within = within(folder);
        let python = Python::of(folder, &within);
        Self { original, program, number, evaluator: first(&EVALUATORS), python, within }
    }

    fn command(&self, program: &str) -> String {
        let command = match program.ends_with(".py") {
            true => format!("{} {program}", self.python.command),
            false => format!("sh {program}"),
        };
        match self.within.trim_end_matches('/') {
            "" => command,
            folder => format!("cd {} && {command}", word(folder)),
        }
    }

    /// What is left to be filled in, in words.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        let all = [
            (self.program.is_none(), "`editable` and `run`: which file may change, and what runs it"),
            (self.number.is_none(), "`objective`: what stands before the number in the output"),
        ];
        all.into_iter().filter_map(|(missing, what)| missing.then_some(what)).collect()
    }

    /// The text of a task file.
    pub(super) fn task(&self, name: &str, repository: &str) -> String {
        let program = self.program.as_deref().unwrap_or("CHANGE_ME");
        let run = self.command(program);
        let (place, higher) = self.number.clone().unwrap_or_else(|| ("line = \"CHANGE_ME:\"".into(), false));
        let direction = if higher { "maximize" } else { "minimize" };
        let quoted = |text: &str| serde_json::Value::from(text).to_string(); // as TOML has them, too
        let here = |name: &str| quoted(&format!("{}{name}", self.within));
        let prepare = here("prepare.py");
        let protected = if self.original {
            format!("protected  = [{prepare}]")
        } else {
            format!("# protected = [{prepare}]")
        };
        let minutes = if self.original { "10" } else { "30" };
        let evaluator = self.evaluator.as_deref().unwrap_or("evaluate.py");
        let evaluate = format!("{} {{artifacts}}", self.command(evaluator));
        let data = match (self.python.data.as_slice(), self.original) {
            ([], true) => {
                "# The original keeps its data in ~/.cache/autoresearch, which no run sees unless it is named; and a run's HOME is\n\
                     # another one: point prepare.py at this path.\n# data = [\"/home/you/.cache/autoresearch\"]".into()
            }
            ([], false) => format!("# data = [{}]", here("data")),
            (folders, _) => {
                let folders: Vec<String> = folders.iter().map(|folder| quoted(folder)).collect();
                format!("# These are of the Python that `run` names.\ndata = [{}]", folders.join(", "))
            }
        };
        let (name, repository, program, run) =
            (quoted(name), quoted(repository), here(program), quoted(&run));
        let artifacts = here("model.json");
        let evaluate = quoted(&evaluate);
        format!(
            r#"# What `autoresearch run` may change, how it is run, and where its number stands.

# The study's name, and that of the branch autoresearch/<name> with what it keeps.
name       = {name}
# Relative to this file. The study starts from the commit that is checked out; what is not committed is no part of it.
repository = {repository}

# Which files proposals may change. `*` stays within a folder, `src/**` is all below it.
editable   = [{program}]
# Which files no run may change (checked after each run). Unless said: every file that is not editable.
{protected}

# What runs a candidate: a line for the shell, or a list of words. The variable AUTORESEARCH_SEED has the seed;
# `seed = {{ argument = "--seed" }}` hands it over as an argument instead.
run        = {run}
# Where the number stands: `line` (what stands before it), `json` (a key of a line that is JSON), `regex`, or `file` and `key`.
objective  = {{ {place}, direction = "{direction}" }}

# Variables that commands get besides PATH and the like, where they are set.
# env  = ["CUDA_VISIBLE_DEVICES"]
# What runs may read besides the repository's files, /usr and /opt: files and folders, also that of a virtual environment.
{data}
# Cards: each run has one of its own.
# gpus = ["0"]

# A run that takes more than this has failed.
limits     = {{ minutes = {minutes} }}   # also: cpu_minutes, memory = "8 GiB", disk, processes

# Proposed code sees its own folder, the system and `data`, and nothing else: docs/sandbox.md. "none" has to be said aloud.
sandbox    = "bubblewrap"

# Computes the number apart from the run, so that edited code cannot print its own score: it runs in a pristine checkout, and
# reads what the run has left: `{{artifacts}}` is the folder that these files are in.
# artifacts = [{artifacts}]
# [evaluate]
# run  = {evaluate}
# data = ["/data/validation.txt"]   # which no run sees
# The same on data that the search never steers by. Without it, what is kept may suit this one split and no other.
# [holdout]
# run  = {evaluate}
# data = ["/data/holdout.txt"]

[study]
runs = 300                # `autoresearch resume` goes on when it is raised; also: proposals, hours, money, in_flight, seed

# Who proposes: the command line of an agent, which edits the files of the folder that it starts in, with your rights and in no
# sandbox (its command may begin with `bwrap`) …
[proposer]
# agent = ["my-agent", "--prompt-file", "{{prompt}}"]
# env   = ["HOME", "MY_AGENT_KEY"]
# program = "program.md"  # goals, constraints and hints, for agents and models alike
# … or, without `agent`, the model that AUTORESEARCH_LLM_URL and AUTORESEARCH_LLM_MODEL name, or OPENAI_API_KEY, or ANTHROPIC_API_KEY.
"#
        )
    }
}

/// The way to a folder from the top of the repository that it is in.
fn within(folder: &Path) -> String {
    let top = folder.ancestors().find(|above| above.join(".git").exists());
    let way = top.and_then(|top| folder.strip_prefix(top).ok()).and_then(Path::to_str).unwrap_or_default();
    if way.is_empty() { String::new() } else { format!("{way}/") }
}

/// Where a program prints its number: behind `name:` in a line, or behind `"name":` in a line of JSON.
fn number(text: &str) -> Option<(String, bool)> {
    NUMBERS.iter().find_map(|(name, higher)| {
        text.match_indices(name).find_map(|(at, _)| {
            let (before, after) = (text[..at].chars().next_back(), &text[at + name.len()..]);
            let part = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
            let place = match before {
                Some('"') if after.starts_with("\":") => format!("json = \"{name}\""),
                _ if after.starts_with(':') && !part => format!("line = \"{name}:\""),
                _ => return None,
            };
            Some((place, *higher))
        })
    })
}

fn text(path: &Path) -> Option<String> {
    let small = path.metadata().is_ok_and(|meta| meta.is_file() && meta.len() <= LOOKED_AT);
    small.then(|| std::fs::read_to_string(path).ok()).flatten()
}

/// As one word of a shell's line.
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    match text.chars().all(plain) {
        true => text.into(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoresearch_repo::{Objective, TaskSpec};

    #[test]
    fn the_original_is_recognised_and_its_file_is_a_task() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("train.py"), "print(f\"val_bpb:          {bpb:.6f}\")\n")?;
        std::fs::write(folder.path().join("prepare.py"), "# loss: of course\n")?;
        let looks = Looks::at(folder.path());
        assert!(looks.original && looks.missing().is_empty(), "{looks:?}");
        let spec = TaskSpec::parse(&looks.task("gpt", "."), "/r")?;
        let preset = TaskSpec::karpathy("/r/.");
        assert_eq!((spec.editable, spec.protected), (preset.editable, preset.protected));
        assert_eq!((&spec.objective, spec.limits.minutes), (&preset.objective, preset.limits.minutes));
        assert_eq!((spec.name.as_str(), spec.study.runs), ("gpt", Some(300)));
        std::fs::write(folder.path().join("train.py"), "print(json.dumps({\"bits\": 3.9}))\n")?;
        let like_it = Looks::at(folder.path());
        assert!(!like_it.original && like_it.missing().is_empty(), "{like_it:?}");
        assert_eq!(
            TaskSpec::parse(&like_it.task("gpt", "."), "/r")?.objective,
            Objective::json("bits").minimize()
        );
        Ok(())
    }

    #[test]
    fn other_repositories_are_guessed_at() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let empty = Looks::at(folder.path());
        assert_eq!(empty.missing().len(), 2);
        TaskSpec::parse(&empty.task("a \"b\"", "a b\\c"), "/r")?;
        std::fs::write(folder.path().join("run.sh"), "echo \"test accuracy: 0.5\" # not my_loss: 3\n")?;
        std::fs::write(folder.path().join("evaluate.sh"), "")?;
        let looks = Looks::at(folder.path());
        assert!(!looks.original);
        assert_eq!(looks.evaluator.as_deref(), Some("evaluate.sh"));
        let text = looks.task("t", ".");
        let spec = TaskSpec::parse(&text, "/r")?;
        assert_eq!(spec.objective, Objective::line("accuracy:").maximize());
        assert_eq!(spec.run, "sh run.sh".into());
        assert!(text.contains("# run  = \"sh evaluate.sh {artifacts}\""), "{text}");
        Ok(())
    }
}
