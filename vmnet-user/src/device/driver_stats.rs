//! The driver's own statistics by its own names (`ethtool -S`), which the kernel still gives out by `ioctl` alone.

use std::{io, os::fd::AsRawFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

// `linux/ethtool.h`.
const ETHTOOL_GSTRINGS: u32 = 0x1b;
const ETHTOOL_GSTATS: u32 = 0x1d;
const ETHTOOL_GSSET_INFO: u32 = 0x37;
const ETH_SS_STATS: u32 = 1;
const ETH_GSTRING_LEN: usize = 32;
/// `linux/sockios.h`.
const SIOCETHTOOL: u64 = 0x8946;
/// The kernel writes as many as the driver has when it is asked, however many that were a moment ago: room for this many is given,
/// and half as many are the most that are asked for. Drivers with a thousand queues have some ten thousand.
const MOST_STATISTICS: usize = 1 << 16;
/// The longest head in front of what the kernel writes, in 64-bit words.
const HEAD_WORDS: usize = 2;

/// Name and value of each statistic that the driver keeps. Empty where it keeps none.
///
/// # Errors
/// `EOPNOTSUPP` where the driver has no statistics, `ENODEV` where there is no such interface.
pub(super) fn read(interface: &str) -> io::Result<Vec<(String, u64)>> {
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    let ask = |buffer: &mut [u64]| ioctl(&socket, interface, buffer);

    // `struct ethtool_sset_info`: command, reserved, mask of sets; then one count for each set that there is.
    let mut info = [u64::from(ETHTOOL_GSSET_INFO), 1 << ETH_SS_STATS, 0];
    set_words(&mut info, &[ETHTOOL_GSSET_INFO, 0]);
    ask(&mut info)?;
    let [_, mask, counts] = info;
    // The kernel takes a set out of the mask that the driver does not have.
    let count = if mask == 0 { 0 } else { first_word(counts) };
    if count == 0 {
        return Ok(Vec::new());
    }
    if count > MOST_STATISTICS / 2 {
        return Err(io::Error::other(format!("the driver claims to keep {count} statistics")));
    }
    let length = u32::try_from(count).map_err(io::Error::other)?;

    // `struct ethtool_gstrings`: command, set, length; then the names. `vec![0; …]` costs pages only where they are written.
    let mut names = vec![0; HEAD_WORDS + MOST_STATISTICS * ETH_GSTRING_LEN / 8];
    set_words(&mut names, &[ETHTOOL_GSTRINGS, ETH_SS_STATS, length]);
    ask(&mut names)?;
    // `struct ethtool_stats`: command, length; then the values.
    let mut values = vec![0; HEAD_WORDS + MOST_STATISTICS];
    set_words(&mut values, &[ETHTOOL_GSTATS, length]);
    ask(&mut values)?;

    let names: Vec<u8> = names
        .iter()
        .take(HEAD_WORDS + count * ETH_GSTRING_LEN / 8)
        .flat_map(|word| word.to_ne_bytes())
        .collect();
    let names = names.get(12..).unwrap_or_default().chunks(ETH_GSTRING_LEN).map(super::attributes::text);
    Ok(names.zip(values.into_iter().skip(1)).take(count).collect())
}

/// 32-bit words into the beginning of `buffer`, in the machine's order.
pub(super) fn set_words(buffer: &mut [u64], words: &[u32]) {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    for (slot, chunk) in buffer.iter_mut().zip(bytes.chunks(8)) {
        let mut whole = [0; 8];
        for (byte, value) in whole.iter_mut().zip(chunk) {
            *byte = *value;
        }
        *slot = u64::from_ne_bytes(whole);
    }
}

/// The 32-bit word that lies first in a 64-bit one.
fn first_word(pair: u64) -> usize {
    super::attributes::u32_at(&pair.to_ne_bytes(), 0)
        .and_then(|word| word.try_into().ok())
        .unwrap_or(usize::MAX)
}

/// One ethtool command, which `buffer` begins with, for an interface of the socket's namespace.
pub(super) fn ioctl(socket: &impl AsRawFd, interface: &str, buffer: &mut [u64]) -> io::Result<()> {
    // SAFETY: all zeroes is a valid `ifreq`: it is integers, and a union of integers and a pointer.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // Its last byte stays 0.
    if interface.len() >= request.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (slot, byte) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *slot = byte.cast_signed();
    }
    request.ifr_ifru.ifru_data = buffer.as_mut_ptr().cast();
    // SAFETY: `request` and the buffer it points to live through the call. The kernel reads the head, which the caller wrote, and writes
    // the head and what follows it: for ETHTOOL_GSSET_INFO one count per bit of the mask, of which there is one; for strings and
    // statistics as many entries as the driver has, for which the callers give room for at least twice what it said it has; for
    // ETHTOOL_GDRVINFO a structure of 196 bytes, and for ETHTOOL_GPERMADDR at most the 32 bytes of `MAX_ADDR_LEN`: `driver_info`
    // gives room for both.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_laid_side_by_side() {
        let mut buffer = [0; 2];
        set_words(&mut buffer, &[1, 2, 3]);
        assert_eq!((first_word(buffer[0]), first_word(buffer[1])), (1, 3));
    }

    #[test]
    fn the_loopback_device_keeps_none_and_an_absent_one_is_absent() {
        let lo = read("lo").map_err(|error| error.raw_os_error());
        assert!(matches!(&lo, Err(Some(libc::EOPNOTSUPP))) || lo.is_ok_and(|list| list.is_empty()));
        for name in ["no-such-name", "a name that is too long for an interface", ""] {
            assert_eq!(read(name).unwrap_err().raw_os_error(), Some(libc::ENODEV), "{name}");
        }
    }
}
