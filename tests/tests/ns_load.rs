//! `vmnet load server` against those who mean it no good: over loopback, with the files that a login shell gives a program.

#![expect(clippy::unwrap_used, reason = "a scenario's helpers fail as its tests do")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use testbed::bench::{Running, wait_for};
use testbed::command::captured;
use testbed::{paths, skip, skip_unless};

/// A server of this machine alone, on a port that the kernel chose.
struct Server {
    process: Running,
    address: SocketAddr,
    /// What it said first.
    said: String,
}

impl Server {
    fn start(most_files: u32, options: &str) -> Self {
        let line = format!("ulimit -n {most_files}; exec \"$0\" load server --listen 127.0.0.1:0 {options}");
        let mut command = Command::new("sh");
        command.args(["-c", &line]).arg(paths::vmnet());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = Running(command.spawn().unwrap());
        let mut stderr = BufReader::new(process.0.stderr.take().unwrap());
        let mut said = String::new();
        stderr.read_line(&mut said).unwrap();
        let address = said.split([' ', ',']).find_map(|word| word.trim_end_matches(':').parse().ok());
        // Its warnings may not hold it up.
        std::thread::spawn(move || stderr.read_to_string(&mut String::new()));
        Self { process, address: address.unwrap(), said }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect_timeout(&self.address, Duration::from_secs(5)).unwrap()
    }

    /// A transfer, and what came of it.
    fn transfer(&self) -> (bool, String) {
        let mut client = Command::new(paths::vmnet());
        client.args(["load", "client", &self.address.to_string(), "-n", "20M"]);
        let ended = captured(&mut client).unwrap();
        (ended.status.success(), String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned())
    }

    /// A line of `/proc/PID/status`.
    fn status(&self, name: &str) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').trim().to_owned()
    }

    fn number(&self, name: &str) -> u64 {
        self.status(name).split(' ').next().unwrap().parse().unwrap()
    }
}

/// More than the server may have.
fn may_open(files: u64) {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, files.min(hard), hard).unwrap();
}

#[test]
fn a_thousand_idle_connections_neither_end_nor_fill_it() {
    skip_unless!(skip::vmnet());
    may_open(4096);
    let server = Server::start(1024, "--idle-timeout 3s");
    let idle: Vec<TcpStream> = (0..1085).map(|_| server.connect()).collect();
    let (mut refused, mut held) = (0, 0);
    for mut connection in idle {
        let mut said = String::new();
        connection.read_to_string(&mut said).unwrap();
        match said.as_str() {
            "vmnet load server: 256 connections are open, and it takes no more\n" => refused += 1,
            "vmnet load server: nothing came for 3 s\n" => held += 1,
            other => assert_eq!(other, "", "neither refused nor timed out"),
        }
    }
    println!("{held} held, {refused} refused, {} of memory at most", server.status("VmHWM"));
    // Places came free while the last ones still knocked.
    assert!(held >= 256 && refused >= 500, "{held} held, {refused} refused");
    assert_eq!(held + refused, 1085);
    assert!(server.number("Threads") < 20, "no thread for each: {}", server.status("Threads"));
    assert!(server.number("VmHWM") < 50_000, "{}", server.status("VmHWM"));
    let (done, said) = server.transfer();
    assert!(done, "{said}");
}

#[test]
fn who_finds_it_full_is_told_so() {
    skip_unless!(skip::vmnet());
    let server = Server::start(1024, "--max-connections 3");
    let idle: Vec<TcpStream> = (0..3).map(|_| server.connect()).collect();
    let (done, said) = server.transfer();
    assert!(!done && said.contains("3 connections are open, and it takes no more"), "{said}");
    assert!(said.contains("--max-connections"), "{said}");
    drop(idle);
    wait_for("a place", || Ok(server.transfer().0)).unwrap();
}

#[test]
fn when_it_may_open_no_more_files_it_waits_until_it_may() {
    skip_unless!(skip::vmnet());
    let server = Server::start(40, "--max-connections 4096");
    let idle: Vec<TcpStream> = (0..100).map(|_| server.connect()).collect();
    std::thread::sleep(Duration::from_millis(500));
    drop(idle);
    let (done, said) = server.transfer();
    assert!(done, "{said}");
}

#[test]
fn it_has_no_capability_and_says_who_can_reach_it() {
    skip_unless!(skip::vmnet());
    let server = Server::start(1024, "");
    assert!(server.said.contains("only this machine can connect"), "{}", server.said);
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(server.status(set), "0000000000000000", "{set}");
    }
    assert_eq!(server.status("NoNewPrivs"), "1");
}
