use super::evidence::MOST_REASONS;
use super::*;
use crate::benchmark::Benchmark;
use crate::model::bound::Bound;
use crate::model::fact::Why;
use crate::model::identity::IdentityId;
use crate::model::interface::Interface;
use crate::model::reasons::ReasonId;
use crate::model::verdict::Says;
use crate::report::run::fixture;

const UNICODE: Style = Style { colour: false, plain: false, width: 160 };

fn said(report: &RunReport) -> String {
    answer(report, &[], &UNICODE)
}

/// Each text stands after the one before it.
fn assert_in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            panic!("no {part:?} where it belongs in\n{text}")
        };
        rest = after;
    }
}

#[test]
fn the_answer_comes_first_then_the_evidence_then_the_cost_then_what_to_do() {
    let files = [PathBuf::from("reports/20261122-101112-ens4/run.json")];
    assert_in_order(
        &answer(&fixture::software(), &files, &UNICODE),
        &[
            "SOFTWARE  TSO is not happening on ens4 (proven)\n",
            "99.8 % of 41.2 GB of bulk TCP was segmented in software: 0.96 M super-packets into 27.3 M segments\n",
            "bulk: 0.0 % offloaded, 99.8 % segmented in software, 0.2 % full-size singles\n",
            "100.0 % of the software-segmented bytes: IPv4 TSO missing (tx-tcp-segmentation off), 41.1 GB\n",
            "witnesses  tracing ✓",
            "kernel counters ✓ (1.00 segments per packet)",
            "device statistics silent",
            "audit      ✓ 7 of 7, nothing missed\n",
            "WHY   host-no-csum (explains 99.9 %): the host never offered",
            "the negotiated virtio features lack CSUM",
            "FIX   host-no-csum, on the host:\n",
            "QEMU: -device virtio-net-pci,csum=on\n",
            "(ethtool -K ens4 tso on cannot work here: the feature is fixed off)\n",
            "COST  1.31 cores, 0.95 ns/byte [0.93, 0.97] (by fexit)\n",
            "RUN   iperf3 -c 10.0.0.2 -t 30 --json: exit 0\n",
            "iperf3 says 11.0 Gbit/s: 41.2 GB in 30.0 s, 1 stream, 898 retransmits",
            "reports/20261122-101112-ens4/run.json\n",
        ],
    );
}

#[test]
fn the_page_is_named_and_what_lies_beside_it_is_only_counted() {
    let paths = |names: &[&str]| names.iter().map(|name| PathBuf::from("reports/a").join(name)).collect();
    let files: Vec<PathBuf> = paths(&["report.html", "run.json", "throughput.svg", "sizes.svg"]);
    let text = answer(&fixture::software(), &files, &UNICODE);
    assert!(text.ends_with("      reports/a/report.html  (and 2 charts, run.json)\n"), "{text}");
    // Where there is no page, what there is is named.
    let files: Vec<PathBuf> = paths(&["run.json", "throughput.svg"]);
    let text = answer(&fixture::software(), &files, &UNICODE);
    assert!(text.ends_with("      reports/a/run.json\n      reports/a/throughput.svg\n"), "{text}");
    assert_eq!(where_it_is(&paths(&["report.html"])), ["reports/a/report.html"]);
}

#[test]
fn a_working_tso_is_limited_to_what_this_machine_can_see() {
    let text = said(&fixture::engaged());
    assert_in_order(
        &text,
        &[
            "ENGAGED  TSO is happening on ens4 (proven)",
            "0.96 M of 0.96 M super-packets reached the driver",
            "COST  none",
            "LIMIT",
            "may still segment behind the device",
        ],
    );
    assert!(!text.contains("NEXT"), "{text}");
}

#[test]
fn on_a_device_that_is_not_the_end_of_the_road_only_whole_is_claimed() {
    let mut report = fixture::engaged();
    report.interface = Interface { name: "veth0".to_owned(), terminal: false, ..report.interface };
    let text = said(&report);
    assert_in_order(&text, &["super-packets leave veth0 whole", "LIMIT", "go on inside this machine"]);
    assert!(!text.contains("TSO is happening"), "{text}");
}

