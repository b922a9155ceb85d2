use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use clap::ValueEnum as _;
use tempfile::TempDir;

use super::*;
use crate::model::cause::{Action, FeatureChange};

fn on(features: &[&str]) -> Settings {
    let changes =
        features.iter().map(|name| FeatureChange { feature: (*name).to_owned(), on: true }).collect();
    Settings::of(&[Action::Features { interface: "ens4".to_owned(), changes }], "ens4")
}

fn tso() -> Settings {
    on(&["tx-tcp-segmentation", "tx-tcp6-segmentation"])
}

fn interface(name: &str) -> Identity {
    Identity {
        name: name.to_owned(),
        mac: Some("52:54:00:12:34:56".to_owned()),
        permanent_mac: Some("52:54:00:12:34:56".to_owned()),
        driver: Some("virtio_net".to_owned()),
        renamed: true,
        link_file: LinkFile::Unknown,
        facts: LinkFacts::default(),
        nm_profile_uuid: None,
    }
}

/// A root with what each form needs to be there.
fn root(files: &[(&str, &str)]) -> TempDir {
    let root = TempDir::new().unwrap();
    fs::create_dir_all(root.path().join("etc/cloud")).unwrap();
    put(root.path(), "usr/bin/udevadm", "");
    for (path, text) in files {
        put(root.path(), path, text);
    }
    root
}

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Every file below, with its text.
fn tree(root: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.push((path.display().to_string(), "directory".to_owned()));
            found.extend(tree(&path));
        } else {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
    found.sort();
    found
}

const DEFAULT_LINK: (&str, &str) = (
    "usr/lib/systemd/network/99-default.link",
    "# by the distribution\n[Match]\nOriginalName=*\n\n[Link]\nNamePolicy=keep kernel \\\n  path slot\nMACAddressPolicy=persistent\n",
);
const NETPLAN: (&str, &str) = (
    "etc/netplan/50-cloud-init.yaml",
    "network:\n  version: 2\n  ethernets:\n    nic0:\n      match: {macaddress: '52:54:00:12:34:56'}\n      set-name: ens4\n      dhcp4: yes\n",
);
const PROFILE: (&str, &str) = (
    "etc/NetworkManager/system-connections/lan.nmconnection",
    "# mine\n[connection]\nid=lan\nuuid=1-2\ntype=ethernet\ninterface-name=ens4\n\n[ethtool]\nfeature-tso=false\nring-rx=512\n\n[ipv4]\nmethod=auto\n",
);
const ETHTOOL: (&str, &str) = ("usr/sbin/ethtool", "");

fn root_for_all() -> TempDir {
    root(&[DEFAULT_LINK, NETPLAN, PROFILE, ETHTOOL])
}

#[test]
fn every_form_is_written_and_taken_back_to_the_last_byte_and_directory() {
    for form in Form::value_variants() {
        let root = root_for_all();
        let before = tree(root.path());
        let plan = plan(*form, root.path(), &interface("ens4"), &tso()).unwrap();
        assert_eq!(tree(root.path()), before, "planning changes nothing");
        let written = write(&plan).unwrap();
        assert_ne!(tree(root.path()), before, "{form:?}");
        undo(&written).unwrap();
        assert_eq!(tree(root.path()), before, "{form:?}");
        undo(&written).unwrap();
    }
}

#[test]
fn what_is_there_already_is_not_written_again_and_new_settings_are_added_to_it() {
    for form in Form::value_variants() {
        let root = root_for_all();
        let plan = |settings: &Settings| plan(*form, root.path(), &interface("ens4"), settings).unwrap();
        write(&plan(&tso())).unwrap();
        assert_eq!(plan(&tso()).changes, [], "{form:?}");
        let more = plan(&on(&["tx-generic-segmentation"]));
        let after = &more.changes[0].after.to_lowercase();
        for words in [&["tcp6"][..], &["generic-segmentation", "genericsegmentation", "feature-gso"]] {
            assert!(words.iter().any(|word| after.contains(word)), "{form:?}: {words:?}\n{after}");
        }
        write(&more).unwrap();
    }
}

