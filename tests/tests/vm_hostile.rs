//! Qdiscs, filters and tunnels that mislead, where the kernel has them all: what a run says is held against what the scenario did, and TCP's own count of what
//! it sent again.

mod measured;

use measured::{Measured, machine};
use testbed::{Kernel, skip, skip_unless};

/// Each qdisc that leaves super-packets whole, or as whole as it says; a filter that drops before the queue; a loss behind it; small writes beside bulk.
const SCRIPT: &str = r#"
set -e
send() { measure_light "$1" -- vmnet load client 10.10.1.10 -t 1s -P 2; }
with() { tc qdisc replace dev ens4 root $2; send "$1"; tc qdisc delete dev ens4 root; }
with fq fq
with sfq sfq
with cake "cake no-split-gso"
with cake-splits cake
with netem-duplicates "netem duplicate 5%"

tc qdisc add dev ens4 clsact
tc filter add dev ens4 egress matchall action gact ok random netrand drop 100
before=$(nstat -asz TcpRetransSegs | tail -1 | tr -s ' ' | cut -d' ' -f2)
send tc-drops
after=$(nstat -asz TcpRetransSegs | tail -1 | tr -s ' ' | cut -d' ' -f2)
echo "retransmitted $((after - before))"
tc qdisc delete dev ens4 clsact

measure_light small-beside -- sh -c 'vmnet load client 10.10.1.10 -t 1s --message-bytes 200 --nodelay & vmnet load client 10.10.1.10 -t 1s; wait'
"#;

#[test]
fn whatever_the_qdisc_no_statement_is_false() {
    skip_unless!(skip::vm(Kernel::V6_12), skip::vmnet());
    let run = machine(Kernel::V6_12, SCRIPT).run().unwrap();
    println!("{:.1} s\n{}", run.duration.as_secs_f64(), run.stdout);
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    for name in ["fq", "sfq", "cake"] {
        let of = Measured::of(&run, name);
        assert_eq!((of.state(), of.confidence()), ("engaged", "proven"), "{of}");
        // cake drops by itself where its queue stands.
        assert!(name == "cake" || of.tcp("dropped_bytes") == 0, "{of}");
    }
    let splits = Measured::of(&run, "cake-splits");
    assert_eq!(splits.state(), "software", "{splits}");
    // What comes out twice was queued once.
    let twice = Measured::of(&run, "netem-duplicates");
    assert_ne!(twice.state(), "software", "{twice}");

    // tc drops before `net_dev_queue`: nothing of that was ever queued. TCP is told, and sends it as if for the first time (`tcp_write_xmit`).
    let dropped = Measured::of(&run, "tc-drops");
    assert_eq!((dropped.state(), dropped.tcp("dropped_bytes")), ("engaged", 0), "{dropped}");
    let retransmitted = run.stdout.lines().find_map(|line| line.strip_prefix("retransmitted "));
    if retransmitted == Some("0") {
        assert_eq!(dropped.tcp("retransmitted_bytes"), 0, "{dropped}");
    }

    let small = Measured::of(&run, "small-beside");
    assert_eq!(small.state(), "engaged", "{small}");
}
