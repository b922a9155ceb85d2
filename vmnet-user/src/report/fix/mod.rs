//! What `vmnet fix` and `vmnet restore` did.

pub mod schema;
mod screen;
pub mod text;

pub use self::screen::screen;
