//! A sink that costs next to nothing: reads a request, counts its lines, answers 204. A process of its own, so that its CPU
//! time is not Sluice's.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::process::Child;

/// Counts, and when the first and the last line came, in microseconds since the start.
#[derive(Default)]
struct Counts {
    lines: AtomicU64,
    first_us: AtomicU64,
    last_us: AtomicU64,
    /// The first bytes of the latest body, how often they were other ones, and when they last became so.
    beginning: AtomicU64,
    changes: AtomicU64,
    changed_us: AtomicU64,
}

/// How a server takes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Stall {
    /// It never answers a write.
    Hang,
    /// It answers 503.
    Unavailable,
}

/// The running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _child: Child,
}

/// What it has seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) lines: u64,
    pub(crate) first_us: u64,
    pub(crate) last_us: u64,
    /// The server's clock at this look.
    pub(crate) now_us: u64,
    /// How many bodies began with another measurement than the one before, and when the last of them came.
    pub(crate) changes: u64,
    pub(crate) changed_us: u64,
}

/// The part that runs in the server's process; ends when its standard input closes.
pub(crate) fn serve(stall: Option<Stall>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap());
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let (counts, started) = (Arc::new(Counts::default()), Instant::now());
    for stream in listener.incoming() {
        let counts = Arc::clone(&counts);
        std::thread::spawn(move || answer(stream.unwrap(), &counts, started, stall));
    }
}

fn answer(stream: TcpStream, counts: &Counts, started: Instant, stall: Option<Stall>) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::with_capacity(256 * 1024, stream.try_clone().unwrap());
    let mut writer = stream;
    let mut line = String::new();
    loop {
        let (mut length, mut first) = (0, String::new());
        loop {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let header = line.trim_end();
            if first.is_empty() {
                first = header.to_owned();
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if header.is_empty() {
                break;
            }
        }
        if first.starts_with("GET /seen") {
            let of = |count: &AtomicU64| count.load(Ordering::Acquire);
            let now_us = started.elapsed().as_micros();
            let (lines, first_us, last_us) = (of(&counts.lines), of(&counts.first_us), of(&counts.last_us));
            let (changes, changed_us) = (of(&counts.changes), of(&counts.changed_us));
            let body = format!("{lines} {first_us} {last_us} {now_us} {changes} {changed_us}");
            write!(writer, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
            continue;
        }
        count(&mut reader, length, counts, started);
        match stall.filter(|_| first.starts_with("POST")) {
            Some(Stall::Hang) => continue,
            Some(Stall::Unavailable) => {
                writer.write_all(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").unwrap();
                continue;
            }
            None => {}
        }
        writer.write_all(b"HTTP/1.1 204 No Content\r\nX-Influxdb-Version: 1.8.10\r\n\r\n").unwrap();
    }
}

fn count(reader: &mut impl BufRead, mut length: usize, counts: &Counts, started: Instant) {
    let now = || u64::try_from(started.elapsed().as_micros()).unwrap();
    if length > 0 {
        let _ = counts.first_us.compare_exchange(0, now(), Ordering::AcqRel, Ordering::Acquire);
        if let Some(start) = reader.fill_buf().unwrap().first_chunk::<8>() {
            let start = u64::from_ne_bytes(*start);
            if counts.beginning.swap(start, Ordering::AcqRel) != start {
                counts.changed_us.store(now(), Ordering::Release);
                counts.changes.fetch_add(1, Ordering::AcqRel);
            }
        }
    }
    let mut lines = 0;
    while length > 0 {
        let buffer = reader.fill_buf().unwrap();
        let taken = buffer.len().min(length);
        lines += memchr::memchr_iter(b'\n', &buffer[..taken]).count() as u64;
        reader.consume(taken);
        length -= taken;
    }
    if lines > 0 {
        counts.last_us.store(now(), Ordering::Release);
        counts.lines.fetch_add(lines, Ordering::AcqRel);
    }
}

// === impl Server ===

impl Server {
    pub(crate) fn start() -> Self {
        Self::spawn(&["serve"])
    }

    /// One that takes nothing.
    pub(crate) fn stalled(stall: Stall) -> Self {
        let stall = clap::ValueEnum::to_possible_value(&stall).expect("no value is hidden");
        Self::spawn(&["serve", stall.get_name()])
    }

    fn spawn(arguments: &[&str]) -> Self {
        let mut child = Child::spawn(std::env::current_exe().unwrap(), arguments, Stdio::piped());
        let address = child.line().parse().unwrap();
        Self { address, _child: child }
    }

    /// What it has seen, in its own clock.
    pub(crate) fn seen(&self) -> Seen {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(b"GET /seen HTTP/1.1\r\n\r\n").unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
        }
        let mut numbers = [0; 128];
        let read = reader.read(&mut numbers).unwrap();
        let text = std::str::from_utf8(&numbers[..read]).unwrap();
        let mut numbers = text.split(' ').map(|number| number.parse().unwrap());
        let mut next = || numbers.next().unwrap();
        Seen { lines: next(), first_us: next(), last_us: next(), now_us: next(), changes: next(), changed_us: next() }
    }
}
