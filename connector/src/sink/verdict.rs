//! What an answer to a write means. Pure: a product, a status and a body in, one of six verdicts out.
//!
//! This is the table that decides whether a record is committed, retried or rejected, so it is written to be read beside the
//! servers' sources, and its tests hold the servers' bodies byte for byte. Two rules stand above it:
//! - a 4xx does **not** mean that nothing was stored: InfluxDB 1 and 3 store the good lines of a batch they answer 400 for;
//! - what cannot be told for certain keeps the data: an unknown answer is retried or held, never taken for an
//!   acknowledgement or for a fault of the records.

mod greptime;
mod message;

use std::time::Duration;

use bytes::Bytes;

use self::message::Message;
pub(crate) use self::message::excerpt;
use crate::config::Product;

/// What a server answered to a write.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// What the `Retry-After` header asks for, read by [`crate::retry::retry_after`].
    pub retry_after: Option<Duration>,
    /// The `Location` header, which a redirect carries.
    pub location: Option<String>,
    /// The body, maybe cut: error bodies grow with the batch (2,000 bad lines gave 100 KB).
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The host's name does not resolve.
    Resolve,
    /// No connection: refused, unreachable, or not made in time.
    Connect,
    /// Connected, and no whole answer in time. The write may have happened.
    Timeout,
    /// The connection broke before the whole answer was there. The write may have happened.
    Interrupted,
    /// The server's certificate is not trusted, expired, or for another host.
    Certificate,
    /// Something answered, but not in TLS, or no common version or cipher was found.
    Tls,
    /// The request could not even be built.
    Unsendable,
}

/// What to do with a request body after an attempt to write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every line is stored, or needs no storing: commit.
    Done,
    /// Some lines are refused for good; the server names none, some or all of them.
    RejectedLines {
        /// The server says that it has stored every line it did not refuse: sending the rest again is harmless and useless. If
        /// false, nothing is stored or nothing is known: the rest has to be sent again.
        stored_rest: bool,
        /// `lines` holds every refused line. InfluxDB 3's list is complete, and InfluxDB 1's of lines that it could not parse while it
        /// stored the rest: its handler tells of those only if the write itself went well. All other causes mask one another, so
        /// that the remaining bad lines have to be found by sending the rest again.
        complete: bool,
        /// The refused lines the answer names.
        lines: Vec<RejectedLine>,
        /// The server's words, cut.
        reason: String,
    },
    /// The body is refused for what is in it, nothing is stored, and no line is named.
    RejectedWhole {
        /// The server's words, cut.
        reason: String,
    },
    /// The body is larger than the server takes; nothing is stored. Halve it.
    TooLarge {
        /// The server's words, cut.
        reason: String,
    },
    /// The fault is in the settings or the server's set-up, not in the records: hold the data, tell somebody, try again.
    Configuration {
        /// The server's words, cut, and what to do.
        reason: String,
    },
    /// It may work later: try again, for ever.
    Transient {
        /// What happened.
        reason: String,
        /// How long the server asks to be left alone.
        retry_after: Option<Duration>,
        /// A line of the body may be what makes the server fail: InfluxDB 3.6 to 3.9 drops the connection over a refused line
        /// that has a multi-byte character across its twentieth byte, and no number of tries would change that.
        suspicious: bool,
    },
}

/// A line that a server refused, as far as its answer tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedLine {
    /// Its number in the body, from 1. Blank lines and comments are not counted by the server: send none.
    pub number: Option<usize>,
    /// The line as the server quotes it. InfluxDB 3 cuts it to 20 bytes (since 3.6) and re-writes it for schema errors.
    pub text: Option<String>,
    /// Why it was refused.
    pub reason: String,
}

