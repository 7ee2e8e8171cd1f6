//! One run: a process that reads a whole topic, followed until the last line is where it goes.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::broker::Broker;
use crate::process::Child;
use crate::rival::Rival;
use crate::server::Server;
use crate::sluice_process;
use crate::store::Store;
use crate::wait::PATIENCE;

/// Between two looks at a store, which each cost it something.
const LOOK: Duration = Duration::from_millis(50);

/// What a run came to.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Figures {
    pub(crate) records_per_s: f64,
    pub(crate) cpu_s_per_million: f64,
    pub(crate) peak_mb: f64,
    /// From the start of the process to its first write, where there is one.
    pub(crate) first_write_s: Option<f64>,
}

/// Where lines go.
#[derive(Clone, Copy)]
pub(crate) enum Sink<'a> {
    /// A server of our own that takes everything.
    Server(&'a Server),
    /// A real one.
    Store(&'a Store),
}

/// When a process was started, by our clock and by the sink's, and what the sink had before.
struct Started {
    at: Instant,
    sink_us: u64,
    lines: u64,
}

/// What is read, and how.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) broker: &'a Broker,
    pub(crate) topic: &'a str,
    pub(crate) records: u64,
    /// The consumer group: one that has read nothing yet.
    pub(crate) name: &'a str,
}

/// Sluice, with settings beside the usual ones.
pub(crate) fn sluice<S: AsRef<str>>(job: Job<'_>, sink: Sink<'_>, more: &[(S, S)]) -> Figures {
    let folder = tempfile::tempdir().unwrap();
    let started = Started::now(sink);
    let settings = sluice_process::settings(job.topic, sink.port(), more);
    let child = sluice_process::start(job.broker, (job.name, &settings), folder.path(), (0, &[]));
    let figures = started.follow(&child, sink, job.records, false);
    child.terminate();
    figures
}

/// Kafka Connect. Its CPU time counts from its first write on: a virtual machine that starts and compiles is not what is compared.
pub(crate) fn rival(rival: &Rival, job: Job<'_>, sink: Sink<'_>) -> Figures {
    let started = Started::now(sink);
    let child = rival.start(job.broker, job.topic, job.name, sink.port());
    started.follow(&child, sink, job.records, true)
}

/// Lines in the sink, and when the first and the last came in microseconds of its clock.
#[derive(Clone, Copy)]
struct Seen {
    lines: u64,
    first_us: u64,
    last_us: u64,
}

// === impl Sink ===

impl Sink<'_> {
    pub(crate) fn port(self) -> u16 {
        match self {
            Self::Server(server) => server.address.port(),
            Self::Store(store) => store.port,
        }
    }
}

// === impl Started ===

impl Started {
    fn now(sink: Sink<'_>) -> Self {
        let at = Instant::now();
        match sink {
            Sink::Server(server) => {
                let seen = server.seen();
                Self { at, sink_us: seen.now_us, lines: seen.lines }
            }
            Sink::Store(store) => Self { at, sink_us: 0, lines: store.written() },
        }
    }

    /// A store does not say when lines came: the first did after the last look that saw none.
    fn look(&self, sink: Sink<'_>, before: Option<Seen>) -> Seen {
        match sink {
            Sink::Server(server) => {
                std::thread::sleep(Duration::from_millis(5));
                let seen = server.seen();
                Seen { lines: seen.lines - self.lines, first_us: seen.first_us, last_us: seen.last_us }
            }
            Sink::Store(store) => {
                std::thread::sleep(LOOK);
                let (lines, now_us) = (store.written() - self.lines, self.at.elapsed().as_micros() as u64);
                let first_us = before.filter(|_| lines > 0).map_or(now_us, |seen| seen.first_us);
                let last_us = before.filter(|seen| seen.lines == lines).map_or(now_us, |seen| seen.last_us);
                Seen { lines, first_us, last_us }
            }
        }
    }

    /// Waits until the sink has every line. With `warm` the process's CPU time counts from its first write on.
    fn follow(self, child: &Child, sink: Sink<'_>, records: u64, warm: bool) -> Figures {
        let (mut seen, mut spent_before, mut moved) = (self.look(sink, None), None, Instant::now());
        while seen.lines < records {
            assert!(moved.elapsed() < PATIENCE, "only {} of {records} lines came", seen.lines);
            if seen.lines == 0 {
                spent_before = Some(child.usage().cpu_s).filter(|_| warm);
            }
            let now = self.look(sink, Some(seen));
            if now.lines > seen.lines {
                moved = Instant::now();
            }
            seen = now;
        }
        let usage = child.usage();
        assert_eq!(seen.lines, records, "every record is one line, once");
        Figures {
            records_per_s: records as f64 / ((seen.last_us - seen.first_us) as f64 / 1e6),
            cpu_s_per_million: (usage.cpu_s - spent_before.unwrap_or(0.0)) / records as f64 * 1e6,
            peak_mb: usage.peak_mb,
            first_write_s: Some((seen.first_us - self.sink_us) as f64 / 1e6),
        }
    }
}
