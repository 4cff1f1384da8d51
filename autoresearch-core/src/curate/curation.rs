//! How a study's backlog is kept: by whom it is ranked, how many ideas wait, and what counts as known.

use super::{Curator, Room};
use serde::{Deserialize, Serialize};
use std::fmt;

/// After how many changes of the incumbent an idea that was measured to be better and not kept is worth another look.
pub(super) const MOVED: u32 = 10;

/// How a study's backlog is kept. A study that is told nothing of it has none: what is proposed is tried at once.
///
/// ```
/// use autoresearch_core::{Curation, Fifo, Room};
/// let curation = Curation::new(Fifo::new()).room(Room::new(4, 8)).near(0.0).comes_back_after(5);
/// # let _ = curation;
/// ```
pub struct Curation {
    pub(crate) curator: Box<dyn Curator>,
    pub(crate) rules: Rules,
}

/// What is stored of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rules {
    pub(crate) curator: String,
    pub(crate) low: usize,
    pub(crate) high: usize,
    pub(crate) near: f64,
    pub(crate) comes_back_after: u32,
}

impl Rules {
    pub(crate) fn room(&self) -> Room {
        Room { low: self.low, high: self.high }
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { curator, low, high, near, comes_back_after } = self;
        write!(f, "{curator}, between {low} and {high}, near {near}, back after {comes_back_after}")
    }
}

impl Curation {
    /// Ranked by this curator; between 24 and 32 ideas wait for a step that takes up to 8.
    pub fn new(curator: impl Curator + 'static) -> Self {
        let Room { low, high } = Room::default();
        let curator: Box<dyn Curator> = Box::new(curator);
        let rules = Rules { curator: curator.describe(), low, high, near: 0.01, comes_back_after: MOVED };
        Self { curator, rules }
    }

    /// How many ideas wait at a time.
    #[must_use]
    pub fn room(mut self, room: Room) -> Self {
        (self.rules.low, self.rules.high) = (room.low, room.high);
        self
    }

    /// How near is the same (default .01, at most .5, 0 for exactly). Two changes of the same parameters are near if
    /// every number among them is no further apart than this on its parameter's scale from 0 to 1, and every other value
    /// is equal. Two changes of which it is not known what they switch are near if of all words in their titles and
    /// descriptions at most this share is not common to both.
    #[must_use]
    pub fn near(mut self, distance: f64) -> Self {
        self.rules.near = if distance.is_nan() { 0.0 } else { distance.clamp(0.0, 0.5) };
        self
    }

    /// After how many changes of the incumbent an idea may come back that was measured to be better and not kept (default
    /// 10, at least 1). What was measured to be no better, or did not run, comes back when something was kept meanwhile
    /// that switches a key that it switches as well, and a near-miss then does so earlier; else it does not.
    #[must_use]
    pub fn comes_back_after(mut self, changes: u32) -> Self {
        self.rules.comes_back_after = changes.max(1);
        self
    }
}

impl fmt::Debug for Curation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Curation").field("rules", &self.rules).finish_non_exhaustive()
    }
}
