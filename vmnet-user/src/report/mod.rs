//! What a run says, to people and to programs.

pub mod schema;
