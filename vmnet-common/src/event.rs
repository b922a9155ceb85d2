//! Rare events, worth telling one by one: they travel through the ring buffer.

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum EventKind {
    /// `__skb_gso_segment` failed: `a` is the negative errno, `b` the skb's length.
    SegmentationError = 1,
    /// The device's active features differ from those at the packet before: `a` was, `b` is. Each CPU tells once.
    FeaturesChanged = 2,
    /// An exit without its entry: `a` is 1 for `__skb_gso_segment`, 2 for `skb_segment`, 3 for `net_dev_xmit`; `b` is 0.
    UnmatchedExit = 3,
}

/// One event as the ring buffer carries it: 32 bytes, native byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct Event {
    /// CLOCK_MONOTONIC.
    pub time_ns: u64,
    /// An [`EventKind`].
    pub kind: u32,
    /// The CPU that saw it.
    pub cpu: u32,
    /// By kind.
    pub a: u64,
    /// By kind.
    pub b: u64,
}