#[test]
fn a_change_by_hand_after_ours_is_never_lost() {
    for form in Form::value_variants() {
        let root = root_for_all();
        let written = write(&plan(*form, root.path(), &interface("ens4"), &tso()).unwrap()).unwrap();
        let path = &written[0].path;
        let edited = format!("{}# a person was here\n", fs::read_to_string(path).unwrap());
        fs::write(path, &edited).unwrap();
        let before = tree(root.path());
        let error = undo(&written).unwrap_err().to_string();
        assert!(error.contains("changed since vmnet wrote it"), "{form:?}: {error}");
        // A second call either keeps the person's line or refuses.
        match plan(*form, root.path(), &interface("ens4"), &on(&["tx-generic-segmentation"])) {
            Ok(plan) => assert!(plan.changes[0].after.contains("# a person was here"), "{form:?}"),
            Err(error) => assert!(matches!(error, PersistError::ChangedByHand(_)), "{form:?}: {error}"),
        }
        assert_eq!(tree(root.path()), before);
    }
}

#[test]
fn what_a_form_has_no_words_for_is_named() {
    let actions = [
        Action::Features {
            interface: "ens4".to_owned(),
            changes: vec![
                FeatureChange { feature: "tx-tcp-segmentation".to_owned(), on: true },
                FeatureChange { feature: "tx-tcp-ecn-segmentation".to_owned(), on: true },
                FeatureChange { feature: "tx-scatter-gather".to_owned(), on: true },
            ],
        },
        Action::Features {
            interface: "vlan5".to_owned(),
            changes: vec![FeatureChange { feature: "tx-gso-partial".to_owned(), on: true }],
        },
        Action::GsoLimits {
            interface: "ens4".to_owned(),
            gso_max_size: Some(65536),
            gso_ipv4_max_size: Some(65536),
            gso_max_segs: None,
        },
        Action::TbfBurst { interface: "ens4".to_owned(), handle: 1, parent: 0, burst_bytes: 70000 },
    ];
    let settings = Settings::of(&actions, "ens4");
    let root = root(&[DEFAULT_LINK, NETPLAN, PROFILE, ETHTOOL, ("usr/sbin/ip", "")]);
    let left_out = |form| plan(form, root.path(), &interface("ens4"), &settings).unwrap().left_out.join("\n");
    for (form, without, with) in [
        (
            Form::Networkd,
            &["ecn", "scatter", "gso_ipv4_max_size", "tbf"][..],
            &["gso_max_size:", "gso-partial"][..],
        ),
        (Form::Netplan, &["ecn", "scatter", "gso_ipv4_max_size", "gso_max_size:", "tbf"], &[]),
        (Form::Nm, &["gso_ipv4_max_size", "gso_max_size:", "tbf"], &["ecn", "scatter"]),
        (Form::Udev, &["tbf"], &["ecn", "scatter", "gso"]),
        (Form::CloudInit, &["tbf"], &["ecn", "scatter", "gso"]),
    ] {
        let left_out = left_out(form);
        assert!(without.iter().all(|name| left_out.contains(name)), "{form:?}: {left_out}");
        assert!(!with.iter().any(|name| left_out.contains(name)), "{form:?}: {left_out}");
    }
    let only_tbf = Settings::of(&actions[3..], "ens4");
    let error = plan(Form::Udev, root.path(), &interface("ens4"), &only_tbf).unwrap_err();
    assert!(matches!(&error, PersistError::NothingToKeep { left_out, .. } if left_out.len() == 1), "{error}");
}

/// Matches ens4, whatever else is not known.
fn link(keeps: &str) -> String {
    format!("[Match]\nMACAddress=52:54:00:12:34:56\n[Link]\n{keeps}\n")
}

