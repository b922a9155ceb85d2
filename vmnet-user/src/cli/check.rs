//! `vmnet check`: the answer in a second, without traffic.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::ValueEnum;

use super::expect::{self, Expected};
use super::options::{Looks, Namespace, Privacy};
use super::output::{Output, open_json, print};
use crate::{
    check::Options,
    doctor,
    model::checked::{State, UdpState},
    report::check::{answer, screen, share},
    session::{self, Caller},
};

/// Ask an interface whether it segments: the answer in a second, with no traffic, no peer and no BPF
///
/// Sends a few tens of hand-made super-packets of each type (TCP over IPv4 and IPv6, with CWR, UDP, tagged) through the
/// interface to its own address, and sees frame by frame, and by its counters, whether the driver got them whole or segmented, and what each cost. They
/// carry documentation addresses (192.0.2.1, 2001:db8::1) and TTL 1, so that no switch and no router passes them on. Nothing
/// on the machine is changed. Needs CAP_NET_RAW, and nothing more.
///
/// Exit codes: 0 done; 1 it could not be done; 2 wrong usage; 3 --expect not met; 4 inconclusive where --expect was given.
///
/// Plain TCP always has a part in the answer, CWR where the device offers it (ethtool -k); UDP, tagged and longest frames are only shown.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
        sudo vmnet check ens4\n  \
        sudo vmnet check ens4 --expect engaged --json - | jq .types")]
pub(super) struct Args {
    /// The interface, such as ens4
    #[arg(value_name = "IFACE")]
    interface: String,
    /// Write the result as JSON (vmnet.check/1) to FILE, or to standard output for -
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Exit with 3 unless this is the answer, with 4 if there is none
    #[arg(long, value_name = "STATE")]
    expect: Option<StateName>,
    /// The same for UDP super-packets
    #[arg(long, value_name = "STATE", hide_short_help = true)]
    expect_udp: Option<UdpName>,
    #[command(flatten)]
    namespace: Namespace,
    /// Print one row of a table instead, without names and addresses, to send in: what this driver does on this kernel
    #[arg(long, conflicts_with = "json", hide_short_help = true)]
    share: bool,
    #[command(flatten)]
    privacy: Privacy,
    #[command(flatten)]
    looks: Looks,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum StateName {
    Engaged,
    Software,
    Partial,
    NotBuilt,
    Inconclusive,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum UdpName {
    Engaged,
    Software,
    Partial,
    Refused,
    Inconclusive,
}

impl UdpName {
    fn state(self) -> UdpState {
        match self {
            Self::Engaged => UdpState::Engaged,
            Self::Software => UdpState::Software,
            Self::Partial => UdpState::Partial,
            Self::Refused => UdpState::Refused,
            Self::Inconclusive => UdpState::Inconclusive,
        }
    }
}

impl StateName {
    fn state(self) -> State {
        match self {
            Self::Engaged => State::Engaged,
            Self::Software => State::Software,
            Self::Partial => State::Partial,
            Self::NotBuilt => State::NotBuilt,
            Self::Inconclusive => State::Inconclusive,
        }
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let caller = Caller::from_environment()?;
    let json = args.json.as_deref().map(|path| open_json(path, &caller)).transpose()?;
    let mut output = Output::new(json, args.looks.plain);
    session::be_in(args.namespace.netns.as_deref())?;
    let options = Options { netns: args.namespace.netns.clone(), ..Options::default() };
    let report = doctor::check_and_no_more(&args.interface, &options)?;
    let style = output.style();
    let typed = args.namespace.typed(&[]);
    let words = args.looks.detail().of(|| screen(&report, &typed, &style), || answer(&report, &style));
    if args.share {
        let today = jiff::Zoned::now().date();
        print(
            format!("{}\n{}\n", share::HEAD, share::row(&report, &what_machine(), &today.to_string()))
                .as_bytes(),
        )?;
    } else {
        output.say(&words);
        output.json(&args.privacy.text(&report)?)?;
    }
    let tcp = args.expect.map(|expected| Expected {
        given: expected.state().name(),
        found: report.state.name(),
        is_met: expected.state() == report.state,
        is_undecided: report.state == State::Inconclusive,
    });
    let udp = args.expect_udp.map(|expected| Expected {
        given: expected.state().name(),
        found: report.udp.state.name(),
        is_met: expected.state() == report.udp.state,
        is_undecided: report.udp.state == UdpState::Inconclusive,
    });
    Ok(expect::exit_code([tcp, udp].into_iter().flatten()))
}

/// As its firmware calls it.
fn what_machine() -> String {
    let of = |file: &str| std::fs::read_to_string(format!("/sys/class/dmi/id/{file}")).unwrap_or_default();
    let words = [of("sys_vendor"), of("product_name")].map(|word| word.trim().to_owned());
    let said = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if said.is_empty() { "not reported".to_owned() } else { said }
}
