//! `vmnet fix --persist`: each form is read by the program that it is written for, and what that program does to an interface is
//! what was asked. A misspelt key must show each time, or the check would prove nothing.

#![expect(clippy::unwrap_used, reason = "a scenario's helpers fail as its tests do")]

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use testbed::command::output;
use testbed::consumers::{Daemon, Machine, wait_for};
use testbed::{skip, skip_unless};
use vmnet::fix::persist::{self, Form, Identity, LinkFacts, LinkFile, PersistError, Plan, Settings, Written};
use vmnet::model::cause::host::{self, HostNeed};
use vmnet::model::cause::{Action, FeatureChange};

const FEATURES: [&str; 2] = ["tx-tcp-segmentation", "tx-tcp6-segmentation"];

fn tso_on(interface: &str) -> Settings {
    let changes = FEATURES.map(|name| FeatureChange { feature: name.to_owned(), on: true }).into();
    Settings::of(&[Action::Features { interface: interface.to_owned(), changes }], interface)
}

fn with_limit(interface: &str) -> Settings {
    Settings { gso_max_size: Some(30_000), gso_max_segs: Some(20), ..tso_on(interface) }
}

/// An interface that this machine made, such as a veth: no permanent address, and the name that it was made with.
fn made_here(name: &str, link_file: LinkFile) -> Identity {
    Identity {
        name: name.to_owned(),
        mac: None,
        permanent_mac: None,
        driver: None,
        renamed: false,
        link_file,
        facts: LinkFacts::default(),
        nm_profile_uuid: None,
    }
}

fn keep(machine: &Machine, form: Form, interface: &Identity, settings: &Settings) -> (Plan, Vec<Written>) {
    let plan = persist::plan(form, machine.root(), interface, settings).unwrap();
    let written = persist::write(&plan).unwrap();
    (plan, written)
}

/// The same file with one key that nobody knows.
fn misspell(path: &Path, key: &str, wrong: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(key), "{text}");
    fs::write(path, text.replace(key, wrong)).unwrap();
}

fn veth(machine: &Machine, one: &str, other: &str) {
    let mut ip = machine.namespace().command("ip");
    output(ip.args(["link", "add", one, "type", "veth", "peer", "name", other])).unwrap();
}

fn tso_off(machine: &Machine, interface: &str) {
    let mut ethtool = machine.namespace().command("ethtool");
    output(ethtool.args(["-K", interface, FEATURES[0], "off", FEATURES[1], "off"])).unwrap();
    assert_eq!(tso_of(machine, interface), [false, false]);
}

/// IPv4 and IPv6, as `ethtool -k` says them.
fn tso_of(machine: &Machine, interface: &str) -> [bool; 2] {
    let said = output(machine.namespace().command("ethtool").args(["-k", interface])).unwrap();
    FEATURES.map(|name| {
        let line = said.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(": ")).unwrap();
        line.starts_with("on")
    })
}

/// gso_max_size and gso_max_segs.
fn limits_of(machine: &Machine, interface: &str) -> [u64; 2] {
    let said = output(machine.namespace().command("ip").args(["-d", "-j", "link", "show", "dev", interface]))
        .unwrap();
    let link: serde_json::Value = serde_json::from_str(&said).unwrap();
    ["gso_max_size", "gso_max_segs"].map(|name| link[0][name].as_u64().unwrap())
}

/// What udev knows of an interface, once it has set it up.
fn udev_property(machine: &Machine, udevd: &Daemon, interface: &str, property: &str) -> Option<String> {
    let path = format!("--path=/sys/class/net/{interface}");
    let mut known = String::new();
    wait_for(udevd, "udev's setting up of an interface", || {
        known = machine.answer(&["udevadm", "info", "--query=property", &path])?.1;
        Ok(known.contains("USEC_INITIALIZED="))
    })
    .unwrap();
    known.lines().find_map(|line| line.strip_prefix(property)?.strip_prefix('=')).map(str::to_owned)
}

fn link_file(machine: &Machine, udevd: &Daemon, interface: &str) -> LinkFile {
    udev_property(machine, udevd, interface, "ID_NET_LINK_FILE")
        .map_or(LinkFile::None, |path| LinkFile::InForce(PathBuf::from(path)))
}