#[test]
fn the_file_that_applies_is_the_first_that_is_not_masked() {
    for masked_by_null in [true, false] {
        for link_file in [
            LinkFile::Unknown,
            // It was in force when the machine booted, and has been masked since.
            LinkFile::InForce("/usr/lib/systemd/network/10-a.link".into()),
        ] {
            let root = root(&[
                ("usr/lib/systemd/network/10-a.link", &link("Name=a")),
                ("etc/systemd/network/10-a.link.d/x.conf", &link("Name=x")),
                ("usr/lib/systemd/network/20-b.link", &link("Name=b")),
            ]);
            let mask = root.path().join("etc/systemd/network/10-a.link");
            match masked_by_null {
                true => symlink("/dev/null", &mask).unwrap(),
                false => fs::write(&mask, "").unwrap(),
            }
            let known = Identity { link_file, ..interface("ens4") };
            let plan = plan(Form::Networkd, root.path(), &known, &tso()).unwrap();
            assert_eq!(
                plan.changes[0].path,
                root.path().join("etc/systemd/network/20-b.link.d/90-vmnet.conf"),
                "{known:?}"
            );
            write(&plan).unwrap();
        }
    }
}

#[test]
fn a_masked_drop_in_overrules_nothing() {
    let root = root(&[("usr/lib/systemd/network/10-a.link", &link("Name=a"))]);
    let directory = root.path().join("etc/systemd/network/10-a.link.d");
    fs::create_dir_all(&directory).unwrap();
    symlink("/dev/null", directory.join("95-x.conf")).unwrap();
    put(
        root.path(),
        "usr/lib/systemd/network/10-a.link.d/95-x.conf",
        "[Link]\nTCPSegmentationOffload=false\n",
    );
    write(&plan(Form::Networkd, root.path(), &interface("ens4"), &tso()).unwrap()).unwrap();
}

#[test]
fn nothing_is_written_that_is_masked_or_would_mask() {
    let in_usr = |path: &str| path.replacen("etc/", "usr/lib/", 1);
    let ours = "etc/systemd/network/90-vmnet-ens4.link";
    let drop_in = "etc/systemd/network/10-a.link.d/90-vmnet.conf";
    for (path, there) in [
        (ours, None),
        (ours, Some(DEFAULT_LINK)),
        (drop_in, Some(("usr/lib/systemd/network/10-a.link", link("Name=a").leak() as &str))),
    ] {
        let known = Identity {
            link_file: there.map_or(LinkFile::None, |(path, _)| LinkFile::InForce(format!("/{path}").into())),
            ..interface("ens4")
        };
        for masked in [true, false] {
            let root = root(there.as_slice());
            if masked {
                let path = root.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                symlink("/dev/null", path).unwrap();
            } else {
                put(root.path(), &in_usr(path), "[Match]\nOriginalName=other\n");
            }
            let before = tree(root.path());
            let error = plan(Form::Networkd, root.path(), &known, &tso()).unwrap_err().to_string();
            let said = if masked { "is masked" } else { "would mask" };
            assert!(error.contains(said) && error.contains("--persist udev"), "{path}: {error}");
            assert_eq!(tree(root.path()), before);
        }
    }
}

#[test]
fn what_a_killed_process_of_the_same_number_left_is_in_nobodys_way() {
    let root = root_for_all();
    let directory = root.path().join("etc/systemd/network");
    fs::create_dir_all(&directory).unwrap();
    for what in ["new", "before"] {
        let left = format!(".90-vmnet-ens4.link.vmnet-{}-{what}", std::process::id());
        fs::write(directory.join(left), "half").unwrap();
    }
    let known = Identity { link_file: LinkFile::None, ..interface("ens4") };
    write(&plan(Form::Networkd, root.path(), &known, &tso()).unwrap()).unwrap();
}

