use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::interval_fixture::{second, unknown};
use crate::machine::{Machine, QdiscOptions};
use crate::machine_fixture::{self, qdisc};

/// What a run is made of, to be changed.
struct Scene {
    tcp: Option<Entry>,
    intervals: Vec<Interval>,
    machine: Option<Machine>,
    unmeasured: BTreeMap<String, String>,
}

impl Scene {
    fn new(gbps: f64, software: f64) -> Self {
        let swing = |s: u32| gbps * (1.0 + 0.03 * (f64::from(s) * 1.7).sin());
        Self {
            tcp: Some(Entry {
                payload_bytes: 41_250_000_000,
                software_bytes: 41_200_000_000,
                ..Entry::default()
            }),
            intervals: (1..=30_u32).map(|s| second(f64::from(s), swing(s), software)).collect(),
            machine: Some(machine_fixture::virtio()),
            unmeasured: BTreeMap::new(),
        }
    }

    fn facts(&self) -> Value {
        json!({ "interface": { "name": "ens4", "mtu": 1500 }, "machine": self.machine })
    }

    fn against(&self, b: &Self) -> Comparison {
        let (a_facts, b_facts) = (self.facts(), b.facts());
        Comparison::of(&self.run(&a_facts), &b.run(&b_facts))
    }

    fn run<'a>(&'a self, facts: &'a Value) -> Run<'a> {
        Run { tcp: self.tcp.as_ref(), intervals: &self.intervals, facts, unmeasured: &self.unmeasured }
    }

    fn machine(&mut self) -> &mut Machine {
        self.machine.as_mut().unwrap()
    }
}

fn rows(comparison: &Comparison) -> Vec<(&str, &str, &str)> {
    comparison.differences.iter().map(|row| (row.what.as_str(), row.a.as_str(), row.b.as_str())).collect()
}

#[test]
fn a_run_against_itself_differs_by_nothing() {
    let run = Scene::new(11.0, 1.0);
    let comparison = run.against(&run);
    assert_eq!(comparison.differences, []);
    for effect in &comparison.effects {
        assert_eq!(effect.change_percent, Some(0.0), "{}", effect.name);
        let [low, high] = effect.interval_percent.expect("enough intervals");
        assert!(low <= 1e-9 && high >= -1e-9, "{}: {low} {high}", effect.name);
        assert_eq!(effect.reason, None);
        assert_eq!(effect.intervals, Sides { a: 30, b: 30 });
    }
}

#[test]
fn what_offload_brings_is_told_with_its_intervals() {
    let comparison = Scene::new(11.0, 1.0).against(&Scene::new(24.0, 0.0));
    let goodput = comparison.effect(EffectId::Goodput).unwrap();
    assert!((goodput.change_percent.unwrap() - 118.2).abs() < 1.0, "{goodput:?}");
    let [low, high] = goodput.interval_percent.unwrap();
    assert!(low < 118.0 && 118.0 < high && high - low < 10.0, "{low} {high}");
    assert_eq!((goodput.is_clear(), goodput.is_improvement()), (Some(true), Some(true)));

    // 8 CPUs, 4.4 of them busy, at 11 and at 24 Gbit/s.
    let cpu = comparison.effect(EffectId::CpuPerByte).unwrap();
    assert!(
        (cpu.a.unwrap() - 4.4 * 8.0 / 11.0).abs() < 0.05 && (cpu.b.unwrap() - 4.4 * 8.0 / 24.0).abs() < 0.05
    );
    assert_eq!(cpu.is_improvement(), Some(true), "less is better");
    let packet = comparison.effect(EffectId::PacketToDriver).unwrap();
    assert!((packet.a.unwrap() - 1514.0).abs() < 1.0 && (packet.b.unwrap() - 43_214.0).abs() < 1.0);
}

#[test]
fn nothing_left_is_a_change_without_an_interval_and_from_nothing_there_is_no_change() {
    let (software, engaged) = (Scene::new(11.0, 1.0), Scene::new(24.0, 0.0));
    let there = software.against(&engaged);
    let cores = there.effect(EffectId::SegmentationCores).unwrap();
    assert_eq!((cores.b, cores.change_percent, cores.interval_percent), (Some(0.0), Some(-100.0), None));
    assert!(cores.reason.as_ref().unwrap().contains("0 throughout B"));
    let back = engaged.against(&software);
    let cores = back.effect(EffectId::SegmentationCores).unwrap();
    assert_eq!((cores.change_percent, cores.interval_percent), (None, None));
    assert!(cores.reason.as_ref().unwrap().contains("0 in A"));
    let neither = engaged.against(&engaged);
    assert_eq!(
        neither.effect(EffectId::SegmentationCores).unwrap().reason.as_deref(),
        Some("0 in both runs")
    );
}

