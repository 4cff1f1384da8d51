//! How edits change one another's effects.

use super::draw::{Normals, pair};

/// How edits change one another's effects.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Interactions {
    /// Not at all.
    None,
    /// Each pair of edits that do anything adds N(0, .3).
    DenseNonzero,
    /// 5 % of all pairs add N(0, 1).
    Sparse,
    /// Each pair adds N(0, .3).
    Dense,
    /// Edits with merit come twice; together they do what the better one does.
    Redundant,
    /// The same, and together they do 1 worse than the better one.
    Clash,
    /// Each pair of edits with effects beyond ±.25 adds N(0, this).
    Tau(f64),
}

impl Interactions {
    pub(super) fn twins(self) -> bool {
        matches!(self, Self::Redundant | Self::Clash)
    }

    /// What twins lose together besides the smaller of their effects.
    pub(super) fn price(self) -> f64 {
        if self == Self::Clash { 1.0 } else { 0.0 }
    }

    /// Whether an edit of this effect takes part in pairs.
    pub(super) fn takes_part(self, effect: f64) -> bool {
        match self {
            Self::None | Self::Redundant | Self::Clash => false,
            Self::Sparse | Self::Dense => true,
            Self::DenseNonzero => effect != 0.0,
            Self::Tau(sd) => sd > 0.0 && effect.abs() > super::measured::NEGLIGIBLE,
        }
    }

    /// What a pair adds, both of which take part.
    pub(super) fn term(self, normals: Normals, seed: u64, a: u32, b: u32) -> f64 {
        let hash = pair(seed, a, b);
        match self {
            Self::None | Self::Redundant | Self::Clash => 0.0,
            Self::DenseNonzero | Self::Dense => 0.3 * normals.at(hash),
            // The upper bits choose the number, the lower ones the pair.
            Self::Sparse if (hash & 0xFFFF_FFFF) < (0.05 * 4_294_967_296.0) as u64 => normals.at(hash),
            Self::Sparse => 0.0,
            Self::Tau(sd) => sd * normals.at(hash),
        }
    }
}
