//! The layout of what the kernel counts. Everything is a `u64` that only grows, so a window is a subtraction.
//! Every word has a name, which a recording keeps: its field's, or the pattern behind `=>`.

use crate::{
    histogram::{LEN_BUCKETS, SEGS_BUCKETS},
    names::{counters, indices},
    refusal::REFUSALS,
};

indices! {
    /// Which ledger a packet belongs to, by its innermost headers.
    pub enum Lane, LANES {
        /// TCP over IPv4.
        Tcp4 => "tcp4",
        /// TCP over IPv6.
        Tcp6 => "tcp6",
        /// UDP over IPv4.
        Udp4 => "udp4",
        /// UDP over IPv6.
        Udp6 => "udp6",
        /// ARP, ICMP, later fragments, IPv6 with extension headers, and everything else.
        Other => "other",
    }
}

indices! {
    /// What kind of packet an skb is, decided by the same rule at every stage.
    pub enum Class, CLASSES {
        /// `gso_size` is not 0: more than one wire segment in one skb.
        Super => "super",
        /// One segment that `skb_segment` made: a full local socket owns it and `gso_type` is 0, while TCP sets
        /// a `gso_type` on all that it builds (`__tcp_transmit_skb`).
        Made => "made",
        /// A single that TCP built, with as much payload as the socket's MSS allows (MSS − 36).
        Full => "full",
        /// A single with less payload than that.
        Small => "small",
        /// No payload: pure ACK, SYN, FIN, RST. Also every packet of [`Lane::Other`].
        Control => "control",
        /// No owner and no `gso_type`: forwarded or injected, or a segment of such a super-packet. L3 length > MTU − 60.
        LooseFull => "loose_full",
        /// The same, shorter.
        LooseSmall => "loose_small",
    }
}

indices! {
    /// Where on its way a packet was counted.
    pub enum Stage, STAGES {
        /// `net_dev_queue`: handed to the interface, before qdisc and segmentation.
        Queue => "queue",
        /// `net_dev_xmit`: taken by the driver (`fate`).
        Driver => "driver",
        /// `kfree_skb` between the two: dropped by the qdisc or by `validate_xmit_skb`.
        Dropped => "dropped",
        /// Reached the driver, which dropped it.
        DriverDropped => "driver_dropped",
    }
}

counters! {
    /// Packets of one class, in one lane, at one stage.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
    #[repr(C)]
    pub struct Cell {
        /// Number of skbs.
        pub packets: u64,
        /// Sum of `skb->len`: link header included.
        pub bytes: u64,
        /// Sum of what follows the TCP or UDP header.
        pub payload_bytes: u64,
        /// Wire segments these skbs are worth: `gso_segs`, or payload / `gso_size` where that is 0; a plain packet is one.
        pub segs: u64,
    }
}

counters! {
    /// Packets of one lane at one stage.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
    #[repr(C)]
    pub struct LaneCounts {
        /// By [`Class`].
        pub cells: [Cell; CLASSES] => "{class}",
        /// Payload that travels inside a tunnel (`skb->encapsulation`).
        pub tunnel_payload_bytes: u64,
        /// Payload that came in by another interface (`skb_iif`) and belongs to no local socket.
        pub forwarded_payload_bytes: u64,
        /// Σ over super-packets of (segments − 1) · header: what the wire carries beyond `skb->len`.
        pub unsent_header_bytes: u64,
        /// TCP payload of local sockets whose route leaves through another interface, above this one (vlan, bond, tunnel).
        /// [`Stage::Queue`] only.
        pub upper_payload_bytes: u64,
        /// Packets with a VLAN tag beside them that the device cannot insert: the kernel makes them 4 bytes longer on their
        /// way to the driver.
        pub tagged_packets: u64,
        /// The wire segments of these.
        pub tagged_segs: u64,
    }
}

indices! {
    /// Who called for software segmentation.
    pub enum Caller, CALLERS {
        /// At or below the qdisc: the skb starts at its link header.
        Device => "device",
        /// Higher up (IP output to a smaller MTU, xfrm, a tunnel): the pieces pass `net_dev_queue` later.
        Stack => "stack",
    }
}

