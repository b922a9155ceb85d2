//! Reading [`crate::CONFIG`] field by field: a load of the whole struct would copy it to the stack.

use vmnet_common::{Bitfield, Config, Layout};

/// What the object file carries; userspace always overrides it.
pub(crate) const UNSET: Config = Config {
    ifindex: 0,
    netns_inum: 0,
    layout: Layout {
        skb_len: 0,
        skb_dev: 0,
        skb_sk: 0,
        skb_head: 0,
        skb_data: 0,
        skb_end: 0,
        skb_iif: 0,
        skb_mac_header: 0,
        skb_network_header: 0,
        skb_inner_network_header: 0,
        skb_encapsulation: Bitfield { offset: 0, mask: 0 },
        skb_tc_at_ingress: Bitfield { offset: 0, mask: 0 },
        skb_vlan_tag: Bitfield { offset: 0, mask: 0 },
        shinfo_gso_size: 0,
        shinfo_gso_segs: 0,
        shinfo_gso_type: 0,
        dev_ifindex: 0,
        dev_mtu: 0,
        dev_features: 0,
        dev_net: 0,
        net_inum: 0,
        sock_family: 0,
        sock_state: 0,
        sock_protocol: 0,
        sock_dst_cache: 0,
        dst_dev: 0,
        tcp_mss_cache: 0,
        tcp_snd_nxt: 0,
        tcp_bytes_sent: 0,
        tcp_bytes_retrans: 0,
        tcp_write_seq: 0,
    },
    verbose: 0,
    reserved: 0,
    segment_start: 0,
    segment_end: 0,
};

/// One field of [`crate::CONFIG`]. Volatile, or LLVM would fold in the values of [`UNSET`].
macro_rules! config {
    ($($field:ident).+) => {
        // SAFETY: the field is part of a static that lives as long as the program.
        unsafe { core::ptr::read_volatile(&raw const $crate::CONFIG.$($field).+) }
    };
}
pub(crate) use config;

/// One offset of the running kernel.
macro_rules! offset {
    ($($field:ident).+) => {
        $crate::config::config!(layout.$($field).+)
    };
}
pub(crate) use offset;