#[test]
fn a_link_file_for_everybody_is_copied_for_this_interface_and_keeps_naming_it() {
    let root = root(&[
        DEFAULT_LINK,
        ("etc/systemd/network/99-default.link.d/x.conf", "[Match]\nType=ether\n[Link]\nWakeOnLan=magic\n"),
    ]);
    let error = plan(Form::Networkd, root.path(), &interface("ens4"), &tso()).unwrap_err().to_string();
    assert!(
        error.contains("udevadm"),
        "whether the drop-in's Type= holds cannot be determined here: {error}"
    );
    let known = Identity {
        link_file: LinkFile::InForce("/usr/lib/systemd/network/99-default.link".into()),
        ..interface("ens4")
    };
    let plan = plan(Form::Networkd, root.path(), &known, &tso()).unwrap();
    let change = &plan.changes[0];
    assert_eq!(change.path, root.path().join("etc/systemd/network/90-vmnet-ens4.link"));
    let (matches, link) = change.after.split_once("\n[Link]\n").unwrap();
    assert!(matches.ends_with("[Match]\nPermanentMACAddress=52:54:00:12:34:56\n"), "{matches}");
    assert_eq!(
        link,
        "NamePolicy=keep kernel path slot\nMACAddressPolicy=persistent\nWakeOnLan=magic\n\
         TCPSegmentationOffload=true\nTCP6SegmentationOffload=true\n"
    );
}

#[test]
fn a_link_file_for_this_interface_alone_gets_a_drop_in() {
    let root = root(&[
        DEFAULT_LINK,
        (
            "run/systemd/network/10-netplan-ens4.link",
            "[Match]\nPermanentMACAddress=52:54:00:12:34:56\n[Link]\nName=ens4\n",
        ),
    ]);
    let planned = || plan(Form::Networkd, root.path(), &interface("ens4"), &tso());
    let change = &planned().unwrap().changes[0];
    assert_eq!(change.path, root.path().join("etc/systemd/network/10-netplan-ens4.link.d/90-vmnet.conf"));
    assert!(change.after.ends_with("[Link]\nTCPSegmentationOffload=true\nTCP6SegmentationOffload=true\n"));
    put(
        root.path(),
        "etc/systemd/network/10-netplan-ens4.link.d/95-mine.conf",
        "[Link]\nTCP6SegmentationOffload=off\n",
    );
    let error = planned().unwrap_err();
    assert!(
        matches!(&error, PersistError::Overruled { what, .. } if what == "TCP6SegmentationOffload=off"),
        "{error}"
    );
}

#[test]
fn half_written_files_are_said_with_their_line_and_left_alone() {
    for (form, path, text, line) in [
        (Form::Networkd, "etc/systemd/network/10-a.link", "[Match]\nOriginalName=*\n[Li", 3),
        (Form::Networkd, "etc/systemd/network/10-a.link", "[Match]\nOriginalName", 2),
        (Form::Networkd, "etc/systemd/network/10-a.link", "OriginalName=*\n", 1),
        (Form::Networkd, "etc/systemd/network/10-a.link", "[Match]\nOriginalName=*\n[Link]\nName=a\\", 4),
        (Form::Networkd, "etc/systemd/network/10-a.link", "[Match]\nOrig\0inalName=*\n", 2),
        (Form::Nm, "etc/NetworkManager/system-connections/x", "[connection]\nid=a\n[ethto", 3),
        (Form::Netplan, "etc/netplan/60-x.yaml", "network:\n  ethernets: {\n", 3),
        (Form::CloudInit, "etc/cloud/cloud.cfg.d/60.cfg", "bootcmd: [\n", 2),
    ] {
        let root = root_for_all();
        put(root.path(), path, text);
        let before = tree(root.path());
        let error = plan(form, root.path(), &interface("ens4"), &tso()).unwrap_err();
        assert!(
            matches!(&error, PersistError::Damaged { path: at, line: found, .. } if at.ends_with(path) && *found == line),
            "{form:?} {text:?}: {error}"
        );
        assert_eq!(tree(root.path()), before);
    }
}

#[test]
fn an_alias_that_says_the_opposite_is_turned_too_and_the_rest_of_the_keyfile_stays() {
    let root = root_for_all();
    fs::set_permissions(root.path().join(PROFILE.0), fs::Permissions::from_mode(0o600)).unwrap();
    let plan = plan(Form::Nm, root.path(), &interface("ens4"), &tso()).unwrap();
    let expected = PROFILE.1.replace(
        "feature-tso=false\nring-rx=512\n",
        "feature-tso=true\nring-rx=512\nfeature-tx-tcp-segmentation=true\nfeature-tx-tcp6-segmentation=true\n",
    );
    assert_eq!(plan.changes[0].after, expected);
    write(&plan).unwrap();
    assert_eq!(fs::metadata(root.path().join(PROFILE.0)).unwrap().mode() & 0o777, 0o600, "its mode stays");
    assert_eq!(
        plan.changes[0].reload,
        ["nmcli", "connection", "load", "/etc/NetworkManager/system-connections/lan.nmconnection"]
    );
}

