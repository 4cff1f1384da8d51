//! The training loop: what it gives, and how it ends when it does not.
#![allow(clippy::unwrap_used)]

mod common;

use autoresearch_core::{
    Executor, FailureKind, Fault, Fidelity, Greedy, Limits, LocalSearch, Notice, RunFailure, Status, Study,
};
use autoresearch_tch::tch::{self, Device, Kind, Tensor};
use autoresearch_tch::{
    Activation, BitsPerByte, Corpus, CurvePoint, Draws, Gpt, GptModel, GptRecipe, GptTrainer, Hopeless, Norm,
    OptimizerKind, Parameters, Position, Trainer, Training,
};
use common::{context, splits, tiny, train, validate};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn trainer(steps: u64) -> GptTrainer {
    GptTrainer::new(&splits()).fidelity(Fidelity::steps(steps))
}

#[tokio::test]
async fn the_same_seed_gives_the_same_bits_even_with_two_runs_at_once() {
    let trainer = trainer(20);
    let (a, b) = tokio::join!(train(&trainer, tiny(), 3), train(&trainer, tiny(), 3));
    let (a, b, other) = (a.unwrap(), b.unwrap(), train(&trainer, tiny(), 4).await.unwrap());
    let (bits, again, other) = (validate(&a.0).await, validate(&b.0).await, validate(&other.0).await);
    assert_eq!(bits.units(), again.units());
    assert_eq!(a.0.metrics.train_loss.to_bits(), b.0.metrics.train_loss.to_bits());
    assert_ne!(bits.objective(), other.objective());
}

#[tokio::test]
async fn every_architecture_learns() {
    let edits: [fn(&mut GptRecipe); 7] = [
        |_| (),
        |r| (r.optimizer, r.muon_lr, r.lr) = (OptimizerKind::Muon, 0.05, 0.02),
        |r| (r.activation, r.position) = (Activation::Swiglu, Position::Rope),
        |r| (r.activation, r.norm, r.qk_norm) = (Activation::Relu2, Norm::Rms, true),
        |r| (r.tied_embeddings, r.zero_init_outputs) = (false, true),
        |r| (r.logit_softcap, r.grad_clip, r.weight_decay) = (15.0, 0.0, 0.0),
        |r| (r.depth, r.heads, r.qk_gain, r.warmup, r.cooldown) = (2, 1, 2.0, 0.2, 0.5),
    ];
    for (index, edit) in edits.into_iter().enumerate() {
        let mut recipe = tiny();
        edit(&mut recipe);
        let (model, _folder) = train(&trainer(80), recipe, 1).await.unwrap();
        // Guessing blindly costs 8 bits a byte; the letters' frequencies alone bring it to about 3.4.
        let bits = validate(&model).await.objective();
        assert!(bits < 3.9, "edit {index}: {bits}");
        assert!(model.metrics.train_loss < 2.8, "edit {index}: {:?}", model.metrics);
    }
}

#[tokio::test]
async fn each_budget_ends_where_it_says() {
    let run = async |fidelity| {
        let (model, _folder) =
            train(&GptTrainer::new(&splits()).fidelity(fidelity), tiny(), 1).await.unwrap();
        model.metrics
    };
    assert_eq!(run(Fidelity::steps(7)).await.steps, 7);
    assert_eq!(run(Fidelity::tokens(64 * 5 + 63)).await.tokens, 64 * 5);
    let flops = Gpt::on(splits().train()).cost(&tiny()).flops;
    assert_eq!(run(Fidelity::flops(6.5 * flops)).await.steps, 6);
    let timed = run(Fidelity::wall_clock(Duration::from_millis(80))).await;
    assert!(timed.seconds >= 0.08 && timed.steps >= 1, "{timed:?}");
}

#[tokio::test]
async fn the_study_may_grant_another_budget() {
    let (mut cx, _folder) = context(1);
    cx.fidelity = Some(Fidelity::steps(3));
    assert_eq!(trainer(20).execute(tiny(), cx).await.unwrap().metrics.steps, 3);
}

