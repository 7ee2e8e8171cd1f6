//! The full check of a line that isn't plain.
//!
//! The crate's parser decides whether it is line protocol. What it lets pass although InfluxDB 1 or 2, VictoriaMetrics
//! or QuestDB would lose it, or refuse a whole request for it, is refused after that.

mod layout;

use influxdb_line_protocol::{FieldValue, ParsedLine, parse_lines};

use super::{LineError, stamp::TIMES};
use layout::Layout;

/// The most bytes that measurement, tags and a field's key can have together, in 1.x and 2.x (`MaxKeyLength`).
const MAX_KEY: usize = 65_535;
/// The most bytes of the parser's words that a reason takes over.
const MAX_WORDS: usize = 200;
/// What those servers put between series and field, and count.
const SEPARATOR: usize = 4;

/// A sound line.
#[derive(Debug)]
pub(super) struct Judged<'a> {
    /// The line without blanks around it.
    pub(super) text: &'a str,
    /// Whether it brings a timestamp.
    pub(super) has_timestamp: bool,
}

/// Judges `line`.
pub(super) fn judge(line: &[u8]) -> Result<Judged<'_>, LineError> {
    let text = check_text(line)?;
    let layout = Layout::of(text);
    let mut lines = parse_lines(text);
    let parsed = match (lines.next(), lines.next()) {
        (Some(Ok(parsed)), None) => parsed,
        (Some(Err(error)), _) => {
            let blamed = match layout {
                Ok(layout) => layout.blame(),
                Err(found) => Some(found),
            };
            return Err(blamed.unwrap_or_else(|| LineError::Malformed { reason: worded(&error) }));
        }
        // No newline, so no second line; not blank, so not none.
        _ => return Err(LineError::Malformed { reason: "not one line".to_owned() }),
    };
    check_names(&parsed)?;
    check_against(&layout?, &parsed)?;
    check_values(&parsed)?;
    Ok(Judged { text, has_timestamp: parsed.timestamp.is_some() })
}

/// The parser's own words. They may repeat the rest of the line.
fn worded(error: &influxdb_line_protocol::Error) -> String {
    layout::cut(&error.to_string().escape_debug().to_string(), MAX_WORDS)
}

/// What can be said of the bytes before any parsing. Gives the line without blanks around it.
fn check_text(line: &[u8]) -> Result<&str, LineError> {
    if let Some(at) = memchr::memchr(b'\n', line) {
        return Err(LineError::Newline { at });
    }
    let text = std::str::from_utf8(line).map_err(|error| LineError::NotUtf8 { at: error.valid_up_to() })?;
    let text = text.trim_matches(' ');
    match (text.as_bytes().first(), text.as_bytes().last()) {
        (None, _) => Err(LineError::Empty),
        (Some(b'#'), _) => Err(LineError::Comment),
        (_, Some(b'\r')) => Err(LineError::CarriageReturn),
        (_, Some(b'\\')) => Err(LineError::TrailingBackslash),
        _ if text.starts_with('\u{feff}') => Err(LineError::ByteOrderMark),
        _ => Ok(text),
    }
}

/// Names given twice, and names that InfluxDB keeps for itself.
fn check_names(parsed: &ParsedLine<'_>) -> Result<(), LineError> {
    let mut tags: Vec<&str> = parsed.series.tag_set.iter().flatten().map(|(key, _)| key.as_str()).collect();
    if let Some(&key) = tags.iter().find(|key| matches!(**key, "time" | "_field" | "_measurement")) {
        return Err(LineError::ReservedTag { key: key.to_owned() });
    }
    if let Some(key) = twice(&mut tags) {
        return Err(LineError::DuplicateTag { key: layout::shown(key) });
    }
    let mut fields: Vec<&str> = parsed.field_set.iter().map(|(key, _)| key.as_str()).collect();
    if fields.contains(&"time") {
        return Err(LineError::ReservedField);
    }
    twice(&mut fields).map_or(Ok(()), |key| Err(LineError::DuplicateField { key: layout::shown(key) }))
}

/// A name that is there twice. Sorts, because a line may have very many.
fn twice<'a>(names: &mut [&'a str]) -> Option<&'a str> {
    names.sort_unstable();
    names.array_windows().find(|[a, b]| a == b).map(|&[a, _]| a)
}

/// The line as 1.x and 2.x divide it must be the line as the parser did.
fn check_against(layout: &Layout<'_>, parsed: &ParsedLine<'_>) -> Result<(), LineError> {
    let num_tags = parsed.series.tag_set.as_ref().map_or(0, |tags| tags.len());
    if layout.num_tags != num_tags || layout.fields.len() != parsed.field_set.len() {
        return Err(LineError::Malformed { reason: "servers would divide it in different ways".to_owned() });
    }
    let longest = layout.fields.iter().map(|field| field.key.len()).max().unwrap_or(0);
    let len = layout.series_len + SEPARATOR + longest;
    if len > MAX_KEY { Err(LineError::KeyTooLong { len }) } else { Ok(()) }
}

fn check_values(parsed: &ParsedLine<'_>) -> Result<(), LineError> {
    for (key, value) in &parsed.field_set {
        if matches!(value, FieldValue::F64(number) if !number.is_finite()) {
            return Err(LineError::NotFinite { key: layout::shown(key) });
        }
    }
    match parsed.timestamp {
        Some(ns) if !TIMES.contains(&ns) => Err(LineError::LineTime { ns }),
        _ => Ok(()),
    }
}
