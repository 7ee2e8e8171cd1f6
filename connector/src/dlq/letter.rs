//! What a dead letter says: the record as it was, and what its headers tell of it.

use std::fmt;
use std::str::FromStr;

use rdkafka::message::{Header, Headers, Message, Timestamp};

use crate::dead_letter::headers;
use crate::record::TopicPartition;

/// A dead letter, read from a message of the dead-letter topic. Its key, value and headers stay in the message.
///
/// Every part may be missing: letters are written without context (`errors.deadletterqueue.context.headers.enable=false`),
/// by other programs, and by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Where it is in the dead-letter topic.
    pub position: Position,
    /// The record's time, which a letter keeps.
    pub time: Timestamp,
    /// Where the record was.
    pub origin: Option<Origin>,
    /// The stage it failed in: `transform`, `points` or `sink`; of a letter of Kafka Connect the stage as Connect calls it.
    pub stage: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The kind of failure.
    pub exception: Option<String>,
    /// What executed the stage.
    pub class: Option<String>,
    /// The reason with its causes.
    pub trace: Option<String>,
    /// The sha256 of the module that ran.
    pub digest: Option<String>,
    /// The line that was refused, maybe cut.
    pub line: Option<String>,
    /// The connector that wrote the letter.
    pub connector: Option<String>,
    /// The number of the task that did.
    pub task: Option<String>,
    /// What was left out because the letter was too large.
    pub omitted: Option<String>,
}

/// A place in the dead-letter topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// Where a record was when it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Its topic and partition.
    pub partition: TopicPartition,
    /// Its offset.
    pub offset: i64,
}

/// Every header that the context of a letter is made of.
const CONTEXT: [&str; 15] = [
    headers::TOPIC,
    headers::PARTITION,
    headers::OFFSET,
    headers::CONNECTOR,
    headers::TASK,
    headers::CONNECT_STAGE,
    headers::CLASS,
    headers::EXCEPTION,
    headers::MESSAGE,
    headers::STACKTRACE,
    headers::STAGE,
    headers::DIGEST,
    headers::LINE,
    headers::REASON,
    headers::OMITTED,
];

// === impl Letter ===

impl Letter {
    /// Reads a message of the dead-letter topic.
    pub fn parse(message: &impl Message) -> Self {
        let start = context_start(message);
        let text = |name| {
            let context = all_headers(message).skip(start);
            let found = context.filter(|header| header.key == name).last()?;
            Some(String::from_utf8_lossy(found.value?).into_owned())
        };
        Self {
            position: Position { partition: message.partition(), offset: message.offset() },
            time: message.timestamp(),
            origin: origin(text(headers::TOPIC), text(headers::PARTITION), text(headers::OFFSET)),
            stage: text(headers::STAGE).or_else(|| text(headers::CONNECT_STAGE).map(in_our_words)),
            reason: text(headers::REASON).or_else(|| text(headers::MESSAGE)),
            exception: text(headers::EXCEPTION),
            class: text(headers::CLASS),
            trace: text(headers::STACKTRACE),
            digest: text(headers::DIGEST),
            line: text(headers::LINE),
            connector: text(headers::CONNECTOR),
            task: text(headers::TASK),
            omitted: text(headers::OMITTED),
        }
    }

    /// Milliseconds since 1970, -1 if there is no time.
    pub fn timestamp(&self) -> i64 {
        self.time.to_millis().unwrap_or(-1)
    }
}

/// The record's own headers: those of a letter without the context that was appended to them.
pub fn original_headers<M: Message>(message: &M) -> impl Iterator<Item = Header<'_, &[u8]>> {
    let start = context_start(message);
    all_headers(message)
        .enumerate()
        .filter(move |(at, header)| *at < start || !is_context(header))
        .map(|(_, header)| header)
}

/// The index of the first header of the context, which begins with the record's topic. A record that was a dead letter before
/// brings a context of its own, which is a part of it: the last one counts.
fn context_start(message: &impl Message) -> usize {
    let topics = all_headers(message).enumerate().filter(|(_, header)| header.key == headers::TOPIC);
    topics.last().map_or(usize::MAX, |(at, _)| at)
}

fn all_headers<M: Message>(message: &M) -> impl Iterator<Item = Header<'_, &[u8]>> {
    message.headers().into_iter().flat_map(Headers::iter)
}

fn is_context(header: &Header<'_, &[u8]>) -> bool {
    CONTEXT.contains(&header.key)
}

fn origin(topic: Option<String>, partition: Option<String>, offset: Option<String>) -> Option<Origin> {
    let partition = TopicPartition::new(topic?, partition?.parse().ok()?);
    Some(Origin { partition, offset: offset?.parse().ok()? })
}

