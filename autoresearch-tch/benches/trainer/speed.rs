//! Tokens a second, and where the time goes: the yardstick is a byte-level GPT of width 128 with 4 blocks, 4 heads, a
//! context of 128 and 32 sequences a step, trained by AdamW on one thread.

use crate::figure::{Bound, Figure, Scale};
use crate::wait;
use autoresearch_core::{Executor, Fidelity, RunContext};
use autoresearch_tch::{Corpus, Device, GptRecipe, GptTrainer, OptimizerKind, Precision, RunMetrics, Split};

/// Steps before those that count.
const WARM_UP: u64 = 3;

pub(crate) fn f32(scale: &Scale) -> Vec<Figure> {
    figures(scale, yardstick(Precision::F32), ["f32: tokens a second", "f32: a step", "f32: peak memory"])
}

pub(crate) fn bf16(scale: &Scale) -> Vec<Figure> {
    figures(scale, yardstick(Precision::Bf16), ["bf16: tokens a second", "bf16: a step", "bf16: peak memory"])
}

fn yardstick(precision: Precision) -> GptRecipe {
    GptRecipe { depth: 4, heads: 4, head_dim: 32, context: 128, batch: 32, precision, ..GptRecipe::default() }
}

fn figures(scale: &Scale, recipe: GptRecipe, [speed, step, memory]: [&'static str; 3]) -> Vec<Figure> {
    let (metrics, seconds) = timed(&recipe, scale.of(30, 2), Device::Cpu);
    let tokens = (recipe.batch * recipe.context) as f64;
    vec![
        Figure::new(speed, tokens / seconds, "tokens/s", Bound::None),
        Figure::new(step, 1e3 * seconds, "ms", Bound::None),
        Figure::new(memory, metrics.memory_gb.unwrap_or(f64::NAN), "GB", Bound::None),
        Figure::new(
            "outside of forward, backward and optimiser",
            metrics.overhead.unwrap_or(f64::NAN),
            "share",
            Bound::AtMost(0.03),
        ),
        Figure::new("start to end of the first step", metrics.first_step_seconds, "s", Bound::AtMost(1.0)),
    ]
}

/// Muon beside AdamW: what the optimiser's part of a step grows to.
pub(crate) fn muon(scale: &Scale) -> Vec<Figure> {
    let recipe = GptRecipe { optimizer: OptimizerKind::Muon, ..yardstick(Precision::F32) };
    let (metrics, _) = timed(&recipe, scale.of(20, 2), Device::Cpu);
    let share = metrics.phases.map_or(f64::NAN, |phases| phases.optimizer / metrics.seconds);
    vec![Figure::new("Muon's part of a step", share, "share", Bound::AtMost(0.12))]
}

/// What a card is for: 85 million parameters, 12 blocks of width 768, a context of 1,024 and 16 sequences a step.
fn for_a_card(precision: Precision) -> GptRecipe {
    GptRecipe {
        depth: 12,
        heads: 12,
        head_dim: 64,
        context: 1024,
        batch: 16,
        precision,
        ..GptRecipe::default()
    }
}

/// On the first CUDA device: nothing where there is none.
pub(crate) fn cuda(scale: &Scale) -> Vec<Figure> {
    if !tch::Cuda::is_available() {
        eprintln!("SKIPPED: training on a card: libtorch sees no CUDA device");
        return Vec::new();
    }
    let plans = [
        (Precision::F32, ["cuda, f32: tokens a second", "cuda, f32: a step", "cuda, f32: peak memory"]),
        (Precision::Bf16, ["cuda, bf16: tokens a second", "cuda, bf16: a step", "cuda, bf16: peak memory"]),
    ];
    let mut figures = Vec::new();
    for (precision, [speed, step, memory]) in plans {
        let recipe = for_a_card(precision);
        let tokens = f64::from(recipe.batch * recipe.context);
        let (metrics, seconds) = timed(&recipe, scale.of(50, 2), Device::Cuda(0));
        figures.push(Figure::new(speed, tokens / seconds, "tokens/s", Bound::None));
        figures.push(Figure::new(step, 1e3 * seconds, "ms", Bound::None));
        figures.push(Figure::new(memory, metrics.device_memory_gb.unwrap_or(f64::NAN), "GB", Bound::None));
    }
    figures
}

/// Trains so many steps; processor seconds a step (on a card those of the clock), without set-up and the first steps.
fn timed(recipe: &GptRecipe, steps: u64, device: Device) -> (RunMetrics, f64) {
    let letter = |i: u64| if i % 80 == 79 { b'\n' } else { b'a' + (i * i % 8191 % 26) as u8 };
    let text: String = (0..1_000_000_u64).map(|i| char::from(letter(i))).collect();
    let corpus =
        Corpus::from_texts([text]).cut(20_000).and_then(|c| c.split(Split::default())).expect("splits");
    let train = |steps: u64| {
        let trainer = GptTrainer::new(&corpus).fidelity(Fidelity::steps(steps)).device(device);
        let before = processor_seconds();
        let run = wait(trainer.execute(recipe.clone(), RunContext::for_test(1))).expect("a trained model");
        let after = processor_seconds();
        let told = before.zip(after).map(|(before, after)| after - before).filter(|_| device == Device::Cpu);
        let seconds = told.unwrap_or(run.metrics.seconds);
        (run.metrics, seconds)
    };
    train(WARM_UP); // libtorch makes much of what it needs at its first use
    let (_, first) = train(WARM_UP);
    let (metrics, whole) = train(WARM_UP + steps);
    (metrics, (whole - first) / steps as f64)
}

/// Seconds of processor time that this process has had, ended threads included, where the system tells (Linux).
fn processor_seconds() -> Option<f64> {
    const TICKS: f64 = 100.0; // a second, on every Linux that Rust runs on
    let told = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program may hold anything, and ends at the last bracket.
    let mut fields = told.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<f64>().ok();
    Some((next()? + next()?) / TICKS)
}