counters! {
    /// Successful software segmentation of one lane, by one caller: `__skb_gso_segment`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
    #[repr(C)]
    pub struct Split {
        /// Super-packets segmented.
        pub calls: u64,
        /// Segments made, from lengths: ceil((L − h) / `gso_size`), h being the header length of the first segment.
        pub segs: u64,
        /// Σ `skb->len` that went in.
        pub bytes_in: u64,
        /// Σ (L + (n − 1) · h): what must come out.
        pub bytes_out: u64,
        /// Payload that went in.
        pub payload_bytes: u64,
        /// The part of it that no local socket owns.
        pub loose_payload_bytes: u64,
        /// The segments made of that part.
        pub loose_segs: u64,
        /// Time inside the function, without that of our own programs; 0 where the rung cannot time it.
        pub ns: u64,
    }
}

counters! {
    /// Super-packets of one lane that were segmented for one [`crate::Refusal`].
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
    #[repr(C)]
    pub struct Refused {
        /// How many.
        pub packets: u64,
        /// Their payload. Σ over refusals is Σ over callers of [`Split::payload_bytes`].
        pub payload_bytes: u64,
    }
}

counters! {
    /// `__skb_gso_segment`, whatever became of the call.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
    #[repr(C)]
    pub struct Segmentation {
        /// Calls seen at entry, for this interface.
        pub entries: u64 => "segmentation.entries",
        /// Calls seen at exit, for this interface.
        pub exits: u64 => "segmentation.exits",
        /// Exits with an error pointer.
        pub errors: u64 => "segmentation.errors",
        /// Exits with NULL: the packet needed a header check, not segmentation.
        pub header_only: u64 => "segmentation.header_only",
        /// Exits whose segments the formula cannot count (`GSO_BY_FRAGS`, partial or frag-list GSO).
        pub uncountable: u64 => "segmentation.uncountable",
        /// Time of our own programs inside the calls, which is no part of [`Split::ns`].
        pub own_ns: u64 => "segmentation.own_ns",
        /// By [`Caller`], then [`Lane`].
        pub splits: [[Split; LANES]; CALLERS] => "segmentation.{caller}.{lane}",
        /// By [`Lane`], then [`crate::Refusal`].
        pub refused: [[Refused; REFUSALS]; LANES] => "refused.{lane}.{refusal}",
    }
}

counters! {
    /// `skb_segment` inside a counted `__skb_gso_segment`: the second count of segments.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
    #[repr(C)]
    pub struct SkbSegment {
        /// Calls seen at entry.
        pub entries: u64,
        /// Calls seen at exit.
        pub exits: u64,
        /// Exits with an error pointer.
        pub errors: u64,
        /// Segments made: ceil(payload at entry / `gso_size`).
        pub segs: u64,
        /// Time inside the function.
        pub ns: u64,
    }
}

counters! {
    /// Super-packets of one lane at [`Stage::Queue`] that need a feature which their device lacks at that moment: what software
    /// segmentation there will be, as far as features decide it. A forecast, never a count of what was done.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
    #[repr(C)]
    pub struct Forecast {
        /// How many.
        pub packets: u64,
        /// The wire segments they are worth. Less [`Self::packets`], it is how many more packets the driver will get than were queued.
        pub segs: u64,
        /// Their payload.
        pub payload_bytes: u64,
        /// Σ (segments − 1) · header: how many more bytes the driver will get than were queued.
        pub unsent_header_bytes: u64,
    }
}

counters! {
    /// `tcp_sendmsg` by sockets whose route leaves through this interface.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
    #[repr(C)]
    pub struct TcpSendmsg {
        /// Calls that took something.
        pub calls: u64,
        /// Bytes taken: the return value, not the size asked for.
        pub bytes: u64,
        /// Calls that returned an error.
        pub errors: u64,
    }
}

