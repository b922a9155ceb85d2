//! `vmnet path` in namespaces of this machine: which device on the way segments, held against the devices' own counters and what the receiver
//! saw.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a scenario's helpers fail as its tests do")]

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use testbed::bench::{Running, serve_load, wait_for};
use testbed::command::captured;
use testbed::netns::{VethEnd, veth_pair};
use testbed::report::{document, unexplained_nulls};
use testbed::{Netns, paths, skip, skip_unless};

const POD: &str = "10.8.0.1";
const FAR: &str = "10.8.0.2";
const FAR_V6: &str = "fd00:8::2";

/// A sender's namespace, one that it goes through, and the receiver's with a load server.
struct Lab {
    pod: Netns,
    host: Netns,
    far: Netns,
    _server: Running,
}

/// What one run says, and what the receiver's own interface counted in that time.
struct Traced {
    document: Value,
    received: [u64; 2],
}

impl Lab {
    fn new(set_up: impl FnOnce(&Netns, &Netns, &Netns)) -> Self {
        let [pod, host, far] = ["path"; 3].map(|purpose| Netns::new(purpose).unwrap());
        for namespace in [&pod, &host, &far] {
            // Or the kernel looks for neighbours and routers just then, and the devices count that as well.
            namespace.exec("sysctl -q -w net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.router_solicitations=0").unwrap();
        }
        set_up(&pod, &host, &far);
        let _server = serve_load(&far).unwrap();
        pod.exec(&format!("ping -c 1 -W 5 {FAR}")).unwrap();
        Self { pod, host, far, _server }
    }

    /// pod eth0 → cali0, a port of br0 → vx0, a vxlan → v0 → far. As most overlay networks have it.
    fn overlay() -> Self {
        Self::new(|pod, host, far| {
            pair((pod, "eth0"), (host, "cali0"));
            pair((host, "v0"), (far, "v1"));
            host.ip("address add 10.9.1.1/24 dev v0").unwrap();
            far.ip("address add 10.9.1.2/24 dev v1").unwrap();
            for (namespace, local, remote) in [(host, "10.9.1.1", "10.9.1.2"), (far, "10.9.1.2", "10.9.1.1")]
            {
                namespace
                    .ip(&format!("link add vx0 type vxlan id 7 local {local} remote {remote} dstport 4789"))
                    .unwrap();
                namespace.ip("link set vx0 mtu 1450 up").unwrap();
            }
            bridge(host, "br0", &["cali0", "vx0"]);
            pod.ip("link set eth0 mtu 1450").unwrap();
            ends(pod, "eth0", far, "vx0");
        })
    }

    fn load(&self, words: &[&str]) -> Command {
        let vmnet = paths::vmnet();
        let mut command = Command::new(&vmnet);
        command.args(["path", "--netns", self.pod.name()]).args(words);
        command
    }

    /// Watches so much of the built-in load to the address.
    fn trace(&self, to: &str, options: &[&str]) -> Traced {
        self.trace_by(to, options, "v1")
    }

    /// As [`Lab::trace`], where the receiver's interface is called otherwise.
    fn trace_by(&self, to: &str, options: &[&str], receiver: &str) -> Traced {
        let count =
            || ["rx_packets", "rx_bytes"].map(|counter| self.far.statistic(receiver, counter).unwrap());
        let before = count();
        let output = traced(self.load(&[to, "--exact", "--json", "-"]).args(options), to);
        assert!(output.status.success(), "{}", said(&output));
        println!("{}", said(&output));
        let after = count();
        let document = document(&output.stdout).unwrap();
        assert_eq!(document["schema"], "vmnet.path/1");
        assert_eq!(unexplained_nulls(&document), Vec::<String>::new(), "{document}");
        Traced { document, received: [after[0] - before[0], after[1] - before[1]] }
    }
}

