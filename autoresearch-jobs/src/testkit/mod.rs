//! For tests: a launcher that launches nothing, and what every launcher must do.

pub mod conformance;
mod fake;

pub use fake::FakeLauncher;
