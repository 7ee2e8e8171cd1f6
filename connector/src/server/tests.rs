#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream as Client;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use axum::routing::{get, post};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, oneshot};

use super::*;
use crate::config::WorkerConfig;

/// How long anything is waited for: only a failure lasts that long.
const DEADLINE: Duration = Duration::from_secs(30);

/// A served router; clients are threads of the test.
struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    runtime: Runtime,
    served: Option<tokio::task::JoinHandle<()>>,
}

impl Running {
    fn start(settings: &[(&str, &str)], router: Router) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let settings: BTreeMap<_, _> = settings
            .iter()
            .chain(&[("listeners", "http://127.0.0.1:0")])
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect();
        let config = WorkerConfig::check(&settings, [], &BTreeMap::new()).unwrap().config;
        let server = runtime.block_on(Server::bind(&config.listeners)).unwrap();
        let address = server.listening()[0].address;
        let (stop_tx, stop_rx) = oneshot::channel();
        let stop = async {
            let _ = stop_rx.await;
        };
        let served = runtime.spawn(server.serve(router, stop));
        Self { address, stop: Some(stop_tx), runtime, served: Some(served) }
    }

    fn connect(&self) -> Client {
        let client = Client::connect(self.address).unwrap();
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        client.set_nodelay(true).unwrap();
        client
    }

    /// Sends a whole request and gives back the answer.
    fn ask(&self, request: &str) -> String {
        let mut client = self.connect();
        client.write_all(request.as_bytes()).unwrap();
        rest(&mut client)
    }

    fn is_served(&self) {
        let answer = self.ask(HELLO);
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");
    }

    /// Stops, and asserts that it ends.
    fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        let served = self.served.take().unwrap();
        self.runtime.block_on(async { tokio::time::timeout(DEADLINE, served).await }).unwrap().unwrap();
    }
}

const HELLO: &str = "GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

fn router() -> Router {
    Router::new().route("/hello", get(|| async { "hello" })).route("/echo", post(|body: String| async { body }))
}

/// What comes until the connection ends; also one that is reset has ended.
fn rest(client: &mut Client) -> String {
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match client.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("nothing came: {error}"),
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends a byte now and then until the other side ends the connection.
fn dribble(mut client: Client, bytes: &[u8]) -> String {
    let started = std::time::Instant::now();
    for byte in bytes.iter().cycle() {
        assert!(started.elapsed() < DEADLINE, "nobody cut it off");
        if client.write_all(&[*byte]).is_err() {
            break;
        }
        client.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        match client.read(&mut [0]) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Ok(1) => {
                client.set_read_timeout(Some(DEADLINE)).unwrap();
                return format!("H{}", rest(&mut client));
            }
            _ => break,
        }
    }
    String::new()
}

#[test]
fn clients_that_send_a_byte_now_and_then_are_cut_off_and_others_served() {
    let server = Running::start(&[("listeners.idle.timeout.ms", "300")], router());
    let slow: Vec<_> = (0..8)
        .map(|_| {
            let mut client = server.connect();
            client.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\nx-slow: ").unwrap();
            std::thread::spawn(move || dribble(client, b"a"))
        })
        .collect();
    server.is_served();
    for client in slow {
        let answer = client.join().unwrap();
        assert!(!answer.contains("200"), "{answer}");
    }
    server.is_served();
    // Also one that sends nothing at all, and one that was served and stays.
    assert_eq!(rest(&mut server.connect()), "");
    let mut kept = server.connect();
    kept.write_all(HELLO.replace("connection: close\r\n", "").as_bytes()).unwrap();
    assert!(rest(&mut kept).ends_with("hello"));
    server.stop();
}

#[test]
fn a_body_that_stops_or_dribbles_ends_with_an_error() {
    let settings = [("listeners.idle.timeout.ms", "200"), ("listeners.request.timeout.ms", "600")];
    let server = Running::start(&settings, router());
    let head = "POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1000000\r\n\r\n";
    let stopped = server.ask(&format!("{head}abc"));
    assert!(stopped.starts_with("HTTP/1.1 400"), "{stopped}");
    let mut client = server.connect();
    client.write_all(head.as_bytes()).unwrap();
    let dribbled = dribble(client, b"a");
    assert!(dribbled.starts_with("HTTP/1.1 500") && dribbled.contains("Request timed out"), "{dribbled}");
    server.stop();
}

