//! Runs of `vmnet` in a guest, and what they said.

#![allow(dead_code, reason = "each scenario file uses its part")]
#![allow(clippy::panic, reason = "a scenario's helpers fail as its tests do")]

pub(crate) mod reasons;

use std::fmt;

use serde_json::Value;
use testbed::report::document;
use testbed::{Kernel, Vm, VmRun};

/// In the guest, with a result that comes back as NAME.json, and a failure that ends the script:
/// - `measure NAME [OPTIONS] [-- COMMAND]`: `vmnet run ens4 --exact`, or another interface that INTERFACE names.
/// - `measure_light …`: the same without `--exact`, as people run it.
const PRELUDE: &str = r#"
measure() {
    name=$1
    shift
    measure_light "$name" --exact "$@"
}
measure_light() {
    name=$1
    shift
    vmnet run "${INTERFACE:-ens4}" --json "/tmp/$name.json" --output /tmp/reports "$@" >"/tmp/$name.log" 2>&1 || {
        echo "$name failed with $?"
        cat "/tmp/$name.log"
        exit 1
    }
    send-file "$name.json" "/tmp/$name.json"
}
"#;

/// A machine with a load server at its other end and `script` to run, `measure` in its vocabulary.
pub(crate) fn machine(kernel: Kernel, script: &str) -> Vm {
    Vm::new(kernel).serve_load().script(format!("{PRELUDE}{script}"))
}

/// A tunnel's other end inside the guest: the host routes 10.10.3.1 back, and what comes in for it goes on to the
/// namespace `far`. What `far` answers does not pass `ens4`. The host needs `ip_forward` and a route for 10.10.3.0/24 by the guest.
pub(crate) const TUNNEL: &str = r#"
set -e
echo 1 >/proc/sys/net/ipv4/ip_forward
for name in all ens4; do
    echo 0 >/proc/sys/net/ipv4/conf/$name/rp_filter
    echo 1 >/proc/sys/net/ipv4/conf/$name/accept_local
done
ip netns add far
ip link add to-far type veth peer name near netns far
ip link set to-far up
ip address add 10.10.3.254/24 dev to-far noprefixroute
ip -n far link set lo up
ip -n far address add 10.10.3.1/24 dev near
ip -n far link set near up
ip -n far route add default via 10.10.3.254
ip route add 10.10.3.0/24 via 10.10.1.10
ip route add 10.10.3.0/24 dev to-far table 100
ip rule add iif ens4 lookup 100
ip link add vx0 type vxlan id 42 remote 10.10.3.1 local 10.10.1.2 dstport 4789
ip address add 10.10.4.2/24 dev vx0
ip link set vx0 mtu 1450 up
ip -n far link add vx0 type vxlan id 42 remote 10.10.1.2 local 10.10.3.1 dstport 4789
ip -n far address add 10.10.4.1/24 dev vx0
ip -n far link set vx0 mtu 1450 up
ip netns exec far vmnet load server &
until ip netns exec far ss -ltn | grep -q 5310; do sleep 0.1; done
"#;

/// One result.
pub(crate) struct Measured {
    name: String,
    pub(crate) report: Value,
}

/// Two counts that must agree.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) name: String,
    pub(crate) left: Option<u64>,
    pub(crate) right: Option<u64>,
    pub(crate) residual: Option<i64>,
    pub(crate) slack: Option<u64>,
    pub(crate) ok: Option<bool>,
}

impl Measured {
    /// The run that the script called `name`.
    pub(crate) fn of(run: &VmRun, name: &str) -> Self {
        let text = run.files.get(&format!("{name}.json"));
        let text = text.unwrap_or_else(|| panic!("no result of {name}; the guest said:\n{}", run.stdout));
        let report = document(text).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        let measured = Self { name: name.to_owned(), report };
        println!("{measured}");
        measured
    }

    pub(crate) fn state(&self) -> &str {
        self.report["verdict"]["state"].as_str().unwrap_or_default()
    }

    pub(crate) fn confidence(&self) -> &str {
        self.report["verdict"]["confidence"].as_str().unwrap_or_default()
    }

    pub(crate) fn basis(&self) -> &str {
        self.report["verdict"]["basis"].as_str().unwrap_or_default()
    }

    /// A figure of TCP's ledger, both families.
    pub(crate) fn tcp(&self, figure: &str) -> u64 {
        self.figure(&format!("/ledger/tcp/{figure}"))
    }

