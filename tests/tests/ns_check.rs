//! `vmnet check` on devices of this machine's own namespaces: each for what it is, and clear words where there is nothing to ask.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a scenario's helpers fail as its tests do")]

use std::process::{Command, Output, Stdio};

use serde_json::Value;
use testbed::bench::{Bench, INTERFACE, Running, load, wait_for};
use testbed::command::captured;
use testbed::netns::{VethEnd, veth_pair};
use testbed::report::document;
use testbed::{Netns, paths, skip, skip_unless};

/// Two namespaces and a veth pair; `veth0` is near.
struct Pair {
    near: Netns,
    far: Netns,
}

impl Pair {
    fn new() -> Self {
        let (near, far) = (Netns::new("check").unwrap(), Netns::new("check").unwrap());
        // Or the kernel looks for neighbours and routers just then, and the device counts that as well.
        near.exec("sysctl -q -w net.ipv6.conf.default.disable_ipv6=1").unwrap();
        veth_pair(
            VethEnd { namespace: &near, interface: "veth0", addresses: &[] },
            VethEnd { namespace: &far, interface: "veth1", addresses: &[] },
        )
        .unwrap();
        Self { near, far }
    }
}

fn vmnet(namespace: &Netns, arguments: &[&str]) -> Output {
    let mut command = Command::new(paths::vmnet());
    command.arg("check").args(arguments).args(["--netns", namespace.name()]);
    captured(&mut command).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn answer(namespace: &Netns, interface: &str) -> Value {
    let output = vmnet(namespace, &[interface, "--json", "-"]);
    assert!(output.status.success(), "{}", said(&output));
    let answer = document(&output.stdout).unwrap();
    assert_eq!(answer["schema"], "vmnet.check/1");
    answer
}

fn state_of(answer: &Value, kind: &str) -> String {
    let types = answer["types"].as_array().unwrap();
    let one = types.iter().find(|one| one["type"] == kind).unwrap_or_else(|| panic!("no {kind}: {answer}"));
    one["state"].as_str().unwrap().to_owned()
}

/// The words with which it fails, without having written anything else.
fn failure(namespace: &Netns, arguments: &[&str]) -> String {
    let output = vmnet(namespace, arguments);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    said(&output)
}

#[test]
fn a_veth_passes_what_its_features_offer_and_cuts_up_the_rest() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    let pair = Pair::new();
    let on = answer(&pair.near, "veth0");
    assert_eq!((on["state"].as_str(), on["interface"]["terminal"].as_bool()), (Some("engaged"), Some(false)));
    let tcp4 = &on["types"][0];
    assert_eq!(tcp4["driver_packets"], tcp4["sent"], "{tcp4}");
    assert!(on["cost"].is_null() && on["unmeasured"]["cost"].is_string(), "{on}");

    pair.near.exec("ethtool -K veth0 tx-tcp6-segmentation off").unwrap();
    let partial = answer(&pair.near, "veth0");
    assert_eq!(partial["state"], "partial", "{partial}");
    assert_eq!((state_of(&partial, "tcp4"), state_of(&partial, "tcp6")), ("whole".into(), "cut".into()));
    assert!(partial["cost"]["ratio"].as_f64().unwrap() > 1.0, "{partial}");

    pair.near.exec("ethtool -K veth0 tso off").unwrap();
    let off = answer(&pair.near, "veth0");
    assert_eq!(off["state"], "software", "{off}");
    let tcp4 = &off["types"][0];
    assert_eq!(tcp4["driver_packets"], tcp4["expected_cut"], "{tcp4}");
}

#[test]
fn the_answer_can_be_expected() {
    skip_unless!(skip::root(), skip::vmnet());
    let pair = Pair::new();
    for (expected, code) in [("engaged", 0), ("software", 3), ("no-such-state", 2)] {
        let output = vmnet(&pair.near, &["veth0", "--expect", expected]);
        assert_eq!(output.status.code(), Some(code), "{expected}: {}", said(&output));
    }
}

