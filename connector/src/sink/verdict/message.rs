//! Reads the bodies of error answers, whatever their form: `{"error"}`, `{"code","message"}`, `{"error","data":[…]}`,
//! `{"error","data":{…}}`, `{"code","message","line"}`, plain text, HTML, nothing, and each of them cut in the middle.

use std::borrow::Cow;

use serde_json::Value;

use super::RejectedLine;

/// How much of a server's words is shown, in characters. Enough for the longest single message known; a batch of bad lines
/// would fill the screen.
const EXCERPT_CHARS: usize = 400;

/// How InfluxDB 1 and 2 begin a complaint about one line: the line follows, then `': ` and why.
const UNPARSABLE: &str = "unable to parse '";

/// How InfluxDB 1 begins the complaint about lines that it could not parse when it has stored all others; ` dropped=0` ends it.
const PARTIAL_UNPARSABLE: &str = "partial write: unable to parse '";

/// What InfluxDB answers 500 for when it is overloaded or out of order, whatever the lines are.
const STRAIN: [&str; 7] = [
    "timeout",
    "write failed",
    "cache-max-memory-size exceeded",
    "error from wal",
    "engine is closed",
    "no space left",
    "object store",
];

/// Texts of 400 answers that are about the request's parameters, by how they begin, and what to do. By the beginning, because a
/// quoted line further on could hold the same words.
const PARAMETERS: &[(&str, &str)] = &[
    ("database is required", "set influx.database"),
    ("missing query param", "set influx.database"),
    ("db name", "correct influx.database"),
    ("invalid character in database", "correct influx.database"),
    ("error validating namespace name", "correct influx.database"),
    ("cannot write to soft-deleted database", "restore the database or correct influx.database"),
    ("invalid consistency level", "check influx.version"),
    ("invalid precision", "check influx.version"),
    ("error in query parameters", "check influx.version"),
    ("serde error", "check influx.version"),
    ("Authorization header was malformed", "check influx.token"),
    ("unacceptable content-encoding", "set influx.compression=none"),
    ("Client sent an HTTP request to an HTTPS server", "begin influx.url with https://"),
    // VictoriaMetrics
    ("unsupported path requested", "the server has no such endpoint: check influx.url"),
    ("missing authorization", "check influx.username and influx.password"),
];

/// An error answer, taken apart.
#[derive(Debug, Default)]
pub(super) struct Message {
    /// The message itself: the member `error` or `message`, or the whole body.
    pub(super) text: String,
    /// The member `code`, if it is text.
    pub(super) code: Option<String>,
    /// The member `code`, if it is a number: GreptimeDB's own status.
    pub(super) greptime: Option<u64>,
    /// The number of the first bad line, from 1 (QuestDB, InfluxDB's clouds).
    line: Option<usize>,
    /// The member `data` of InfluxDB 3.
    data: Data,
    /// The body is a web page.
    pub(super) is_html: bool,
    /// The body was cut and has been closed to be readable.
    is_cut: bool,
}

/// Which lines InfluxDB 3 refused.
#[derive(Debug, Default)]
enum Data {
    #[default]
    None,
    /// Each of them: the good ones are stored.
    List(Vec<RejectedLine>),
    /// The first: nothing is stored.
    First(RejectedLine),
}

/// A server's words fit for a log line: cut, and control characters escaped.
pub(crate) fn excerpt(text: &str) -> String {
    let text = text.trim();
    let mut shown = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == EXCERPT_CHARS {
            shown.push('…');
            break;
        }
        match character.is_control() {
            true => shown.extend(character.escape_default()),
            false => shown.push(character),
        }
    }
    shown
}

/// What to do about a 400 that is about the request's parameters, if that is what it is.
pub(super) fn parameter_advice(message: &Message) -> Option<&'static str> {
    // QuestDB: a precision or an encoding it does not know.
    if message.code.as_deref() == Some("not supported") {
        return Some("check influx.version and influx.compression");
    }
    PARAMETERS.iter().find(|(beginning, _)| message.text.starts_with(beginning)).map(|(_, advice)| *advice)
}

/// Whether a 400 says that the bytes did not arrive whole. Go's words, InfluxDB 3's, then VictoriaMetrics's, which has the same words for
/// a line that is too long.
pub(super) fn is_damaged(text: &str) -> bool {
    const BEGINNINGS: [&str; 6] =
        ["gzip: ", "flate: ", "zlib: ", "error decoding gzip stream", "cannot read ", "cannot decompress data"];
    let text = text.trim();
    let begins = BEGINNINGS.iter().any(|begin| text.starts_with(begin)) && !text.contains("too long line");
    begins || ["EOF", "unexpected EOF"].contains(&text)
}

/// Whether a 400 says that the request is too large: VictoriaMetrics, whose versions have different words for it.
pub(super) fn is_too_large(text: &str) -> bool {
    text.starts_with("too big ") && (text.contains("data size") || text.contains("maxRequestSize"))
}

/// What VictoriaMetrics says, without the request that it puts before it.
fn without_request(text: &str) -> &str {
    let said = text.strip_prefix("remoteAddr: ").and_then(|rest| rest.split_once("; requestURI: "));
    said.and_then(|(_, rest)| rest.split_once("; ")).map_or(text, |(_, said)| said)
}

