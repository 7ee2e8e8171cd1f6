//! Why a task fails. Each message says what was attempted, on what, and what to do.

use rdkafka::error::KafkaError;
use thiserror::Error;

use super::rejects::Rejection;
use crate::commit::LedgerError;
use crate::config::BudgetConfig;
use crate::dead_letter::RejectStage;
use crate::record::TopicPartition;
use crate::sink::verdict::excerpt;
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
    /// The producer of dead letters could not be made.
    #[error(
        "could not start the producer of dead letters of connector {connector}; check bootstrap.servers, the client settings and producer.override.*"
    )]
    Producer {
        /// The connector.
        connector: String,
        /// librdkafka's error.
        source: KafkaError,
    },
    /// The topics to read include the one of dead letters: each would come back for ever.
    #[error(
        "`topics.regex` matches the dead-letter topic `{topic}`, whose records would come back for ever; change one of them"
    )]
    LettersRead {
        /// The topic.
        topic: String,
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
    /// A record that can't be written.
    #[error(
        "record {partition} offset {offset} was rejected by {stage}: {reason}; errors.tolerance=none stops the task here, its offset is not committed"
    )]
    Rejected {
        /// The partition.
        partition: TopicPartition,
        /// The offset.
        offset: i64,
        /// `transform`, `points` or `sink`.
        stage: RejectStage,
        /// What is wrong with it.
        reason: String,
    },
    /// Too many of them.
    #[error(
        "more than errors.budget.max={max} records were rejected within errors.budget.window.ms={window_ms}, the last one {partition} offset {offset} by {stage}: {reason}; its offset is not committed"
    )]
    OverBudget {
        /// The budget.
        max: u64,
        /// Its window.
        window_ms: u128,
        /// The partition of the record that was one too many.
        partition: TopicPartition,
        /// Its offset.
        offset: i64,
        /// Where it was rejected.
        stage: RejectStage,
        /// What is wrong with it.
        reason: String,
    },
    /// The transform fails on everything.
    #[error(
        "the transform fails on everything from record {partition} offset {offset} on, none of it is committed; change transform.module"
    )]
    Broken {
        /// The partition.
        partition: TopicPartition,
        /// The first record.
        offset: i64,
        /// What happened.
        source: TransformError,
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
    /// Whether the same task with the same settings may get further at another time: servers and topics change by themselves, settings,
    /// modules and records that stand in the way do not.
    pub fn is_mendable(&self) -> bool {
        match self {
            Self::TopicMissing { .. } | Self::Group { .. } | Self::Fatal { .. } => true,
            Self::Consumer { .. }
            | Self::Producer { .. }
            | Self::LettersRead { .. }
            | Self::Fenced { .. }
            | Self::NoOffset { .. }
            | Self::Rejected { .. }
            | Self::OverBudget { .. }
            | Self::Broken { .. }
            | Self::Ledger { .. } => false,
        }
    }

    pub(super) fn group(source: KafkaError) -> Self {
        Self::Group { source }
    }

    pub(super) fn rejected((partition, offset): (TopicPartition, i64), url: &str, rejection: &Rejection) -> Self {
        Self::Rejected { partition, offset, stage: rejection.stage, reason: words(url, rejection) }
    }

    pub(super) fn over_budget(
        (partition, offset): (TopicPartition, i64),
        budget: &BudgetConfig,
        rejection: &Rejection,
    ) -> Self {
        let (max, window_ms) = (budget.max.get(), budget.window.as_millis());
        let (stage, reason) = (rejection.stage, rejection.reason.clone());
        Self::OverBudget { max, window_ms, partition, offset, stage, reason }
    }
}

/// The reason, and for a line that InfluxDB refused where that was and which.
fn words(url: &str, rejection: &Rejection) -> String {
    match &rejection.line {
        Some(line) if rejection.stage == RejectStage::Sink => {
            format!("{url} refused the line `{}`: {}", excerpt(&String::from_utf8_lossy(line)), rejection.reason)
        }
        _ => rejection.reason.clone(),
    }
}
