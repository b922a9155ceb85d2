use proptest::prelude::*;

use super::*;

fn below(root: &Path) -> Files<'_> {
    Files { root, unread: RefCell::default() }
}

fn ens4() -> Target {
    Target {
        names: vec!["ens4".to_owned(), "enp0s4".to_owned()],
        mac_address: Some("52:54:00:12:34:56".to_owned()),
        driver: Some("virtio_net".to_owned()),
        kind: None,
    }
}

/// What is found for ens4 on a machine with these files, as (path, line, turns off).
fn found(files: &[(&str, &str)]) -> Vec<(String, u32, bool)> {
    let root = tempfile::tempdir().unwrap();
    for (file, content) in files {
        let path = root.path().join(file.trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    find_in(&below(root.path()), &ens4())
        .into_iter()
        .map(|setter| (setter.path, setter.line, setter.turns_off))
        .collect()
}

fn at(path: &str, line: u32, turns_off: bool) -> (String, u32, bool) {
    (path.to_owned(), line, turns_off)
}

const LINK: &str = "/etc/systemd/network/10-tso.link";
const DEFAULT_LINK: (&str, &str) =
    ("/usr/lib/systemd/network/99-default.link", "[Match]\nOriginalName=*\n\n[Link]\nNamePolicy=keep\n");

#[test]
fn a_machine_that_sets_nothing_has_no_setters() {
    assert_eq!(found(&[]), []);
    assert_eq!(found(&[DEFAULT_LINK]), []);
}

#[test]
fn both_keys_of_a_link_file_that_fits_are_shown_whatever_fits_later() {
    let text = "[Match]\nMACAddress=52:54:00:12:34:56\n[Link]\n# TSO hurts\nTCPSegmentationOffload=no\nTCP6SegmentationOffload=false\n";
    let later =
        ("/etc/systemd/network/20.link", "[Match]\nOriginalName=*\n[Link]\nTCPSegmentationOffload=yes\n");
    assert_eq!(found(&[(LINK, text), later, DEFAULT_LINK]), [at(LINK, 5, true), at(LINK, 6, true)]);
}

#[test]
fn a_masked_file_sets_nothing_nor_does_what_it_hides_nor_its_drop_in() {
    let root = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let says = "[Match]\nOriginalName=ens4\n[Link]\nTCPSegmentationOffload=no\n";
    for (name, mask) in [("10-null.link", true), ("20-empty.link", false)] {
        put(&format!("usr/lib/systemd/network/{name}"), says);
        put(&format!("etc/systemd/network/{name}.d/x.conf"), says);
        let masked = root.path().join("etc/systemd/network").join(name);
        if mask {
            std::os::unix::fs::symlink("/dev/null", masked).unwrap();
        } else {
            std::fs::write(masked, "").unwrap();
        }
    }
    let (setters, unread) = find_below(root.path(), &ens4());
    assert_eq!((setters, unread), (Vec::new(), Vec::new()));
    // What is behind a mask has its turn.
    put("usr/lib/systemd/network/30-next.link", says);
    let (setters, unread) = find_below(root.path(), &ens4());
    assert_eq!((setters.len(), unread), (1, Vec::new()), "{setters:?}");
    assert!(setters[0].path.ends_with("30-next.link"));
}

#[test]
fn a_link_file_for_another_interface_is_not_shown() {
    for condition in [
        "MACAddress=52:54:00:12:34:57",
        "Driver=mlx5_core",
        "Driver=!virtio_*",
        "OriginalName=ens5",
        "Kind=veth",
        "MACAddress=52:54:00:12:34:56\nDriver=mlx5_core",
        "",
    ] {
        let text = format!("[Match]\n{condition}\n[Link]\nTCPSegmentationOffload=no\n");
        assert_eq!(found(&[(LINK, &text)]), [], "{condition}");
    }
    for condition in [
        "Driver=virtio_net",
        "OriginalName=en*",
        "OriginalName=eth*",
        "Driver=!mlx5_core",
        "Path=pci-0000:00:04.0",
        "Host=vm1",
    ] {
        let text = format!("[Match]\n{condition}\n[Link]\nTCPSegmentationOffload=no\n");
        assert_eq!(found(&[(LINK, &text)]), [at(LINK, 4, true)], "{condition}");
    }
}

#[test]
fn etc_hides_usr_and_drop_ins_are_read() {
    let vendor = "/usr/lib/systemd/network/10-tso.link";
    let fits = "[Match]\nOriginalName=*\n[Link]\n";
    assert_eq!(found(&[(vendor, &format!("{fits}TCPSegmentationOffload=no\n")), (LINK, fits)]), []);
    let drop_in = "/etc/systemd/network/10-tso.link.d/tso.conf";
    let with_drop_in = [(vendor, fits), (drop_in, "[Link]\nGenericSegmentationOffload=0\n")];
    assert_eq!(found(&with_drop_in), [at(drop_in, 2, true)]);
}

#[test]
fn netplan_is_read_below_the_interfaces_own_key() {
    let path = "/etc/netplan/50-cloud-init.yaml";
    let text = "network:\n  version: 2\n  ethernets:\n    ens5:\n      tcp-segmentation-offload: false\n    nic:\n      match:\n        \
                macaddress: \"52:54:00:12:34:56\"\n      set-name: ens4\n      tcp-segmentation-offload: false # slow\n      tcp6-segmentation-offload: true\n  \
                bonds:\n    ens4:\n      transmit-checksum-offload: off\n    bond0:\n      tcp-segmentation-offload: false\n";
    assert_eq!(found(&[(path, text)]), [at(path, 10, true), at(path, 11, false), at(path, 14, true)]);
    let by_driver =
        "network:\n ethernets:\n  all:\n   match: {driver: virtio_net}\n   tcp-segmentation-offload: no\n";
    assert_eq!(
        found(&[(path, by_driver)]),
        [at(path, 5, true)],
        "a match that is not taken apart may be meant for it"
    );
}

#[test]
fn a_connection_of_network_manager_counts_unless_it_is_for_another_interface() {
    let path = "/etc/NetworkManager/system-connections/wired.nmconnection";
    let text = |who: &str| {
        format!(
            "[connection]\nid=wired\n{who}\n[ethtool]\nfeature-tso=false\nfeature-gro=false\nfeature-tx=true\n"
        )
    };
    let expected = [at(path, 5, true), at(path, 7, false)];
    assert_eq!(found(&[(path, &text("interface-name=ens4"))]), expected);
    assert_eq!(found(&[(path, &text("type=ethernet"))]), expected);
    assert_eq!(found(&[(path, &text("interface-name=ens5"))]), []);
}

#[test]
fn the_active_tuned_profile_is_followed_to_what_it_includes_and_runs() {
    let own = "/etc/tuned/own/tuned.conf";
    let vendor = "/usr/lib/tuned/vendor/tuned.conf";
    let files = [
        ("/etc/tuned/active_profile", "own\n"),
        (own, "[main]\ninclude=vendor\n[script]\nscript=${i:PROFILE_DIR}/script.sh\n"),
        ("/etc/tuned/own/script.sh", "#!/bin/sh\nethtool -K $dev tso off\n"),
        (
            vendor,
            "[main]\ninclude=own\n[net]\nfeatures=tso off, gso on\n[other]\ntype=net\ndevices=ens5\nfeatures=tso off\n",
        ),
        ("/usr/lib/tuned/idle/tuned.conf", "[net]\nfeatures=tso off\n"),
    ];
    assert_eq!(found(&files), [at("/etc/tuned/own/script.sh", 2, true), at(vendor, 4, true)]);
    assert_eq!(found(&files[1..]), [], "no profile is active");
}

#[test]
fn commands_are_found_wherever_they_are_run_from() {
    for (path, text) in [
        (
            "/etc/udev/rules.d/50-tso.rules",
            "ACTION==\"add\", KERNEL==\"ens*\", RUN+=\"/sbin/ethtool -K $name tso off\"",
        ),
        (
            "/etc/udev/rules.d/50-tso.rules",
            "SUBSYSTEM==\"net\", RUN+=\"/usr/sbin/ethtool -K %k gro off tso off\"",
        ),
        ("/etc/network/interfaces", "  post-up /sbin/ethtool -K ens4 tx off || true"),
        ("/etc/network/if-up.d/tso", "ethtool --offload \"$IFACE\" tx-tcp6-segmentation off"),
        ("/etc/systemd/system/tso.service", "ExecStart=/usr/sbin/ethtool -K ens4 tso off gso on"),
        ("/var/lib/cloud/instance/user-data.txt", "  - [ ethtool, -K, ens4, tso, \"off\" ]"),
        ("/etc/rc.local", "ethtool --features enp0s4 sg off"),
    ] {
        assert_eq!(found(&[(path, text)]), [at(path, 1, true)], "{text}");
    }
    for text in [
        "# ethtool -K ens4 tso off",
        "ethtool -K ens5 tso off",
        "ethtool -k ens4",
        "ethtool -K ens4 gro off",
        "ethtool -G ens4 tx 1024",
        "echo tso off",
    ] {
        assert_eq!(found(&[("/etc/rc.local", text)]), [], "{text}");
    }
    let another = "KERNEL==\"eth0|eth1\", RUN+=\"/sbin/ethtool -K $name tso off\"";
    assert_eq!(found(&[("/etc/udev/rules.d/50-tso.rules", another)]), []);
}

#[test]
fn ifupdowns_own_options_belong_to_the_interface_above_them() {
    let path = "/etc/network/interfaces.d/ens4";
    let text =
        "auto ens4\niface ens4 inet dhcp\n\toffload-tso off\niface ens5 inet dhcp\n\toffload-tso off\n";
    assert_eq!(found(&[(path, text)]), [at(path, 3, true)]);
}

#[test]
fn a_line_of_yaml_is_quoted_by_yamls_own_count() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("etc/netplan")).unwrap();
    let text = "network: {version: 2,\r ethernets: {ens4: {tcp-segmentation-offload: false}}}\r\n";
    std::fs::write(root.path().join("etc/netplan/a.yaml"), text).unwrap();
    let (setters, _) = find_below(root.path(), &ens4());
    assert_eq!((setters.len(), setters[0].line), (1, 2));
    assert!(setters[0].text.starts_with("ethernets:"), "{setters:?}");
}

