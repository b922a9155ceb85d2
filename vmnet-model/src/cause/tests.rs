use super::*;
use crate::{
    breaks::{CSUM_GENERIC, SCATTER_GATHER, TSO_ECN, TSO4, TSO6},
    chain::{Answers, Asked},
    fact::Known,
    ledger::{Entry, Protocol},
    machine::{Device, Ingress, Machine, OtherEnd, QdiscOptions, Relation, Stacked},
    machine_fixture::{device, qdisc, virtio},
    reasons::{Reason, ReasonId},
    senders::SenderLimits,
    throughput::CpuShare,
    verdict::State,
};

const TSO: [&str; 2] = [TSO4, TSO6];

fn without_traffic(machine: &Machine) -> Vec<Cause> {
    find(&Evidence { machine, before: None, traffic: None, answers: Answers::NONE })
}

fn ids(causes: &[Cause]) -> Vec<CauseId> {
    causes.iter().map(|cause| cause.id).collect()
}

/// What a run saw, family by family.
#[derive(Default)]
struct Seen {
    tcp: Protocol,
    reasons: Option<Vec<Reason>>,
    forwarded_and_segmented_bytes: u64,
    udp_payload_bytes: u64,
    esp_bytes: u64,
    mean_write_bytes: Option<f64>,
    elsewhere: Elsewhere,
}

impl Seen {
    fn new() -> Self {
        Self { reasons: Some(Vec::new()), ..Self::default() }
    }

    fn hardware(mut self, ipv4: u64, ipv6: u64) -> Self {
        self.tcp.ipv4.hardware_bytes += ipv4;
        self.tcp.ipv6.hardware_bytes += ipv6;
        self
    }

    fn refused(mut self, id: ReasonId, ipv4_bytes: u64, ipv6_bytes: u64) -> Self {
        self.tcp.ipv4.software_bytes += ipv4_bytes;
        self.tcp.ipv6.software_bytes += ipv6_bytes;
        let bytes = ipv4_bytes + ipv6_bytes;
        if let Some(reasons) = &mut self.reasons {
            reasons.push(Reason { id, bytes, share: 0.0, ipv4_bytes, ipv6_bytes, text: String::new() });
        }
        self
    }

    fn singles(mut self, unaggregated: u64, small: u64, forwarded: u64) -> Self {
        self.tcp.ipv4.unaggregated_bytes += unaggregated;
        self.tcp.ipv4.small_bytes += small;
        self.tcp.ipv4.forwarded_bytes += forwarded;
        self
    }

    fn judged(mut self, machine: &Machine, before: Option<&Machine>, state: State) -> Vec<Cause> {
        let sum = |field: fn(&mut Entry) -> &mut u64, tcp: &mut Protocol| {
            *field(&mut tcp.total) = *field(&mut tcp.ipv4) + *field(&mut tcp.ipv6);
        };
        for entry in [&mut self.tcp.ipv4, &mut self.tcp.ipv6] {
            entry.payload_bytes =
                entry.hardware_bytes + entry.software_bytes + entry.unaggregated_bytes + entry.small_bytes;
        }
        for field in [
            (|entry| &mut entry.payload_bytes) as fn(&mut Entry) -> &mut u64,
            |entry| &mut entry.hardware_bytes,
            |entry| &mut entry.software_bytes,
            |entry| &mut entry.unaggregated_bytes,
            |entry| &mut entry.small_bytes,
            |entry| &mut entry.forwarded_bytes,
        ] {
            sum(field, &mut self.tcp);
        }
        let traffic = Traffic {
            state,
            tcp: Some(&self.tcp),
            reasons: self.reasons.as_deref(),
            forwarded_and_segmented_bytes: self.forwarded_and_segmented_bytes,
            udp_payload_bytes: self.udp_payload_bytes,
            esp_bytes: self.esp_bytes,
            mean_write_bytes: self.mean_write_bytes,
            elsewhere: &self.elsewhere,
        };
        find(&Evidence { machine, before, traffic: Some(traffic), answers: Answers::NONE })
    }
}

type Broken = fn(&mut Machine);

