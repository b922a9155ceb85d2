//! `vmnet fix --persist` from its command line, on an `/etc` that is a scenario's own: what is shown is what is written, what is written
//! comes back, and what cannot be written leaves the device as it was.

#![expect(clippy::unwrap_used, reason = "a scenario's helpers fail as its tests do")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use testbed::command::{captured, output};
use testbed::report::Report;
use testbed::{Netns, paths, skip, skip_unless};

/// A veth with TSO off in a namespace of its own, with an `/etc`, a `/run` and systemd's files of a machine's own, and a place for
/// journals: of the machine that it runs on, nothing of this is seen.
struct Machine {
    namespace: Netns,
    place: tempfile::TempDir,
}

impl Machine {
    /// Where Debian's `udev` is installed. `files` are below `/etc`.
    fn new(files: Files) -> Self {
        Self::with_vendor(&[USB_LINK], files)
    }

    /// `vendor` are below `/usr/lib/systemd`.
    fn with_vendor(vendor: Files, files: Files) -> Self {
        let namespace = Netns::new("keep").unwrap();
        namespace.ip("link add veth0 type veth peer name veth1").unwrap();
        namespace.ip("link set veth0 up").unwrap();
        namespace.ip("link set veth1 up").unwrap();
        namespace.exec("ethtool -K veth0 tso off").unwrap();
        let machine = Self { namespace, place: tempfile::tempdir().unwrap() };
        // There is no udev in this /run, so it says nothing of any interface.
        for own in ["etc", "run", "usr-lib-systemd", "usr-local-lib-systemd"] {
            fs::create_dir(machine.place.path().join(own)).unwrap();
        }
        for (own, files) in [("etc", files), ("usr-lib-systemd", vendor)] {
            for (path, text) in files {
                let path = machine.place.path().join(own).join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
        }
        machine
    }

    fn etc(&self) -> PathBuf {
        self.place.path().join("etc")
    }

    fn state(&self) -> PathBuf {
        self.place.path().join("state")
    }

    /// With these directories in place of the machine's, in a mount namespace that `ip netns exec` makes and that ends with the
    /// command. `options` are of the mount on `/etc`.
    fn with_etc(&self, options: &str, arguments: &[&str]) -> Said {
        // Files are kept in process 1's namespace alone.
        self.within("unshare --pid --fork --mount-proc", options, arguments)
    }

    fn within(&self, first: &str, options: &str, arguments: &[&str]) -> Said {
        let mut command = self.namespace.command("sh");
        command.args(["-c", IN_PLACE, "sh"]).arg(self.place.path()).arg(options);
        command.arg(paths::vmnet()).args(arguments);
        Said(captured(command.env("VMNET_STATE_DIR", self.state()).env("FIRST", first)).unwrap())
    }

    fn vmnet(&self, arguments: &[&str]) -> Said {
        self.with_etc("", arguments)
    }

    fn features(&self) -> String {
        output(self.namespace.command("ethtool").args(["-k", "veth0"])).unwrap()
    }

    fn has_tso(&self) -> bool {
        ["tx-tcp-segmentation: on\n", "tx-tcp6-segmentation: on\n"]
            .iter()
            .all(|line| self.features().contains(line))
    }

    /// All files and directories of `/etc`, with the files' text.
    fn tree(&self) -> BTreeMap<PathBuf, Option<String>> {
        let mut tree = BTreeMap::new();
        let mut waiting = vec![self.etc()];
        while let Some(directory) = waiting.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let text = path.is_file().then(|| fs::read_to_string(&path).unwrap());
                if text.is_none() {
                    waiting.push(path.clone());
                }
                tree.insert(path, text);
            }
        }
        tree
    }

    /// What is kept in the place for journals: nothing, once all is put back.
    fn kept(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.state()).map(|entries| entries.map(|entry| entry.unwrap().path()));
        let is_kept =
            |path: &PathBuf| path.extension().is_some_and(|kind| kind == "kept" || kind == "journal");
        entries.map(|paths| paths.filter(is_kept).collect()).unwrap_or_default()
    }
}

/// `$1` is the place, `$2` what to remount /etc with; the remount is of the bind alone. A directory that the machine does not have holds
/// nothing that could be seen. Where `/lib` is not `/usr/lib`, systemd reads both.
const IN_PLACE: &str = r#"
set -e
place=$1 options=$2
shift 2
over() { if [ -d "$2" ]; then mount --bind "$place/$1" "$2"; fi; }
over etc /etc
if [ -n "$options" ]; then mount -o "remount,bind,$options" /etc; fi
over run /run
over usr-lib-systemd /usr/lib/systemd
over usr-lib-systemd /lib/systemd
over usr-local-lib-systemd /usr/local/lib/systemd
exec $FIRST "$@"
"#;

