//! When to try again: exponential back-off with full jitter, and what a server's `Retry-After` says.
//!
//! How long to wait is decided here, whether to try again is decided in [`crate::sink::verdict`]. Nothing in this file
//! sleeps, reads a clock or fails.

use std::fmt;
use std::time::{Duration, SystemTime};

/// The longest `Retry-After` that is believed. Longer, and a proxy that answers a nonsensical date stops a connector for
/// hours after the server has recovered; shorter, and a quota window (five minutes on InfluxDB's clouds) is asked in vain.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// Draws a number from zero up to and including the one given.
type Draw = Box<dyn FnMut(u64) -> u64 + Send>;

/// The delays between attempts at one thing.
///
/// The n-th delay (from 0) is drawn evenly between `min` and `min × 2ⁿ⁺¹`, at most `cap`. Without the draw all connectors that
/// lost the same server would come back in the same instant; the lower bound keeps one that draws badly from hammering it.
pub struct Backoff {
    min: Duration,
    cap: Duration,
    attempts: u32,
    draw: Draw,
}

impl Backoff {
    /// The first delay is at least this long: long enough that a server which refuses at once is not asked in a tight loop.
    pub const MIN: Duration = Duration::from_millis(100);
    /// No delay is longer than this, unless the server asked for it: what a recovered server waits for us at most.
    pub const CAP: Duration = Duration::from_secs(30);

    /// Delays between `min` and `cap`, drawn by the process's random generator. A `cap` below `min` counts as `min`.
    pub fn new(min: Duration, cap: Duration) -> Self {
        Self::with_draw(min, cap, |top| fastrand::u64(..=top))
    }

    /// As [`Backoff::new`], with a source of randomness of the caller's: `draw(top)` returns a number in `0..=top`.
    pub fn with_draw(min: Duration, cap: Duration, draw: impl FnMut(u64) -> u64 + Send + 'static) -> Self {
        Self { min, cap: cap.max(min), attempts: 0, draw: Box::new(draw) }
    }

    /// The delay before the next attempt, and counts it. `at_least` is what the server asked for: the delay is never
    /// shorter, and spread over up to `min` more, because everybody it answered got the same number.
    pub fn next(&mut self, at_least: Option<Duration>) -> Duration {
        let ceiling = self.min.saturating_mul(2u32.saturating_pow(self.attempts.saturating_add(1))).min(self.cap);
        self.attempts = self.attempts.saturating_add(1);
        let delay = self.min + self.draw_up_to(ceiling - self.min);
        match at_least {
            Some(floor) if floor >= delay => floor.saturating_add(self.draw_up_to(self.min)),
            _ => delay,
        }
    }

    /// How many delays were given since the last success.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// To be called after a success: the next delay is a short one again.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }

    fn draw_up_to(&mut self, top: Duration) -> Duration {
        let top = u64::try_from(top.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos((self.draw)(top).min(top))
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(Self::MIN, Self::CAP)
    }
}

impl fmt::Debug for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backoff")
            .field("min", &self.min)
            .field("cap", &self.cap)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

/// What a `Retry-After` header asks for, seen at `now`: seconds (a fraction is not in RFC 9110 but is sent) or an HTTP date. A date
/// gone by is no wait at all. More than [`RETRY_AFTER_MAX`] is cut to it; a value that is neither form is `None`.
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let asked = if value.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        // Too large for a `Duration` (1e30) still means "long".
        Duration::try_from_secs_f64(value.parse().ok()?).unwrap_or(RETRY_AFTER_MAX)
    } else {
        httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or(Duration::ZERO)
    };
    Some(asked.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests;