/// With the load as its command.
fn traced(command: &mut Command, to: &str) -> Output {
    let vmnet = paths::vmnet();
    let load =
        [vmnet.as_os_str(), OsStr::new("load"), OsStr::new("client"), OsStr::new(to), OsStr::new("-n")];
    captured(command.arg("--").args(load).arg("80M")).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn pair(one: (&Netns, &str), other: (&Netns, &str)) {
    let end = |(namespace, interface)| VethEnd { namespace, interface, addresses: &[] };
    veth_pair(end(one), end(other)).unwrap();
}

fn bridge(namespace: &Netns, name: &str, ports: &[&str]) {
    namespace.ip(&format!("link add {name} type bridge")).unwrap();
    for port in ports {
        namespace.ip(&format!("link set {port} master {name}")).unwrap();
    }
    namespace.ip(&format!("link set {name} up")).unwrap();
}

/// Gives both ends their addresses.
fn ends(pod: &Netns, of_pod: &str, far: &Netns, of_far: &str) {
    for (namespace, interface, last) in [(pod, of_pod, 1), (far, of_far, 2)] {
        namespace.ip(&format!("address add 10.8.0.{last}/24 dev {interface}")).unwrap();
        namespace.ip(&format!("address add fd00:8::{last}/64 dev {interface} nodad")).unwrap();
    }
}

fn forward(namespace: &Netns) {
    namespace.exec("sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1").unwrap();
}

impl Traced {
    fn steps(&self) -> &Vec<Value> {
        self.document["steps"].as_array().unwrap()
    }

    fn step(&self, name: &str) -> &Value {
        let is_it = |step: &&Value| step["interface"]["name"] == name;
        self.steps().iter().find(is_it).unwrap_or_else(|| panic!("no {name}: {}", self.document))
    }

    /// Device and state of each step that packets are sent by.
    fn sending(&self) -> Vec<(&str, &str)> {
        let sending = self.steps().iter().filter(|step| step["side"] == "transmit");
        sending
            .map(|step| (step["interface"]["name"].as_str().unwrap(), step["state"].as_str().unwrap()))
            .collect()
    }

    fn verdict(&self) -> (&str, Option<&str>) {
        let verdict = &self.document["verdict"];
        let step = verdict["step"].as_u64().map(|step| &self.steps()[usize::try_from(step).unwrap()]);
        (verdict["state"].as_str().unwrap(), step.map(|step| step["interface"]["name"].as_str().unwrap()))
    }

    fn first_cause(&self, name: &str) -> &str {
        self.step(name)["causes"][0]["id"].as_str().unwrap_or_default()
    }

    /// What one sent is what the next queued, but for what this machine's programs did not see of it: in guests, to the packet.
    fn assert_audited(&self) {
        for step in self.steps().iter().filter(|step| !step["audit"].is_null()) {
            let audit = &step["audit"];
            let few = audit["left"].as_u64().unwrap() / 20 + 16;
            assert!(audit["ok"] == true && audit["slack"].as_u64().unwrap() <= few, "{step}");
        }
    }

    /// The last device's packets are those that the receiver's interface took.
    fn assert_received(&self, last: &str) {
        let step = self.step(last);
        let sent = ["driver_packets", "driver_bytes"].map(|counter| step[counter].as_u64().unwrap());
        // The receiver's counters were read a little earlier and later.
        for (sent, received) in sent.into_iter().zip(self.received) {
            assert!(received.abs_diff(sent) <= sent / 200 + 2_000, "{sent} sent, {received} received");
        }
        let [packets, bytes] = self.received;
        let mean = bytes as f64 / packets as f64;
        let last = step["mean_bytes_out"].as_f64().unwrap();
        assert!((mean - last).abs() <= last / 50.0, "{mean} {last}");
    }
}

#[test]
fn the_device_that_segments_on_an_overlays_way_is_named_whichever_it_is() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"), skip::program("ping"));
    let lab = Lab::overlay();
    let all = ["eth0", "vx0", "v0"];

    let on = lab.trace(FAR, &[]);
    assert_eq!(on.sending(), all.map(|name| (name, "whole")));
    assert_eq!((on.verdict().0, on.verdict().1), ("whole", Some("v0")));

    lab.host.exec("ethtool -K vx0 tso off").unwrap();
    let tunnel = lab.trace(FAR, &[]);
    assert_eq!(tunnel.sending(), [("eth0", "whole"), ("vx0", "segmented"), ("v0", "singles")]);
    assert_eq!((tunnel.verdict(), tunnel.first_cause("vx0")), (("segmented", Some("vx0")), "turned-off"));
    let fix = tunnel.step("vx0")["causes"][0]["fix"]["commands"][0].as_str().unwrap();
    assert!(fix.contains("ethtool -K vx0") && fix.contains(lab.host.name()), "{fix}");
    lab.host.exec("ethtool -K vx0 tso on").unwrap();

    lab.host.exec("ethtool -K v0 tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off").unwrap();
    let uplink = lab.trace(FAR, &[]);
    assert_eq!(uplink.sending(), [("eth0", "whole"), ("vx0", "whole"), ("v0", "segmented")]);
    assert_eq!((uplink.verdict(), uplink.first_cause("v0")), (("segmented", Some("v0")), "tunnel"));
    lab.host.exec("ethtool -K v0 tx-udp_tnl-segmentation on tx-udp_tnl-csum-segmentation on").unwrap();

    // What a CNI does: the checksum off, and TSO with it.
    lab.host.exec("ethtool -K vx0 tx-checksum-ip-generic off").unwrap();
    let checksum = lab.trace(FAR, &[]);
    assert_eq!((checksum.verdict(), checksum.first_cause("vx0")), (("segmented", Some("vx0")), "csum-off"));
    lab.host.exec("ethtool -K vx0 tx-checksum-ip-generic on").unwrap();

    lab.pod.exec("ethtool -K eth0 tso off").unwrap();
    let pod = lab.trace(FAR, &[]);
    assert_eq!(pod.sending(), [("eth0", "segmented"), ("vx0", "singles"), ("v0", "singles")]);
    assert_eq!((pod.verdict(), pod.first_cause("eth0")), (("segmented", Some("eth0")), "turned-off"));
    assert_eq!(pod.step("cali0")["state"], "singles");

    lab.host.exec("ethtool -K cali0 gro on").unwrap();
    let merged = lab.trace(FAR, &[]);
    assert_eq!(merged.sending(), [("eth0", "segmented"), ("vx0", "whole"), ("v0", "whole")]);
    assert!(merged.step("vx0")["merged_before"].as_u64().unwrap() > 10_000, "{}", merged.document);

    for traced in [&on, &tunnel, &uplink, &checksum, &pod, &merged] {
        traced.assert_audited();
        traced.assert_received("v0");
        assert_eq!(traced.document["window"]["drained"], true);
    }
}

