//! `autoresearch finalize`.

use super::failure::Failure;
use super::out::say;
use super::store::stored;
use super::{End, Given};
use autoresearch_core::SqliteStore;
use autoresearch_repo::{HistoryError, TaskSpec};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    given: Given,
    /// The branch's name (default: improved). Alone, without a task's file before it, it is taken for that, too.
    branch: Option<String>,
    /// The commit to write it on, where the base has moved: HEAD, a branch, a commit.
    #[arg(long, value_name = "COMMIT")]
    onto: Option<String>,
    /// Takes what was kept as the repository has it, whether or not the study's policy certifies anything.
    #[arg(long)]
    recorded: bool,
}

pub(super) async fn finalize(mut arguments: Arguments, quiet: bool) -> Result<End, Failure> {
    // `autoresearch finalize better` means a branch.
    let first = &mut arguments.given.task;
    let is_branch = arguments.branch.is_none() && first.extension().is_none() && !first.exists();
    if is_branch {
        let name = std::mem::replace(first, "task.toml".into());
        arguments.branch = name.into_os_string().into_string().ok();
    }
    let place = stored(&arguments.given)?;
    let store = SqliteStore::open_read_only(&place.store)?;
    let Some(base) = TaskSpec::base_of(&store).await? else {
        return Err(Failure::input(format!("{}: nothing is stored yet", place.store.display())));
    };
    let spec = place.spec;
    let (named, onto) = (spec.base.clone(), arguments.onto.as_deref());
    if onto.is_none() {
        // Before anything else: what is checked out now need not have the task's files.
        let now = spec.base_now()?;
        if now != base {
            let place = named.unwrap_or_else(|| "HEAD".into());
            let moved = spec.moved(&base, place, now);
            return Err(Failure::work(format!("{moved} (`--onto COMMIT`)")));
        }
    }
    let task = spec.base(base).open_to_read()?;
    let branch = arguments.branch.as_deref().unwrap_or("improved");
    let made = if arguments.recorded {
        task.finalize_recorded(branch, onto)?
    } else {
        let report = task.report(&store).await.map_err(Failure::of_stored)?;
        match onto {
            Some(onto) => task.finalize_onto(&report, branch, onto),
            None => task.finalize(&report, branch),
        }
        .map_err(|error| match error {
            HistoryError::Nothing(_) => {
                Failure::work(format!("{error} (`--recorded` takes what is recorded)"))
            }
            error => error.into(),
        })?
    };
    let many = if made.commits.len() == 1 { "" } else { "s" };
    say(format!("branch {} with {} commit{many} on {}", made.branch, made.commits.len(), made.onto));
    made.commits.iter().for_each(say);
    if !quiet {
        eprintln!("`git log {}..{}` shows them", made.onto, made.branch);
    }
    Ok(End::Done)
}