struct Said(Output);

impl Said {
    fn code(&self) -> Option<i32> {
        self.0.status.code()
    }

    /// Each space and line break one space.
    fn words(&self) -> String {
        let said =
            format!("{}{}", String::from_utf8_lossy(&self.0.stdout), String::from_utf8_lossy(&self.0.stderr));
        said.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn json(&self) -> Value {
        assert_eq!(self.code(), Some(0), "{}", self.words());
        let report = Report::parse(&self.0.stdout).unwrap();
        assert!(report.unexplained_nulls().is_empty(), "{:?}\n{:#}", report.unexplained_nulls(), report.0);
        report.0
    }
}

/// What the lines of a unified diff that begin with `+` add up to.
fn added(diff: &str) -> String {
    let lines = diff.lines().filter(|line| !line.starts_with("+++"));
    lines.filter_map(|line| line.strip_prefix('+')).map(|line| format!("{line}\n")).collect()
}

/// Paths below a directory, and what is in them.
type Files = &'static [(&'static str, &'static str)];

/// Debian's own, part of its package `udev`: for what depends on USB.
const USB_LINK: (&str, &str) =
    ("network/73-usb-net-by-mac.link", "[Match]\nPath=*-usb-*\n\n[Link]\nNamePolicy=mac\n");
/// systemd's own: for every interface that no other file is for.
const DEFAULT_LINK: (&str, &str) = (
    "network/99-default.link",
    "[Match]\nOriginalName=*\n\n[Link]\nNamePolicy=keep kernel database onboard slot path\nMACAddressPolicy=persistent\n",
);
const PROFILE: (&str, &str) = (
    "NetworkManager/system-connections/lan.nmconnection",
    "# mine\n[connection]\nid=lan\ntype=ethernet\ninterface-name=veth0\n\n[ethtool]\nfeature-tso=false\n",
);
const NETPLAN: (&str, &str) =
    ("netplan/50-mine.yaml", "# mine\nnetwork:\n  version: 2\n  ethernets:\n    veth0:\n      dhcp4: true\n");
const CLOUD: (&str, &str) = ("cloud/cloud.cfg", "# mine\npreserve_hostname: true\n");

/// One file for each form: in which, beside what, with which words.
const FORMS: [(&str, Files, &str, &[&str]); 5] = [
    (
        "udev",
        &[],
        "udev/rules.d/90-vmnet-veth0.rules",
        &["-K veth0", "tx-tcp-segmentation on", "tx-tcp6-segmentation on"],
    ),
    (
        "networkd",
        &[],
        "systemd/network/90-vmnet-veth0.link",
        &["TCPSegmentationOffload=true", "TCP6SegmentationOffload=true"],
    ),
    (
        "netplan",
        &[NETPLAN],
        "netplan/90-vmnet-veth0.yaml",
        &["\"veth0\":", "tcp-segmentation-offload: true", "tcp6-segmentation-offload: true"],
    ),
    (
        "nm",
        &[PROFILE],
        PROFILE.0,
        &[
            "feature-tx-tcp-segmentation=true",
            "feature-tx-tcp6-segmentation=true",
            "# mine",
            "feature-tso=true",
        ],
    ),
    (
        "cloud-init",
        &[CLOUD],
        "cloud/cloud.cfg.d/90_vmnet_veth0.cfg",
        &["#cloud-config", "bootcmd:", "\"tx-tcp6-segmentation\",\"on\""],
    ),
];

#[test]
fn what_is_shown_is_what_is_written_and_all_of_it_comes_back() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    for (form, files, path, words) in FORMS {
        let machine = Machine::new(files);
        let (features, tree) = (machine.features(), machine.tree());
        let arguments = ["fix", "veth0", "--persist", form, "--json", "-"];

        let shown = machine.vmnet(&[&arguments[..], &["--dry-run"]].concat()).json();
        assert_eq!((machine.features(), machine.tree()), (features.clone(), tree.clone()), "{form}");
        let done = machine.vmnet(&arguments).json();
        assert!(machine.has_tso(), "{form}: {}", machine.features());
        assert_eq!(done["proof"]["state"], "engaged", "{form}: {done:#}");
        assert_eq!(shown["files"], done["files"], "{form}");
        let file = &done["files"][0];
        assert!(file["path"].as_str().unwrap().ends_with(path), "{form}: {file}");
        assert_eq!(done["files"].as_array().unwrap().len(), 1, "{form}");
        let text = fs::read_to_string(machine.etc().join(path)).unwrap();
        for word in words {
            assert!(text.contains(word), "{form}: no {word:?} in\n{text}");
        }
        let diff = file["diff"].as_str().unwrap();
        if tree.contains_key(&machine.etc().join(path)) {
            assert!(added(diff).lines().all(|line| text.contains(line)), "{form}: {diff}\n{text}");
        } else {
            assert_eq!(added(diff), text, "{form}");
        }

        let (written, kept) = (machine.tree(), machine.kept());
        let again = machine.vmnet(&arguments).json();
        assert_eq!(
            (&again["files"], &again["changes"]),
            (&Value::Array(vec![]), &Value::Array(vec![])),
            "{form}"
        );
        assert_eq!((machine.tree(), machine.kept()), (written, kept), "{form}");

        let undone = machine.vmnet(&["fix", "veth0", "--undo"]);
        assert_eq!(undone.code(), Some(0), "{form}: {}", undone.words());
        assert_eq!((machine.features(), machine.tree()), (features, tree), "{form}: {}", undone.words());
        assert_eq!(machine.kept(), Vec::<PathBuf>::new(), "{form}");
    }
}