/// As at the next boot: udevd reads its configuration anew, and the interface appears.
fn appears(machine: &Machine, interface: &str) -> Daemon {
    let udevd = machine.udevd().unwrap();
    let device = format!("/sys/class/net/{interface}");
    let (ok, said) = machine.answer(&["udevadm", "trigger", "--action=add", "--settle", &device]).unwrap();
    assert!(ok, "{said}\n{}", udevd.log());
    udevd
}

#[test]
fn udevd_applies_the_link_file_to_this_interface_alone_and_keeps_what_the_default_one_does() {
    skip_unless!(skip::consumers());
    let machine = Machine::new().unwrap();
    // Names in which quoting shows: as a pattern this one would match the other two.
    for (name, neighbours) in [("v*[0", ["vx[0", "vy[0"]), ("ens4", ["ens5", "ens6"])] {
        let udevd = machine.udevd().unwrap();
        veth(&machine, name, neighbours[0]);
        let default = link_file(&machine, &udevd, name);
        assert_eq!(default, LinkFile::InForce("/usr/lib/systemd/network/99-default.link".into()));
        drop(udevd);
        let (plan, written) =
            keep(&machine, Form::Networkd, &made_here(name, default.clone()), &with_limit(name));
        tso_off(&machine, name);
        tso_off(&machine, neighbours[0]);

        let udevd = appears(&machine, name);
        assert_eq!(tso_of(&machine, name), [true, true], "{}\n{}", plan.diff(), udevd.log());
        assert_eq!(limits_of(&machine, name), [30_000, 20], "{}", plan.diff());
        assert!(!udevd.log().contains("Unknown key"), "{}", udevd.log());
        let ours = Path::new("/").join(plan.changes[0].path.strip_prefix(machine.root()).unwrap());
        assert_eq!(link_file(&machine, &udevd, name), LinkFile::InForce(ours));
        drop(udevd);
        let udevd = appears(&machine, neighbours[0]);
        assert_eq!(tso_of(&machine, neighbours[0]), [false, false], "not its neighbour\n{}", plan.diff());
        assert_eq!(link_file(&machine, &udevd, neighbours[0]), default);
        drop(udevd);

        tso_off(&machine, name);
        misspell(&plan.changes[0].path, "TCP6SegmentationOffload", "TCP7SegmentationOffload");
        let udevd = appears(&machine, name);
        assert_eq!(tso_of(&machine, name), [true, false]);
        assert!(udevd.log().contains("Unknown key 'TCP7SegmentationOffload'"), "{}", udevd.log());
        drop(udevd);

        misspell(&plan.changes[0].path, "TCP7SegmentationOffload", "TCP6SegmentationOffload");
        persist::undo(&written).unwrap();
        let udevd = appears(&machine, name);
        assert_eq!(link_file(&machine, &udevd, name), default);
    }
}

#[test]
fn udevd_lets_our_drop_in_win_over_the_link_file_that_switches_tso_off() {
    skip_unless!(skip::consumers());
    let machine = Machine::new().unwrap();
    let theirs = "[Match]\nOriginalName=ens4\n[Link]\nNamePolicy=keep\nMTUBytes=1400\nTCPSegmentationOffload=no\nTCP6SegmentationOffload=no\n";
    machine.put("etc/systemd/network/10-mine.link", theirs, 0o644).unwrap();
    let udevd = machine.udevd().unwrap();
    veth(&machine, "ens4", "ens5");
    let in_force = link_file(&machine, &udevd, "ens4");
    assert_eq!(tso_of(&machine, "ens4"), [false, false], "their file does what it says");
    drop(udevd);
    // Without udev's word the same file is found.
    let by_reading =
        persist::plan(Form::Networkd, machine.root(), &made_here("ens4", LinkFile::Unknown), &tso_on("ens4"));
    let (plan, written) = keep(&machine, Form::Networkd, &made_here("ens4", in_force), &tso_on("ens4"));
    assert_eq!(by_reading.unwrap(), plan);
    assert!(plan.changes[0].path.ends_with("10-mine.link.d/90-vmnet.conf"), "{plan:?}");
    let udevd = appears(&machine, "ens4");
    assert_eq!(tso_of(&machine, "ens4"), [true, true], "{}\n{}", plan.diff(), udevd.log());
    drop(udevd);
    persist::undo(&written).unwrap();
    drop(appears(&machine, "ens4"));
    assert_eq!(tso_of(&machine, "ens4"), [false, false], "as before");
}

