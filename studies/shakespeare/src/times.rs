//! What a run costs.

use crate::recipes::{Start, space};
use crate::task::{Size, Task};
use anyhow::Result;
use autoresearch_core::{ProposeContext, Proposed, Proposer, RandomSearch};
use autoresearch_tch::GptRecipe;
use std::path::Path;
use std::time::Instant;

/// Runs the starting points and recipes that differ from one in one or two keys, one after the other.
pub(crate) async fn print(task: &Task, draws: u64, root: &Path) -> Result<()> {
    println!("{:>24} {:>9} {:>9} {:>7} {:>9} {:>9}", "recipe", "bits", "test", "steps", "training", "in all");
    for start in Start::ALL {
        one(task, start.name(), start.recipe(), root).await?;
    }
    let mut proposer = RandomSearch::over(space());
    let start = Start::Plain.recipe();
    for seed in 0..draws {
        let cx = ProposeContext::for_test(&start, seed);
        if let Proposed::Proposals(proposals) = proposer.propose(cx).await? {
            for proposal in proposals {
                one(task, &proposal.hypothesis.title, proposal.candidate, root).await?;
            }
        }
    }
    Ok(())
}

async fn one(task: &Task, name: &str, recipe: GptRecipe, root: &Path) -> Result<()> {
    let from = Instant::now();
    let name: String = name.chars().take(60).collect();
    match task.run(recipe, 1, Size::Small, &root.join("times")).await {
        Ok(run) => println!(
            "{:>9.4} {:>9.4} {:>7} {:>9.2} {:>9.2}  {name}",
            run.validation.all,
            run.test.all,
            run.steps,
            run.seconds,
            from.elapsed().as_secs_f64()
        ),
        Err(failure) => println!("{failure} {:.2}  {name}", from.elapsed().as_secs_f64()),
    }
    Ok(())
}
