//! The demo's InfluxDB: a local HTTP server that answers `/ping` and `/write` as InfluxDB 1.8 does and keeps what it is sent on the [`Board`].
//!
//! It reads lines with InfluxData's own parser, not with Sluice's scanner, so that the demo's check at the end does not share
//! code with what it checks. Bodies are bounded by `BODY_BYTES_MAX`, compressed and not.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use flate2::read::MultiGzDecoder;
use influxdb_line_protocol::{FieldValue, parse_lines, split_lines};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::board::{Board, Point, unix_ns};

/// The version that the receiver claims: the last of InfluxDB 1 before its numbering went on apart.
const VERSION: &str = "1.8.10";
const VERSION_HEADER: HeaderName = HeaderName::from_static("x-influxdb-version");

/// Largest body accepted, as InfluxDB's `max-body-size` (25,000,000), here also after decompression.
const BODY_BYTES_MAX: usize = 25_000_000;

/// Faulty lines named in an answer; InfluxDB names all, which makes answers as large as requests.
const FAULTS_NAMED_MAX: usize = 10;

/// Characters of a faulty line that an answer shows.
const FAULTY_LINE_CHARS_MAX: usize = 200;

/// A running receiver. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Receiver {
    address: SocketAddr,
    server: JoinHandle<()>,
}

/// The receiver could not start.
#[derive(Debug, thiserror::Error)]
#[error("listening on a free port of 127.0.0.1 for the demo's receiver")]
pub struct ReceiverError(#[from] std::io::Error);

/// A write that is refused, with the words InfluxDB has for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: StatusCode,
    message: String,
}

// === impl Receiver ===

impl Receiver {
    /// Starts a receiver for `board` on a free port of 127.0.0.1, on the runtime it is called on.
    pub(crate) async fn start(board: Arc<Board>) -> Result<Self, ReceiverError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(async move {
            // Serving ends only with the task: accept errors are retried inside.
            let _ = axum::serve(listener, router(board)).await;
        });
        Ok(Self { address, server })
    }

    /// `http://127.0.0.1:port`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

// === impl Refusal ===

impl Refusal {
    fn bad_request(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    fn too_large() -> Self {
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, message: "Request Entity Too Large".to_owned() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = axum::Json(serde_json::json!({ "error": self.message }));
        (self.status, [(VERSION_HEADER, VERSION)], body).into_response()
    }
}

fn router(board: Arc<Board>) -> Router {
    Router::new()
        .route("/ping", get(ping).head(ping))
        .route("/write", post(write))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(board)
}

async fn ping() -> Response {
    (StatusCode::NO_CONTENT, [(VERSION_HEADER, VERSION)]).into_response()
}

async fn write(
    State(board): State<Arc<Board>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    check_query(query.as_deref().unwrap_or_default())?;
    let body = decode(headers.get(header::CONTENT_ENCODING), body)?;
    let text = std::str::from_utf8(&body)
        .map_err(|error| Refusal::bad_request(format!("unable to parse: the body is not UTF-8: {error}")))?;
    let (points, faults) = read_points(text, unix_ns());
    let refused = board.record(&points, unix_ns());
    judge(&points, &faults, refused)?;
    Ok((StatusCode::NO_CONTENT, [(VERSION_HEADER, VERSION)]).into_response())
}

/// A database must be named, and the precision must be the one that the timestamps are read in.
fn check_query(query: &str) -> Result<(), Refusal> {
    let value = |name: &str| query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
    if value("db").is_none_or(|(_, database)| database.is_empty()) {
        return Err(Refusal::bad_request("database is required"));
    }
    match value("precision") {
        None | Some((_, "" | "n" | "ns")) => Ok(()),
        Some((_, other)) => {
            let message = format!("invalid precision {other:?} (the demo's receiver takes n and ns)");
            Err(Refusal::bad_request(message))
        }
    }
}

/// The body as text is to be read from it.
fn decode(encoding: Option<&HeaderValue>, body: Bytes) -> Result<Bytes, Refusal> {
    if encoding.is_none_or(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"gzip")) {
        return Ok(body);
    }
    let mut text = Vec::new();
    // One byte more than allowed tells a body that is too long from one that just fits.
    let mut limited = MultiGzDecoder::new(body.as_ref()).take(BODY_BYTES_MAX as u64 + 1);
    limited.read_to_end(&mut text).map_err(|error| Refusal::bad_request(error.to_string()))?;
    if text.len() > BODY_BYTES_MAX { Err(Refusal::too_large()) } else { Ok(text.into()) }
}

/// The points of a body, and what is wrong with the first lines that have none. A line without a timestamp gets `now_ns`.
fn read_points(text: &str, now_ns: i64) -> (Vec<Point>, Vec<String>) {
    let mut points = Vec::new();
    let mut faults = Vec::new();
    for line in split_lines(text) {
        if let Err(why) = read_line(line, now_ns, &mut points)
            && faults.len() < FAULTS_NAMED_MAX
        {
            let shown: String = line.chars().take(FAULTY_LINE_CHARS_MAX).collect();
            faults.push(format!("unable to parse '{shown}': {why}"));
        }
    }
    (points, faults)
}

/// Appends a line's points, one per field, or none if one of its fields is no number. Comments and blank lines have none.
fn read_line(line: &str, now_ns: i64, points: &mut Vec<Point>) -> Result<(), String> {
    let before = points.len();
    for parsed in parse_lines(line) {
        let parsed = parsed.map_err(|error| error.to_string())?;
        let timestamp_ns = parsed.timestamp.unwrap_or(now_ns);
        for (key, value) in &parsed.field_set {
            let price = match value {
                FieldValue::F64(number) => *number,
                FieldValue::I64(number) => *number as f64,
                FieldValue::U64(number) => *number as f64,
                FieldValue::String(_) | FieldValue::Boolean(_) => {
                    points.truncate(before);
                    return Err(format!("the field {key} is not a number"));
                }
            };
            points.push(Point { symbol: key.to_string(), price, timestamp_ns });
        }
    }
    Ok(())
}

/// What InfluxDB 1 answers: it keeps the good lines of a body and names the others.
fn judge(points: &[Point], faults: &[String], refused: u64) -> Result<(), Refusal> {
    let named = faults.join("\n");
    match (faults.is_empty(), points.is_empty(), refused) {
        (true, _, 0) => Ok(()),
        (true, _, refused) => Err(Refusal::bad_request(format!(
            "partial write: max-series-per-database limit exceeded: ({}) dropped={refused}",
            super::board::SERIES_MAX
        ))),
        (false, true, _) => Err(Refusal::bad_request(named)),
        (false, false, refused) => Err(Refusal::bad_request(format!("partial write: {named} dropped={refused}"))),
    }
}

#[cfg(test)]
mod tests;