#[test]
fn each_broken_link_has_its_name_and_its_mender_without_traffic() {
    let table: [(Broken, &[CauseId], By); 14] = [
        (
            |m| {
                m.not_offered(&["CSUM", "HOST_TSO4", "HOST_TSO6", "HOST_ECN"]);
                m.device.never_have(&[TSO4, TSO6, TSO_ECN, CSUM_GENERIC, SCATTER_GATHER]);
            },
            &[CauseId::HostNoCsum],
            By::Host,
        ),
        (
            |m| {
                m.not_offered(&["HOST_TSO4", "HOST_TSO6"]);
                m.device.never_have(&TSO);
            },
            &[CauseId::HostNoTso],
            By::Host,
        ),
        (
            |m| {
                m.not_offered(&["HOST_TSO6"]);
                m.device.never_have(&[TSO6]);
            },
            &[CauseId::OneFamily],
            By::Host,
        ),
        (
            |m| {
                m.device.turn_off(&[TSO6]);
            },
            &[CauseId::OneFamily],
            By::GuestRoot,
        ),
        (
            |m| {
                m.device.turn_off(&TSO);
            },
            &[CauseId::TurnedOff],
            By::GuestRoot,
        ),
        (
            |m| {
                m.device.turn_off(&[CSUM_GENERIC]).drop_out(&[SCATTER_GATHER, TSO4, TSO6]);
            },
            &[CauseId::CsumOff],
            By::GuestRoot,
        ),
        (
            |m| {
                m.device.turn_off(&[SCATTER_GATHER]).drop_out(&TSO);
            },
            &[CauseId::SgOff],
            By::GuestRoot,
        ),
        (
            |m| {
                m.loaded_with("gso").device.turn_off(&TSO);
            },
            &[CauseId::DriverParam],
            By::GuestRoot,
        ),
        (
            |m| {
                m.loaded_with("csum").device.turn_off(&[CSUM_GENERIC]).drop_out(&[
                    SCATTER_GATHER,
                    TSO4,
                    TSO6,
                ]);
            },
            &[CauseId::DriverParam],
            By::GuestRoot,
        ),
        (
            |m| {
                m.device.driver = Some("somenic".to_owned());
                m.virtio = None;
                m.device.never_have(&TSO);
            },
            &[CauseId::DriverNoTso],
            By::None,
        ),
        (
            |m| {
                let mut vlan = device("ens4.5", 3, Some("vlan"));
                vlan.turn_off(&TSO);
                m.with_above(vlan);
            },
            &[CauseId::UpperDevice],
            By::GuestRoot,
        ),
        (
            |m| {
                let mut vlan = device("ens4.5", 3, Some("vlan"));
                vlan.drop_out(&TSO);
                m.with_above(vlan);
            },
            &[CauseId::VlanStack],
            By::GuestRoot,
        ),
        (
            |m| {
                let tbf = QdiscOptions::Tbf { burst_bytes: 3000, rate_bytes_per_s: 1_000_000 };
                m.qdiscs = Ok(vec![qdisc("tbf", tbf)]);
            },
            &[CauseId::QdiscSplits],
            By::GuestRoot,
        ),
        (|m| m.device.limits.gso_max_segs = Some(1), &[CauseId::NotBuilt], By::GuestRoot),
    ];
    for (broken, expected, by) in table {
        let mut machine = virtio();
        broken(&mut machine);
        let causes = without_traffic(&machine);
        assert_eq!(ids(&causes), expected);
        assert_eq!(causes[0].fix.by, by, "{causes:?}");
        assert!(causes[0].share.is_err());
        assert_eq!(
            causes[0].fix.actions.is_empty(),
            causes[0].fix.by != By::GuestRoot || expected == [CauseId::VlanStack]
        );
    }
    assert_eq!(without_traffic(&virtio()), []);
}

#[test]
fn two_causes_at_once_are_both_named_in_the_order_of_the_chain() {
    let mut machine = virtio();
    machine.not_offered(&["HOST_TSO6"]).device.never_have(&[TSO6]).turn_off(&[TSO4]);
    assert_eq!(ids(&without_traffic(&machine)), [CauseId::HostNoTso, CauseId::TurnedOff]);

    let mut machine = virtio();
    machine.device.turn_off(&[CSUM_GENERIC, TSO4, TSO6]).drop_out(&[SCATTER_GATHER]);
    let causes = without_traffic(&machine);
    assert_eq!(ids(&causes), [CauseId::TurnedOff, CauseId::CsumOff]);
    assert!(causes[1].detail.contains("hidden behind"), "{}", causes[1].detail);
    // One stroke fixes both.
    assert_eq!(causes[0].fix.actions, causes[1].fix.actions);
}

#[test]
fn what_explains_more_bytes_comes_first_and_shares_are_of_what_was_not_in_hardware() {
    let mut machine = virtio();
    machine.not_offered(&["HOST_ECN"]).device.never_have(&[TSO_ECN]);
    machine.qdiscs =
        Ok(vec![qdisc("tbf", QdiscOptions::Tbf { burst_bytes: 3000, rate_bytes_per_s: 1_000_000 })]);
    let seen = Seen::new()
        .hardware(1000, 0)
        .refused(ReasonId::EcnMissing, 100, 0)
        .refused(ReasonId::QdiscSplits, 700, 0)
        .singles(0, 200, 0);
    let causes = seen.judged(&machine, None, State::Partial);
    assert_eq!(ids(&causes), [CauseId::QdiscSplits, CauseId::HostNoEcn]);
    assert_eq!(causes[0].share, Ok(0.7));
    assert_eq!(causes[1].share, Ok(0.1));
}

#[test]
fn a_family_that_nobody_used_explains_nothing() {
    let mut machine = virtio();
    machine.not_offered(&["HOST_TSO6"]).device.never_have(&[TSO6]);
    let causes = Seen::new().hardware(1 << 20, 0).judged(&machine, None, State::Engaged);
    assert_eq!(ids(&causes), [CauseId::NotTheBottleneck]);
}

