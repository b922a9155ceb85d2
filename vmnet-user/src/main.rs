//! The `vmnet` command.
fn main() {}