#[test]
fn what_was_not_measured_has_no_figure_and_says_why() {
    let a = Scene::new(11.0, 1.0);
    let mut b = Scene::new(11.0, 1.0);
    for interval in &mut b.intervals {
        *interval = Interval { wire_gbps: interval.wire_gbps.clone(), ..unknown(interval.t_s) };
    }
    b.tcp = None;
    b.unmeasured.insert("throughput.samples[].goodput_gbps".to_owned(), "no programs ran".to_owned());
    let comparison = a.against(&b);
    assert_eq!(comparison.paths, None);
    let goodput = comparison.effect(EffectId::Goodput).unwrap();
    assert_eq!((goodput.b, goodput.change_percent), (None, None));
    assert!(goodput.a.is_some());
    assert_eq!(goodput.reason.as_deref(), Some("not measured in B: no programs ran"));
    assert!(comparison.effect(EffectId::WireRate).unwrap().interval_percent.is_some());
}

#[test]
fn too_few_intervals_give_a_change_but_no_interval() {
    let a = Scene::new(11.0, 1.0);
    let mut b = Scene::new(12.0, 1.0);
    b.intervals.truncate(7);
    let comparison = a.against(&b);
    let goodput = comparison.effect(EffectId::Goodput).unwrap();
    assert!(goodput.change_percent.is_some() && goodput.interval_percent.is_none());
    assert_eq!(
        goodput.reason.as_deref(),
        Some("no interval: 30 and 7 intervals, and it takes 8 of each run")
    );
    b.intervals.clear();
    let comparison = a.against(&b);
    let goodput = comparison.effect(EffectId::Goodput).unwrap();
    assert_eq!(goodput.reason.as_deref(), Some("B has no interval to go by"));
}

#[test]
fn silence_at_the_ends_does_not_change_the_effects() {
    let a = Scene::new(11.0, 1.0);
    let mut b = Scene::new(11.0, 1.0);
    b.intervals.insert(0, second(0.5, 0.0, 1.0));
    b.intervals.insert(1, second(0.5, 4.0, 1.0));
    b.intervals.push(second(31.0, 3.0, 1.0));
    b.intervals.push(second(32.0, 0.0, 1.0));
    let comparison = a.against(&b);
    assert_eq!(comparison.stretches.b, Stretch { intervals: 34, left_out_before: 2, left_out_after: 2 });
    assert_eq!(comparison.effect(EffectId::Goodput).unwrap().change_percent, Some(0.0));
}

#[test]
fn an_idle_run_has_nothing_per_byte() {
    let a = Scene::new(11.0, 1.0);
    let b = Scene::new(0.0, 0.0);
    let comparison = a.against(&b);
    let cpu = comparison.effect(EffectId::CpuPerByte).unwrap();
    assert_eq!((cpu.b, cpu.change_percent), (None, None));
    assert_eq!(cpu.reason.as_deref(), Some("B sent no TCP payload"));
    assert_eq!(comparison.effect(EffectId::Goodput).unwrap().change_percent, Some(-100.0));
}

#[test]
fn features_and_bits_are_told_first_and_in_words() {
    let a = Scene::new(11.0, 1.0);
    let mut b = Scene::new(11.0, 1.0);
    b.machine().device.drop_out(&["tx-tcp-segmentation"]).turn_off(&["tx-udp_tnl-segmentation"]);
    b.machine().not_offered(&["HOST_TSO6"]).loaded_with("csum");
    b.machine().cpus_online = Ok(4);
    b.machine().tcp_ecn = Ok(1);
    b.machine().device.limits.gso_max_segs = Some(1);
    b.machine().qdiscs =
        Ok(vec![qdisc("tbf", QdiscOptions::Tbf { burst_bytes: 1600, rate_bytes_per_s: 1_000_000 })]);
    b.machine().queues.rps = Ok(vec![vec![0, 1], vec![]]);
    let comparison = a.against(&b);
    assert_eq!(
        rows(&comparison),
        [
            ("TSO for IPv4 (tx-tcp-segmentation)", "on", "off, though asked for"),
            ("segmentation in tunnels (tx-udp_tnl-segmentation)", "on", "off"),
            ("virtio bit HOST_TSO6", "negotiated", "not negotiated"),
            ("driver's parameter csum", "Y", "N"),
            ("most segments of a super-packet (gso_max_segs)", "65535", "1"),
            ("qdisc 0 kind", "fq_codel", "tbf"),
            ("qdisc 0 options burst bytes", "none", "1600"),
            ("qdisc 0 options of", "none", "tbf"),
            ("qdisc 0 options rate bytes per s", "none", "1000000"),
            ("CPUs online", "2", "4"),
            ("RPS: CPUs of each receive queue", "none", "0,1 | none"),
            ("net.ipv4.tcp_ecn", "2", "1"),
        ]
    );
    let matters: Vec<bool> = comparison.differences.iter().map(|row| row.matters_for_tso).collect();
    assert!(matters[..9].iter().all(|matters| *matters) && !matters[9..].iter().any(|matters| *matters));
}