/// The interface as `vmnet fix` reads it in the machine's namespace, where no udev answers.
fn read_without_udev(machine: &Machine, interface: &str) -> Identity {
    let namespace = fs::File::open(Path::new("/run/netns").join(machine.namespace().name())).unwrap();
    let interface = interface.to_owned();
    // Namespaces and mounts of a thread of its own, which end with it.
    let of_its_own = thread::spawn(move || {
        setns(&namespace, CloneFlags::CLONE_NEWNET).unwrap();
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let none: Option<&str> = None;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        for (kind, place) in [("sysfs", "/sys"), ("tmpfs", "/run")] {
            mount(Some(kind), place, Some(kind), MsFlags::empty(), none).unwrap();
        }
        Identity::read(&interface)
    });
    of_its_own.join().unwrap()
}

#[test]
fn which_link_file_applies_is_told_from_sysfs_as_udevd_decides_it() {
    skip_unless!(skip::consumers());
    let machine = Machine::new().unwrap();
    veth(&machine, "ens4", "ens5");
    machine.namespace().ip("link set ens4 address 02:00:00:00:73:01").unwrap();
    machine.namespace().ip("link add br4 type bridge").unwrap();
    let probe = "etc/systemd/network/10-probe.link";
    let (mut applied, mut left_aside) = (0, 0);
    for interface in ["ens4", "br4"] {
        let identity = read_without_udev(&machine, interface);
        assert_eq!(identity.link_file, LinkFile::Unknown);
        let release = identity.facts.host.kernel_release.clone().unwrap();
        let host = identity.facts.host.name.clone().unwrap().to_uppercase();
        for wanted in [
            "Driver=veth",
            "Driver=!veth",
            "Driver=\"802.1Q VLAN Support\" \"br\"'idge'",
            "Driver=?ridge",
            r"Driver=\bridge",
            "Driver=[^v]*",
            "Driver=e1000e\nDriver=\nDriver=v*",
            "Driver=veth !bri*",
            "Type=ether",
            "Type=bridge",
            "Type=!ether wlan",
            "Kind=veth",
            "Kind=!bridge",
            "Path=*",
            "Path=*-usb-*",
            "Path=!*-usb-*",
            "MACAddress=02-00-00-00-73-01",
            "MACAddress=0200.0000.7301 nonsense",
            "MACAddress=02:00:00:00:73:02",
            "PermanentMACAddress=02:00:00:00:73:01",
            "OriginalName=ens4",
            "OriginalName=\"ens4\"",
            "OriginalName=!ens4",
            "OriginalName=ens[4]*",
            "OriginalName=an-overlong-name*\nDriver=veth",
            "OriginalName=an-overlong-name*",
            "Host=!no-such-host",
            &format!("Host={host}"),
            &format!("KernelVersion={release}"),
            &format!("KernelVersion=<{release}"),
            &format!("KernelVersion=!<={release}"),
            "KernelVersion=>=5.4",
            "KernelVersion=>=",
            "KernelVersion=!>=",
            "KernelCommandLine=!no-such-word",
            "KernelCommandLine=no-such-word",
            "Architecture=!alpha\nDriver=*",
            "Firmware=!smbios-field(no_such_field=1)",
            "Property=ID_EXAMPLE=1\nDriver=none",
        ] {
            machine.put(probe, &format!("[Match]\n{wanted}\n[Link]\nMTUBytes=1400\n"), 0o644).unwrap();
            let plan = persist::plan(Form::Networkd, machine.root(), &identity, &tso_on(interface)).unwrap();
            let udevd = appears(&machine, interface);
            let by_udevd = link_file(&machine, &udevd, interface);
            let applies = by_udevd == LinkFile::InForce(Path::new("/").join(probe));
            let told = plan.changes[0].note.contains("10-probe.link");
            assert_eq!(told, applies, "{interface}: {wanted}: {by_udevd:?}\n{}", plan.diff());
            applied += u32::from(applies);
            left_aside += u32::from(!applies);
        }
    }
    assert!(applied > 20 && left_aside > 20, "{applied} {left_aside}: or the check would prove nothing");
}