#[test]
fn what_was_mended_during_the_run_still_explains_what_was_cut_before() {
    let mut before = virtio();
    before.device.turn_off(&TSO);
    let seen = Seen::new().hardware(500, 0).refused(ReasonId::Tso4Missing, 500, 0);
    let causes = seen.judged(&virtio(), Some(&before), State::Partial);
    assert_eq!(ids(&causes), [CauseId::TurnedOff]);
    assert!(causes[0].detail.contains("fixed meanwhile"));
    assert!(causes[0].fix.commands.is_empty(), "nothing is left to be done: {:?}", causes[0].fix);
    assert_eq!(causes[0].share, Ok(1.0));
}

#[test]
fn without_reasons_by_packet_the_features_speak_for_what_was_cut() {
    let mut machine = virtio();
    machine.device.turn_off(&[TSO6]);
    let seen =
        Seen { reasons: None, ..Seen::new() }.hardware(1000, 0).refused(ReasonId::Tso6Missing, 0, 1000);
    let causes = seen.judged(&machine, None, State::Partial);
    assert_eq!(ids(&causes), [CauseId::OneFamily]);
    assert_eq!(causes[0].share, Ok(1.0));

    let seen = Seen { reasons: None, ..Seen::new() }.refused(ReasonId::Unexplained, 1000, 0);
    let causes = seen.judged(&virtio(), None, State::Software);
    assert_eq!(ids(&causes), [CauseId::Unexplained]);
}

#[test]
fn what_the_kernel_refused_by_packet_is_told_apart() {
    for (reason, forwarded, expected) in [
        (ReasonId::TooLarge, 0, CauseId::TooLarge),
        (ReasonId::TunnelMissing, 0, CauseId::Tunnel),
        (ReasonId::Tunnel, 0, CauseId::Tunnel),
        (ReasonId::Vlan, 0, CauseId::VlanStack),
        (ReasonId::StackSplits, 1000, CauseId::MtuSmaller),
        (ReasonId::StackSplits, 0, CauseId::Ipsec),
        (ReasonId::UpperDevice, 0, CauseId::UpperDevice),
        (ReasonId::QdiscSplits, 0, CauseId::QdiscSplits),
        (ReasonId::Checksum, 0, CauseId::Unexplained),
    ] {
        let seen = Seen { forwarded_and_segmented_bytes: forwarded, ..Seen::new() }.refused(reason, 1000, 0);
        let causes = seen.judged(&virtio(), None, State::Software);
        assert_eq!(ids(&causes), [expected], "{reason:?}");
        assert_eq!(causes[0].share, Ok(1.0));
    }
}

#[test]
fn what_left_in_fragments_is_named_though_no_ledger_has_it() {
    let reason = Reason {
        id: ReasonId::StackSplits,
        bytes: 1000,
        share: 1.0,
        ipv4_bytes: 1000,
        ipv6_bytes: 0,
        text: String::new(),
    };
    let seen = Seen { reasons: Some(vec![reason]), forwarded_and_segmented_bytes: 1000, ..Seen::default() };
    let causes = seen.judged(&virtio(), None, State::NothingToOffload);
    assert_eq!((ids(&causes), causes[0].share.known()), (vec![CauseId::MtuSmaller], Some(1.0)));
}

#[test]
fn only_limits_that_were_lowered_are_raised_and_no_further_than_usual() {
    let mut machine = virtio();
    // A veth, or a device that is capable of BIG TCP, as the kernel makes them.
    machine.device.limits.tso_max_size = Some(524_280);
    assert_eq!(without_traffic(&machine), []);
    machine.device.limits.gso_max_size = Some(8000);
    let causes = without_traffic(&machine);
    assert_eq!(ids(&causes), [CauseId::TooLarge]);
    let Action::GsoLimits { gso_max_size, gso_max_segs, .. } = &causes[0].fix.actions[0] else {
        panic!("{causes:?}")
    };
    assert_eq!((gso_max_size, gso_max_segs), (&Some(65_536), &None));
}

#[test]
fn two_segments_that_are_too_long_together_are_named_even_where_no_reason_was_seen() {
    let mut machine = virtio();
    machine.device.mtu = 65_536;
    let causes = |machine: &Machine, reasons| {
        let seen = Seen { reasons, ..Seen::new() };
        let mut seen = seen.hardware(0, 0);
        seen.tcp.ipv4.software_bytes = 1_000_000;
        seen.judged(machine, None, State::Software)
    };
    let found = causes(&machine, None);
    assert_eq!(ids(&found), [CauseId::TooLarge]);
    assert_eq!((found[0].share.clone(), found[0].fix.by), (Ok(1.0), By::GuestRoot));
    assert_eq!(found[0].fix.commands, ["ip link set dev ens4 mtu 32768"]);
    // A smaller MTU is no reason, and a limit that was lowered is to be raised.
    machine.device.mtu = 32_768;
    assert_eq!(ids(&causes(&machine, None)), [CauseId::Unexplained]);
    machine.device.limits.gso_max_size = Some(16_384);
    let lowered = Seen::new().refused(ReasonId::TooLarge, 1_000_000, 0);
    let found = lowered.judged(&machine, None, State::Software);
    assert!(found[0].fix.commands[0].contains("gso_max_size 65536"), "{found:?}");
}