/// Connect's name of a stage that we have, in our words.
fn in_our_words(stage: String) -> String {
    match stage.as_str() {
        "TRANSFORMATION" => "transform".to_owned(),
        "TASK_PUT" => "sink".to_owned(),
        _ => stage,
    }
}

// === impl Position ===

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.partition, self.offset)
    }
}

impl FromStr for Position {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once(':').and_then(|(partition, offset)| {
            Some(Self { partition: partition.parse().ok()?, offset: offset.parse().ok()? }) //
        });
        let valid = parsed.filter(|position| position.partition >= 0 && position.offset >= 0);
        valid.ok_or("needs the form PARTITION:OFFSET, as `sluice dlq list` prints it")
    }
}

// === impl Origin ===

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.partition, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::message::{OwnedHeaders, OwnedMessage};

    use super::*;

    fn message(given: &[(&str, &str)]) -> OwnedMessage {
        let headers = given.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value: Some(*value) }) //
        });
        let time = Timestamp::CreateTime(1_700_000_000_123);
        OwnedMessage::new(Some(b"v".to_vec()), Some(b"k".to_vec()), "dead".to_owned(), time, 2, 17, Some(headers))
    }

    fn own(message: &OwnedMessage) -> Vec<(String, String)> {
        let text = |value: Option<&[u8]>| String::from_utf8(value.unwrap().to_vec()).unwrap();
        original_headers(message).map(|header| (header.key.to_owned(), text(header.value))).collect()
    }

    const FULL: [(&str, &str); 14] = [
        ("__connect.errors.topic", "prices"),
        ("__connect.errors.partition", "3"),
        ("__connect.errors.offset", "120"),
        ("__connect.errors.connector.name", "crypto"),
        ("__connect.errors.task.id", "1"),
        ("__connect.errors.stage", "TRANSFORMATION"),
        ("__connect.errors.class.name", "sluice::points"),
        ("__connect.errors.exception.class.name", "BadLine"),
        ("__connect.errors.exception.message", "the line is empty"),
        ("__connect.errors.exception.stacktrace", "BadLine: the line is empty"),
        ("sluice.stage", "points"),
        ("sluice.module.digest", "00ff"),
        ("sluice.reason", "the line is empty"),
        ("sluice.line", " "),
    ];

    #[test]
    fn every_header_is_read() {
        let letter = Letter::parse(&message(&FULL));
        assert_eq!(letter.position.to_string(), "2:17");
        assert_eq!(letter.origin.as_ref().unwrap().to_string(), "prices-3@120");
        assert_eq!(letter.timestamp(), 1_700_000_000_123);
        let told = [&letter.stage, &letter.exception, &letter.class, &letter.digest, &letter.line, &letter.connector];
        let told: Vec<_> = told.into_iter().map(|text| text.as_deref().unwrap()).collect();
        assert_eq!(told, ["points", "BadLine", "sluice::points", "00ff", " ", "crypto"]);
        assert_eq!((letter.task.as_deref(), letter.reason.as_deref()), (Some("1"), Some("the line is empty")));
        assert_eq!((letter.trace.as_deref(), letter.omitted), (Some("BadLine: the line is empty"), None));
        assert_eq!(own(&message(&FULL)), []);
    }

    #[test]
    fn only_the_appended_context_is_no_header_of_the_record() {
        // A record that was itself read from a dead-letter topic, with a header between.
        let first = [("a", "1"), ("__connect.errors.topic", "older"), ("sluice.line", "old"), ("a", "2")];
        let letter = message(&[&first[..], &FULL[..3]].concat());
        let kept = first.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(own(&letter), kept);
        let parsed = Letter::parse(&letter);
        assert_eq!(parsed.origin.unwrap().to_string(), "prices-3@120");
        assert_eq!(parsed.line, None, "the line of an older failure");
        // What a mirror appends behind it is kept.
        assert_eq!(own(&message(&[&FULL[..], &[("mirror", "m")]].concat())), [("mirror".to_owned(), "m".to_owned())]);
    }

    #[test]
    fn what_is_not_told_is_unknown() {
        let bare = Letter::parse(&message(&[("__connect.errors.offset", "7"), ("sluice.reason", "theirs")]));
        assert_eq!((bare.origin, bare.stage, bare.reason), (None, None, None));
        assert_eq!(own(&message(&[("sluice.reason", "theirs")])).len(), 1);
        let garbled = Letter::parse(&message(&[FULL[0], ("__connect.errors.partition", "x"), FULL[2]]));
        assert_eq!(garbled.origin, None);
        let connects = Letter::parse(&message(&[FULL[0], ("__connect.errors.stage", "TASK_PUT"), FULL[8]]));
        assert_eq!(connects.stage.as_deref(), Some("sink"));
        assert_eq!(connects.reason.as_deref(), Some("the line is empty"));
    }
}
