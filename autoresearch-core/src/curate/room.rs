//! How many ideas wait at a time.

/// How many ideas wait at a time: proposers are asked when fewer than `low` would be left, and then for enough that,
/// with the best of those that were left, `high` can be chosen from.
///
/// `high − low` ideas are tried of each `high` that arrive: with the default of 24 and 32 one in four. The more are
/// passed over, the more a curator that knows something gains; what is passed over is shelved, not lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Room {
    /// When fewer would be left, proposers are asked for more.
    pub low: usize,
    /// No more than that wait; the last of the order beyond that are shelved.
    pub high: usize,
}

impl Room {
    /// Between these two.
    ///
    /// # Panics
    /// `high` is not above `low`.
    pub fn new(low: usize, high: usize) -> Self {
        assert!(high > low, "a backlog between {low} and {high} has no room");
        Self { low, high }
    }

    /// The room for a step that takes `wanted` at once: as much larger as keeps the share that is tried.
    #[must_use]
    pub fn for_step(self, wanted: usize) -> Self {
        let times = wanted.div_ceil(self.high - self.low).max(1);
        Self { low: self.low * times, high: self.high * times }
    }

    /// How many ideas to ask for when `wanted` are to be taken from so many; `None`: enough wait.
    pub fn ask(self, waiting: usize, wanted: usize) -> Option<usize> {
        let room = self.for_step(wanted);
        (waiting < room.low + wanted).then_some(room.high)
    }
}

impl Default for Room {
    fn default() -> Self {
        Self { low: 24, high: 32 }
    }
}
