//! `vmnet run` over a veth pair of this machine: its verdicts, its rungs, its ways to speak.
//!
//! The audit is held to be sound, not to be lucky: what it cannot account for must show, and what it can must be proven.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a scenario's helpers fail as its tests do")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use serde_json::Value;
use testbed::bench::{Bench, FAR, INTERFACE, Run, Running, load, serve_load, wait_for};
use testbed::command::captured;
use testbed::report::{document, unexplained_nulls};
use testbed::{Netns, paths, skip, skip_unless};

const NOTHING: &[&str] = &[];

/// Nobody of this machine, without any capability.
const NOBODY: &[&str] = &["--reuid=65534", "--regid=65534", "--clear-groups"];

/// An identity that fails must keep the verdict from being proven, or cost a figure: what no program saw is less than a
/// hundredth, and said. None may find more on the side of the programs than the kernel counted.
fn assert_sound(run: &Run) {
    let audit = &run.json["audit"];
    let identities = audit["identities"].as_array().unwrap_or_else(|| panic!("no audit\n{run}"));
    assert!(identities.iter().any(|identity| identity["ok"] == true), "an audit that checks nothing\n{run}");
    // What the programs miss shows as packets that only the kernel's own counters have; the other way round they would
    // have counted a packet twice.
    for (name, sign) in
        [("device-packets", 1), ("device-bytes", 1), ("qdisc-packets", -1), ("qdisc-bytes", -1)]
    {
        let identity = identities.iter().find(|identity| identity["name"] == name);
        let residual = identity.and_then(|identity| identity["residual"].as_i64()).unwrap_or_default();
        assert!(residual * sign <= 0, "{name}: counted twice\n{run}");
    }
    let bound = &run.json["verdict"]["bound"]["unseen_share"];
    if audit["ok"] != true && bound.as_f64().is_none_or(|unseen| unseen >= 0.01) {
        assert_ne!(run.text("/verdict/confidence"), "proven", "{run}");
    }
    if audit["drained"] != true {
        assert_ne!(run.text("/verdict/confidence"), "proven", "{run}");
    }
}

/// Nothing moved at the edges of the window, and every identity that was measured comes out even.
fn is_even(run: &Run) -> bool {
    let identities = run.json["audit"]["identities"].as_array();
    let even = |field: &str| {
        identities
            .is_some_and(|all| all.iter().all(|identity| identity[field].as_i64().unwrap_or_default() == 0))
    };
    run.json["audit"]["drained"] == true && even("residual") && even("slack")
}

/// The same run until every packet is accounted for, five times at most; each of them has to be sound.
fn proven(mut run: impl FnMut() -> Run) -> Run {
    let mut last = None;
    for _ in 0..5 {
        let run = run();
        assert_sound(&run);
        if is_even(&run) {
            assert_eq!(run.text("/verdict/confidence"), "proven", "nothing is left over, yet\n{run}");
            return run;
        }
        last = Some(run);
    }
    panic!("not once in five runs was every packet accounted for; the last:\n{}", last.unwrap());
}

#[test]
fn super_packets_that_leave_a_veth_whole_are_engaged() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("run").unwrap();
    for qdisc in ["noqueue", "pfifo_fast"] {
        bench.near.exec(&format!("tc qdisc replace dev {INTERFACE} root {qdisc}")).unwrap();
        let run = proven(|| bench.run(&["--expect", "engaged"], &load("-n 20M -P 4")).unwrap());
        assert_eq!(run.code, Some(0), "{run}");
        assert_eq!(run.text("/verdict/state"), "engaged", "{run}");
        assert_eq!(run.text("/interface/qdisc"), qdisc, "{run}");
        assert_eq!(run.json["interface"]["terminal"], false, "{run}");
        assert_eq!(run.number("/ledger/tcp/software_bytes"), Some(0), "{run}");
        assert_eq!(run.number("/ledger/tcp/segments_made"), Some(0), "{run}");
        let six: u64 = ["hardware", "software", "unaggregated", "small", "dropped", "pending"]
            .iter()
            .map(|class| run.number(&format!("/ledger/tcp/{class}_bytes")).unwrap())
            .sum();
        assert_eq!(run.number("/ledger/tcp/payload_bytes"), Some(six), "{run}");
        let fresh = six - run.number("/ledger/tcp/retransmitted_bytes").unwrap();
        assert_eq!(fresh, 20 << 20, "every byte of the load, and no other\n{run}");
        assert!(run.stdout.contains("they go on inside this machine"), "{run}");
    }
}

