//! `vmnet path` in guests: kinds of devices that this machine's kernel may lack, the way out by a NIC, and what other kernels' verifiers take.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a scenario's helpers fail as its tests do")]

mod measured;

use std::fs;
use std::process::Command;

use measured::machine;
use serde_json::Value;
use testbed::bench::{serve_load, wait_for};
use testbed::command::captured;
use testbed::report::{document, unexplained_nulls};
use testbed::{Kernel, Netns, VmRun, paths, skip, skip_unless};

/// `trace NAME DEST [OPTIONS]`: what passes while the built-in load sends to DEST. v0 and v1 are a pair, v1 in `far`, where a server listens.
const PRELUDE: &str = r#"
trace() {
    name=$1
    to=$2
    shift 2
    vmnet path "$to" --exact --json "/tmp/$name.json" --plain "$@" -- vmnet load client "$to" -n 4M >"/tmp/$name.txt" 2>&1 || {
        echo "$name failed with $?"
        cat "/tmp/$name.txt"
        exit 1
    }
    sed -n '/^SEG\|^WHOLE\|^PART\|^NOT\|^SING\|^  [a-z]/p' "/tmp/$name.txt"
    send-file "$name.json" "/tmp/$name.json"
}
# `reach ADDRESS [WHERE…]`: what does not answer in some 20 s never will.
reach() {
    whom=$1
    shift
    for attempt in $(seq 20); do
        "$@" ping -c 1 -W 1 "$whom" >/dev/null 2>&1 && return
        sleep 0.2
    done
    echo "$whom does not answer"
    exit 1
}
# What is routed by cali0: `pod`, with eth0.
routed_pod() {
    ip netns add pod
    ip link add cali0 type veth peer name eth0 netns pod
    ip link set cali0 up
    ip address add 10.8.1.254/24 dev cali0
    ip -n pod address add 10.8.1.1/24 dev eth0
    ip -n pod link set eth0 up
    ip -n pod route add default via 10.8.1.254
}
meet() {
    reach "$1" ip netns exec far
}
ip netns add far
ip -n far link set lo up
ip link add v0 type veth peer name v1 netns far
ip address add 10.9.1.1/24 dev v0
ip link set v0 up
ip -n far address add 10.9.1.2/24 dev v1
ip -n far link set v1 up
ip netns exec far vmnet load server &
until ip netns exec far ss -ltn | grep -q 5310; do sleep 0.1; done
"#;

/// Each tunnel with the feature that it needs of v0 switched off, then with its own TSO off.
const TUNNELS: &str = r#"
tunnel() {
    kind=$1
    needs=$2
    shift 2
    ip link add t0 type "$kind" "$@" remote 10.9.1.2
    ip -n far link add t0 type "$kind" "$@" remote 10.9.1.1
    ip address add 10.8.0.1/24 dev t0
    ip -n far address add 10.8.0.2/24 dev t0
    ip link set t0 up
    ip -n far link set t0 up
    meet 10.8.0.1
    ethtool -K v0 "$needs" off
    trace "$kind-below" 10.8.0.2
    ethtool -K v0 "$needs" on
    ethtool -K t0 tso off
    trace "$kind-off" 10.8.0.2
    ip link del t0
    ip -n far link del t0
}
tunnel geneve tx-udp_tnl-segmentation id 7 noudpcsum
tunnel gretap tx-gre-segmentation local any
tunnel ipip tx-ipxip4-segmentation local any
"#;

const STACKS: &str = r#"
ip link add bond7 type bond mode active-backup miimon 100
ip address flush dev v0
ip link set v0 down
ip link set v0 master bond7
ip link add spare0 type dummy
ip link set spare0 master bond7
ip link set bond7 up
ip link add link bond7 name vlan7 type vlan id 7
ip address add 10.7.0.1/24 dev vlan7
ip link set vlan7 up
ip -n far link add link v1 name vlan7 type vlan id 7
ip -n far address add 10.7.0.2/24 dev vlan7
ip -n far link set vlan7 up
meet 10.7.0.1
ethtool -K v0 tso off
trace bond-off 10.7.0.2
ethtool -K v0 tso on
ip link del vlan7
ip link set v0 nomaster
ip link del bond7