#[test]
fn a_router_whose_packets_come_in_one_by_one_is_told_where() {
    let coming_in = |rx_bytes, gro, forwarding| {
        let mut machine = virtio();
        machine.forwarding = Ok(forwarding);
        let ingress =
            Ingress { name: "eth1".to_owned(), gro, mtu: 1500, rx_packets: 1000, rx_bytes, other_end: None };
        machine.ingress.push(ingress);
        without_traffic(&machine)
    };
    let singles = coming_in(1_500_000, Some(false), true);
    assert_eq!(ids(&singles), [CauseId::GroOff]);
    assert_eq!(singles[0].fix.actions, [Action::switch_on("eth1", ["rx-gro"])]);
    let mut machine = virtio();
    machine.forwarding = Ok(true);
    let other_end = Some(OtherEnd {
        name: "eth0".to_owned(),
        netns: "4711".to_owned(),
        tso4: Some(false),
        tso6: Some(true),
    });
    machine.ingress.push(Ingress {
        name: "cali1".to_owned(),
        gro: Some(false),
        mtu: 1500,
        rx_packets: 1000,
        rx_bytes: 1_500_000,
        other_end,
    });
    let by_the_sender = without_traffic(&machine);
    assert_eq!(by_the_sender[0].fix.commands, ["vmnet fix eth0 --netns 4711", "ethtool -K cali1 rx-gro on"]);
    assert!(by_the_sender[0].detail.contains("TSO is off on eth0 in 4711"), "{by_the_sender:?}");
    for (rx_bytes, gro, forwarding) in [
        (1_500_000, Some(false), false),
        (1_500_000, Some(true), true),
        (1_500_000, None, true),
        // Super-packets from a veth's other end, and acknowledgements.
        (30_000_000, Some(false), true),
        (66_000, Some(false), true),
    ] {
        assert_eq!(coming_in(rx_bytes, gro, forwarding), [], "{rx_bytes} {gro:?} {forwarding}");
    }
}

#[test]
fn a_tunnel_is_told_by_what_the_device_below_cannot_cut_inside() {
    const INSIDE: &str = "tx-udp_tnl-segmentation";
    let mut below = virtio().device;
    below.never_have(&[INSIDE]);
    let mut machine = virtio();
    machine.virtio = None;
    machine.device = device("vxlan7", 9, Some("vxlan"));
    machine.stack.push(Stacked {
        relation: Relation::Below,
        distance: 1,
        device: below,
        vlan_id: None,
        tx_bytes: 0,
    });
    let causes = without_traffic(&machine);
    assert_eq!((ids(&causes), causes[0].fix.by), (vec![CauseId::Tunnel], By::Host));
    machine.stack[0].device = virtio().device;
    assert_eq!(without_traffic(&machine), []);
    machine.stack[0].device.turn_off(&[INSIDE]);
    assert_eq!(without_traffic(&machine)[0].fix.actions, [Action::switch_on("ens4", [INSIDE])]);
    // Packets with a checksum outside need the other feature.
    machine.device.outer_checksum = Some(true);
    assert_eq!(without_traffic(&machine), []);
    machine.device.kind = Some("geneve".to_owned());
    machine.stack.clear();
    assert_eq!(without_traffic(&machine), []);
}

#[test]
fn a_bond_has_what_its_ports_have() {
    let mut machine = virtio();
    machine.virtio = None;
    machine.device.driver = None;
    machine.device.kind = Some("bond".to_owned());
    machine.device.drop_out(&[TSO4, TSO6, CSUM_GENERIC]);
    let alone = without_traffic(&machine);
    assert_eq!(ids(&alone), [CauseId::TurnedOff]);
    assert!(alone[0].detail.contains("has no port"), "{}", alone[0].detail);
    let port = Stacked {
        relation: Relation::Below,
        distance: 1,
        device: device("eth 1", 9, None),
        vlan_id: None,
        tx_bytes: 0,
    };
    machine.stack.push(port);
    assert_eq!(without_traffic(&machine)[0].fix.commands, ["vmnet doctor 'eth 1'"]);

    let mut below = virtio();
    let mut bond = device("bond0", 7, Some("bond"));
    bond.drop_out(&TSO);
    below.with_above(bond);
    let causes = without_traffic(&below);
    assert_eq!(ids(&causes), [CauseId::UpperDevice]);
    assert!(causes[0].detail.contains("all of its ports"), "{}", causes[0].detail);
}

#[test]
fn a_tap_has_what_the_program_that_holds_it_asked_for() {
    let mut machine = virtio();
    machine.virtio = None;
    machine.device.driver = None;
    machine.device.kind = Some("tun".to_owned());
    machine.device.drop_out(&[TSO4, TSO6, CSUM_GENERIC]);
    let causes = without_traffic(&machine);
    assert_eq!(ids(&causes), [CauseId::TurnedOff]);
    assert!(causes[0].detail.contains("TUNSETOFFLOAD"), "{}", causes[0].detail);
    assert_eq!((causes[0].fix.by, &causes[0].fix.actions[..]), (By::Application, &[][..]));

    // What root switched off and what its reader did not ask for look the same.
    let mut machine = virtio();
    (machine.virtio, machine.device.driver, machine.device.kind) = (None, None, Some("tun".to_owned()));
    machine.tcp_ecn = Ok(1);
    for features in [&[TSO4, TSO6][..], &[TSO_ECN]] {
        let mut machine = machine.clone();
        machine.device.turn_off(features);
        let fix = &without_traffic(&machine)[0].fix;
        assert!(fix.by == By::GuestRoot && fix.commands[1].contains("TUNSETOFFLOAD"), "{fix:?}");
    }
}

