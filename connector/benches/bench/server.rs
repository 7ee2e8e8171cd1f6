//! A sink that costs next to nothing: reads a request, counts its lines, answers 204. A process of its own, so that its CPU
//! time is not Sluice's.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use flate2::bufread::GzDecoder;

use crate::alone;
use crate::broker::Broker;
use crate::figures::quantile;
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
    /// For each line how long after the time in its field it was here, in microseconds, if somebody wants to know.
    latencies_us: Option<Mutex<Vec<u32>>>,
}

/// The quantiles that are asked for: median, 99 %, 99.9 %, the longest.
pub(crate) const SHARES: [f64; 4] = [0.5, 0.99, 0.999, 1.0];

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
pub(crate) fn serve(stall: Option<Stall>, latency: bool) {
    let counts = Counts { latencies_us: latency.then(Mutex::default), ..Counts::default() };
    listen(&Arc::new(counts), stall);
}

/// The same with a consumer in the place of writes: how old records are when librdkafka hands them over.
pub(crate) fn serve_ages(brokers: &str, topic: &str) {
    let counts = Arc::new(Counts { latencies_us: Some(Mutex::default()), ..Counts::default() });
    let (brokers, topic, into) = (brokers.to_owned(), topic.to_owned(), Arc::clone(&counts));
    std::thread::spawn(move || alone::follow(&brokers, &topic, |value| into.note(value)));
    listen(&counts, None);
}

fn listen(counts: &Arc<Counts>, stall: Option<Stall>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap());
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let started = Instant::now();
    for stream in listener.incoming() {
        let counts = Arc::clone(counts);
        std::thread::spawn(move || answer(stream.unwrap(), &counts, started, stall));
    }
}

fn answer(stream: TcpStream, counts: &Counts, started: Instant, stall: Option<Stall>) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::with_capacity(256 * 1024, stream.try_clone().unwrap());
    let mut writer = stream;
    let mut line = String::new();
    loop {
        let (mut length, mut gzip, mut first) = (0, false, String::new());
        loop {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let header = line.trim_end();
            if first.is_empty() {
                first = header.to_owned();
            }
            let header = header.to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            gzip |= header == "content-encoding: gzip";
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
        if first.starts_with("GET /latencies") {
            let body = quantiles(counts);
            write!(writer, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
            continue;
        }
        let mut body = (&mut reader).take(length);
        if counts.latencies_us.is_some() {
            let mut lines = Vec::new();
            body.read_to_end(&mut lines).unwrap();
            counts.note(&lines);
        } else if gzip {
            count(&mut BufReader::new(GzDecoder::new(body)), counts, started);
        } else {
            count(&mut body, counts, started);
        }
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

fn count(body: &mut impl BufRead, counts: &Counts, started: Instant) {
    let now = || u64::try_from(started.elapsed().as_micros()).unwrap();
    if let Some(start) = body.fill_buf().unwrap().first_chunk::<8>() {
        let _ = counts.first_us.compare_exchange(0, now(), Ordering::AcqRel, Ordering::Acquire);
        let start = u64::from_ne_bytes(*start);
        if counts.beginning.swap(start, Ordering::AcqRel) != start {
            counts.changed_us.store(now(), Ordering::Release);
            counts.changes.fetch_add(1, Ordering::AcqRel);
        }
    }
    let mut lines = 0;
    loop {
        let bytes = body.fill_buf().unwrap();
        if bytes.is_empty() {
            break;
        }
        lines += memchr::memchr_iter(b'\n', bytes).count() as u64;
        let taken = bytes.len();
        body.consume(taken);
    }
    if lines > 0 {
        counts.last_us.store(now(), Ordering::Release);
        counts.lines.fetch_add(lines, Ordering::AcqRel);
    }
}

/// How old each line is by the time in it, the digits after the first `=` or `,`, microseconds since 1970:
/// `cryptos LAT-USD=1764064000000000 …`, or `LAT-USD,1764064000000000`.
fn ages(body: &[u8]) -> impl Iterator<Item = u32> {
    let now_us = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64;
    body.split(|&byte| byte == b'\n').filter_map(move |line| {
        let time = &line[memchr::memchr2(b'=', b',', line)? + 1..];
        let end = time.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(time.len());
        let due_us = std::str::from_utf8(&time[..end]).ok()?.parse().ok()?;
        u32::try_from(now_us.saturating_sub(due_us)).ok()
    })
}

/// How many there were since the last question, and those of [`SHARES`], in microseconds.
fn quantiles(counts: &Counts) -> String {
    let mut all = std::mem::take(&mut *counts.latencies_us.as_ref().unwrap().lock().unwrap());
    all.sort_unstable();
    let at = |share| if all.is_empty() { 0 } else { quantile(&all, share) };
    let shares: Vec<String> = SHARES.iter().map(|&share| at(share).to_string()).collect();
    format!("{} {}", all.len(), shares.join(" "))
}

// === impl Counts ===

impl Counts {
    /// Keeps how old lines are.
    fn note(&self, lines: &[u8]) {
        let mut latencies = self.latencies_us.as_ref().unwrap().lock().unwrap();
        let before = latencies.len();
        latencies.extend(ages(lines));
        self.lines.fetch_add((latencies.len() - before) as u64, Ordering::AcqRel);
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

    /// One that keeps how old each line was.
    pub(crate) fn with_latencies() -> Self {
        Self::spawn(&["serve", "--latency"])
    }

    /// A consumer alone, which keeps how old each record was.
    pub(crate) fn of_ages(broker: &Broker, topic: &str) -> Self {
        Self::spawn(&["age", &broker.address, topic])
    }

    /// What it has seen, in its own clock.
    pub(crate) fn seen(&self) -> Seen {
        let numbers = self.ask("/seen");
        let mut numbers = numbers.into_iter();
        let mut next = || numbers.next().unwrap();
        Seen { lines: next(), first_us: next(), last_us: next(), now_us: next(), changes: next(), changed_us: next() }
    }

    /// Of the lines since the last question: how many there were, and the median, 99 %, 99.9 % and the longest of their ages in microseconds.
    pub(crate) fn take_latencies(&self) -> Vec<u64> {
        self.ask("/latencies")
    }

    fn ask(&self, path: &str) -> Vec<u64> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\n\r\n").unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
        }
        let mut numbers = [0; 128];
        let read = reader.read(&mut numbers).unwrap();
        let text = std::str::from_utf8(&numbers[..read]).unwrap();
        text.split(' ').map(|number| number.parse().unwrap()).collect()
    }
}
