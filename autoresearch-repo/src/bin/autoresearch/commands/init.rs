//! `autoresearch init`.

use super::failure::Failure;
use super::look::Looks;
use super::noise::noise;
use super::out::say;
use super::python::hint;
use super::{End, tell};
use autoresearch_repo::{Sandbox, Task, TaskSpec};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The repository, or a folder in it (default: where you are).
    repository: Option<PathBuf>,
    /// The file to write; one that is there is kept, and tried.
    #[arg(long, default_value = "task.toml", value_name = "FILE")]
    task: PathBuf,
    /// How often the baseline is tried, on different seeds. Two say a little about the noise, eight enough to plan by.
    #[arg(long, default_value_t = 2, value_name = "N")]
    runs: u64,
}

pub(super) async fn init(said: Arguments, quiet: bool) -> Result<End, Failure> {
    let path = said.task.display();
    if !said.task.exists() {
        write(&said)?;
    } else {
        is_of(&said)?;
        if !quiet {
            eprintln!("{path} is there already: it is kept, and tried");
        }
    }
    let task = Task::from_toml(&said.task)?;
    tell(task.notices(), quiet);
    let mut runs = Vec::new();
    for seed in 1..=said.runs {
        let begun = Instant::now();
        let tried = tokio::select! {
            // Every command once: one that cannot work would be found in the middle of a study.
            tried = async {
                if seed == 1 { task.try_everything(seed).await } else { task.try_baseline(seed).await }
            } => tried,
            _ = tokio::signal::ctrl_c() => return Ok(End::Stopped),
        };
        let measured = tried.map_err(|failure| {
            let told = failure.message();
            let outside = || hint(told).filter(|_| task.spec().sandbox != Some(Sandbox::None));
            let hint = artifacts(told, task.spec()).or_else(|| outside().map(String::from));
            let hint = hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
            Failure::work(format!(
                "the baseline gave no number on seed {seed}, so that nothing can be searched: {failure}{hint}"
            ))
        })?;
        say(format!(
            "baseline, seed {seed}: {} in {:.1} s",
            measured.objective(),
            begun.elapsed().as_secs_f64()
        ));
        runs.push((seed, measured));
    }
    if !runs.is_empty() {
        say(noise(&runs, task.spec().objective.direction.unwrap_or_default()));
    }
    match task.proposer() {
        _ if quiet => {}
        Err(nobody) => eprintln!("note: before `autoresearch run {path}`: {nobody}"),
        Ok(_) => eprintln!("`autoresearch run {path}` begins the search"),
    }
    Ok(End::Done)
}

/// Where a command that measures has to look, if it failed for want of a file.
fn artifacts(failure: &str, spec: &TaskSpec) -> Option<String> {
    let measures = ["evaluate", "holdout", "test"].iter().any(|key| failure.contains(&format!("[{key}]")));
    let misses = ["No such file", "Is a directory", "not found"].iter().any(|text| failure.contains(text));
    let first = spec.artifacts.first().filter(|_| measures && misses)?;
    Some(format!(
        "what a run leaves is in the folder that `{{artifacts}}` and the variable AUTORESEARCH_ARTIFACTS name, as in \
         `{{artifacts}}/{first}`; the command itself starts in a pristine checkout"
    ))
}

/// # Errors
/// The file is there, and of another repository than the one that was named.
fn is_of(said: &Arguments) -> Result<(), Failure> {
    let Some(folder) = &said.repository else { return Ok(()) };
    let spec = TaskSpec::read(&said.task)?;
    let (named, home) = (TaskSpec::new(folder).home()?, TaskSpec::new(&spec.repository).home()?);
    // Each within the folder of its repository.
    match named.parent() == home.parent() {
        true => Ok(()),
        false => Err(Failure::input(format!(
            "{} is there already, and of the repository {}; for {} name another file with `--task`",
            said.task.display(),
            spec.repository.display(),
            folder.display()
        ))),
    }
}

fn write(said: &Arguments) -> Result<(), Failure> {
    let path = &said.task;
    let folder = said.repository.as_deref().unwrap_or(Path::new("."));
    let repository = folder.canonicalize().map_err(|why| {
        Failure::input(format!("{}: {why}; name a folder of a git repository", folder.display()))
    })?;
    // A repository that is none is told before anything is written.
    TaskSpec::new(&repository).home()?;
    let looks = Looks::at(&repository);
    let cannot = |why: std::io::Error| Failure::input(format!("{} cannot be written: {why}", path.display()));
    let here = std::path::absolute(path).map_err(cannot)?;
    let here = here.parent().and_then(|folder| folder.canonicalize().ok());
    let relative = if here.as_ref() == Some(&repository) { Path::new(".") } else { &repository };
    let text = looks.task(&name(&repository), &relative.display().to_string());
    // Not over a file that appeared meanwhile.
    let mut file = std::fs::File::create_new(path).map_err(cannot)?;
    file.write_all(text.as_bytes()).map_err(cannot)?;
    if looks.original {
        eprintln!(
            "{}: the shape of the original autoresearch (train.py is edited, prepare.py is not)",
            path.display()
        );
    } else {
        eprintln!("{}: written; look through it, it is guessed", path.display());
    }
    let missing = looks.missing();
    if !missing.is_empty() {
        let path = path.display();
        return Err(Failure::input(format!(
            "{path}: fill in what says CHANGE_ME ({}), then run `autoresearch init` again: it keeps the file and tries the baseline",
            missing.join("; ")
        )));
    }
    Ok(())
}

/// A name for the study from that of the folder.
fn name(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    let name: String = name.chars().map(plain).take(60).collect();
    let name = name.trim_start_matches(['-', '_']);
    if name.is_empty() { "study".into() } else { name.into() }
}
