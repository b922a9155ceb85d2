//! `vmnet fix` and `vmnet restore` where things go wrong: hostile names, devices that go, disks that cannot be written.

#![expect(clippy::unwrap_used, reason = "a scenario's helpers fail as its tests do")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use testbed::command::{captured, output};
use testbed::{Netns, paths, skip, skip_unless};

/// A file system of its own; gone with the value.
struct Mounted(PathBuf);

impl Mounted {
    fn tmpfs(at: PathBuf, options: &str) -> Self {
        fs::create_dir_all(&at).unwrap();
        output(Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&at)).unwrap();
        Self(at)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = captured(Command::new("umount").arg(&self.0));
    }
}

/// A veth with TSO off in a namespace of its own, and a place for journals.
struct Broken {
    namespace: Netns,
    interface: String,
    state: tempfile::TempDir,
}

impl Broken {
    fn new(interface: &str) -> Self {
        let namespace = Netns::new("fix").unwrap();
        let broken = Self { namespace, interface: interface.to_owned(), state: tempfile::tempdir().unwrap() };
        broken.tool("ip", &["link", "add", "name", interface, "type", "veth", "peer", "name", "far"]);
        broken.tool("ip", &["link", "set", "dev", interface, "up"]);
        broken.tool("ethtool", &["-K", interface, "tso", "off"]);
        broken
    }

    fn tool(&self, program: &str, arguments: &[&str]) -> String {
        output(self.namespace.command(program).args(arguments)).unwrap()
    }

    fn snapshot(&self) -> String {
        ["-k"].map(|option| self.tool("ethtool", &[option, &self.interface])).concat()
            + &self.tool("ip", &["-d", "link", "show", "dev", &self.interface])
            + &self.tool("tc", &["-d", "qdisc", "show", "dev", &self.interface])
    }

    fn vmnet_in(&self, state: &Path, arguments: &[&str]) -> Said {
        let mut vmnet = self.namespace.command(paths::vmnet());
        Said(captured(vmnet.args(arguments).env("VMNET_STATE_DIR", state)).unwrap())
    }

    fn vmnet(&self, arguments: &[&str]) -> Said {
        self.vmnet_in(self.state.path(), arguments)
    }

    fn journals(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.state.path()).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|kind| kind == "journal")).collect()
    }
}

struct Said(Output);

impl Said {
    fn code(&self) -> Option<i32> {
        self.0.status.code()
    }

    fn words(&self) -> String {
        format!("{}{}", String::from_utf8_lossy(&self.0.stdout), String::from_utf8_lossy(&self.0.stderr))
    }
}

#[test]
fn every_bit_comes_back_after_two_fixes_and_a_meddler() {
    skip_unless!(skip::root(), skip::vmnet());
    let broken = Broken::new("veth0");
    broken.tool("ethtool", &["-K", "veth0", "tx", "off", "sg", "off"]);
    broken.tool("ip", &["link", "set", "dev", "veth0", "gso_max_size", "8000", "gso_max_segs", "1"]);
    let tbf =
        ["qdisc", "add", "dev", "veth0", "root", "tbf", "rate", "1gbit", "burst", "1514", "latency", "50ms"];
    broken.tool("tc", &tbf);
    let before = broken.snapshot();
    let dry = broken.vmnet(&["fix", "veth0", "--dry-run"]);
    assert_eq!((dry.code(), broken.snapshot()), (Some(0), before.clone()), "{}", dry.words());
    assert!(dry.words().contains("ethtool -K veth0"), "{}", dry.words());
    assert!(broken.journals().is_empty());

    let fixed = broken.vmnet(&["fix", "veth0", "--json", "-"]);
    assert_eq!(fixed.code(), Some(0), "{}", fixed.words());
    let report = testbed::report::document(&fixed.0.stdout).unwrap();
    assert_eq!(report["schema"], "vmnet.fix/1");
    assert!(report["changes"].as_array().unwrap().iter().all(|change| change["ok"] == true), "{report}");
    let after = broken.snapshot();
    for said in
        ["tx-tcp-segmentation: on\n", "tx-tcp6-segmentation: on\n", "gso_max_size 65536", "rate 1Gbit"]
    {
        assert!(after.contains(said), "{said}\n{after}");
    }
    // As everybody does: this also turns tx-tcp-mangleid-segmentation on.
    broken.tool("ethtool", &["-K", "veth0", "tso", "off"]);
    broken.tool("ethtool", &["-K", "veth0", "tso", "on"]);
    assert!(broken.snapshot().contains("tx-tcp-mangleid-segmentation: on"));
    assert_eq!(broken.vmnet(&["fix", "veth0"]).code(), Some(0));
    let undone = broken.vmnet(&["fix", "veth0", "--undo"]);
    assert_eq!(undone.code(), Some(0), "{}", undone.words());
    assert_eq!(broken.snapshot(), before);
    assert!(broken.journals().is_empty());
    assert_eq!(broken.vmnet(&["fix", "veth0", "--undo"]).code(), Some(1), "there is nothing left to undo");
}

