//! What the demo's receiver knows: per symbol the latest price, a short history and the number of points, and for all of
//! them the rate, the freshness and the account that says whether every price arrived once.
//!
//! Everything here is bounded (invariant I4): `SERIES_MAX` symbols of at most `SYMBOL_BYTES_MAX` bytes, `HISTORY_MAX` samples and
//! `REMEMBERED_TIMESTAMPS` timestamps each, and histograms of a fixed size: about 3 MB with the demo's 16 symbols.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokio::sync::watch;

use super::freshness::{Freshness, Totals, Window};
use crate::feed::rank;
use seen::Seen;

mod seen;

/// Symbols kept. The feed has 16; more can only come from another writer that found the receiver's port.
pub(crate) const SERIES_MAX: usize = 256;

/// Longest symbol kept, in bytes.
pub(crate) const SYMBOL_BYTES_MAX: usize = 64;

/// Samples of a symbol's price that are drawn as a line.
pub(crate) const HISTORY_MAX: usize = 60;

/// A symbol's price is sampled this often at most, in nanoseconds: 60 samples are the last half minute.
const SAMPLE_EVERY_NS: i64 = 500_000_000;

/// One number of one symbol, as read from a line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    /// The symbol: the field's key, unescaped.
    pub(crate) symbol: String,
    /// The price: the field's value.
    pub(crate) price: f64,
    /// The line's timestamp in nanoseconds since 1970.
    pub(crate) timestamp_ns: i64,
}

/// A symbol is one too many or too long; the point was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SeriesRefused;

/// The receiver's memory, shared between the receiver, the view, the page and the demo's own check.
#[derive(Debug)]
pub struct Board {
    started_ns: i64,
    sent: AtomicU64,
    book: Mutex<Book>,
    account: watch::Sender<Account>,
}

/// The count of what arrived, to be compared with what was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Account {
    /// Points received, repeats included.
    pub points: u64,
    /// Points with a symbol and timestamp that no other point had: what InfluxDB would hold.
    pub distinct: u64,
    /// Wrapping sum of `fingerprint` over the distinct points. It does not depend on the order of arrival.
    pub fingerprint: u64,
}

#[derive(Debug)]
struct Book {
    series: BTreeMap<String, Series>,
    window: Window,
    totals: Totals,
}

#[derive(Debug)]
struct Series {
    first: f64,
    latest: f64,
    latest_ns: i64,
    points: u64,
    history: VecDeque<f64>,
    sampled_ns: i64,
    seen: Seen,
}

/// All that the view and the page show, at one moment. Its JSON is what `GET /demo/data` answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Snapshot {
    /// Seconds since the demo began.
    pub elapsed_s: f64,
    /// Prices sent to Kafka so far.
    pub sent: u64,
    /// Points received, repeats included.
    pub points: u64,
    /// Points received a second time.
    pub repeats: u64,
    /// Points received per second, over the last five whole seconds.
    pub points_per_second: f64,
    /// From a record's time to its point being received, over the last five seconds; none before the first point.
    pub freshness: Option<Freshness>,
    /// The symbols, in the feed's order.
    pub symbols: Vec<SymbolSnapshot>,
}

/// One symbol in a [`Snapshot`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SymbolSnapshot {
    /// Its name, like `BTC-USD`.
    pub symbol: String,
    /// The price of the latest timestamp.
    pub price: f64,
    /// Per cent that the price is above the first one of this run.
    pub change_percent: f64,
    /// Points received.
    pub points: u64,
    /// Up to 60 prices, oldest first, at most two a second.
    pub history: Vec<f64>,
}

// === impl Board ===

impl Board {
    /// An empty board; the demo's clock starts now.
    pub fn new() -> Self {
        Self::starting_at(unix_ns())
    }

    pub(crate) fn starting_at(started_ns: i64) -> Self {
        let book = Book { series: BTreeMap::new(), window: Window::new(), totals: Totals::new() };
        Self {
            started_ns,
            sent: AtomicU64::new(0),
            book: Mutex::new(book),
            account: watch::Sender::new(Account::default()),
        }
    }

    /// Takes note of how many prices the feed has sent.
    pub(crate) fn set_sent(&self, sent: u64) {
        self.sent.store(sent, Ordering::Relaxed);
    }

    /// Keeps the points of one request, received at `now_ns`. Returns how many were refused because their symbol is one too many or too long.
    pub(crate) fn record(&self, points: &[Point], now_ns: i64) -> u64 {
        let mut refused = 0;
        let mut gained = Account::default();
        {
            let mut book = self.lock();
            for point in points {
                match book.record(point, now_ns) {
                    Ok(new) => {
                        gained.points += 1;
                        if new {
                            gained.distinct += 1;
                            gained.fingerprint =
                                gained.fingerprint.wrapping_add(fingerprint(&point.symbol, point.price));
                        }
                    }
                    Err(SeriesRefused) => refused += 1,
                }
            }
        }
        self.account.send_modify(|account| {
            account.points += gained.points;
            account.distinct += gained.distinct;
            account.fingerprint = account.fingerprint.wrapping_add(gained.fingerprint);
        });
        refused
    }

