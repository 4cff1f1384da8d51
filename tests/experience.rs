//! Users' code as it should read: compiled here, so that no change of a signature makes it longer.

use autoresearch::*;
use autoresearch_core::testkit;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Recipe {
    lr: f64,
    width: u32,
}

impl Recipe {
    fn space() -> ParamSpace {
        ParamSpace::new().log_float("lr", 1e-4..=1.0).int("width", 32..=256)
    }
}

impl Default for Recipe {
    fn default() -> Self {
        Self { lr: 0.1, width: 64 }
    }
}

struct Model {
    loss: f64,
    seed: u64,
}

impl Model {
    fn losses(&self, split: u64) -> Vec<f64> {
        let noise = |i: u64| ((self.seed * 31 + split * 7 + i) as f64 * 12.9898).sin() * 0.02;
        (0..8).map(|i| self.loss + noise(0) + noise(i)).collect()
    }
    fn validation_losses(&self) -> Vec<f64> {
        self.losses(0)
    }
    fn holdout_losses(&self) -> Vec<f64> {
        self.losses(1)
    }
}

async fn train(recipe: Recipe, seed: u64) -> Result<Model, RunFailure> {
    Ok(Model { loss: (recipe.lr.log10() + 2.0).abs() + 10.0 / f64::from(recipe.width), seed })
}

/// No type annotations beyond candidate and output; options in any order.
#[tokio::test]
async fn a_study() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let report = Study::new(
        Recipe { lr: 1e-3, width: 64 },
        LocalSearch::over(Recipe::space()),
        executor_fn(|recipe: Recipe, run| async move { train(recipe, run.seed).await }),
        evaluator_fn(|model: &Model| Ok(Measurement::new(model.validation_losses())?)),
    )
    .holdout(evaluator_fn(|model: &Model| Ok(Measurement::new(model.holdout_losses())?)))
    .limits(Limits::new().runs(120))
    .store(SqliteStore::open(folder.path().join("study.db"))?)
    .in_flight(2)
    .observer(|notice: &Notice<'_>, status: &Status| drop(format!("{notice:?} {status:?}")))
    .seed(7)
    .run()
    .await?;
    println!("{report}");
    let best: &Recipe = report.certified();
    assert!(best.lr > 1e-3 || best.width > 64);
    Ok(())
}

struct HalveTheRate;

#[async_trait]
impl Proposer<Recipe> for HalveTheRate {
    async fn propose(&mut self, cx: ProposeContext<'_, Recipe>) -> Result<Proposed<Recipe>, ProposeError> {
        let lr = cx.incumbent.lr / 2.0;
        Ok(Proposal::new(Recipe { lr, ..*cx.incumbent }).title(format!("lr {lr:.1e}")).expecting(0.01).into())
    }
}

#[test]
fn a_strategy_alone() {
    let played = testkit::play(HalveTheRate, Recipe::default(), 20, |r, _seed| (r.lr.log10() + 3.0).abs());
    assert!(played.incumbent().lr > 4e-4);
}

#[tokio::test]
async fn a_study_in_the_tests_hands() {
    let (executor, mut runs) = testkit::mock_executor();
    let study = Study::new(Recipe::default(), HalveTheRate, executor, testkit::loss());
    let study = tokio::spawn(study.acceptor(Greedy::new()).limits(Limits::new().proposals(1)).run());
    runs.baseline().finish(1.0);
    runs.next().await.fail(RunFailure::infrastructure("node lost"));
    let again = runs.next().await;
    assert_eq!(again.attempt(), 1);
    again.finish(0.9);
    assert_eq!(study.await.expect("no panic").expect("a report").kept.len(), 1);
}

/// A rule of one's own.
#[tokio::test]
async fn a_rule() -> Result<(), StudyError> {
    let report = Study::new(
        Recipe::default(),
        LocalSearch::over(Recipe::space()),
        executor_fn(|recipe: Recipe, run| async move { train(recipe, run.seed).await }),
        evaluator_fn(|model: &Model| Ok(Measurement::new(model.validation_losses())?)),
    )
    .acceptor(acceptor_fn(|evidence: &Evidence| {
        match stats::welch(evidence.candidate(), evidence.incumbent()).p {
            p if p < 0.01 => Verdict::Accept,
            _ if evidence.pairs() >= 8 => Verdict::Reject,
            _ => Verdict::more(2),
        }
    }))
    .limits(Limits::new().runs(100))
    .run()
    .await?;
    assert!(!report.kept.is_empty());
    Ok(())
}

/// A language model improves a libtorch recipe. Compiled, not run: that takes a model and minutes.
#[cfg(all(feature = "llm", feature = "tch", feature = "sqlite"))]
#[allow(dead_code)]
async fn a_language_model_improves_a_libtorch_recipe() -> Result<(), Box<dyn std::error::Error>> {
    use autoresearch::llm::{LlmProposer, OpenAiCompatible, ParamCodec};
    use autoresearch::tch::{BitsPerByte, Corpus, GptRecipe, GptTrainer, Split};
    let corpus = Corpus::read("texts/")?.split(Split::default())?;
    let model = OpenAiCompatible::from_env()?;
    let report = Study::new(
        GptRecipe::default(),
        LlmProposer::new(model, ParamCodec::of::<GptRecipe>()).program("Lower bits per byte."),
        GptTrainer::new(&corpus).fidelity(Fidelity::tokens(2_000_000)),
        BitsPerByte::on(corpus.validation()),
    )
    .holdout(BitsPerByte::on(corpus.holdout()))
    .test_split(BitsPerByte::on(corpus.test()))
    .store(SqliteStore::open("study.db")?)
    .run()
    .await?;
    println!("{report}");
    Ok(())
}