#[test]
fn a_failing_identity_shows_its_residual_and_its_slack() {
    let mut report = fixture::software();
    report.verdict.state = State::Inconclusive;
    report.verdict.confidence = Confidence::Supported;
    report.verdict.basis = Some("wire-segments does not hold".to_owned());
    if let Some(audit) = &mut report.audit {
        audit.ok = false;
        audit.drained = false;
        audit.identities[3] = fixture::identity(IdentityId::WireSegments, Some(-1000));
        audit.identities[6] = fixture::identity(IdentityId::SegmentCounts, None);
        audit.missed.events_lost = Some(12);
    }
    assert_in_order(
        &said(&report),
        &[
            "INCONCLUSIVE  this run cannot tell",
            "audit      ✗ 5 of 6 (1 not measured), missed: 12 events lost; traffic had not come to rest",
            "✗ wire-segments: 27300000 (__skb_gso_segment) against 27301000 (net_dev_xmit), off by -1000",
            "segments, slack 44",
            "confidence not proven: wire-segments does not hold",
            "NEXT  let the traffic end",
        ],
    );
}

#[test]
fn a_proof_within_a_bound_says_the_bound_and_keeps_the_gap_in_sight() {
    let mut report = fixture::software();
    let text = "at least 99.7 % of the payload in super-packets was segmented in software, counting the 0.12 % that no \
                program saw against it";
    report.verdict.bound =
        Some(Bound { share_at_least: 0.997_1, unseen_share: 0.001_2, text: text.to_owned() });
    if let Some(audit) = &mut report.audit {
        audit.ok = false;
        audit.identities[3] = fixture::identity(IdentityId::DevicePackets, Some(-1000));
    }
    let said = said(&report);
    assert_in_order(
        &said,
        &[
            "TSO is not happening on ens4 (proven)",
            "audit      ✗ 6 of 7",
            "✗ device-packets",
            "confidence proven within a bound: at least 99.7 %",
            "counting the 0.12 %",
        ],
    );
    report.verdict.confidence = Confidence::Supported;
    report.verdict.basis = Some("not proven: device-packets does not hold".to_owned());
    let basis = basis(&report).unwrap();
    assert!(basis.starts_with("not proven: device-packets does not hold; at least 99.7 %"), "{basis}");
}

#[test]
fn a_witness_against_the_verdict_is_marked() {
    let mut report = fixture::software();
    report.verdict.witnesses[1] =
        fixture::witness("kernel-counters", Says::SuperPackets, "29.5 segments per packet");
    assert!(said(&report).contains("kernel counters ✗ (29.5 segments per packet)"));
    // A state in kebab-case is compared as a state.
    report.verdict.state = State::NotBuilt;
    report.verdict.witnesses = vec![fixture::witness("tracing", Says::State(State::NotBuilt), "")];
    assert!(said(&report).contains("tracing ✓\n"));
}

#[test]
fn where_the_verdict_is_open_a_witness_is_quoted_and_not_judged() {
    let mut report = fixture::software();
    report.verdict.state = State::Inconclusive;
    let text = said(&report);
    assert_in_order(
        &text,
        &["tracing says software (", "kernel counters says no-super-packets (", "statistics silent"],
    );
}

#[test]
fn flips_are_told_with_their_time() {
    assert_in_order(
        &said(&fixture::flipped()),
        &["PARTIAL", "EVENT at 12.02 s: tx-tcp-segmentation off", "      at 20.01 s: tx-tcp-segmentation on"],
    );
}

#[test]
fn without_programs_nothing_is_said_that_only_they_could_know() {
    let mut report = fixture::counters();
    report.cost.cores = Err(Why::is("no programs"));
    let text = said(&report);
    assert_in_order(
        &text,
        &[
            "SOFTWARE  TSO is not happening on ens4 (weak)",
            "one segment per packet at 1514 bytes, and TSO is inactive",
            "audit      none",
            "confidence inferred from segments per packet and TSO inactive",
            "COST  not measured: no programs",
            "LIMIT no programs ran",
            "EPERM",
        ],
    );
    assert!(!text.contains("bulk:"), "{text}");
}