#[test]
fn a_tunnel_is_mended_by_the_device_that_its_route_leads_to() {
    skip_unless!(skip::root(), skip::vmnet());
    let broken = Broken::new("veth0");
    let ip = |line: &str| broken.tool("ip", &line.split(' ').collect::<Vec<_>>());
    let tunnel = |checksum: &str| {
        ip(&format!("link add vx0 type vxlan id 7 dstport 4789 remote 192.0.2.2 {checksum}"));
        ip("link set dev vx0 up");
    };
    let check =
        || testbed::report::document(&broken.vmnet(&["check", "vx0", "--json", "-"]).0.stdout).unwrap();
    ip("link set dev far up");
    ip("address add 192.0.2.1/24 dev veth0");
    ip("neighbour add 192.0.2.2 lladdr 02:00:00:00:00:02 dev veth0");
    broken.tool("ethtool", &["-K", "veth0", "tso", "on"]);
    broken.tool("ethtool", &["-K", "veth0", "tx-udp_tnl-segmentation", "off"]);
    let before = broken.snapshot();
    // Packets with a checksum outside need another feature, which is on.
    tunnel("udpcsum");
    let with_checksum = check();
    assert_eq!(with_checksum["state"], "engaged", "{with_checksum}");
    assert_eq!(with_checksum["causes"].as_array().map(Vec::len), Some(0), "{with_checksum}");
    ip("link del vx0");
    tunnel("noudpcsum");
    let segmented = check();
    assert_eq!(segmented["state"], "software", "{segmented}");
    let doctor = broken.vmnet(&["doctor", "veth0"]).words();
    assert!(doctor.contains("vmnet doctor vx0"), "{doctor}");
    // Nothing is wrong with the device itself.
    assert!(broken.vmnet(&["fix", "veth0"]).words().contains("nothing was changed"));

    let fixed = broken.vmnet(&["fix", "vx0"]);
    assert_eq!(fixed.code(), Some(0), "{}", fixed.words());
    // Its MTU is that of the device, so that packets of that length would not fit into it.
    let mended = check();
    assert_eq!(mended["state"], "engaged", "{mended}");
    assert_eq!(broken.vmnet(&["fix", "vx0", "--undo"]).code(), Some(0));
    assert_eq!(broken.snapshot(), before);

    // Whatever else of the device below keeps its super-packets from leaving whole.
    broken.tool("ethtool", &["-K", "veth0", "tx-udp_tnl-segmentation", "on", "tso", "off"]);
    let fixed = broken.vmnet(&["fix", "vx0"]);
    assert_eq!((fixed.code(), &check()["state"]), (Some(0), &"engaged".into()), "{}", fixed.words());
}

#[test]
fn names_that_mean_harm_do_none() {
    skip_unless!(skip::root(), skip::vmnet());
    for name in ["a;b$(x)", "<b>&'\"", "exactly15bytes_", "a\x1b[2Jb"] {
        let broken = Broken::new(name);
        let before = broken.snapshot();
        let fixed = broken.vmnet(&["fix", name]);
        assert_eq!(fixed.code(), Some(0), "{name:?} {}", fixed.words());
        assert!(fixed.words().chars().all(|c| c == '\n' || !c.is_control()), "{:?}", fixed.words());
        assert_eq!(broken.vmnet(&["restore"]).code(), Some(0));
        assert_eq!(broken.snapshot(), before, "{name:?}");
    }
}