#[test]
fn the_text_gives_the_answer_first_and_says_what_was_sent() {
    skip_unless!(skip::root(), skip::vmnet());
    let pair = Pair::new();
    let output = vmnet(&pair.near, &["veth0", "--plain", "-v"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.is_ascii(), "{text}");
    assert!(text.lines().nth(1).unwrap().starts_with("ENGAGED  super-packets leave veth0 whole"), "{text}");
    for part in ["192.0.2.1 -> 192.0.2.2", "TTL 1", "nothing was changed"] {
        assert!(text.split_whitespace().collect::<Vec<_>>().join(" ").contains(part), "{part}: {text}");
    }
}

#[test]
fn software_devices_are_asked_for_what_they_are() {
    skip_unless!(skip::root(), skip::vmnet());
    let pair = Pair::new();
    let lo = answer(&pair.near, "lo");
    assert_eq!((lo["state"].as_str(), lo["interface"]["terminal"].as_bool()), (Some("engaged"), Some(false)));
    assert_ne!(lo["frames"]["destination_mac"], lo["frames"]["source_mac"], "nobody takes it there: {lo}");
}

/// What each type came to, by the tap: super-packets and frames of one segment, and how many of either were to be expected.
fn assert_tapped(answer: &Value, kind: &str, is_whole: bool) {
    let types = answer["types"].as_array().unwrap();
    let one = types.iter().find(|one| one["type"] == kind).unwrap();
    let number = |at: &str| one.pointer(at).and_then(Value::as_u64).unwrap();
    let sent = number("/tapped/sent");
    let expected = if is_whole { (sent, 0) } else { (0, sent * number("/segments_per_packet")) };
    assert_eq!((number("/tapped/whole"), number("/tapped/singles")), expected, "{one}");
}

#[test]
fn that_the_driver_would_take_what_tcp_never_builds_is_no_yes() {
    skip_unless!(skip::root(), skip::vmnet());
    // At an MTU of 9000 a super-packet of two segments has 18 kB.
    for limits in ["gso_max_segs 1", "mtu 9000 gso_max_size 10000"] {
        let pair = Pair::new();
        pair.near.ip(&format!("link set veth0 {limits}")).unwrap();
        let answer = answer(&pair.near, "veth0");
        assert_eq!(answer["state"], "not-built", "{limits}: {answer}");
        let made_by_hand = answer["types"].as_array().unwrap();
        assert!(made_by_hand.iter().all(|one| one["state"] == "whole"), "{limits}: {answer}");
        assert_eq!(answer["causes"][0]["id"], "not-built", "{limits}: {answer}");
    }
}

#[test]
fn what_goes_into_a_tunnel_whose_way_is_not_known_is_not_called_whole() {
    skip_unless!(skip::root(), skip::vmnet());
    let pair = Pair::new();
    for link in ["remote 192.0.2.77", "dev veth0 nolearning"] {
        pair.near.ip(&format!("link add vx0 type vxlan id 7 dstport 4789 {link}")).unwrap();
        pair.near.ip("link set vx0 up").unwrap();
        let answer = answer(&pair.near, "vx0");
        assert_eq!(answer["state"], "inconclusive", "{link}: {answer}");
        let why = answer["types"][0]["reason"].as_str().unwrap();
        assert!(why.contains("it goes into a tunnel"), "{link}: {answer}");
        pair.near.ip("link del vx0").unwrap();
    }
}

#[test]
fn each_frame_is_seen_beside_traffic_that_blurs_every_counter() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    let bench = Bench::new("check").unwrap();
    let words = load("--time 30s -P 2");
    let mut client = bench.near.command(&words[0]);
    client.args(&words[1..]).stdout(Stdio::null()).stderr(Stdio::null());
    let _busy = Running(client.spawn().unwrap());
    wait_for("the traffic", || Ok(bench.near.statistic(INTERFACE, "tx_bytes")? > 1 << 24)).unwrap();
    for (tso, state) in [("on", "engaged"), ("off", "software")] {
        bench.near.exec(&format!("ethtool -K {INTERFACE} tso {tso}")).unwrap();
        let answer = answer(&bench.near, INTERFACE);
        assert_eq!(answer["state"], state, "{answer}");
        assert!(answer["background"]["packets_per_s"].as_f64().unwrap() > 10_000.0, "{answer}");
        for kind in ["tcp4", "tcp6"] {
            assert_tapped(&answer, kind, tso == "on");
        }
    }
}

