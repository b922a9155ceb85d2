//! What vmnet says, to people and to programs: one folder a document, each with its schema, its text, its page and its charts.

pub mod ab;
pub mod check;
pub mod compare;
pub mod doctor;
pub mod explain;
pub mod fix;
pub mod kit;
pub mod list;
pub mod path;
pub mod run;

#[cfg(test)]
mod tests;