ip link set v0 up
ip netns add pod
ip link add link v0 name eth0 type ipvlan mode l2
ip link set eth0 netns pod
ip -n pod address add 10.9.1.3/24 dev eth0
ip -n pod link set eth0 up
meet 10.9.1.3
ethtool -K v0 tso off
trace ipvlan 10.9.1.2 --netns pod
ethtool -K v0 tso on
ip netns del pod
"#;

const WIREGUARD: &str = r#"
ip address add 10.9.1.1/24 dev v0
ip link add wg0 type wireguard
ip -n far link add wg0 type wireguard
wireguard-end wg0 left 10.9.1.2:51820
ip netns exec far wireguard-end wg0 right 10.9.1.1:51820
ip address add 10.6.0.1/24 dev wg0
ip -n far address add 10.6.0.2/24 dev wg0
ip link set wg0 up
ip -n far link set wg0 up
meet 10.6.0.1
trace wireguard 10.6.0.2
"#;

/// Kinds of device that this machine's kernel does not have, each between the sender and v0, or below it.
const KINDS: &str = r#"
echo 1 >/proc/sys/net/ipv4/ip_forward
ip -n far route add 10.8.0.0/16 via 10.9.1.1
ip netns add boxed
ip link add box0 type netkit
peer=$(ip -o link show type netkit | sed -n 's/^[0-9]*: \(nk[0-9]*\)@.*/\1/p')
ip link set "$peer" netns boxed name eth0
ip link set box0 up
ip address add 10.8.3.254/32 dev box0
ip route add 10.8.3.1 dev box0
ip -n boxed address add 10.8.3.1/32 dev eth0
ip -n boxed link set eth0 up
ip -n boxed route add default dev eth0
meet 10.8.3.1
trace netkit-on 10.9.1.2 --netns boxed
ip netns exec boxed ethtool -K eth0 tso off
trace netkit-off 10.9.1.2 --netns boxed
ip netns del boxed

ip netns add pod
ip link add cali0 type veth peer name eth0 netns pod
ip link add red type vrf table 100
ip link set red up
ip link set cali0 master red
ip link set v0 master red
ip link set cali0 up
ip address add 10.8.1.254/24 dev cali0
ip -n pod address add 10.8.1.1/24 dev eth0
ip -n pod link set eth0 up
ip -n pod route add default via 10.8.1.254
meet 10.8.1.1
ethtool -K v0 tso off
trace vrf 10.9.1.2 --netns pod
ethtool -K v0 tso on
ip link set v0 nomaster
ip link del red
ip netns del pod
"#;

/// Tunnels by or of IPv6.
const TUNNELS_OF_6: &str = r#"
ip -6 address add fd00:9::1/64 dev v0 nodad
ip -n far -6 address add fd00:9::2/64 dev v1 nodad
reach fd00:9::2
over() {
    by=$1
    needs=$2
    to=$3
    from=$4
    meet "$from"
    ethtool -K v0 "$needs" off
    trace "$by-below" "$to"
    ethtool -K v0 "$needs" on
    ethtool -K t0 tso off
    trace "$by-off" "$to"
    ip link del t0
    ip -n far link del t0
}
ip link add t0 type ip6tnl mode ipip6 local fd00:9::1 remote fd00:9::2
ip -n far link add t0 type ip6tnl mode ipip6 local fd00:9::2 remote fd00:9::1
ip address add 10.7.0.1/24 dev t0
ip -n far address add 10.7.0.2/24 dev t0
ip link set t0 up
ip -n far link set t0 up
over ip6tnl tx-ipxip6-segmentation 10.7.0.2 10.7.0.1
ip link add t0 type sit local 10.9.1.1 remote 10.9.1.2
ip -n far link add t0 type sit local 10.9.1.2 remote 10.9.1.1
ip -6 address add fd00:7::1/64 dev t0 nodad
ip -n far -6 address add fd00:7::2/64 dev t0 nodad
ip link set t0 up
ip -n far link set t0 up
over sit tx-ipxip4-segmentation fd00:7::2 fd00:7::1
"#;

