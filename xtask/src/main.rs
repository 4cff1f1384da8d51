//! Set-up, tests and the demo of this workspace.
fn main() {}
