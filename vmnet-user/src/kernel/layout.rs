//! Offsets that the programs need, resolved in the running kernel's BTF.

use vmnet_common::{Bitfield, Layout};

use super::{Btf, BtfError};

/// Resolves every offset.
///
/// # Errors
/// [`BtfError::NoMember`] names the first member that this kernel does not have.
pub fn resolve(btf: &Btf) -> Result<Layout, BtfError> {
    let offset =
        |structure: &str, member: &str| btf.member(structure, member).map(|found| found.offset_bits / 8);
    Ok(Layout {
        skb_len: offset("sk_buff", "len")?,
        skb_dev: offset("sk_buff", "dev")?,
        skb_sk: offset("sk_buff", "sk")?,
        skb_head: offset("sk_buff", "head")?,
        skb_data: offset("sk_buff", "data")?,
        skb_end: offset("sk_buff", "end")?,
        skb_iif: offset("sk_buff", "skb_iif")?,
        skb_mac_header: offset("sk_buff", "mac_header")?,
        skb_network_header: offset("sk_buff", "network_header")?,
        skb_transport_header: offset("sk_buff", "transport_header")?,
        skb_inner_network_header: offset("sk_buff", "inner_network_header")?,
        skb_encapsulation: bitfield(btf, "sk_buff", "encapsulation")?,
        // Only with CONFIG_NET_XGRESS (CONFIG_NET_CLS_ACT before 6.6): without it nothing is ever at tc ingress.
        skb_tc_at_ingress: bitfield(btf, "sk_buff", "tc_at_ingress")
            .unwrap_or(Bitfield { offset: 0, mask: 0 }),
        skb_pkt_type_outgoing: bit_of(btf, "sk_buff", "pkt_type", 2)?,
        skb_vlan_tag: vlan_tag(btf)?,
        skb_protocol: offset("sk_buff", "protocol")?,
        shinfo_gso_size: offset("skb_shared_info", "gso_size")?,
        shinfo_gso_segs: offset("skb_shared_info", "gso_segs")?,
        shinfo_gso_type: offset("skb_shared_info", "gso_type")?,
        dev_ifindex: offset("net_device", "ifindex")?,
        dev_mtu: offset("net_device", "mtu")?,
        dev_hard_header_len: offset("net_device", "hard_header_len")?,
        dev_features: offset("net_device", "features")?,
        dev_hw_enc_features: offset("net_device", "hw_enc_features")?,
        dev_vlan_features: offset("net_device", "vlan_features")?,
        dev_gso_max_size: offset("net_device", "gso_max_size")?,
        dev_gso_ipv4_max_size: offset("net_device", "gso_ipv4_max_size")
            .or_else(|_| offset("net_device", "gso_max_size"))?,
        dev_gso_max_segs: offset("net_device", "gso_max_segs")?,
        dev_netdev_ops: offset("net_device", "netdev_ops")?,
        ops_features_check: offset("net_device_ops", "ndo_features_check")?,
        dev_net: offset("net_device", "nd_net.net")?,
        net_inum: offset("net", "ns.inum")?,
        sock_family: offset("sock", "__sk_common.skc_family")?,
        sock_state: offset("sock", "__sk_common.skc_state")?,
        sock_protocol: offset("sock", "sk_protocol")?,
        sock_dst_cache: offset("sock", "sk_dst_cache")?,
        dst_dev: offset("dst_entry", "dev")?,
        dst_ops: offset("dst_entry", "ops")?,
        dst_ops_family: offset("dst_ops", "family")?,
        tcp_mss_cache: offset("tcp_sock", "mss_cache")?,
        tcp_snd_nxt: offset("tcp_sock", "snd_nxt")?,
        tcp_write_seq: offset("tcp_sock", "write_seq")?,
        tcp_bytes_sent: offset("tcp_sock", "bytes_sent")?,
        tcp_bytes_retrans: offset("tcp_sock", "bytes_retrans")?,
    })
}

/// What says that a VLAN tag lies beside the packet: a bit of its own up to 6.1, since then that the tag's protocol is
/// not 0. Its first byte on the wire is 0x81 or 0x88, whatever the machine's byte order.
fn vlan_tag(btf: &Btf) -> Result<Bitfield, BtfError> {
    match bitfield(btf, "sk_buff", "vlan_present") {
        Ok(bit) => Ok(bit),
        Err(BtfError::NoMember { .. }) => {
            let protocol = btf.member("sk_buff", "vlan_proto")?;
            Ok(Bitfield { offset: protocol.offset_bits / 8, mask: 0xff })
        }
        Err(error) => Err(error),
    }
}

/// The byte that holds a one-bit field, and its mask.
fn bitfield(btf: &Btf, structure: &str, member: &str) -> Result<Bitfield, BtfError> {
    bit_of(btf, structure, member, 0)
}

/// The byte that holds bit `bit` (0: the least) of a bit field, and its mask: BTF numbers bits as the machine's byte order has it.
fn bit_of(btf: &Btf, structure: &str, member: &str, bit: u32) -> Result<Bitfield, BtfError> {
    let found = btf.member(structure, member)?;
    let little = cfg!(target_endian = "little");
    let at = found.offset_bits
        + if little { bit } else { found.bitfield_bits.saturating_sub(1).saturating_sub(bit) };
    let mask = if little { 1 << (at % 8) } else { 0x80 >> (at % 8) };
    Ok(Bitfield { offset: at / 8, mask })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_kernel_has_every_member() {
        let btf = match Btf::running() {
            Ok(btf) => btf,
            Err(error) => {
                eprintln!("skipped: {error}");
                return;
            }
        };
        let layout = resolve(&btf).unwrap();
        assert!(layout.skb_len > 0 && layout.skb_len.is_multiple_of(4));
        assert!(layout.skb_encapsulation.mask.is_power_of_two());
        assert!(layout.skb_pkt_type_outgoing.mask.is_power_of_two());
        assert!(layout.shinfo_gso_segs == layout.shinfo_gso_size + 2);
        assert!(layout.shinfo_gso_type - layout.shinfo_gso_size <= 20);
    }
}
