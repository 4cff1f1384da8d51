//! A backlog: two proposers of unequal worth, a person who acts on a plain file, and what was learned in the end.
//!
//! `cargo run --example backlog`, and while it runs: `$EDITOR study.backlog.toml` in the folder that it names.

use autoresearch::{
    Curation, ExpectedGain, FieldMerge, Guarded, Limits, Measurement, Person, Proposal, ProposeContext,
    Proposed, Room, Source, Study, evaluator_fn, executor_fn, proposer_fn,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Recipe {
    lr: f64,
    width: u32,
    decay: f64,
}

/// Lower is better; every seed is luck of a standard deviation of about .006.
fn loss(recipe: &Recipe, seed: u64) -> f64 {
    let luck = (seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f64 / f64::from(1 << 24) - 0.5;
    0.2 * (recipe.lr.log10() + 2.0).abs() + 8.0 / f64::from(recipe.width) + recipe.decay + 0.02 * luck
}

/// Somebody who knows the learning rate, and somebody who turns the weight decay up and down.
fn ideas(cx: &ProposeContext<'_, Recipe>, i: u64) -> Proposal<Recipe> {
    let step = ((cx.seed >> 8) + i) % 7;
    let now = cx.incumbent.clone();
    if i.is_multiple_of(2) {
        let lr = now.lr * [0.7, 0.8, 0.9, 0.95, 1.1, 1.2, 1.4][step as usize];
        Proposal::new(Recipe { lr, ..now })
            .title(format!("lr {lr:.4}"))
            .tag("lr")
            .source(Source::proposer("tuner"))
    } else {
        let decay = now.decay + 0.001 * step as f64;
        let title = format!("decay {decay:.4}");
        Proposal::new(Recipe { decay, ..now }).title(title).tag("decay").source(Source::proposer("guesser"))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join("autoresearch-backlog");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("study.backlog.toml");
    // What a person wants to have tried, before or while the study runs.
    std::fs::write(
        &file,
        "# from our last meeting\n[[add]]\ntitle = \"twice as wide\"\nby = \"Ada\"\nchange = { width = 128 }\npinned = true\n",
    )?;
    println!("the backlog is in {}", file.display());
    let report = Study::new(
        Recipe { lr: 0.1, width: 64, decay: 0.0 },
        proposer_fn(|cx: ProposeContext<'_, Recipe>| {
            let all: Vec<_> = (0..cx.wanted as u64).map(|i| ideas(&cx, i)).collect();
            Ok(Proposed::from(all))
        }),
        executor_fn(|recipe: Recipe, run| async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok(loss(&recipe, run.seed))
        }),
        evaluator_fn(|loss: &f64| Ok(Measurement::scalar(*loss)?)),
    )
    .acceptor(Guarded::new())
    .compose(FieldMerge::new())
    .curate(Curation::new(Person::first(ExpectedGain::new())).room(Room::new(8, 16)))
    .backlog_file(&file)
    .limits(Limits::new().runs(300))
    .run()
    .await?;
    println!("{report}");
    println!("{}", std::fs::read_to_string(&file)?);
    Ok(())
}
