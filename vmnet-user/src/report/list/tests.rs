use super::*;
use crate::model::breaks::{TSO4, TSO6};
use crate::model::fact::Why;
use crate::model::machine::Device;
use crate::model::machine_fixture::device;
use crate::report::kit::style::Style;

fn listed(device: &Device, tx_bytes: u64) -> Listed {
    let [tso_ipv4, tso_ipv6] = Offload::tso(&device.features);
    let mut listed = Listed {
        name: device.name.clone(),
        ifindex: device.ifindex,
        kind: device.kind.clone(),
        driver: device.driver.clone(),
        loopback: false,
        up: true,
        terminal: device.terminal,
        mtu: device.mtu,
        tso_ipv4,
        tso_ipv6,
        uso: Err(Why::is("this kernel knows no such feature")),
        limits: device.limits,
        tx_packets: tx_bytes / 1_500,
        tx_bytes,
        above: Vec::new(),
        below: Vec::new(),
        other_end: None,
        hint: None,
    };
    listed.hint = hint::of(&listed);
    listed
}

fn lo() -> Listed {
    Listed {
        loopback: true,
        terminal: false,
        driver: None,
        ..listed(&device("lo", 1, None), 900_000_000_000)
    }
}

fn machine() -> ListReport {
    let mut off = device("ens4", 2, None);
    off.turn_off(&[TSO4, TSO6]);
    let mut one_family = device("eth1", 3, None);
    one_family.never_have(&[TSO6]);
    let mut vlan = listed(device("ens4.7", 4, Some("vlan")).drop_out(&[TSO4, TSO6]), 5 << 20);
    vlan.below = vec!["ens4".to_owned()];
    let namespace = |name: Option<&str>, process: Option<&str>, interfaces| NamespaceReport {
        netns: Netns { name: name.map(str::to_owned), inode: 4_026_531_840 },
        process: process.map(str::to_owned),
        own: name.is_none(),
        interfaces,
    };
    let mut eth0 = listed(&device("eth0", 2, Some("veth")), 12);
    eth0.other_end = Some(OtherEnd { name: "veth77".to_owned(), netns: Some("1".to_owned()) });
    ListReport::new(
        "6.1.0".to_owned(),
        vec![
            namespace(
                None,
                None,
                Ok(vec![lo(), listed(&off, 11_200_000_000), listed(&one_family, 1_000), vlan]),
            ),
            namespace(Some("4711"), Some("nginx"), Ok(vec![eth0])),
            namespace(Some("blue"), None, Err(Why::is("cannot be entered: Operation not permitted"))),
        ],
        vec!["the network namespaces of 7 processes: it takes root (CAP_SYS_PTRACE)".to_owned()],
    )
}

#[test]
fn the_list_is_a_table_of_80_columns_with_a_hint_where_it_is_worth_it() {
    let style = Style { width: 80, ..Style::PLAIN };
    let text = answer(&machine(), "sudo ", &style);
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn what_is_next_is_the_odd_one_that_carries_traffic_out_of_this_machine() {
    let report = machine();
    assert_eq!(report.next, ["vmnet", "check", "ens4"]);
    let alone = |interface: Listed| {
        let mut namespaces = machine().namespaces;
        namespaces[0].interfaces = Ok(vec![lo(), interface]);
        hint::next(&namespaces, "run")
    };
    let mut down = listed(&device("eth9", 9, None), 0);
    assert_eq!(alone(down.clone()), ["vmnet", "run", "eth9"]);
    down.name = "; reboot".to_owned();
    let command = alone(down);
    let text = choice(&report, &command, "sudo ", &Style::PLAIN);
    assert!(text.ends_with("sudo vmnet run '; reboot'\n"), "{text}");
}

#[test]
fn the_document_is_as_its_schema_says_and_every_null_has_its_reason() {
    let json = serde_json::from_str(&machine().to_text().unwrap()).unwrap();
    testbed::schema::validate(&json).unwrap();
    assert_eq!(testbed::report::unexplained_nulls(&json), Vec::<String>::new());
    assert_eq!(json["namespaces"][0]["interfaces"][1]["tso_ipv4"], "off");
}
