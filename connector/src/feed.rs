//! `sluice feed`: sends prices of a seeded random walk, or the lines of a file, to a Kafka topic at a rate.
//!
//! It is what the container stack and the examples are fed by, and the demo takes its walk and its pace from here. It stands for the
//! producer of a user, so nothing of the data path is in it.

use std::io::{self, Write};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use tokio::runtime::Handle;

use crate::cli::feed::FeedArgs;
use crate::config::WorkerConfig;
use crate::source::settings;
use crate::validate::{self, WorkerError};

mod acknowledged;
mod error;
mod pace;
mod records;
mod walk;

pub(crate) use acknowledged::Acknowledged;
pub use error::FeedError;
pub(crate) use pace::Pace;
use records::{Next, Records};
pub(crate) use walk::{SYMBOLS, Walk, rank};

/// Prices a second, unless another rate is given; a file without a rate is sent as fast as the brokers take it.
const PRICES_PER_SECOND: u32 = 200;

/// How long the last records may take to be acknowledged.
const FLUSH_MAX: Duration = Duration::from_secs(30);

/// How long the brokers may take to make the topic.
const ADMIN_MAX: Duration = Duration::from_secs(30);

/// Longest sleep before the word to stop is looked at.
const NAP: Duration = Duration::from_millis(100);

/// Pause before the producer's queue is looked at again.
const QUEUE_NAP: Duration = Duration::from_millis(1);

/// What a refusal that comes with the acknowledgements is about: which one is not told.
const A_RECORD: &str = "a record";

/// A feed waits for brokers that are away instead of giving records up; a retry makes no second record.
const DEFAULTS: &[(&str, &str)] = &[
    ("client.id", "sluice-feed"),
    ("enable.idempotence", "true"),
    ("message.timeout.ms", "0"),
    ("linger.ms", "5"),
    // As Java's producer does it: a key's records stay in one partition, whoever sends them.
    ("partitioner", "murmur2_random"),
    ("log.connection.close", "false"),
];

/// A feed that sends.
struct Feed {
    producer: ThreadedProducer<Acknowledged>,
    topic: String,
    brokers: String,
    records: Records,
    key_separator: Option<u8>,
    timestamp_ms: Option<i64>,
    pace: Option<Pace>,
    sent: u64,
}

/// Sends until the file, the number or the time is at its end, or `stop` is set; then waits for the acknowledgements. Blocks.
///
/// # Errors
///
/// As [`FeedError`] says; the records before were sent.
pub fn run(args: &FeedArgs, runtime: &Handle, stop: &AtomicBool, out: &mut impl Write) -> Result<(), FeedError> {
    if args.repeat && args.file.as_ref().is_some_and(|file| file.as_os_str() == records::STANDARD_INPUT) {
        return Err(FeedError::Repeat);
    }
    let worker = validate::read_client(&args.worker)?;
    let brokers = worker.bootstrap_servers().map_err(WorkerError::from)?;
    if let Some(partitions) = args.partitions {
        make_topic(&worker, brokers, &args.topic, partitions, runtime)?;
    }
    let mut feed = Feed::open(args, &worker, brokers)?;
    let what = args.file.as_ref().map_or("prices".to_owned(), |file| format!("the lines of {}", file.display()));
    writeln!(out, "sending {what} to topic {} at {}, Ctrl-C ends it", feed.topic, feed.brokers)?;
    let began = Instant::now();
    let end = args.duration_s.map(|seconds| began + Duration::from_secs(seconds));
    let sending = feed.send(args.count.unwrap_or(u64::MAX), end, stop);
    if let Err(error) = sending {
        // What was sent before is to arrive all the same.
        let _ = feed.producer.flush(FLUSH_MAX);
        return Err(feed.explain(error, args.file.clone()));
    }
    let sent = feed.finish()?;
    let seconds = began.elapsed().as_secs_f64();
    writeln!(out, "sent {sent} records in {seconds:.1} s, every one acknowledged")?;
    Ok(())
}

fn make_topic(
    worker: &WorkerConfig,
    brokers: &str,
    topic: &str,
    partitions: u16,
    runtime: &Handle,
) -> Result<(), FeedError> {
    let failed = |reason: String| FeedError::Topic { topic: topic.to_owned(), brokers: brokers.to_owned(), reason };
    let admin: AdminClient<DefaultClientContext> =
        settings::client(&worker.client).create().map_err(|error| failed(error.to_string()))?;
    // -1: as many copies as the brokers have as their default.
    let new = NewTopic::new(topic, i32::from(partitions), TopicReplication::Fixed(-1));
    let options = AdminOptions::new().request_timeout(Some(ADMIN_MAX)).operation_timeout(Some(ADMIN_MAX));
    let made = runtime.block_on(admin.create_topics([&new], &options)).map_err(|error| failed(error.to_string()))?;
    match made.into_iter().next() {
        Some(Err((_, code))) if code != RDKafkaErrorCode::TopicAlreadyExists => Err(failed(code.to_string())),
        _ => Ok(()),
    }
}

