//! Does one and the same candidate come out differently as the study goes on?

use super::report::DriftCheck;
use super::sentinels::Sentinel;
use super::spending::{OTHER, level};
use crate::arm::Version;
use crate::stats::{student_quantile, student_sf};

/// The first look; each later one when there are twice as many.
const FIRST: u64 = 8;

/// Sums about means of run number and loss.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    n: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
    yy: f64,
}

impl Line {
    fn push(&mut self, x: f64, y: f64) {
        self.n += 1.0;
        let (dx, dy) = (x - self.x, y - self.y);
        self.x += dx / self.n;
        self.y += dy / self.n;
        self.xx += dx * (x - self.x);
        self.xy += dx * (y - self.y);
        self.yy += dy * (y - self.y);
    }
}

/// A common slope of the loss on the run's number within versions of the incumbent, by least squares.
#[derive(Debug, Default)]
pub(super) struct Drift {
    version: Version,
    now: Line,
    /// Sums of versions that are over, and how many runs and versions they are of.
    xx: f64,
    xy: f64,
    yy: f64,
    runs: f64,
    versions: f64,
    looks: u32,
    flagged: bool,
    tested: Option<DriftCheck>,
}

impl Drift {
    /// Takes a sentinel; says whether drift is flagged now, for the first time.
    pub(super) fn take(&mut self, sentinel: Sentinel) -> bool {
        if sentinel.version != self.version {
            self.xx += self.now.xx;
            self.xy += self.now.xy;
            self.yy += self.now.yy;
            self.runs += self.now.n;
            self.versions += f64::from(u8::from(self.now.n > 0.0));
            (self.version, self.now) = (sentinel.version, Line::default());
        }
        self.now.push(sentinel.run.0 as f64, sentinel.loss);
        let n = (self.runs + self.now.n) as u64;
        if n < FIRST << self.looks.min(40) {
            return false;
        }
        self.looks += 1;
        let level = level(OTHER, self.looks);
        let Some(mut check) = self.estimate() else { return false };
        check.level = level;
        let first = check.p_value <= level && !self.flagged;
        self.flagged |= first;
        self.tested = Some(check);
        first
    }

    fn estimate(&self) -> Option<DriftCheck> {
        let (xx, xy, yy) = (self.xx + self.now.xx, self.xy + self.now.xy, self.yy + self.now.yy);
        let n = self.runs + self.now.n;
        let df = n - self.versions - 2.0;
        let residual = yy - xy * xy / xx;
        // Without noise the smallest step is a trend: rounding is none.
        if df < 1.0 || xx <= 0.0 || residual <= 1e-12 * yy {
            return None;
        }
        let slope = xy / xx;
        let error = (residual / df / xx).sqrt();
        let half = student_quantile(0.975, df) * error;
        Some(DriftCheck {
            flagged: false,
            runs: n as u64,
            per_hundred_runs: 100.0 * slope,
            low: 100.0 * (slope - half),
            high: 100.0 * (slope + half),
            p_value: (2.0 * student_sf((slope / error).abs(), df)).min(1.0),
            level: 0.0,
        })
    }

    /// As of the latest look.
    pub(super) fn report(&self) -> Option<DriftCheck> {
        self.tested.map(|check| DriftCheck { flagged: self.flagged, ..check })
    }
}