/// The verdict on `answer`, given by a server that speaks like `product`.
pub fn judge(product: Product, answer: &Answer) -> Verdict {
    let message = Message::parse(&answer.body);
    if let Some(code) = message.greptime {
        return greptime::judge(code, answer, &message);
    }
    match answer.status {
        200..=299 => accepted(answer.status, &message),
        300..=399 => redirected(answer),
        400 => bad_request(&message),
        408 | 425 | 429 | 499 => transient(answer, &message),
        413 => Verdict::TooLarge { reason: words(answer.status, &message) },
        422 => unprocessable(&message),
        401..=499 => configuration(answer.status, &message, remedy(product, answer.status, &message)),
        500..=599 => server_error(answer, &message),
        // Not a status of HTTP's; whoever sent it may get well again.
        _ => transient(answer, &message),
    }
}

/// The verdict on an attempt that got no answer; `reason` says what was tried and what happened.
pub fn judge_failure(failure: Failure, reason: String) -> Verdict {
    match failure.is_configuration() {
        true => Verdict::Configuration { reason },
        false => Verdict::Transient { reason, retry_after: None, suspicious: failure == Failure::Interrupted },
    }
}

// === impl Failure ===

impl Failure {
    /// Whether somebody has to change something before another attempt can succeed.
    pub fn is_configuration(self) -> bool {
        match self {
            Self::Resolve | Self::Connect | Self::Timeout | Self::Interrupted => false,
            Self::Certificate | Self::Tls | Self::Unsendable => true,
        }
    }
}

// === impl Verdict ===

impl Verdict {
    /// The same verdict, its reason preceded by what was attempted ("POST http://…").
    #[must_use]
    pub fn of(self, attempted: &str) -> Self {
        let full = |reason| format!("{attempted}: {reason}");
        match self {
            Self::Done => Self::Done,
            Self::RejectedLines { stored_rest, complete, lines, reason } => {
                Self::RejectedLines { stored_rest, complete, lines, reason: full(reason) }
            }
            Self::RejectedWhole { reason } => Self::RejectedWhole { reason: full(reason) },
            Self::TooLarge { reason } => Self::TooLarge { reason: full(reason) },
            Self::Configuration { reason } => Self::Configuration { reason: full(reason) },
            Self::Transient { reason, retry_after, suspicious } => {
                Self::Transient { reason: full(reason), retry_after, suspicious }
            }
        }
    }
}

// === impl RejectedLine ===

impl RejectedLine {
    /// Where in `body` this line is, counted from 0: by its number, or every line that is the quoted text. None if the answer does not
    /// tell, or tells what is not there; a line is not blamed for beginning like a quoted one, which may have been cut.
    pub fn find_in(&self, body: &[u8]) -> Vec<usize> {
        let lines = body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        if let Some(number) = self.number {
            return number.checked_sub(1).filter(|&index| index < lines.count()).into_iter().collect();
        }
        let Some(text) = self.text.as_deref().filter(|text| !text.is_empty()) else { return Vec::new() };
        let is_quoted = |(index, line): (usize, &[u8])| (line == text.as_bytes()).then_some(index);
        lines.enumerate().filter_map(is_quoted).collect()
    }
}

// === the table ===

/// 2xx. InfluxDB answers 204; but a page that says 200 to everything (InfluxDB 2's own web interface below a wrong path, a proxy's
/// login) is no acknowledgement.
fn accepted(status: u16, message: &Message) -> Verdict {
    if message.is_html {
        return configuration(status, message, "a web page answered, not a write endpoint: check influx.url");
    }
    Verdict::Done
}

fn redirected(answer: &Answer) -> Verdict {
    let to = answer.location.as_deref().map_or_else(|| "elsewhere".to_owned(), excerpt);
    let reason = format!("{}: redirected to {to}; redirects are not followed: check influx.url", answer.status);
    Verdict::Configuration { reason }
}

/// 400: an empty write, a request too large (VictoriaMetrics), bad lines, bad parameters, or bytes damaged on the way.
fn bad_request(message: &Message) -> Verdict {
    let text = message.text.as_str();
    // InfluxDB 3, when a body holds no line: there is nothing to store.
    if message.own_words().ends_with("incoming write was empty") {
        return Verdict::Done;
    }
    if message.is_html {
        return configuration(400, message, "a proxy answered, not InfluxDB: check influx.url");
    }
    if message::is_too_large(text) {
        return Verdict::TooLarge { reason: words(400, message) };
    }
    if let Some(rejected) = rejected_lines(400, message) {
        return rejected;
    }
    if let Some(advice) = message::parameter_advice(message) {
        return configuration(400, message, advice);
    }
    if message::is_damaged(text) {
        let reason = format!("{}; if it goes on, set influx.compression=none", words(400, message));
        return Verdict::Transient { reason, retry_after: None, suspicious: false };
    }
    Verdict::RejectedWhole { reason: words(400, message) }
}