#[test]
fn files_that_mean_harm_do_none() {
    let root = tempfile::tempdir().unwrap();
    let etc = root.path().join("etc");
    for directory in ["systemd/network", "netplan", "tuned"] {
        std::fs::create_dir_all(etc.join(directory)).unwrap();
    }
    nix::unistd::mkfifo(&etc.join("rc.local"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::os::unix::fs::symlink("/dev/zero", etc.join("systemd/network/10.link")).unwrap();
    std::os::unix::fs::symlink("/dev/null", etc.join("systemd/network/20.link")).unwrap();
    std::os::unix::fs::symlink("loop.yaml", etc.join("netplan/loop.yaml")).unwrap();
    std::fs::create_dir(etc.join("netplan/directory.yaml")).unwrap();
    std::fs::write(etc.join("netplan/bytes.yaml"), [0xff, 0, 0x1b, b'\n', 0x80]).unwrap();
    std::fs::write(etc.join("netplan/long.yaml"), vec![b' '; 2 << 20]).unwrap();
    std::fs::write(etc.join("tuned/active_profile"), "../../../../etc\n..\n").unwrap();
    let files = below(root.path());
    assert_eq!(find_in(&files, &ens4()), []);
    // What could not be read is said: it may be what turns TSO off.
    let unread = files.unread.into_inner();
    for name in ["rc.local", "directory.yaml"] {
        assert!(unread.iter().any(|file| file.contains(name)), "{name} is not among {unread:?}");
    }
    // Any device masks (`null_or_empty` of systemd), and a mask is not to be read.
    assert!(!unread.iter().any(|file| file.contains(".link")), "{unread:?}");
}

#[test]
fn a_line_without_end_is_shown_cut() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("etc")).unwrap();
    let line = format!("ethtool -K ens4 tso off {}", "x".repeat(100_000));
    std::fs::write(root.path().join("etc/rc.local"), line).unwrap();
    assert_eq!(find_in(&below(root.path()), &ens4())[0].text.chars().count(), MOST_LINE_CHARS);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_files_can_be_searched(
        ini in "(\\[(Match|Link|net|main|ethtool)\\]\n|[A-Za-z]{1,6}=[!a-z*]{0,6}\n|include=a\n|.{0,20}\n){0,12}",
        yaml in "( {0,6}(ethernets|ens4|match|name|tcp-segmentation-offload|-):? ?(no|x)?\n|.{0,20}\n){0,12}",
        script in "((ethtool|-K|ens4|tso|off|iface|\\$x)[ \n]){0,20}",
    ) {
        let _ = found(&[
            (LINK, &ini),
            ("/etc/tuned/active_profile", "a"),
            ("/etc/tuned/a/tuned.conf", &ini),
            ("/etc/NetworkManager/system-connections/a", &ini),
            ("/etc/netplan/a.yaml", &yaml),
            ("/etc/network/interfaces", &script),
            ("/etc/udev/rules.d/a.rules", &script),
        ]);
    }
}
