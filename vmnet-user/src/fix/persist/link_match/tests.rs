use super::super::ini::{self, Dialect};
use super::super::{Identity, LinkFile};
use super::*;

fn said(text: &str) -> Match {
    let entries = ini::entries(text, Dialect::Systemd, "10-a.link".as_ref());
    Match::of(&entries.unwrap())
}

fn fits(lines: &str, interface: &Identity) -> Fact<bool> {
    said(&format!("[Match]\n{lines}\n")).fits(interface)
}

fn some(text: &str) -> Fact<Option<String>> {
    Ok(Some(text.to_owned()))
}

fn virtio() -> Identity {
    Identity {
        name: "ens4".to_owned(),
        mac: Some("52:54:00:12:34:56".to_owned()),
        permanent_mac: Some("52:54:00:12:34:57".to_owned()),
        driver: Some("virtio_net".to_owned()),
        renamed: true,
        link_file: LinkFile::Unknown,
        facts: LinkFacts {
            path: some("pci-0000:00:04.0"),
            device_type: some("ether"),
            kind: Ok(None),
            host: HostFacts { machine: Ok("x86_64".to_owned()), ..HostFacts::default() },
        },
        nm_profile_uuid: None,
    }
}

fn veth() -> Identity {
    let facts = LinkFacts { path: Ok(None), kind: some("veth"), ..virtio().facts };
    let (permanent_mac, driver) = (None, Some("veth".to_owned()));
    Identity { name: "veth0".to_owned(), permanent_mac, driver, renamed: false, facts, ..virtio() }
}

#[test]
fn each_key_is_held_against_what_it_names() {
    for (lines, of_virtio, of_veth) in [
        ("MACAddress=52:54:00:12:34:56", true, true),
        ("MACAddress=02:00:00:00:00:01 52-54-00-12-34-56", true, true),
        ("MACAddress=52:54:00:12:34:57", false, false),
        ("PermanentMACAddress=5254.0012.3457", true, false),
        ("Path=pci-*", true, false),
        ("Path=*-usb-*", false, false),
        ("Path=!*-usb-*", true, true),
        ("Path=!pci-*", false, true),
        ("Path=*", true, false),
        ("Driver=virtio_net", true, false),
        ("Driver=e1000e virtio*", true, false),
        ("Driver=!virtio_net", false, true),
        ("Driver=!virtio_net veth", false, false),
        ("Driver=\"vir\"'tio'_net", true, false),
        ("Driver=veth", false, true),
        ("Type=ether", true, true),
        ("Type=wlan", false, false),
        ("Type=!wlan wwan", true, true),
        ("Kind=veth", false, true),
        ("Kind=!veth", true, false),
        ("Kind=*", false, true),
        ("OriginalName=*", true, true),
        ("OriginalName=!*", false, false),
        ("Architecture=x86-64", true, true),
        ("Architecture=!x86-64", false, false),
    ] {
        assert_eq!(fits(lines, &virtio()), Ok(of_virtio), "virtio: {lines}");
        assert_eq!(fits(lines, &veth()), Ok(of_veth), "veth: {lines}");
    }
}

#[test]
fn the_first_name_is_known_of_an_interface_that_still_has_it() {
    for (line, expected) in [
        ("OriginalName=veth0", true),
        ("OriginalName=eth* veth*", true),
        ("OriginalName=eth*", false),
        ("OriginalName=!eth*", true),
        ("OriginalName=!veth0", false),
        ("OriginalName=\"veth0\"", false),
    ] {
        assert_eq!(fits(line, &veth()), Ok(expected), "{line}");
        assert!(fits(line, &virtio()).unwrap_err().contains("renamed"), "{line}");
    }
}

#[test]
fn lists_add_up_and_an_empty_one_takes_back() {
    for (lines, expected) in [
        ("Driver=e1000e\nDriver=veth", true),
        ("Driver=veth\nDriver=\nDriver=e1000e", false),
        ("Driver=e1000e\nDriver=\nType=ether", true),
        ("Driver=!veth\nDriver=v*", false),
        ("MACAddress=52:54:00:12:34:56\nMACAddress=\nMACAddress=02:00:00:00:00:01", false),
        // Of the conditions about the machine the last one counts.
        ("Architecture=arm64\nArchitecture=x86-64", true),
        ("Architecture=arm64\nArchitecture=\nType=ether", true),
    ] {
        assert_eq!(fits(lines, &veth()), Ok(expected), "{lines}");
    }
}

#[test]
fn what_cannot_be_read_counts_as_not_said() {
    for lines in [
        "",
        "Driver=",
        "Driver=veth\nDriver=",
        "MACAddress=nonsense",
        "OriginalName=a-name-of-sixteen",
        "OriginalName=a/b 17 all",
        "Driver=!",
        "Driver=\"veth",
    ] {
        assert!(said(&format!("[Match]\n{lines}\n[Link]\nDriver=e1000e\n")).is_empty(), "{lines}");
    }
    assert_eq!(fits("MACAddress=nonsense\nDriver=veth", &veth()), Ok(true));
}

#[test]
fn what_is_not_known_counts_only_where_it_decides() {
    let blind = Identity { facts: LinkFacts::default(), ..veth() };
    for (unknown, key) in [
        ("Property=ID_NET_MANAGED_BY=a", "Property"),
        ("Path=*-usb-*", "Path"),
        ("Type=ether", "Type"),
        ("Kind=veth", "Kind"),
        ("Host=web1", "Host"),
        ("Virtualization=yes", "Virtualization"),
        ("KernelCommandLine=quiet", "KernelCommandLine"),
        ("KernelVersion=>=6", "KernelVersion"),
        ("Credential=a", "Credential"),
        ("Architecture=x86-64", "Architecture"),
        ("OfTomorrow=yes", "OfTomorrow"),
    ] {
        for lines in
            [unknown.to_owned(), format!("Driver=veth\n{unknown}"), format!("{unknown}\nDriver=veth")]
        {
            let why = fits(&lines, &blind).unwrap_err();
            assert!(why.starts_with(&format!("{key}=: ")), "{lines}: {why}");
        }
        for lines in [format!("Driver=e1000e\n{unknown}"), format!("{unknown}\nDriver=e1000e")] {
            assert_eq!(fits(&lines, &blind), Ok(false), "{lines}");
        }
    }
}

#[test]
fn one_address_or_one_whole_name_is_for_one_interface() {
    for (lines, expected) in [
        ("MACAddress=52:54:00:12:34:56", true),
        ("MACAddress=52:54:00:12:34:56 52-54-00-12-34-56", true),
        ("MACAddress=52:54:00:12:34:56 52:54:00:12:34:57", false),
        ("OriginalName=eth0\nType=ether", true),
        ("OriginalName=eth0 eth1", false),
        ("OriginalName=!eth0", false),
        ("OriginalName=eth?", false),
        ("Driver=veth", false),
        ("Path=pci-0000:00:04.0", false),
    ] {
        assert_eq!(said(&format!("[Match]\n{lines}\n")).is_for_one_interface(), expected, "{lines}");
    }
}
