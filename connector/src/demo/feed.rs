//! The demo's price feed: what `sluice feed` sends, from a thread of its own, and no faster than the demo's Kafka can hand it out.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use tokio::sync::oneshot;

use super::board::{Board, fingerprint};
use super::broker::{BACKLOG_MAX, BATCH_PADDING_BYTES, PADDED_BACKLOG_MAX};
use crate::feed::{Acknowledged, Pace, SYMBOLS, Walk};

/// Pause before looking again whether the connector has caught up, or the producer's queue has room.
const NAP: Duration = Duration::from_millis(1);

/// How long the last prices may take to be acknowledged when the feed is stopped.
const FLUSH_MAX: Duration = Duration::from_secs(10);

/// A running feed. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub(crate) struct Feed {
    stop: Arc<AtomicBool>,
    ended: oneshot::Receiver<()>,
    thread: Option<JoinHandle<Result<Sent, FeedError>>>,
}

/// What a feed has sent, all of it acknowledged by the broker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Number of prices.
    pub prices: u64,
    /// Wrapping sum of the prices' fingerprints, as [`super::board::Account`] has it for what arrived.
    pub fingerprint: u64,
}

/// The feed could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The producer's settings were refused.
    #[error("starting the demo's price feed for the broker {bootstrap}")]
    Start {
        /// The broker's address.
        bootstrap: String,
        /// librdkafka's reason.
        source: KafkaError,
    },
    /// The operating system gave no thread.
    #[error("starting a thread for the demo's price feed; is a limit on processes reached (ulimit -u)?")]
    Thread(#[source] std::io::Error),
    /// A price was refused by the producer.
    #[error("sending price number {number} to the demo's topic {topic}")]
    Send {
        /// How many prices were sent before, plus one.
        number: u64,
        /// The topic.
        topic: String,
        /// librdkafka's reason.
        source: KafkaError,
    },
    /// The broker did not acknowledge everything.
    #[error(
        "the demo's broker acknowledged {acknowledged} of {sent} prices within 10 s; this is a fault of the demo, please report it"
    )]
    Unacknowledged {
        /// Prices acknowledged.
        acknowledged: u64,
        /// Prices sent.
        sent: u64,
    },
    /// The feed's thread panicked.
    #[error("the demo's price feed panicked; the message is above, please report it")]
    Panicked,
}

// === impl Feed ===