#[test]
fn a_password_near_the_change_is_not_shown() {
    let with_password = PROFILE.1.replace("\n[ethtool]", "\n[802-1x]\npassword=hunter2\n\n[ethtool]");
    let root = root(&[(PROFILE.0, &with_password)]);
    let diff = plan(Form::Nm, root.path(), &interface("ens4"), &tso()).unwrap().diff();
    assert!(diff.contains("password=(not shown)") && !diff.contains("hunter2"), "{diff}");
}

#[test]
fn profiles_that_do_not_outlive_the_boot_are_not_changed() {
    let root = root(&[(
        "run/NetworkManager/system-connections/netplan-ens4.nmconnection",
        "[connection]\nid=netplan-ens4\ninterface-name=ens4\n",
    )]);
    let error = plan(Form::Nm, root.path(), &interface("ens4"), &tso()).unwrap_err().to_string();
    assert!(error.contains("--persist netplan"), "{error}");
}

#[test]
fn netplan_gets_the_definition_that_configures_the_interface_or_nothing() {
    let root = root_for_all();
    let planned = |identity: &Identity| plan(Form::Netplan, root.path(), identity, &tso());
    let change = &planned(&interface("ens4")).unwrap().changes[0];
    assert!(change.after.contains("  ethernets:\n    \"nic0\":\n      tcp-segmentation-offload: true\n"));
    assert_eq!(change.mode, 0o600);
    let other = Identity { mac: None, permanent_mac: None, ..interface("ens5") };
    let error = planned(&other).unwrap_err();
    assert!(matches!(error, PersistError::NotConfiguredHere { .. }), "{error}");
    put(
        root.path(),
        "etc/netplan/99-late.yaml",
        "network: {ethernets: {nic0: {tcp6-segmentation-offload: no}}}\n",
    );
    let error = planned(&interface("ens4")).unwrap_err();
    assert!(matches!(error, PersistError::Overruled { .. }), "{error}");
}

#[test]
fn a_bootcmd_elsewhere_would_hide_ours_or_ours_would_hide_it() {
    for path in
        ["etc/cloud/cloud.cfg.d/95.cfg", "etc/cloud/cloud.cfg", "var/lib/cloud/instance/cloud-config.txt"]
    {
        let root = root(&[(path, "#cloud-config\nbootcmd:\n  - echo hi\n")]);
        let error = plan(Form::CloudInit, root.path(), &interface("ens4"), &tso()).unwrap_err().to_string();
        assert!(error.contains(path) && error.contains(r#"["ethtool","-K","ens4","#), "{error}");
    }
}

#[test]
fn hostile_names_are_quoted_or_refused_and_never_reach_a_path_or_a_terminal() {
    let no_names = ["", ".", "..", "a/b", "../../x", "a b", "a\nb", "a:b", "sixteen-bytes-xx", "a\0b"];
    let odd_names = [
        "a\"b",
        "a'b",
        "$(id)",
        "%k",
        "a;b",
        "a*",
        "[a-z]",
        "-K",
        "a\\",
        "a|b",
        "a\u{1b}[2J",
        "{a}",
        "#a",
        "ä",
        "a`b",
    ];
    let root = root(&[DEFAULT_LINK, ETHTOOL]);
    for form in Form::value_variants() {
        for name in no_names {
            let error = plan(*form, root.path(), &interface(name), &tso()).unwrap_err();
            assert!(matches!(error, PersistError::NotAName(_)), "{form:?} {name:?}: {error}");
        }
        for name in odd_names {
            let made_here = Identity { permanent_mac: None, renamed: false, ..interface(name) };
            let Ok(plan) = plan(*form, root.path(), &made_here, &tso()) else { continue };
            let change = &plan.changes[0];
            let file = change.path.file_name().unwrap().to_str().unwrap();
            assert!(
                file.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)),
                "{file}"
            );
            assert!(!plan.diff().contains('\u{1b}'), "{:?}", plan.diff());
            match form {
                Form::Udev => {
                    panic!("{name:?} has characters that a rule cannot hold safely\n{}", change.after)
                }
                Form::Networkd => {
                    assert!(["a*", "[a-z]", "-K"].contains(&name), "{name:?}\n{}", change.after);
                }
                Form::CloudInit => {
                    let list = change.after.lines().find_map(|line| line.strip_prefix("  - ")).unwrap();
                    let words: Vec<String> = serde_json::from_str(list).unwrap();
                    assert_eq!(words[2], name);
                }
                Form::Netplan | Form::Nm => panic!("neither has anything for {name:?}"),
            }
        }
    }
}

