//! Contracts, state machine, statistics, acceptance, stores and testkit.

pub mod stats;
