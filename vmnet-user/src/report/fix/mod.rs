//! What `vmnet fix` and `vmnet restore` did.

pub mod schema;
pub mod text;
