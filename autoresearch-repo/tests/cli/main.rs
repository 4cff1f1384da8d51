//! The program `autoresearch`, command by command.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod mistakes;
mod support;
mod whole;
