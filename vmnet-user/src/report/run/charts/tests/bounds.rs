//! Charts of what no sane run gives: hostile names, absurd numbers, none of anything and too much of it.

use super::*;
use crate::model::chain::{Link, LinkName, LinkState};
use crate::model::hook::HookState;
use crate::model::ledger::{Entry, Protocol};
use crate::model::throughput::Merged;
use crate::report::run::schema::{Bucket, Sizes};

const HOSTILE: &str = "<script>&\"'\x00\x1b\u{FFFF}\u{202E}]]></title><script>";

/// Every chart that has something to show, as the strictest reader would have it: file, SVG, and table.
fn all_drawn(report: &RunReport, what: &str) -> Vec<(&'static str, String, Vec<Vec<String>>)> {
    let mut all = Vec::new();
    for chart in CHARTS {
        let Ok(drawn) = drawn(CHARTS, chart.file, report) else { continue };
        for svg in [drawn.on_page(), drawn.alone()] {
            let document =
                Document::parse(&svg).unwrap_or_else(|why| panic!("{what}: {}: {why}", chart.file));
            assert!(!document.descendants().any(|node| node.has_tag_name("script")), "{what}");
            let elements =
                document.descendants().filter(|node| node.is_element() && !node.has_tag_name("desc"));
            for attribute in elements.flat_map(|node| node.attributes()) {
                let value = attribute.value();
                assert!(!value.contains("NaN") && !value.contains("inf"), "{what}: {}: {value}", chart.file);
            }
        }
        let rows = rows(&drawn);
        assert!(rows.iter().flatten().all(|cell| !cell.contains(char::is_control)), "{what}");
        all.push((chart.file, drawn.alone(), rows));
    }
    all
}

/// Every text that comes from outside is this one.
fn hostile(mut report: RunReport) -> RunReport {
    report.interface.name = HOSTILE.to_owned();
    report.interface.driver = Some(HOSTILE.to_owned());
    report.interface.kernel = HOSTILE.to_owned();
    report.window.start = HOSTILE.to_owned();
    report.verdict.summary = HOSTILE.to_owned();
    for event in &mut report.events {
        event.text = HOSTILE.to_owned();
    }
    for link in report.chain.iter_mut().flatten() {
        link.evidence = HOSTILE.repeat(9);
    }
    for reason in report.reasons.iter_mut().flatten() {
        reason.text = HOSTILE.repeat(3);
    }
    for cause in report.causes.iter_mut().flatten() {
        cause.title = HOSTILE.repeat(20);
        cause.detail = HOSTILE.to_owned();
        cause.fix.commands = vec![HOSTILE.to_owned(); 3];
    }
    for hook in &mut report.probes.hooks {
        hook.hook = HOSTILE.to_owned();
        hook.kind = HOSTILE.to_owned();
        hook.reason = Some(HOSTILE.repeat(3));
    }
    report
}

#[test]
fn names_are_data_and_never_markup() {
    let seen = hostile(fixture::eventful());
    let mut unseen = seen.clone();
    unseen.throughput.samples.clear();
    unseen.sizes = None;
    unseen.ledger.tcp = None;
    unseen.reasons = Err(HOSTILE.repeat(50).into());
    unseen.chain = Err(HOSTILE.repeat(50).into());
    unseen.causes = Err(HOSTILE.repeat(50).into());
    for path in ["sizes", "ledger.tcp"] {
        unseen.unmeasured.insert(path.to_owned(), HOSTILE.repeat(50));
    }
    for report in [&seen, &unseen] {
        for (file, svg, _) in all_drawn(report, "hostile") {
            assert!(alternative(&svg, "title").contains("<script>&\""), "{file}: it is still told");
        }
    }
    let told = |file: &str| all_drawn(&seen, "hostile").into_iter().find(|all| all.0 == file).unwrap().2;
    for file in ["chain.svg", "reasons.svg", "probes.svg"] {
        assert!(
            told(file).iter().flatten().any(|cell| cell.contains("<script>")),
            "{file}: text, not markup"
        );
    }
}