#[test]
fn udevd_runs_the_rule_when_the_interface_appears_and_when_it_gets_its_name() {
    skip_unless!(skip::consumers());
    let machine = Machine::new().unwrap();
    let interface = made_here("ens4", LinkFile::Unknown);
    let (plan, _) = keep(&machine, Form::Udev, &interface, &with_limit("ens4"));
    let rule = &plan.changes[0].path;
    veth(&machine, "eth7", "ens5");
    tso_off(&machine, "eth7");
    let udevd = appears(&machine, "eth7");
    assert_eq!(tso_of(&machine, "eth7"), [false, false], "another name");
    machine.namespace().ip("link set eth7 name ens4").unwrap();
    wait_for(&udevd, "the rule's effect", || Ok(limits_of(&machine, "ens4") == [30_000, 20])).unwrap();
    assert_eq!(tso_of(&machine, "ens4"), [true, true], "{}", udevd.log());
    assert!(!udevd.log().contains("Invalid key"), "{}", udevd.log());
    drop(udevd);

    tso_off(&machine, "ens4");
    drop(appears(&machine, "ens4"));
    assert_eq!(tso_of(&machine, "ens4"), [true, true]);

    let tested = |what: &str| {
        let (_, said) = machine.answer(&["udevadm", "test", "/sys/class/net/ens4"]).unwrap();
        assert!(said.contains(what), "{what}\n{said}");
    };
    tested("run: '/usr/sbin/ethtool -K ens4 tx-tcp-segmentation on tx-tcp6-segmentation on'");
    tso_off(&machine, "ens4");
    misspell(rule, "SUBSYSTEM==", "SUBSISTEM==");
    let udevd = appears(&machine, "ens4");
    assert_eq!(tso_of(&machine, "ens4"), [false, false]);
    assert!(udevd.log().contains("SUBSISTEM"), "{}", udevd.log());
}

#[test]
fn netplan_merges_our_file_into_the_definition_and_its_link_file_works() {
    skip_unless!(skip::consumers());
    for renderer in ["networkd", "NetworkManager"] {
        let machine = Machine::new().unwrap();
        // An id that means something else without quotes, found by what it matches.
        let theirs = format!(
            "network:\n  version: 2\n  renderer: {renderer}\n  ethernets:\n    'no':\n      match: {{name: ens4}}\n      dhcp4: yes\n      tcp-segmentation-offload: false\n"
        );
        machine.put("etc/netplan/50-theirs.yaml", &theirs, 0o600).unwrap();
        let (plan, written) =
            keep(&machine, Form::Netplan, &made_here("ens4", LinkFile::Unknown), &tso_on("ens4"));
        let ours = &plan.changes[0].path;
        let generate = || machine.answer(&["/usr/libexec/netplan/generate"]).unwrap();
        let (ok, said) = generate();
        assert!(ok && said.is_empty(), "{said}\n{}", plan.diff());
        let links = || {
            let directory = machine.root().join("run/systemd/network");
            let entries = fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap().path());
            let links = entries.filter(|path| path.extension().is_some_and(|end| end == "link"));
            links.map(|path| fs::read_to_string(path).unwrap()).collect::<Vec<_>>()
        };
        let made = links();
        assert_eq!(made.len(), 1, "one definition, one file: {made:?}");
        for line in ["OriginalName=ens4\n", "TCPSegmentationOffload=true\n", "TCP6SegmentationOffload=true\n"]
        {
            assert!(made[0].contains(line), "{line}\n{}", made[0]);
        }
        veth(&machine, "ens4", "ens5");
        tso_off(&machine, "ens4");
        drop(appears(&machine, "ens4"));
        assert_eq!(tso_of(&machine, "ens4"), [true, true], "{renderer}");

        misspell(ours, "tcp6-segmentation", "tcp7-segmentation");
        let (ok, said) = generate();
        assert!(!ok && said.contains("tcp7-segmentation-offload"), "{said}");
        misspell(ours, "tcp7-segmentation", "tcp6-segmentation");
        persist::undo(&written).unwrap();
        assert!(generate().0);
        assert!(links()[0].contains("TCPSegmentationOffload=false\n"), "{:?}", links());
    }
}

