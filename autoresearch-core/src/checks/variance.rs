//! Are some candidates noisier than others? Then a noise pooled over candidates is wrong.

use super::report::VarianceCheck;
use super::spending::{OTHER, level};
use crate::accept::Role;
use crate::arm::{Arm, ProposalId, Version};
use crate::state::RunSpec;
use crate::stats::{Moments, student_sf};
use statrs::function::beta::checked_beta_reg;
use std::collections::BTreeMap;

/// Runs of an arm that count: its first four tests.
const RUNS: usize = 4;
/// Arms at the first look; each later one when there are twice as many.
const FIRST: u64 = 8;

/// The test of Brown & Forsythe (1974, *Journal of the American Statistical Association* 69:364-367): an analysis of
/// variance of the distances from each arm's median, which heavy tails do not mislead.
#[derive(Debug, Default)]
pub(super) struct Variances {
    open: BTreeMap<(Version, Arm), Vec<f64>>,
    /// The arms' mean distances, and the scatter of distances within arms.
    means: Moments,
    within: f64,
    looks: u32,
    flagged: bool,
    tested: Option<VarianceCheck>,
}

impl Variances {
    /// Takes a run; says whether the variances are flagged now, for the first time.
    pub(super) fn take(&mut self, spec: &RunSpec, loss: f64) -> bool {
        let counts = match spec.role {
            Role::Calibrate => spec.arm.is_incumbent(),
            Role::Confirm => !spec.arm.is_incumbent(),
            _ => false,
        };
        if !counts {
            return false;
        }
        let runs = self.open.entry((spec.version, spec.arm.clone())).or_default();
        runs.push(loss);
        // What comes after the fourth is not looked at: the arm stays in the list, so that it counts once.
        if runs.len() != RUNS {
            runs.truncate(RUNS + 1);
            return false;
        }
        let mut sorted = runs.clone();
        sorted.sort_by(f64::total_cmp);
        let median = 0.5 * (sorted[RUNS / 2 - 1] + sorted[RUNS / 2]);
        let distances: Moments = sorted.iter().map(|x| (x - median).abs()).collect();
        self.means.push(distances.mean());
        self.within += distances.sum_of_squares();
        self.means.n() >= FIRST << self.looks.min(40) && self.look()
    }

    pub(super) fn settled(&mut self, proposal: ProposalId, version: Version) {
        self.open.retain(|(of, arm), _| *of == version && arm.proposals().all(|p| p != proposal));
    }

    fn look(&mut self) -> bool {
        self.looks += 1;
        let level = level(OTHER, self.looks);
        let arms = self.means.n() as f64;
        let (between_df, within_df) = (arms - 1.0, arms * (RUNS as f64 - 1.0));
        let between = RUNS as f64 * self.means.sum_of_squares();
        if self.within <= 0.0 {
            return false;
        }
        let f = (between / between_df) / (self.within / within_df);
        let p_value = f_sf(f, between_df, within_df);
        let first = p_value <= level && !self.flagged;
        self.flagged |= first;
        let arms = self.means.n();
        self.tested = Some(VarianceCheck { flagged: self.flagged, arms, f, p_value, level });
        first
    }

    /// As of the latest look.
    pub(super) fn report(&self) -> Option<VarianceCheck> {
        self.tested
    }
}

/// The upper tail of the F distribution.
fn f_sf(f: f64, between: f64, within: f64) -> f64 {
    if between == 1.0 {
        return 2.0 * student_sf(f.max(0.0).sqrt(), within);
    }
    let x = within / (within + between * f.max(0.0));
    checked_beta_reg(0.5 * within, 0.5 * between, x.clamp(0.0, 1.0)).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::f_sf;

    /// F(.95; 5, 10) = 3.3258, F(.99; 3, 20) = 4.9382 (any table of the F distribution).
    #[test]
    fn tails_as_in_tables() {
        assert!((f_sf(3.3258, 5.0, 10.0) - 0.05).abs() < 1e-5);
        assert!((f_sf(4.9382, 3.0, 20.0) - 0.01).abs() < 1e-5);
        assert!((f_sf(4.9646, 1.0, 10.0) - 0.05).abs() < 1e-5);
    }
}
