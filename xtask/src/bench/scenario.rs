//! The worlds by name.
use super::cell::Options;
use autoresearch_core::testkit::landscape::{Interactions, Landscape, Mixture, Noise, SlotSpace, Slots};

/// What kind of world it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scenario {
    /// A stream of edits.
    Edits(Mixture),
    /// Edits to a file of so many lines.
    File(u32),
    /// A parameter set of so many keys.
    Slots(usize),
    /// The same on a plain baseline: effects of tens of sigma, and keys that interact.
    Steep(usize),
    /// The same, where what is proposed comes from proposers that learn from what was tried.
    Searched(usize),
}

const SCENARIOS: &[(&str, Scenario)] = &[
    ("mixed", Scenario::Edits(Mixture::Mixed)),
    ("allnull", Scenario::Edits(Mixture::AllNull)),
    ("neutral", Scenario::Edits(Mixture::Neutral)),
    ("decaying", Scenario::Edits(Mixture::Decaying)),
    ("catastrophic", Scenario::Edits(Mixture::Catastrophic)),
    ("measured", Scenario::Edits(Mixture::Measured)),
    ("slots15", Scenario::Slots(15)),
    ("slots35", Scenario::Slots(35)),
    ("slots80", Scenario::Slots(80)),
    ("steep35", Scenario::Steep(35)),
    ("searched35", Scenario::Searched(35)),
    ("file300", Scenario::File(300)),
    ("file1000", Scenario::File(1000)),
];

/// All names.
pub(super) fn names() -> Vec<&'static str> {
    SCENARIOS.iter().map(|(name, _)| *name).collect()
}

/// A world of one kind or the other.
#[derive(Debug)]
pub(super) enum AnyWorld {
    /// A stream of edits.
    Edits(Landscape),
    /// A parameter set.
    Slots(Slots),
    /// A parameter set that is searched.
    Searched(SlotSpace),
}

impl Scenario {
    pub(super) fn named(name: &str) -> Option<Self> {
        SCENARIOS.iter().find(|(known, _)| *known == name).map(|(_, scenario)| *scenario)
    }

    /// The options as far as they apply here: the measured world has noise and interactions of its own, and keys do not
    /// interact.
    pub(super) fn applicable(self, options: &Options) -> Options {
        let mut own = options.clone();
        match self {
            Self::Edits(Mixture::Measured) => {
                (own.sigma_v, own.noise, own.interactions) = (None, "measured".into(), "none".into());
            }
            Self::Edits(_) => own.tau = 0.0,
            Self::File(_) => (own.tau, own.conflicts) = (0.0, 0.0),
            Self::Slots(_) | Self::Steep(_) | Self::Searched(_) => {
                (own.tau, own.conflicts, own.interactions) = (0.0, 0.0, "none".into())
            }
        }
        own
    }

    /// The world of these options, drawn from `seed`.
    pub(super) fn world(self, options: &Options, seed: u64) -> AnyWorld {
        let split = options.sigma_v.unwrap_or(0.0);
        let noise = match options.noise.as_str() {
            "t4" => Noise::T4,
            "hetero" => Noise::Hetero,
            "measured" => Noise::Measured,
            _ => Noise::Gaussian,
        };
        let interactions = match options.interactions.as_str() {
            "densenn" => Interactions::DenseNonzero,
            "sparse" => Interactions::Sparse,
            "dense" => Interactions::Dense,
            "redundant" => Interactions::Redundant,
            "clash" => Interactions::Clash,
            _ if options.tau > 0.0 => Interactions::Tau(options.tau),
            _ => Interactions::None,
        };
        let edits = |mixture| {
            Landscape::new(mixture, seed).split_noise(split).noise(noise).interactions(interactions)
        };
        let slots = |keys| Slots::new(keys, seed).split_noise(split).noise(noise);
        match self {
            Self::Edits(mixture) => AnyWorld::Edits(edits(mixture).conflicts(options.conflicts)),
            Self::File(lines) => AnyWorld::Edits(edits(Mixture::Mixed).file(lines)),
            Self::Slots(keys) => AnyWorld::Slots(slots(keys)),
            Self::Steep(keys) => AnyWorld::Slots(slots(keys).steep()),
            Self::Searched(keys) => AnyWorld::Searched(SlotSpace::new(slots(keys).steep())),
        }
    }
}