const PROFILE: &str = "etc/NetworkManager/system-connections/lan.nmconnection";

#[test]
fn network_manager_applies_the_profile_and_complains_of_no_key() {
    skip_unless!(skip::consumers());
    let machine = Machine::new().unwrap();
    let theirs = "[connection]\nid=lan\nuuid=0a3fd0c7-3f3e-4c8e-8f0e-4d1f3a0e3a11\ntype=ethernet\ninterface-name=ens4\n\n\
                  [ethtool]\nfeature-tso=false\n\n[ipv4]\nmethod=manual\naddress1=10.98.0.1/24\n\n[ipv6]\nmethod=disabled\n";
    machine.put(PROFILE, theirs, 0o600).unwrap();
    veth(&machine, "ens4", "ens5");
    machine.namespace().ip("link set ens5 up").unwrap();
    let connected = || {
        let daemons = machine.network_manager().unwrap();
        wait_for(&daemons[0], "the connection", || {
            Ok(machine
                .answer(&["nmcli", "-t", "-f", "DEVICE,STATE", "device"])?
                .1
                .contains("ens4:connected\n"))
        })
        .unwrap();
        daemons
    };
    let daemons = connected();
    assert_eq!(tso_of(&machine, "ens4"), [false, false], "their profile does what it says");
    let (_, uuid) = machine.answer(&["nmcli", "-g", "GENERAL.CON-UUID", "device", "show", "ens4"]).unwrap();
    let interface =
        Identity { nm_profile_uuid: Some(uuid.trim().to_owned()), ..made_here("ens4", LinkFile::Unknown) };
    let (plan, written) = keep(&machine, Form::Nm, &interface, &tso_on("ens4"));
    let reload: Vec<&str> = plan.changes[0].reload.iter().map(String::as_str).collect();
    let (ok, said) = machine.answer(&reload).unwrap();
    assert!(ok, "{reload:?}\n{said}");
    let (ok, said) = machine.answer(&["nmcli", "connection", "up", "lan"]).unwrap();
    assert!(ok, "{said}");
    assert_eq!(tso_of(&machine, "ens4"), [true, true], "{}\n{}", plan.diff(), daemons[0].log());
    assert!(!daemons[0].log().contains("invalid key"), "{}", daemons[0].log());
    drop(daemons);

    // And by itself at the next boot, when there is no state to go on from.
    tso_off(&machine, "ens4");
    fs::remove_dir_all(machine.root().join("run/NetworkManager")).unwrap();
    machine.namespace().ip("address flush dev ens4").unwrap();
    machine.namespace().ip("link set ens4 down").unwrap();
    drop(connected());
    assert_eq!(tso_of(&machine, "ens4"), [true, true]);

    misspell(&machine.root().join(PROFILE), "feature-tx-tcp6", "feature-tx-tcp7");
    let daemons = connected();
    assert!(
        daemons[0].log().contains("invalid key 'ethtool.feature-tx-tcp7-segmentation'"),
        "{}",
        daemons[0].log()
    );
    misspell(&machine.root().join(PROFILE), "feature-tx-tcp7", "feature-tx-tcp6");
    persist::undo(&written).unwrap();
    assert_eq!(fs::read_to_string(machine.root().join(PROFILE)).unwrap(), theirs);
}

#[test]
fn cloud_init_takes_the_file_for_valid_and_runs_it() {
    skip_unless!(skip::consumers());
    let machine = Machine::new().unwrap();
    // What a shell would make something else of.
    let name = "a';id>x$";
    veth(&machine, name, "ens5");
    tso_off(&machine, name);
    let (plan, _) = keep(&machine, Form::CloudInit, &made_here(name, LinkFile::Unknown), &with_limit(name));
    let file = plan.changes[0].path.clone();
    let inside = Path::new("/").join(file.strip_prefix(machine.root()).unwrap());
    let inside = inside.to_str().unwrap();
    let schema = || machine.answer(&["cloud-init", "schema", "--config-file", inside]).unwrap();
    let (ok, said) = schema();
    assert!(ok && said.contains("Valid"), "{said}\n{}", plan.diff());
    let boot = || {
        let words = ["cloud-init", "--file", inside, "single", "--name", "bootcmd", "--frequency", "always"];
        machine.answer(&words).unwrap()
    };
    let (ok, said) = boot();
    assert_eq!(tso_of(&machine, name), [true, true], "{ok} {said}\n{}", plan.diff());
    assert_eq!(limits_of(&machine, name), [30_000, 20]);

    tso_off(&machine, name);
    misspell(&file, "bootcmd:", "bootcmds:");
    boot();
    assert_eq!(tso_of(&machine, name), [false, false]);
    misspell(&file, "bootcmds:", "bootcmd: {}\nx:");
    let (ok, said) = schema();
    assert!(!ok && !said.contains("Valid cloud-config"), "{said}");
}

