//! The kernel's names for what a device can segment, resolved in its BTF: the bits move between kernels (FIXEDID in 6.18), so no
//! header will do.

use std::collections::HashMap;

use vmnet_common::GsoBits;

use super::{Btf, BtfError};

const TUNNELS: [&str; 7] = [
    "NETIF_F_GSO_GRE_BIT",
    "NETIF_F_GSO_GRE_CSUM_BIT",
    "NETIF_F_GSO_IPXIP4_BIT",
    "NETIF_F_GSO_IPXIP6_BIT",
    "NETIF_F_GSO_UDP_TUNNEL_BIT",
    "NETIF_F_GSO_UDP_TUNNEL_CSUM_BIT",
    "NETIF_F_GSO_TUNNEL_REMCSUM_BIT",
];
/// ACCECN from 6.17.
const ECN: [&str; 2] = ["NETIF_F_TSO_ECN_BIT", "NETIF_F_GSO_ACCECN_BIT"];
const UDP: [&str; 2] = ["NETIF_F_GSO_UDP_L4_BIT", "NETIF_F_GSO_UDP_BIT"];
const CHECKSUMS: [&str; 3] = ["NETIF_F_IP_CSUM_BIT", "NETIF_F_IPV6_CSUM_BIT", "NETIF_F_HW_CSUM_BIT"];
const PLAIN: [&str; 6] = [
    "NETIF_F_GSO_SHIFT",
    "NETIF_F_GSO_LAST",
    "NETIF_F_TSO_BIT",
    "NETIF_F_TSO6_BIT",
    "NETIF_F_GSO_ROBUST_BIT",
    "NETIF_F_TSO_MANGLEID_BIT",
];
/// From 4.7.
const PARTIAL: [&str; 1] = ["NETIF_F_GSO_PARTIAL_BIT"];
/// Bits of `gso_type` that are beyond those with a feature; before 6.18 the first is an ordinary one, and the second is not there.
const FIXED_IDS: [&str; 2] = ["SKB_GSO_TCP_FIXEDID", "SKB_GSO_TCP_FIXEDID_INNER"];

/// Resolves every bit. All are 0 where the kernel does not name those that matter, so that nothing is claimed.
///
/// # Errors
/// [`BtfError::Damaged`].
pub fn resolve(btf: &Btf) -> Result<GsoBits, BtfError> {
    let names = [&TUNNELS[..], &ECN, &UDP, &CHECKSUMS, &PARTIAL, &PLAIN, &FIXED_IDS].concat();
    Ok(from_values(&btf.enumerators(&names)?).unwrap_or_default())
}

fn from_values(values: &HashMap<&str, u64>) -> Option<GsoBits> {
    let feature = |name: &str| 1_u64.checked_shl(u32::try_from(*values.get(name)?).ok()?);
    let any_of = |names: &[&str]| names.iter().filter_map(|name| feature(name)).fold(0, |all, bit| all | bit);
    let shift = *values.get("NETIF_F_GSO_SHIFT")?;
    let (first, last) = (feature("NETIF_F_GSO_SHIFT")?, feature("NETIF_F_GSO_LAST")?);
    let mask = (last | (last - 1)) & !(first - 1);
    let has_no_feature =
        |gso_type: &u64| gso_type.checked_shl(shift as u32).is_none_or(|bit| bit & mask == 0);
    let fixed_ids = FIXED_IDS.iter().filter_map(|name| values.get(name).copied());
    Some(GsoBits {
        shift,
        mask,
        fixed_ids: fixed_ids.filter(has_no_feature).fold(0, |all, bit| all | bit),
        mangleid: feature("NETIF_F_TSO_MANGLEID_BIT")?,
        robust: feature("NETIF_F_GSO_ROBUST_BIT")?,
        partial: any_of(&PARTIAL),
        tso4: feature("NETIF_F_TSO_BIT")?,
        tso6: feature("NETIF_F_TSO6_BIT")?,
        ecn: any_of(&ECN),
        udp: any_of(&UDP),
        tunnel: any_of(&TUNNELS),
        checksum: any_of(&CHECKSUMS),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As 6.1 numbers them.
    fn values() -> HashMap<&'static str, u64> {
        HashMap::from([
            ("NETIF_F_GSO_SHIFT", 16),
            ("NETIF_F_TSO_BIT", 16),
            ("NETIF_F_GSO_ROBUST_BIT", 17),
            ("NETIF_F_TSO_ECN_BIT", 18),
            ("NETIF_F_TSO_MANGLEID_BIT", 19),
            ("NETIF_F_TSO6_BIT", 20),
            ("NETIF_F_GSO_UDP_TUNNEL_BIT", 26),
            ("NETIF_F_GSO_UDP_L4_BIT", 33),
            ("NETIF_F_GSO_LAST", 34),
            ("NETIF_F_HW_CSUM_BIT", 3),
            ("SKB_GSO_TCP_FIXEDID", 1 << 3),
        ])
    }

    #[test]
    fn an_ordinary_fixed_id_needs_no_folding_and_one_without_a_feature_does() {
        let before = from_values(&values()).unwrap();
        assert_eq!((before.mask, before.fixed_ids), (0x7_ffff << 16, 0));
        let mut values = values();
        values.insert("SKB_GSO_TCP_FIXEDID", 1 << 30);
        values.insert("SKB_GSO_TCP_FIXEDID_INNER", 1 << 31);
        let from_6_18 = from_values(&values).unwrap();
        assert_eq!((from_6_18.fixed_ids, from_6_18.mangleid), (3 << 30, 1 << 19));
    }

    #[test]
    fn a_kernel_that_does_not_name_its_bits_has_none() {
        for name in ["NETIF_F_GSO_LAST", "NETIF_F_TSO6_BIT"] {
            let mut values = values();
            values.remove(name);
            assert_eq!(from_values(&values), None, "{name}");
        }
        let mut absurd = values();
        absurd.insert("NETIF_F_GSO_LAST", 64);
        assert_eq!(from_values(&absurd), None);
    }

    #[test]
    fn the_running_kernel_names_its_bits() {
        let btf = match Btf::running() {
            Ok(btf) => btf,
            Err(error) => {
                eprintln!("skipped: {error}");
                return;
            }
        };
        let bits = resolve(&btf).unwrap();
        println!("{bits:#x?}");
        assert_eq!(bits.mask.trailing_zeros(), bits.shift as u32);
        for one in [bits.tso4, bits.tso6, bits.robust, bits.mangleid] {
            assert!(one.is_power_of_two() && one & bits.mask != 0, "{bits:#x?}");
        }
        for several in [bits.ecn, bits.udp, bits.tunnel] {
            assert!(several != 0 && several & !bits.mask == 0, "{bits:#x?}");
        }
    }
}