#[test]
fn with_tso_off_the_cpu_cuts_everything_up() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    let bench = Bench::new("run").unwrap();
    bench.near.exec(&format!("ethtool -K {INTERFACE} tso off")).unwrap();
    bench.near.exec(&format!("tc qdisc replace dev {INTERFACE} root pfifo_fast")).unwrap();
    let run = proven(|| bench.run(&["--expect", "software"], &load("-n 20M")).unwrap());
    assert_eq!((run.code, run.text("/verdict/state")), (Some(0), "software"), "{run}");
    assert_eq!(run.number("/ledger/tcp/hardware_bytes"), Some(0), "{run}");
    let segments = run.number("/ledger/tcp/segments_made").unwrap();
    // A few full-size singles are nobody's segments.
    assert!(segments >= 14_000, "{segments} segments\n{run}");
    let other = bench.run(&["--expect", "engaged"], &load("-n 20M")).unwrap();
    assert_eq!(other.code, Some(3), "an expectation that is not met\n{other}");
}

/// The light ledger, with windows in which it is held against every segment.
#[test]
fn a_light_run_comes_to_the_same_and_counts_segments_in_windows_only() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    let bench = Bench::new("run").unwrap();
    bench.near.exec(&format!("tc qdisc replace dev {INTERFACE} root pfifo_fast")).unwrap();
    // The longer one has a second window.
    for (tso, state, other, time) in
        [("on", "engaged", "software_bytes", "2s"), ("off", "software", "hardware_bytes", "7s")]
    {
        bench.near.exec(&format!("ethtool -K {INTERFACE} tso {tso}")).unwrap();
        let run = bench.run(&["--expect", state], &load(&format!("--time {time}"))).unwrap();
        assert_eq!((run.code, run.text("/verdict/state")), (Some(0), state), "{run}");
        assert_eq!(run.text("/probes/counting"), "light", "{run}");
        let share = run.json["probes"]["exact_share"].as_f64().unwrap();
        assert!(share > 0.0 && share < 0.2, "{share} of the time with every hook\n{run}");
        assert_eq!(run.number(&format!("/ledger/tcp/{other}")), Some(0), "{run}");
        // What this kernel did not show its programs makes bounds of it, and the verdict says how wide they are.
        let bounded = run.json["verdict"]["bound"].is_object().then_some("bounds");
        let methods = ["counted", "allotted"].into_iter().chain(bounded);
        assert!(methods.into_iter().any(|method| method == run.text("/ledger/tcp/method")), "{run}");
        let identities = run.json["audit"]["identities"].as_array().unwrap();
        let device = identities.iter().find(|identity| identity["name"] == "device-packets").unwrap();
        assert!(device["left_source"].as_str().unwrap().contains("net_dev_queue"), "{run}");
        assert!(unexplained_nulls(&run.json).is_empty(), "{:?}\n{run}", unexplained_nulls(&run.json));
    }
}

#[test]
fn small_writes_are_nothing_to_offload() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("run").unwrap();
    let run = bench.run(NOTHING, &load("-n 200k --message-bytes 100 --nodelay")).unwrap();
    assert_sound(&run);
    assert_eq!((run.code, run.text("/verdict/state")), (Some(0), "nothing-to-offload"), "{run}");
    let idle = bench.run(&["-d", "300ms", "--expect", "nothing-to-offload"], NOTHING).unwrap();
    assert_eq!(idle.code, Some(0), "{idle}");
    assert_eq!(idle.text("/window/ended_by"), "duration", "{idle}");
}

