//! Client and server against each other, over loopback, on ports that the kernel chose.

use std::{net::TcpStream, time::Duration};

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    load: LoadArgs,
}

fn parse(words: &[&str]) -> Result<LoadArgs, clap::Error> {
    Command::try_parse_from([&["load"], words].concat()).map(|command| command.load)
}

fn client(words: &[&str]) -> ClientArgs {
    match parse(&[&["client"], words].concat()).unwrap().command {
        LoadCommand::Client(args) => args,
        LoadCommand::Server(_) => panic!("not a client"),
    }
}

const LIMITS: Limits = Limits { max_connections: 256, idle_timeout: Duration::from_secs(60) };

/// A server on a port of its own, and what it got when it has ended.
fn server(address: &str, once: bool, stop: &Stop) -> (String, tokio::task::JoinHandle<Received>) {
    let listener = bind(Some(address.parse().unwrap())).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let stop = stop.clone();
    (address, tokio::spawn(async move { serve(listener, once, LIMITS, stop, |_| ()).await.unwrap() }))
}

#[tokio::test]
async fn a_finite_transfer_sends_exactly_so_many_bytes_and_the_server_got_them_all() {
    let (address, server) = server("127.0.0.1:0", true, &Stop::default());
    let summary = send(&client(&[&address, "-n", "6M"]), Stop::default()).await.unwrap();
    assert_eq!((summary.sent_bytes, summary.received_bytes), (6 << 20, Some(6 << 20)));
    assert_eq!(summary.ended_by, EndedBy::Bytes);
    assert!(summary.goodput_gbps.unwrap() > 0.0);
    assert_eq!(server.await.unwrap(), Received { connections: 1, bytes: 6 << 20, refused: 0 });
}

#[tokio::test]
async fn the_streams_share_an_amount_that_does_not_divide_and_once_waits_for_all_of_them() {
    let (address, server) = server("127.0.0.1:0", true, &Stop::default());
    let summary = send(&client(&[&address, "-n", "1000003", "-P", "4"]), Stop::default()).await.unwrap();
    assert_eq!(summary.received_bytes, Some(1_000_003));
    assert_eq!(server.await.unwrap(), Received { connections: 4, bytes: 1_000_003, refused: 0 });
}

/// Segments that the kernel sent for a client with these arguments, as `inet_diag` tells while the client awaits its confirmation.
async fn segments_of_client(words: &[&str]) -> u32 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        let (mut stream, peer) = listener.accept().unwrap();
        let bytes = io::copy(&mut stream, &mut io::sink()).unwrap();
        let sockets = crate::device::sockets::live(&[peer.ip()]).unwrap();
        stream.write_all(&bytes.to_be_bytes()).unwrap();
        sockets.iter().find(|socket| socket.local == peer).unwrap().segs_out.unwrap()
    });
    let summary = send(&client(&[&[address.as_str()], words].concat()), Stop::default()).await.unwrap();
    assert_eq!(summary.received_bytes, Some(1000));
    server.join().unwrap()
}

#[tokio::test]
async fn small_writes_with_nodelay_leave_one_by_one_and_bulk_in_one() {
    // Ten writes fit the initial congestion window, so the kernel has no cause to join them.
    let small = segments_of_client(&["-n", "1000", "--message-bytes", "100", "--nodelay"]).await;
    let bulk = segments_of_client(&["-n", "1000"]).await;
    assert!(small >= 10, "{small}");
    assert!(bulk <= 6, "{bulk}: one, and those that open and close the connection");
}

#[tokio::test]
async fn ipv6_in_brackets_works() {
    let Ok(listener) = bind(Some("[::1]:0".parse().unwrap())) else {
        eprintln!("skipped: no IPv6 loopback");
        return;
    };
    let address = listener.local_addr().unwrap().to_string();
    assert!(address.starts_with("[::1]:"));
    let server = tokio::spawn(serve(listener, true, LIMITS, Stop::default(), |_| ()));
    let summary = send(&client(&[&address, "-n", "5k"]), Stop::default()).await.unwrap();
    assert_eq!((summary.server.as_str(), summary.received_bytes), (address.as_str(), Some(5 << 10)));
    assert_eq!(server.await.unwrap().unwrap().bytes, 5 << 10);
}