#[test]
fn a_place_that_cannot_be_written_leaves_everything_as_it_is() {
    skip_unless!(skip::root(), skip::vmnet());
    let broken = Broken::new("veth0");
    let before = broken.snapshot();
    let read_only = Mounted::tmpfs(broken.state.path().join("ro"), "ro");
    let full = Mounted::tmpfs(broken.state.path().join("full"), "size=4k");
    fs::write(full.0.join("fill"), vec![0; 4096]).unwrap();
    for (place, why) in [(read_only.0.join("new"), "Read-only"), (full.0.clone(), "No space left")] {
        let said = broken.vmnet_in(&place, &["fix", "veth0"]);
        assert_eq!(said.code(), Some(1), "{}", said.words());
        assert!(
            said.words().contains(why) && said.words().contains("Nothing was changed"),
            "{}",
            said.words()
        );
        assert_eq!(broken.snapshot(), before, "{why}");
    }
}

#[test]
fn a_damaged_journal_is_named_and_nothing_is_put_back_by_halves() {
    skip_unless!(skip::root(), skip::vmnet());
    let broken = Broken::new("veth0");
    assert_eq!(broken.vmnet(&["fix", "veth0"]).code(), Some(0));
    let path = broken.journals().remove(0);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let before = broken.snapshot();
    for command in [&["fix", "veth0", "--undo"][..], &["restore"]] {
        let said = broken.vmnet(command);
        assert_eq!((said.code(), broken.snapshot()), (Some(1), before.clone()), "{}", said.words());
        let words = said.words().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("is damaged: line 2"), "{words}");
    }
    assert!(path.exists());
}

#[test]
fn a_device_that_went_keeps_its_journal_until_it_is_forgotten() {
    skip_unless!(skip::root(), skip::vmnet());
    let broken = Broken::new("veth0");
    assert_eq!(broken.vmnet(&["fix", "veth0"]).code(), Some(0));
    broken.tool("ip", &["link", "del", "veth0"]);
    for command in [&["fix", "veth0", "--undo"][..], &["restore"]] {
        let said = broken.vmnet(command);
        assert_eq!(said.code(), Some(1), "{}", said.words());
        assert!(said.words().contains("gone"), "{}", said.words());
        assert_eq!(broken.journals().len(), 1);
    }
    assert_eq!(broken.vmnet(&["restore", "--forget"]).code(), Some(0));
    assert!(broken.journals().is_empty());
}

#[test]
fn a_journal_of_another_namespace_is_named_with_the_way_there() {
    skip_unless!(skip::root(), skip::vmnet());
    let (one, other) = (Broken::new("veth0"), Broken::new("veth0"));
    let before = one.snapshot();
    assert_eq!(one.vmnet(&["fix", "veth0"]).code(), Some(0));
    let said = other.vmnet_in(one.state.path(), &["restore"]);
    assert_eq!(said.code(), Some(1), "{}", said.words());
    let way = format!("vmnet restore --netns {}", one.namespace.name());
    let words = said.words().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(&way), "{words}");
    let back = other.vmnet_in(one.state.path(), &["restore", "--netns", one.namespace.name()]);
    assert_eq!((back.code(), one.snapshot()), (Some(0), before), "{}", back.words());
}

#[test]
fn without_root_it_says_what_to_run_and_shows_what_it_would_do() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("setpriv"));
    let broken = Broken::new("veth0");
    // The checkout may be root's alone.
    let vmnet = broken.state.path().join("vmnet");
    fs::copy(paths::vmnet(), &vmnet).unwrap();
    output(Command::new("chmod").arg("755").arg(broken.state.path()).arg(&vmnet)).unwrap();
    let before = broken.snapshot();
    let as_nobody = |arguments: &[&str]| {
        let mut command = broken.namespace.command("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]).arg(&vmnet);
        Said(captured(command.args(arguments)).unwrap())
    };
    let refused = as_nobody(&["fix", "veth0"]);
    assert_eq!(refused.code(), Some(1), "{}", refused.words());
    assert!(refused.words().contains("sudo vmnet fix veth0"), "{}", refused.words());
    let dry = as_nobody(&["fix", "veth0", "--dry-run"]);
    assert!(dry.code() == Some(0) && dry.words().contains("ethtool -K veth0"), "{}", dry.words());
    assert_eq!(broken.snapshot(), before);
}

