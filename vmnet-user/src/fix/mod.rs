//! Mending what can be mended on this machine.

pub mod persist;
