//! Evaluation design on real runs, drawn again and again.
use super::plan::{LEVEL, Outcome, outcome};
use anyhow::{Context, Result, bail};
use autoresearch_core::Measurement;
use autoresearch_core::plan::{Baseline, EvaluationDesign};
use autoresearch_core::stats::{Moments, mean};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Baseline runs of a plan.
const RUNS: u64 = 8;

type Runs = Vec<(u64, Measurement)>;

/// Real runs.
#[derive(Debug)]
pub(super) struct Real {
    plain: Runs,
    tuned: Runs,
    /// Mild edits of the tuned baseline, on seeds of its.
    edits: BTreeMap<String, Runs>,
}

/// An edit is mild if it moves the score by less than so many sigma.
const MILD: f64 = 3.0;

/// A random place below `n`, by name.
fn place(rep: u64, i: u64, n: usize) -> usize {
    let mut z = (rep << 20 | i).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) % n as u64) as usize
}

impl Real {
    /// Reads runs, one a line.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut real = Self { plain: Vec::new(), tuned: Vec::new(), edits: BTreeMap::new() };
        for (i, line) in text.lines().enumerate() {
            let (tag, run) =
                of_line(line).with_context(|| format!("line {} of {}", i + 1, path.display()))?;
            match tag.split_once(':') {
                None if tag == "P" => real.plain.push(run),
                None if tag == "T" => real.tuned.push(run),
                Some(("E" | "N", edit)) => real.edits.entry(edit.into()).or_default().push(run),
                _ => {}
            }
        }
        if real.plain.len() < 3 || real.tuned.len() < 3 {
            bail!("{}: three runs of P and of T are the least", path.display());
        }
        let sigma = moments(&real.tuned).sd().context("spread")?;
        let on: BTreeMap<u64, f64> = real.tuned.iter().map(|r| (r.0, r.1.objective())).collect();
        real.edits.retain(|_, runs| {
            let mut seen = std::collections::BTreeSet::new();
            runs.retain(|run| on.contains_key(&run.0) && seen.insert(run.0));
            let gains: Vec<f64> = runs.iter().map(|run| on[&run.0] - run.1.objective()).collect();
            gains.len() >= 2 && mean(&gains).abs() < MILD * sigma
        });
        Ok(real)
    }

    /// Eight runs of a baseline, drawn with replacement, and a proposal that is the same but for the stated gain.
    pub(super) fn unpaired(&self, tag: &str, rep: u64) -> Result<Outcome> {
        let all = if tag == "P" { &self.plain } else { &self.tuned };
        let drawn = |first: u64, n: u64| -> Vec<f64> {
            (first..first + n).map(|i| all[place(rep, i, all.len())].1.objective()).collect()
        };
        let runs = drawn(0, RUNS).into_iter().zip(0..).map(|(x, seed)| Ok((seed, Measurement::scalar(x)?)));
        let design = match Baseline::of(runs.collect::<Result<Vec<_>>>()?)
            .simulations(0)
            .compare([])
            .alpha(LEVEL)
            .design()
        {
            Ok(design) => design,
            Err(error) => bail!("rep {rep}: {error}"),
        };
        let moments = moments(all);
        let sigma = (moments.sum_of_squares() / moments.n() as f64).sqrt();
        let pairs = u64::from(design.detectable.runs / 2);
        let own: Vec<f64> = drawn(1000, pairs).iter().map(|x| x - design.detectable.effect).collect();
        outcome(&design, sigma, &own, &drawn(2000, pairs))
    }

    /// A plan from all runs of the tuned baseline and all edits but one; that one, drawn pair by pair about the stated
    /// gain, is the proposal.
    pub(super) fn paired(&self, rep: u64) -> Result<Outcome> {
        let several: Vec<&String> =
            self.edits.iter().filter(|(_, runs)| runs.len() >= 4).map(|e| e.0).collect();
        let left_out = *several.get(rep as usize % several.len().max(1)).context("edits with four pairs")?;
        let some = self.edits.iter().filter(|(edit, _)| *edit != left_out).map(|e| e.1.clone());
        let design = some
            .fold(Baseline::of(self.tuned.clone()).simulations(0).compare([]).alpha(LEVEL), Baseline::edit)
            .design()?;
        let on: BTreeMap<u64, f64> = self.tuned.iter().map(|r| (r.0, r.1.objective())).collect();
        let gains: Vec<f64> = self.edits[left_out].iter().map(|r| on[&r.0] - r.1.objective()).collect();
        let (m, centre) = (gains.len() as f64, mean(&gains));
        // The mean was taken from the same few pairs, which makes them look less scattered than they are.
        let drawn = |i: u64| (gains[place(rep, i, gains.len())] - centre) * (m / (m - 1.0)).sqrt();
        let pairs = u64::from(design.detectable.runs / 2);
        let own: Vec<f64> = (0..pairs).map(|i| -design.detectable.effect - drawn(i)).collect();
        outcome(&design, design.sigma.sd, &own, &vec![0.0; pairs as usize])
    }

    /// What the plans of both baselines say.
    pub(super) fn say(&self, as_json: bool) -> Result<()> {
        let tuned = self.edits.values().cloned().fold(Baseline::of(self.tuned.clone()), Baseline::edit);
        for (name, plan) in [("plain", Baseline::of(self.plain.clone())), ("tuned, with edits", tuned)] {
            let design: EvaluationDesign = plan.design()?;
            if as_json {
                println!("{}", serde_json::json!({"plan": name, "design": design}));
            } else {
                println!("\n{name}\n{design}");
            }
        }
        Ok(())
    }
}

fn moments(runs: &Runs) -> Moments {
    runs.iter().map(|run| run.1.objective()).collect()
}

/// Tag, seed and values by document.
fn of_line(line: &str) -> Result<(String, (u64, Measurement))> {
    let line: Value = serde_json::from_str(line)?;
    let (tag, seed) = (line["tag"].as_str().context("no tag")?, line["seed"].as_u64().context("no seed")?);
    let values = line["vc"].as_array().context("no vc")?.iter().filter_map(Value::as_f64).collect::<Vec<_>>();
    let documents: Vec<u64> = (0..values.len() as u64).map(|i| i / 2).collect();
    Ok((tag.into(), (seed, Measurement::new(values)?.clusters(documents)?)))
}