#[test]
fn singles_are_the_sockets_or_the_ingress_or_the_application() {
    const MB: u64 = 1 << 20;
    let mut limited = virtio();
    limited.device.limits.gso_max_segs = Some(1);
    let not_built = Seen::new().singles(MB, 0, 0).judged(&limited, None, State::NotBuilt);
    assert_eq!(ids(&not_built), [CauseId::NotBuilt]);
    assert!(!not_built[0].fix.actions.is_empty());
    let forwarded = Seen::new().singles(MB, 0, MB).judged(&virtio(), None, State::Partial);
    assert_eq!(ids(&forwarded), [CauseId::GroOff]);
    let small = Seen::new().singles(0, MB, 0).judged(&virtio(), None, State::NothingToOffload);
    assert_eq!(ids(&small), [CauseId::SmallWrites]);
    assert_eq!(small[0].fix.by, By::Application);
    // Of whom a router knows nothing.
    let passing = Seen::new().singles(0, MB, MB).judged(&virtio(), None, State::NothingToOffload);
    assert_eq!(ids(&passing), [CauseId::GroOff]);
    let chatter = Seen::new().singles(0, 900, 0).judged(&virtio(), None, State::NothingToOffload);
    assert_eq!(ids(&chatter), []);
}

#[test]
fn an_engaged_run_ranks_what_else_stands_out_and_names_real_losses_first() {
    let elsewhere = Elsewhere {
        queues: vec![QueueUse { bytes: 990 }, QueueUse { bytes: 10 }],
        cpus: vec![
            CpuShare { busy: 0.99, softirq: 0.1, steal: 0.3, ..CpuShare::default() },
            CpuShare { busy: 0.2, ..CpuShare::default() },
        ],
        senders: Some(SenderLimits { busy_us: 1000, rwnd_limited_us: 500, ..SenderLimits::default() }),
        wire_gbps: Some(9.5),
        link_gbps: Some(10.0),
        shaped_gbps: None,
        duration_s: 1.0,
        payload_bytes: None,
    };
    let seen =
        Seen { elsewhere, ..Seen::new() }.hardware(1_000_000, 0).refused(ReasonId::TooLarge, 10_000, 0);
    let causes = seen.judged(&virtio(), None, State::Engaged);
    assert_eq!(ids(&causes), [CauseId::TooLarge, CauseId::NotTheBottleneck]);
    let detail = &causes[1].detail;
    let place = |needle: &str| detail.find(needle).unwrap_or_else(|| panic!("no {needle:?} in {detail}"));
    assert!(place("vCPU 0 is busy 99 %") < place("the link is full"));
    assert!(place("the link is full") < place("queue 0 of 2 carried 99 %"));
    assert!(place("queue 0 of 2") < place("receiver's window"));
    assert!(place("receiver's window") < place("steal"));

    let few = Seen::new().hardware(1_000_000, 0).refused(ReasonId::TooLarge, 10, 0);
    let causes = few.judged(&virtio(), None, State::Engaged);
    assert_eq!(ids(&causes), [CauseId::NotTheBottleneck, CauseId::TooLarge]);
}

#[test]
fn small_writes_are_the_applications_even_where_tcp_puts_them_together_to_a_segment() {
    let written = |mean_write_bytes| {
        let seen = Seen { mean_write_bytes, ..Seen::new() }.singles(900_000, 100_000, 0);
        seen.judged(&virtio(), None, State::NotBuilt)
    };
    let small = written(Some(200.0));
    assert_eq!(ids(&small), [CauseId::SmallWrites]);
    assert!(small[0].detail.contains("200 bytes in the mean"), "{}", small[0].detail);
    assert_eq!(small[0].share, Ok(1.0));
    for large in [Some(131_072.0), None] {
        assert_eq!(ids(&written(large))[0], CauseId::NotBuilt);
    }
}

#[test]
fn a_qdisc_that_would_cut_next_is_named_behind_what_hides_it() {
    let mut machine = virtio();
    machine.device.turn_off(&TSO);
    let tbf =
        |burst_bytes| Ok(vec![qdisc("tbf", QdiscOptions::Tbf { burst_bytes, rate_bytes_per_s: 1 << 30 })]);
    machine.qdiscs = tbf(9_000);
    let seen = || Seen::new().refused(ReasonId::Tso4Missing, 1_000_000, 0);
    let causes = seen().judged(&machine, None, State::Software);
    assert_eq!(ids(&causes), [CauseId::TurnedOff, CauseId::QdiscSplits]);
    assert!(causes[1].share.is_err());
    assert!(causes[1].detail.contains("hidden behind"), "{}", causes[1].detail);
    machine.qdiscs = tbf(1 << 20);
    assert_eq!(ids(&seen().judged(&machine, None, State::Software)), [CauseId::TurnedOff]);
}

