//! `vmnet check` on devices of this machine's own namespaces: each for what it is, and clear words where there is nothing to ask.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a scenario's helpers fail as its tests do")]

use std::process::{Command, Output};

use serde_json::Value;
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
    let output = vmnet(&pair.near, &["veth0", "--plain"]);
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
