//! Are some candidates noisier than others? Then a noise pooled over candidates is wrong.

use super::report::VarianceCheck;
use super::spending::{OTHER, level};
use crate::accept::Role;
use crate::arm::{Arm, ProposalId, Version};
use crate::state::RunSpec;
use crate::stats::{Moments, student_sf};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use statrs::function::beta::checked_beta_reg;
use std::collections::BTreeMap;

/// Runs of an arm that count: its first four tests.
const RUNS: usize = 4;
/// Arms at the first look; each later one when there are twice as many.
const FIRST: u64 = 8;

/// Deals of the residuals, for one expected at the level by chance: enough to tell a p-value from it.
const DEALS: f64 = 20.0;
/// Deals at most, where the level is very small.
const MOST_DEALS: f64 = 100_000.0;

/// The test of Brown & Forsythe (1974, *Journal of the American Statistical Association* 69:364-367): an analysis of
/// variance of the distances from each arm's median. With four runs an arm, heavy tails mislead even that one; so what
/// it finds must also be rare among deals of the same residuals to the arms at random (Boos & Brownie, 1989,
/// *Technometrics* 31:69-82).
#[derive(Debug, Default)]
pub(super) struct Variances {
    open: BTreeMap<(Version, Arm), Vec<f64>>,
    spread: Spread,
    /// Distances from the arm's median, with their signs.
    residuals: Vec<f64>,
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
        let median = self.spread.take(runs);
        self.residuals.extend(runs.iter().map(|x| x - median));
        self.spread.means.n() >= FIRST << self.looks.min(40) && self.look()
    }

    pub(super) fn settled(&mut self, proposal: ProposalId, version: Version) {
        self.open.retain(|(of, arm), _| *of == version && arm.proposals().all(|p| p != proposal));
    }

    fn look(&mut self) -> bool {
        self.looks += 1;
        let level = level(OTHER, self.looks);
        let Some((f, mut p_value)) = self.spread.test() else { return false };
        if p_value <= level {
            p_value = p_value.max(self.among_deals(f, level));
        }
        let first = p_value <= level && !self.flagged;
        self.flagged |= first;
        let arms = self.spread.means.n();
        self.tested = Some(VarianceCheck { flagged: self.flagged, arms, f, p_value, level });
        first
    }

    /// The share of deals whose F is at least this one. The deals are the same in every replay.
    fn among_deals(&self, f: f64, level: f64) -> f64 {
        let deals = (DEALS / level).min(MOST_DEALS) as u32;
        let mut rng = ChaCha8Rng::seed_from_u64(self.residuals.len() as u64);
        let mut residuals = self.residuals.clone();
        let beyond = (0..deals).filter(|_| {
            residuals.shuffle(&mut rng);
            let mut dealt = Spread::default();
            for arm in residuals.chunks_exact(RUNS) {
                dealt.take(arm);
            }
            dealt.test().is_some_and(|(of_deal, _)| of_deal >= f)
        });
        (beyond.count() + 1) as f64 / f64::from(deals + 1)
    }

    /// As of the latest look.
    pub(super) fn report(&self) -> Option<VarianceCheck> {
        self.tested
    }
}

/// The arms' mean distances from their medians, and the scatter of distances within arms.
#[derive(Debug, Default)]
struct Spread {
    means: Moments,
    within: f64,
}

impl Spread {
    /// Takes the four runs of an arm; gives their median.
    fn take(&mut self, runs: &[f64]) -> f64 {
        let mut sorted = [0.0; RUNS];
        sorted.copy_from_slice(&runs[..RUNS]);
        sorted.sort_unstable_by(f64::total_cmp);
        let median = 0.5 * (sorted[RUNS / 2 - 1] + sorted[RUNS / 2]);
        let distances: Moments = sorted.iter().map(|x| (x - median).abs()).collect();
        self.means.push(distances.mean());
        self.within += distances.sum_of_squares();
        median
    }

    /// F and its p-value; `None` where nothing scatters.
    fn test(&self) -> Option<(f64, f64)> {
        let arms = self.means.n() as f64;
        let (between_df, within_df) = (arms - 1.0, arms * (RUNS as f64 - 1.0));
        let between = RUNS as f64 * self.means.sum_of_squares();
        let f = (between / between_df) / (self.within / within_df);
        (self.within > 0.0).then(|| (f, f_sf(f, between_df, within_df)))
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
