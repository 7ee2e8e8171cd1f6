//! `sluice demo`: the whole path with no service needed. A price feed writes to a Kafka inside this process, the real connector reads,
//! transforms and writes to a receiver inside this process, and a person watches in the terminal and on a page.
//!
//! Only the two ends are stand-ins: [`broker`] for Kafka and [`receiver`] for InfluxDB. What lies between is started by the
//! closure given to [`run`] and is what `sluice run` runs. When the demo ends, what arrived is compared with what was sent: as many
//! points, none twice, the same symbols and values. Read on in the order of the data: `feed`, `broker`, `receiver`, `board`, then `view` and `page`.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use board::{Account, Board};
use broker::{Broker, BrokerError};
use feed::{Feed, FeedError, Sent};
use freshness::Freshness;
use receiver::{Receiver, ReceiverError};
use view::{Facts, View, grouped, say};

use crate::feed::{SYMBOLS, Walk};

pub mod board;
pub mod broker;
mod command;
pub mod feed;
pub mod freshness;
pub mod log_tail;
pub mod page;
pub mod receiver;
mod view;

#[cfg(test)]
mod testing;

pub use broker::CONSUMER_OVERRIDES;
pub use command::command;
pub use log_tail::LogTail;
pub use view::has_live_terminal;

/// The topic of the demo.
pub const TOPIC: &str = "prices";

/// Partitions of the topic: more than one, so that the demo shows that prices of several partitions end in one request.
const PARTITIONS: u8 = 4;

/// The database named in the connector's config; the receiver takes any.
pub const DATABASE: &str = "demo";

/// How long the connector may take, when the feed has stopped, to deliver what is left. It is at most the feed's backlog, a
/// fraction of a second's work; the rest is for a slow machine.
const DRAIN_MAX: Duration = Duration::from_secs(15);

/// An error of the connector, of whatever type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What `sluice demo` was asked for.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Ends the demo after this time; none: when it is told to.
    pub duration: Option<Duration>,
    /// Prices per second, over all symbols.
    pub rate: NonZeroU32,
    /// Of the random walk: the same seed and rate give the same prices.
    pub seed: u64,
    /// Shows the live table, if [`has_live_terminal`]; otherwise, or if the table cannot be shown, prints a line a second.
    pub live: bool,
    /// Where the process's log goes, so that the live view can hold it back; a default one if the log goes elsewhere.
    pub log: LogTail,
}

/// What the connector is to be started with.
#[derive(Debug)]
pub struct ConnectorInputs {
    /// `bootstrap.servers`.
    pub bootstrap: String,
    /// `topics`.
    pub topic: String,
    /// `influx.url`; speaks InfluxDB 1, plain, without credentials.
    pub influx_url: String,
    /// `influx.database`.
    pub database: String,
    /// librdkafka properties for the consumer, needed because of how the mock broker answers.
    pub consumer_overrides: &'static [(&'static str, &'static str)],
    /// Routes to be merged into the listener's: the page.
    pub extra_routes: Router,
}

/// The started connector, as the demo needs it.
pub trait RunningConnector: Send {
    /// Where its listener is, if it has one.
    fn listener(&self) -> Option<SocketAddr>;

    /// Resolves with the reason when the connector has failed; stays pending otherwise. May be dropped and called again.
    fn failed(&mut self) -> impl Future<Output = BoxError> + Send;

    /// Stops it in an orderly way: what is in flight is acknowledged and committed.
    fn stop(self) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// What the demo found out, for a person: its `Display` has several lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// What the feed sent.
    pub sent: Sent,
    /// What the receiver got.
    pub received: Account,
    /// From the first point to the end of the feed, roughly: how long points were received.
    pub elapsed: Duration,
    /// Freshness over the whole run and seconds from the demo's start to the first point; none if nothing arrived.
    pub freshness: Option<(Freshness, f64)>,
}