impl Feed {
    /// Starts sending about `rate` prices a second to `topic`, whose `partitions` (at least one) the symbols are dealt to.
    ///
    /// It first sends one price of each symbol and waits until one has arrived on `board`, so that what follows finds a
    /// connector at work. Later it waits while [`BACKLOG_MAX`] prices are under way. It does not make up for such waits.
    pub(crate) fn start(
        bootstrap: &str,
        topic: &str,
        partitions: u8,
        walk: Walk,
        rate: NonZeroU32,
        board: Arc<Board>,
    ) -> Result<Self, FeedError> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("client.id", "sluice-demo-feed")
            // Long enough for a burst to become one batch per partition; the freshness shown is to be the connector's.
            .set("linger.ms", "0.5")
            .set_log_level(RDKafkaLogLevel::Error)
            .create_with_context(Acknowledged::default())
            .map_err(|source| FeedError::Start { bootstrap: bootstrap.to_owned(), source })?;
        let stop = Arc::new(AtomicBool::new(false));
        let (ended_tx, ended) = oneshot::channel();
        let mut loop_ = Loop {
            producer,
            topic: topic.to_owned(),
            walk,
            pace: Pace::new(rate, Instant::now()),
            board,
            stop: Arc::clone(&stop),
            sent: Sent::default(),
            text: String::new(),
            padding: OwnedHeaders::new().insert(Header { key: "padding", value: Some(&[0_u8; BATCH_PADDING_BYTES]) }),
            padded: vec![false; usize::from(partitions)],
            held: false,
        };
        let thread = std::thread::Builder::new()
            .name("demo-feed".to_owned())
            .spawn(move || {
                let _ended_tx = ended_tx;
                loop_.run()
            })
            .map_err(FeedError::Thread)?;
        Ok(Self { stop, ended, thread: Some(thread) })
    }

    /// Resolves when the feed has ended by itself, which it does only after an error; [`Feed::stop`] then tells it.
    pub(crate) async fn ended(&mut self) {
        // The sender is never used but to be dropped, when the thread ends.
        let _ = (&mut self.ended).await;
    }

    /// Ends the feed and waits, for 10 s at most, until the broker has acknowledged all prices. Blocks.
    pub(crate) fn stop(mut self) -> Result<Sent, FeedError> {
        self.stop.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread.take() else { return Ok(Sent::default()) };
        thread.thread().unpark();
        thread.join().unwrap_or(Err(FeedError::Panicked))
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What the feed's thread owns.
struct Loop {
    /// With a thread that takes in acknowledgements as they come: each holds its batch's memory until then.
    producer: ThreadedProducer<Acknowledged>,
    topic: String,
    walk: Walk,
    pace: Pace,
    board: Arc<Board>,
    stop: Arc<AtomicBool>,
    sent: Sent,
    text: String,
    padding: OwnedHeaders,
    /// Whether a partition's batch of the current burst has been padded.
    padded: Vec<bool>,
    held: bool,
}

// === impl Loop ===

impl Loop {
    fn run(&mut self) -> Result<Sent, FeedError> {
        while !self.stop.load(Ordering::Relaxed) {
            let now = Instant::now();
            if self.is_held() {
                self.pace.hold(now);
                std::thread::park_timeout(NAP);
            } else if let Some(rest) = self.pace.rest(now) {
                std::thread::park_timeout(rest);
            } else {
                let behind = self.under_way() > PADDED_BACKLOG_MAX;
                self.padded.fill(behind);
                while !self.is_held() && self.pace.take(now) {
                    self.send()?;
                }
                self.pace.end(now);
            }
        }
        let flushed = self.producer.flush(FLUSH_MAX);
        let acknowledged = self.producer.context().records();
        if flushed.is_err() || acknowledged != self.sent.prices {
            return Err(FeedError::Unacknowledged { acknowledged, sent: self.sent.prices });
        }
        Ok(self.sent)
    }

    /// Whether to wait for the connector. Once held, the feed waits until half of the backlog is gone: going on in small steps would
    /// make small batches, of which the mock broker hands out one per fetch, and the connector would never catch up.
    fn is_held(&mut self) -> bool {
        let most = if self.board.account().points == 0 { SYMBOLS.len() as u64 } else { BACKLOG_MAX };
        self.held = self.under_way() >= if self.held { most / 2 } else { most };
        self.held
    }

    /// Prices sent and not yet received.
    fn under_way(&self) -> u64 {
        self.sent.prices.saturating_sub(self.board.account().points)
    }

    fn send(&mut self) -> Result<(), FeedError> {
        let index = self.walk.next_price(&mut self.text);
        let name = SYMBOLS[index].name;
        let partition = index % self.padded.len();
        let pad = !std::mem::replace(&mut self.padded[partition], true);
        loop {
            let mut record =
                BaseRecord::to(&self.topic).partition(partition as i32).key(name).payload(self.text.as_str());
            if pad {
                record = record.headers(self.padding.clone());
            }
            match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => std::thread::park_timeout(NAP),
                Err((source, _)) => {
                    let number = self.sent.prices + 1;
                    return Err(FeedError::Send { number, topic: self.topic.clone(), source });
                }
            }
        }
        // The price as a reader of the text gets it, which the number it was made from may differ from.
        let price = self.text.rsplit(',').next().and_then(|price| price.parse().ok()).unwrap_or(f64::NAN);
        self.sent.prices += 1;
        self.sent.fingerprint = self.sent.fingerprint.wrapping_add(fingerprint(name, price));
        self.board.set_sent(self.sent.prices);
        Ok(())
    }
}
