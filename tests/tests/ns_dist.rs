//! What is handed out, on machines that it knows nothing of: the package in four releases of Debian, and the file alone in a root that has nothing
//! else.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a scenario's helpers fail as its tests do")]

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;
use testbed::bench::serve_load;
use testbed::command::captured;
use testbed::netns::{VethEnd, veth_pair};
use testbed::report::document;
use testbed::roots::Root;
use testbed::{Netns, paths, skip, skip_unless};

/// Two namespaces and a pair between them; `veth0` is near.
fn pair() -> (Netns, Netns) {
    let (near, far) = (Netns::new("dist").unwrap(), Netns::new("dist").unwrap());
    near.exec("sysctl -q -w net.ipv6.conf.default.disable_ipv6=1").unwrap();
    veth_pair(
        VethEnd { namespace: &near, interface: "veth0", addresses: &["10.97.0.1/24"] },
        VethEnd { namespace: &far, interface: "veth1", addresses: &["10.97.0.2/24"] },
    )
    .unwrap();
    (near, far)
}

fn run(mut command: Command) -> Output {
    let output = captured(&mut command).unwrap();
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    output
}

fn json(mut command: Command, arguments: &[&str]) -> Value {
    command.args(arguments);
    document(&run(command).stdout).unwrap()
}

fn the_package_comes_runs_and_goes_without_a_trace(suite: &str) {
    skip_unless!(skip::debian_root(suite), skip::dist());
    let (near, far) = pair();
    let root = Root::new(suite).unwrap();
    let dpkg = |arguments: &[&str]| {
        let mut command = root.command(&near, "dpkg");
        command.args(arguments);
        run(command)
    };
    fs::copy(paths::dist_deb(), root.path().join("tmp/vmnet.deb")).unwrap();
    // dpkg makes files of its own the first time that it does anything.
    dpkg(&["--install", "/tmp/vmnet.deb"]);
    dpkg(&["--purge", "vmnet"]);
    let before = root.names().unwrap();

    dpkg(&["--install", "/tmp/vmnet.deb"]);
    assert!(root.path().join("usr/share/man/man1/vmnet-check.1.gz").is_file());
    let answer = json(root.command(&near, "vmnet"), &["check", "veth0", "--json", "-"]);
    assert_eq!(answer["state"], "engaged", "{answer}");
    near.exec("ethtool -K veth0 tso off").unwrap();
    let answer = json(root.command(&near, "vmnet"), &["check", "veth0", "--json", "-"]);
    assert_eq!(answer["state"], "software", "{answer}");
    proves_what_it_is_run_beside(&root, &near, &far);

    dpkg(&["--purge", "vmnet"]);
    assert_eq!(root.names().unwrap(), before);
}

/// A run in that root, with TSO off. On a busy machine programs may be skipped now and then, so that it may take another.
fn proves_what_it_is_run_beside(root: &Root, near: &Netns, far: &Netns) {
    const RUN: [&str; 12] = [
        "run",
        "veth0",
        "--no-report",
        "--json",
        "-",
        "--",
        "vmnet",
        "load",
        "client",
        "10.97.0.2",
        "-n",
        "200M",
    ];
    let _server = serve_load(far).unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let answer = json(root.command(near, "vmnet"), &RUN);
        assert_eq!(answer["verdict"]["state"], "software", "{answer}");
        seen.push(answer["verdict"]["confidence"].as_str().unwrap().to_owned());
        if seen.last().is_some_and(|confidence| confidence == "proven") {
            println!("{seen:?}");
            return;
        }
    }
    panic!("never proven: {seen:?}");
}

#[test]
fn the_package_comes_runs_and_goes_without_a_trace_on_debian_11() {
    the_package_comes_runs_and_goes_without_a_trace("bullseye");
}

#[test]
fn the_package_comes_runs_and_goes_without_a_trace_on_debian_12() {
    the_package_comes_runs_and_goes_without_a_trace("bookworm");
}

#[test]
fn the_package_comes_runs_and_goes_without_a_trace_on_debian_13() {
    the_package_comes_runs_and_goes_without_a_trace("trixie");
}

