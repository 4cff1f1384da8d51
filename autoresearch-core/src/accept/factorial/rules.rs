//! The settings, and which of them cannot work.

use super::{CALIBRATE, budget};
use crate::accept::Setup;
use crate::stats::ELond;

/// More proposals make designs that nobody has tried.
const MOST: usize = 63;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rules {
    pub(super) alpha: f64,
    pub(super) horizon: f64,
    pub(super) cohort: usize,
    pub(super) screen: f64,
}

impl Rules {
    /// What cannot work is refused by `check` before the first level is needed.
    pub(super) fn levels(&self) -> ELond {
        ELond::new(self.alpha, self.horizon).unwrap_or_default()
    }

    pub(super) fn check(&self, setup: &Setup) -> Result<(), String> {
        let Self { alpha, horizon, cohort, screen } = self;
        if !(*alpha > 0.0 && *alpha < 1.0) {
            return Err(format!("factorial: alpha is {alpha}; it must be between 0 and 1, both excluded"));
        }
        if let Err(error) = ELond::new(*alpha, *horizon) {
            return Err(format!("factorial: {error}"));
        }
        if !(1..=MOST).contains(cohort) {
            return Err(format!("factorial: a trial has 1 to {MOST} proposals, and {cohort} were asked for"));
        }
        if !screen.is_finite() {
            return Err(format!(
                "factorial: the screening threshold is {screen}; it must be a number of sigmas"
            ));
        }
        if !setup.composes {
            return Err("factorial stacks proposals, and this study does not know how to merge candidates: \
                        implement `Compose` for them and give it to the study (`.compose(…)`; `FieldMerge` does it \
                        for any struct that serde knows), or use `Guarded`"
                .into());
        }
        if setup.questions == Some(0) {
            return Err(
                "factorial: the holdout answers no question, so nothing could be kept; give it a budget of \
                        queries, or leave it out"
                    .into(),
            );
        }
        let confirm = budget::reserve(1);
        let least = CALIBRATE as u64 + 1 + confirm;
        match setup.runs {
            Some(runs) if runs < least => Err(format!(
                "factorial cannot confirm anything within {runs} runs: {CALIBRATE} calibrate, at least 1 screens, \
                 and one proposal alone may take {confirm}; allow {least} or more, or use `Fast` or `Guarded`"
            )),
            _ => Ok(()),
        }
    }
}
