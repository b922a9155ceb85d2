//! What userspace tells the programs before they load. The programs see it as frozen read-only data, so the
//! verifier knows each value and allows loads at these offsets.

use crate::refusal::GsoBits;

/// A one-bit field: the byte that holds it, and its mask in that byte. A mask of 0 where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct Bitfield {
    /// Offset of the byte.
    pub offset: u32,
    /// Mask within the byte.
    pub mask: u32,
}

/// Byte offsets in the running kernel's structures, from its BTF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
#[expect(missing_docs, reason = "each field is named after the structure and member that it locates")]
pub struct Layout {
    pub skb_len: u32,
    pub skb_dev: u32,
    pub skb_sk: u32,
    pub skb_head: u32,
    pub skb_data: u32,
    pub skb_end: u32,
    pub skb_iif: u32,
    pub skb_mac_header: u32,
    pub skb_network_header: u32,
    pub skb_transport_header: u32,
    pub skb_inner_network_header: u32,
    pub skb_encapsulation: Bitfield,
    pub skb_tc_at_ingress: Bitfield,
    /// The bit of `pkt_type` that is set from PACKET_OUTGOING (4) on.
    pub skb_pkt_type_outgoing: Bitfield,
    pub skb_vlan_tag: Bitfield,
    pub skb_protocol: u32,
    pub shinfo_gso_size: u32,
    pub shinfo_gso_segs: u32,
    pub shinfo_gso_type: u32,
    pub dev_ifindex: u32,
    pub dev_mtu: u32,
    pub dev_hard_header_len: u32,
    pub dev_features: u32,
    pub dev_hw_enc_features: u32,
    pub dev_vlan_features: u32,
    pub dev_gso_max_size: u32,
    /// `gso_max_size` again where IPv4 has no limit of its own (before 6.3).
    pub dev_gso_ipv4_max_size: u32,
    pub dev_gso_max_segs: u32,
    pub dev_netdev_ops: u32,
    pub ops_features_check: u32,
    pub dev_net: u32,
    pub net_inum: u32,
    pub sock_family: u32,
    pub sock_state: u32,
    pub sock_protocol: u32,
    pub sock_dst_cache: u32,
    pub dst_dev: u32,
    pub dst_ops: u32,
    pub dst_ops_family: u32,
    pub tcp_mss_cache: u32,
    pub tcp_snd_nxt: u32,
    pub tcp_write_seq: u32,
    pub tcp_bytes_sent: u32,
    pub tcp_bytes_retrans: u32,
}

/// What is counted beside the ledger, each when not 0. Frozen as all of [`Config`] is, so that the verifier throws away the
/// instructions of what is not wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct Extras {
    /// `queued_len` and `queued_gso_size`.
    pub queued_sizes: u32,
    /// `driver_len`.
    pub driver_sizes: u32,
}

impl Extras {
    /// All of it.
    pub const ALL: Self = Self { queued_sizes: 1, driver_sizes: 1 };
}

/// All that the programs are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct Config {
    /// The interface.
    pub ifindex: u32,
    /// The inode number of its network namespace: indexes repeat across namespaces.
    pub netns_inum: u32,
    /// Where the kernel keeps things.
    pub layout: Layout,
    /// What is counted beside the ledger.
    pub extras: Extras,
    /// Whether the verifier takes loads from behind `skb->head` (from 6.17), not 0 if it does.
    pub loads_from_head: u32,
    /// Logs packets that cannot be classified, through aya-log, when not 0.
    pub verbose: u32,
    /// Its feature bits.
    pub gso: GsoBits,
    /// First address of `__skb_gso_segment`, for stack samples; 0 where it is not known.
    pub segment_start: u64,
    /// The address after its last.
    pub segment_end: u64,
}