counters! {
    /// TCP sockets that closed, by `inet_sock_set_state`, as far as their route left through this interface.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
    #[repr(C)]
    pub struct ClosedSockets {
        /// How many.
        pub sockets: u64,
        /// Σ `tcp_sock.bytes_sent`: payload handed to IP, retransmits included.
        pub bytes_sent: u64,
        /// Σ `tcp_sock.bytes_retrans`, both families.
        pub bytes_retransmitted: u64,
        /// The part of it that went over IPv6.
        pub bytes_retransmitted_tcp6: u64,
        /// Written by the application, and thrown away unsent as the socket closed.
        pub bytes_discarded: u64,
        /// Sockets that had sent something but had no route any more, so that it is not known where it went.
        pub unrouted: u64,
    }
}

counters! {
    /// Stack samples of busy CPUs, where segmentation cannot be timed.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
    #[repr(C)]
    pub struct StackSamples {
        /// Samples taken, idle ones included.
        pub total: u64,
        /// Samples with `__skb_gso_segment` on the stack, where the next packet that this CPU gave to a driver was our device's.
        pub segmenting: u64,
        /// The same, where it was another device's.
        pub elsewhere: u64,
        /// Samples whose stack could not be walked.
        pub failed: u64,
    }
}

counters! {
    /// What the programs missed, or could not pair.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
    #[repr(C)]
    pub struct Health {
        /// Entries that found the pairing stack full.
        pub stack_overflows: u64,
        /// Exits that found no entry of theirs.
        pub unmatched_exits: u64,
        /// Those of `skb_segment`, which is detached when a window ends.
        pub unmatched_skb_segment_exits: u64,
        /// `net_dev_xmit` of this interface without its `net_dev_start_xmit`.
        pub unmatched_xmits: u64,
        /// `net_dev_start_xmit` whose `net_dev_xmit` never came.
        pub lost_starts: u64,
        /// `NETDEV_TX_BUSY`: the skb comes again, so nothing was counted.
        pub tx_busy: u64,
        /// Packets whose headers could not be read; they are in [`Lane::Other`].
        pub unreadable: u64,
        /// Rare events that the ring buffer had no room for.
        pub events_lost: u64,
    }
}

/// Those of [`Counters`] that came after the first version, by how their names begin: a recording from before has 0 in their place, which is
/// nothing counted.
pub const COUNTED_LATER: [&str; 7] = [
    "queued_segs_tcp6.",
    "forecast.",
    "stack_samples.elsewhere",
    "health.unmatched_skb_segment_exits",
    "closed_sockets.bytes_retransmitted_tcp6",
    "esp_bytes",
    "segmentation.own_ns",
];

counters! {
    /// All that one CPU counts. The sum over CPUs has the same shape.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    #[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
    #[repr(C)]
    pub struct Counters {
        /// By [`Stage`], then [`Lane`].
        pub stages: [[LaneCounts; LANES]; STAGES] => "{stage}.{lane}",
        /// `__skb_gso_segment`.
        pub segmentation: Segmentation => "",
        /// `skb_segment`.
        pub skb_segment: SkbSegment,
        /// `tcp_sendmsg`.
        pub tcp_sendmsg: TcpSendmsg,
        /// Sockets that closed.
        pub closed_sockets: ClosedSockets,
        /// Stack samples, on the rung that has no function hooks.
        pub samples: StackSamples => "stack_samples",
        /// What was missed.
        pub health: Health,
        /// TCP packets with payload at [`Stage::Queue`] by `skb->len`; buckets as in [`crate::bucket`].
        pub queued_len: [u64; LEN_BUCKETS] => "queued_len.{bucket}",
        /// TCP packets with payload at [`Stage::Driver`] by `skb->len`.
        pub driver_len: [u64; LEN_BUCKETS] => "driver_len.{bucket}",
        /// TCP packets with payload at [`Stage::Queue`] by wire segments.
        pub queued_segs: [u64; SEGS_BUCKETS] => "queued_segs.{bucket}",
        /// The part of [`Self::queued_segs`] that is IPv6.
        pub queued_segs_tcp6: [u64; SEGS_BUCKETS] => "queued_segs_tcp6.{bucket}",
        /// TCP super-packets at [`Stage::Queue`] by `gso_size`.
        pub queued_gso_size: [u64; LEN_BUCKETS] => "queued_gso_size.{bucket}",
        /// Software segmentation that the queue foresees, by [`Lane`].
        pub forecast: [Forecast; LANES] => "forecast.{lane}",
        /// Encrypted by IPsec (ESP), at [`Stage::Queue`]: Σ `skb->len`. Part of [`Lane::Other`].
        pub esp_bytes: u64,
        /// `dev->features` when a packet was last queued: userspace is told of changes by [`crate::Event`].
        pub last_features: u64,
    }
}