#[tokio::test]
async fn a_timed_transfer_ends_in_time_and_all_that_was_sent_arrived() {
    let (address, server) = server("127.0.0.1:0", true, &Stop::default());
    let summary = send(&client(&[&address, "-t", "300ms"]), Stop::default()).await.unwrap();
    assert_eq!(summary.ended_by, EndedBy::Duration);
    assert!((0.3..5.0).contains(&summary.seconds), "{}", summary.seconds);
    assert_eq!(summary.received_bytes, Some(summary.sent_bytes));
    assert_eq!(server.await.unwrap().bytes, summary.sent_bytes);
}

#[tokio::test]
async fn an_interrupt_ends_the_client_with_a_true_summary_and_the_server_with_its_total() {
    let (stop_client, stop_server) = (Stop::default(), Stop::default());
    let (address, server) = server("127.0.0.1:0", false, &stop_server);
    let running = tokio::spawn({
        let (args, stop) = (client(&[&address, "-t", "1m"]), stop_client.clone());
        async move { send(&args, stop).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop_client.want();
    let summary = running.await.unwrap().unwrap();
    assert_eq!(summary.ended_by, EndedBy::Interrupt);
    assert_eq!(summary.received_bytes, Some(summary.sent_bytes));
    assert!(summary.to_string().ends_with("interrupted"));
    stop_server.want();
    assert_eq!(server.await.unwrap().bytes, summary.sent_bytes);
}

#[tokio::test]
async fn a_refused_connection_says_what_to_run() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error =
        send(&client(&[&format!("127.0.0.1:{port}")]), Stop::default()).await.unwrap_err().to_string();
    assert!(error.contains(&format!("run `vmnet load server --listen [::]:{port}`")), "{error}");
}

/// A server that answers `reply` when the client is done.
fn impostor(reply: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        io::copy(&mut stream, &mut io::sink()).unwrap();
        stream.write_all(reply).unwrap();
    });
    address
}

#[tokio::test]
async fn a_server_that_got_less_than_was_sent_or_says_nothing_is_an_error() {
    let less = send(&client(&[&impostor(&[0, 0, 0, 0, 0, 0, 0, 9]), "-n", "10"]), Stop::default())
        .await
        .unwrap_err();
    assert!(matches!(less, ClientError::Mismatch { sent_bytes: 10, received_bytes: 9 }), "{less}");
    let silent = send(&client(&[&impostor(b"hello"), "-n", "10"]), Stop::default()).await.unwrap_err();
    assert!(matches!(silent, ClientError::Unconfirmed { sent_bytes: 10 }), "{silent}");
}

#[tokio::test]
async fn a_client_that_resets_does_not_end_the_server_and_what_it_sent_is_reported_as_cut_short() {
    let listener = bind(Some("127.0.0.1:0".parse().unwrap())).unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, mut reports) = tokio::sync::mpsc::unbounded_channel();
    let stop = Stop::default();
    let server = tokio::spawn(serve(listener, false, LIMITS, stop.clone(), move |connection| {
        sender.send(connection.error.clone()).unwrap();
    }));
    let stream = TcpStream::connect(address).unwrap();
    nix::sys::socket::setsockopt(
        &stream,
        nix::sys::socket::sockopt::Linger,
        &libc::linger { l_onoff: 1, l_linger: 0 },
    )
    .unwrap();
    drop(stream);
    assert!(reports.recv().await.unwrap().is_some());
    let summary = send(&client(&[&address.to_string(), "-n", "1k"]), Stop::default()).await.unwrap();
    assert_eq!(summary.received_bytes, Some(1024));
    assert_eq!(reports.recv().await.unwrap(), None);
    stop.want();
    assert_eq!(server.await.unwrap().unwrap(), Received { connections: 2, bytes: 1024, refused: 0 });
}

