//! The regression e-value as `Factorial` looks at it: one proposal without merit among others, after every block.

use super::{Check, Draw, LEVELS, Noise};
use crate::stats::{Design, Moments, PHI, coefficient_log_e, fold_over, two_level_design};

/// Runs that a trial may spend, and before which nothing is tested.
const MOST: usize = 48;
const TEST: usize = 4;
/// The others are kept at this e-value, and given up when an effect of one sigma is five times less likely than none.
const KEPT: f64 = 100.0;
const FUTILE: f64 = 0.2;

#[derive(Debug, Clone, Copy)]
struct Setting {
    name: &'static str,
    /// Proposals in the trial; the first has no merit.
    factors: usize,
    /// Every second of the others gains one sigma, and all others come and go by what they show.
    adaptive: bool,
    missing: f64,
    calibration: usize,
    cost: u32,
}

const PAIRS: Setting =
    Setting { name: "pairs", factors: 1, adaptive: false, missing: 0.0, calibration: 8, cost: 40 };
const FOURS: Setting = Setting { name: "4-run blocks", factors: 3, cost: 20, ..PAIRS };
const EIGHTS: Setting = Setting { name: "8-run blocks", factors: 7, cost: 20, ..PAIRS };
const ADAPTIVE: Setting = Setting { name: "adaptive dropping", adaptive: true, cost: 40, ..EIGHTS };

pub(super) fn checks() -> Vec<Check> {
    let settings = [
        PAIRS,
        FOURS,
        EIGHTS,
        ADAPTIVE,
        Setting { name: "adaptive dropping, 10 % missing", missing: 0.10, ..ADAPTIVE },
        Setting { name: "adaptive dropping, 25 % missing", missing: 0.25, ..ADAPTIVE },
        Setting { name: "pairs, ν0 = 3", calibration: 4, ..PAIRS },
        Setting { name: "8-run blocks, ν0 = 3", calibration: 4, ..EIGHTS },
    ];
    let mut checks = Vec::new();
    for noise in [Noise::Gaussian, Noise::T4, Noise::Hetero] {
        for setting in settings {
            let name = format!("regression, {}", setting.name);
            checks.push(
                Check::graded(name, noise, move |draw| Trial::new(setting, draw).play()).cost(setting.cost),
            );
        }
    }
    checks
}

/// Where one of the others stands.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Active,
    Kept,
    Dropped,
}

struct Trial<'a> {
    setting: Setting,
    draw: &'a mut Draw,
    states: Vec<State>,
    effects: Vec<f64>,
    calibration: Moments,
    rows: Vec<Vec<bool>>,
    blocks: Vec<u32>,
    scores: Vec<f64>,
}

impl<'a> Trial<'a> {
    fn new(setting: Setting, draw: &'a mut Draw) -> Self {
        let effect = |j: usize| if setting.adaptive && j % 2 == 1 { 1.0 } else { 0.0 };
        Self {
            calibration: Moments::of(&draw.runs_of(0, setting.calibration)),
            states: vec![State::Active; setting.factors],
            effects: (0..setting.factors).map(effect).collect(),
            rows: Vec::new(),
            blocks: Vec::new(),
            scores: Vec::new(),
            setting,
            draw,
        }
    }

    /// The first proposal's evidence at its highest. It is never given up, which could only lower that.
    fn play(mut self) -> f64 {
        let (mut spent, mut block, mut highest) = (0, 0, f64::NEG_INFINITY);
        let mut last: Option<(Vec<usize>, Vec<Vec<bool>>, bool)> = None;
        while spent < MOST && highest < -LEVELS[2].ln() {
            let active: Vec<usize> =
                (0..self.states.len()).filter(|&j| self.states[j] == State::Active).collect();
            let (design, folded) = match last.take() {
                Some((before, design, false)) if before == active => (fold_over(&design), true),
                _ => {
                    let runs = if active.len() == 1 { 2 } else { (active.len() + 1).next_power_of_two() };
                    let design = two_level_design(active.len(), runs.max(2), self.draw.other());
                    (design.unwrap_or_default(), false)
                }
            };
            spent += design.len();
            block += 1;
            design.iter().for_each(|switched| self.run(&active, switched, block));
            last = Some((active, design, folded));
            highest = self.look().max(highest);
        }
        highest
    }

    fn run(&mut self, active: &[usize], switched: &[bool], block: u32) {
        let mut on: Vec<bool> = self.states.iter().map(|state| *state == State::Kept).collect();
        active.iter().zip(switched).for_each(|(&j, &switched)| on[j] = switched);
        let candidate = on.iter().fold(0, |bits, &on| 2 * bits + u64::from(on));
        let gain: f64 = on.iter().zip(&self.effects).filter(|(on, _)| **on).map(|(_, effect)| effect).sum();
        let score = gain + self.draw.run_of(candidate);
        if self.draw.uniform() >= self.setting.missing {
            self.rows.push(on);
            self.blocks.push(block);
            self.scores.push(score);
        }
    }

    /// The evidence for the first, and what becomes of the others.
    fn look(&mut self) -> f64 {
        let none = f64::NEG_INFINITY;
        if self.rows.len() < TEST {
            return none;
        }
        let Ok(design) = Design::new(&self.rows, &self.blocks) else { return none };
        let Ok(fit) = design.fit(&self.scores) else { return none };
        let ss = fit.rss + self.calibration.sum_of_squares();
        let df = fit.df + self.setting.calibration as f64 - 1.0;
        let (s2, d) = (ss / df, (ss / df).sqrt());
        let mut of_first = none;
        for (j, &beta) in fit.coefficients.iter().enumerate() {
            let Some(s) = design.information(j) else { continue };
            let log_e = coefficient_log_e(beta, s, ss, df, PHI);
            if j == 0 {
                of_first = log_e;
            } else if self.setting.adaptive && self.states[j] == State::Active {
                if log_e >= KEPT.ln() {
                    self.states[j] = State::Kept;
                } else if s * (d * beta - d * d / 2.0) / s2 <= FUTILE.ln() {
                    self.states[j] = State::Dropped;
                }
            }
        }
        of_first
    }
}
