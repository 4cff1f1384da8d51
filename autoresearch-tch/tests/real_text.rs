//! Measurements on real text: minutes of training, so they are asked for by name and not run otherwise.
//!
//! `cargo test --release -p autoresearch-tch --test real_text -- --ignored --nocapture --test-threads 1`, after
//! `cargo xtask setup` has put Shakespeare into `.corpus`.
#![allow(clippy::unwrap_used)]

use autoresearch_core::{EvalContext, Evaluator, Executor, Fidelity, RunContext};
use autoresearch_tch::{
    Activation, BitsPerByte, Corpus, Device, Devices, GptRecipe, GptTrainer, Norm, OptimizerKind, Position,
    Precision, Scale, Seeds, Split, Splits,
};
use std::path::Path;

const SEEDS: u64 = 8;
const TOKENS: u64 = 131_072;

type Edit = (&'static str, fn(&mut GptRecipe));

/// Mild edits: none changes the batches.
const EDITS: [Edit; 6] = [
    ("lr x 1.2", |r| r.lr *= 1.2),
    ("mlp_ratio x 1.5", |r| r.mlp_ratio *= 1.5),
    ("init_std x 1.25", |r| r.init_std *= 1.25),
    ("grad_clip .5", |r| r.grad_clip = 0.5),
    ("beta2 .98", |r| r.beta2 = 0.98),
    ("swiglu", |r| r.activation = Activation::Swiglu),
];

/// Several of the steps that practice has taken since the plain recipe.
fn tuned() -> GptRecipe {
    GptRecipe {
        optimizer: OptimizerKind::Muon,
        lr: 5e-3,
        activation: Activation::Relu2,
        position: Position::Rope,
        norm: Norm::Rms,
        qk_norm: true,
        tied_embeddings: false,
        zero_init_outputs: true,
        cooldown: 0.5,
        ..GptRecipe::default()
    }
}

fn corpus() -> Splits {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.corpus");
    Corpus::read(folder).unwrap().split(Split::default()).unwrap()
}

/// Validation bits per byte of each seed.
async fn measure(corpus: &Splits, recipe: &GptRecipe, seeds: Seeds) -> Vec<f64> {
    let trainer = GptTrainer::new(corpus).fidelity(Fidelity::tokens(TOKENS)).seeds(seeds);
    let validation = BitsPerByte::on(corpus.validation());
    let mut scores = Vec::new();
    for seed in 1..=SEEDS {
        let folder = tempfile::tempdir().unwrap();
        let cx = RunContext::for_test(seed).in_directory(folder.path());
        let model = trainer.execute(recipe.clone(), cx).await.unwrap();
        scores.push(validation.evaluate(&model, EvalContext::for_test(seed)).await.unwrap().objective());
    }
    scores
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

/// The covariance of two samples, with n - 1.
fn covariance(x: &[f64], y: &[f64]) -> f64 {
    let (a, b) = (mean(x), mean(y));
    x.iter().zip(y).map(|(x, y)| (x - a) * (y - b)).sum::<f64>() / (x.len() - 1) as f64
}

fn sd(x: &[f64]) -> f64 {
    covariance(x, x).sqrt()
}

/// The correlation between base and edit over seeds, pooled over edits by their covariances.
fn pooled(base: &[f64], edits: &[Vec<f64>]) -> f64 {
    let shared: f64 = edits.iter().map(|edit| covariance(base, edit)).sum();
    let own: f64 = edits.iter().map(|edit| covariance(edit, edit)).sum();
    shared / (own * covariance(base, base) * edits.len() as f64).sqrt()
}

/// The jackknife over seeds (Tukey, 1958) on Fisher's scale: 95 % with a normal quantile, about.
fn interval(base: &[f64], edits: &[Vec<f64>]) -> (f64, f64) {
    let without = |x: &[f64], left: usize| -> Vec<f64> {
        x.iter().enumerate().filter(|(index, _)| *index != left).map(|(_, x)| *x).collect()
    };
    let n = base.len() as f64;
    let all = pooled(base, edits).atanh();
    let values: Vec<f64> = (0..base.len())
        .map(|left| {
            let edits: Vec<_> = edits.iter().map(|edit| without(edit, left)).collect();
            n * all - (n - 1.0) * pooled(&without(base, left), &edits).atanh()
        })
        .collect();
    let (centre, error) = (mean(&values), sd(&values) / n.sqrt());
    ((centre - 1.96 * error).tanh(), (centre + 1.96 * error).tanh())
}

/// Base and edits on equal seeds, and what the noise of the base is made of; the pooled correlation must be above 0.
async fn report(name: &str, origin: GptRecipe) {
    let corpus = corpus();
    let base = measure(&corpus, &origin, Seeds::of_run()).await;
    println!("{name}: {:.4} bits per byte, sd {:.4} over {SEEDS} seeds", mean(&base), sd(&base));
    let mut all = Vec::new();
    for (edit, change) in EDITS {
        let mut recipe = origin.clone();
        change(&mut recipe);
        let scores = measure(&corpus, &recipe, Seeds::of_run()).await;
        let gain: Vec<f64> = base.iter().zip(&scores).map(|(base, score)| base - score).collect();
        let rho = covariance(&base, &scores) / (sd(&base) * sd(&scores));
        println!("  {edit:<16} gain {:+.4}, sd of pairs {:.4}, rho {rho:.2}", mean(&gain), sd(&gain));
        all.push(scores);
    }
    let (low, high) = interval(&base, &all);
    println!("  pooled rho {:.2}, 95 % about {low:.2} to {high:.2}", pooled(&base, &all));
    for (what, seeds) in
        [("order alone", Seeds::of_run().init(1)), ("initial weights alone", Seeds::of_run().order(1))]
    {
        println!("  sd of {what} {:.4}", sd(&measure(&corpus, &origin, seeds).await));
    }
    assert!(low > 0.0, "equal seeds are worth nothing at {name}");
}

#[tokio::test]
#[ignore = "minutes of training on real text"]
async fn equal_seeds_make_mild_edits_of_the_plain_recipe_alike() {
    report("plain", GptRecipe::default()).await;
}

#[tokio::test]
#[ignore = "minutes of training on real text"]
async fn equal_seeds_make_mild_edits_of_a_tuned_recipe_alike() {
    report("tuned", tuned()).await;
}

/// Prints and promises nothing: how long things take is the machine's business.
#[tokio::test]
#[ignore = "a minute of training on real text"]
async fn where_the_time_of_a_run_goes() {
    let trainer = GptTrainer::new(&corpus()).fidelity(Fidelity::tokens(300_000));
    let yardstick = GptRecipe { heads: 4, depth: 4, context: 128, batch: 32, ..GptRecipe::default() };
    let muon = GptRecipe { optimizer: OptimizerKind::Muon, ..yardstick.clone() };
    let bf16 = GptRecipe { precision: Precision::Bf16, ..yardstick.clone() };
    let small = GptRecipe::default();
    for (name, recipe) in [("small", small), ("yardstick", yardstick), ("muon", muon), ("bf16", bf16)] {
        let folder = tempfile::tempdir().unwrap();
        let cx = RunContext::for_test(1).in_directory(folder.path());
        let run = trainer.execute(recipe, cx).await.unwrap().metrics;
        let phases = run.phases.unwrap();
        let share = |seconds: f64| 100.0 * seconds / run.seconds;
        println!(
            "{name:<9} {:6.0} tokens/s; forward {:.1} %, backward {:.1} %, optimiser {:.1} %, else {:.2} %; first step \
             after {:.3} s; memory {:.2} GB, alone {}",
            run.tokens_per_s,
            share(phases.forward),
            share(phases.backward),
            share(phases.optimizer),
            100.0 * run.overhead.unwrap(),
            run.first_step_seconds,
            run.memory_gb.unwrap_or(f64::NAN),
            run.memory_alone,
        );
    }
}

/// Whether the best learning rate of a small model is the best one of a larger one, by the rules of `Scale` and with rate
/// and initial weights as they are: bits per byte on validation, a row a scale. On a card where there is one.
#[tokio::test]
#[ignore = "minutes on a card, hours without"]
async fn learning_rates_carry_over() {
    let corpus = corpus();
    let device = if tch::Cuda::is_available() { Device::Cuda(0) } else { Device::Cpu };
    let trainer = GptTrainer::new(&corpus).fidelity(Fidelity::tokens(4_000_000)).device(device);
    let validation = BitsPerByte::on(corpus.validation()).devices(Devices::shared(device));
    let small = GptRecipe { batch: 32, context: 128, zero_init_outputs: true, ..GptRecipe::default() };
    let plain = GptRecipe { tied_embeddings: false, ..small.clone() };
    let muon = GptRecipe { optimizer: OptimizerKind::Muon, lr: 3e-3, ..plain.clone() };
    let rates = [0.25, 0.5, 1.0, 2.0, 4.0];
    println!("{:>34} {rates:>8.2?} times lr 4e-3, Muon's .02", "");
    for (name, recipe) in [("AdamW", GptRecipe { lr: 4e-3, ..plain }), ("Muon", muon)] {
        for (depth, width, ruled) in [(1, 1, true), (1, 4, true), (1, 4, false), (4, 4, true)] {
            let mut row = Vec::new();
            for rate in rates {
                let rated = match recipe.optimizer {
                    OptimizerKind::Muon => GptRecipe { muon_lr: recipe.muon_lr * rate, ..recipe.clone() },
                    _ => GptRecipe { lr: recipe.lr * rate, ..recipe.clone() },
                };
                let mut larger = Scale::new().depth(depth).width(width).apply(&rated).unwrap();
                if !ruled {
                    let GptRecipe { depth, heads, kv_heads, .. } = larger;
                    larger = GptRecipe { depth, heads, kv_heads, ..rated };
                }
                let mut scores = Vec::new();
                for seed in 1..=2 {
                    let folder = tempfile::tempdir().unwrap();
                    let cx = RunContext::for_test(seed).in_directory(folder.path());
                    let model = trainer.execute(larger.clone(), cx).await.unwrap();
                    let measured = validation.evaluate(&model, EvalContext::for_test(seed)).await.unwrap();
                    scores.push(measured.objective());
                }
                row.push(mean(&scores));
            }
            let how = if ruled { "" } else { ", no rule" };
            println!("{:>34} {row:>8.3?}", format!("{name}, depth x {depth}, width x {width}{how}"));
        }
    }
}