#[test]
fn it_is_the_same_over_ipv6() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"), skip::program("ping"));
    let lab = Lab::overlay();
    lab.host.exec("ethtool -K vx0 tx-tcp6-segmentation off").unwrap();
    let traced = lab.trace(FAR_V6, &[]);
    assert_eq!(traced.sending(), [("eth0", "whole"), ("vx0", "segmented"), ("v0", "singles")]);
    assert_eq!(traced.first_cause("vx0"), "one-family");
    traced.assert_audited();
    assert_eq!(lab.trace(FAR, &[]).verdict().0, "whole");
}

#[test]
fn a_routed_container_goes_by_the_next_namespaces_route() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"), skip::program("ping"));
    let lab = Lab::new(|pod, host, far| {
        pair((pod, "eth0"), (host, "cali0"));
        pair((host, "v0"), (far, "v1"));
        forward(host);
        pod.ip(&format!("address add {POD}/32 dev eth0")).unwrap();
        pod.ip("route add 169.254.1.1 dev eth0 scope link").unwrap();
        pod.ip("route add default via 169.254.1.1 dev eth0 onlink").unwrap();
        host.ip("address add 169.254.1.1/32 dev cali0").unwrap();
        host.ip(&format!("route add {POD} dev cali0")).unwrap();
        host.ip("address add 10.9.1.1/24 dev v0").unwrap();
        far.ip("address add 10.9.1.2/24 dev v1").unwrap();
        far.ip(&format!("address add {FAR}/32 dev lo")).unwrap();
        host.ip(&format!("route add {FAR} via 10.9.1.2")).unwrap();
        far.ip("route add default via 10.9.1.1").unwrap();
    });
    let on = lab.trace(FAR, &[]);
    assert_eq!(on.sending(), [("eth0", "whole"), ("v0", "whole")]);
    lab.host.exec("ethtool -K v0 tso off").unwrap();
    let off = lab.trace(FAR, &[]);
    assert_eq!(off.sending(), [("eth0", "whole"), ("v0", "segmented")]);
    assert_eq!(off.first_cause("v0"), "turned-off");
    lab.host.exec("ethtool -K v0 tso on").unwrap();
    for traced in [&on, &off] {
        traced.assert_audited();
        traced.assert_received("v0");
    }
}

#[test]
fn two_bridges_are_followed_by_what_they_have_learnt() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"), skip::program("ping"));
    let lab = Lab::new(|pod, host, far| {
        pair((pod, "eth0"), (host, "cali0"));
        host.ip("link add between0 type veth peer name between1").unwrap();
        host.ip("link set between0 up").unwrap();
        host.ip("link set between1 up").unwrap();
        pair((host, "v0"), (far, "v1"));
        // A port that carries nothing.
        host.ip("link add idle0 type veth peer name idle1").unwrap();
        host.ip("link set idle0 up").unwrap();
        host.ip("link set idle1 up").unwrap();
        bridge(host, "br0", &["cali0", "between0", "idle0"]);
        bridge(host, "br1", &["between1", "v0"]);
        ends(pod, "eth0", far, "v1");
    });
    lab.host.exec("ethtool -K between0 tso off").unwrap();
    // What somebody sets on the host's end of a container's pair: no packet of the container is ever held to it.
    lab.host.ip("link set dev cali0 gso_max_size 8000").unwrap();
    let off = lab.trace(FAR, &[]);
    assert_eq!(off.sending(), [("eth0", "whole"), ("between0", "segmented"), ("v0", "singles")]);
    assert_eq!(off.verdict(), ("segmented", Some("between0")));
    assert_eq!(off.step("between0")["kind"], "bridge port");
    assert_eq!(off.step("cali0")["limits"][0]["effect"], "never");
    off.assert_audited();
    off.assert_received("v0");
    // The last port has a limit that does count: what comes is longer.
    lab.host.exec("ethtool -K between0 tso on").unwrap();
    lab.host.ip("link set dev v0 gso_max_size 8000").unwrap();
    let too_large = lab.trace(FAR, &[]);
    assert_eq!(too_large.verdict(), ("segmented", Some("v0")));
    assert_eq!(too_large.first_cause("v0"), "too-large");
    assert_eq!(too_large.step("v0")["limits"][0]["effect"], "segments");
    too_large.assert_audited();
}

