//! TCP counters of the network namespace (`/proc/net/snmp`, RFC 1213).

use std::io;

use crate::model::sample::TcpMib;

/// Not `/proc/net`, which is `/proc/self/net`: that is the namespace of the process's first thread, which `setns()` in another
/// thread does not change.
const PATH: &str = "/proc/thread-self/net/snmp";

/// Why the counters could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SnmpError {
    /// No `/proc`.
    #[error("cannot read {PATH}: {0}")]
    Read(io::Error),
    /// A field is missing.
    #[error("{PATH} has no Tcp OutSegs and RetransSegs")]
    NotUnderstood,
}

/// The counters of this thread's network namespace now.
///
/// # Errors
/// When `/proc` is not there, or not understood.
pub fn tcp_mib() -> Result<TcpMib, SnmpError> {
    parse(&std::fs::read_to_string(PATH).map_err(SnmpError::Read)?).ok_or(SnmpError::NotUnderstood)
}

/// Two lines that begin with `Tcp:`, the first with the names of the columns, the second with their values.
fn parse(text: &str) -> Option<TcpMib> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp:"));
    let (names, values) = (lines.next()?, lines.next()?);
    let column = |name: &str| {
        let mut columns = names.split_ascii_whitespace().zip(values.split_ascii_whitespace());
        columns.find(|(found, _)| *found == name)?.1.parse().ok()
    };
    Some(TcpMib { out_segs: column("OutSegs")?, retrans_segs: column("RetransSegs")? })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use proptest::prelude::*;

    use super::*;

    const SNMP: &str = "\
Ip: Forwarding DefaultTTL InReceives
Ip: 1 64 100
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors
Tcp: 1 200 120000 -1 12 3 4 5 6 1000 2000 30 0 7 0
Udp: InDatagrams
Udp: 9
";

    #[test]
    fn columns_are_found_by_name() {
        assert_eq!(parse(SNMP), Some(TcpMib { out_segs: 2000, retrans_segs: 30 }));
        let swapped = "Tcp: RetransSegs New OutSegs\nTcp: 1 -5 2\n";
        assert_eq!(parse(swapped), Some(TcpMib { out_segs: 2, retrans_segs: 1 }));
    }

    #[test]
    fn a_column_without_a_value_is_absent_not_zero() {
        assert_eq!(parse("Tcp: OutSegs RetransSegs\nTcp: 5\n"), None);
        assert_eq!(parse("Tcp: OutSegs RetransSegs\n"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn the_counter_grows_when_this_namespace_sends_over_tcp() {
        let before = tcp_mib().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(b"one segment").unwrap();
        server.read_exact(&mut [0; 11]).unwrap();
        assert!(tcp_mib().unwrap().out_segs > before.out_segs);
    }

    proptest! {
        #[test]
        fn any_text_can_be_parsed(text in "(Tcp:[ A-Za-z0-9-]{0,40}\n|.{0,20}\n){0,4}") {
            let _ = parse(&text);
        }
    }
}