#[test]
fn links_are_not_written_through() {
    let root = root(&[NETPLAN, ETHTOOL]);
    let outside = TempDir::new().unwrap();
    fs::create_dir_all(root.path().join("etc/udev")).unwrap();
    symlink(outside.path(), root.path().join("etc/udev/rules.d")).unwrap();
    let planned = plan(Form::Udev, root.path(), &interface("ens4"), &tso()).unwrap();
    assert!(matches!(write(&planned), Err(PersistError::SymbolicLink(_))));
    assert_eq!(tree(outside.path()), []);
    // A file that is a link, such as to a place that a configuration manager owns.
    let theirs = outside.path().join("lan");
    fs::write(&theirs, PROFILE.1).unwrap();
    let directory = root.path().join("etc/NetworkManager/system-connections");
    fs::create_dir_all(&directory).unwrap();
    symlink(&theirs, directory.join("lan.nmconnection")).unwrap();
    let planned = plan(Form::Nm, root.path(), &interface("ens4"), &tso()).unwrap();
    assert!(matches!(write(&planned), Err(PersistError::SymbolicLink(_))));
    assert_eq!(fs::read_to_string(&theirs).unwrap(), PROFILE.1);
}

#[test]
fn what_changed_between_planning_and_writing_is_not_overwritten() {
    let root = root_for_all();
    for form in [Form::Nm, Form::Udev] {
        let plan = plan(form, root.path(), &interface("ens4"), &tso()).unwrap();
        let path = plan.changes[0].path.strip_prefix(root.path()).unwrap().to_str().unwrap();
        put(root.path(), path, "[connection]\nid=theirs\n");
        let before = tree(root.path());
        assert!(matches!(write(&plan), Err(PersistError::ChangedSince { .. })));
        assert_eq!(tree(root.path()), before);
    }
}

#[test]
fn of_several_files_all_are_changed_or_none() {
    let root = root_for_all();
    let mut both = plan(Form::Nm, root.path(), &interface("ens4"), &tso()).unwrap();
    // Longer than a file name can be: refused by the kernel after the first file is staged.
    let impossible = root.path().join("etc").join("n".repeat(300));
    both.changes.push(FileChange {
        path: impossible,
        before: None,
        after: String::new(),
        mode: 0o644,
        note: String::new(),
        reload: Vec::new(),
    });
    let before = tree(root.path());
    write(&both).unwrap_err();
    assert_eq!(tree(root.path()), before);
}

#[test]
fn what_nobody_here_would_read_is_not_written() {
    let root = TempDir::new().unwrap();
    for (form, why) in [
        (Form::CloudInit, "cloud-init is not set up here"),
        (Form::Netplan, "netplan"),
        (Form::Nm, "NetworkManager has no saved profile"),
        (Form::Networkd, "udev is not installed"),
        (Form::Udev, "udev is not installed"),
    ] {
        let error = plan(form, root.path(), &interface("ens4"), &tso()).unwrap_err().to_string();
        assert!(error.contains(why), "{form:?}: {error}");
    }
    assert_eq!(tree(root.path()), []);
    put(root.path(), "usr/bin/udevadm", "");
    let error = plan(Form::Udev, root.path(), &interface("ens4"), &tso()).unwrap_err().to_string();
    assert!(error.contains("ethtool is not installed"), "{error}");
}