#[test]
fn flows_over_two_uplinks_are_a_tree_with_shares() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"), skip::program("ping"));
    let lab = Lab::new(|pod, host, far| {
        pair((pod, "eth0"), (host, "cali0"));
        forward(host);
        pod.ip(&format!("address add {POD}/24 dev eth0")).unwrap();
        host.ip("address add 10.8.0.254/24 dev cali0").unwrap();
        pod.ip("route add default via 10.8.0.254").unwrap();
        let mut hops = String::new();
        for number in [1, 2] {
            let (near, away) = (format!("up{number}"), format!("v{number}"));
            pair((host, &near), (far, &away));
            host.ip(&format!("address add 10.9.{number}.1/24 dev {near}")).unwrap();
            far.ip(&format!("address add 10.9.{number}.2/24 dev {away}")).unwrap();
            far.exec(&format!("sysctl -q -w net.ipv4.conf.{away}.rp_filter=0")).unwrap();
            hops.push_str(&format!(" nexthop via 10.9.{number}.2"));
        }
        host.exec("sysctl -q -w net.ipv4.fib_multipath_hash_policy=1").unwrap();
        far.ip("address add 10.7.0.2/32 dev lo").unwrap();
        host.ip(&format!("route add 10.7.0.2{hops}")).unwrap();
        far.ip("route add 10.8.0.0/24 via 10.9.1.1").unwrap();
        // What the helper asks for.
        far.ip(&format!("address add {FAR}/32 dev lo")).unwrap();
        host.ip(&format!("route add {FAR}/32 via 10.9.1.2")).unwrap();
        host.exec("sysctl -q -w net.ipv4.conf.cali0.proxy_arp=1").unwrap();
    });
    lab.host.exec("ethtool -K up2 tso off").unwrap();
    let traced = lab.trace_by("10.7.0.2", &["-d", "30s"], "v1");
    let single = traced.sending();
    assert_eq!(single.first(), Some(&("eth0", "whole")), "{single:?}");
    // One flow takes one of them: which, the hash decides. The other falls away.
    assert_eq!(single.len(), 2, "{single:?}");
    assert!(
        single[1..].iter().all(|(name, state)| match *name {
            "up1" => *state == "whole",
            "up2" => *state == "segmented",
            _ => false,
        }),
        "{single:?}"
    );
    traced.assert_audited();
    // Sixteen of them take both.
    let vmnet = paths::vmnet();
    let mut command = lab.load(&["10.7.0.2", "--json", "-", "--"]);
    command.arg(&vmnet).args(["load", "client", "10.7.0.2", "-n", "16M", "-P", "16"]);
    let output = captured(&mut command).unwrap();
    println!("{}", said(&output));
    let many = Traced { document: document(&output.stdout).unwrap(), received: [0; 2] };
    let mut sending = many.sending();
    sending.sort_unstable();
    assert_eq!(sending, [("eth0", "whole"), ("up1", "whole"), ("up2", "segmented")]);
    let branch = &many.document["branches"][0];
    let shares: Vec<f64> =
        branch["shares"].as_array().unwrap().iter().map(|share| share.as_f64().unwrap()).collect();
    assert!(shares.len() == 2 && (shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{branch}");
    assert!(many.step("up2")["audit"]["ok"] == true, "{}", many.document);
}

#[test]
fn a_macvlan_hands_on_to_the_device_below_it() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"), skip::program("ping"));
    let lab = Lab::new(|pod, host, far| {
        pair((host, "v0"), (far, "v1"));
        host.ip("link add link v0 name eth0 type macvlan mode private").unwrap();
        host.ip(&format!("link set eth0 netns {}", pod.name())).unwrap();
        pod.ip("link set eth0 up").unwrap();
        ends(pod, "eth0", far, "v1");
    });
    lab.host.exec("ethtool -K v0 tso off").unwrap();
    // As a container's own device, whose features nobody has switched since.
    let _ = lab.pod.exec("ethtool -K eth0 tso on");
    let off = lab.trace(FAR, &[]);
    let sending = off.sending();
    assert_eq!(sending.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["eth0", "v0"]);
    assert_eq!(sending.iter().filter(|(_, state)| *state == "segmented").count(), 1, "{sending:?}");
    off.assert_audited();
}

