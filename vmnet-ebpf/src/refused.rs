//! Reads what [`refusal`] asks of a super-packet and its device, and no more: a device without TSO costs one load.

use core::marker::PhantomData;

use vmnet_common::{Caller, Refusal, SuperPacket, refusal};

use crate::{
    config::{gso_bits, offset},
    memory::{Memory, field, read},
    packet::Packet,
};

const ETH_P_8021Q: u16 = 0x8100;
const ETH_P_8021AD: u16 = 0x88a8;
const ETH_P_IPV6: u16 = 0x86dd;
/// From the start of an Ethernet frame with one tag to what it carries (`struct vlan_ethhdr`).
const ENCAPSULATED_PROTOCOL: u64 = 16;

/// Why a super-packet is to be segmented. `features` is the second argument of `__skb_gso_segment`.
#[inline(always)]
pub(crate) fn why<M: Memory>(
    skb: *const u8,
    device: *const u8,
    packet: &Packet,
    features: u64,
    caller: Caller,
) -> Refusal {
    refusal(gso_bits(), &Refused::<'_, M> { skb, device, packet, features, caller, memory: PhantomData })
}

struct Refused<'a, M> {
    skb: *const u8,
    device: *const u8,
    packet: &'a Packet,
    features: u64,
    caller: Caller,
    memory: PhantomData<M>,
}

impl<M: Memory> SuperPacket for Refused<'_, M> {
    #[inline(always)]
    fn gso_type(&self) -> u32 {
        self.packet.gso_type
    }

    #[inline(always)]
    fn allowed(&self) -> u64 {
        self.features
    }

    #[inline(always)]
    fn is_from_stack(&self) -> bool {
        self.caller as usize == Caller::Stack as usize
    }

    #[inline(always)]
    fn device_features(&self) -> u64 {
        M::load(self.device, offset!(dev_features))
    }

    /// IPv4 has a limit of its own from 6.3, which is looked at by newer kernels (`netif_get_gso_max_size`), and for whatever is
    /// not IPv6. Packets without `gso_segs` never have too many.
    #[inline(always)]
    fn is_too_large(&self) -> bool {
        let len = self.packet.len;
        let max_segs: u16 = M::load(self.device, offset!(dev_gso_max_segs));
        len >= M::load::<u32>(self.device, offset!(dev_gso_max_size))
            || (self.protocol() != ETH_P_IPV6
                && len >= M::load::<u32>(self.device, offset!(dev_gso_ipv4_max_size)))
            || (!self.packet.is(Packet::UNCOUNTED) && self.packet.segs > u32::from(max_segs))
    }

    #[inline(always)]
    fn encapsulated_features(&self) -> Option<u64> {
        let byte: u8 = field(self.skb, offset!(skb_encapsulation.offset));
        let encapsulated = u32::from(byte) & offset!(skb_encapsulation.mask) != 0;
        encapsulated.then(|| M::load(self.device, offset!(dev_hw_enc_features)))
    }

    /// Nothing for two tags (`vlan_features_check`), unless the driver has a check of its own, which is then asked instead.
    #[inline(always)]
    fn tagged_features(&self) -> Option<u64> {
        let byte: u8 = field(self.skb, offset!(skb_vlan_tag.offset));
        let beside = u32::from(byte) & offset!(skb_vlan_tag.mask) != 0;
        let inside = is_tag(self.protocol());
        if !beside && !inside {
            return None;
        }
        let twice = if beside { inside } else { self.carries_another_tag() };
        if twice && !self.driver_checks() {
            return Some(0);
        }
        Some(M::load(self.device, offset!(dev_vlan_features)))
    }
}

impl<M: Memory> Refused<'_, M> {
    #[inline(always)]
    fn protocol(&self) -> u16 {
        u16::from_be(field(self.skb, offset!(skb_protocol)))
    }

    #[inline(always)]
    fn carries_another_tag(&self) -> bool {
        let data: u64 = field(self.skb, offset!(skb_data));
        let mut protocol = 0_u16;
        read(&raw mut protocol, data.wrapping_add(ENCAPSULATED_PROTOCOL) as *const u16)
            && is_tag(u16::from_be(protocol))
    }

    #[inline(always)]
    fn driver_checks(&self) -> bool {
        let ops: *const u8 = M::load(self.device, offset!(dev_netdev_ops));
        !ops.is_null() && M::load::<u64>(ops, offset!(ops_features_check)) != 0
    }
}

#[inline(always)]
fn is_tag(protocol: u16) -> bool {
    protocol == ETH_P_8021Q || protocol == ETH_P_8021AD
}
