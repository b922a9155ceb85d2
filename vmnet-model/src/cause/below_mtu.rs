//! `mtu-smaller`, `ipsec`, `nfqueue`: cut by a layer above the device's queue.

use super::{Cause, CauseId, Evidence, Fix, Found};
use crate::shell::quoted;
use crate::{machine::Machine, reasons::ReasonId};

pub(super) fn segmented_by_the_stack(evidence: &Evidence<'_>) -> Vec<Found> {
    let Some(bytes) = evidence.refused(&[ReasonId::StackSplits]).filter(|bytes| *bytes != 0) else {
        return Vec::new();
    };
    let machine = evidence.machine;
    let forwarded = evidence.traffic.as_ref().map_or(0, |traffic| traffic.forwarded_and_segmented_bytes);
    let cause = if forwarded.saturating_mul(2) >= bytes {
        smaller_mtu(machine)
    } else if machine.nfqueues.as_ref().is_ok_and(|queues| *queues != 0) {
        nfqueue()
    } else {
        ipsec(machine)
    };
    vec![Found { cause, bytes: Some(bytes) }]
}

fn smaller_mtu(machine: &Machine) -> Cause {
    let device = &machine.device;
    let name = quoted(&device.name);
    Cause {
        id: CauseId::MtuSmaller,
        share: super::NO_SHARE,
        title: format!("forwarded super-packets have segments too long for the MTU of {}", device.name),
        detail: format!(
            "IP segments them before the device is asked (ip_finish_output_gso), and fragments what is still too long: MTU {} here",
            device.mtu
        ),
        fix: Fix::by_hand(&[
            format!("ip link set dev {name} mtu <that of the interface the packets come in by>"),
            format!(
                "or have the senders use segments that fit: iptables -t mangle -A FORWARD -o {name} -p tcp --tcp-flags \
                 SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu"
            ),
        ]),
    }
}

fn ipsec(machine: &Machine) -> Cause {
    Cause {
        id: CauseId::Ipsec,
        share: super::NO_SHARE,
        title: "a layer above the device segments super-packets: IPsec, or a smaller MTU of the route"
            .to_owned(),
        detail: format!(
            "the packets are local, and came to {} from IP output already asked to be segments (xfrm_output_gso, \
             ip_finish_output_gso)",
            machine.device.name
        ),
        fix: Fix::none(),
    }
}

fn nfqueue() -> Cause {
    Cause {
        id: CauseId::Nfqueue,
        share: super::NO_SHARE,
        title: "a netfilter queue gets each segment by itself".to_owned(),
        detail: "a program reads /proc/net/netfilter/nfnetlink_queue's queues without NFQA_CFG_F_GSO, so the kernel segments for it"
            .to_owned(),
        fix: Fix::by_hand(&["have that program set NFQA_CFG_F_GSO, or take bulk traffic out of its rule".to_owned()]),
    }
}