#[test]
fn absurd_numbers_are_drawn_or_declined_and_never_panic() {
    let mut report = fixture::software();
    report.interface.mtu = u32::MAX;
    report.sizes = Some(Sizes {
        queued: vec![
            Bucket { lower: 0, upper: 1, count: u64::MAX },
            Bucket { lower: 5, upper: 5, count: 1 },
            Bucket { lower: u64::MAX - 1, upper: u64::MAX, count: u64::MAX },
        ],
        driver: Some(vec![Bucket { lower: 9, upper: 3, count: 1 }]),
        segs: vec![],
        gso_size: vec![],
    });
    for (gbps, t_s, duration_s) in [
        (f64::NAN, 1.0, 1.0),
        (f64::INFINITY, 1.0, 1.0),
        (1e300, 1.0, 1.0),
        (1e-300, 1.0, 1.0),
        (-1.0, 1.0, 1.0),
        (1.0, 1e300, 1.0),
        (1.0, -5.0, 1.0),
        (1.0, 1.0, 0.0),
        (1.0, f64::NAN, f64::NAN),
        (1.0, 1.0, f64::INFINITY),
        (1.0, 1e-12, 1e-12),
    ] {
        let mut sample = fixture::second(t_s, gbps, 0.5);
        sample.duration_s = duration_s;
        report.throughput.samples = vec![sample.clone(), fixture::second(2.0, 1.0, 1.0), sample];
        for mtu in [0, 1, 68, u32::MAX] {
            report.interface.mtu = mtu;
            all_drawn(&report, &format!("{gbps} {t_s} {duration_s}"));
        }
    }
}

#[test]
fn the_largest_counts_are_drawn() {
    let all = Entry {
        payload_bytes: u64::MAX,
        hardware_bytes: u64::MAX,
        software_bytes: u64::MAX,
        unaggregated_bytes: 1,
        small_bytes: u64::MAX,
        dropped_bytes: 1,
        pending_bytes: u64::MAX,
        retransmitted_bytes: Some(u64::MAX),
        ..Entry::default()
    };
    let mut report = fixture::eventful();
    report.ledger.tcp = Some(Protocol { total: all.clone(), ipv4: all.clone(), ipv6: all });
    for value in [u64::MAX as f64, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, 1e-300, 1e300] {
        for reason in report.reasons.iter_mut().flatten() {
            (reason.bytes, reason.ipv4_bytes, reason.ipv6_bytes) = (u64::MAX, u64::MAX, u64::MAX);
            reason.share = value;
        }
        for hook in &mut report.probes.hooks {
            hook.state = HookState::Attached;
            (hook.events, hook.ns_per_event) = (Ok(u64::MAX), Ok(value));
        }
        report.overhead.cpu_share = Ok(value);
        report.overhead.rss_bytes = Ok(u64::MAX);
        report.cost.cores = Ok(value);
        report.window.duration_s = value;
        for sample in &mut report.throughput.samples {
            sample.retransmitted_bytes = Ok(u64::MAX);
            sample.segmentation_cpu = Ok(value);
            for cpu in &mut sample.cpus {
                (cpu.busy, cpu.softirq, cpu.segmenting) = (value, value, Some(value));
            }
            for queue in &mut sample.queues {
                (queue.gbps, queue.packets_per_s) = (Some(value), Some(value));
            }
            let range = Some([value, -value]);
            sample.merged = Some(Merged {
                intervals: u32::MAX,
                wire_gbps: range,
                goodput_gbps: range,
                segmentation_cpu: range,
                ..Merged::default()
            });
        }
        all_drawn(&report, &value.to_string());
    }
}

#[test]
fn a_fate_that_is_nearly_nothing_is_still_seen_and_said() {
    for only in 0..6 {
        let mut bytes = [1_u64; 6];
        bytes[only] = 1 << 60;
        let [hardware_bytes, software_bytes, unaggregated_bytes, small_bytes, dropped_bytes, pending_bytes] =
            bytes;
        let total = Entry {
            payload_bytes: bytes.iter().sum(),
            hardware_bytes,
            software_bytes,
            unaggregated_bytes,
            small_bytes,
            dropped_bytes,
            pending_bytes,
            ..Entry::default()
        };
        let mut report = fixture::software();
        report.ledger.tcp = Some(Protocol { total, ..Protocol::default() });
        let svg = chart("flow.svg", &report);
        let said = texts(&svg);
        assert_eq!(said.iter().filter(|text| *text == "1 B · <0.1 %").count(), 5, "{said:?}");
        assert_eq!(hovers(&svg).len(), 6);
        for name in ["offloaded", "segmented in software", "full-size singles", "small packets", "dropped"] {
            assert!(has(&said, name), "{name}");
        }
    }
}