fn inode(namespace: &Netns) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(Path::new("/run/netns").join(namespace.name())).unwrap().ino()
}

/// The namespace of a device that was changed goes, and another one comes with its number, a device of the same name and index in it.
#[test]
fn a_device_in_the_place_of_the_one_that_was_changed_is_not_touched() {
    skip_unless!(skip::root(), skip::vmnet());
    let broken = Broken::new("veth0");
    assert_eq!(broken.vmnet(&["fix", "veth0"]).code(), Some(0));
    let number = inode(&broken.namespace);
    let Broken { namespace, state, .. } = broken;
    drop(namespace);
    // The kernel gives the lowest free number, unless another test was quicker.
    let mut taken = Vec::new();
    let another = loop {
        let namespace = Netns::new("fix").unwrap();
        if inode(&namespace) == number {
            break namespace;
        }
        taken.push(namespace);
        assert!(taken.len() < 50, "the number {number} does not come back");
    };
    let another = Broken { namespace: another, interface: "veth0".to_owned(), state };
    another.tool("ip", &["link", "add", "name", "veth0", "type", "veth", "peer", "name", "far"]);
    let before = another.snapshot();
    assert!(before.contains("tx-tcp-segmentation: on"), "{before}");
    for arguments in [&["restore"][..], &["fix", "veth0", "--undo"]] {
        let refused = another.vmnet(arguments);
        assert_eq!(refused.code(), Some(1), "{}", refused.words());
        let said = refused.words().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("veth0 (index") && said.contains("is another device"), "{said}");
        assert!(said.contains("vmnet restore --adopt veth0"), "{said}");
        assert_eq!(another.snapshot(), before);
    }
    let adopted = another.vmnet(&["restore", "--adopt", "veth0"]);
    assert_eq!(adopted.code(), Some(0), "{}", adopted.words());
    assert!(another.snapshot().contains("tx-tcp-segmentation: off"), "as the one before was");
    assert!(another.journals().is_empty());
}

/// Within one namespace, which stays.
#[test]
fn a_device_that_was_made_anew_with_its_name_and_index_is_not_touched() {
    skip_unless!(skip::root(), skip::vmnet());
    let broken = Broken::new("veth0");
    let show = broken.tool("ip", &["-o", "link", "show", "dev", "veth0"]);
    let index = show.split(':').next().unwrap().to_owned();
    assert_eq!(broken.vmnet(&["fix", "veth0"]).code(), Some(0));
    broken.tool("ip", &["link", "del", "veth0"]);
    broken.tool(
        "ip",
        &["link", "add", "name", "veth0", "index", &index, "type", "veth", "peer", "name", "far"],
    );
    let before = broken.snapshot();
    let refused = broken.vmnet(&["restore"]);
    assert_eq!(refused.code(), Some(1), "{}", refused.words());
    let said = refused.words().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("is another device") && said.contains("its hardware address was"), "{said}");
    assert_eq!(broken.snapshot(), before);
    assert_eq!(broken.vmnet(&["restore", "--forget"]).code(), Some(0));
}

#[test]
fn files_for_the_next_boot_are_refused_in_a_namespace_that_is_not_that_of_process_1() {
    skip_unless!(skip::root(), skip::vmnet());
    let broken = Broken::new("veth0");
    let before = broken.snapshot();
    for form in ["networkd", "netplan", "nm", "udev", "cloud-init"] {
        for more in [&["--dry-run"][..], &[]] {
            let refused = broken.vmnet(&[&["fix", "veth0", "--persist", form], more].concat());
            assert_eq!(refused.code(), Some(1), "{}", refused.words());
            assert!(refused.words().contains("it is not process 1's"), "{}", refused.words());
        }
    }
    assert_eq!(broken.snapshot(), before);
    assert!(!Path::new("/etc/systemd/network/90-vmnet-veth0.link").exists());
}