#[test]
fn what_turns_round_between_two_macvlans_does_not_pass_the_device_below() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ping"));
    let lab = Lab::new(|pod, host, far| {
        host.ip("link add v0 type veth peer name v1").unwrap();
        host.ip("link set v0 up").unwrap();
        host.ip("link set v1 up").unwrap();
        for (namespace, name) in [(pod, "eth0"), (far, "eth1")] {
            host.ip(&format!("link add link v0 name {name} type macvlan mode bridge")).unwrap();
            host.ip(&format!("link set {name} netns {}", namespace.name())).unwrap();
            namespace.ip(&format!("link set {name} up")).unwrap();
        }
        ends(pod, "eth0", far, "eth1");
    });
    let traced = lab.trace_by(FAR, &[], "eth1");
    assert_eq!(traced.sending(), [("eth0", "whole")]);
    assert_eq!(traced.document["left_out"][0]["name"], "v0", "{}", traced.document);
}

#[test]
fn others_traffic_on_the_same_devices_changes_no_answer() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"), skip::program("ping"));
    let lab = Lab::overlay();
    let vmnet = paths::vmnet();
    let mut busy = lab.host.command(&vmnet);
    busy.args(["load", "client", "10.9.1.2", "--time", "30s"]).stdout(Stdio::null()).stderr(Stdio::null());
    let _busy = Running(busy.spawn().unwrap());
    wait_for("the traffic", || Ok(lab.host.statistic("v0", "tx_bytes")? > 1 << 24)).unwrap();
    // Ours is segmented by v0, and the others' is not.
    lab.host.exec("ethtool -K v0 tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off").unwrap();
    let traced = lab.trace(FAR, &[]);
    assert!(traced.step("v0")["queued"]["others_packets"].as_u64().unwrap() > 100, "{}", traced.document);
    assert_eq!((traced.verdict(), traced.first_cause("v0")), (("segmented", Some("v0")), "tunnel"));
    for step in ["vx0", "v0"] {
        assert_eq!(traced.step(step)["audit"]["ok"], true, "{}", traced.document);
    }
}

#[test]
fn the_answer_can_be_expected_and_fits_a_terminal() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"), skip::program("ping"));
    let lab = Lab::overlay();
    lab.host.exec("ethtool -K vx0 tso off").unwrap();
    for (expected, code) in [("whole", 3), ("vx0", 0), ("v0", 3)] {
        let output = traced(&mut lab.load(&[FAR, "--plain", "--expect", expected]), FAR);
        assert_eq!(output.status.code(), Some(code), "{expected}: {}", said(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        println!("{text}");
        assert!(text.is_ascii() && text.contains("SEGMENTED  vx0"), "{text}");
        // What can be copied is not wrapped.
        let is_answer =
            |line: &&str| !line.contains("ethtool") && !line.contains("vmnet ") && !line.contains('{');
        let long = text.lines().filter(is_answer).find(|line| line.len() > 100);
        assert!(long.is_none(), "{long:?}");
        let rows = text.lines().filter(|line| line.contains("veth") || line.contains("vxlan  "));
        assert!(rows.clone().count() >= 3 && rows.into_iter().all(|row| row.len() <= 80), "{text}");
    }
    let private = traced(&mut lab.load(&[FAR, "--private", "--json", "-"]), FAR);
    let words = &document(&private.stdout).unwrap()["command"]["words"];
    assert_eq!(words, &serde_json::json!(["vmnet", "…", "…", "…", "-n", "…"]));
    let idle = captured(&mut lab.load(&[FAR, "-d", "200ms", "--expect", "whole"])).unwrap();
    assert_eq!(idle.status.code(), Some(4), "{}", said(&idle));
}

/// What a person gets to read.
fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_way_without_traffic_has_its_answer_by_a_probe_that_says_what_it_sends() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"), skip::program("ping"));
    let lab = Lab::overlay();
    // Without it there is a line to paste, with the namespace that was meant.
    let idle = captured(&mut lab.load(&[FAR, "-d", "200ms", "--plain"])).unwrap();
    let line = format!("vmnet path {FAR} --netns {} --probe", lab.pod.name());
    assert!(text(&idle).contains("NOT KNOWN") && text(&idle).contains(&line), "{}", text(&idle));

    let probe = |to: &str, options: &[&str]| {
        let count = || lab.far.statistic("v1", "rx_bytes").unwrap();
        let before = count();
        let output = captured(lab.load(&[to, "--probe", "--json", "-"]).args(options)).unwrap();
        println!("{}", said(&output));
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let document = document(&output.stdout).unwrap();
        assert_eq!(unexplained_nulls(&document), Vec::<String>::new(), "{document}");
        let sent = &document["probe"];
        assert_eq!(
            (&sent["destination"], &sent["port"], &sent["failed"]),
            (&to.into(), &9.into(), &0.into())
        );
        // Said before, counted by TCP, and no more than that arrives.
        let bytes = sent["sent_bytes"].as_u64().unwrap();
        assert!((1 << 20..=2 << 20).contains(&bytes), "{sent}");
        assert!(said(&output).contains("port 9 (discard)"), "{}", said(&output));
        let came = count() - before;
        assert!(came >= bytes && came <= bytes * 5 / 4, "{came} came of {bytes}");
        Traced { document, received: [0; 2] }
    };
    for to in [FAR, FAR_V6] {
        let on = probe(to, &[]);
        assert_eq!(on.sending(), ["eth0", "vx0", "v0"].map(|name| (name, "whole")), "{to}");
        on.assert_audited();
    }
    lab.host.exec("ethtool -K vx0 tso off").unwrap();
    let off = probe(FAR, &["--expect", "vx0"]);
    assert_eq!(off.sending(), [("eth0", "whole"), ("vx0", "segmented"), ("v0", "singles")]);
    assert_eq!((off.verdict(), off.first_cause("vx0")), (("segmented", Some("vx0")), "turned-off"));
    off.assert_audited();
    // And what behind the tunnel could do it.
    let below = &off.step("vx0")["offload_below"];
    assert_eq!((below["device"].as_str(), below["state"].as_str()), (Some("v0"), Some("on")), "{below}");
}