/// IPsec as a policy for what is sent here, as a tunnel for what is routed, and by a device of its own.
const IPSEC: &str = r#"
KEY=0x0123456789abcdef0123456789abcdef01234567
# `sa MODE [OPTIONS]` for both ways at both ends.
sa() {
    mode=$1
    shift
    for netns in '' '-n far'; do
        ip $netns xfrm state add src 10.9.1.1 dst 10.9.1.2 proto esp spi 1 reqid 1 mode "$mode" aead 'rfc4106(gcm(aes))' $KEY 128 "$@"
        ip $netns xfrm state add src 10.9.1.2 dst 10.9.1.1 proto esp spi 2 reqid 1 mode "$mode" aead 'rfc4106(gcm(aes))' $KEY 128 "$@"
    done
}
# `policy NETNS DIR SRC DST TUNNEL MODE [OPTIONS]`
policy() {
    where=$1 dir=$2 src=$3 dst=$4 ends=$5 mode=$6
    shift 6
    ip $where xfrm policy add src "$src" dst "$dst" dir "$dir" "$@" tmpl $ends proto esp reqid 1 mode "$mode"
}
forget() {
    for netns in '' '-n far'; do
        ip $netns xfrm policy flush
        ip $netns xfrm state flush
    done
}
here='src 10.9.1.1 dst 10.9.1.2'
there='src 10.9.1.2 dst 10.9.1.1'
ip netns exec far sh -c 'echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter; echo 0 >/proc/sys/net/ipv4/conf/default/rp_filter'

sa transport
policy '' out 10.9.1.1 10.9.1.2 '' transport
policy '' in 10.9.1.2 10.9.1.1 '' transport
policy '-n far' in 10.9.1.1 10.9.1.2 '' transport
policy '-n far' out 10.9.1.2 10.9.1.1 '' transport
meet 10.9.1.1
trace ipsec-transport 10.9.1.2
forget

routed_pod
ip -n far address add 10.5.0.2/32 dev lo
ip route add 10.5.0.2 via 10.9.1.2
sa tunnel
policy '' out 10.8.1.0/24 10.5.0.2/32 "$here" tunnel
policy '' in 10.5.0.2/32 10.8.1.0/24 "$there" tunnel
policy '' fwd 10.5.0.2/32 10.8.1.0/24 "$there" tunnel
policy '-n far' in 10.8.1.0/24 10.5.0.2/32 "$here" tunnel
policy '-n far' out 10.5.0.2/32 10.8.1.0/24 "$there" tunnel
reach 10.5.0.2 ip netns exec pod
trace ipsec-tunnel 10.5.0.2 --netns pod
forget
ip netns del pod

sa tunnel if_id 42
for netns in '' '-n far'; do
    ip $netns link add ipsec0 type xfrm if_id 42
    ip $netns link set ipsec0 up
done
ip address add 10.4.0.1/24 dev ipsec0
ip -n far address add 10.4.0.2/24 dev ipsec0
policy '' out 10.4.0.0/24 10.4.0.0/24 "$here" tunnel if_id 42
policy '' in 10.4.0.0/24 10.4.0.0/24 "$there" tunnel if_id 42
policy '-n far' in 10.4.0.0/24 10.4.0.0/24 "$here" tunnel if_id 42
policy '-n far' out 10.4.0.0/24 10.4.0.0/24 "$there" tunnel if_id 42
meet 10.4.0.1
trace ipsec-device 10.4.0.2
"#;

/// A pod that is routed out by ens4, whose host end takes its super-packets.
const OUT: &str = r#"
routed_pod
echo 1 >/proc/sys/net/ipv4/ip_forward
until ip netns exec pod ping -c 1 -W 1 10.10.1.10 >/dev/null; do sleep 0.1; done
trace out-on 10.10.1.10 --netns pod
ethtool -K ens4 tso off
trace out-off 10.10.1.10 --netns pod
ethtool -K ens4 tso on
"#;

/// The same where the way out takes less than what comes.
const SMALLER: &str = r#"
ip link set ens4 mtu 1000
ip netns exec pod sh -c 'echo 1 >/proc/sys/net/ipv4/ip_no_pmtu_disc'
trace out-smaller 10.10.1.10 --netns pod
ip link set ens4 mtu 1500
"#;

