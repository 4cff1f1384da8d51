//! Ray in the tests: a real head of their own, and one that is made up.

pub mod fake;
#[cfg(target_os = "linux")]
pub mod head;