#[test]
fn stacks_are_asked_to_the_end_also_where_frames_to_oneself_turn_round_before() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    // ipvlan and vlan, which not every kernel has, are asked in a guest.
    for (kind, options) in [("macvlan", "mode bridge"), ("macvlan", "mode private")] {
        let pair = Pair::new();
        pair.near.ip(&format!("link add link veth0 name upper0 type {kind} {options}")).unwrap();
        pair.near.ip("link set upper0 up").unwrap();
        let on = answer(&pair.near, "upper0");
        assert_eq!(on["state"], "engaged", "{kind} {options}: {on}");
        pair.near.exec("ethtool -K veth0 tso off").unwrap();
        // As a container's own device, whose features nobody has switched since.
        let _ = pair.near.exec("ethtool -K upper0 tso on");
        let off = answer(&pair.near, "upper0");
        assert_eq!(off["state"], "software", "{kind} {options}: {off}");
        // What turned round before was timed on the way to oneself, and was not segmented.
        let turned_round = options == "mode bridge";
        assert_eq!(off["cost"].is_null(), turned_round, "{kind} {options}: {off}");
        let at = off["types"][0]["cut_at"].as_str().unwrap();
        assert!(["upper0", "veth0"].contains(&at), "{kind} {options}: {off}");
    }
}

#[test]
fn a_bridge_without_tso_names_the_port_that_lacks_it_and_its_fix_mends_it() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    let pair = Pair::new();
    pair.near.ip("link add br0 type bridge").unwrap();
    pair.near.ip("link set veth0 master br0").unwrap();
    pair.near.ip("link set br0 up").unwrap();
    pair.near.exec("ethtool -K veth0 tso off").unwrap();
    let off = answer(&pair.near, "br0");
    assert_eq!(off["state"], "software", "{off}");
    let cause = &off["causes"][0];
    assert!(cause["detail"].as_str().unwrap().contains("veth0"), "{cause}");
    assert!(cause["fix"]["commands"][0].as_str().unwrap().contains("ethtool -K veth0"), "{cause}");
    for command in cause["fix"]["commands"].as_array().unwrap() {
        pair.near.exec(command.as_str().unwrap()).unwrap();
    }
    assert_eq!(answer(&pair.near, "br0")["state"], "engaged");
}

#[test]
fn what_is_only_switched_off_is_not_said_not_to_be_offered() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    let pair = Pair::new();
    pair.near.exec("ethtool -K veth0 tso off").unwrap();
    let text = String::from_utf8(vmnet(&pair.near, &["veth0", "--plain", "-v"]).stdout).unwrap();
    let row = text.lines().find(|line| line.trim_start().starts_with("tcp4-ecn")).unwrap();
    assert!(row.contains("(switched off)"), "{text}");
    let off = answer(&pair.near, "veth0");
    let command = off["causes"][0]["fix"]["commands"][0].as_str().unwrap();
    assert!(command.contains("tx-tcp-ecn-segmentation on"), "{command}");
    pair.near.exec(command).unwrap();
    let on = answer(&pair.near, "veth0");
    for kind in ["tcp4", "tcp6", "tcp4-ecn", "tcp6-ecn"] {
        assert_eq!(state_of(&on, kind), "whole", "{on}");
    }
}

#[test]
fn udp_has_an_answer_of_its_own() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    let pair = Pair::new();
    let on = answer(&pair.near, "veth0");
    assert_eq!(on["udp"]["state"], "engaged", "{on}");
    pair.near.exec("ethtool -K veth0 tx-udp-segmentation off").unwrap();
    let off = answer(&pair.near, "veth0");
    assert_eq!(
        (off["state"].as_str(), off["udp"]["state"].as_str()),
        (Some("engaged"), Some("software")),
        "{off}"
    );
    for (expected, code) in [("software", 0), ("engaged", 3)] {
        let output = vmnet(&pair.near, &["veth0", "--expect", "engaged", "--expect-udp", expected]);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    }
}

