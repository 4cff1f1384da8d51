//! The program `autoresearch`, command by command.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod first;
mod mistakes;
mod support;
mod whole;