#[test]
fn the_package_comes_runs_and_goes_without_a_trace_on_debian_unstable() {
    the_package_comes_runs_and_goes_without_a_trace("sid");
}

#[test]
fn the_file_alone_answers_where_there_is_nothing_else() {
    skip_unless!(skip::root(), skip::dist());
    let (near, _far) = pair();
    let root = Root::empty().unwrap();
    fs::copy(paths::dist(), root.path().join("vmnet")).unwrap();
    let vmnet = |arguments: &[&str]| json(root.command(&near, "/vmnet"), arguments);
    assert_eq!(vmnet(&["check", "veth0", "--json", "-"])["state"], "engaged");
    let list = vmnet(&["list", "--json", "-"]);
    let interfaces = list["namespaces"][0]["interfaces"].as_array().unwrap();
    let veth0 = interfaces.iter().find(|one| one["name"] == "veth0").unwrap();
    assert_eq!((veth0["tso_ipv4"].as_str(), veth0["kind"].as_str()), (Some("on"), Some("veth")), "{veth0}");
    // Names take a program of the machine's, and say so.
    let mut command = root.command(&near, "/vmnet");
    command.args(["load", "client", "somewhere.example"]);
    let output = captured(&mut command).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("getent"), "{said}");
}

/// Exit code, standard output, standard error.
fn said(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = captured(Command::new(paths::dist()).args(arguments)).unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.code(), out, err)
}

#[test]
fn words_causes_and_pasted_lines_are_explained_and_nonsense_is_not() {
    skip_unless!(skip::dist());
    for (asked, told) in [
        ("LSO", "TCP segmentation offload"),
        ("host-no-csum", "does not offer checksum offload"),
        ("tcp-segmentation-offload: off [fixed]", "sudo vmnet doctor IFACE"),
        ("Could not change any device features", "[fixed]"),
    ] {
        let (code, out, err) = said(&["explain", asked]);
        let text = out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(code == Some(0) && text.contains(told), "{asked}: {out}{err}");
    }
    for (asked, told) in [
        ("tso-of", "did you mean TSO"),
        ("/no/such/file", "nothing of it is known"),
        ("/dev/null", "nothing of it is known"),
    ] {
        let (code, out, err) = said(&["explain", asked]);
        assert!(code == Some(1) && out.is_empty() && err.contains(told), "{asked}: {out}{err}");
    }
}

#[test]
fn manual_pages_and_completions_are_of_every_command() {
    skip_unless!(skip::dist());
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("man1");
    assert_eq!(said(&["man", pages.to_str().unwrap()]).0, Some(0));
    let (_, script, _) = said(&["completions", "bash"]);
    for command in ["run", "check", "list", "explain", "ab"] {
        let page = fs::read_to_string(pages.join(format!("vmnet-{command}.1"))).unwrap();
        assert!(page.contains(".SH OPTIONS"), "{command}");
        assert!(script.contains(&format!("vmnet,{command})")), "{command}");
    }
    assert!(said(&["man"]).1.contains(".TH vmnet 1"));
}

#[test]
fn a_command_without_its_interface_names_those_of_its_namespace_and_the_whole_command() {
    skip_unless!(skip::root(), skip::dist());
    let (near, _far) = pair();
    near.exec("ethtool -K veth0 tso off").unwrap();
    let mut command = Command::new(paths::dist());
    command.args(["check", "--netns", near.name(), "--plain"]);
    let output = captured(&mut command).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
    let row = said.lines().find(|line| line.trim_start().starts_with("veth0")).unwrap();
    assert!(row.contains("TSO off, can be switched on"), "{said}");
    let next = format!("vmnet check veth0 --netns {} --plain", near.name());
    assert!(said.lines().any(|line| line.starts_with("Next: ") && line.ends_with(&next)), "{said}");

    let bare = captured(&mut near.command(paths::dist())).unwrap();
    let said = String::from_utf8_lossy(&bare.stderr);
    assert_eq!((bare.status.code(), bare.stdout.len()), (Some(2), 0), "{said}");
    assert!(
        said.contains("Next: ") && said.contains("vmnet check veth0\n") && said.contains("vmnet --help"),
        "{said}"
    );
}