/// Why the demo ended early.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The demo's Kafka did not start.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The demo's InfluxDB did not start.
    #[error(transparent)]
    Receiver(#[from] ReceiverError),
    /// The price feed did not start or go on.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// No thread for the view.
    #[error("starting a thread for the demo's view; is a limit on processes reached (ulimit -u)?")]
    View(#[source] std::io::Error),
    /// The closure failed.
    #[error("starting the demo's connector")]
    Connect(#[source] BoxError),
    /// The connector failed while the demo ran.
    #[error("the demo's connector failed")]
    Connector(#[source] BoxError),
    /// The connector did not stop in an orderly way.
    #[error("stopping the demo's connector")]
    Stop(#[source] BoxError),
}

/// Runs the demo until its duration is over, the person leaves or `stop` resolves, then lets everything that was sent arrive, stops
/// the connector, and prints and returns the summary. Whether everything arrived is in [`Summary::is_complete`].
///
/// Needs a runtime with at least two threads: stopping the parts blocks one for a moment.
///
/// # Errors
/// A part did not start, or the connector failed or did not stop in an orderly way.
pub async fn run<C, F, R>(
    options: DemoOptions,
    stop: impl Future<Output = ()>,
    connect: C,
) -> Result<Summary, DemoError>
where
    C: FnOnce(ConnectorInputs) -> F,
    F: Future<Output = Result<R, BoxError>>,
    R: RunningConnector,
{
    let board = Arc::new(Board::new());
    let broker = Broker::start(TOPIC, PARTITIONS)?;
    let receiver = Receiver::start(Arc::clone(&board)).await?;
    let mut connector = connect(ConnectorInputs {
        bootstrap: broker.bootstrap().to_owned(),
        topic: TOPIC.to_owned(),
        influx_url: receiver.url(),
        database: DATABASE.to_owned(),
        consumer_overrides: CONSUMER_OVERRIDES,
        extra_routes: page::router(Arc::clone(&board)),
    })
    .await
    .map_err(DemoError::Connect)?;
    let walk = Walk::new(options.seed, options.rate, SYMBOLS.len());
    let mut feed = Feed::start(broker.bootstrap(), TOPIC, PARTITIONS, walk, options.rate, Arc::clone(&board))?;
    let facts = Facts {
        kafka: broker.bootstrap().to_owned(),
        influx: receiver.url(),
        page: connector.listener().map(|address| format!("http://{address}/demo")),
        duration: options.duration,
    };
    let mut view = View::start(Arc::clone(&board), facts, options.log, options.live).map_err(DemoError::View)?;

    let failed = tokio::select! {
        biased;
        reason = connector.failed() => Some(reason),
        // The feed ends by itself after an error only; stopping it below tells which.
        () = feed.ended() => None,
        () = view.quit() => None,
        () = stop => None,
        () = passed(options.duration) => None,
    };

    // First the terminal as it was, so that whatever is said from here on can be read.
    finish_blocking(move || view.close()).await;
    let sent = finish_blocking(move || feed.stop()).await.unwrap_or(Err(FeedError::Panicked));
    let outcome = match (failed, sent) {
        (Some(reason), _) => Err(DemoError::Connector(reason)),
        (None, Err(error)) => Err(error.into()),
        (None, Ok(sent)) => drain(&board, sent, &mut connector).await.map(|()| sent),
    };
    let stopped = connector.stop().await.map_err(DemoError::Stop);
    let sent = outcome?;
    stopped?;
    let summary = Summary::of(&board, sent);
    say(&summary.to_string());
    Ok(summary)
}

/// Resolves after `duration`, or never.
async fn passed(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

/// Runs what blocks off the runtime's threads. None if it panicked, which the panic hook has reported.
async fn finish_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    spawn_blocking(work).await.ok()
}

/// Waits until everything sent has arrived; not arriving in time is not an error here, the summary says what is missing.
async fn drain(board: &Board, sent: Sent, connector: &mut impl RunningConnector) -> Result<(), DemoError> {
    tokio::select! {
        biased;
        _ = timeout(DRAIN_MAX, board.arrived(sent.prices)) => Ok(()),
        reason = connector.failed() => Err(DemoError::Connector(reason)),
    }
}

// === impl Summary ===

impl Summary {
    fn of(board: &Board, sent: Sent) -> Self {
        let freshness = board.totals();
        let since_first = board.snapshot().elapsed_s - freshness.map_or(0.0, |(_, first)| first);
        let elapsed = Duration::from_secs_f64(since_first.max(0.0));
        Self { sent, received: board.account(), elapsed, freshness }
    }

    /// Every price arrived, as the point it should be, and none was overwritten by another.
    pub fn is_complete(&self) -> bool {
        self.received.distinct == self.sent.prices && self.received.fingerprint == self.sent.fingerprint
    }

    fn verdict(&self) -> String {
        let (sent, distinct) = (self.sent.prices, self.received.distinct);
        match distinct {
            _ if self.is_complete() => {
                "complete: every price is a point of its own, with the value that was sent".to_owned()
            }
            fewer if fewer < sent => format!("NOT complete: {} prices are missing", grouped(sent - fewer)),
            more if more > sent => format!("NOT complete: {} points were never sent", grouped(more - sent)),
            _ => "NOT complete: as many points as prices, but some differ in symbol or value".to_owned(),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, received, elapsed, freshness } = self;
        let rate = received.points as f64 / elapsed.as_secs_f64().max(0.001);
        writeln!(f, "prices sent      {:>12}", grouped(sent.prices))?;
        writeln!(f, "points received  {:>12}", grouped(received.points))?;
        writeln!(f, "distinct points  {:>12}", grouped(received.distinct))?;
        writeln!(f, "points/s         {:>12}", grouped(rate.round() as u64))?;
        if let Some((Freshness { p50_ms, p99_ms }, first_s)) = freshness {
            writeln!(f, "freshness        {:>12}", format!("p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms"))?;
            writeln!(f, "first point      {:>12}", format!("{first_s:.2} s after the start"))?;
        }
        write!(f, "{}", self.verdict())
    }
}

#[cfg(test)]
mod tests;
