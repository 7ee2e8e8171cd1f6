//! What each InfluxDB answers to a write, and which lines it has stored by then.

use std::collections::BTreeMap;
use std::io::Read as _;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::response::Response;
use influxdb_line_protocol::split_lines;
use serde_json::json;

use super::store::{Conflict, Point, Store};

/// The largest body of InfluxDB 3, on the wire and unpacked.
const V3_MAX: usize = 10_485_760;

/// Which server is played.
pub(super) enum Profile {
    V1 { database: String },
    V2 { org: String, bucket: String, token: String },
    V3 { database: String, token: String },
}

/// A write as it arrived.
pub(super) struct Write<'a> {
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

/// A line that was refused: its number from 1, itself, and why.
struct Refused {
    number: usize,
    line: String,
    why: Why,
}

enum Why {
    Unparsable(String),
    Conflict(Conflict),
}

// === impl Write ===

impl Write<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The parameters of the address, decoded.
    fn parameters(&self) -> BTreeMap<String, String> {
        // The parser of any URL will do: it is the part after the `?` that is wanted.
        let url = reqwest::Url::parse(&format!("http://scripted/?{}", self.query)).unwrap();
        url.query_pairs().into_owned().collect()
    }

    /// The body, unpacked if it is compressed; the encoding's name if it is unknown, or `None` if it is damaged.
    fn text(&self) -> Result<String, Option<String>> {
        let mut plain = Vec::new();
        match self.header("content-encoding") {
            None | Some("identity") => plain.extend_from_slice(self.body),
            Some("gzip") => {
                flate2::read::MultiGzDecoder::new(self.body).read_to_end(&mut plain).map_err(|_| None)?;
            }
            Some(other) => return Err(Some(other.to_owned())),
        }
        String::from_utf8(plain).map_err(|_| None)
    }

    /// How many lines there are in the body.
    pub(super) fn lines(&self) -> usize {
        self.text().map_or(0, |text| split_lines(&text).filter(|line| !line.is_empty()).count())
    }
}

// === impl Profile ===

