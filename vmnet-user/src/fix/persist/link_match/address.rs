//! Hardware addresses as `.link` files write them: `52:54:00:12:34:56`, `52-54-…`, `5254.0012.3456` (`parse_hw_addr_full` of systemd).

use std::net::IpAddr;

use super::Fact;

const ETHERNET_BYTES: usize = 6;
/// IPv4, IPv6, Ethernet, InfiniBand.
const LENGTHS_BYTES: [usize; 4] = [4, 16, ETHERNET_BYTES, 20];

/// The bytes of an address. None for what systemd takes for none.
pub(super) fn read(text: &str) -> Option<Vec<u8>> {
    // Tunnels have addresses of the internet protocol.
    match text.parse() {
        Ok(IpAddr::V4(address)) => return Some(address.octets().to_vec()),
        Ok(IpAddr::V6(address)) => return Some(address.octets().to_vec()),
        Err(_) => {}
    }
    let separator = text.chars().find(|letter| !letter.is_ascii_hexdigit())?;
    let digits_most = match separator {
        ':' | '-' => 2,
        '.' => 4,
        _ => return None,
    };
    let mut bytes = Vec::new();
    for field in text.split(separator) {
        if field.len() > digits_most || !field.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let value = u16::from_str_radix(field, 16).ok()?.to_be_bytes();
        bytes.extend_from_slice(value.get(2 - digits_most / 2..)?);
    }
    LENGTHS_BYTES.contains(&bytes.len()).then_some(bytes)
}

/// Whether an interface's Ethernet address is one of a list. One without such an address has none of a list of them.
pub(super) fn is_one_of(own: Option<&str>, list: &[String]) -> Fact<bool> {
    let mut list = list.iter().filter_map(|word| read(word));
    match own.and_then(read) {
        Some(own) => Ok(list.any(|address| address == own)),
        None if list.all(|address| address.len() == ETHERNET_BYTES) => Ok(false),
        None => Err("the interface has no Ethernet address".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_is_the_same_however_it_is_written() {
        let expected = Some(vec![0x52, 0x54, 0, 0x12, 0x34, 0xab]);
        for text in
            ["52:54:00:12:34:ab", "52-54-00-12-34-AB", "5254.0012.34ab", "52:54:0:12:34:ab", "5254.12.34ab"]
        {
            assert_eq!(read(text), expected, "{text}");
        }
        for text in [
            "",
            "525400123456",
            "52:54:00:12:34",
            "52:54:00:12:34:ab:",
            "52:54-00:12:34:ab",
            "x",
            "+1:2:3:4:5:6",
            "52::12",
        ] {
            assert_eq!(read(text).filter(|address| address.len() == 6), None, "{text}");
        }
        assert_eq!(read("10.0.0.1"), Some(vec![10, 0, 0, 1]));
    }

    #[test]
    fn who_has_no_ethernet_address_has_none_of_a_list_of_them() {
        let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let ours = list(&["02:00:00:00:00:01", "5254.0012.3456"]);
        assert_eq!(is_one_of(Some("52:54:00:12:34:56"), &ours), Ok(true));
        assert_eq!(is_one_of(Some("52:54:00:12:34:57"), &ours), Ok(false));
        assert_eq!(is_one_of(None, &ours), Ok(false));
        assert!(is_one_of(None, &list(&["10.0.0.1"])).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9a-f:.+-]{0,24}") {
            let _ = read(&text);
        }
    }
}