#[test]
fn a_way_that_breaks_off_is_no_all_clear() {
    skip_unless!(skip::root(), skip::vmnet());
    let [pod, host] = ["path"; 2].map(|purpose| Netns::new(purpose).unwrap());
    pair((&pod, "eth0"), (&host, "cali0"));
    pod.ip("address add 10.8.0.1/24 dev eth0").unwrap();
    host.ip("address add 10.8.0.254/24 dev cali0").unwrap();
    pod.ip("route add default via 10.8.0.254").unwrap();
    forward(&host);
    // A mistyped address: it leaves the pod whole, and the namespace behind it knows no way on.
    let mut vmnet = Command::new(paths::vmnet());
    vmnet.args(["path", "--netns", pod.name(), "10.99.0.1", "--probe", "--expect", "whole", "--json", "-"]);
    let output = captured(&mut vmnet).unwrap();
    let traced = document(&output.stdout).unwrap();
    assert_eq!((output.status.code(), traced["verdict"]["state"].as_str()), (Some(4), Some("unknown")));
    let summary = traced["verdict"]["summary"].as_str().unwrap();
    assert!(summary.contains("no route to 10.99.0.1"), "{summary}");
}

/// What a filter hands to another device is segmented there, and comes back.
#[test]
fn a_device_whose_filters_redirect_is_named_and_nothing_is_proven() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("tc"));
    let [pod, far] = ["path"; 2].map(|purpose| Netns::new(purpose).unwrap());
    pair((&pod, "eth0"), (&far, "v1"));
    ends(&pod, "eth0", &far, "v1");
    let traced = || {
        let mut vmnet = Command::new(paths::vmnet());
        vmnet.args(["path", "--netns", pod.name(), "10.8.0.2", "--probe", "--json", "-"]);
        document(&captured(&mut vmnet).unwrap().stdout).unwrap()
    };
    let plain = traced();
    assert_eq!(plain["verdict"]["state"], "whole", "{plain}");
    assert!(!plain["notes"].to_string().contains("mirred"), "{plain}");
    far.ip("link add ifb7 type ifb").unwrap();
    far.ip("link set ifb7 up").unwrap();
    far.exec("ethtool -K ifb7 tso off").unwrap();
    far.exec("tc qdisc add dev v1 handle ffff: ingress").unwrap();
    let redirect = "action mirred egress redirect dev ifb7";
    far.exec(&format!("tc filter add dev v1 parent ffff: protocol ip prio 5 u32 match u32 0 0 {redirect}"))
        .unwrap();
    let redirected = traced();
    assert!(
        redirected["notes"].to_string().contains("tc filters of v1 hand packets to other devices"),
        "{redirected}"
    );
    assert_ne!(redirected["verdict"]["confidence"], "proven", "{redirected}");
}