#[test]
fn whoever_takes_nothing_of_an_answer_loses_it() {
    /// Tells when it is dropped.
    struct Told(mpsc::SyncSender<()>);
    impl AsRef<[u8]> for Told {
        fn as_ref(&self) -> &[u8] {
            &[b'x'; 1 << 20]
        }
    }
    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let (told, dropped) = mpsc::sync_channel(64);
    // More than the buffers of both sides take.
    let endless = move || {
        let pieces = (0..64).map(|_| axum::body::Bytes::from_owner(Told(told.clone())));
        let body = Pieces(pieces.collect());
        async { Body::new(body) }
    };
    let server = Running::start(&[("listeners.idle.timeout.ms", "200")], router().route("/endless", get(endless)));
    let mut client = server.connect();
    client.write_all(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    for _ in 0..64 {
        dropped.recv_timeout(DEADLINE).expect("the answer is given up although its client is there");
    }
    server.is_served();
    drop(client);
    server.stop();
}

/// A body of pieces.
struct Pieces(Vec<axum::body::Bytes>);

impl axum::body::HttpBody for Pieces {
    type Data = axum::body::Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Infallible>>> {
        std::task::Poll::Ready(self.0.pop().map(|piece| Ok(hyper::body::Frame::data(piece))))
    }
}

#[test]
fn idle_connections_make_room() {
    let settings = [("listeners.connections.max", "2"), ("listeners.idle.timeout.ms", "3600000")];
    let server = Running::start(&settings, router());
    let mut kept = [server.connect(), server.connect()];
    // Both are in, and nobody is pushed out as long as nobody comes.
    for client in &mut kept {
        client.write_all(HELLO.replace("connection: close\r\n", "").as_bytes()).unwrap();
        let mut answer = String::new();
        while !answer.ends_with("hello") {
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            answer.push(char::from(byte[0]));
        }
    }
    let [mut first, mut second] = kept;
    server.is_served();
    assert_eq!(rest(&mut first), "", "the one that was there first has made room");
    second.write_all(HELLO.as_bytes()).unwrap();
    assert!(rest(&mut second).ends_with("hello"), "one was enough");
    server.stop();
}

#[test]
fn no_more_requests_than_connections_run_side_by_side_and_none_is_lost() {
    let (running, most, go) =
        (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let (entered, enter) = mpsc::sync_channel(64);
    let held = {
        let (running, most, go) = (Arc::clone(&running), Arc::clone(&most), Arc::clone(&go));
        move || {
            let (running, most, go, entered) =
                (Arc::clone(&running), Arc::clone(&most), Arc::clone(&go), entered.clone());
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                entered.send(()).unwrap();
                go.acquire().await.unwrap().forget();
                running.fetch_sub(1, Ordering::SeqCst);
                "hello"
            }
        }
    };
    let server = Running::start(&[("listeners.connections.max", "2")], router().route("/held", get(held)));
    let request = HELLO.replace("/hello", "/held");
    let clients: Vec<_> = (0..6)
        .map(|_| {
            let (mut client, request) = (server.connect(), request.clone());
            std::thread::spawn(move || {
                client.write_all(request.as_bytes()).unwrap();
                rest(&mut client)
            })
        })
        .collect();
    for _ in 0..6 {
        enter.recv_timeout(DEADLINE).unwrap();
        go.add_permits(1);
    }
    for client in clients {
        assert!(client.join().unwrap().ends_with("hello"));
    }
    assert!(most.load(Ordering::SeqCst) <= 2);
    server.stop();
}

#[test]
fn headers_and_bodies_have_limits() {
    let server = Running::start(&[("listeners.request.body.max.bytes", "2000")], router());
    let large = |bytes: usize| {
        format!("GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx: {}\r\n\r\n", "a".repeat(bytes))
    };
    assert!(server.ask(&large(HEADER_BYTES_MAX - 1000)).starts_with("HTTP/1.1 200"));
    assert!(server.ask(&large(HEADER_BYTES_MAX + 1)).starts_with("HTTP/1.1 431"));
    let many: String = (0..=HEADERS_MAX).map(|number| format!("x-{number}: a\r\n")).collect();
    assert!(server.ask(&HELLO.replace("host: x\r\n", &many)).starts_with("HTTP/1.1 431"));
    let post = |bytes: usize| {
        format!(
            "POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {bytes}\r\n\r\n{}",
            "a".repeat(bytes)
        )
    };
    assert!(server.ask(&post(2000)).starts_with("HTTP/1.1 200"));
    let answer = server.ask(&post(2001));
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("\"error_code\":413"), "{answer}");
    assert!(server.ask("nonsense\r\n\r\n").starts_with("HTTP/1.1 400"));
    server.is_served();
    server.stop();
}

#[test]
fn what_listens_beyond_this_machine_without_users_is_refused_whatever_its_name() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let nothing = BTreeMap::new();
    let mut config = WorkerConfig::check(&nothing, [], &nothing).unwrap().config.listeners;
    config.main = vec![ListenAddress { https: false, address: "0.0.0.0:0".to_owned() }];
    let error = runtime.block_on(Server::bind(&config)).unwrap_err();
    assert!(matches!(error, ServerError::Open { .. }) && error.to_string().contains("sluice passwd"), "{error}");
    config.allow_anonymous = true;
    runtime.block_on(Server::bind(&config)).unwrap();
    config.users_file = Some(PathBuf::from("/there/is/no/such/file"));
    let error = runtime.block_on(Server::bind(&config)).unwrap_err();
    assert!(matches!(&error, ServerError::Read { key: "rest.auth.users.file", .. }), "{error}");
}