#[test]
fn an_interface_of_the_same_index_in_another_namespace_adds_nothing() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("run").unwrap();
    let index = |namespace: &Netns, interface: &str| {
        let said = namespace.ip(&format!("-json link show dev {interface}")).unwrap();
        serde_json::from_str::<Value>(&said).unwrap()[0]["ifindex"].as_u64().unwrap()
    };
    // Elsewhere on this machine an interface with the very same index is busy.
    let (elsewhere, beyond) = (Netns::new("run").unwrap(), Netns::new("run").unwrap());
    let same = index(&bench.near, INTERFACE);
    elsewhere
        .ip(&format!("link add twin index {same} type veth peer name end netns {}", beyond.name()))
        .unwrap();
    elsewhere.ip("address add 10.98.0.1/24 dev twin").unwrap();
    beyond.ip("address add 10.98.0.2/24 dev end").unwrap();
    elsewhere.ip("link set twin up").unwrap();
    beyond.ip("link set end up").unwrap();
    assert_eq!(index(&elsewhere, "twin"), same);
    let server = serve_load(&beyond).unwrap();
    let mut other = elsewhere.command(paths::vmnet());
    other.args(["load", "client", "10.98.0.2", "--time", "60s"]).stdout(Stdio::null()).stderr(Stdio::null());
    let other = Running(other.spawn().unwrap());
    wait_for("the other traffic", || Ok(elsewhere.statistic("twin", "tx_bytes")? > 1 << 20)).unwrap();
    let run = proven(|| bench.run(NOTHING, &load("-n 20M")).unwrap());
    drop((other, server));
    let fresh = run.number("/ledger/tcp/payload_bytes").unwrap()
        - run.number("/ledger/tcp/retransmitted_bytes").unwrap();
    assert_eq!(fresh, 20 << 20, "{run}");
}

/// At the far end, from when it listens until the value ends.
fn iperf3_server(bench: &Bench) -> Running {
    let mut server = bench.far.command("iperf3");
    server.arg("-s").stdout(Stdio::null()).stderr(Stdio::null());
    let server = Running(server.spawn().unwrap());
    wait_for("iperf3", || Ok(bench.far.exec("ss -lntH")?.contains(":5201"))).unwrap();
    server
}

#[test]
fn iperf3_is_understood_with_json_and_echoed_without() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("iperf3"));
    let bench = Bench::new("run").unwrap();
    let _server = iperf3_server(&bench);
    let with = bench.run(NOTHING, &["iperf3", "-c", FAR, "-t", "1", "--json"]).unwrap();
    assert_sound(&with);
    assert_eq!(with.code, Some(0), "{with}");
    assert!(with.number("/benchmark/iperf3/sent_bytes").is_some_and(|bytes| bytes > 1 << 20), "{with}");
    assert!(with.json["benchmark"]["stdout"].is_null(), "{with}");
    assert!(!with.words().contains("sum_sent"), "its JSON is not for the person\n{with}");
    assert!(with.stdout.contains("iperf3 says"), "{with}");
    assert_eq!(unexplained_nulls(&with.json), Vec::<String>::new());
    let without = bench.run(NOTHING, &["iperf3", "-c", FAR, "-t", "1"]).unwrap();
    assert!(without.stdout.contains("[ ID] Interval"), "{without}");
    assert!(without.text("/benchmark/stdout").contains("[ ID] Interval"), "{without}");
}

