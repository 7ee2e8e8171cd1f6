//! Why a task fails. Each message says what was attempted, on what, and what to do.

use rdkafka::error::KafkaError;
use thiserror::Error;

use crate::batch::Batch;
use crate::commit::LedgerError;
use crate::record::{OffsetRange, TopicPartition};
use crate::sink::body::Body;
use crate::sink::verdict::{RejectedLine, Verdict};
use crate::transform::TransformError;

/// Why a task ended by itself. No offset at or past the record at fault was committed.
#[derive(Debug, Error)]
pub enum TaskError {
    /// The consumer could not be made.
    #[error(
        "could not start the Kafka consumer of connector {connector}; check bootstrap.servers, the client settings and consumer.override.*"
    )]
    Consumer {
        /// The connector.
        connector: String,
        /// librdkafka's error.
        source: KafkaError,
    },
    /// A topic is not there.
    #[error("topic `{topic}` does not exist on {brokers}; create it, or correct `topics`")]
    TopicMissing {
        /// The topic.
        topic: String,
        /// `bootstrap.servers`.
        brokers: String,
    },
    /// The group could not be served.
    #[error("could not change the partition assignment")]
    Group {
        /// librdkafka's error.
        source: KafkaError,
    },
    /// librdkafka gave up for good.
    #[error("the Kafka client of {brokers} failed for good: {reason}; restart the connector")]
    Fatal {
        /// `bootstrap.servers`.
        brokers: String,
        /// librdkafka's words.
        reason: String,
    },
    /// Another member came with the task's static id.
    #[error(
        "another process has joined the group with group.instance.id={id}; give each process an id of its own, as with consumer.override.group.instance.id=${{env:HOSTNAME}}, and restart the connector"
    )]
    Fenced {
        /// The id, with the task's number behind it.
        id: String,
    },
    /// There is no offset to read from, and the settings say that none may be chosen.
    #[error(
        "{partition} can't be read on: {reason}; auto.offset.reset=error stops the task here: commit an offset for the group (kafka-consumer-groups --reset-offsets), or allow earliest or latest"
    )]
    NoOffset {
        /// The partition.
        partition: TopicPartition,
        /// librdkafka's words, with the offset if there was one.
        reason: String,
    },
    /// A record that the transform or the line protocol does not accept.
    #[error(
        "record {partition} offset {offset} was rejected by {stage}: {reason}; errors.tolerance=none stops the task here, its offset is not committed"
    )]
    Rejected {
        /// The partition.
        partition: TopicPartition,
        /// The offset.
        offset: i64,
        /// `transform` or `points`.
        stage: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The transform itself failed.
    #[error("could not transform records {partition} offset {range}, none of them is committed")]
    Transform {
        /// The partition.
        partition: TopicPartition,
        /// The batch.
        range: OffsetRange,
        /// What happened.
        source: TransformError,
    },
    /// InfluxDB refused lines, and sending them again can't help.
    #[error(
        "{url} refused {records}: {reason}; errors.tolerance=none stops the task here, their offsets are not committed"
    )]
    Refused {
        /// `influx.url`.
        url: String,
        /// The record, where the answer tells which; otherwise all records of the request.
        records: String,
        /// The server's words.
        reason: String,
    },
    /// An invariant broke: a bug of ours, and no ground to commit anything.
    #[error(
        "the offsets of {partition} went back; if the topic was not made anew or cut off, this is a bug of Sluice; nothing more is committed"
    )]
    Ledger {
        /// The partition.
        partition: TopicPartition,
        /// What was out of order.
        source: LedgerError,
    },
}

// === impl TaskError ===

impl TaskError {
    pub(super) fn group(source: KafkaError) -> Self {
        Self::Group { source }
    }

    pub(super) fn rejected(
        partition: &TopicPartition,
        batch: &Batch,
        record: usize,
        stage: &'static str,
        reason: String,
    ) -> Self {
        Self::Rejected { partition: partition.clone(), offset: batch.offsets[record], stage, reason }
    }

    /// Names the first record at fault, if the answer lets it be found.
    pub(super) fn refused(url: &str, body: &Body, verdict: &Verdict) -> Self {
        let (lines, words) = told(verdict);
        let guilty = lines.iter().find_map(|line| {
            let index = line.find_in(&body.bytes)?;
            let (partition, offset) = body.origin_of(index)?;
            Some((format!("record {partition} offset {offset}"), line.reason.clone()))
        });
        let (records, reason) = guilty.unwrap_or_else(|| (all_records(body), words.to_owned()));
        let hint = if matches!(verdict, Verdict::TooLarge { .. }) { "; lower batch.max.bytes" } else { "" };
        Self::Refused { url: url.to_owned(), records, reason: format!("{reason}{hint}") }
    }
}

/// The lines that an answer names, and its words.
fn told(verdict: &Verdict) -> (&[RejectedLine], &str) {
    match verdict {
        Verdict::RejectedLines { lines, reason, .. } => (lines, reason),
        Verdict::RejectedWhole { reason } | Verdict::TooLarge { reason } => (&[], reason),
        Verdict::Configuration { reason } | Verdict::Transient { reason, .. } => (&[], reason),
        Verdict::Done => (&[], ""),
    }
}

/// Which records a body holds, for a refusal that does not say which line.
fn all_records(body: &Body) -> String {
    const SHOWN: usize = 4;
    let mut parts: Vec<_> =
        body.parts.iter().take(SHOWN).map(|part| format!("{} offset {}", part.partition, part.range)).collect();
    if body.parts.len() > SHOWN {
        parts.push(format!("{} more", body.parts.len() - SHOWN));
    }
    format!("a request with records {}", parts.join(", "))
}