#[test]
fn what_is_not_known_is_not_taken_for_different_nor_for_the_same() {
    let mut a = Scene::new(11.0, 1.0);
    a.machine().tcp_ecn = Err("no /proc".into());
    a.machine().device.features = Err("no netlink".into());
    a.unmeasured.insert("machine.tcp_ecn".to_owned(), "no /proc".to_owned());
    let b = Scene::new(11.0, 1.0);
    let comparison = a.against(&b);
    assert_eq!(
        rows(&comparison),
        [("features", "not known", "known (7 settings)"), ("net.ipv4.tcp_ecn", "not known: no /proc", "2"),]
    );
    assert_eq!(a.against(&a).differences, [], "not known in both: nothing can be said");
    let mut without = Scene::new(11.0, 1.0);
    without.machine = None;
    let comparison = without.against(&b);
    let found = rows(&comparison);
    assert_eq!((found.len(), found[0].0, found[0].1), (1, "all about the machine", "not known"));
}

#[test]
fn counters_and_indexes_are_no_differences() {
    let a = Scene::new(11.0, 1.0);
    let mut b = Scene::new(11.0, 1.0);
    b.machine().device.ifindex = 9;
    b.machine().kernel = "the interface's says the same".to_owned();
    b.machine().queues.statistics = Ok(vec![Default::default()]);
    if let Ok(qdiscs) = &mut b.machine().qdiscs {
        qdiscs[0].counters = Some(Default::default());
        qdiscs[0].handle = 7;
    }
    assert_eq!(a.against(&b).differences, []);
}

#[test]
fn a_new_field_of_the_report_is_compared_without_being_named_here() {
    let run = |facts| {
        Comparison::of(
            &Run {
                tcp: None,
                intervals: &[],
                facts: &json!({ "machine": { "new_thing": { "of_it": 1 } } }),
                unmeasured: &BTreeMap::new(),
            },
            &Run { tcp: None, intervals: &[], facts, unmeasured: &BTreeMap::new() },
        )
    };
    let comparison = run(&json!({ "machine": { "new_thing": { "of_it": 2 } } }));
    assert_eq!(rows(&comparison), [("new thing of it", "1", "2")]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn changing_places_inverts_every_effect(
        a_gbps in 0.1_f64..50.0, b_gbps in 0.1_f64..50.0, a_share in 0.05_f64..1.0, b_share in 0.05_f64..1.0
    ) {
        let (a, b) = (Scene::new(a_gbps, a_share), Scene::new(b_gbps, b_share));
        let (there, back) = (a.against(&b), b.against(&a));
        for (there, back) in there.effects.iter().zip(&back.effects) {
            let ratio = |percent: f64| 1.0 + percent / 100.0;
            let product = ratio(there.change_percent.unwrap()) * ratio(back.change_percent.unwrap());
            prop_assert!((product - 1.0).abs() < 1e-9, "{}", there.name);
            let ([low, high], [other_low, other_high]) =
                (there.interval_percent.unwrap(), back.interval_percent.unwrap());
            prop_assert!((ratio(low) * ratio(other_high) - 1.0).abs() < 1e-6, "{}", there.name);
            prop_assert!((ratio(high) * ratio(other_low) - 1.0).abs() < 1e-6, "{}", there.name);
        }
    }

    #[test]
    fn no_numbers_whatever_make_a_figure_that_is_none(numbers in proptest::collection::vec(any::<f64>(), 64)) {
        let mut a = Scene::new(11.0, 1.0);
        for (interval, numbers) in a.intervals.iter_mut().zip(numbers.chunks(4)) {
            interval.duration_s = numbers[0];
            interval.goodput_gbps = Ok(numbers[1]);
            interval.software_gbps = Ok(numbers[2]);
            interval.segmentation_cpu = Ok(numbers[3]);
        }
        let b = Scene::new(11.0, 1.0);
        for effect in a.against(&b).effects.iter().chain(&b.against(&a).effects) {
            let numbers = [effect.a, effect.b, effect.change_percent];
            prop_assert!(numbers.iter().flatten().chain(effect.interval_percent.iter().flatten()).all(|n| n.is_finite()));
            prop_assert!(effect.change_percent.is_some() && effect.interval_percent.is_some() || effect.reason.is_some());
        }
    }
}