#[test]
fn every_null_of_a_report_has_its_reason() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("run").unwrap();
    for options in
        [&["--mode", "tracepoint"][..], &["--mode", "tracepoint", "--overhead"], &["--mode", "counters"]]
    {
        for command in [
            load("-n 20M"),
            load("-n 200k --message-bytes 100 --nodelay"),
            Vec::new(),
            vec!["false".to_owned()],
        ] {
            let run = bench.run(&[options, &["-d", "1s", "-i", "300ms"]].concat(), &command).unwrap();
            assert_eq!(unexplained_nulls(&run.json), Vec::<String>::new(), "{options:?} {command:?}\n{run}");
        }
    }
}

#[test]
fn a_person_without_root_is_told_what_to_run_and_counters_work_for_them() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("setpriv"));
    let bench = Bench::new("run").unwrap();
    // Where nobody may read and write, wherever this checkout is.
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let vmnet = directory.path().join("vmnet");
    fs::copy(paths::vmnet(), &vmnet).unwrap();
    fs::set_permissions(&vmnet, fs::Permissions::from_mode(0o755)).unwrap();
    let as_nobody = |reports: &str, options: &[&str]| {
        let mut command = bench.near.command("setpriv");
        command.args(NOBODY).arg(&vmnet).args(["run", INTERFACE, "-o"]).arg(directory.path().join(reports));
        command.args(options).current_dir("/").arg("--").arg(&vmnet);
        command.args(["load", "client", FAR, "-n", "20M"]);
        Run::of(captured(&mut command).unwrap(), &directory.path().join(reports)).unwrap()
    };
    // Also where nothing could be written: that they are not root is what they need to hear.
    let mut refused = bench.near.command("setpriv");
    refused.args(NOBODY).arg(&vmnet).args(["run", INTERFACE]).current_dir("/");
    for run in [as_nobody("auto", &[]), Run::of(captured(&mut refused).unwrap(), directory.path()).unwrap()] {
        assert_eq!(run.code, Some(1), "{run}");
        assert!(run.stderr.contains("needs root") && run.stderr.contains("sudo"), "{run}");
        assert!(run.stderr.contains("--mode counters"), "{run}");
        assert!(!run.words().contains("received"), "COMMAND was not to be started\n{run}");
    }
    let counted = as_nobody("counters", &["--mode", "counters"]);
    assert_eq!((counted.code, counted.text("/verdict/state")), (Some(0), "engaged"), "{counted}");
    assert_ne!(counted.text("/verdict/confidence"), "proven", "{counted}");
    assert_eq!(counted.text("/probes/mode"), "counters", "{counted}");
    assert!(counted.json["ledger"]["tcp"].is_null() && counted.json["audit"].is_null(), "{counted}");
    assert_eq!(unexplained_nulls(&counted.json), Vec::<String>::new(), "{counted}");
}

#[test]
fn a_rung_that_does_not_work_is_named_with_its_reason_once() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("run").unwrap();
    let auto = bench.run(&["-d", "200ms", "-v"], NOTHING).unwrap();
    assert_eq!(auto.code, Some(0), "{auto}");
    let reasons: Vec<&str> =
        auto.json["probes"]["fell_because"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(auto.text("/probes/mode") == "fentry" || !reasons.is_empty(), "{auto}");
    for reason in &reasons {
        assert!(!reason.contains("os error"), "{reason}");
        for word in ["fexit+fentry", "kretprobe+kprobe"] {
            assert!(reason.matches(word).count() <= 1, "said twice: {reason}");
        }
        let rung = reason.split(':').next().unwrap();
        assert_eq!(auto.stdout.matches(&format!("fell back: {rung}")).count(), 1, "{auto}");
        if !["fentry", "kprobe"].contains(&rung) {
            continue;
        }
        let alone = bench.run(&["--mode", rung], &["touch", "/dev/null"]).unwrap();
        assert_eq!(alone.code, Some(1), "{alone}");
        assert!(alone.stderr.contains(&format!("--mode {rung} does not work here")), "{alone}");
        assert!(alone.stderr.contains("vmnet kernel") && alone.files.is_empty(), "{alone}");
    }
}

