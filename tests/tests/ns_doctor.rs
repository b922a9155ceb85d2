//! `vmnet doctor` in namespaces of this machine: each device for what it is, whatever it is called, whoever asks.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a scenario's helpers fail as its tests do")]

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use testbed::command::{captured, output};
use testbed::report::Report;
use testbed::{Netns, paths, skip, skip_unless};

/// Far longer than a busy machine needs for anything here.
const SURELY: Duration = Duration::from_secs(60);

/// A namespace with a pair of veths, `veth0` and `veth1`, both up.
fn pair() -> Netns {
    let namespace = Netns::new("doctor").unwrap();
    namespace.ip("link add veth0 type veth peer name veth1").unwrap();
    namespace.ip("link set veth0 up").unwrap();
    namespace.ip("link set veth1 up").unwrap();
    namespace
}

fn vmnet(namespace: &Netns, subcommand: &str) -> Command {
    let mut command = Command::new(paths::vmnet());
    command.args([subcommand, "--netns", namespace.name()]);
    command
}

fn doctor(namespace: &Netns, arguments: &[&str]) -> Output {
    captured(vmnet(namespace, "doctor").args(arguments)).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The diagnosis, in which nothing is null without a reason.
fn diagnosis(namespace: &Netns, interface: &str) -> Value {
    let answer = doctor(namespace, &["--json", "-", "--", interface]);
    assert_eq!(answer.status.code(), Some(0), "{}", text(&answer.stderr));
    let report = Report::parse(&answer.stdout).unwrap();
    assert_eq!(report.word("schema"), "vmnet.doctor/1");
    assert_eq!(report.word("interface.name"), interface);
    let unexplained = report.unexplained_nulls();
    assert!(unexplained.is_empty(), "{unexplained:?}\n{:#}", report.0);
    report.0
}

/// `(link, state)`, in the chain's order.
fn chain(diagnosis: &Value) -> Vec<(&str, &str)> {
    let links = diagnosis["chain"].as_array().unwrap();
    links.iter().map(|link| (link["link"].as_str().unwrap(), link["state"].as_str().unwrap())).collect()
}

fn state<'a>(diagnosis: &'a Value, link: &str) -> &'a str {
    chain(diagnosis).into_iter().find(|(name, _)| *name == link).unwrap().1
}

fn cause_ids(diagnosis: &Value) -> Vec<&str> {
    diagnosis["causes"].as_array().unwrap().iter().map(|cause| cause["id"].as_str().unwrap()).collect()
}

/// A veth, and what it depends on, as `ethtool` can break it.
#[test]
fn a_veth_is_whole_and_then_breaks_where_it_was_broken() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    let namespace = pair();
    let whole = diagnosis(&namespace, "veth0");
    assert_eq!(
        chain(&whole),
        [
            ("offered", "not-applicable"),
            ("negotiated", "not-applicable"),
            ("hw", "ok"),
            ("wanted", "ok"),
            ("active", "ok"),
            ("allowed", "ok"),
            ("taken", "ok"),
        ]
    );
    assert_eq!(cause_ids(&whole), [""; 0], "{whole:#}");
    assert!(whole["summary"].as_str().unwrap().contains("TSO works on veth0"), "{}", whole["summary"]);

    for (broken, mended, first, cause) in [
        ("ethtool -K veth0 tso off", "ethtool -K veth0 tso on", "wanted", "turned-off"),
        ("ethtool -K veth0 tx off", "ethtool -K veth0 tx on", "active", "csum-off"),
        ("ethtool -K veth0 sg off", "ethtool -K veth0 sg on tso on gso on", "active", "sg-off"),
        ("ip link set veth0 gso_max_segs 1", "ip link set veth0 gso_max_segs 65535", "allowed", "not-built"),
        (
            "tc qdisc add dev veth0 root tbf rate 1gbit burst 5k latency 50ms",
            "tc qdisc del dev veth0 root",
            "allowed",
            "qdisc-splits",
        ),
    ] {
        namespace.exec(broken).unwrap();
        let found = diagnosis(&namespace, "veth0");
        let links = chain(&found);
        let breaks = links.iter().find(|(_, state)| matches!(*state, "broken" | "partial"));
        assert_eq!(breaks.map(|(link, _)| *link), Some(first), "{broken}: {links:?}");
        assert_eq!(cause_ids(&found).first(), Some(&cause), "{broken}: {:#}", found["causes"]);
        namespace.exec(mended).unwrap();
    }
    assert_eq!(chain(&diagnosis(&namespace, "veth0")), chain(&whole));
}