/// 422: InfluxDB 2 for lines it could parse but not store; InfluxDB 3 for lines beyond a limit of tables or columns.
fn unprocessable(message: &Message) -> Verdict {
    if message.is_html {
        return configuration(422, message, "a proxy answered, not InfluxDB: check influx.url");
    }
    rejected_lines(422, message).unwrap_or_else(|| Verdict::RejectedWhole { reason: words(422, message) })
}

/// The bad lines, if that is what the message is about.
fn rejected_lines(status: u16, message: &Message) -> Option<Verdict> {
    let stored_rest = message.is_partial_write();
    let (lines, complete) = message.rejected_lines(stored_rest);
    if lines.is_empty() && !stored_rest {
        return None;
    }
    let complete = complete && stored_rest;
    Some(Verdict::RejectedLines { stored_rest, complete, lines, reason: words(status, message) })
}

/// 5xx: the server's own trouble, apart from what InfluxDB 1 answers 500 for although nobody but its operator can mend it.
fn server_error(answer: &Answer, message: &Message) -> Verdict {
    let text = message.text.as_str();
    // InfluxDB Enterprise: the write is queued for a node that is away.
    if message.own_words().contains("hinted handoff queue not empty") {
        return Verdict::Done;
    }
    if text.starts_with("retention policy not found") {
        let advice = "create the retention policy or correct influx.retention.policy";
        return configuration(answer.status, message, advice);
    }
    if text.starts_with("database not found") {
        return configuration(answer.status, message, "create the database or correct influx.database");
    }
    // Older InfluxDB 1 behind a relay; Telegraf's output matches the same texts.
    let is_about_lines = text.starts_with("partial write") || text.starts_with("unable to parse");
    if is_about_lines && let Some(rejected) = rejected_lines(answer.status, message) {
        return rejected;
    }
    transient(answer, message)
}

fn transient(answer: &Answer, message: &Message) -> Verdict {
    let suspicious = answer.status == 500 && !message::is_strain(&message.text);
    Verdict::Transient { reason: words(answer.status, message), retry_after: answer.retry_after, suspicious }
}

fn configuration(status: u16, message: &Message, advice: &str) -> Verdict {
    Verdict::Configuration { reason: format!("{}; {advice}", words(status, message)) }
}

/// What a person can do about a 4xx that is not about the records.
fn remedy(product: Product, status: u16, message: &Message) -> &'static str {
    match (status, product) {
        (401, Product::V1) => "check influx.username and influx.password",
        (401, Product::V2 | Product::V3) => "check influx.token",
        (403, Product::V1) => "grant the user of influx.username the right to write to the database",
        (403, Product::V2) => "give the token of influx.token the right to write to the bucket",
        (403, Product::V3) => "give the token of influx.token the right to write to the database",
        (404, Product::V1) if message.text.starts_with("database not found") => {
            "create the database or correct influx.database"
        }
        (404, Product::V2) if message.code.as_deref() == Some("not found") => {
            "create the bucket or correct influx.org and influx.bucket"
        }
        (404 | 405, _) => "the server has no such endpoint: check influx.url and influx.version",
        (407, _) => "a proxy asks for credentials: let influx.url go past it",
        (415, _) => "set influx.compression=none",
        _ => "the request is refused: check influx.url and the settings of the server",
    }
}

/// The status and the server's words.
fn words(status: u16, message: &Message) -> String {
    match excerpt(&message.text) {
        text if text.is_empty() => format!("{status}"),
        text => format!("{status}: {text}"),
    }
}

#[cfg(test)]
mod tests;
