//! The acceptance policies by name.
use autoresearch_core::{
    Acceptor, Factorial, Fast, FixedPaired, Greedy, Guarded, Margin, Scout, Seeds, Sequential,
};

type Make = fn(Seeds) -> Box<dyn Acceptor>;

/// A policy that has no choice of seeds takes no notice of it.
const POLICIES: &[(&str, Make)] = &[
    ("greedy", |_| Box::new(Greedy::new())),
    ("greedy-fixed-seed", |_| Box::new(Greedy::new().fixed_seed())),
    ("greedy3", |_| Box::new(Greedy::new().runs(3))),
    ("margin", |_| Box::new(Margin::new(2.0))),
    ("fixed-paired", |seeds| Box::new(FixedPaired::new().seeds(seeds))),
    ("sequential", |seeds| Box::new(Sequential::new().seeds(seeds))),
    ("guarded", |seeds| Box::new(Guarded::new().seeds(seeds))),
    ("fast", |seeds| Box::new(Fast::new().seeds(seeds))),
    ("factorial", |_| Box::new(Factorial::new())),
    ("factorial31", |_| Box::new(Factorial::new().cohort(31))),
    ("scout-epochs", |seeds| Box::new(Scout::new().epochs().seeds(seeds))),
    ("scout-peel", |seeds| Box::new(Scout::new().peel(true).seeds(seeds))),
    ("scout", |seeds| Box::new(Scout::new().seeds(seeds))),
];

/// All names.
pub(super) fn names() -> Vec<&'static str> {
    POLICIES.iter().map(|(name, _)| *name).collect()
}

/// The policy of that name.
pub(super) fn make(name: &str, seeds: Seeds) -> Option<Box<dyn Acceptor>> {
    POLICIES.iter().find(|(known, _)| *known == name).map(|(_, make)| make(seeds))
}
