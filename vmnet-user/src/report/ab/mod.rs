//! An experiment's result: `vmnet ab`.

pub mod schema;
