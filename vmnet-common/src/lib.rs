//! What the kernel side and the user side of vmnet must agree on, and nothing else.
//!
//! The kernel counts into one [`Counters`] per CPU, because one struct read in one map lookup cannot tear
//! between its own fields the way reads of several maps do. Userspace sums them and thinks.
#![no_std]

#[cfg(feature = "user")]
extern crate alloc;

mod config;
mod counters;
mod event;
mod fate;
mod histogram;
mod names;
mod path;
mod refusal;

pub use config::{Bitfield, Config, Extras, Layout};
pub use counters::{
    CALLERS, CLASSES, COUNTED_LATER, Caller, Cell, Class, ClosedSockets, Counters, Forecast, Health,
    InDriver, LANES, Lane, LaneCounts, PerCpu, Refused, STAGES, Segmentation, SegmentedLast, SkbSegment,
    Split, StackSamples, Stage, TcpSendmsg,
};
pub use event::{Event, EventKind};
pub use fate::{Fate, fate};
pub use histogram::{LEN_BUCKETS, SEGS_BUCKETS, bucket, bucket_lower, bucket_upper};
pub use path::{AtDevice, Foreseen, OnTheWay, Passed, SLOTS, Watch, WatchedDevice};
pub use refusal::{GsoBits, REFUSALS, Refusal, SuperPacket, needed, refusal};
