//! What `ethtool -i` and `ethtool -P` show: the driver's name and the permanent address. By `ioctl`, which every device answers that has
//! either; netlink has no driver's name.

use std::io;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::attributes::text;
use super::driver_stats::{ioctl, set_words};

// `linux/ethtool.h`.
const ETHTOOL_GDRVINFO: u32 = 0x03;
const ETHTOOL_GPERMADDR: u32 = 0x20;
/// `struct ethtool_drvinfo` is 196 bytes.
const DRVINFO_WORDS: usize = 25;
/// `driver[32]`, behind the command.
const DRIVER_BYTES: std::ops::Range<usize> = 4..36;
/// `MAX_ADDR_LEN` in `linux/netdevice.h`.
const ADDRESS_MOST_BYTES: u32 = 32;
/// `struct ethtool_perm_addr`, with room for the longest address.
const PERM_ADDR_WORDS: usize = 5;

/// The driver as `ethtool -i` names it, which virtual devices have too (`veth`, `802.1Q VLAN Support`). None where it has no name.
///
/// # Errors
/// `ENODEV` where there is no such interface.
pub fn ethtool_driver(interface: &str) -> io::Result<Option<String>> {
    let mut info = [0; DRVINFO_WORDS];
    if !ask(interface, &mut info, &[ETHTOOL_GDRVINFO])? {
        return Ok(None);
    }
    let name = text(bytes(&info).get(DRIVER_BYTES).unwrap_or_default());
    Ok(Some(name).filter(|name| !name.is_empty()))
}

/// The address that the device came with, as bytes. None where the kernel made its address up.
///
/// # Errors
/// `ENODEV` where there is no such interface.
pub fn permanent_address(interface: &str) -> io::Result<Option<Vec<u8>>> {
    let mut address = [0; PERM_ADDR_WORDS];
    if !ask(interface, &mut address, &[ETHTOOL_GPERMADDR, ADDRESS_MOST_BYTES])? {
        return Ok(None);
    }
    let answer = bytes(&address);
    let length = super::attributes::u32_at(&answer, 4).and_then(|length| usize::try_from(length).ok());
    let address = length.and_then(|length| answer.get(8..8 + length.min(32))).unwrap_or_default();
    // `register_netdevice` (6.12) copies the address here only where it is permanent; all zeroes: it was not.
    Ok(Some(address.to_vec()).filter(|address| address.iter().any(|byte| *byte != 0)))
}

/// False where the device does not know the command.
fn ask(interface: &str, buffer: &mut [u64], head: &[u32]) -> io::Result<bool> {
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    set_words(buffer, head);
    match ioctl(&socket, interface, buffer) {
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(false),
        answer => answer.map(|()| true),
    }
}

fn bytes(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_device_has_no_permanent_address_and_an_absent_one_is_absent() {
        assert_eq!(permanent_address("lo").unwrap(), None);
        ethtool_driver("lo").unwrap();
        for name in ["no-such-name", "a name that is too long for an interface", ""] {
            assert_eq!(permanent_address(name).unwrap_err().raw_os_error(), Some(libc::ENODEV), "{name}");
            assert_eq!(ethtool_driver(name).unwrap_err().raw_os_error(), Some(libc::ENODEV), "{name}");
        }
    }
}