/// What a filter hands to another device, nobody asks about here.
#[test]
fn filters_that_hand_packets_elsewhere_are_told_and_nothing_is_called_whole_for_them() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("tc"));
    let namespace = pair();
    namespace.ip("link add other0 type veth peer name other1").unwrap();
    namespace.ip("link set other0 up").unwrap();
    namespace.exec("tc qdisc add dev veth0 clsact").unwrap();
    namespace
        .exec(
            "tc filter add dev veth0 egress protocol ip prio 1 u32 match u32 0 0 action mirred egress redirect dev other0",
        )
        .unwrap();
    let found = diagnosis(&namespace, "veth0");
    let filters = found["checklist"].as_array().unwrap().iter().find(|item| item["item"] == "tc filters");
    assert_eq!(filters.unwrap()["state"], "warn", "{found:#}");
    assert_eq!(chain(&found).last(), Some(&("taken", "unknown")), "{found:#}");
}

#[test]
fn every_kind_of_device_is_diagnosed_for_what_it_is() {
    skip_unless!(skip::root(), skip::vmnet());
    let namespace = pair();
    let mut missing = Vec::new();
    for (name, made_by) in [
        ("lo", ""),
        ("veth1", ""),
        ("kind-bridge", "link add kind-bridge type bridge"),
        ("kind-ifb", "link add kind-ifb type ifb"),
        ("kind-dummy", "link add kind-dummy type dummy"),
        ("kind-bond", "link add kind-bond type bond"),
        ("kind-vlan", "link add link veth0 name kind-vlan type vlan id 7"),
        ("kind-vxlan", "link add kind-vxlan type vxlan id 7 remote 192.0.2.1 dstport 4789 dev veth0"),
        ("kind-macvlan", "link add link veth0 name kind-macvlan type macvlan"),
        ("kind-wireguard", "link add kind-wireguard type wireguard"),
        ("kind-tap", "tuntap add dev kind-tap mode tap"),
        ("kind-tun", "tuntap add dev kind-tun mode tun"),
    ] {
        if !made_by.is_empty() && namespace.ip(made_by).is_err() {
            missing.push(name);
            continue;
        }
        for state_now in ["down", "up"] {
            if name != "lo" {
                namespace.ip(&format!("link set {name} {state_now}")).unwrap();
            }
            let found = diagnosis(&namespace, name);
            assert_eq!(state(&found, "offered"), "not-applicable", "{name}");
            assert_eq!(state(&found, "negotiated"), "not-applicable", "{name}");
            assert_eq!(chain(&found).len(), 7, "{name}");
            assert!(found["summary"].as_str().unwrap().contains(name), "{}", found["summary"]);
            let about = &found["machine"]["device"]["kind"];
            println!(
                "{name} {state_now} {about} {:?} {:?} {}",
                chain(&found),
                cause_ids(&found),
                found["summary"]
            );
            // Limits that nobody touched are none.
            assert!(!cause_ids(&found).contains(&"too-large"), "{:#}", found["causes"]);
            let words = doctor(&namespace, &["--plain", name]);
            assert!(words.status.success() && text(&words.stdout).is_ascii(), "{}", text(&words.stderr));
        }
    }
    // What the machine's own kernel lacks is looked at on Debian's, in the virtual machine of `vm_paths`.
    println!("not in this kernel: {}", missing.join(", "));
    // What a program has not opened has no offloads, and who could ask for them is said.
    let tap = diagnosis(&namespace, "kind-tap");
    assert_eq!(cause_ids(&tap), ["turned-off"], "{:#}", tap["causes"]);
    assert_eq!(tap["causes"][0]["fix"]["by"], "application", "{:#}", tap["causes"]);
}

#[test]
fn a_bridge_above_that_cuts_is_named_from_below() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    let namespace = pair();
    if namespace.ip("link add br0 type bridge").is_err() {
        skip::say("ns_doctor", "this kernel has no bridge");
        return;
    }
    namespace.ip("link set veth0 master br0").unwrap();
    namespace.exec("ethtool -K br0 tso off").unwrap();
    let found = diagnosis(&namespace, "veth0");
    assert_eq!(cause_ids(&found), ["upper-device"], "{:#}", found["causes"]);
    assert!(found["causes"][0]["title"].as_str().unwrap().contains("br0"), "{:#}", found["causes"]);
}

