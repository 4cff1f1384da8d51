//! What settings cannot work, said before anything runs: each message names policy, setting, value and what to do.

use crate::accept::Setup;
use crate::stats::TTestE;

/// A probability strictly between 0 and 1.
pub(in crate::accept) fn probability(policy: &str, setting: &str, value: f64) -> Result<(), String> {
    if value > 0.0 && value < 1.0 {
        return Ok(());
    }
    Err(format!(
        "{policy}: {setting} is {value}; it is a probability, so give one between 0 and 1, both excluded"
    ))
}

/// A count of at least so many, because of `why`.
pub(in crate::accept) fn at_least(
    policy: &str,
    setting: &str,
    value: u64,
    least: u64,
    why: &str,
) -> Result<(), String> {
    if value >= least {
        return Ok(());
    }
    Err(format!("{policy}: {setting} is {value}; {why}, so give {least} or more"))
}

/// A number of sigmas.
pub(in crate::accept) fn sigmas(policy: &str, setting: &str, value: f64) -> Result<(), String> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(format!("{policy}: {setting} is {value}; it is a number of sigmas, so give a finite one, 0 or more"))
}

/// A limit on runs within which something can be accepted; `parts` says what the least number is made of.
pub(in crate::accept) fn runs(policy: &str, setup: &Setup, least: u64, parts: &str) -> Result<(), String> {
    match setup.runs {
        Some(limit) if limit < least => Err(format!(
            "{policy}: the limit on runs is {limit}, and nothing can be accepted with fewer than {least} ({parts}); \
             raise the limit to {least} or more, or choose a policy that takes fewer"
        )),
        _ => Ok(()),
    }
}

/// The fewest pairs with which the t e-process can reach 1/`level` at all, if that is at most `max`.
///
/// Equal differences in all pairs and calibration runs without any spread are the strongest evidence that n pairs can
/// give, and even that is bounded: the e-value's prior does not believe in an infinite effect.
pub(super) fn fewest_pairs(level: f64, df: f64, min: u32, max: u32) -> Option<u32> {
    let mut e = TTestE::new(0.0, df).ok()?;
    (1..=max).find(|&n| {
        e.push(1.0);
        n >= min && e.log_e() >= -level.ln()
    })
}