#[test]
fn a_device_that_is_as_it_should_be_is_kept_so() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    let machine = Machine::new(&[]);
    machine.namespace.exec("ethtool -K veth0 tso on").unwrap();
    let (features, tree) = (machine.features(), machine.tree());
    let kept = machine.vmnet(&["fix", "veth0", "--persist", "networkd", "--plain", "-v"]);
    let words = kept.words();
    assert_eq!(kept.code(), Some(0), "{words}");
    for said in
        ["KEPT veth0 is as it should be", "written: /etc/systemd/network/", "UNDO vmnet fix veth0 --undo"]
    {
        assert!(words.contains(said), "{said}: {words}");
    }
    assert_ne!(machine.tree(), tree);
    // There never was anything to journal, and the files come back all the same.
    let undone = machine.vmnet(&["fix", "veth0", "--undo"]);
    assert_eq!(undone.code(), Some(0), "{}", undone.words());
    assert_eq!((machine.features(), machine.tree()), (features, tree));
}

#[test]
fn an_etc_that_cannot_be_written_leaves_the_device_as_it_is_too() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    for (form, files, ..) in FORMS {
        let machine = Machine::new(files);
        let (features, tree) = (machine.features(), machine.tree());
        let refused = machine.with_etc("ro", &["fix", "veth0", "--persist", form]);
        let words = refused.words();
        assert_eq!(refused.code(), Some(1), "{form}: {words}");
        assert!(
            words.contains("Read-only file system") && words.contains("nothing was changed"),
            "{form}: {words}"
        );
        assert_eq!((machine.features(), machine.tree()), (features, tree), "{form}: {words}");
        assert_eq!(machine.kept(), Vec::<PathBuf>::new(), "{form}: {words}");
    }
}

#[test]
fn a_place_for_journals_that_cannot_be_written_leaves_the_files_as_they_are_too() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    let machine = Machine::new(&[]);
    let (features, tree) = (machine.features(), machine.tree());
    // A file where the directory should be.
    fs::write(machine.state(), "").unwrap();
    let refused = machine.vmnet(&["fix", "veth0", "--persist", "networkd"]);
    assert_eq!(refused.code(), Some(1), "{}", refused.words());
    assert_eq!((machine.features(), machine.tree()), (features, tree), "{}", refused.words());
}

#[test]
fn files_go_again_where_the_device_cannot_be_journaled() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    let machine = Machine::new(&[]);
    let (features, tree) = (machine.features(), machine.tree());
    let interface = machine.vmnet(&["fix", "veth0", "--dry-run", "--json", "-"]).json()["interface"].clone();
    fs::create_dir(machine.state()).unwrap();
    let journal = machine.state().join(format!("{}-{}.journal", interface["netns"], interface["ifindex"]));
    fs::write(&journal, "not a journal").unwrap();
    let refused = machine.vmnet(&["fix", "veth0", "--persist", "networkd"]);
    assert_eq!(refused.code(), Some(1), "{}", refused.words());
    assert!(refused.words().contains("is damaged"), "{}", refused.words());
    assert_eq!((machine.features(), machine.tree()), (features, tree), "{}", refused.words());
    assert_eq!(machine.kept(), [journal], "{}", refused.words());
}