#[test]
fn a_name_that_means_harm_is_data_wherever_it_is_written() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    for name in ["a;b$(x)", "q\"uo'te", "größe→", "<b>&'", "a\x1b[2Jb", "..."] {
        let namespace = Netns::new("doctor").unwrap();
        let mut add = namespace.command("ip");
        output(add.args(["link", "add", "name", name, "type", "veth", "peer", "name", "far"])).unwrap();
        output(namespace.command("ethtool").args(["-K", name, "tso", "off"])).unwrap();
        let found = diagnosis(&namespace, name);
        assert_eq!(cause_ids(&found), ["turned-off"], "{name:?}");
        // The command that is offered for copying: a shell takes the name for one word.
        let command = found["causes"][0]["fix"]["commands"][0].as_str().unwrap();
        let third = format!("set -- {command}; printf '%s' \"$3\"");
        assert_eq!(output(Command::new("sh").args(["-c", &third])).unwrap(), name, "{command}");
        let words = doctor(&namespace, &["--", name]);
        assert_eq!(words.status.code(), Some(0), "{name:?}: {}", text(&words.stderr));
        let words = text(&words.stdout);
        assert!(words.chars().all(|c| c == '\n' || !c.is_control()), "{words:?}");
    }
}

#[test]
fn a_neighbour_with_a_name_that_is_no_text_is_borne() {
    skip_unless!(skip::root(), skip::vmnet());
    let namespace = pair();
    let mut shell = namespace.command("sh");
    let added =
        captured(shell.args(["-c", "ip link add name \"$(printf 'v\\377\\n')\" type veth peer name far"]));
    if !added.unwrap().status.success() {
        skip::say("ns_doctor", "ip takes no such name");
        return;
    }
    diagnosis(&namespace, "veth0");
}

#[test]
fn what_is_not_there_is_an_error_that_helps() {
    skip_unless!(skip::root(), skip::vmnet());
    let namespace = pair();
    for (name, helps) in
        [("vetho", "did you mean veth"), ("", ""), ("../../etc/passwd", ""), ("a-name-that-is-too-long", "")]
    {
        for arguments in [vec!["--", name], vec!["--json", "-", "--", name], vec!["--watch", "--", name]] {
            let answer = doctor(&namespace, &arguments);
            let words = text(&answer.stderr);
            assert_eq!(answer.status.code(), Some(1), "{arguments:?}: {words}");
            assert!(answer.stdout.is_empty(), "{}", text(&answer.stdout));
            assert!(words.contains(helps) && !words.contains("panicked"), "{words}");
        }
    }
}

#[test]
fn without_privilege_all_is_read_and_only_the_question_is_not_asked() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("setpriv"));
    let namespace = pair();
    // The checkout may be root's alone.
    let place = tempfile::tempdir().unwrap();
    let vmnet = place.path().join("vmnet");
    fs::copy(paths::vmnet(), &vmnet).unwrap();
    output(Command::new("chmod").arg("755").arg(place.path()).arg(&vmnet)).unwrap();
    let as_nobody = |arguments: &[&str]| {
        let mut command = namespace.command("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all", "--"]);
        captured(command.arg(&vmnet).args(arguments)).unwrap()
    };
    let answer = as_nobody(&["doctor", "veth0", "--json", "-"]);
    assert_eq!(answer.status.code(), Some(0), "{}", text(&answer.stderr));
    let report = Report::parse(&answer.stdout).unwrap();
    assert!(report.unexplained_nulls().is_empty(), "{:?}", report.unexplained_nulls());
    let (last, before) = report.0["chain"].as_array().unwrap().split_last().unwrap();
    for link in before {
        assert!(matches!(link["state"].as_str().unwrap(), "ok" | "not-applicable"), "{link}");
    }
    assert_eq!((&last["link"], &last["state"]), (&"taken".into(), &"unknown".into()));
    assert!(last["evidence"].as_str().unwrap().contains("CAP_NET_RAW"), "{last}");
    let words = as_nobody(&["doctor", "veth0"]);
    assert!(words.status.success() && text(&words.stdout).contains("CAP_NET_RAW"), "{}", text(&words.stdout));
}

/// A `doctor --watch` that runs, and its lines as they come.
struct Watching {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Watching {
    fn begin(namespace: &Netns, arguments: &[&str]) -> Self {
        let mut command = vmnet(namespace, "doctor");
        command.args(["veth0", "--watch", "--no-check", "-v"]).args(arguments);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines, seen: Vec::new() }
    }

