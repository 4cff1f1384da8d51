//! Did the whole gain as much as was claimed edit by edit?

use super::report::EndpointCheck;
use super::sentinels::Sentinel;
use super::spending::{OTHER, level};
use crate::arm::{ProposalId, Version};
use crate::propose::Effect;
use crate::stats::{Moments, normal_quantile, student_quantile, student_sf};
use std::collections::BTreeMap;

/// Below this share of the claims it is winner's curse, or edits that take from one another.
const SHARE: f64 = 0.7;
/// Fresh runs of the incumbent that a look needs.
const RUNS: u64 = 4;

/// What was claimed for an edit, or for the unit that it is of.
#[derive(Debug, Clone, Copy)]
struct Claim {
    /// The first edit of the unit: what is claimed for a unit counts once.
    first: ProposalId,
    mean: f64,
    variance: f64,
}

/// Claims, and what fresh runs of baseline and incumbent make of their sum.
#[derive(Debug, Default)]
pub(super) struct Endpoint {
    claims: BTreeMap<ProposalId, Claim>,
    version: Version,
    baseline: Moments,
    now: Moments,
    /// Scatter within versions that are over.
    ss: f64,
    df: f64,
    looked: Option<Version>,
    /// Kept edits that the next look waits for.
    next: usize,
    looks: u32,
    flagged: bool,
    tested: Option<EndpointCheck>,
}

impl Endpoint {
    pub(super) fn kept(&mut self, proposal: ProposalId, unit: &[ProposalId], effect: Option<Effect>) {
        let Some(effect) = effect else { return };
        let half = effect.low.zip(effect.high).map_or(0.0, |(low, high)| 0.5 * (high - low));
        let quantile = normal_quantile(0.5 + 0.5 * effect.level);
        let error = if quantile > 0.0 && quantile.is_finite() { half / quantile } else { 0.0 };
        let first = unit.first().copied().unwrap_or(proposal);
        self.claims.insert(proposal, Claim { first, mean: effect.mean, variance: error * error });
    }

    pub(super) fn revoked(&mut self, proposal: ProposalId) {
        self.claims.remove(&proposal);
    }

    /// Takes a sentinel; says whether the claims are flagged now, for the first time.
    pub(super) fn take(&mut self, sentinel: Sentinel) -> bool {
        self.push(sentinel.version, sentinel.loss);
        let due = self.now.n() >= RUNS && self.looked != Some(self.version);
        if self.version == Version(0) || !due || self.claims.len() < self.next.max(1) {
            return false;
        }
        self.looked = Some(self.version);
        self.next = 2 * self.claims.len();
        self.look()
    }

    /// A run of the finale. Those of the bolder stack are not about the claims.
    pub(super) fn last(&mut self, version: Version, loss: f64) {
        self.push(version, loss);
    }

    /// The search is over: one more look, if there is more to see.
    pub(super) fn end(&mut self) -> bool {
        self.version > Version(0) && self.now.n() >= 2 && self.baseline.n() >= 2 && self.look()
    }

    fn push(&mut self, version: Version, loss: f64) {
        if version == Version(0) {
            self.baseline.push(loss);
        } else {
            if version != self.version {
                self.ss += self.now.sum_of_squares();
                self.df += self.now.n().saturating_sub(1) as f64;
                (self.version, self.now) = (version, Moments::new());
            }
            self.now.push(loss);
        }
    }

    fn look(&mut self) -> bool {
        self.looks += 1;
        let level = level(OTHER, self.looks);
        let Some(check) = self.estimate(level) else { return false };
        let first = check.p_value <= level && !self.flagged;
        self.flagged |= first;
        self.tested = Some(check);
        first
    }

    fn estimate(&self, level: f64) -> Option<EndpointCheck> {
        let once: BTreeMap<ProposalId, &Claim> = self.claims.values().map(|c| (c.first, c)).collect();
        let claimed: f64 = once.values().map(|claim| claim.mean).sum();
        let of_claims: f64 = once.values().map(|claim| claim.variance).sum();
        let (n, m) = (self.baseline.n(), self.now.n());
        let df = self.df + n.saturating_sub(1) as f64 + m.saturating_sub(1) as f64;
        if claimed <= 0.0 || n == 0 || m == 0 || df < 1.0 {
            return None;
        }
        let ss = self.ss + self.baseline.sum_of_squares() + self.now.sum_of_squares();
        let of_gain = ss / df * (1.0 / n as f64 + 1.0 / m as f64);
        let gain = self.baseline.mean() - self.now.mean();
        let short = SHARE * claimed - gain;
        let error = (of_gain + SHARE * SHARE * of_claims).sqrt();
        let p_value = match error > 0.0 {
            true => student_sf(short / error, df),
            false => f64::from(short <= 0.0),
        };
        let half = student_quantile(0.975, df) * of_gain.sqrt();
        Some(EndpointCheck {
            flagged: false,
            kept: self.claims.len() as u64,
            claimed,
            gain,
            ratio: gain / claimed,
            low: (gain - half) / claimed,
            high: (gain + half) / claimed,
            runs: m,
            p_value,
            level,
        })
    }

    /// As of the latest look.
    pub(super) fn report(&self) -> Option<EndpointCheck> {
        self.tested.map(|check| EndpointCheck { flagged: self.flagged, ..check })
    }
}