#[test]
fn a_veth_without_tso_has_xdp_at_its_other_end() {
    let mut machine = virtio();
    (machine.device.driver, machine.device.kind, machine.virtio) = (None, Some("veth".to_owned()), None);
    machine.device.never_have(&TSO);
    let causes =
        Seen::new().refused(ReasonId::Tso4Missing, 1_000_000, 0).judged(&machine, None, State::Software);
    assert_eq!(ids(&causes), [CauseId::DriverNoTso]);
    assert!(
        causes[0].title.contains("XDP") && causes[0].fix.commands[0].contains("xdp off"),
        "{:?}",
        causes[0]
    );
}

#[test]
fn where_a_segment_is_as_long_as_a_super_packet_there_is_nothing_to_build() {
    let mut lo = virtio();
    lo.device.mtu = 65_536;
    let causes = Seen::new().singles(1_000_000, 0, 0).judged(&lo, None, State::NotBuilt);
    assert_eq!(ids(&causes), [CauseId::NotBuilt]);
    assert!(causes[0].detail.contains("nothing to put together"), "{}", causes[0].detail);
    assert_eq!(causes[0].fix.commands, ["ip link set dev ens4 mtu 32768"]);
    // Both sides of the line for IPv6 with timestamps, the longer headers.
    let pair_of = |mtu: u32| 2 * (mtu - 72) + 72 + 14;
    for (mtu, is_told) in [(32_797, true), (32_796, false)] {
        lo.device.mtu = mtu;
        assert_eq!(pair_of(mtu) >= 65_536, is_told);
        let causes = Seen::new().singles(1_000_000, 0, 0).judged(&lo, None, State::NotBuilt);
        assert_eq!(causes[0].detail.contains("nothing to put together"), is_told, "{mtu}");
    }
    // A limit that somebody lowered is the one to change.
    lo.device.limits.gso_max_size = Some(2_000);
    let causes = Seen::new().singles(1_000_000, 0, 0).judged(&lo, None, State::NotBuilt);
    assert!(causes[0].fix.commands[0].contains("gso_max_size 65536"), "{causes:?}");
}

#[test]
fn only_what_has_to_do_with_this_interface_is_called_its_limit() {
    let said = |elsewhere: Elsewhere| {
        let seen = Seen { elsewhere, ..Seen::new() }.hardware(1_000_000, 0);
        seen.judged(&virtio(), None, State::Engaged)[0].detail.clone()
    };
    let cpu =
        |busy, softirq, tcp_gbps| CpuShare { busy, softirq, tcp_gbps: Some(tcp_gbps), ..CpuShare::default() };
    // A busy loop on one CPU, the traffic on the other.
    let beside = Elsewhere { cpus: vec![cpu(1.0, 0.0, 0.0), cpu(0.1, 0.05, 0.1)], ..Elsewhere::default() };
    assert!(!said(beside).contains("vCPU 0 is busy"));
    for one in [cpu(1.0, 0.0, 0.1), cpu(1.0, 0.6, 0.0)] {
        let sends = Elsewhere { cpus: vec![one, cpu(0.1, 0.05, 0.1)], ..Elsewhere::default() };
        assert!(said(sends).contains("vCPU 0 is busy 100 %"));
    }
    let link =
        |wire, link| Elsewhere { wire_gbps: Some(wire), link_gbps: Some(link), ..Elsewhere::default() };
    assert!(said(link(0.95, 1.0)).contains("the link is full"));
    assert!(!said(link(1.2, 1.0)).contains("the link is full"), "more than a link of that speed can bear");

    let shaped = Elsewhere { wire_gbps: Some(1.98), shaped_gbps: Some(2.0), ..Elsewhere::default() };
    assert!(said(shaped).contains("qdisc (tbf) lets 2.00 Gbit/s through"));
    let limited = |app_limited_sockets, busy_us| Elsewhere {
        senders: Some(SenderLimits { sockets: 2, busy_us, app_limited_sockets, ..SenderLimits::default() }),
        duration_s: 10.0,
        ..Elsewhere::default()
    };
    assert!(said(limited(2, 4_000_000)).contains("the application gave less than could be sent"));
    for (sockets, busy_us) in [(0, 4_000_000), (2, 19_000_000)] {
        assert!(!said(limited(sockets, busy_us)).contains("the application"));
    }
    // Looked at last when a tenth was sent.
    let mut seen_early = limited(2, 4_000_000);
    seen_early.payload_bytes = Some(1_000_000);
    for (bytes_sent, is_said) in [(900_000, true), (100_000, false)] {
        seen_early.senders.as_mut().unwrap().bytes_sent = Some(bytes_sent);
        assert_eq!(said(seen_early.clone()).contains("the application"), is_said, "{bytes_sent}");
    }
}

