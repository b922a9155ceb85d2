use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

use proptest::prelude::*;

use super::*;
use crate::device::netlink::payloads;

/// `ss -tine` in a namespace, kernel 6.18: a client that sent 5000 bytes to an IPv6 listener over IPv4, which sent 300 back …
const IPV4: &[u8] = include_bytes!("recorded/sockets-veth-2.bin");
/// … and the listener's end of it, beside a pair over IPv6 of which the client sent 77 bytes.
const IPV6: &[u8] = include_bytes!("recorded/sockets-veth-10.bin");

fn recorded(recording: &[u8]) -> Vec<SocketBytes> {
    payloads(recording).iter().filter_map(|message| parse(message)).collect()
}

#[test]
fn a_recorded_socket_is_read_as_ss_showed_it() {
    let expected = SocketBytes {
        cookie: 1,
        local: "192.0.2.1:34736".parse().unwrap(),
        remote: "192.0.2.1:5400".parse().unwrap(),
        state: TcpState::Established,
        bytes_sent: Some(5000),
        bytes_retransmitted: Some(0),
        bytes_not_sent: Some(0),
        segs_out: Some(4),
    };
    assert_eq!(recorded(IPV4), [expected]);
}

#[test]
fn an_ipv6_socket_that_speaks_ipv4_has_an_ipv4_address() {
    let sockets = recorded(IPV6);
    let sent = |local: &str| {
        let local = local.parse().unwrap();
        sockets.iter().find(|socket| socket.local == local).map(|socket| (socket.cookie, socket.bytes_sent))
    };
    assert_eq!(sockets.len(), 3);
    assert_eq!(sent("192.0.2.1:5400"), Some((2, Some(300))));
    assert_eq!(sent("[2001:db8::1]:38576"), Some((4, Some(77))));
}

#[test]
fn a_kernel_with_a_shorter_tcp_info_leaves_the_counts_absent() {
    let mut message = payloads(IPV4).remove(0);
    message.truncate(INET_DIAG_MSG_BYTES);
    let mut short = message.clone();
    crate::device::attributes::push_attribute(&mut short, INET_DIAG_INFO, &[1; 192]);
    let socket = parse(&short).unwrap();
    assert_eq!((socket.bytes_sent, socket.bytes_retransmitted), (None, None));
    assert_eq!(socket.segs_out, Some(0x0101_0101));
    assert_eq!(parse(&message).unwrap().segs_out, None, "without tcp_info");
}

#[test]
fn a_message_cut_off_in_its_header_is_no_socket() {
    let whole = &payloads(IPV6)[0];
    for length in 0..INET_DIAG_MSG_BYTES {
        assert_eq!(parse(&whole[..length]), None, "{length} bytes");
    }
}

#[test]
fn the_kernel_counts_what_a_socket_of_this_test_sends_over_either_family() {
    for address in ["127.0.0.1", "::1"] {
        let ip: IpAddr = address.parse().unwrap();
        let Ok(listener) = TcpListener::bind((ip, 0)) else {
            assert!(ip.is_ipv6(), "no IPv4 loopback");
            continue;
        };
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(&[7; 4321]).unwrap();
        server.read_exact(&mut [0; 4321]).unwrap();
        let live = live(&[ip]).unwrap();
        let own = live.iter().find(|socket| socket.local == client.local_addr().unwrap()).unwrap();
        assert_eq!((own.remote, own.state), (listener.local_addr().unwrap(), TcpState::Established));
        assert_eq!((own.bytes_sent, own.bytes_not_sent), (Some(4321), Some(0)));
        let cookies: std::collections::BTreeSet<_> = live.iter().map(|socket| socket.cookie).collect();
        assert_eq!(cookies.len(), live.len());
    }
}

#[test]
fn a_receiver_that_does_not_read_shows_as_what_holds_the_sender_up() {
    use crate::model::senders::SenderLimits;
    let ip: IpAddr = "127.0.0.1".parse().unwrap();
    let listener = TcpListener::bind((ip, 0)).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (_server, _) = listener.accept().unwrap();
    client.set_nonblocking(true).unwrap();
    let mut reader = SocketReader::open().unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let own = |reader: &mut SocketReader| {
        let local = client.local_addr().unwrap();
        let cookie =
            reader.live(&[ip]).unwrap().into_iter().find(|socket| socket.local == local).unwrap().cookie;
        let mut senders = reader.senders(&[ip]).unwrap();
        senders.retain(|sender| sender.cookie == cookie);
        senders
    };
    let before = own(&mut reader);
    assert_eq!(before.len(), 1);
    loop {
        // Until its own buffer is full too.
        while (&client).write(&[0; 65_536]).is_ok() {}
        let after = own(&mut reader);
        let limits = SenderLimits::between(&before, &after);
        if limits.is_some_and(|limits| limits.rwnd_limited_us > 0 && limits.rwnd_limited_us <= limits.busy_us)
        {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{after:?}");
    }
    client.shutdown(std::net::Shutdown::Both).unwrap();
}

#[test]
fn sockets_of_other_addresses_are_left_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert_eq!(live(&["192.0.2.200".parse().unwrap()]).unwrap(), []);
}

proptest! {
    #[test]
    fn any_message_can_be_parsed(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = (parse(&bytes), parse_sender(&bytes));
    }
}