struct Traced(Value);

impl Traced {
    fn of(run: &VmRun, name: &str) -> Self {
        let text = run.files.get(&format!("{name}.json"));
        let text = text.unwrap_or_else(|| panic!("no result of {name}; the guest said:\n{}", run.stdout));
        let traced = document(text).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        assert_eq!(unexplained_nulls(&traced), Vec::<String>::new(), "{name}: {traced}");
        Self(traced)
    }

    fn steps(&self) -> &Vec<Value> {
        self.0["steps"].as_array().unwrap()
    }

    /// Device and state of each step that packets are sent by.
    fn sending(&self) -> Vec<(&str, &str)> {
        let sending = self.steps().iter().filter(|step| step["side"] == "transmit");
        sending
            .map(|step| (step["interface"]["name"].as_str().unwrap(), step["state"].as_str().unwrap()))
            .collect()
    }

    fn culprit(&self) -> Option<&Value> {
        self.steps().get(usize::try_from(self.0["verdict"]["step"].as_u64()?).unwrap())
    }

    fn first_cause(&self) -> &str {
        self.culprit().and_then(|step| step["causes"][0]["id"].as_str()).unwrap_or_default()
    }

    /// What one sent is what the next queued, to the packet.
    fn assert_audited(&self) {
        for step in self.steps().iter().filter(|step| !step["audit"].is_null()) {
            assert!(step["audit"]["ok"] == true && step["audit"]["residual"] == 0, "{step}");
        }
    }

    fn assert_sending(&self, expected: &[(&str, &str)]) {
        assert_eq!(self.sending(), expected, "{}", self.0);
        self.assert_audited();
    }
}

#[test]
fn whatever_kind_of_device_segments_on_the_way_is_named() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    let script = [PRELUDE, TUNNELS, STACKS, WIREGUARD, OUT, SMALLER].concat();
    let mut vm = machine(Kernel::V6_1, &script)
        .file(env!("CARGO_BIN_EXE_wireguard-end"), "/usr/bin/wireguard-end")
        .host_exec("ip route add 10.8.1.0/24 via 10.10.1.2");
    for module in ["wireguard", "bonding", "ipvlan", "8021q", "dummy"] {
        vm = vm.module(module);
    }
    let run = vm.run().unwrap();
    println!("{:.1} s\n{}", run.duration.as_secs_f64(), run.stdout);
    assert_eq!(run.exit_code, 0, "{}", run.stdout);

    for kind in ["geneve", "gretap", "ipip"] {
        let below = Traced::of(&run, &format!("{kind}-below"));
        below.assert_sending(&[("t0", "whole"), ("v0", "segmented")]);
        assert_eq!(below.first_cause(), "tunnel", "{kind}");
        let off = Traced::of(&run, &format!("{kind}-off"));
        off.assert_sending(&[("t0", "segmented"), ("v0", "singles")]);
        assert_eq!(off.first_cause(), "turned-off", "{kind}");
    }
    let bond = Traced::of(&run, "bond-off");
    assert_eq!(bond.sending().iter().filter(|(_, state)| *state == "segmented").count(), 1, "{}", bond.0);
    bond.assert_audited();
    let ipvlan = Traced::of(&run, "ipvlan");
    assert_eq!(ipvlan.sending().iter().filter(|(_, state)| *state == "segmented").count(), 1, "{}", ipvlan.0);
    ipvlan.assert_audited();
    let wireguard = Traced::of(&run, "wireguard");
    wireguard.assert_sending(&[("wg0", "segmented"), ("v0", "singles")]);
    assert_eq!(wireguard.first_cause(), "wireguard");

    Traced::of(&run, "out-on").assert_sending(&[("eth0", "whole"), ("ens4", "whole")]);
    let off = Traced::of(&run, "out-off");
    off.assert_sending(&[("eth0", "whole"), ("ens4", "segmented")]);
    assert_eq!(off.culprit().unwrap()["kind"], "virtio_net");
    let smaller = Traced::of(&run, "out-smaller");
    assert_eq!(smaller.sending(), [("eth0", "whole"), ("ens4", "singles")], "{}", smaller.0);
    assert_eq!(smaller.first_cause(), "mtu-smaller", "{}", smaller.0);
}