#[tokio::test]
async fn who_finds_no_place_is_told_and_finds_one_when_another_has_gone() {
    let listener = bind(Some("127.0.0.1:0".parse().unwrap())).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let stop = Stop::default();
    let (sender, mut reports) = tokio::sync::mpsc::unbounded_channel();
    let limits = Limits { max_connections: 2, ..LIMITS };
    let server = tokio::spawn(serve(listener, false, limits, stop.clone(), move |connection| {
        sender.send(connection.bytes).unwrap();
    }));
    let idle = [TcpStream::connect(&address).unwrap(), TcpStream::connect(&address).unwrap()];
    // A transfer that ends before it can be told, and one that does not.
    for bytes in ["1k", "64M"] {
        let refused = send(&client(&[&address, "-n", bytes]), Stop::default()).await.unwrap_err();
        assert!(matches!(refused, ClientError::Refused { .. }), "{bytes}: {refused}");
        assert!(refused.to_string().contains("2 connections are open, and it takes no more"), "{refused}");
    }
    let [first, _second] = idle;
    drop(first);
    assert_eq!(reports.recv().await, Some(0));
    let summary = send(&client(&[&address, "-n", "1k"]), Stop::default()).await.unwrap();
    assert_eq!(summary.received_bytes, Some(1024));
    stop.want();
    let total = server.await.unwrap().unwrap();
    assert_eq!(total, Received { connections: 3, bytes: 1024, refused: 2 });
    assert!(total.to_string().ends_with("2 connections refused"), "{total}");
}

#[tokio::test]
async fn a_connection_that_sends_nothing_is_told_and_closed() {
    let listener = bind(Some("127.0.0.1:0".parse().unwrap())).unwrap();
    let address = listener.local_addr().unwrap();
    let limits = Limits { idle_timeout: Duration::from_millis(100), ..LIMITS };
    let server = tokio::spawn(serve(listener, true, limits, Stop::default(), |connection| {
        assert_eq!(connection.error.as_deref(), Some("nothing came for 0.1 s"));
    }));
    let said = tokio::task::spawn_blocking(move || io::read_to_string(TcpStream::connect(address)?));
    assert_eq!(said.await.unwrap().unwrap(), "vmnet load server: nothing came for 0.1 s\n");
    assert_eq!(server.await.unwrap().unwrap().connections, 1);
}

#[test]
fn a_port_that_is_taken_is_said_to_be_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = bind(Some(taken.local_addr().unwrap())).unwrap_err().to_string();
    assert!(error.contains("another server has it"), "{error}");
}

#[test]
fn the_command_line_has_its_defaults_and_its_bounds() {
    let args = client(&["192.0.2.1"]);
    assert_eq!((args.time, args.bytes, args.streams), (Duration::from_secs(10), None, 1));
    assert_eq!((args.message_bytes, args.nodelay, args.server.port), (128 << 10, false, DEFAULT_PORT));
    for refused in [
        &["client"][..],
        &["client", "h", "-t", "5", "-n", "5"],
        &["client", "h", "-n", "0"],
        &["client", "h", "-P", "0"],
        &["client", "h", "--message-bytes", "65M"],
        &["server", "--listen", "5310"],
        &["server", "--max-connections", "0"],
        &["server", "--idle-timeout", "0s"],
    ] {
        assert!(parse(refused).is_err(), "{refused:?}");
    }
}

#[test]
fn the_json_summary_has_units_in_its_names_and_null_for_what_is_not_known() {
    let summary = Summary {
        schema: SCHEMA.to_owned(),
        server: "[::1]:5310".to_owned(),
        streams: 2,
        message_bytes: 100,
        nodelay: true,
        ended_by: EndedBy::Interrupt,
        sent_bytes: 1000,
        received_bytes: None,
        seconds: 0.5,
        goodput_gbps: None,
        retransmitted_segments: Some(3),
        retransmitted_bytes: None,
    };
    let json = serde_json::to_value(&summary).unwrap();
    testbed::schema::validate(&json).unwrap();
    assert_eq!(json["ended_by"], "interrupt");
    assert_eq!(json["sent_bytes"], 1000);
    assert!(json["received_bytes"].is_null() && json["goodput_gbps"].is_null());
    assert_eq!(
        summary.to_string(),
        "sent           1000 bytes to [::1]:5310, 2 streams, 100-byte writes, nodelay\n\
         received       not known: interrupted before the server could say\n\
         took           0.500 s\n\
         retransmitted  segments: 3, bytes: unknown\n\
         interrupted"
    );
}
