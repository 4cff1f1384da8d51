//! Simulated landscapes: what a policy keeps can be held against the truth.
//!
//! A [`World`] makes proposals and losses, and knows the true gain of every candidate; [`simulate`] plays an acceptor on
//! it, through the same state machine that real studies run on.

mod curated;
mod draw;
mod edits;
mod interactions;
mod listed;
mod measured;
mod merge;
mod mixture;
mod noise;
mod score;
mod searched;
mod simulate;
mod slots;
mod stream;
mod world;

pub use curated::{Curated, Idea, simulate_curated};
pub use edits::Landscape;
pub use interactions::Interactions;
pub use listed::Listed;
pub use merge::{Edits, UnionOfEdits};
pub use mixture::Mixture;
pub use noise::Noise;
pub use searched::{SlotSpace, simulate_searched};
pub use simulate::{Rules, Simulated, simulate, simulate_checked, simulate_recorded};
pub use slots::{Levels, Slots};
pub use world::{Merit, World};
