//! What the crate promises, on repositories that are made for it.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod attacks;
mod edits;
mod example;
mod history;
mod means;
mod opening;
mod runs;
mod support;
mod traps;
mod units;