#[test]
fn json_has_standard_output_to_itself() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("run").unwrap();
    let run = bench.run(&["--json", "-", "-d", "5s"], &["sh", "-c", "echo from the command"]).unwrap();
    assert_eq!(run.code, Some(0), "{run}");
    let report = document(run.stdout.as_bytes()).unwrap();
    assert_eq!(report["schema"], "vmnet.run/1");
    assert_eq!(report["benchmark"]["stdout"], "from the command\n");
    assert!(run.stderr.contains("from the command") && run.stderr.contains("? NO TRAFFIC"), "{run}");
    let file = bench.directory().join("result.json");
    fs::write(&file, "x".repeat(1 << 20)).unwrap();
    let to_file = bench.run(&["--json", file.to_str().unwrap(), "-d", "200ms"], NOTHING).unwrap();
    let written: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(written, to_file.json, "the file and the report are the same");
}

#[test]
fn plain_words_are_ascii_without_colour() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("run").unwrap();
    for mode in ["auto", "counters"] {
        let run =
            bench.run(&["--plain", "--mode", mode, "-i", "100ms", "-d", "1s"], &load("-n 20M")).unwrap();
        assert_eq!(run.code, Some(0), "{run}");
        assert!(run.stdout.is_ascii() && !run.stdout.contains('\x1b'), "{run}");
    }
    // At a terminal there is colour, unless NO_COLOR says otherwise.
    skip_unless!(skip::program("script"));
    for (no_color, coloured) in [("", true), ("1", false)] {
        let (vmnet, _) = bench.command(INTERFACE, &["-d", "200ms"]);
        let said = captured(
            Command::new("script")
                .args(["-qec", &testbed::command::shown(&vmnet), "/dev/null"])
                .env("NO_COLOR", no_color),
        )
        .unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        assert!(said.contains("NO TRAFFIC"), "{said}");
        assert_eq!(said.contains('\x1b'), coloured, "{said:?}");
    }
}

#[test]
fn a_reader_who_leaves_does_not_end_the_run() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("run").unwrap();
    for options in [&["-i", "100ms"][..], &["-i", "100ms", "--json", "-"]] {
        let (mut vmnet, reports) = bench.command(INTERFACE, options);
        vmnet
            .args(["-d", "1s", "--", "sh", "-c", "echo one; sleep 0.3; echo two"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = vmnet.spawn().unwrap();
        drop(child.stdout.take());
        let run = Run::of(child.wait_with_output().unwrap(), &reports).unwrap();
        assert_eq!(run.code, Some(0), "{run}");
        assert!(!run.stderr.contains("panic"), "{run}");
        assert_eq!(run.text("/benchmark/stdout"), "one\ntwo\n", "{run}");
    }
    let mut kernel = Command::new(paths::vmnet());
    let mut child = kernel.arg("kernel").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
}

#[test]
fn help_is_there_for_who_asks_and_for_who_errs() {
    skip_unless!(skip::vmnet());
    let say = |arguments: &[&str]| captured(Command::new(paths::vmnet()).args(arguments)).unwrap();
    for arguments in [&["--help"][..], &["run", "--help"], &["load", "--help"], &["kernel", "--help"]] {
        let said = say(arguments);
        let text = String::from_utf8(said.stdout).unwrap();
        assert_eq!(said.status.code(), Some(0), "{arguments:?}");
        assert!(text.contains("Usage:") && !text.contains('`'), "{text}");
    }
    for arguments in [
        &[][..],
        &["run"],
        &["run", "lo", "-d", "0s"],
        &["run", "lo", "--mode", "magic"],
        &["walk"],
        &["run", "lo", "--expect", "happiness"],
        &["run", "lo", "-i", "1ms"],
    ] {
        let said = say(arguments);
        let text = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said.status.code(), Some(2), "{arguments:?} {text}");
        assert!(["--help", "Usage:", "Next:"].iter().any(|next| text.contains(next)), "{text}");
    }
}

