//! What this kernel offers: its types, its symbols, what it permits.

pub mod btf;
pub mod gso_bits;
pub mod layout;
pub mod permissions;
pub mod restrictions;
pub mod symbols;

pub use btf::{Btf, BtfError};
