#![doc = include_str!("../README.md")]

pub use autoresearch_core::*;

/// Runs outside of this process: jobs, launchers, and executors whose every run is a process.
#[cfg(feature = "jobs")]
pub use autoresearch_jobs as jobs;

/// Language models as proposers: chat models, codecs, and the loop that keeps asking.
#[cfg(feature = "llm")]
pub use autoresearch_llm as llm;

/// Source trees as candidates: a repository's task, edits, runs in isolation, and commits of what is kept.
#[cfg(feature = "repo")]
pub use autoresearch_repo as repo;

/// What a study found, for people: a page, charts, tables, JSON.
#[cfg(feature = "report")]
pub use autoresearch_report as report;

/// The libtorch trainer: corpus, GPT recipe, bits per byte, and a trait for your own model.
#[cfg(feature = "tch")]
pub use autoresearch_tch as tch;

#[doc = include_str!("../DESIGN.md")]
pub mod design {}

/// Guides: how to write parts of your own, and how to test them.
pub mod guide {
    #[doc = include_str!("../docs/parts.md")]
    pub mod parts {}

    #[doc = include_str!("../docs/testing.md")]
    pub mod testing {}
}