#[test]
fn where_there_is_nothing_to_merge_into_it_says_so_and_changes_nothing() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    const OTHER: (&str, &str) =
        ("netplan/50-mine.yaml", "network:\n  ethernets:\n    eth7:\n      dhcp4: true\n");
    const COMMANDS: (&str, &str) = ("cloud/cloud.cfg.d/10-mine.cfg", "bootcmd:\n  - echo mine\n");
    const DAMAGED: (&str, &str) = ("systemd/network/10-mine.link", "[Match\nOriginalName=veth0\n");
    const BROKEN: (&str, &str) = ("netplan/50-mine.yaml", "network: [\n");
    for (form, files, why) in [
        ("netplan", &[][..], "netplan"),
        ("netplan", &[OTHER], "veth0"),
        ("netplan", &[BROKEN], "50-mine.yaml:"),
        ("nm", &[], "NetworkManager has no saved profile for \"veth0\""),
        ("cloud-init", &[], "cloud-init is not set up here"),
        ("cloud-init", &[COMMANDS], "10-mine.cfg sets bootcmd"),
        ("networkd", &[DAMAGED], "10-mine.link:1"),
    ] {
        let machine = Machine::new(files);
        let (features, tree) = (machine.features(), machine.tree());
        for more in [&[][..], &["--dry-run"]] {
            let refused = machine.vmnet(&[&["fix", "veth0", "--persist", form], more].concat());
            let words = refused.words();
            println!("{form} {files:?}: {words}");
            assert_eq!(refused.code(), Some(1), "{form}: {words}");
            assert!(words.contains(why), "{form} {files:?}: {words}");
            assert_eq!(
                (machine.features(), machine.tree()),
                (features.clone(), tree.clone()),
                "{form}: {words}"
            );
        }
        assert_eq!(machine.kept(), Vec::<PathBuf>::new(), "{form}");
    }
}

#[test]
fn a_file_that_a_person_has_changed_since_stays_and_so_does_the_device() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    let machine = Machine::new(&[]);
    assert_eq!(machine.vmnet(&["fix", "veth0", "--persist", "networkd"]).code(), Some(0));
    let path = machine.etc().join("systemd/network/90-vmnet-veth0.link");
    let ours = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{ours}RxBufferSize=512\n")).unwrap();
    let (features, tree) = (machine.features(), machine.tree());
    let refused = machine.vmnet(&["fix", "veth0", "--undo"]);
    let words = refused.words();
    assert_eq!(refused.code(), Some(1), "{words}");
    assert!(words.contains("90-vmnet-veth0.link") && words.contains("nothing was changed"), "{words}");
    assert_eq!((machine.features(), machine.tree()), (features, tree), "{words}");

    fs::write(&path, ours).unwrap();
    let undone = machine.vmnet(&["fix", "veth0", "--undo"]);
    assert_eq!(undone.code(), Some(0), "{}", undone.words());
    assert!(!Path::exists(&path) && !machine.has_tso(), "{}", undone.words());
}

/// A file of another's, in force or not, and what then becomes of ours: its path below `/etc`, or why there is none.
type Becomes = Result<&'static str, &'static str>;

