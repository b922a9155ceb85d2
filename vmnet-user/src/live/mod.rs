//! The view while a run runs: one line an interval, in the manner of iperf3.

mod table;

pub use table::{columns, introduction, introduction_in_short, line};