    /// What has arrived so far.
    pub fn account(&self) -> Account {
        *self.account.borrow()
    }

    /// Waits until `distinct` different points have arrived.
    pub(crate) async fn arrived(&self, distinct: u64) {
        let mut changes = self.account.subscribe();
        // The sender is a field of `self`, so it cannot be gone while this waits.
        let _ = changes.wait_for(|account| account.distinct >= distinct).await;
    }

    /// What is to be shown now.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_at(unix_ns())
    }

    pub(crate) fn snapshot_at(&self, now_ns: i64) -> Snapshot {
        let account = self.account();
        let book = self.lock();
        let mut symbols: Vec<_> = book.series.iter().map(|(name, series)| series.snapshot(name)).collect();
        symbols.sort_by_key(|symbol| rank(&symbol.symbol));
        Snapshot {
            elapsed_s: seconds_between(self.started_ns, now_ns),
            sent: self.sent.load(Ordering::Relaxed),
            points: account.points,
            repeats: account.points - account.distinct,
            points_per_second: book.window.points_per_second(now_ns),
            freshness: book.window.freshness(now_ns),
            symbols,
        }
    }

    /// Freshness over the whole run, and how long after the start the first point arrived, in seconds; none before the first point.
    pub(crate) fn totals(&self) -> Option<(Freshness, f64)> {
        let book = self.lock();
        let first_ns = book.totals.first_ns()?;
        Some((book.totals.freshness()?, seconds_between(self.started_ns, first_ns)))
    }

    /// A panic while the lock was held leaves at worst a point half counted, and the check at the end would say so.
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Board {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Book ===

impl Book {
    /// Keeps a point; true if no point of its symbol had its timestamp before.
    fn record(&mut self, point: &Point, now_ns: i64) -> Result<bool, SeriesRefused> {
        if !self.series.contains_key(&point.symbol) {
            if self.series.len() >= SERIES_MAX || point.symbol.len() > SYMBOL_BYTES_MAX {
                return Err(SeriesRefused);
            }
            self.series.insert(point.symbol.clone(), Series::starting_with(point.price));
        }
        let Some(series) = self.series.get_mut(&point.symbol) else { return Err(SeriesRefused) };
        let new = series.record(point, now_ns);
        let freshness_us = freshness_us(point.timestamp_ns, now_ns);
        self.window.record(now_ns, freshness_us);
        self.totals.record(now_ns, freshness_us);
        Ok(new)
    }
}

// === impl Series ===

impl Series {
    fn starting_with(price: f64) -> Self {
        Self {
            first: price,
            latest: price,
            latest_ns: i64::MIN,
            points: 0,
            history: VecDeque::with_capacity(HISTORY_MAX),
            sampled_ns: i64::MIN,
            seen: Seen::new(),
        }
    }

    fn record(&mut self, point: &Point, now_ns: i64) -> bool {
        self.points += 1;
        if point.timestamp_ns >= self.latest_ns {
            self.latest_ns = point.timestamp_ns;
            self.latest = point.price;
        }
        if now_ns.saturating_sub(self.sampled_ns) >= SAMPLE_EVERY_NS {
            self.sampled_ns = now_ns;
            if self.history.len() == HISTORY_MAX {
                self.history.pop_front();
            }
            self.history.push_back(self.latest);
        }
        self.seen.insert(point.timestamp_ns)
    }

    fn snapshot(&self, name: &str) -> SymbolSnapshot {
        let change = if self.first == 0.0 { 0.0 } else { (self.latest / self.first - 1.0) * 100.0 };
        SymbolSnapshot {
            symbol: name.to_owned(),
            price: self.latest,
            change_percent: change,
            points: self.points,
            history: self.history.iter().copied().collect(),
        }
    }
}

/// A number for a price of a symbol: FNV-1a over the symbol's bytes and the price's bits. Sums of it tell whether two
/// heaps of prices are the same without keeping either.
pub(crate) fn fingerprint(symbol: &str, price: f64) -> u64 {
    let bytes = symbol.bytes().chain(price.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Nanoseconds since 1970 by the system's clock, the one that stamps Kafka's records.
pub(crate) fn unix_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Microseconds from a record's time to now. Kafka stamps whole milliseconds and the digits below tell points apart, so they are cut off.
fn freshness_us(timestamp_ns: i64, now_ns: i64) -> u64 {
    let record_ns = timestamp_ns - timestamp_ns.rem_euclid(1_000_000);
    u64::try_from(now_ns.saturating_sub(record_ns) / 1_000).unwrap_or(0)
}

fn seconds_between(from_ns: i64, to_ns: i64) -> f64 {
    to_ns.saturating_sub(from_ns).max(0) as f64 / 1e9
}

#[cfg(test)]
mod tests;