#[test]
fn what_a_link_file_of_anothers_matches_is_told_without_udev() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"), skip::directory("/usr/lib/systemd"));
    const ADDRESS: &str = "02:00:00:00:73:01";
    const OWN: Becomes = Ok("systemd/network/90-vmnet-veth0.link");
    const BEFORE: Becomes = Ok("systemd/network/00-vmnet-veth0.link");
    const DROP_IN: Becomes = Ok("systemd/network/10-mine.link.d/90-vmnet.conf");
    for (wanted, becomes) in [
        // In force, for others too: ours comes before it and says what it says.
        ("Driver=veth", BEFORE),
        ("Type=ether", BEFORE),
        ("Kind=veth", BEFORE),
        ("Path=!*-usb-*", BEFORE),
        ("OriginalName=veth?\nDriver=!virtio_net", BEFORE),
        ("KernelVersion=>=1", BEFORE),
        // In force, for this interface alone.
        ("MACAddress=02-00-00-00-73-01", DROP_IN),
        ("OriginalName=veth0\nType=ether", DROP_IN),
        // Not in force.
        ("Driver=virtio_net e1000*", OWN),
        ("Type=wlan", OWN),
        ("Kind=!veth", OWN),
        ("Path=pci-*", OWN),
        ("Path=*", OWN),
        ("MACAddress=02:00:00:00:73:02", OWN),
        ("PermanentMACAddress=02:00:00:00:73:01", OWN),
        ("KernelVersion=<1", OWN),
        ("Driver=veth\nDriver=", OWN),
        ("Property=ID_NET_EXAMPLE=1\nDriver=virtio_net", OWN),
        // For udev alone to say.
        ("Property=ID_NET_EXAMPLE=1", Err("Property=")),
        ("Driver=veth\nProperty=!ID_NET_EXAMPLE=1", Err("Property=")),
    ] {
        let machine = Machine::with_vendor(&[USB_LINK, DEFAULT_LINK], &[]);
        machine.namespace.ip(&format!("link set veth0 address {ADDRESS}")).unwrap();
        let theirs = machine.etc().join("systemd/network/10-mine.link");
        fs::create_dir_all(theirs.parent().unwrap()).unwrap();
        fs::write(&theirs, format!("[Match]\n{wanted}\n[Link]\nMTUBytes=1400\n")).unwrap();
        let (features, tree) = (machine.features(), machine.tree());
        let done = machine.vmnet(&["fix", "veth0", "--persist", "networkd"]);
        let words = done.words();
        match becomes {
            Ok(path) => {
                assert_eq!(done.code(), Some(0), "{wanted:?}: {words}");
                let text = fs::read_to_string(machine.etc().join(path));
                let text = text.unwrap_or_else(|error| panic!("{wanted:?}: {path}: {error}: {words}"));
                assert!(text.contains("TCP6SegmentationOffload=true\n"), "{wanted:?}: {text}");
                let says_theirs = text.contains("MTUBytes=1400\n");
                assert_eq!(says_theirs, becomes == BEFORE, "{wanted:?}: {text}");
                let says_default = text.contains("MACAddressPolicy=persistent\n");
                assert_eq!(says_default, becomes == OWN, "{wanted:?}: {text}");
                assert!(!text.contains("NamePolicy=mac\n"), "{wanted:?}: {text}");
                let undone = machine.vmnet(&["fix", "veth0", "--undo"]);
                assert_eq!(undone.code(), Some(0), "{wanted:?}: {}", undone.words());
            }
            Err(key) => {
                assert_eq!(done.code(), Some(1), "{wanted:?}: {words}");
                for part in ["cannot be determined whether /etc/systemd/network/10-mine.link does", key] {
                    assert!(words.contains(part), "{wanted:?}: {part}: {words}");
                }
            }
        }
        assert_eq!((machine.features(), machine.tree()), (features, tree), "{wanted:?}: {words}");
    }
}

#[test]
fn no_link_file_is_written_for_the_loopback_interface() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    let machine = Machine::new(&[]);
    machine.namespace.exec("ethtool -K lo tso off").unwrap();
    let tree = machine.tree();
    let refused = machine.vmnet(&["fix", "lo", "--persist", "networkd"]);
    assert_eq!(refused.code(), Some(1), "{}", refused.words());
    assert!(refused.words().contains("loopback"), "{}", refused.words());
    assert_eq!(machine.tree(), tree);
}

#[test]
fn where_udev_would_speak_of_another_interface_no_file_is_kept() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"));
    let machine = Machine::new(&[]);
    let interface = machine.vmnet(&["fix", "veth0", "--dry-run", "--json", "-"]).json()["interface"].clone();
    // As udevd keeps it (`device_update_db` of systemd), of an interface of its own namespace.
    let known = machine.place.path().join(format!("run/udev/data/n{}", interface["ifindex"]));
    fs::create_dir_all(known.parent().unwrap()).unwrap();
    fs::write(&known, "I:1\nE:ID_NET_LINK_FILE=/etc/systemd/network/50-elsewhere.link\n").unwrap();
    let tree = machine.tree();
    for form in FORMS.map(|(form, ..)| form) {
        let refused = machine.within("", "", &["fix", "veth0", "--persist", form]);
        assert_eq!(refused.code(), Some(1), "{}", refused.words());
        assert!(refused.words().contains("it is not process 1's"), "{}", refused.words());
    }
    assert_eq!(machine.tree(), tree);
    assert!(!machine.has_tso() && machine.kept().is_empty());
}