#[test]
fn what_was_asked_by_hand_speaks_where_no_traffic_was_seen() {
    let asked =
        |machine: &Machine, answers| ids(&find(&Evidence { machine, before: None, traffic: None, answers }));
    let mut machine = virtio();
    machine.not_offered(&["HOST_ECN"]).device.never_have(&[TSO_ECN]);
    let whole = Answers { ipv4: Asked::Whole, ipv6: Asked::Whole, ecn: Asked::Segmented };
    assert_eq!(asked(&machine, whole), [CauseId::HostNoEcn]);
    assert_eq!(asked(&machine, Answers::NONE), []);
    // Segmented, and nothing that is known explains it: said, not hidden.
    let cut = Answers { ipv4: Asked::Segmented, ..Answers::NONE };
    assert_eq!(asked(&virtio(), cut), [CauseId::Unexplained]);
    machine.device.turn_off(&TSO);
    assert_eq!(asked(&machine, cut), [CauseId::TurnedOff]);
}

#[test]
fn names_in_json_are_those_of_the_catalogue() {
    for id in [
        CauseId::HostNoCsum,
        CauseId::NotTheBottleneck,
        CauseId::SgOff,
        CauseId::VlanStack,
        CauseId::OneFamily,
    ] {
        assert_eq!(serde_json::to_value(id).unwrap(), id.name());
    }
}

proptest::proptest! {
    #[test]
    fn shares_never_add_up_to_more_than_one(
        bytes in proptest::collection::vec((0_usize..16, 1_u64..1 << 30), 1..10), off: bool, small in 0_u64..1 << 30,
    ) {
        let mut machine = virtio();
        if off {
            machine.device.turn_off(&TSO);
        }
        let mut seen = Seen::new().singles(0, small, 0);
        for (index, bytes) in bytes {
            seen = seen.refused(ReasonId::ALL[index], bytes, 0);
        }
        let causes = seen.judged(&machine, None, State::Software);
        let sum: f64 = causes.iter().filter_map(|cause| cause.share.known()).sum();
        proptest::prop_assert!(sum <= 1.0 + 1e-9, "{sum}: {causes:?}");
    }
}

#[test]
fn no_virtio_host_segments_inside_gre_and_nobody_is_told_to_ask_for_it() {
    let mut machine = virtio();
    machine.with_above(device("gre1", 9, Some("gretap")));
    let causes_of = |machine: &Machine| {
        Seen::new().refused(ReasonId::TunnelMissing, 1 << 30, 0).judged(machine, None, State::Software)
    };
    let causes = causes_of(&machine);
    assert_eq!((causes[0].id, causes[0].fix.by), (CauseId::Tunnel, By::None), "{causes:?}");
    assert!(causes[0].detail.contains("UDP tunnels alone"), "{causes:?}");
    // VXLAN is what a host can offer it for.
    let mut machine = virtio();
    machine.with_above(device("vx0", 9, Some("vxlan")));
    assert_eq!(causes_of(&machine)[0].fix.by, By::Host);
}

#[test]
fn on_a_rung_without_reasons_a_tunnel_is_told_by_what_was_in_it_and_the_feature_that_is_off() {
    const FEATURES: [&str; 1] = ["tx-udp_tnl-segmentation"];
    let judged = |machine: &Machine, in_tunnels| {
        let mut seen = Seen { reasons: None, ..Seen::new() }.refused(ReasonId::TunnelMissing, 1000, 0);
        seen.tcp.total.tunnel_bytes = in_tunnels;
        seen.judged(machine, None, State::Software)
    };
    let mut machine = virtio();
    machine.device.turn_off(&FEATURES);
    let causes = judged(&machine, 1000);
    assert_eq!(ids(&causes), [CauseId::Tunnel]);
    assert_eq!(causes[0].fix.commands, ["ethtool -K ens4 tx-udp_tnl-segmentation on"]);
    // The interface's own TSO is as it should be, so that mending it changes nothing.
    assert_eq!(causes[0].fix.actions, []);
    let shares: Vec<_> = judged(&machine, 250).into_iter().map(|cause| (cause.id, cause.share)).collect();
    assert_eq!(shares, [(CauseId::Unexplained, Ok(0.75)), (CauseId::Tunnel, Ok(0.25))]);
    assert_eq!(ids(&judged(&machine, 0)), [CauseId::Unexplained]);
    assert_eq!(ids(&judged(&virtio(), 1000)), [CauseId::Unexplained]);

    machine.with_above(device("vx0", 9, Some("vxlan")));
    assert_eq!(judged(&machine, 1000)[0].fix.commands[0], "vmnet fix vx0");
    // It segments by itself, before this device is asked; but not if nothing came through it.
    machine.stack[0].device.turn_off(&TSO);
    assert_eq!(ids(&judged(&machine, 1000)), [CauseId::UpperDevice]);
    assert_eq!(ids(&judged(&machine, 0)), [CauseId::Unexplained]);
}