#[test]
fn kinds_of_device_that_few_machines_have_are_named_right_too() {
    skip_unless!(skip::vm(Kernel::V6_12), skip::vmnet());
    let mut vm = machine(Kernel::V6_12, &[PRELUDE, KINDS, TUNNELS_OF_6, IPSEC].concat());
    for module in ["vrf", "dummy", "ip6_tunnel", "sit", "esp4", "xfrm_user"].into_iter().chain([
        "xfrm_interface",
        "gcm",
        "ghash_generic",
        "ctr",
        "seqiv",
    ]) {
        vm = vm.module(module);
    }
    let run = vm.run().unwrap();
    println!("{:.1} s\n{}", run.duration.as_secs_f64(), run.stdout);
    assert_eq!(run.exit_code, 0, "{}", run.stdout);

    let on = Traced::of(&run, "netkit-on");
    on.assert_sending(&[("eth0", "whole"), ("v0", "whole")]);
    assert_eq!(on.steps()[0]["kind"], "netkit");
    let off = Traced::of(&run, "netkit-off");
    off.assert_sending(&[("eth0", "segmented"), ("v0", "singles")]);
    assert_eq!(off.first_cause(), "turned-off", "{}", off.0);
    let vrf = Traced::of(&run, "vrf");
    vrf.assert_sending(&[("eth0", "whole"), ("v0", "segmented")]);
    assert_eq!(vrf.first_cause(), "turned-off", "{}", vrf.0);

    for kind in ["ip6tnl", "sit"] {
        let below = Traced::of(&run, &format!("{kind}-below"));
        below.assert_sending(&[("t0", "whole"), ("v0", "segmented")]);
        assert_eq!(below.first_cause(), "tunnel", "{kind}");
        let off = Traced::of(&run, &format!("{kind}-off"));
        off.assert_sending(&[("t0", "segmented"), ("v0", "singles")]);
        assert_eq!(off.first_cause(), "turned-off", "{kind}");
        // What could do it for the tunnel, had it come whole.
        let device = &off.culprit().unwrap()["offload_below"];
        assert_eq!(
            (device["device"].as_str(), device["state"].as_str()),
            (Some("v0"), Some("on")),
            "{device}"
        );
    }

    for (name, steps) in [
        ("ipsec-transport", [("v0", "singles")].as_slice()),
        ("ipsec-tunnel", &[("eth0", "whole"), ("v0", "singles")]),
        ("ipsec-device", &[("ipsec0", "whole"), ("v0", "singles")]),
    ] {
        let traced = Traced::of(&run, name);
        assert_eq!(traced.sending(), steps, "{name}: {}", traced.0);
        assert_eq!(traced.first_cause(), "ipsec", "{name}: {}", traced.0);
    }
}

/// The same few on a kernel.
fn assert_told_apart(kernel: Kernel) {
    let script = [PRELUDE, OUT].concat();
    let vm = machine(kernel, &script).host_exec("ip route add 10.8.1.0/24 via 10.10.1.2");
    let run = vm.run().unwrap();
    println!("{:.1} s\n{}", run.duration.as_secs_f64(), run.stdout);
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    let on = Traced::of(&run, "out-on");
    on.assert_sending(&[("eth0", "whole"), ("ens4", "whole")]);
    assert_eq!(on.0["verdict"]["confidence"], "proven", "{}", on.0);
    assert_eq!(on.0["probes"]["queue"], "tp_btf", "{}", on.0);
    let off = Traced::of(&run, "out-off");
    off.assert_sending(&[("eth0", "whole"), ("ens4", "segmented")]);
    assert_eq!(off.first_cause(), "turned-off", "{}", off.0);
    // By a function, and to the packet what the device counts.
    assert_eq!(off.0["probes"]["segmentation"], "fexit+fentry", "{}", off.0);
    let step = off.culprit().unwrap();
    assert!(step["ns_per_byte"].as_f64().is_some_and(|ns| ns > 0.0), "{step}");
    let said = step["witnesses"].as_array().unwrap();
    for witness in ["segmentation", "device-packets", "device-bytes", "foreseen"] {
        assert!(said.contains(&witness.into()), "{witness}: {step}");
    }
}

