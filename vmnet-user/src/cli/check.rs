//! `vmnet check`: the answer in a second, without traffic.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::run::{UNDECIDED, UNEXPECTED, style_for};
use crate::{
    check::Options,
    doctor,
    model::checked::State,
    report::check::{answer, to_text},
    session,
};

/// Ask an interface whether it segments: the answer in a second, with no traffic, no peer and no BPF
///
/// Sends a few tens of hand-made super-packets of each type (TCP over IPv4 and IPv6, with CWR, UDP, tagged) through the
/// interface to its own address, and sees from its counters whether the driver got them whole or cut up, and what each cost. They
/// carry documentation addresses (192.0.2.1, 2001:db8::1) and TTL 1, so that no switch and no router passes them on. Nothing
/// on the machine is changed. Needs CAP_NET_RAW, and nothing more.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 done; 1 it could not be done; 2 wrong usage; 3 --expect not met; 4 inconclusive where --expect was \
    given.\n\nPlain TCP always has a part in the answer, CWR where the device offers it (ethtool -k); UDP, tagged and \
    longest frames are only shown.\n\nExamples:\n  sudo vmnet check ens4\n  sudo vmnet check ens4 --expect engaged --json - | jq \
    .types"
)]
pub(super) struct Args {
    /// The interface, such as ens4
    #[arg(value_name = "IFACE")]
    interface: String,
    /// Write the result as JSON (vmnet.check/1) to standard output
    #[arg(long, value_name = "-", value_parser = ["-"])]
    json: Option<String>,
    /// Exit with 3 unless this is the answer, with 4 if there is none
    #[arg(long, value_name = "STATE")]
    expect: Option<StateName>,
    /// Look into this network namespace
    #[arg(long, value_name = "NAME")]
    netns: Option<String>,
    /// No colour, nothing but ASCII
    #[arg(long)]
    plain: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum StateName {
    Engaged,
    Software,
    Partial,
    Inconclusive,
}

impl StateName {
    fn state(self) -> State {
        match self {
            Self::Engaged => State::Engaged,
            Self::Software => State::Software,
            Self::Partial => State::Partial,
            Self::Inconclusive => State::Inconclusive,
        }
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    if let Some(name) = &args.netns {
        session::enter_netns(name)?;
    }
    let options = Options { netns: args.netns.clone(), ..Options::default() };
    let report = doctor::check(&args.interface, &options)?;
    let to_stdout = args.json.is_some();
    let words = answer(&report, &style_for(to_stdout, args.plain));
    if to_stdout {
        // A reader that has gone is no reason to fail.
        let _ = io::stderr().write_all(words.as_bytes());
        print(&to_text(&report)?)?;
    } else {
        print(&words)?;
    }
    Ok(match args.expect.map(StateName::state) {
        Some(expected) if expected == report.state => ExitCode::SUCCESS,
        Some(_) if report.state == State::Inconclusive => ExitCode::from(UNDECIDED),
        Some(_) => ExitCode::from(UNEXPECTED),
        None => ExitCode::SUCCESS,
    })
}

fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("writing to standard output")
        }
        _ => Ok(()),
    }
}