impl Profile {
    pub(super) fn write_path(&self) -> &'static str {
        match self {
            Self::V1 { .. } => "/write",
            Self::V2 { .. } => "/api/v2/write",
            Self::V3 { .. } => "/api/v3/write_lp",
        }
    }

    /// The name that the points a test asks for are stored under.
    pub(super) fn place(&self) -> &str {
        match self {
            Self::V1 { database } | Self::V3 { database, .. } => database,
            Self::V2 { bucket, .. } => bucket,
        }
    }

    /// Stores lines with timestamps in nanoseconds.
    pub(super) fn store(&self, store: &mut Store, lines: &str) {
        assert!(store_all(store, self.place(), lines, 1).is_empty(), "a line of {lines:?} is refused");
    }

    /// An answer with the headers that all answers of this server carry.
    pub(super) fn respond(&self, status: u16, body: &str) -> Response {
        let built = Response::builder().status(status);
        let built = match self {
            Self::V1 { .. } => built.header("X-Influxdb-Version", "1.8.10").header("X-Influxdb-Build", "OSS"),
            Self::V2 { .. } => built.header("X-Influxdb-Version", "v2.7.11").header("X-Influxdb-Build", "OSS"),
            Self::V3 { .. } => built.header("cluster-uuid", "8f9ff3a2-0d6a-4a62-9c2a-1f8f4a2f8b11"),
        };
        built.body(Body::from(body.to_owned())).unwrap()
    }

    pub(super) fn ping(&self, ping: &Write<'_>) -> Response {
        let Self::V3 { token, .. } = self else { return self.respond(204, "") };
        if let Some(refused) = self.unauthenticated_v3(token, ping) {
            return refused;
        }
        let version = "3.10.2";
        let body = json!({ "version": version, "revision": "5c1dd1ee5d", "process_id": "b6b9d9a0" });
        let mut response = self.respond(200, &body.to_string());
        response.headers_mut().insert("x-influxdb-version", version.parse().unwrap());
        response
    }

    pub(super) fn write(&self, write: &Write<'_>, store: &mut Store) -> Response {
        match self {
            Self::V1 { database } => self.write_v1(database, write, store),
            Self::V2 { org, bucket, token } => self.write_v2((org, bucket, token), write, store),
            Self::V3 { token, .. } => self.write_v3(token, write, store),
        }
    }

    fn write_v1(&self, database: &str, write: &Write<'_>, store: &mut Store) -> Response {
        let error = |status, text: &str| self.respond(status, &json!({ "error": text }).to_string());
        let parameters = write.parameters();
        let unit = match parameters.get("precision").map(String::as_str) {
            None | Some("" | "n" | "ns") => 1,
            Some("u") => 1_000,
            Some("ms") => 1_000_000,
            Some("s") => 1_000_000_000,
            Some(other) => return error(400, &format!("invalid precision {other:?} (use n, u, ms, s, m or h)")),
        };
        match parameters.get("db") {
            None => return error(400, "database is required"),
            Some(asked) if asked != database => return error(404, &format!("database not found: {asked:?}")),
            Some(_) => {}
        }
        if let Some(policy) = parameters.get("rp").filter(|policy| *policy != "autogen") {
            return error(500, &format!("retention policy not found: {policy}"));
        }
        let Ok(text) = write.text() else { return error(400, "unexpected EOF") };
        let refused = store_all(store, database, &text, unit);
        let conflicts: Vec<&Conflict> = refused.iter().filter_map(Refused::conflict).collect();
        match conflicts.first() {
            // The conflict hides the lines that could not be parsed.
            Some(first) => error(400, &format!("partial write: {} dropped={}", go_conflict(first), conflicts.len())),
            None if refused.is_empty() => self.respond(204, ""),
            None if refused.len() == write.lines() => error(400, &go_parse_errors(&refused)),
            None => error(400, &format!("partial write: {} dropped=0", go_parse_errors(&refused))),
        }
    }

    fn write_v2(&self, (org, bucket, token): (&str, &str, &str), write: &Write<'_>, store: &mut Store) -> Response {
        let error = |status, code: &'static str, text: &str| {
            let mut response = self.respond(status, &json!({ "code": code, "message": text }).to_string());
            response.headers_mut().insert("X-Platform-Error-Code", code.parse().unwrap());
            response
        };
        let credential = write.header("authorization").and_then(|value| value.split_once(' '));
        let authorized = credential.is_some_and(|(scheme, given)| {
            ["token", "bearer"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) && given == token
        });
        if !authorized {
            return error(401, "unauthorized", "unauthorized access");
        }
        let parameters = write.parameters();
        let asked = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
        let unit = match asked("precision") {
            "" | "ns" => 1,
            "us" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            _ => return error(400, "invalid", "invalid precision; valid precision units are ns, us, ms, and s"),
        };
        if asked("org") != org {
            return error(404, "not found", &format!("organization name {:?} not found", asked("org")));
        }
        if asked("bucket") != bucket {
            return error(404, "not found", &format!("bucket {:?} not found", asked("bucket")));
        }
        let Ok(text) = write.text() else {
            return error(500, "internal error", "An internal error has occurred - check server logs");
        };
        // One line that cannot be parsed, and nothing is stored.
        let unparsable: Vec<Refused> = parsed(&text, unit).filter_map(Result::err).collect();
        if !unparsable.is_empty() {
            return error(400, "invalid", &go_parse_errors(&unparsable));
        }
        let refused = store_all(store, bucket, &text, unit);
        match refused.iter().find_map(Refused::conflict) {
            None => self.respond(204, ""),
            Some(first) => {
                let (conflict, dropped) = (go_conflict(first), refused.len());
                let place = "for database: 0a1b2c3d4e5f6071 for retention policy: autogen";
                let why = format!("partial write: {conflict} dropped={dropped} {place}");
                error(422, "unprocessable entity", &format!("failure writing points to database: {why}"))
            }
        }
    }

    fn write_v3(&self, token: &str, write: &Write<'_>, store: &mut Store) -> Response {
        if let Some(refused) = self.unauthenticated_v3(token, write) {
            return refused;
        }
        let parameters = write.parameters();
        let unit = match parameters.get("precision").map(String::as_str) {
            Some("nanosecond") => 1,
            Some("microsecond") => 1_000,
            Some("millisecond") => 1_000_000,
            Some("second") => 1_000_000_000,
            // The real server guesses the unit from the timestamp, or on newer versions takes a short form: neither is for us.
            other => return self.respond(400, &format!("serde error: unknown variant `{other:?}`")),
        };
        let Some(database) = parameters.get("db") else {
            return self.respond(400, "serde error: missing field `db`");
        };
        let starts_well = database.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !starts_well {
            let text = "db name did not start with a number or letter";
            return self.respond(400, &json!({ "error": text }).to_string());
        }
        let text = match write.text() {
            Ok(text) => text,
            Err(Some(encoding)) => return self.respond(400, &format!("unacceptable content-encoding: {encoding}")),
            Err(None) => return self.respond(400, "error decoding gzip stream: corrupt deflate stream"),
        };
        if write.body.len().max(text.len()) > V3_MAX {
            return self.respond(413, &format!("max request size ({V3_MAX} bytes) exceeded"));
        }
        if text.is_empty() {
            return self.respond(400, "incoming write was empty");
        }
        let refused = store_all(store, database, &text, unit);
        if refused.is_empty() {
            return self.respond(204, "");
        }
        let data: Vec<_> = refused.iter().map(Refused::v3).collect();
        let body = json!({ "error": "partial write of line protocol occurred", "data": data });
        self.respond(400, &body.to_string())
    }

    /// The refusal, unless the token is right.
    fn unauthenticated_v3(&self, token: &str, write: &Write<'_>) -> Option<Response> {
        let unauthenticated = || Some(self.respond(401, r#"{"error": "the request was not authenticated"}"#));
        let Some(header) = write.header("authorization") else { return unauthenticated() };
        match header.split(' ').collect::<Vec<_>>()[..] {
            ["Bearer" | "Token", given] if given == token => None,
            ["Bearer" | "Token", _] => unauthenticated(),
            _ => Some(self.respond(400, r#"{"error":"Authorization header was malformed"}"#)),
        }
    }
}

/// Parses every line; those that can't be come back as refused.
fn parsed(text: &str, unit: i64) -> impl Iterator<Item = Result<(usize, &str, Point), Refused>> {
    let lines = split_lines(text).filter(|line| !line.is_empty());
    lines.enumerate().map(move |(index, line)| match Point::parse(line, unit) {
        Ok(point) => Ok((index + 1, line, point)),
        Err(why) => Err(Refused { number: index + 1, line: line.to_owned(), why: Why::Unparsable(why) }),
    })
}

/// Stores what can be stored and returns the rest.
fn store_all(store: &mut Store, place: &str, text: &str, unit: i64) -> Vec<Refused> {
    let store_one = |line: Result<(usize, &str, Point), Refused>| match line {
        Err(refused) => Some(refused),
        Ok((number, line, point)) => {
            let conflict = store.upsert(place, point).err()?;
            Some(Refused { number, line: line.to_owned(), why: Why::Conflict(conflict) })
        }
    };
    parsed(text, unit).filter_map(store_one).collect()
}

/// As InfluxDB 1 and 2 quote lines they can't parse.
fn go_parse_errors(refused: &[Refused]) -> String {
    let quoted = refused.iter().filter_map(|refused| match &refused.why {
        Why::Unparsable(why) => Some(format!("unable to parse '{}': {why}", refused.line)),
        Why::Conflict(_) => None,
    });
    quoted.collect::<Vec<_>>().join("\n")
}

fn go_conflict(conflict: &Conflict) -> String {
    let Conflict { measurement, field, is, already } = conflict;
    format!(
        "field type conflict: input field {field:?} on measurement {measurement:?} is type {is}, already exists as type {already}"
    )
}

// === impl Refused ===

impl Refused {
    fn conflict(&self) -> Option<&Conflict> {
        match &self.why {
            Why::Unparsable(_) => None,
            Why::Conflict(conflict) => Some(conflict),
        }
    }

    /// As InfluxDB 3 lists it: the line cut to 20 bytes.
    fn v3(&self) -> serde_json::Value {
        let message = match &self.why {
            Why::Unparsable(why) => why.clone(),
            Why::Conflict(Conflict { field, is, already, .. }) => format!(
                "invalid column type for column '{field}', expected iox::column_type::field::{already}, got iox::column_type::field::{is}"
            ),
        };
        let cut = self.line.floor_char_boundary(20);
        json!({ "error_message": message, "line_number": self.number, "original_line": &self.line[..cut] })
    }
}
