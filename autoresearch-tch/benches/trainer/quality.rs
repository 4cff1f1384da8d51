//! Bits per byte on real text: what bfloat16 costs, and how far `GptRecipe::strong` is ahead of the default.

use crate::figure::{Bound, Figure, Scale};
use crate::wait;
use autoresearch_core::{EvalContext, Evaluator, Executor, Fidelity, RunContext};
use autoresearch_tch::{BitsPerByte, Corpus, GptRecipe, GptTrainer, Precision, Split, Splits};
use std::path::Path;

/// For what bfloat16 costs: its bound is about the noise of one run.
const MANY_SEEDS: u64 = 8;
/// For what recipes give.
const SEEDS: u64 = 3;

/// What bfloat16 costs at equal steps and seeds.
pub(crate) fn bf16(scale: &Scale) -> Vec<Figure> {
    let Some(corpus) = corpus() else { return Vec::new() };
    let tokens = scale.of(300_000, 2_000);
    let test = BitsPerByte::on(corpus.test());
    let of = |precision| {
        let recipe = GptRecipe { precision, ..GptRecipe::default() };
        bits(&corpus, &test, &recipe, tokens, scale.of(MANY_SEEDS, 1))
    };
    let cost = of(Precision::Bf16) - of(Precision::F32);
    vec![Figure::new("bf16's cost at equal steps", cost, "bits/byte", Bound::AtMost(0.01))]
}

/// The best recipe that is known against the plain one, on the test split.
pub(crate) fn strong(scale: &Scale) -> Vec<Figure> {
    let Some(corpus) = corpus() else { return Vec::new() };
    let tokens = scale.of(1_300_000, 2_000);
    let test = BitsPerByte::on(corpus.test());
    let [plain, strong] = [GptRecipe::default(), GptRecipe::strong()]
        .map(|recipe| bits(&corpus, &test, &recipe, tokens, scale.of(SEEDS, 1)));
    vec![
        Figure::new("the default on the test split", plain, "bits/byte", Bound::None),
        Figure::new("`strong` on the test split", strong, "bits/byte", Bound::None),
        Figure::new("`strong` is ahead by", plain - strong, "bits/byte", Bound::AtLeast(0.3)),
    ]
}

/// The mean over seeds.
fn bits(corpus: &Splits, test: &BitsPerByte, recipe: &GptRecipe, tokens: u64, seeds: u64) -> f64 {
    let of_seed = |seed| {
        let trainer = GptTrainer::new(corpus).fidelity(Fidelity::tokens(tokens));
        wait(async {
            let run = trainer.execute(recipe.clone(), RunContext::for_test(seed)).await?;
            Ok::<_, autoresearch_core::RunFailure>(
                test.evaluate(&run, EvalContext::for_test(seed)).await?.objective(),
            )
        })
        .expect("a measured model")
    };
    (1..=seeds).map(of_seed).sum::<f64>() / seeds as f64
}

/// The works of Shakespeare, where `cargo xtask setup` has put them.
fn corpus() -> Option<Splits> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.corpus");
    if !folder.exists() {
        eprintln!("SKIPPED: bits per byte on real text: no .corpus; `cargo xtask setup` gets it");
        return None;
    }
    let texts = Corpus::read(folder).and_then(|texts| texts.cut(20_000)).expect("texts");
    Some(texts.split(Split::default()).expect("splits"))
}
