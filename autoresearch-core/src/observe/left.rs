//! How long a study may take yet.

use super::Status;

/// Seconds as m:ss, from an hour on as h:mm:ss.
pub(super) fn clock(seconds: f64) -> String {
    let s = seconds.max(0.0) as u64;
    match s / 3600 {
        0 => format!("{}:{:02}", s / 60, s % 60),
        h => format!("{h}:{:02}:{:02}", s / 60 % 60, s % 60),
    }
}

/// Seconds as somebody says them who does not know them well.
pub(super) fn roughly(seconds: f64) -> String {
    match seconds.max(0.0) {
        s if s < 10.0 => "10 s".into(),
        s if s < 90.0 => format!("{:.0} s", (s / 10.0).round() * 10.0),
        s if s < 90.0 * 60.0 => format!("{:.0} min", s / 60.0),
        s if s < 48.0 * 3600.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

/// So many runs must have ended before their pace tells anything.
const KNOWN: u64 = 5;

/// How long the study may take yet, where that can be known.
pub(super) fn left(status: &Status) -> Option<String> {
    let share = share(status)?;
    let by_clock = status.wall_clock.map(|limit| (limit - status.elapsed).max(0.0));
    if share >= 1.0 {
        return Some("final runs".into());
    }
    let at_this_pace = (status.runs >= KNOWN && share > 0.0)
        .then(|| status.elapsed * (1.0 / share - 1.0))
        .filter(|s| s.is_finite());
    match (by_clock, at_this_pace) {
        // By the clock the search is over; the final runs come after it. Another limit may be nearer.
        (Some(clock), Some(pace)) if pace < 0.95 * clock => Some(format!("about {} left", roughly(pace))),
        (Some(clock), _) => Some(format!("at most {} of search left", roughly(clock))),
        (None, Some(pace)) => Some(format!("about {} left", roughly(pace))),
        (None, None) => None,
    }
}

/// How much of the tightest limit is used up.
pub(super) fn share(status: &Status) -> Option<f64> {
    let of = |used: f64, limit: f64| used / limit.max(1e-9);
    let count = |used: u64, limit: Option<u64>| limit.map(|limit| used as f64 / (limit.max(1)) as f64);
    let shares = [
        status.wall_clock.map(|limit| of(status.elapsed, limit)),
        status.compute_limit.map(|limit| of(status.compute, limit)),
        status.money_limit.map(|limit| of(status.money, limit)),
        count(status.runs, status.runs_limit),
        // The last one is still to be judged when it has been made.
        count(status.proposals.saturating_sub(1), status.proposals_limit),
    ];
    shares.into_iter().flatten().reduce(f64::max).map(|share| share.clamp(0.0, 1.0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn status() -> Status {
        Status {
            runs: 12,
            runs_limit: Some(24),
            proposals: 5,
            proposals_limit: None,
            kept: 1,
            in_flight: 2,
            baseline: Some(3.0),
            incumbent: Some(2.9),
            stack: None,
            holdout_left: Some(99),
            elapsed: 60.0,
            wall_clock: None,
            compute: 100.0,
            compute_limit: None,
            money: 0.25,
            money_limit: None,
        }
    }

    #[test]
    fn hours_are_told_as_such() {
        let shown = [0.0, 59.9, 3599.0, 3600.0, 32_412.0, -1.0].map(clock);
        assert_eq!(shown, ["0:00", "0:59", "59:59", "1:00:00", "9:00:12", "0:00"]);
    }

    #[test]
    fn what_is_left_is_not_said_before_it_is_known() {
        assert_eq!(left(&status()).unwrap(), "about 60 s left");
        assert_eq!(left(&Status { runs: 4, ..status() }), None, "four runs");
        assert_eq!(left(&Status { runs_limit: None, ..status() }), None, "no limit");
        assert_eq!(left(&Status { runs: 24, ..status() }).unwrap(), "final runs");
        // The clock is known from the start, and is no more than a bound.
        let clock = |runs, limit| Status { runs, wall_clock: Some(limit), ..status() };
        assert_eq!(left(&clock(1, 7200.0)).unwrap(), "at most 2.0 h of search left");
        assert_eq!(left(&clock(12, 90.0)).unwrap(), "at most 30 s of search left");
        assert_eq!(left(&clock(12, 7200.0)).unwrap(), "about 60 s left");
    }
}