#[tokio::test]
async fn the_curve_has_even_distances_and_ends_where_the_run_ends() {
    let (model, _folder) = train(&trainer(250), tiny(), 1).await.unwrap();
    let metrics = model.metrics;
    let steps: Vec<_> = metrics.curve.iter().map(|point| point.step).collect();
    assert_eq!(steps, (1..=83).map(|i| 3 * i).chain([250]).collect::<Vec<_>>());
    let cost = Gpt::on(splits().train()).cost(&tiny());
    for point in &metrics.curve {
        assert_eq!((point.tokens, point.flops), (64 * point.step, cost.flops * point.step as f64));
    }
    let last = metrics.curve.last().unwrap();
    assert_eq!((last.loss, last.tokens, last.flops), (metrics.train_loss, metrics.tokens, metrics.flops));
    assert!(metrics.curve.is_sorted_by(|a, b| a.seconds <= b.seconds) && metrics.curve[0].loss > last.loss);
}

#[tokio::test]
async fn a_study_hears_of_the_losses_while_a_run_trains() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&heard);
    let space = GptRecipe::space();
    Study::new(tiny(), LocalSearch::over(space), trainer(60), BitsPerByte::on(splits().validation()))
        .acceptor(Greedy::new())
        .limits(Limits::new().runs(2))
        .observer(move |notice: &Notice<'_>, _: &Status| {
            if let Notice::RunProgress { progress, .. } = notice {
                sink.lock().unwrap().push(*progress);
            }
        })
        .run()
        .await
        .unwrap();
    let heard = heard.lock().unwrap();
    assert!(!heard.is_empty());
    for progress in heard.iter() {
        assert!((1..=60).contains(&progress.step) && progress.of == Some(60), "{progress:?}");
        assert!(progress.loss.is_some_and(|loss| loss > 0.0 && loss < 8.0), "{progress:?}");
    }
}

#[tokio::test]
async fn a_hopeless_run_ends_early_and_is_a_result() {
    let full = trainer(100);
    let (incumbent, _a) = train(&full, tiny(), 1).await.unwrap();
    assert!(!incumbent.metrics.stopped_early);
    let watched = full.clone().stop_hopeless(Hopeless::against(incumbent.metrics.curve, 1.0).unwrap());

    // Equal recipes are let pass, bit for bit as they were.
    let (equal, _b) = train(&watched, tiny(), 2).await.unwrap();
    assert!(!equal.metrics.stopped_early && equal.metrics.steps == 100);
    let (unwatched, _d) = train(&full, tiny(), 2).await.unwrap();
    assert_eq!(equal.digest().unwrap(), unwatched.digest().unwrap());

    // A learning rate at which nothing is learned.
    let (stuck, _c) = train(&watched, GptRecipe { lr: 1e-5, ..tiny() }, 2).await.unwrap();
    assert!(stuck.metrics.stopped_early && stuck.metrics.steps < 100, "{:?}", stuck.metrics.steps);
    assert!(stuck.metrics.steps >= 20, "a fifth of the reference is waited for");
    assert_eq!(stuck.metrics.curve.last().map(|point| point.step), Some(stuck.metrics.steps));
    assert_eq!(validate(&stuck).await.metrics()["stopped_early"], 1.0);
    assert_eq!(validate(&equal).await.metrics()["stopped_early"], 0.0);
    let identity = |trainer: &GptTrainer| Executor::<GptRecipe>::identity(trainer);
    assert_ne!(identity(&watched), identity(&full), "it decides the outcome");
}

#[tokio::test]
async fn a_budget_on_the_clock_has_a_curve_too() {
    let run =
        Training::of(Counting(Arc::default())).fidelity(Fidelity::wall_clock(Duration::from_millis(400)));
    let (cx, _folder) = context(1);
    let metrics = run.execute(tiny(), cx).await.unwrap().metrics;
    let curve: &[CurvePoint] = &metrics.curve;
    assert!(
        curve.len() <= 200 && curve.len() as u64 >= metrics.steps.min(100),
        "{} {}",
        curve.len(),
        metrics.steps
    );
    assert_eq!(curve.last().map(|point| point.step), Some(metrics.steps));
}

#[tokio::test]
async fn losses_are_reported_in_the_unit_that_candidates_share() {
    let run = Training::of(Scaled).fidelity(Fidelity::steps(3));
    let (cx, _folder) = context(1);
    let metrics = run.execute(tiny(), cx).await.unwrap().metrics;
    assert!((metrics.train_loss - 0.5).abs() < 1e-6, "a loss of 2 at a quarter each");
    assert_eq!(metrics.curve[2].loss, metrics.train_loss);
}

