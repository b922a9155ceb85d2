//! Of all documents together.

mod schemas;
mod screens;