    /// A figure at a path such as `/ledger/udp/tunnel_bytes`.
    pub(crate) fn figure(&self, path: &str) -> u64 {
        let value = self.report.pointer(path).and_then(Value::as_u64);
        value.unwrap_or_else(|| panic!("{path} is no number in {self}"))
    }

    /// Payload that TCP handed over for the first time. Through a device above only the load itself knows that.
    pub(crate) fn first_sent_bytes(&self) -> u64 {
        let known = self.report["ledger"]["tcp"]["retransmitted_bytes"].as_u64();
        let retransmitted = known.unwrap_or_else(|| self.figure("/benchmark/load/retransmitted_bytes"));
        self.tcp("payload_bytes") - retransmitted
    }

    pub(crate) fn audit_ok(&self) -> bool {
        self.report["audit"]["ok"].as_bool().unwrap_or_else(|| panic!("no audit in {self}"))
    }

    pub(crate) fn identities(&self) -> Vec<Identity> {
        let all = self.report["audit"]["identities"].as_array().cloned().unwrap_or_default();
        all.iter()
            .map(|one| Identity {
                name: one["name"].as_str().unwrap_or_default().to_owned(),
                left: one["left"].as_u64(),
                right: one["right"].as_u64(),
                residual: one["residual"].as_i64(),
                slack: one["slack"].as_u64(),
                ok: one["ok"].as_bool(),
            })
            .collect()
    }

    pub(crate) fn identity(&self, name: &str) -> Identity {
        let found = self.identities().into_iter().find(|identity| identity.name == name);
        found.unwrap_or_else(|| panic!("no identity {name} in {self}"))
    }

    /// The identities that do not hold.
    pub(crate) fn failing(&self) -> Vec<String> {
        let failing = self.identities().into_iter().filter(|identity| identity.ok == Some(false));
        failing.map(|identity| identity.name).collect()
    }

    /// The six classes add up to the whole.
    pub(crate) fn assert_the_ledger_adds_up(&self) {
        for row in ["/ledger/tcp", "/ledger/tcp/ipv4", "/ledger/tcp/ipv6", "/ledger/udp"] {
            let parts = ["hardware", "software", "unaggregated", "small", "dropped", "pending"];
            let sum: u64 = parts.iter().map(|part| self.figure(&format!("{row}/{part}_bytes"))).sum();
            assert_eq!(sum, self.figure(&format!("{row}/payload_bytes")), "{row} of {self}");
        }
    }

    /// Every identity that was measured holds to the last unit, whatever slack it would have had.
    pub(crate) fn assert_exact(&self) {
        self.assert_the_ledger_adds_up();
        for identity in self.identities().into_iter().filter(|identity| identity.ok.is_some()) {
            assert_eq!(identity.residual, Some(0), "{identity:?} of {self}");
        }
        for measured in ["wire-bytes", "wire-segments", "driver-packets", "device-packets", "device-bytes"] {
            assert_eq!(self.identity(measured).ok, Some(true), "{measured} of {self}");
        }
        assert!(self.audit_ok(), "{self}");
    }

    /// Exact, and this state, proven.
    pub(crate) fn assert_proven(&self, state: &str) {
        self.assert_exact();
        assert_eq!((self.state(), self.confidence()), (state, "proven"), "{self}");
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = &self.report["verdict"];
        writeln!(
            f,
            "{}: {} ({}), {}; basis {}",
            self.name, verdict["state"], verdict["confidence"], verdict["summary"], verdict["basis"]
        )?;
        writeln!(f, "  witnesses {}", verdict["witnesses"])?;
        let probes = &self.report["probes"];
        writeln!(f, "  counting {}: {}", probes["counting"], probes["counting_reason"])?;
        for family in ["ipv4", "ipv6"] {
            let row: Vec<String> = self.report["ledger"]["tcp"][family]
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(_, value)| value.as_u64().is_some_and(|value| value != 0))
                .map(|(name, value)| format!("{name} {value}"))
                .collect();
            writeln!(f, "  tcp {family}: {}", row.join(", "))?;
        }

        for Identity { name, left, right, residual, slack, ok } in self.identities() {
            writeln!(
                f,
                "  {name}: {left:?} against {right:?}, residual {residual:?}, slack {slack:?}, ok {ok:?}"
            )?;
        }
        writeln!(f, "  missed {}, events {}", self.report["audit"]["missed"], self.report["events"])
    }
}