#[tokio::test]
async fn the_loss_of_a_gpt_is_in_nats_a_byte_whatever_its_vocabulary() {
    let gpt = Gpt::on(splits().train());
    let scale = gpt.loss_scale(&GptRecipe { vocab: 300, ..tiny() });
    assert!(0.1 < scale && scale < 0.9, "pairs of bytes became symbols: {scale} a byte");
    assert_eq!(gpt.loss_scale(&tiny()), 1.0);
    // Before it has learned anything a model spends about ln(vocab) a symbol.
    let (model, _folder) = train(&trainer(1), GptRecipe { vocab: 300, ..tiny() }, 1).await.unwrap();
    assert!((model.metrics.train_loss - 300_f64.ln() * scale).abs() < 0.1, "{:?}", model.metrics);
}

#[tokio::test]
async fn a_loss_that_is_not_finite_names_the_step() {
    let (cx, _folder) = context(1);
    let failure =
        Training::of(Diverging).fidelity(Fidelity::steps(50)).execute(tiny(), cx).await.unwrap_err();
    assert_eq!((failure.fault(), failure.what()), (Fault::Candidate, FailureKind::InvalidMetric));
    assert_eq!(failure.message(), "the loss is inf at step 17");

    // The same from a real model: nothing bounds these weights.
    let wild =
        GptRecipe { lr: 0.3, weight_decay: 10.0, grad_clip: 0.0, init_std: 0.5, warmup: 0.0, ..tiny() };
    let explosive = Training::of(Exploding(Gpt::on(splits().train()))).fidelity(Fidelity::steps(200));
    let failure = explosive.execute(wild, context(1).0).await.unwrap_err();
    assert!(failure.message().contains("the loss is NaN at step"), "{failure}");
}

#[tokio::test]
async fn an_invalid_recipe_is_named_before_anything_is_built() {
    for (recipe, words) in [
        (GptRecipe { lr: -1.0, ..tiny() }, "lr is -1, it must be from 0.00001 to 0.3"),
        (GptRecipe { warmup: f64::NAN, ..tiny() }, "warmup is NaN"),
        (GptRecipe { head_dim: 9, ..tiny() }, "head_dim is 9, it must be even"),
        (GptRecipe { context: 1024, batch: 100, ..tiny() }, "batch * context is 102400"),
    ] {
        let failure = train(&trainer(5), recipe, 1).await.unwrap_err();
        assert_eq!((failure.fault(), failure.what()), (Fault::Candidate, FailureKind::InvalidCandidate));
        assert!(failure.message().contains(words), "{failure}");
    }
    let short = Corpus::from_texts(["too short"]);
    let (cx, _folder) = context(1);
    let failure = Training::of(Gpt::on(&short)).execute(tiny(), cx).await.unwrap_err();
    assert!(failure.message().contains("the training text has only 10 bytes"), "{failure}");
}

