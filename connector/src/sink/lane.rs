//! The lane: sends bodies, several at once if the server answers slowly, and retries until there is a decision.
//!
//! The pipeline's thread hands bodies over and takes outcomes back; the requests run on the process's async runtime. A
//! transient failure is retried for ever with growing, jittered pauses. A configuration error (wrong token, database
//! missing) holds the data, raises the alarm and asks again until somebody has mended it. A body that is refused for its lines is
//! sent again in pieces until each line is stored or known to be refused ([`super::hunt`]). Nothing is dropped.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::body::{Body, Part};
use super::hunt::{Hunt, RefusedLine};
use super::renew::Renewable;
use super::verdict::Verdict;
use crate::config::{Product, RequestsInFlight, VersionSetting};
use crate::metrics::{RequestOutcome, Stage, TaskMetrics};
use crate::retry::Backoff;
use crate::status::{TaskBoard, TaskState};

/// Requests at once on InfluxDB 3, which answers when its log is flushed, once a second.
const IN_FLIGHT_V3: usize = 8;

/// The pause between two tries, at first and at most.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// How often a held request is tried again: soon enough for who has just mended the configuration.
const HELD_MAX: Duration = Duration::from_secs(5);

/// A body of which every line is decided: stored, or refused for good.
#[derive(Debug)]
pub struct Written {
    /// The body; its bytes are gone unless lines were refused.
    pub body: Body,
    /// How many bytes it had.
    pub bytes: usize,
    /// The lines that are not stored, in their order.
    pub refused: Vec<RefusedLine>,
}

/// Sends bodies for one task.
#[derive(Debug)]
pub struct Lane {
    runtime: Handle,
    shared: Arc<Shared>,
    // Ends its requests when it is dropped.
    requests: JoinSet<()>,
    in_flight: usize,
    limit: RequestsInFlight,
    outcomes_tx: SyncSender<Written>,
    outcomes: Receiver<Written>,
}

/// What all requests of a lane share.
#[derive(Debug)]
struct Shared {
    client: Arc<Renewable>,
    product: tokio::sync::OnceCell<Product>,
    /// The smallest request that the server found too large: what has as many bytes is halved before it is sent.
    too_large: AtomicUsize,
    retry_max: Duration,
    trouble: Trouble,
    metrics: TaskMetrics,
    wake: Thread,
}

/// How many requests are being retried now, and how many ever were. Tells the board of each failure; that it is over the
/// pipeline sees and tells.
#[derive(Debug)]
struct Trouble {
    board: TaskBoard,
    requests: Mutex<Failing>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Failing {
    now: usize,
    ever: u64,
}

/// One request's failure to get through. Ended by [`Troubled::over`]; a request that is given up ends nothing.
struct Troubled<'a> {
    trouble: &'a Trouble,
    counted: bool,
}

// === impl Written ===

impl Written {
    /// The parts of the body, each with the lines of it that are refused: a part without any is decided.
    pub fn parts(&self) -> impl Iterator<Item = (&Part, &[RefusedLine])> {
        let mut rest = self.refused.as_slice();
        self.body.parts.iter().enumerate().map(move |(index, part)| {
            let end = self.body.parts.get(index + 1).map_or(usize::MAX, |next| next.first_line);
            let (refused, others) = rest.split_at(rest.partition_point(|refused| refused.line < end));
            rest = others;
            (part, refused)
        })
    }
}

// === impl Lane ===

impl Lane {
    /// A lane to `client`'s server, which pauses between tries for `retry_delay_max` at the most, or 30 s. `wake` is unparked when there is an outcome, or the state of the lane changes.
    pub fn new(
        client: Renewable,
        (version, limit): (VersionSetting, RequestsInFlight),
        retry_delay_max: Duration,
        runtime: Handle,
        (metrics, board): (TaskMetrics, TaskBoard),
        wake: Thread,
    ) -> Self {
        let product = match version {
            VersionSetting::Fixed(product) => tokio::sync::OnceCell::new_with(Some(product)),
            VersionSetting::Auto => tokio::sync::OnceCell::new(),
        };
        let trouble = Trouble { board, requests: Mutex::default() };
        let (too_large, retry_max) = (AtomicUsize::new(usize::MAX), RETRY_MAX.min(retry_delay_max));
        let shared =
            Arc::new(Shared { client: Arc::new(client), product, too_large, retry_max, trouble, metrics, wake });
        // One outcome for each request that can be in flight: a send never waits.
        let (outcomes_tx, outcomes) = sync_channel(limit.most());
        Self { runtime, shared, requests: JoinSet::new(), in_flight: 0, limit, outcomes_tx, outcomes }
    }

    /// Finds out who answers at `influx.url`, before there is anything to send: a wrong address is told at once.
    pub fn greet(&mut self) {
        let shared = Arc::clone(&self.shared);
        self.requests.spawn_on(async move { shared.greet().await }, &self.runtime);
    }

    /// The runtime that the requests run on.
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Whether another body may be handed over.
    pub fn is_free(&self) -> bool {
        self.in_flight < self.limit.now(self.shared.product.get().copied())
    }

    /// Whether nothing is in flight.
    pub fn is_idle(&self) -> bool {
        self.in_flight == 0
    }

    /// Whether requests are failing at the moment, and how many have failed so far, each counted once however often it was retried.
    pub fn trouble(&self) -> (bool, u64) {
        let failing = self.shared.trouble.failing();
        (failing.now > 0, failing.ever)
    }

