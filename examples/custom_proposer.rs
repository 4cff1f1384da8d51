//! A proposer of one's own, in a study, and its unit tests (`cargo test --example custom_proposer`).

use autoresearch::{
    Fate, Greedy, Limits, Measurement, Proposal, ProposeContext, ProposeError, Proposed, Proposer, Study,
    TrialRecord, async_trait, evaluator_fn, executor_fn,
};

#[derive(Debug, Clone)]
struct Recipe {
    lr: f64,
}

/// Halves the learning rate until that has not helped three times in a row.
#[derive(Default)]
struct HalveTheRate {
    in_vain: u32,
}

#[async_trait]
impl Proposer<Recipe> for HalveTheRate {
    async fn propose(&mut self, cx: ProposeContext<'_, Recipe>) -> Result<Proposed<Recipe>, ProposeError> {
        if self.in_vain >= 3 {
            return Ok(Proposed::Exhausted);
        }
        let lr = cx.incumbent.lr / 2.0;
        Ok(Proposal::new(Recipe { lr }).title(format!("lr {lr:.1e}")).expecting(0.01).into())
    }

    fn observe(&mut self, settled: &TrialRecord<Recipe>) {
        self.in_vain = if settled.fate == Fate::Kept { 0 } else { self.in_vain + 1 };
    }
}

fn loss(recipe: &Recipe) -> f64 {
    (recipe.lr.log10() + 3.0).abs()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let report = Study::new(
        Recipe { lr: 0.1 },
        HalveTheRate::default(),
        executor_fn(|recipe: Recipe, _run| async move { Ok(loss(&recipe)) }),
        evaluator_fn(|loss: &f64| Ok(Measurement::scalar(*loss)?)),
    )
    .acceptor(Greedy::new()) // nothing here is noisy
    .limits(Limits::new().proposals(50))
    .run()
    .await?;
    println!("{report}best: {:?}", report.stack());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoresearch_core::{RunFailure, testkit};

    #[test] // no runtime, no clock, no files: the search strategy alone
    fn it_stops_halving_when_it_hurts() {
        let played = testkit::play(HalveTheRate::default(), Recipe { lr: 0.1 }, 20, |r, _seed| loss(r));
        assert!(played.incumbent().lr > 4e-4 && played.incumbent().lr < 2e-3);
    }

    #[tokio::test] // the whole study, with the executor in the test's hands
    async fn a_crash_counts_against_the_proposal_and_a_lost_node_does_not() {
        let (executor, mut runs) = testkit::mock_executor();
        let study = Study::new(Recipe { lr: 0.1 }, HalveTheRate::default(), executor, testkit::loss())
            .acceptor(Greedy::new())
            .limits(Limits::new().proposals(2));
        let study = tokio::spawn(study.run());
        runs.baseline().finish(1.0);
        runs.next().await.fail(RunFailure::infrastructure("node lost"));
        let again = runs.next().await;
        assert_eq!(again.attempt(), 1);
        again.finish(0.9);
        runs.next().await.fail(RunFailure::candidate("out of memory"));
        let report = study.await.expect("no panic").expect("a report");
        assert_eq!((report.kept.len(), report.failed_runs, report.lost_runs), (1, 1, 1));
    }
}