    /// The next line that has these words.
    fn wait_for(&mut self, words: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(SURELY);
            let line = line.unwrap_or_else(|_| panic!("no line with {words:?} after {:#?}", self.seen));
            self.seen.push(line.clone());
            if line.contains(words) {
                return line;
            }
        }
    }

    /// The exit code and the last words of one that ends by itself.
    fn ended(mut self) -> (Option<i32>, String) {
        let mut words = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
        (self.child.wait().unwrap().code(), words)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_goes_on_watching_may_no_more_than_ask() {
    skip_unless!(skip::root(), skip::vmnet());
    const NET_ADMIN_AND_NET_RAW: u64 = 1 << 12 | 1 << 13;
    let namespace = pair();
    let mut watching = Watching::begin(&namespace, &["--plain"]);
    watching.wait_for("MTU            1500");
    let status = fs::read_to_string(format!("/proc/{}/status", watching.child.id())).unwrap();
    for set in ["CapPrm:", "CapEff:"] {
        let line = status.lines().find_map(|line| line.strip_prefix(set)).unwrap();
        let capabilities = u64::from_str_radix(line.trim(), 16).unwrap();
        assert_eq!(capabilities & !NET_ADMIN_AND_NET_RAW, 0, "{set} {line}");
    }
}

#[test]
fn what_changes_is_told_with_what_it_was_until_the_device_goes() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    let namespace = pair();
    let mut watching = Watching::begin(&namespace, &["--plain"]);
    // The end of the diagnosis, of which the watch is the sequel.
    watching.wait_for("MTU            1500");
    let mut told = Vec::new();
    namespace.exec("ethtool -K veth0 tso off").unwrap();
    told.push(watching.wait_for("tx-tcp-segmentation on -> off"));
    told.push(watching.wait_for("tx-tcp6-segmentation on -> off"));
    namespace.exec("ip link set veth0 gso_max_segs 1").unwrap();
    told.push(watching.wait_for("gso_max_segs 65535 -> 1"));
    namespace.exec("tc qdisc add dev veth0 root tbf rate 1gbit burst 5k latency 50ms").unwrap();
    told.push(watching.wait_for("qdisc: "));
    namespace.exec("ethtool -K veth0 tso on").unwrap();
    told.push(watching.wait_for("tx-tcp-segmentation off -> on"));
    let times: Vec<&str> = told.iter().map(|line| line.split_once("  ").unwrap().0).collect();
    assert!(times.iter().all(|time| time.starts_with("20") && time.contains('T')), "{told:?}");
    assert!(times.is_sorted(), "{told:?}");
    namespace.ip("link del veth0").unwrap();
    let (code, words) = watching.ended();
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("veth0") && words.contains("gone"), "{words}");
}

#[test]
fn what_changes_is_told_in_json_a_line_each() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    let namespace = pair();
    let mut watching = Watching::begin(&namespace, &["--json", "-"]);
    let mut document = String::new();
    while serde_json::from_str::<Value>(&document).is_err() {
        document += &watching.wait_for("");
    }
    assert_eq!(Report::parse(document.as_bytes()).unwrap().word("schema"), "vmnet.doctor/1");
    namespace.exec("ethtool -K veth0 tso off").unwrap();
    let mut told = vec![watching.wait_for("tx-tcp-segmentation")];
    namespace.exec("ip link set veth0 gso_max_segs 1").unwrap();
    told.push(watching.wait_for("gso_max_segs"));
    let told: Vec<Value> = told.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told[0]["changed"], "veth0: tx-tcp-segmentation on → off");
    assert_eq!(told[1]["changed"], "veth0: gso_max_segs 65535 → 1");
    assert!(told[0]["at"].as_str() < told[1]["at"].as_str(), "{told:?}");
    namespace.ip("link set veth0 down").unwrap();
    namespace.ip("link set veth0 name other0").unwrap();
    let (code, words) = watching.ended();
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("other0"), "its new name: {words}");
}

#[test]
fn a_reader_that_has_gone_ends_it_quietly() {
    skip_unless!(skip::root(), skip::vmnet());
    let namespace = pair();
    for (subcommand, arguments) in [
        ("doctor", vec!["veth0"]),
        ("doctor", vec!["veth0", "--json", "-"]),
        ("check", vec!["veth0"]),
        ("check", vec!["veth0", "--json", "-"]),
        ("fix", vec!["veth0", "--dry-run"]),
        ("fix", vec!["veth0", "--dry-run", "--json", "-"]),
    ] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut command = vmnet(&namespace, subcommand);
        let ended = command.args(&arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let words = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(0), "{subcommand} {arguments:?}: {words}");
        assert!(!words.contains("panicked") && !words.to_lowercase().contains("pipe"), "{words}");
    }
}
