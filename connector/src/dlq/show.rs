//! `sluice dlq show`.

use std::io::{self, Write};

use rdkafka::message::{Message, Timestamp};

use super::letter::{Letter, original_headers};
use super::moment::Moment;
use super::text::{escaped, shown};
use super::{DlqError, Source};
use crate::cli::dlq::ShowArgs;
use crate::source::read::Span;

/// Prints one letter whole, or the bytes of its value.
pub(super) fn run(args: &ShowArgs, out: &mut impl Write) -> Result<(), DlqError> {
    let source = Source::open(&args.topic, &args.worker)?;
    let reader = source.reader("sluice-dlq-show")?;
    let position = args.position;
    let no_letter = || DlqError::NoLetter { topic: reader.topic().to_owned(), position };
    let within = |span: &Span| span.partition == position.partition && (span.from..span.end).contains(&position.offset);
    let Some(span) = reader.spans()?.into_iter().find(within) else { return Err(no_letter()) };
    let mut reading = reader.read(&[Span { from: position.offset, end: position.offset + 1, ..span }])?;
    let message = reading.next()?.ok_or_else(no_letter)?;
    if !args.raw {
        return Ok(print(out, &message)?);
    }
    let value = message.payload().ok_or(DlqError::NoValue { position })?;
    Ok(out.write_all(value).and_then(|()| out.flush())?)
}

fn print(out: &mut impl Write, message: &impl Message) -> io::Result<()> {
    let letter = Letter::parse(message);
    let text = |text: &Option<String>| text.as_deref().map_or_else(|| "unknown".to_owned(), escaped);
    let time = match letter.time {
        Timestamp::NotAvailable => "none".to_owned(),
        Timestamp::CreateTime(ms) => format!("{} ({ms})", Moment(ms)),
        Timestamp::LogAppendTime(ms) => format!("{} ({ms}), the dead-letter topic's own", Moment(ms)),
    };
    let origin = letter.origin.as_ref().map_or_else(|| "unknown".to_owned(), |origin| escaped(&origin.to_string()));
    let executed = format!("{} ({})", text(&letter.class), text(&letter.exception));
    let mut rows = vec![
        ("letter", format!("{}-{}@{}", message.topic(), letter.position.partition, letter.position.offset)),
        ("record", origin),
        ("time", time),
        ("connector", format!("{}, task {}", text(&letter.connector), text(&letter.task))),
        ("stage", text(&letter.stage)),
        ("reason", text(&letter.reason)),
        ("failed in", executed),
        ("stack trace", letter.trace.as_deref().map_or_else(|| "none".to_owned(), trace)),
        ("module", text(&letter.digest)),
        ("line", letter.line.as_deref().map_or_else(|| "none".to_owned(), escaped)),
    ];
    rows.extend(letter.omitted.iter().map(|what| ("left out", format!("{}: the letter was too large", escaped(what)))));
    rows.push(("key", bytes(message.key())));
    let headers = original_headers(message).map(|header| format!("{}: {}", escaped(header.key), bytes(header.value)));
    rows.extend(headers.map(|header| ("header", header)));
    rows.push(("value", bytes(message.payload())));
    for (name, value) in rows {
        // What goes on after a line end stands under its beginning.
        writeln!(out, "{name:11}  {}", value.replace('\n', "\n             "))?;
    }
    Ok(())
}

/// Line by line, as it was meant to be read.
fn trace(text: &str) -> String {
    text.lines().map(|line| escaped(&line.replace('\t', "    "))).collect::<Vec<_>>().join("\n")
}

fn bytes(bytes: Option<&[u8]>) -> String {
    match bytes {
        None => "null".to_owned(),
        Some([]) => "empty".to_owned(),
        Some(bytes) if std::str::from_utf8(bytes).is_ok() && !bytes.contains(&0) => shown(bytes),
        Some(bytes) => format!("{} bytes\n{}", bytes.len(), shown(bytes)),
    }
}
