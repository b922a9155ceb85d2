//! Each hook, each way: what this kernel allows, found by trying.

use super::ladder::{Environment, Request};
use crate::model::hook::{HOOKS, Spec, Way};

/// One way to one hook.
pub struct Finding {
    /// The hook.
    pub spec: &'static Spec,
    /// The way.
    pub way: &'static Way,
    /// It loads and attaches, or why not.
    pub result: Result<(), String>,
}

/// Tries everything, and leaves nothing attached.
///
/// # Errors
/// Why nothing could be tried at all.
pub fn survey() -> Result<Vec<Finding>, super::ProbeError> {
    let environment = Environment::read(&Request::default())?;
    let mut findings = Vec::new();
    for spec in &HOOKS {
        for way in spec.ways {
            findings.push(Finding { spec, way, result: environment.try_way(way) });
        }
    }
    Ok(findings)
}
