//! What `vmnet path` watches, and what it counts of each device: apart from [`crate::Config`] and [`crate::Counters`], so that a run on one
//! interface costs what it did.

use crate::names::counters;
use crate::refusal::REFUSALS;

/// Devices that can be watched at once.
pub const SLOTS: usize = 16;

/// One device, and whose packets on it are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct WatchedDevice {
    /// The inode number of its network namespace: indexes repeat across namespaces.
    pub netns_inum: u32,
    /// Its index there.
    pub ifindex: u32,
    /// 4 or 6: the IP version of `destination`. 0: every packet is one of ours.
    pub version: u32,
    /// Of no use but to keep what follows in its place.
    pub unused: u32,
    /// Where our packets go, by the innermost IP header, as it stands there: four bytes or sixteen, then zeros.
    pub destination: [u32; 4],
}

/// The devices on the way, in the order of their slots. Frozen as all that the programs are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct Watch {
    /// Those behind [`Self::count`] are unused.
    pub devices: [WatchedDevice; SLOTS],
    /// How many.
    pub count: u32,
    /// Of no use.
    pub unused: u32,
}

counters! {
    /// Packets at a device's queue.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
    #[repr(C)]
    pub struct Passed {
        /// skbs with a `gso_size`.
        pub super_packets: u64,
        /// The wire segments that these are worth.
        pub segments: u64,
        /// Their TCP or UDP payload.
        pub payload_bytes: u64,
        /// Σ (segments − 1) · header: how much longer they become when they are cut.
        pub unsent_header_bytes: u64,
        /// Σ `skb->len` of super-packets.
        pub super_bytes: u64,
        /// skbs of one segment.
        pub singles: u64,
        /// Σ `skb->len` of these.
        pub single_bytes: u64,
    }
}

counters! {
    /// Super-packets of one kind: those whose device is foreseen to refuse them for one [`crate::Refusal`], or calls of segmentation.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
    #[repr(C)]
    pub struct Foreseen {
        /// How many.
        pub packets: u64,
        /// Their wire segments.
        pub segments: u64,
        /// Their payload.
        pub payload_bytes: u64,
    }
}

counters! {
    /// What passed one device's queue.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
    #[repr(C)]
    pub struct AtDevice {
        /// Every packet.
        pub all: Passed,
        /// The part that goes to the destination.
        pub ours: Passed,
        /// All super-packets by what the device is foreseen to refuse them for; `qdisc_splits` stands for nothing: they are foreseen to pass.
        pub foreseen: [Foreseen; REFUSALS] => "foreseen.{refusal}",
        /// The part of these that goes to the destination.
        pub ours_foreseen: [Foreseen; REFUSALS] => "ours_foreseen.{refusal}",
        /// Payload of ours that is TCP over IPv6.
        pub tcp6_payload_bytes: u64,
        /// `__skb_gso_segment` for this device's queue: successful calls, the segments they made, and what went in.
        pub segmented: Foreseen,
        /// The part of these that goes to the destination, by what was refused.
        pub ours_refused: [Foreseen; REFUSALS] => "ours_refused.{refusal}",
        /// Calls from above the queue, as IP output to a smaller MTU: what they make passes the queue.
        pub segmented_above: Foreseen,
        /// Time inside all these calls.
        pub segmented_ns: u64,
        /// Calls whose segments the formula cannot count (`GSO_BY_FRAGS`, `GSO_PARTIAL`), and exits without their entries.
        pub uncountable: u64,
    }
}

/// What one CPU counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct OnTheWay {
    /// By slot.
    pub devices: [AtDevice; SLOTS],
}

#[cfg(feature = "user")]
impl Default for OnTheWay {
    fn default() -> Self {
        bytemuck::Zeroable::zeroed()
    }
}

#[cfg(feature = "user")]
impl AtDevice {
    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        self.each(other, u64::wrapping_add);
    }

    /// What was counted since `earlier`, a wrap or not.
    #[must_use]
    pub fn since(mut self, earlier: &Self) -> Self {
        self.each(earlier, u64::wrapping_sub);
        self
    }

    fn each(&mut self, other: &Self, combine: fn(u64, u64) -> u64) {
        let words: &mut [u64] = bytemuck::cast_slice_mut(core::slice::from_mut(self));
        for (word, other) in words.iter_mut().zip(bytemuck::cast_slice::<Self, u64>(&[*other])) {
            *word = combine(*word, *other);
        }
    }
}