#[tokio::test]
async fn cancelling_stops_within_a_step_and_leaves_no_file() {
    let (cx, folder) = context(1);
    let cancel = cx.cancel.clone();
    let run = tokio::spawn(async move { trainer(1_000_000_000).execute(tiny(), cx).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    cancel.cancel();
    let failure = tokio::time::timeout(Duration::from_secs(5), run).await.unwrap().unwrap().unwrap_err();
    assert_eq!(failure.fault(), Fault::Cancelled);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn dropping_the_future_stops_the_thread() {
    let steps = Arc::new(AtomicU64::new(0));
    let endless = Training::of(Counting(Arc::clone(&steps))).fidelity(Fidelity::steps(u64::MAX));
    let (cx, _folder) = context(1);
    let run = endless.execute(tiny(), cx);
    assert!(tokio::time::timeout(Duration::from_millis(50), run).await.is_err(), "it ended by itself");
    tokio::time::sleep(Duration::from_millis(100)).await;
    let done = steps.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(done > 0 && steps.load(Ordering::SeqCst) == done, "it still trains");
}

#[tokio::test]
async fn what_libtorch_reports_is_the_candidates_failure_with_its_message() {
    let (cx, _folder) = context(1);
    let failure =
        Training::of(Broken(|| Tensor::zeros([2], (Kind::Float, Device::Cpu)).view([3]).sum(Kind::Float)))
            .execute(tiny(), cx.clone())
            .await
            .unwrap_err();
    assert_eq!((failure.fault(), failure.what()), (Fault::Candidate, FailureKind::Crash));
    assert!(failure.message().contains("shape '[3]' is invalid"), "{failure}");
    assert!(!failure.message().contains("Exception raised from"), "{failure}");

    let huge = Broken(|| Tensor::ones([1 << 45], (Kind::Float, Device::Cpu)));
    let failure = Training::of(huge).execute(tiny(), cx).await.unwrap_err();
    assert_eq!((failure.fault(), failure.what()), (Fault::Candidate, FailureKind::OutOfMemory), "{failure}");
}

#[tokio::test]
async fn a_panic_leaves_the_thread_fit_for_the_next_run() {
    let broken = Training::of(Broken(panic_without_gradients)).fidelity(Fidelity::steps(2));
    for seed in 0..4 {
        let (cx, _folder) = context(seed);
        assert!(broken.execute(tiny(), cx).await.unwrap_err().message().contains("on purpose"));
        assert!(train(&trainer(2), tiny(), seed).await.is_ok());
    }
}

fn panic_without_gradients() -> Tensor {
    tch::no_grad(|| panic!("on purpose"))
}

/// A loss that becomes infinite at step 17.
struct Diverging;

impl Trainer for Diverging {
    type Candidate = GptRecipe;
    type Model = (Tensor, AtomicU64);
    fn build(&self, _: &GptRecipe, p: &mut Parameters) -> Result<Self::Model, RunFailure> {
        Ok((p.constant("x", &[1], 1.0)?, AtomicU64::new(0)))
    }
    fn loss(&self, (x, step): &Self::Model, _: &mut Draws) -> Result<Tensor, RunFailure> {
        let scale = if step.fetch_add(1, Ordering::SeqCst) == 17 { f64::INFINITY } else { 1.0 };
        Ok((x * scale).sum(Kind::Float))
    }
}

/// A GPT whose learning rate grows without bound.
struct Exploding(Gpt);

impl Trainer for Exploding {
    type Candidate = GptRecipe;
    type Model = GptModel;
    fn build(&self, recipe: &GptRecipe, p: &mut Parameters) -> Result<GptModel, RunFailure> {
        self.0.build(recipe, p)
    }
    fn loss(&self, model: &GptModel, draws: &mut Draws) -> Result<Tensor, RunFailure> {
        self.0.loss(model, draws)
    }
    fn rate(&self, _: &GptRecipe, progress: f64) -> f64 {
        (200.0 * progress).exp()
    }
}

/// A step that takes a millisecond and counts itself.
struct Counting(Arc<AtomicU64>);

impl Trainer for Counting {
    type Candidate = GptRecipe;
    type Model = Tensor;
    fn build(&self, _: &GptRecipe, p: &mut Parameters) -> Result<Tensor, RunFailure> {
        p.constant("x", &[1], 1.0)
    }
    fn loss(&self, x: &Tensor, _: &mut Draws) -> Result<Tensor, RunFailure> {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(1));
        Ok(x.sum(Kind::Float))
    }
}

/// A loss of 2 that counts as a half.
struct Scaled;

impl Trainer for Scaled {
    type Candidate = GptRecipe;
    type Model = Tensor;
    fn build(&self, _: &GptRecipe, p: &mut Parameters) -> Result<Tensor, RunFailure> {
        p.constant("x", &[1], 2.0)
    }
    fn loss(&self, x: &Tensor, _: &mut Draws) -> Result<Tensor, RunFailure> {
        Ok((x * 0.0 + 2.0).sum(Kind::Float))
    }
    fn loss_scale(&self, _: &GptRecipe) -> f64 {
        0.25
    }
}

/// A model whose loss cannot be computed.
struct Broken(fn() -> Tensor);

impl Trainer for Broken {
    type Candidate = GptRecipe;
    type Model = Tensor;
    fn build(&self, _: &GptRecipe, p: &mut Parameters) -> Result<Tensor, RunFailure> {
        p.constant("x", &[1], 1.0)
    }
    fn loss(&self, _: &Tensor, _: &mut Draws) -> Result<Tensor, RunFailure> {
        Ok((self.0)())
    }
}