#[test]
fn no_interval_and_one_and_a_day_of_them_are_drawn() {
    for intervals in [0, 1, 2, 3] {
        let mut report = fixture::eventful();
        report.throughput.samples.truncate(intervals);
        all_drawn(&report, &format!("{intervals} intervals"));
    }
    for (file, svg, table) in all_drawn(&fixture::day(), "a day") {
        assert!(svg.len() < 300_000, "{file}: {} bytes", svg.len());
        assert!(table.len() <= 300, "{file}: {} rows, more than columns", table.len());
    }
}

#[test]
fn a_day_keeps_its_shortest_standstill_and_its_highest_second() {
    let svg = chart("throughput.svg", &fixture::day());
    assert!(
        has(&texts(&svg), "hours since the run began") && has(&texts(&svg), "lowest and highest goodput")
    );
    assert!(alternative(&svg, "desc").contains("0 bit/s at the lowest and 33.0 Gbit/s at the highest"));
    assert!(hovers(&svg).iter().any(|says| says.contains("highest 33.0 Gbit/s, intervals 288")));
    let table = rows(&drawn(CHARTS, "throughput.svg", &fixture::day()).expect("a day"));
    assert!(table.iter().flatten().any(|cell| cell == "33.0"));
}

#[test]
fn many_queues_and_cpus_share_64_rows_and_it_is_said() {
    for (queues, cpus) in [(64, 256), (64, 0), (0, 1), (1, 64), (200, 4_096)] {
        let report = fixture::wide(queues, cpus);
        let what = format!("{queues} queues, {cpus} CPUs");
        let all = all_drawn(&report, &what);
        let (_, svg, table) = all.iter().find(|(file, ..)| *file == "heat.svg").expect("it is there");
        assert!(table.len() <= 64, "{what}: {}", table.len());
        assert!(svg.len() < 400_000, "{what}: {} bytes", svg.len());
        assert_eq!(has(&texts(svg), "a row is the mean of up to"), queues + 2 * cpus > 64, "{what}");
    }
}

#[test]
fn what_was_not_measured_is_hatched_and_said() {
    let mut report = fixture::software();
    for s in [4, 5, 8] {
        report.throughput.samples[s] = fixture::unknown(s as f64 + 1.0);
    }
    let svg = chart("heat.svg", &report);
    assert!(has(&texts(&svg), "not measured"));
    let says = hovers(&svg);
    assert!(says.iter().any(|says| says == "queue 0, 4.0–6.0 s: not measured"));
    let part = says.iter().find(|says| says.starts_with("CPU 1 busy, 8.0–10.0 s: 30.0 %"));
    assert!(part.expect("half of it is known").ends_with("; a part was not measured"));
}

#[test]
fn a_chain_of_any_states_is_drawn_with_a_word_for_each() {
    let mut report = fixture::software();
    let link = |link, state| Link { link, state, evidence: String::new() };
    report.chain = Ok(vec![
        link(LinkName::Offered, LinkState::NotApplicable),
        link(LinkName::Negotiated, LinkState::Unknown),
        link(LinkName::Active, LinkState::Partial),
        link(LinkName::Taken, LinkState::Broken),
    ]);
    report.causes = Ok(Vec::new());
    let said = texts(&chart("chain.svg", &report));
    for word in ["no link", "not known", "in part", "broken", "first that holds in part"] {
        assert!(said.iter().any(|text| text == word), "{word}");
    }
    report.chain = Ok(Vec::new());
    all_drawn(&report, "no link");
}

#[test]
fn retransmits_are_a_burst_only_where_they_stand_out() {
    let bursts = |report: &RunReport| {
        hovers(&chart("throughput.svg", report))
            .iter()
            .filter(|says| says.contains("retransmit burst"))
            .count()
    };
    let mut report = fixture::eventful();
    assert_eq!(bursts(&report), 3);
    assert!(alternative(&chart("throughput.svg", &report), "desc").contains("at least 1.0 % of its payload"));
    // The same loss throughout is no burst.
    for sample in &mut report.throughput.samples {
        sample.retransmitted_bytes = Ok(90_000_000);
    }
    assert_eq!(bursts(&report), 0);
}