    /// Sends a body. Only after [`Lane::is_free`].
    pub fn send(&mut self, mut body: Body) {
        self.in_flight += 1;
        let (shared, outcomes) = (Arc::clone(&self.shared), self.outcomes_tx.clone());
        let request = async move {
            let bytes = Bytes::from(std::mem::take(&mut body.bytes));
            let len = bytes.len();
            let refused = shared.deliver(bytes.clone()).await;
            if !refused.is_empty() {
                body.bytes = bytes.to_vec();
            }
            // The receiver is gone only if the task has ended without waiting.
            let _ = outcomes.send(Written { body, bytes: len, refused });
            shared.wake.unpark();
        };
        self.requests.spawn_on(request, &self.runtime);
    }

    /// The next body that is decided, if there is one.
    pub fn next_written(&mut self) -> Option<Written> {
        while let Some(ended) = self.requests.try_join_next() {
            // A panic in a request is a bug of ours, as one of the task itself: the task fails with it instead of waiting for ever.
            if let Err(error) = ended
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
        match self.outcomes.try_recv() {
            Ok(written) => {
                self.in_flight -= 1;
                Some(written)
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
        }
    }
}

// === impl Shared ===

impl Shared {
    async fn greet(&self) {
        let mut troubled = Troubled { trouble: &self.trouble, counted: false };
        let mut backoff = Backoff::new(RETRY_MIN, self.retry_max);
        while let Err(verdict) = self.product().await {
            self.pause(&mut troubled, &mut backoff, verdict).await;
        }
        troubled.over();
        // Whoever waits for the answer looks at the state again.
        self.wake.unpark();
    }

    /// Tries until every line is decided; gives back those that are refused.
    async fn deliver(&self, body: Bytes) -> Vec<RefusedLine> {
        let mut troubled = Troubled { trouble: &self.trouble, counted: false };
        let mut backoff = Backoff::new(RETRY_MIN, self.retry_max);
        let mut hunt = Hunt::new(body);
        while let Some(piece) = hunt.next(self.too_large.load(Relaxed)) {
            if hunt.is_on() {
                self.metrics.hunt_request();
            }
            let verdict = match self.product().await {
                Ok(product) => self.write(product, piece.clone()).await,
                Err(verdict) => verdict,
            };
            if matches!(verdict, Verdict::TooLarge { .. }) {
                self.too_large.fetch_min(piece.len(), Relaxed);
            }
            match hunt.judge(verdict) {
                Some(wait) => {
                    self.metrics.retry();
                    self.pause(&mut troubled, &mut backoff, wait).await;
                }
                None => {
                    troubled.over();
                    backoff.reset();
                }
            }
        }
        hunt.into_refused()
    }

    async fn write(&self, product: Product, body: Bytes) -> Verdict {
        let _in_flight = self.metrics.request_in_flight();
        let sent = Instant::now();
        let client = self.client.client();
        let verdict = client.write(product, body).await;
        if let Some(ends) = client.certificate_ends() {
            self.metrics.influx_certificate(ends);
        }
        self.metrics.stage(Stage::Sink, sent.elapsed());
        self.metrics.request(match verdict {
            Verdict::Done => RequestOutcome::Done,
            Verdict::RejectedLines { .. } => RequestOutcome::RejectedLines,
            Verdict::RejectedWhole { .. } => RequestOutcome::RejectedWhole,
            Verdict::TooLarge { .. } => RequestOutcome::TooLarge,
            Verdict::Configuration { .. } => RequestOutcome::Configuration,
            Verdict::Transient { .. } => RequestOutcome::Transient,
        });
        verdict
    }

    /// The server's product, asked for once.
    async fn product(&self) -> Result<Product, Verdict> {
        let detect =
            || async { self.client.client().detect().await.map(|detected| detected.product).map_err(Verdict::from) };
        self.product.get_or_try_init(detect).await.copied()
    }

    /// Reads the secrets again, which takes files: not on a thread of the runtime.
    async fn renew(&self) {
        let client = Arc::clone(&self.client);
        // It fails only if the runtime is shutting down.
        let _ = tokio::task::spawn_blocking(move || client.renew()).await;
    }

    async fn pause(&self, troubled: &mut Troubled<'_>, backoff: &mut Backoff, verdict: Verdict) {
        let pause = match verdict {
            Verdict::Configuration { reason } => {
                troubled.report(|since| TaskState::Held { reason, since });
                self.renew().await;
                backoff.next(None).min(HELD_MAX)
            }
            Verdict::Transient { reason, retry_after, .. } => {
                troubled.report(|since| TaskState::Retrying { reason, since });
                backoff.next(retry_after)
            }
            _ => Duration::ZERO,
        };
        self.wake.unpark();
        tokio::time::sleep(pause).await;
    }
}

// === impl Trouble ===

impl Trouble {
    fn failing(&self) -> Failing {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Failing> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Troubled<'_> {
    fn report(&mut self, state: impl FnOnce(SystemTime) -> TaskState) {
        let mut failing = self.trouble.lock();
        if !self.counted {
            self.counted = true;
            failing.now += 1;
            failing.ever += 1;
        }
        self.trouble.board.set(state(SystemTime::now()));
    }

    /// The request got through.
    fn over(&mut self) {
        if std::mem::take(&mut self.counted) {
            self.trouble.lock().now -= 1;
        }
    }
}

// === impl RequestsInFlight ===

impl RequestsInFlight {
    /// The limit for a server of `product`, while that isn't known yet one.
    fn now(self, product: Option<Product>) -> usize {
        match (self, product) {
            (Self::Fixed(limit), _) => limit.get(),
            (Self::Auto, Some(Product::V3)) => IN_FLIGHT_V3,
            (Self::Auto, _) => 1,
        }
    }

    /// The highest that [`RequestsInFlight::now`] can become.
    pub(crate) fn most(self) -> usize {
        self.now(Some(Product::V3)).max(self.now(None))
    }
}