#[test]
fn a_full_or_read_only_disk_changes_nothing_and_is_said() {
    skip_unless!(skip::root());
    // Mounts of a thread of its own, which end with it.
    let of_its_own = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let none: Option<&str> = None;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        let root = tempfile::tempdir().unwrap();
        mount(Some("tmpfs"), root.path(), Some("tmpfs"), MsFlags::empty(), Some("size=64k")).unwrap();
        let profile = root.path().join(PROFILE);
        fs::create_dir_all(profile.parent().unwrap()).unwrap();
        let theirs = format!("{}\n[connection]\ninterface-name=ens4\n", "# much\n".repeat(1000));
        fs::write(&profile, &theirs).unwrap();
        let plan =
            || persist::plan(Form::Nm, root.path(), &made_here("ens4", LinkFile::Unknown), &tso_on("ens4"));
        let kept_out = || {
            let error = persist::write(&plan().unwrap()).unwrap_err();
            assert_eq!(fs::read_to_string(&profile).unwrap(), theirs);
            let beside: Vec<_> = fs::read_dir(profile.parent().unwrap()).unwrap().collect();
            assert_eq!(beside.len(), 1, "nothing is left beside it: {beside:?}");
            error
        };
        let filling = root.path().join("filling");
        let _ = fs::write(&filling, vec![0; 100_000]);
        let error = kept_out();
        assert!(
            matches!(&error, PersistError::Io { .. }) && error.to_string().contains("No space left"),
            "{error}"
        );
        fs::remove_file(filling).unwrap();
        let remount = |flags| mount(none, root.path(), none, MsFlags::MS_REMOUNT | flags, none).unwrap();
        remount(MsFlags::MS_RDONLY);
        assert!(kept_out().to_string().contains("Read-only file system"));
        remount(MsFlags::empty());
        persist::write(&plan().unwrap()).unwrap();
        assert_ne!(fs::read_to_string(&profile).unwrap(), theirs, "the same plan works where there is room");
        nix::mount::umount(root.path()).unwrap();
    });
    of_its_own.join().unwrap();
}

const NEEDS: [HostNeed; 5] =
    [HostNeed::Checksum, HostNeed::Tso, HostNeed::Ecn, HostNeed::Uso, HostNeed::Tunnel];

#[test]
fn libvirts_schema_takes_the_elements_that_the_host_is_told_to_write() {
    skip_unless!(skip::consumers());
    let machine = Machine::new().unwrap();
    let validated = |driver: &str| {
        let domain = format!(
            "<domain type='kvm'><name>a</name><memory>1048576</memory><os><type>hvm</type></os><devices>\
             <interface type='network'><source network='default'/><model type='virtio'/>{driver}</interface>\
             </devices></domain>"
        );
        machine.put("tmp/domain.xml", &domain, 0o644).unwrap();
        let schema = "/usr/share/libvirt/schemas/domain.rng";
        machine.answer(&["xmllint", "--noout", "--relaxng", schema, "/tmp/domain.xml"]).unwrap()
    };
    let mut drivers = 0;
    for line in NEEDS.into_iter().flat_map(host::settings).filter(|line| line.starts_with("libvirt: <")) {
        let end = "</driver>";
        let driver = &line["libvirt: ".len()..line.find(end).unwrap() + end.len()];
        let (ok, said) = validated(driver);
        assert!(ok, "{driver}\n{said}");
        let (ok, said) = validated(&driver.replace("csum", "cksum"));
        assert!(!ok, "{driver}\n{said}");
        drivers += 1;
    }
    assert_eq!(drivers, 3, "checksum, TSO and ECN");
}
