//! `team-mode TEAM MODE`, `team-mode TEAM activeport PORT`: gives a team its mode, and the port in use, as `teamnl` would. A mode has to be there before
//! ports are.

use anyhow::{Result, bail};
use nix::net::if_::if_nametoindex;
use testbed::genl::{NESTED, attribute, tell};

/// `include/uapi/linux/if_team.h`.
const OPTIONS_SET: u8 = 1;
const TEAM_IFINDEX: u16 = 1;
const LIST_OPTION: u16 = 2;
const ITEM_OPTION: u16 = 1;
const OPTION_NAME: u16 = 1;
const OPTION_TYPE: u16 = 3;
const OPTION_DATA: u16 = 4;
/// `NLA_U32`, `NLA_STRING`: what the kernel calls them among its own.
const U32: u8 = 3;
const STRING: u8 = 5;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.as_slice() {
        [team, mode] => set(team, "mode", STRING, &[mode.as_bytes(), b"\0"].concat()),
        [team, option, port] => set(team, option, U32, &if_nametoindex(port.as_str())?.to_ne_bytes()),
        _ => bail!("usage: team-mode TEAM MODE | team-mode TEAM activeport PORT"),
    }
}

fn set(team: &str, name: &str, kind: u8, value: &[u8]) -> Result<()> {
    let option = [
        attribute(OPTION_NAME, &[name.as_bytes(), b"\0"].concat()),
        attribute(OPTION_TYPE, &[kind]),
        attribute(OPTION_DATA, value),
    ];
    let list = attribute(ITEM_OPTION | NESTED, &option.concat());
    let request = [
        attribute(TEAM_IFINDEX, &if_nametoindex(team)?.to_ne_bytes()),
        attribute(LIST_OPTION | NESTED, &list),
    ];
    tell("team", OPTIONS_SET, &request.concat())
}