/// Where people try it first.
#[test]
fn a_loopback_whose_mtu_is_half_a_super_packet_is_told_so() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("loop").unwrap();
    bench.near.ip("link set lo up").unwrap();
    let _server = serve_load(&bench.near).unwrap();
    let run = |mtu: &str| {
        bench.near.ip(&format!("link set lo mtu {mtu}")).unwrap();
        let (mut vmnet, reports) = bench.command("lo", &[]);
        vmnet.arg("--").arg(paths::vmnet()).args(["load", "client", "127.0.0.1", "-n", "200M"]);
        Run::of(captured(&mut vmnet).unwrap(), &reports).unwrap()
    };
    // TCP builds super-packets of two segments at least.
    let segmented = run("65536");
    assert_ne!(segmented.text("/verdict/state"), "engaged", "{segmented}");
    let causes = segmented.json["causes"].as_array().unwrap();
    let named = |id: &str| causes.iter().any(|cause| cause["id"] == id);
    assert!(named("too-large") && !named("unexplained"), "{segmented}");
    assert!(segmented.words().contains("ip link set dev lo mtu 32768"), "{segmented}");
    let whole = run("32768");
    assert_eq!(whole.text("/verdict/state"), "engaged", "{whole}");
}

/// By the time a packet that waited above comes to our queue, TCP has moved on, and it looks as if it came a second time.
const SHAPED_ABOVE: [&str; 4] = [
    "link add vx0 type vxlan id 42 dstport 4789 remote",
    "address add",
    "link set vx0 mtu 1450 up",
    "tc qdisc replace dev vx0 root tbf rate 1gbit burst 300k latency 100ms",
];

#[test]
fn what_waited_in_a_queue_above_is_not_called_retransmitted() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("tc"));
    let bench = Bench::new("above").unwrap();
    let [link, address, up, shape] = SHAPED_ABOVE;
    for (end, peer, own) in [(&bench.near, FAR, "10.97.0.1/24"), (&bench.far, "10.96.0.1", "10.97.0.2/24")] {
        end.ip(&format!("{link} {peer}")).unwrap();
        end.ip(&format!("{address} {own} dev vx0")).unwrap();
        end.ip(up).unwrap();
    }
    bench.near.exec(shape).unwrap();
    let mut through_the_tunnel = load("-n 20M");
    through_the_tunnel.iter_mut().filter(|word| *word == FAR).for_each(|word| *word = "10.97.0.2".to_owned());
    for options in [NOTHING, &["--exact"]] {
        let run = bench.run(options, &through_the_tunnel).unwrap();
        // Now and then a kernel lets some packets pass its programs.
        assert!(run.number("/ledger/tcp/payload_bytes").unwrap() > 10 << 20, "{run}");
        assert_eq!(run.json["ledger"]["tcp"]["retransmitted_bytes"], Value::Null, "{run}");
        assert_eq!(run.json["throughput"]["goodput_gbps"], Value::Null, "{run}");
        assert!(run.text("/unmeasured/ledger.tcp.retransmitted_bytes").contains("a device above"), "{run}");
        assert!(unexplained_nulls(&run.json).is_empty(), "{run}");
    }
}