// === impl Feed ===

impl Feed {
    fn open(args: &FeedArgs, worker: &WorkerConfig, brokers: &str) -> Result<Self, FeedError> {
        let brokers = brokers.to_owned();
        let mut config = settings::client(&worker.client);
        for (key, value) in DEFAULTS {
            if !worker.client.contains_key(*key) {
                config.set(*key, *value);
            }
        }
        let producer = config
            .create_with_context(Acknowledged::telling())
            .map_err(|source| FeedError::Producer { brokers: brokers.clone(), source })?;
        let rate = args.rate.or(args.file.is_none().then_some(PRICES_PER_SECOND)).and_then(NonZeroU32::new);
        let (records, key_separator) = match &args.file {
            Some(path) => {
                let records = Records::open(path, args.repeat)
                    .map_err(|source| FeedError::Read { path: path.clone(), source })?;
                (records, args.key_separator.map(|separator| separator as u8))
            }
            None => {
                let walk = Walk::new(args.seed, rate.unwrap_or(NonZeroU32::MIN), usize::from(args.symbols));
                (Records::Prices(walk, String::new()), Some(b','))
            }
        };
        Ok(Self {
            producer,
            topic: args.topic.clone(),
            brokers,
            records,
            key_separator,
            timestamp_ms: args.timestamp_ms,
            pace: rate.map(|rate| Pace::new(rate, Instant::now())),
            sent: 0,
        })
    }

    /// Sends at most `count` records, until `end` at the latest.
    fn send(&mut self, count: u64, end: Option<Instant>, stop: &AtomicBool) -> Result<(), Sending> {
        let over = |now| stop.load(Ordering::Relaxed) || end.is_some_and(|end| now >= end);
        while self.sent < count {
            let now = Instant::now();
            if over(now) {
                return Ok(());
            }
            if let Some(rest) = self.pace.as_mut().and_then(|pace| pace.rest(now)) {
                std::thread::sleep(rest.min(NAP));
                continue;
            }
            // Without a rate a burst is one record long.
            while self.sent < count && self.pace.as_mut().is_none_or(|pace| pace.take(now)) {
                match self.records.next().map_err(Sending::Read)? {
                    Next::Value(value) if self.send_one(&value, &over)? => {}
                    Next::Value(_) | Next::End => return Ok(()),
                    Next::NotYet => break,
                }
                if self.pace.is_none() {
                    break;
                }
            }
            if let Some(pace) = &mut self.pace {
                pace.end(now);
            }
        }
        Ok(())
    }

    /// Hands a record to the producer; false: it is time to end, and it was not.
    fn send_one(&mut self, value: &[u8], over: &impl Fn(Instant) -> bool) -> Result<bool, Sending> {
        let key = self.key_separator.and_then(|separator| value.split(|byte| *byte == separator).next());
        loop {
            if let Some(reason) = self.producer.context().refused() {
                return Err(Sending::Refused(A_RECORD.to_owned(), reason));
            }
            let mut record = BaseRecord::to(&self.topic).payload(value);
            record.key = key;
            record.timestamp = self.timestamp_ms;
            match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => std::thread::sleep(QUEUE_NAP),
                Err((error, _)) => {
                    let reason = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
                    return Err(Sending::Refused(format!("record {}", self.sent + 1), reason));
                }
            }
            if over(Instant::now()) {
                return Ok(false);
            }
        }
        self.sent += 1;
        Ok(true)
    }

    /// Waits until everything is acknowledged, and gives back how many records that are.
    fn finish(self) -> Result<u64, FeedError> {
        let flushed = self.producer.flush(FLUSH_MAX);
        if let Some(reason) = self.producer.context().refused() {
            return Err(FeedError::Refused { which: A_RECORD.to_owned(), topic: self.topic, reason });
        }
        let acknowledged = self.producer.context().records();
        if flushed.is_err() || acknowledged != self.sent {
            let (topic, brokers, sent) = (self.topic, self.brokers, self.sent);
            return Err(FeedError::Unacknowledged { topic, brokers, acknowledged, sent });
        }
        Ok(acknowledged)
    }

    fn explain(&self, error: Sending, file: Option<PathBuf>) -> FeedError {
        match error {
            Sending::Read(source) => FeedError::Read { path: file.unwrap_or_default(), source },
            Sending::Refused(which, reason) => FeedError::Refused { which, topic: self.topic.clone(), reason },
        }
    }
}

/// What stops the sending.
enum Sending {
    Read(io::Error),
    Refused(String, RDKafkaErrorCode),
}
