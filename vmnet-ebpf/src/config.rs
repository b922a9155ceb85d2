//! Reading [`crate::CONFIG`] field by field: a load of the whole struct would copy it to the stack.

use vmnet_common::{Bitfield, Config, Extras, GsoBits, Layout, SLOTS, Watch, WatchedDevice};

use crate::verifier::opaque;

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
        skb_transport_header: 0,
        skb_inner_network_header: 0,
        skb_encapsulation: Bitfield { offset: 0, mask: 0 },
        skb_tc_at_ingress: Bitfield { offset: 0, mask: 0 },
        skb_pkt_type_outgoing: Bitfield { offset: 0, mask: 0 },
        skb_vlan_tag: Bitfield { offset: 0, mask: 0 },
        skb_protocol: 0,
        shinfo_gso_size: 0,
        shinfo_gso_segs: 0,
        shinfo_gso_type: 0,
        dev_ifindex: 0,
        dev_mtu: 0,
        dev_hard_header_len: 0,
        dev_features: 0,
        dev_hw_enc_features: 0,
        dev_vlan_features: 0,
        dev_gso_max_size: 0,
        dev_gso_ipv4_max_size: 0,
        dev_gso_max_segs: 0,
        dev_netdev_ops: 0,
        ops_features_check: 0,
        dev_net: 0,
        net_inum: 0,
        sock_family: 0,
        sock_state: 0,
        sock_protocol: 0,
        sock_dst_cache: 0,
        dst_dev: 0,
        dst_ops: 0,
        dst_ops_family: 0,
        tcp_mss_cache: 0,
        tcp_snd_nxt: 0,
        tcp_write_seq: 0,
        tcp_bytes_sent: 0,
        tcp_bytes_retrans: 0,
    },
    gso: GsoBits {
        shift: 0,
        mask: 0,
        fixed_ids: 0,
        mangleid: 0,
        robust: 0,
        partial: 0,
        tso4: 0,
        tso6: 0,
        ecn: 0,
        udp: 0,
        tunnel: 0,
        checksum: 0,
    },
    extras: Extras { queued_sizes: 0, driver_sizes: 0 },
    loads_from_head: 0,
    verbose: 0,
    segment_start: 0,
    segment_end: 0,
};

/// The same of [`crate::WATCH`].
pub(crate) const NOTHING_WATCHED: Watch = Watch {
    devices: [WatchedDevice { netns_inum: 0, ifindex: 0, version: 0, unused: 0, destination: [0; 4] }; SLOTS],
    count: 0,
    unused: 0,
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

/// The running kernel's feature bits: by an address that LLVM does not know, or it would fold in those of [`UNSET`].
#[inline(always)]
pub(crate) fn gso_bits() -> &'static GsoBits {
    let at = opaque(&raw const crate::CONFIG.gso as u64) as *const GsoBits;
    // SAFETY: it is the address of a part of a static.
    unsafe { &*at }
}