/// A container's veth with TSO off, routed by this machine to an interface whose TSO is on.
#[test]
fn a_sender_behind_a_veth_that_segments_by_itself_is_looked_for_at_its_own_end() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    let bench = Bench::new("run").unwrap();
    let container = Netns::new("run").unwrap();
    let near = bench.near.name();
    container.ip(&format!("link add eth0 type veth peer name cali0 netns {near}")).unwrap();
    container.ip("address add 10.97.0.2/24 dev eth0").unwrap();
    container.ip("link set eth0 up").unwrap();
    bench.near.ip("address add 10.97.0.1/24 dev cali0").unwrap();
    bench.near.ip("link set cali0 up").unwrap();
    container.ip("route add default via 10.97.0.1").unwrap();
    bench.near.exec("sysctl -q net.ipv4.ip_forward=1").unwrap();
    bench.far.ip("route add 10.97.0.0/24 via 10.96.0.1").unwrap();
    container.exec("ethtool -K eth0 tso off").unwrap();
    let words = load("-t 2s");
    let inside = ["ip", "netns", "exec", container.name()].map(str::to_owned);
    let run = bench.run(&[], &[inside.as_slice(), &words].concat()).unwrap();
    let cause = &run.json["causes"][0];
    assert!(cause["title"].as_str().unwrap().contains("the sender's own end"), "{run}");
    let mend = cause["fix"]["commands"][0].as_str().unwrap();
    assert_eq!(mend, format!("vmnet fix eth0 --netns {}", container.name()), "{run}");
    assert!(!run.text("/verdict/summary").contains("never built"), "{run}");
    assert!(run.text("/verdict/summary").contains("came in already segmented"), "{run}");

    container.exec("ethtool -K eth0 tso on").unwrap();
    let mended = bench.run(&[], &[inside.as_slice(), &words].concat()).unwrap();
    assert_eq!(mended.text("/verdict/state"), "engaged", "{mended}");
}

#[test]
fn udp_super_packets_have_a_verdict_of_their_own() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    let bench = Bench::new("run").unwrap();
    let udp = [env!("CARGO_BIN_EXE_udp-segments").to_owned(), format!("{FAR}:9"), "2".to_owned()];
    for (uso, state) in [("on", "engaged"), ("off", "software")] {
        bench.near.exec(&format!("ethtool -K {INTERFACE} tx-udp-segmentation {uso}")).unwrap();
        let run = bench.run(&["--expect-udp", state], &udp).unwrap();
        assert_eq!((run.code, run.text("/verdict/udp/state")), (Some(0), state), "{run}");
        assert_eq!(run.text("/verdict/state"), "nothing-to-offload", "{run}");
        let causes = run.json["verdict"]["udp"]["causes"].as_array().unwrap();
        let commands = causes.first().map(|cause| cause["fix"]["commands"][0].as_str().unwrap().to_owned());
        let mend = format!("ethtool -K {INTERFACE} tx-udp-segmentation on");
        assert_eq!(commands, (uso == "off").then_some(mend), "{run}");
        assert!(unexplained_nulls(&run.json).is_empty(), "{run}");
    }
}

#[test]
fn what_comes_in_is_told_from_what_leaves() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("iperf3"));
    let bench = Bench::new("run").unwrap();
    let _server = iperf3_server(&bench);
    let run = bench.run(&[], &["iperf3", "-c", FAR, "-t", "1", "-R", "--json"]).unwrap();
    assert_eq!(run.text("/verdict/state"), "nothing-to-offload", "{run}");
    assert!(run.json["throughput"]["received_bytes"].as_u64().unwrap() > 100_000_000, "{run}");
    assert!(run.stderr.contains("came in by veth0") || run.stdout.contains("came in by veth0"), "{run}");
}

#[test]
fn a_flow_that_is_paced_says_by_whom() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("iperf3"));
    let bench = Bench::new("run").unwrap();
    let _server = iperf3_server(&bench);
    // Sockets are looked at with each sample, and the last one that finds them is to cover most of what was sent.
    let often = ["-i", "200ms"];
    let run = bench.run(&often, &["iperf3", "-c", FAR, "-t", "3", "--fq-rate", "400M", "--json"]).unwrap();
    let causes = run.json["causes"].as_array().unwrap();
    let limit =
        causes.iter().find(|cause| cause["id"] == "not-the-bottleneck").unwrap_or_else(|| panic!("{run}"));
    assert!(limit["detail"].as_str().unwrap().contains("SO_MAX_PACING_RATE"), "{run}");
}