/// The remedy is for the namespace that was asked in, whoever types it.
#[test]
fn what_is_to_be_typed_enters_the_senders_namespace() {
    skip_unless!(skip::root(), skip::vmnet());
    let [pod, far] = ["path"; 2].map(|purpose| Netns::new(purpose).unwrap());
    pair((&pod, "eth0"), (&far, "v1"));
    ends(&pod, "eth0", &far, "v1");
    pod.exec("ethtool -K eth0 tso off").unwrap();
    let mut vmnet = Command::new(paths::vmnet());
    vmnet.args(["path", "--netns", pod.name(), "10.8.0.2", "--probe"]);
    let told = text(&captured(&mut vmnet).unwrap());
    let fix = format!("vmnet fix eth0 --netns {}", pod.name());
    assert!(told.contains(&fix) && !told.contains("vmnet fix eth0\n"), "{told}");
}

#[test]
fn a_probe_goes_to_one_machine_that_was_named_and_nowhere_else() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ping"));
    let lab = Lab::overlay();
    let begun = lab.pod.statistic("eth0", "tx_packets").unwrap();
    for (words, code, told) in [
        (["224.0.0.1", "--probe"].as_slice(), 1, "a multicast address"),
        (&["ff02::1", "--probe"], 1, "a multicast address"),
        (&["255.255.255.255", "--probe"], 1, "the broadcast address"),
        (&["10.8.0.255", "--probe"], 1, "a broadcast or multicast address"),
        (&["127.0.0.1", "--probe"], 1, "loopback"),
        (&["0.0.0.0", "--probe"], 1, "no address"),
        (&[POD, "--probe"], 1, "this machine's own address"),
        (&["eth0", "--probe"], 2, "an address that you name"),
        (&[FAR, "--probe", "--from", "eth0"], 2, "cannot be used with"),
        (&[FAR, "--probe", "--", "true"], 2, "cannot be used with"),
        (&["a.json", "--probe"], 2, "recordings are read as they are"),
    ] {
        let output = captured(&mut lab.load(words)).unwrap();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", said(&output));
        assert!(said(&output).contains(told), "{words:?}: {}", said(&output));
    }
    let sent = lab.pod.statistic("eth0", "tx_packets").unwrap() - begun;
    assert!(sent < 16, "{sent} packets were sent");
}

#[test]
fn what_cannot_be_done_is_said_with_what_to_do() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ping"));
    let lab = Lab::overlay();
    for (words, code, told) in [
        (["203.0.113.7"].as_slice(), 1, "no route to 203.0.113.7"),
        (&[POD], 1, "this machine's own address"),
        (&["eth7"], 1, "no interface eth7"),
        (&["\u{1b}[2J"], 1, "no interface"),
        (&[FAR, "--", "/no/such/program"], 1, "could not be started"),
        (&[FAR, "--", "false"], 1, "failed with exit code 1"),
        (&[], 2, "DEST|IFACE"),
    ] {
        let output = captured(&mut lab.load(words)).unwrap();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", said(&output));
        assert!(
            said(&output).contains(told) && !said(&output).contains('\u{1b}'),
            "{words:?}: {}",
            said(&output)
        );
    }
}

#[test]
fn ctrl_c_ends_it_with_an_answer() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ping"));
    let lab = Lab::overlay();
    let vmnet = paths::vmnet();
    let mut command = lab.load(&[FAR, "--"]);
    command.arg(&vmnet).args(["load", "client", FAR, "--time", "60s"]);
    let begun = lab.pod.statistic("eth0", "tx_bytes").unwrap();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the traffic", || Ok(lab.pod.statistic("eth0", "tx_bytes")? > begun + (1 << 24))).unwrap();
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("WHOLE  no device on the way segments"), "{text}");
}

#[test]
fn an_interface_will_do_where_no_address_is_known() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"), skip::program("ping"));
    let lab = Lab::overlay();
    lab.host.exec("ethtool -K vx0 tso off").unwrap();
    let output = traced(&mut lab.load(&["eth0", "--json", "-"]), FAR);
    println!("{}", said(&output));
    let traced = Traced { document: document(&output.stdout).unwrap(), received: [0; 2] };
    assert_eq!(traced.verdict(), ("segmented", Some("vx0")));
    assert!(traced.document["destination"].is_null());
}