#[test]
fn kernel_5_10_tells_which_device_segments() {
    skip_unless!(skip::vm(Kernel::V5_10), skip::vmnet());
    assert_told_apart(Kernel::V5_10);
}

#[test]
fn kernel_6_12_tells_which_device_segments() {
    skip_unless!(skip::vm(Kernel::V6_12), skip::vmnet());
    assert_told_apart(Kernel::V6_12);
}

#[test]
fn the_newest_kernel_tells_which_device_segments() {
    skip_unless!(skip::vm(Kernel::Sid), skip::vmnet());
    assert_told_apart(Kernel::Sid);
}

/// On the host, in the namespace of the guest's tap: what comes in by it on its way on, until that has gone.
const HOST: &str = r#"
ip -n "$3" link set v0 netns $$
ip address add 10.20.0.1/24 dev v0
ip link set v0 up
sysctl -q -w net.ipv4.ip_forward=1
ethtool -K v0 tso off >/dev/null
reach 10.20.0.2
cat >"$1/wait.sh" <<END
until [ \$(cat /sys/class/net/v0/statistics/tx_bytes) -gt 8000000 ]; do sleep 0.1; done
sleep 0.5
END
setsid "$2" path 10.20.0.2 --exact --here --from tap0 -d 60s --json "$1/host.json" -- sh "$1/wait.sh" </dev/null >"$1/said" 2>&1 &
until grep -q watching "$1/said"; do sleep 0.1; done
"#;

#[test]
fn a_host_that_segments_behind_the_guests_device_is_named_by_both_together() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet(), skip::program("ethtool"), skip::program("ping"));
    let far = Netns::new("path").unwrap();
    far.exec("sysctl -q -w net.ipv6.conf.default.disable_ipv6=1").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("host.sh");
    fs::write(&script, HOST).unwrap();
    far.ip("link add v1 type veth peer name v0").unwrap();
    far.ip("address add 10.20.0.2/24 dev v1").unwrap();
    far.ip("link set v1 up").unwrap();
    far.ip("route add default via 10.20.0.1 dev v1 onlink").unwrap();
    let _server = serve_load(&far).unwrap();
    let guest = r#"
ip route add 10.20.0.0/24 via 10.10.1.10
reach 10.20.0.2
vmnet path 10.20.0.2 --exact --json /tmp/guest.json -- vmnet load client 10.20.0.2 -n 8M
send-file guest.json /tmp/guest.json
sleep 2
"#;
    let run = machine(Kernel::V6_1, guest)
        .host_exec(&format!(
            "sh {} {} {} {}",
            script.display(),
            directory.path().display(),
            paths::vmnet().display(),
            far.name()
        ))
        .run()
        .unwrap();
    println!("{:.1} s\n{}", run.duration.as_secs_f64(), run.stdout);
    println!("{}", fs::read_to_string(directory.path().join("said")).unwrap_or_default());
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    fs::write(directory.path().join("guest.json"), &run.files["guest.json"]).unwrap();
    let host = directory.path().join("host.json");
    wait_for("the host's document", || Ok(fs::read(&host).is_ok_and(|text| text.ends_with(b"}\n")))).unwrap();
    let mut join = Command::new(paths::vmnet());
    join.arg("path").args(["guest", "host"].map(|name| directory.path().join(name).with_extension("json")));
    let output = captured(join.args(["--json", "-"])).unwrap();
    println!("{}", String::from_utf8_lossy(&output.stderr));
    let joined = Traced(document(&output.stdout).unwrap());
    assert_eq!(joined.sending(), [("ens4", "whole"), ("v0", "segmented")], "{}", joined.0);
    assert_eq!(joined.first_cause(), "turned-off", "{}", joined.0);
    // The guest's device is the host's tap.
    let tap = joined.steps().iter().find(|step| step["interface"]["name"] == "tap0").unwrap();
    assert_eq!(tap["audit"]["ok"], true, "{tap}");
}