#[test]
fn of_a_qdisc_that_is_not_known_it_is_not_said_what_it_does() {
    let evidence = |kind: &str| {
        let mut machine = virtio();
        machine.qdiscs = Ok(vec![qdisc(kind, QdiscOptions::None)]);
        let chain = crate::chain::links(&machine, Answers::NONE, "nobody asked");
        chain.into_iter().find(|link| link.link == crate::chain::LinkName::Allowed).unwrap().evidence
    };
    assert!(evidence("fq_codel").contains("fq_codel leaves them whole"));
    assert!(evidence("my_qdisc").contains("what qdisc my_qdisc does with them is not known"));
}

/// The machine before and after, with a tunnel that is bound to no device and sent so much meanwhile.
fn with_tunnel(kind: &str, sent_bytes: u64, edit: fn(&mut Device)) -> (Machine, Machine) {
    let mut before = virtio();
    let mut tunnel = device("tunnel0", 9, Some(kind));
    edit(&mut tunnel);
    before.stack.push(Stacked {
        relation: Relation::Routed,
        distance: 1,
        device: tunnel,
        vlan_id: None,
        tx_bytes: 1 << 30,
    });
    let mut after = before.clone();
    after.stack[0].tx_bytes += sent_bytes;
    (before, after)
}

#[test]
fn a_tunnel_that_is_bound_to_no_device_is_named_by_what_it_sent_and_with_what_took_its_tso_along() {
    const M: u64 = 1 << 20;
    let checksum_off: fn(&mut Device) = |tunnel| {
        tunnel.turn_off(&[CSUM_GENERIC]).drop_out(&TSO);
    };
    let judged = |sent, edit: fn(&mut Device)| {
        let (before, after) = with_tunnel("vxlan", sent, edit);
        let seen = Seen::new().refused(ReasonId::UpperDevice, 100 * M, 0);
        seen.judged(&after, Some(&before), State::Software).remove(0)
    };
    let named = judged(105 * M, checksum_off);
    assert_eq!((named.id, named.fix.by), (CauseId::UpperDevice, By::GuestRoot));
    assert!(named.title.contains("tunnel0") && named.detail.contains("transmit checksum"), "{named:?}");
    assert!(named.fix.commands[0] == "vmnet fix tunnel0" && named.fix.actions.is_empty(), "{named:?}");
    for (sent, edit) in [(0, checksum_off), (10 * M, checksum_off), (105 * M, |_| {})] {
        let unnamed = judged(sent, edit);
        assert!(unnamed.id == CauseId::UpperDevice && !unnamed.title.contains("tunnel0"), "{unnamed:?}");
    }
}

#[test]
fn what_wireguard_segments_in_its_driver_is_by_design_and_not_unexplained() {
    let mut machine = virtio();
    machine.device = device("wg0", 5, Some("wireguard"));
    let seen = Seen::new().refused(ReasonId::Checksum, 100, 0);
    assert_eq!(ids(&seen.judged(&machine, None, State::Inconclusive)), [CauseId::Wireguard]);
}

#[test]
fn what_was_encrypted_before_it_came_here_is_said_and_by_whom() {
    const M: u64 = 1 << 20;
    let judged = |sent, udp_payload_bytes, esp_bytes| {
        let (before, after) = with_tunnel("wireguard", sent, |_| {});
        let seen = Seen { udp_payload_bytes, esp_bytes, ..Seen::new() };
        ids(&seen.judged(&after, Some(&before), State::NothingToOffload))
    };
    assert_eq!(judged(100 * M, 98 * M, 0), [CauseId::Wireguard]);
    assert_eq!(judged(0, 0, 100 * M), [CauseId::Ipsec]);
    assert_eq!(judged(100 * M, 100 * M, 100 * M), [CauseId::Wireguard, CauseId::Ipsec]);
    for (sent, udp, esp) in [(0, 100 * M, 0), (100 * M, 10 * M, 0), (M / 2, M / 2, M / 2)] {
        assert_eq!(judged(sent, udp, esp), [], "{sent} {udp} {esp}");
    }
}

#[test]
fn an_experiment_is_named_only_where_it_can_switch_what_makes_the_difference() {
    let of = |broken: Broken| {
        let mut machine = virtio();
        broken(&mut machine);
        experiment(&without_traffic(&machine), "ens4")
    };
    let one_segment: Broken = |machine| machine.device.limits.gso_max_segs = Some(1);
    let table: [(Broken, Option<&str>); 6] = [
        (|_| (), Some("")),
        (|machine| _ = machine.device.turn_off(&TSO), Some("")),
        (|machine| _ = machine.device.turn_off(&[SCATTER_GATHER]).drop_out(&TSO), Some("--feature sg")),
        (|machine| _ = machine.device.turn_off(&[CSUM_GENERIC]).drop_out(&TSO), Some("--feature tx")),
        (one_segment, Some("--feature gso_max_segs --levels 1,65535")),
        // The host's.
        (
            |machine| {
                machine.not_offered(&["HOST_TSO4", "HOST_TSO6", "HOST_ECN"]);
                machine.device.never_have(&[TSO4, TSO6, TSO_ECN]);
            },
            None,
        ),
    ];
    for (index, (broken, options)) in table.into_iter().enumerate() {
        assert_eq!(of(broken).as_deref(), options, "{index}");
    }
}