#[test]
fn what_each_machine_saw_is_joined_to_one_way() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"), skip::program("ping"));
    let lab = Lab::overlay();
    lab.host.exec("ethtool -K v0 tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off").unwrap();
    // Each of them sees its own devices alone, as machines do.
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).with_extension("json");
    let watch = |namespace: &Netns, name: &str, from: &str| {
        let mut command = Command::new(paths::vmnet());
        command.args([
            "path",
            FAR,
            "--here",
            "--from",
            from,
            "-d",
            "60s",
            "--netns",
            namespace.name(),
            "--json",
        ]);
        command.arg(file(name)).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        // It says what it watches once it does.
        let mut stdout = child.stdout.take().unwrap();
        let _ = std::io::Read::read(&mut stdout, &mut [0; 8]).unwrap();
        (child, stdout)
    };
    let others = [watch(&lab.host, "host", "cali0"), watch(&lab.far, "receiver", "v1")];
    let guest = file("guest");
    let words = [FAR, "--here", "--json", guest.to_str().unwrap()];
    let output = traced(&mut lab.load(&words), FAR);
    assert!(output.status.success(), "{}", said(&output));
    for (mut child, stdout) in others {
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
        drop(stdout);
        assert!(child.wait().unwrap().success());
    }
    let mut join = Command::new(paths::vmnet());
    join.arg("path").args(["guest", "host", "receiver"].map(file)).args(["--json", "-", "--expect", "v0"]);
    let output = captured(&mut join).unwrap();
    println!("{}", said(&output));
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let joined = Traced { document: document(&output.stdout).unwrap(), received: [0; 2] };
    assert_eq!(unexplained_nulls(&joined.document), Vec::<String>::new());
    assert_eq!(joined.sending(), [("eth0", "whole"), ("vx0", "whole"), ("v0", "segmented")]);
    assert_eq!((joined.verdict(), joined.first_cause("v0")), (("segmented", Some("v0")), "tunnel"));
    let machines: Vec<&str> =
        joined.steps().iter().map(|step| step["namespace"]["machine"].as_str().unwrap()).collect();
    assert_eq!(machines, ["guest", "host", "host", "host", "receiver"]);
    // What the guest's device sent is what came in at the host, and so on.
    for name in ["cali0", "v1"] {
        assert_eq!(joined.step(name)["audit"]["ok"], true, "{}", joined.document);
    }
    // Under whichever name it was recorded, it is the same.
    let renamed = directory.path().join("guest.vmnet");
    std::fs::copy(file("guest"), &renamed).unwrap();
    let again = captured(Command::new(paths::vmnet()).arg("path").arg(&renamed)).unwrap();
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    std::fs::write(&renamed, b"\x89VMNET\r\n and so on").unwrap();
    let of_a_run = captured(Command::new(paths::vmnet()).arg("path").arg(&renamed)).unwrap();
    assert_eq!(of_a_run.status.code(), Some(1));
    assert!(said(&of_a_run).contains("recording of a run"), "{}", said(&of_a_run));
    let spoilt = file("spoilt");
    std::fs::write(&spoilt, "{\"schema\":\"vmnet.check/1\"}").unwrap();
    let refused = captured(Command::new(paths::vmnet()).arg("path").arg(&spoilt)).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("no document of vmnet path"), "{}", said(&refused));
}

#[test]
fn where_a_device_segments_at_a_high_rate_it_is_watched_in_windows() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"), skip::program("ping"));
    let lab = Lab::overlay();
    lab.host.exec("ethtool -K vx0 tso off").unwrap();
    let vmnet = paths::vmnet();
    let mut command = lab.load(&[FAR, "--json", "-", "--"]);
    command.arg(&vmnet).args(["load", "client", FAR, "--time", "5s"]);
    let output = captured(&mut command).unwrap();
    println!("{}", said(&output));
    let traced = Traced { document: document(&output.stdout).unwrap(), received: [0; 2] };
    assert_eq!(traced.sending(), [("eth0", "whole"), ("vx0", "segmented"), ("v0", "singles")]);
    assert_eq!((traced.verdict(), traced.first_cause("vx0")), (("segmented", Some("vx0")), "turned-off"));
    let share = traced.document["window"]["counted_share"].as_f64().unwrap();
    assert!(share < 0.5, "{}", traced.document["window"]);
    // It is told as the estimate that it is.
    assert_eq!(traced.document["window"]["method"], "windows", "{}", traced.document["window"]);
    let interval = &traced.step("vx0")["segmented_share_interval"];
    let [low, high] = [0, 1].map(|end| interval[end].as_f64().unwrap());
    assert!((0.8..=1.0).contains(&low) && (low..=1.0).contains(&high), "{interval}");
    let note = traced.document["notes"].as_array().unwrap().iter().find_map(|note| note.as_str());
    assert!(note.is_some_and(|note| note.contains("an estimate from")), "{}", traced.document["notes"]);
    for step in ["vx0", "v0"] {
        assert_eq!(traced.step(step)["audit"]["ok"], true, "{}", traced.document);
    }
}
