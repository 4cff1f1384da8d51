//! How often a worker says something: its lines go the way of the run's own output, and are to stay few however long it takes.

use std::time::{Duration, Instant};

/// The least time between two lines, and how many lines there are before they get rarer.
const OFTEN: Duration = Duration::from_millis(100);
const FIRST: u32 = 600;
/// The least time from then on. Later still it is a hundredth of what has passed: a thousand lines more bring it from a quarter of an
/// hour to a year.
const LATER: Duration = Duration::from_secs(10);
const PART: u32 = 100;
/// The most lines that are in a hurry.
const HURRIED: u32 = 600;

/// The most bytes of a worker's own lines, of progress and of charges, in as much time as anybody waits.
pub(super) const MOST: u64 = 1 << 20;

/// Says when the next line may come.
#[derive(Debug)]
pub(super) struct Pace {
    begun: Instant,
    told: u32,
    hurried: u32,
    last: Option<Instant>,
}

impl Pace {
    pub(super) fn new(begun: Instant) -> Self {
        Self { begun, told: 0, hurried: 0, last: None }
    }

    /// Whether a line may be said now; then it counts. One in a `hurry` waits for nothing, while there are not too many of those.
    pub(super) fn may(&mut self, now: Instant, hurry: bool) -> bool {
        let gap = match self.told < FIRST {
            true => OFTEN,
            false => LATER.max(now.saturating_duration_since(self.begun) / PART),
        };
        let soon = self.last.is_some_and(|last| now.saturating_duration_since(last) < gap);
        if soon && (!hurry || self.hurried >= HURRIED) {
            return false;
        }
        match soon {
            true => self.hurried += 1,
            false => self.told = self.told.saturating_add(1),
        }
        self.last = Some(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_of_lines_is_within_bounds() {
        let begun = Instant::now();
        let mut pace = Pace::new(begun);
        let (mut lines, mut at) = (0u64, 0.0f64);
        // As often as it likes, ever rarer looks so that the test ends.
        while at < 365.0 * 86_400.0 {
            let now = begun + Duration::from_secs_f64(at);
            lines += u64::from(pace.may(now, lines % 2 == 0)) + u64::from(pace.may(now, true));
            at += (at / 2_000.0).max(0.05);
        }
        assert!((1_200..3_000).contains(&lines), "{lines}");
        // Two kinds of lines, the longest of them of less than 170 bytes (see `wire`).
        assert!(2 * 170 * lines < MOST, "{lines}");
    }

    #[test]
    fn what_is_in_a_hurry_does_not_wait() {
        let begun = Instant::now();
        let mut pace = Pace::new(begun);
        assert!(pace.may(begun, false) && !pace.may(begun, false) && pace.may(begun, true));
        assert!(!pace.may(begun + OFTEN / 2, false) && pace.may(begun + OFTEN, false));
    }
}