#[test]
fn a_namespace_is_named_by_path_and_by_process_and_an_interface_as_ip_link_prints_it() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("nsenter"));
    let pair = Pair::new();
    let sleeper = Running(pair.near.command("sleep").arg("60").spawn().unwrap());
    let process = sleeper.0.id().to_string();
    // It enters the namespace before it sleeps.
    wait_for("the sleeper", || {
        let comm = std::fs::read_to_string(format!("/proc/{process}/comm"))?;
        Ok(comm.trim() == "sleep")
    })
    .unwrap();
    let check = |program: &str, arguments: &[&str]| {
        let output = captured(Command::new(program).args(arguments)).unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        document(&output.stdout).unwrap()
    };
    let vmnet = paths::vmnet();
    let vmnet = vmnet.to_string_lossy();
    for netns in
        [process.as_str(), &format!("/proc/{process}/ns/net"), &format!("/run/netns/{}", pair.near.name())]
    {
        let answer = check(&vmnet, &["check", "veth0@if7", "--json", "-", "--netns", netns]);
        assert_eq!(
            (answer["state"].as_str(), answer["interface"]["name"].as_str()),
            (Some("engaged"), Some("veth0"))
        );
    }
    // Behind it the mounts are the host's, /sys as well.
    let net = format!("--net=/proc/{process}/ns/net");
    let doctor = check("nsenter", &[&net, &vmnet, "doctor", "veth0", "--json", "-"]);
    assert_eq!(doctor["interface"]["queues"].as_u64().map(|queues| queues > 0), Some(true), "{doctor}");
}

#[test]
fn a_device_without_an_address_of_its_own_is_not_sent_anything() {
    skip_unless!(skip::root(), skip::vmnet());
    let pair = Pair::new();
    pair.near.ip("tuntap add dev tun7 mode tun").unwrap();
    pair.near.ip("link set tun7 up").unwrap();
    let words = failure(&pair.near, &["tun7"]);
    assert!(words.contains("no Ethernet device") && words.contains("vmnet run tun7"), "{words}");
    assert_eq!(pair.near.statistic("tun7", "tx_dropped").unwrap(), 0);
}

#[test]
fn a_device_that_cannot_send_is_an_error_that_says_what_to_do() {
    skip_unless!(skip::root(), skip::vmnet());
    let pair = Pair::new();
    let missing = failure(&pair.near, &["vetho"]);
    assert!(missing.contains("did you mean veth0"), "{missing}");

    pair.far.ip("link set veth1 down").unwrap();
    let words = failure(&pair.near, &["veth0", "--json", "-"]);
    assert!(words.contains("no carrier"), "{words}");

    pair.near.ip("link set veth0 down").unwrap();
    let words = failure(&pair.near, &["veth0"]);
    assert!(words.contains("ip link set veth0 up"), "{words}");
}

#[test]
fn a_name_cannot_steer_the_terminal() {
    skip_unless!(skip::root(), skip::vmnet());
    let pair = Pair::new();
    let words = failure(&pair.near, &["\x1b[2J../../etc/passwd"]);
    assert!(!words.contains('\x1b'), "{words:?}");

    let name = "a\x1b[31m'$(x)\"";
    for arguments in [
        ["link", "set", "veth0", "down"].as_slice(),
        &["link", "set", "veth0", "name", name],
        &["link", "set", name, "up"],
    ] {
        let mut command = pair.near.command("ip");
        assert!(captured(command.args(arguments)).unwrap().status.success(), "{arguments:?}");
    }
    let output = vmnet(&pair.near, &[name]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success() && !text.contains('\x1b'), "{text:?} {}", said(&output));
    assert_eq!(answer(&pair.near, name)["interface"]["name"], name);
}

#[test]
fn without_the_privilege_it_says_which_one_it_takes() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("setpriv"));
    let pair = Pair::new();
    let as_nobody = |keep: &[&str]| {
        let mut command = pair.near.command("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).args(keep).arg(paths::vmnet());
        captured(command.args(["check", "veth0"])).unwrap()
    };
    let output = as_nobody(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("CAP_NET_RAW"), "{}", said(&output));
    let output = as_nobody(&["--inh-caps=+net_raw", "--ambient-caps=+net_raw"]);
    assert!(output.status.success(), "that one is enough: {}", said(&output));
}
