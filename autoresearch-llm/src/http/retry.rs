//! When to try again.

use reqwest::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// As good as never: 30 years, which every clock can count.
const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);

/// How often and when a call that failed for a passing reason is tried again. Pure: no clock, no randomness of its own.
///
/// The pause doubles from failure to failure and is jittered, so that many callers do not come back together. A server
/// that says how long it wants to be left alone is left alone that long. Where the next try would come after the
/// deadline, there is none: nobody waits for nothing.
///
/// Only attempts that cost nothing are repeated by the models themselves; of one that may be billed they tell
/// ([`ChatError::may_repeat`](crate::ChatError::may_repeat)), since the caller set money aside for one.
///
/// ```
/// use autoresearch_llm::Retry;
/// use std::time::Duration;
/// let (retry, second) = (Retry::new(), Duration::from_secs(1));
/// assert_eq!(retry.pause(1, None, second, 1.0), Some(second));
/// assert_eq!(retry.pause(3, None, second, 1.0), Some(4 * second));
/// assert_eq!(retry.pause(3, None, second, 0.0), Some(2 * second));              // half of it is jitter
/// assert_eq!(retry.pause(1, Some(30 * second), second, 0.0), Some(30 * second));
/// assert_eq!(retry.pause(1, Some(3600 * second), second, 0.0), None);           // after the deadline
/// assert_eq!(retry.pause(99, None, second, 1.0), Some(60 * second));            // an outage is waited out
/// assert_eq!(retry.attempts(6).pause(6, None, second, 0.0), None);              // six were enough
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Retry {
    /// Attempts in all, the first included (default [`u32::MAX`]: the deadline alone ends them). Waiting for a server
    /// that says that it is still loading its model does not count.
    pub attempts: u32,
    /// The longest pause after the first failure (default 1 s).
    pub base: Duration,
    /// No pause of our own is longer (default 60 s); what a server asks for may be.
    pub cap: Duration,
    /// What the whole call may take, attempts and pauses together (default 20 minutes).
    pub deadline: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        let second = Duration::from_secs(1);
        Self { attempts: u32::MAX, base: second, cap: 60 * second, deadline: 1200 * second }
    }
}

impl Retry {
    /// Pauses of at most 1, 2, 4, … 60 s, 20 minutes in all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Attempts in all, the first included: 1 is no retry; 0 is taken as 1.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// The longest pause after the first failure.
    #[must_use]
    pub fn base(mut self, base: Duration) -> Self {
        self.base = base;
        self
    }

    /// The longest pause of our own.
    #[must_use]
    pub fn cap(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// What the whole call may take; [`Duration::MAX`] is no deadline.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// When a call that began then has to be over.
    pub(crate) fn until(&self, began: Instant) -> Instant {
        began.checked_add(self.deadline).unwrap_or_else(|| began + FAR)
    }

    /// How long to wait after so many failed attempts (from 1); `None`: give up.
    ///
    /// `asked` is what the server wants to be left alone for, `spent` what the call has taken so far, `jitter` a random
    /// number from 0 to 1.
    pub fn pause(
        &self,
        failed: u32,
        asked: Option<Duration>,
        spent: Duration,
        jitter: f64,
    ) -> Option<Duration> {
        if failed >= self.attempts.max(1) {
            return None;
        }
        let doubled = 1u32.checked_shl(failed.saturating_sub(1)).unwrap_or(u32::MAX);
        let most = self.base.saturating_mul(doubled).min(self.cap);
        let own = most.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0));
        // A little later than asked for, again so that not all come back at once.
        let pause = asked.map_or(own, |asked| own.max(asked.saturating_add(self.base.mul_f64(0.1 * jitter))));
        (spent.saturating_add(pause) < self.deadline).then_some(pause)
    }
}

/// What the headers ask for: `retry-after-ms`, or `retry-after` in seconds or as a date.
///
/// A date is taken against the server's own clock where it tells it, so that a wrong clock here does no harm.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    fn text(value: Option<&HeaderValue>) -> Option<&str> {
        value?.to_str().ok().map(str::trim)
    }
    if let Some(ms) = text(headers.get("retry-after-ms")).and_then(|ms| ms.parse::<f64>().ok()) {
        return Duration::try_from_secs_f64(ms.max(0.0) / 1e3).ok();
    }
    let asked = text(headers.get(RETRY_AFTER))?;
    if let Ok(seconds) = asked.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds.max(0.0)).ok();
    }
    let until = httpdate::parse_http_date(asked).ok()?;
    let there = text(headers.get(DATE)).and_then(|date| httpdate::parse_http_date(date).ok());
    Some(until.duration_since(there.unwrap_or(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn every_form_of_retry_after() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let of = |pairs: &[(&'static str, &str)]| retry_after(&headers(pairs), now);
        let date = "Sun, 06 Nov 1994 08:50:07 GMT";
        assert_eq!(of(&[("retry-after", "30")]), Some(Duration::from_secs(30)));
        assert_eq!(of(&[("retry-after", " 1.5 ")]), Some(Duration::from_millis(1500)));
        assert_eq!(of(&[("retry-after", date)]), Some(Duration::from_secs(30)));
        assert_eq!(of(&[("retry-after", date), ("date", date)]), Some(Duration::ZERO)); // our clock is slow
        assert_eq!(of(&[("retry-after", "-3")]), Some(Duration::ZERO));
        assert_eq!(of(&[("retry-after-ms", "250"), ("retry-after", "1")]), Some(Duration::from_millis(250)));
        for nonsense in ["soon", "NaN", "1e300", "inf", ""] {
            assert!(of(&[("retry-after", nonsense)]).is_none_or(|d| d.is_zero()), "{nonsense}");
        }
        assert_eq!(of(&[]), None);
    }

    proptest! {
        #[test]
        fn pauses_grow_stay_below_the_cap_and_end_before_the_deadline(
            failed in 1u32..80, spent in 0u64..3000, asked in prop::option::of(0u64..3000), jitter in 0.0f64..=1.0,
        ) {
            let retry = Retry::new().attempts(100);
            let asked = asked.map(Duration::from_secs);
            let spent = Duration::from_secs(spent);
            match retry.pause(failed, asked, spent, jitter) {
                Some(pause) => {
                    prop_assert!(spent + pause < retry.deadline);
                    prop_assert!(pause >= asked.unwrap_or_default());
                    let own = retry.cap.max(asked.unwrap_or_default() + retry.base);
                    prop_assert!(pause <= own);
                    prop_assert!(pause >= retry.base / 2);
                }
                None => prop_assert!(spent + retry.cap.max(asked.unwrap_or_default() + retry.base) >= retry.deadline),
            }
        }
    }
}
