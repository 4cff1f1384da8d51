//! `cargo xtask bench trainer`: what training costs, in turn with PyTorch on the same model, and what recipes give.
//!
//! The measured code is the benchmark `trainer` of `autoresearch-tch`, which also runs under plain `cargo bench`; PyTorch's
//! is `autoresearch-tch/reference/speed.py`. Each round measures all plans once, ours and PyTorch's one after the other, so
//! that a machine that slows down slows both; what is told is the median over rounds of the ratio of processor times.
use super::figures::{self, Shown, at_least, at_most};
use super::venv;
use crate::{process, workspace};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::process::{Command, ExitCode};

/// PyTorch's plans.
const PLANS: [&str; 3] = ["f32", "bf16", "autocast"];

/// The options of `cargo xtask bench trainer`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Trainer {
    /// Only measures with this in their name: speed, muon, quality-bf16, quality-strong
    #[arg(long)]
    only: Option<String>,
    /// Rounds of ours and PyTorch's in turn
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Install PyTorch (several gigabytes) into the target folder where no Python has it
    #[arg(long)]
    install: bool,
    /// One JSON object a line and figure, not a table
    #[arg(long)]
    json: bool,
}

/// Measures. Fails if a bound is not kept.
pub(super) fn run(args: &Trainer) -> Result<ExitCode> {
    let wanted = |part: &str| args.only.as_ref().is_none_or(|only| part.contains(only.as_str()));
    let mut shown = Shown::begin(args.json);
    if wanted("speed-f32") || wanted("speed-bf16") {
        speed(args, &mut shown)?;
    }
    for part in ["muon", "quality-bf16", "quality-strong"].into_iter().filter(|part| wanted(part)) {
        ours(part)?.iter().for_each(|figure| shown.show(figure));
    }
    Ok(shown.end())
}

fn ours(part: &str) -> Result<Vec<Value>> {
    figures::of_bench(&["autoresearch-tch"], "trainer", Some(part))
}

/// What one program says of one plan, over the rounds.
#[derive(Debug, Default)]
struct Told {
    milliseconds: Vec<f64>,
    memory: Vec<f64>,
}

fn speed(args: &Trainer, shown: &mut Shown) -> Result<()> {
    let python = match python(args.install) {
        Ok(_) => true,
        Err(why) => {
            eprintln!("SKIPPED: the comparison with PyTorch: {why:#}");
            false
        }
    };
    let mut mine = [Told::default(), Told::default()];
    let mut theirs = PLANS.map(|_| Told::default());
    for round in 0..args.rounds {
        for (index, plan) in PLANS.iter().enumerate() {
            // Ours has no autocast; it is compared with bf16's.
            if let Some(told) = mine.get_mut(index) {
                let measured = ours(&format!("speed-{plan}"))?;
                let of = |what: &str| figures::value(&measured, &format!("{plan}: {what}"));
                told.milliseconds.push(of("a step").context("no time a step")?);
                told.memory.extend(of("peak memory"));
                if round + 1 == args.rounds {
                    measured.iter().for_each(|figure| shown.show(figure));
                }
            }
            if python {
                let measured = pytorch(plan, args.install)?;
                theirs[index].milliseconds.push(measured["cpu_ms"].as_f64().context("no time a step")?);
                theirs[index].memory.extend(measured["peak_memory_gb"].as_f64());
            }
        }
    }
    for (plan, told) in PLANS.iter().zip(&theirs).filter(|_| python) {
        let name = format!("PyTorch, {plan}: a step");
        shown.show(&json!({ "name": name, "value": median(&told.milliseconds), "unit": "ms" }));
    }
    if python {
        let figures = compare(&mine, &theirs);
        let (of_bf16, others) = (&figures[1..3], [&figures[0], &figures[3]]);
        others.into_iter().for_each(|figure| shown.show(figure));
        if multiplies_bf16() {
            of_bf16.iter().for_each(|figure| shown.show(figure));
        } else {
            eprintln!("SKIPPED: bf16 against PyTorch: this processor has no avx512_bf16");
        }
    }
    Ok(())
}

fn compare([f32, bf16]: &[Told; 2], [their_f32, their_bf16, autocast]: &[Told; 3]) -> [Value; 4] {
    let times = |theirs: &Told, ours: &Told| {
        let rounds = theirs.milliseconds.iter().zip(&ours.milliseconds);
        median(&rounds.map(|(theirs, ours)| theirs / ours).collect::<Vec<_>>())
    };
    let memory = median(&f32.memory) / median(&their_f32.memory);
    [
        at_least("f32: as fast as PyTorch", times(their_f32, f32), 1.0),
        at_least("bf16: as fast as PyTorch with the same plan", times(their_bf16, bf16), 1.0),
        at_least("bf16: as fast as PyTorch under autocast", times(autocast, bf16), 1.3),
        at_most("f32: peak memory against PyTorch's", memory, 1.1),
    ]
}

fn multiplies_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

fn python(install: bool) -> Result<Command> {
    if install {
        return venv::python_with("torch", &["torch==2.13.0", "numpy"]); // the version that tch is built against
    }
    venv::found("torch").context("no Python has torch; --install puts it into the target folder")
}

fn pytorch(plan: &str, install: bool) -> Result<Value> {
    let script = workspace::root().join("autoresearch-tch/reference/speed.py");
    let mut python = python(install)?;
    let told = process::capture(python.arg(script).args(["--precision", plan, "--steps", "30"]))?;
    serde_json::from_str(&told).with_context(|| format!("no figures: {told}"))
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_of_medians_of_ratios() {
        let told = |ms: &[f64], gb: f64| Told { milliseconds: ms.to_vec(), memory: vec![gb] };
        // A slow second round slows both; the third is disturbed.
        let ours = [told(&[100.0, 900.0, 500.0], 0.5), told(&[60.0], 0.5)];
        let theirs = [told(&[100.0, 900.0, 100.0], 0.4), told(&[66.0], 0.4), told(&[90.0], 0.4)];
        let figures = compare(&ours, &theirs);
        let of = |i: usize| (figures[i]["value"].as_f64().unwrap_or(f64::NAN), figures[i]["ok"] == true);
        assert_eq!((of(0), of(1), of(2)), ((1.0, true), (1.1, true), (1.5, true)));
        assert!(!of(3).1, "1.25 times the memory is too much");
    }
}
