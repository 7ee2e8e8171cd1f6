//! One dead letter: the record as it was, and why it is here.

use std::fmt;
use std::sync::Arc;

use rdkafka::message::{Header, OwnedHeaders};

use super::{Records, headers};
use crate::batch::Batch;
use crate::config::DeadLettersConfig;
use crate::record::TopicPartition;

/// The most of a refused line that a header shows, in bytes. A header as large as the value would double the letter.
const LINE_MAX: usize = 16 * 1024;

/// The stage that a record failed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectStage {
    /// The transform rejected it or failed on it.
    Transform,
    /// The transform's line is none that can be stored.
    Points,
    /// InfluxDB refused it.
    Sink,
}

/// Who sends.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    pub(super) connector: Arc<str>,
    pub(super) task: u32,
}

/// What is left out of a letter that is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Omitted {
    Nothing,
    Value,
    All,
}

/// A record that can't be written.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Where it comes from.
    pub partition: TopicPartition,
    /// Its offset.
    pub offset: i64,
    /// Where it failed.
    pub stage: RejectStage,
    /// The kind of failure: `Trap`, `Rejected`, `BadLine`, `Refused`, `TooLarge`.
    pub kind: &'static str,
    /// Why.
    pub reason: String,
    /// The line at fault, if there is one.
    pub line: Option<Vec<u8>>,
    /// The module that ran.
    pub digest: Arc<str>,
    /// The record alone: a letter that waits must not keep the batch that it was in.
    record: Box<Batch>,
    claim: u64,
    omitted: Omitted,
}

// === impl RejectStage ===

impl RejectStage {
    /// The stage in our words.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Transform => "transform",
            Self::Points => "points",
            Self::Sink => "sink",
        }
    }

    /// The stage in Connect's words.
    pub const fn connect(self) -> &'static str {
        match self {
            Self::Transform | Self::Points => "TRANSFORMATION",
            Self::Sink => "TASK_PUT",
        }
    }

    /// What executed it, in the place of Connect's class.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Transform => "sluice::transform",
            Self::Points => "sluice::points",
            Self::Sink => "sluice::sink",
        }
    }
}

impl fmt::Display for RejectStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

// === impl Letter ===

impl Letter {
    /// The letter of record `index` of `records`.
    pub fn new(
        (partition, digest): (&TopicPartition, &Arc<str>),
        (records, index): (Records, usize),
        (stage, kind): (RejectStage, &'static str),
        reason: String,
        line: Option<Vec<u8>>,
    ) -> Self {
        Self {
            partition: partition.clone(),
            offset: records.offsets[index],
            stage,
            kind,
            reason,
            line,
            digest: Arc::clone(digest),
            record: Box::new(records.slice(index..index + 1)),
            claim: 0,
            omitted: Omitted::Nothing,
        }
    }

    pub(super) fn of_claim(mut self, claim: u64) -> Self {
        self.claim = claim;
        self
    }

    /// The memory that it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.record.bytes() + self.reason.len() + self.line.as_ref().map_or(0, Vec::len)
    }

    pub(super) fn claim(&self) -> u64 {
        self.claim
    }

    /// Where the record is, for a person.
    pub(super) fn place(&self) -> String {
        format!("{} offset {}", self.partition, self.offset)
    }

    /// Leaves out the value, then all but the record's position. Gives back whether there was something to leave out.
    pub(super) fn leave_out(&mut self) -> bool {
        let before = self.omitted;
        self.omitted = match before {
            Omitted::Nothing if self.value().is_some_and(|value| !value.is_empty()) => Omitted::Value,
            Omitted::Nothing | Omitted::Value | Omitted::All => Omitted::All,
        };
        self.omitted != before
    }

    /// What is left out, for the header.
    pub(super) fn omitted(&self) -> &'static str {
        match self.omitted {
            Omitted::Nothing => "",
            Omitted::Value => "value",
            Omitted::All => "key,value,headers",
        }
    }

    /// The record's key; null is `None`.
    pub(super) fn key(&self) -> Option<&[u8]> {
        if self.omitted == Omitted::All { None } else { self.record.keys.get(0) }
    }

    /// The record's value; null is `None`.
    pub(super) fn value(&self) -> Option<&[u8]> {
        if self.omitted >= Omitted::Value { None } else { self.record.values.get(0) }
    }

    /// Milliseconds since 1970, -1 if the record has no time.
    pub(super) fn timestamp(&self) -> i64 {
        self.record.timestamps[0]
    }

    /// The record's own headers, then ours.
    pub(super) fn headers(&self, config: &DeadLettersConfig, sender: &Sender) -> OwnedHeaders {
        let mut all = OwnedHeaders::new();
        if self.omitted < Omitted::All {
            for (name, value) in self.record.headers_of(0) {
                // Kafka's names are UTF-8.
                all = all.insert(Header { key: &String::from_utf8_lossy(name), value });
            }
        }
        // A letter without its value is of use only with the record's position.
        if config.context_headers || self.omitted > Omitted::Nothing { self.context(all, sender) } else { all }
    }

    fn context(&self, headers: OwnedHeaders, sender: &Sender) -> OwnedHeaders {
        let (partition, offset) = (self.partition.partition.to_string(), self.offset.to_string());
        let task = sender.task.to_string();
        let trace = format!("{} at {} in {}: {}", self.kind, self.place(), self.stage.class(), self.reason);
        let texts = [
            (headers::TOPIC, &*self.partition.topic),
            (headers::PARTITION, &partition),
            (headers::OFFSET, &offset),
            (headers::CONNECTOR, &sender.connector),
            (headers::TASK, &task),
            (headers::CONNECT_STAGE, self.stage.connect()),
            (headers::CLASS, self.stage.class()),
            (headers::EXCEPTION, self.kind),
            (headers::MESSAGE, &self.reason),
            (headers::STACKTRACE, &trace),
            (headers::STAGE, self.stage.label()),
            (headers::DIGEST, &self.digest),
            (headers::REASON, &self.reason),
        ];
        let mut all = headers;
        for (key, value) in texts {
            all = all.insert(Header { key, value: Some(value.as_bytes()) });
        }
        if let Some(line) = &self.line {
            all = all.insert(Header { key: headers::LINE, value: Some(&line[..line.len().min(LINE_MAX)]) });
        }
        if self.omitted > Omitted::Nothing {
            all = all.insert(Header { key: headers::OMITTED, value: Some(self.omitted().as_bytes()) });
        }
        all
    }
}
