//! The e-values of a certificate, and what e-BH makes of them.

use super::{Check, Draw, LEVELS, Noise};
use crate::stats::{
    Design, GroupFit, Moments, Residual, RoundNoise, StatsError, UnitEvidence, block_runs, e_bh,
    two_level_design,
};

const GROUPS: usize = 2;
const GROUP: usize = 7;
const UNITS: usize = GROUPS * GROUP;
const CALIBRATION: usize = 8;
/// What a unit must show in the first round to be in the second, and what those with merit gain; in sigma.
const DROP: f64 = 0.5;
const MERIT: f64 = 1.5;
/// The standard error over the documents of the holdout.
const SE_DOCUMENTS: f64 = 0.1;

/// What is read off the first unit, which has no merit.
type Read = fn(&Found) -> f64;

const READINGS: &[(&str, Read)] = &[
    ("certificate, round 1", |found| found.first.0),
    ("certificate, both rounds", |found| found.first.0.max(found.second.0)),
    ("certificate, holdout, round 1", |found| found.first.1),
    ("certificate, holdout, both rounds", |found| found.first.1.max(found.second.1)),
];

pub(super) fn checks() -> Vec<Check> {
    let mut checks = Vec::new();
    for noise in [Noise::Gaussian, Noise::T4, Noise::Hetero] {
        for &(name, read) in READINGS {
            // No certificate: every repetition fails.
            let strength =
                move |draw: &mut Draw| certify(draw, UNITS / 2).map_or(f64::INFINITY, |found| read(&found));
            checks.push(Check::graded(name, noise, strength).cost(20));
        }
        for (name, real) in [("e-BH, all null", 0), ("e-BH, half null", UNITS / 2)] {
            checks.push(discoveries(name, noise, real));
        }
    }
    checks
}

/// The share of false discoveries after both rounds, at each level.
fn discoveries(name: &str, noise: Noise, real: usize) -> Check {
    let play = move |mut draw: Draw| {
        let Ok(found) = certify(&mut draw, real) else { return Ok(vec![1.0; LEVELS.len()]) };
        let share = |alpha: f64| {
            let kept = e_bh(&found.log_e, alpha, UNITS);
            let junk = kept.iter().filter(|&&unit| !has_merit(unit, real)).count();
            junk as f64 / kept.len().max(1) as f64
        };
        Ok(LEVELS.map(share).to_vec())
    };
    Check {
        test: name.into(),
        noise,
        levels: LEVELS.to_vec(),
        promised: true,
        shares: real > 0,
        cost: 20,
        play: Box::new(play),
    }
}

/// Units with merit and without alternate, beginning with one without.
fn has_merit(unit: usize, real: usize) -> bool {
    unit % 2 == 1 && unit / 2 < real
}

/// What a certificate found: of the first unit on validation and on the holdout after each round, and of all on
/// validation at the end.
struct Found {
    first: (f64, f64),
    second: (f64, f64),
    log_e: Vec<f64>,
}

struct Court<'a> {
    draw: &'a mut Draw,
    effects: Vec<f64>,
    /// What the documents of each split add to every unit: nothing on validation.
    bias: Vec<f64>,
    dropped: Vec<bool>,
    evidence: Vec<UnitEvidence>,
}

fn certify(draw: &mut Draw, real: usize) -> Result<Found, StatsError> {
    let moments = Moments::of(&draw.runs_of(0, CALIBRATION));
    let calibration = Residual::new(moments.sum_of_squares(), CALIBRATION as f64 - 1.0);
    let bias = (0..UNITS).map(|_| SE_DOCUMENTS * draw.gaussian()).collect();
    let effects = (0..UNITS).map(|unit| if has_merit(unit, real) { MERIT } else { 0.0 }).collect();
    let evidence = vec![UnitEvidence::default(); UNITS];
    let mut court = Court { draw, effects, bias, dropped: vec![false; UNITS], evidence };

    let groups: Vec<Vec<usize>> =
        (0..GROUPS).map(|group| (0..UNITS).filter(|unit| unit % GROUPS == group).collect()).collect();
    let (mut residual, mut fits) = (Residual::default(), Vec::new());
    let s = calibration.variance().unwrap_or(f64::NAN).sqrt();
    for group in &groups {
        let fit = court.block(group)?;
        residual = residual.pooled(fit.0.residual);
        fit.0.weak(residual, s, DROP).into_iter().for_each(|unit| court.dropped[unit] = true);
        fits.push(fit);
    }
    let noise = RoundNoise::new(residual, calibration, None);
    court.add(&fits, &noise);
    let first = court.of_first(&noise);

    let open: Vec<usize> = (0..UNITS).filter(|&unit| !court.dropped[unit]).collect();
    let mut second = first;
    if !open.is_empty() {
        let fit = court.block(&open)?;
        let noise = RoundNoise::new(fit.0.residual, calibration, Some(&noise));
        court.add(&[fit], &noise);
        second = court.of_first(&noise);
    }
    // One that was given up counts, but is never kept.
    let log_e = |unit: usize| {
        if court.dropped[unit] { f64::NEG_INFINITY } else { court.evidence[unit].log_e_validation() }
    };
    let log_e = (0..UNITS).map(log_e).collect();
    Ok(Found { first, second, log_e })
}

impl Court<'_> {
    /// Runs a design of these units with all else on that was not dropped; the same runs on validation and holdout.
    fn block(&mut self, units: &[usize]) -> Result<(GroupFit, GroupFit), StatsError> {
        let rows = two_level_design(units.len(), block_runs(units.len()), self.draw.other())?;
        let (mut scores, mut held_out) = (Vec::new(), Vec::new());
        for row in &rows {
            let is_on = |unit: usize| match units.iter().position(|&j| j == unit) {
                Some(j) => row[j],
                None => !self.dropped[unit],
            };
            let on: Vec<usize> = (0..UNITS).filter(|&unit| is_on(unit)).collect();
            let candidate = on.iter().fold(0, |bits, unit| bits | 1 << unit);
            let gain: f64 = on.iter().map(|&unit| self.effects[unit]).sum();
            let bias: f64 = on.iter().map(|&unit| self.bias[unit]).sum();
            let score = gain + self.draw.run_of(candidate);
            scores.push(score);
            held_out.push(score + bias);
        }
        let design = Design::new(&rows, &vec![0; rows.len()])?;
        Ok((GroupFit::new(units, &design, &scores)?, GroupFit::new(units, &design, &held_out)?))
    }

    fn add(&mut self, fits: &[(GroupFit, GroupFit)], noise: &RoundNoise) {
        for (validation, holdout) in fits {
            for (j, &unit) in validation.units.iter().enumerate() {
                let (evidence, s) = (&mut self.evidence[unit], validation.information[j]);
                evidence.add_validation(validation.coefficients[j], s, noise);
                evidence.add_holdout(holdout.coefficients[j], s, noise);
            }
        }
    }

    fn of_first(&self, noise: &RoundNoise) -> (f64, f64) {
        (self.evidence[0].log_e_validation(), self.evidence[0].log_e_holdout(SE_DOCUMENTS, noise))
    }
}