/// Whether a 500 is known to be the server's own trouble.
pub(super) fn is_strain(text: &str) -> bool {
    STRAIN.iter().any(|words| text.contains(words))
}

// === impl Message ===

impl Message {
    /// Takes a body apart; never fails, since any proxy may have written it.
    pub(super) fn parse(body: &[u8]) -> Self {
        let body = String::from_utf8_lossy(body);
        let body = body.trim();
        let Some((value, is_cut)) = parse_json(body) else {
            let is_html = body.starts_with('<');
            return Self { text: without_request(body).to_owned(), is_html, ..Self::default() };
        };
        let text = ["error", "message"].iter().find_map(|key| value[*key].as_str()).unwrap_or(body);
        Self {
            text: text.to_owned(),
            code: value["code"].as_str().map(str::to_owned),
            // Below a thousand it is the HTTP status once more, as proxies put it.
            greptime: value["code"].as_u64().filter(|&code| code == 0 || code >= 1000),
            line: number(&value["line"]),
            data: Data::parse(&value["data"]),
            is_html: false,
            is_cut,
        }
    }

    /// What stands before the first quoted line, which may hold anything: what a record says must not pass for the server's words.
    pub(super) fn own_words(&self) -> &str {
        self.text.split(UNPARSABLE).next().unwrap_or_default()
    }

    /// Whether the server says that it stored what it did not refuse.
    pub(super) fn is_partial_write(&self) -> bool {
        self.own_words().contains("partial write") && !matches!(self.data, Data::First(_))
    }

    /// The refused lines the message names, and whether these are all of them.
    pub(super) fn rejected_lines(&self, stored_rest: bool) -> (Vec<RejectedLine>, bool) {
        match &self.data {
            Data::List(lines) => (lines.clone(), !self.is_cut),
            Data::First(line) => (vec![line.clone()], false),
            Data::None => match self.line {
                Some(number) => {
                    let reason = excerpt(&self.text);
                    (vec![RejectedLine { number: Some(number), text: None, reason }], false)
                }
                None => {
                    let all =
                        stored_rest && self.text.starts_with(PARTIAL_UNPARSABLE) && self.text.ends_with(" dropped=0");
                    let (lines, all_read) = quoted_lines(&self.text);
                    (lines, all && all_read && !self.is_cut)
                }
            },
        }
    }
}

// === impl Data ===

impl Data {
    fn parse(data: &Value) -> Self {
        match data {
            Value::Array(entries) if !entries.is_empty() => Self::List(entries.iter().map(entry).collect()),
            Value::Object(_) => Self::First(entry(data)),
            _ => Self::None,
        }
    }
}

/// One refused line of InfluxDB 3.
fn entry(value: &Value) -> RejectedLine {
    RejectedLine {
        number: number(&value["line_number"]),
        text: value["original_line"].as_str().map(str::to_owned),
        reason: excerpt(value["error_message"].as_str().unwrap_or("no reason given")),
    }
}

fn number(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|number| usize::try_from(number).ok()).filter(|&number| number > 0)
}

/// The lines that InfluxDB 1 and 2 quote: `unable to parse '<line>': <why>`, one after the other. A line may itself hold quotes and
/// newlines, so each complaint reaches to the next one's beginning, and its line to the last `': ` in it. Tells also whether every
/// complaint could be read: a line that is refused and not known of would pass for a stored one.
fn quoted_lines(text: &str) -> (Vec<RejectedLine>, bool) {
    let Some(begin) = text.find(UNPARSABLE) else { return (Vec::new(), false) };
    let (mut lines, mut all_read) = (Vec::new(), true);
    for complaint in text[begin + UNPARSABLE.len()..].split("\nunable to parse '") {
        let Some((line, why)) = complaint.rsplit_once("': ") else {
            all_read = false;
            continue;
        };
        let why = why.split(" dropped=").next().unwrap_or(why);
        lines.push(RejectedLine { number: None, text: Some(line.to_owned()), reason: excerpt(why) });
    }
    (lines, all_read)
}

/// The JSON object that `body` is or, since only the beginning of a long answer is read, begins. True if it was cut.
fn parse_json(body: &str) -> Option<(Value, bool)> {
    if !body.starts_with('{') {
        return None;
    }
    if let Ok(value) = serde_json::from_str(body) {
        return Some((value, false));
    }
    // Cut in the list of InfluxDB 3: close it after the last entry that is whole. Cut in a string: close that, without the escape
    // that the cut may have torn (at most `\u12` and the two characters around it).
    let after_entry = body.rfind('}').map(|end| Cow::from(format!("{}]}}", &body[..=end])));
    let in_string = (0..8).filter_map(|torn| {
        let end = body.len().checked_sub(torn)?;
        body.is_char_boundary(end).then(|| Cow::from(format!("{}\"}}", &body[..end])))
    });
    let closed = after_entry.into_iter().chain(in_string);
    closed.filter_map(|text| serde_json::from_str::<Value>(&text).ok()).next().map(|value| (value, true))
}