#[test]
fn nothing_sent_is_no_share_of_anything() {
    let text = said(&fixture::idle());
    assert_in_order(&text, &["NOTHING TO OFFLOAD", "0 B of TCP payload in 30.0 s", "NEXT"]);
    assert!(!text.contains("NaN") && !text.contains("bulk:"), "{text}");
}

#[test]
fn plain_is_ascii_without_escapes_and_keeps_to_the_width() {
    for report in
        [fixture::software(), fixture::engaged(), fixture::flipped(), fixture::counters(), fixture::idle()]
    {
        let text = answer(&report, &[], &Style { width: 60, ..Style::PLAIN });
        assert!(text.is_ascii() && !text.contains('\x1b'), "{text}");
        // What is to be copied is not wrapped.
        let (before, rest) = text.split_once("\nFIX ").unwrap_or((&text, ""));
        let after = rest.split_once("\nCOST").map_or("", |(_, after)| after);
        assert!(before.lines().chain(after.lines()).all(|line| line.len() <= 60), "{text}");
    }
}

#[test]
fn colour_is_only_on_the_words_that_lead() {
    let text = answer(&fixture::software(), &[], &Style { colour: true, ..UNICODE });
    assert!(text.starts_with("\x1b[1;31mSOFTWARE\x1b[0m  TSO"), "{text}");
    assert!(text.contains("\x1b[1mCOST  \x1b[0m"), "{text}");
}

#[test]
fn a_hostile_name_steers_neither_the_terminal_nor_the_shell() {
    let mut report = fixture::software();
    report.interface.name = "a\x1b[2J;rm -rf '".to_owned();
    report.benchmark = Some(Benchmark {
        command: vec!["sh".to_owned(), "\x1b]0;owned\x07\n".to_owned()],
        exit_code: None,
        signal: Some(9),
        ..Benchmark::default()
    });
    let text = said(&report);
    assert!(!text.contains('\x1b') && !text.contains('\x07'), "{text:?}");
    assert!(text.contains(r"'a") && text.contains(r"'\'''"), "quoted: {text}");
    assert!(text.contains("ended by signal 9"), "{text}");
}

#[test]
fn the_round_trip_is_one_under_load_or_not_told() {
    let told = "round trip under load: 0.42 ms in the median";
    let mut report = fixture::software();
    report.throughput.samples[0].rtt_us = None;
    report.throughput.samples[1].rtt_us = Some(f64::NAN);
    report.throughput.samples[2].rtt_us = Some(90_000.0);
    assert!(said(&report).contains(told), "{}", said(&report));
    report.verdict.state = State::NothingToOffload;
    assert!(!said(&report).contains("round trip"), "{}", said(&report));
    let mut without_programs = fixture::counters();
    assert!(!said(&without_programs).contains("round trip"));
    without_programs.throughput.samples[0].rtt_us = Some(420.0);
    assert!(said(&without_programs).contains(told));
}

#[test]
fn a_thin_run_says_so_in_its_name() {
    let mut report = fixture::engaged();
    report.verdict.thin = true;
    if let Some(tcp) = &mut report.ledger.tcp {
        tcp.total.median_gso_segs = Some(2.0);
    }
    assert_in_order(&said(&report), &["ENGAGED, THIN", "of 2 segments or fewer"]);
}

#[test]
fn reasons_are_told_the_weightiest_first_and_not_without_end() {
    let mut report = fixture::flipped();
    let reason = |(index, id): (usize, &ReasonId)| fixture::reason(*id, 1_000 - index as u64, 0.1);
    report.reasons = Ok(ReasonId::ALL.iter().enumerate().map(reason).collect());
    let text = said(&report);
    assert_in_order(&text, &["IPv4 TSO missing", "IPv6 TSO missing", "tx-tcp-ecn-segmentation", "in 30.0 s"]);
    assert_eq!(text.matches("of the software-segmented bytes").count(), MOST_REASONS, "{text}");
    report.reasons = Err(Why::is("nobody looked"));
    assert!(!said(&report).contains("software-segmented"));
}