/// The packet that a CPU's driver is working on, from `net_dev_start_xmit` to `net_dev_xmit`, as what will be added for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct InDriver {
    /// Address of the skb; 0 when there is none. Never followed: the driver may have freed it.
    pub skb: u64,
    /// Address of its device.
    pub device: u64,
    /// `skb->len`.
    pub len: u32,
    /// What follows its TCP or UDP header.
    pub payload: u32,
    /// Wire segments.
    pub segs: u32,
    /// Freed by the driver before it returned: a drop.
    pub freed: u32,
    /// (segments − 1) · header.
    pub unsent_header_bytes: u64,
    /// Offset of its [`Cell`] among the lanes of a stage.
    pub cell: u16,
    /// Offset of its [`LaneCounts`] there.
    pub row: u16,
    /// What is rare, as bits.
    pub flags: u16,
    /// Its bucket of `driver_len`; beyond the last for what is not TCP payload.
    pub len_bucket: u16,
}

/// The packet that was last segmented on a CPU: what becomes of it is what becomes of its segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct SegmentedLast {
    /// Its address; 0 when another packet was queued since.
    pub skb: u64,
    /// Its length.
    pub len: u64,
}

/// All that the programs keep on one CPU, in one struct for one look-up: notes from one hook to the next, and the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct PerCpu {
    /// Of no use to userspace.
    pub in_driver: InDriver,
    /// Likewise.
    pub segmented_last: SegmentedLast,
    /// Address of our device, once a packet of it was seen, for programs to which each look at it is dear.
    pub device: u64,
    /// Samples in the middle of segmentation, until the next packet for a driver tells for which device it was.
    pub unbooked_samples: u64,
    /// What a packet was found to be passes through here, so that the verifier forgets which way it was found; one for each hook that
    /// can interrupt another.
    pub forgotten: [[u32; 6]; 2],
    /// What userspace reads.
    pub counters: Counters,
}

#[cfg(feature = "user")]
impl Default for Counters {
    fn default() -> Self {
        bytemuck::Zeroable::zeroed()
    }
}

#[cfg(feature = "user")]
impl Counters {
    /// The name of every word, in the order of the words.
    #[must_use]
    pub fn names() -> alloc::vec::Vec<alloc::string::String> {
        crate::names::of::<Self>()
    }

    /// Adds another CPU's counts. `last_features` is not a count and keeps its value.
    pub fn add(&mut self, other: &Self) {
        let last_features = self.last_features;
        for (sum, term) in self.words_mut().iter_mut().zip(bytemuck::cast_slice::<Self, u64>(&[*other])) {
            *sum = sum.wrapping_add(*term);
        }
        self.last_features = last_features;
    }

    /// What was counted since `earlier`. Counts wrap, so the difference is right even across a wrap.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut difference = *self;
        for (left, right) in
            difference.words_mut().iter_mut().zip(bytemuck::cast_slice::<Self, u64>(&[*earlier]))
        {
            *left = left.wrapping_sub(*right);
        }
        difference.last_features = self.last_features;
        difference
    }

    fn words_mut(&mut self) -> &mut [u64] {
        bytemuck::cast_slice_mut(core::slice::from_mut(self))
    }
}
