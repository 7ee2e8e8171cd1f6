//! Why a feed fails, in words for a person.

use std::io;
use std::path::PathBuf;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use thiserror::Error;

use crate::validate::WorkerError;

/// Why the feed did not start, or ended early.
#[derive(Debug, Error)]
pub enum FeedError {
    /// The worker's settings, which say where Kafka is, are no good.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// The file can't be read.
    #[error("could not read records from {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// What has been read of it is gone.
    #[error("standard input can't be sent again at its end: leave --repeat out, or give a file")]
    Repeat,
    /// No producer could be made of the settings.
    #[error("could not start a producer for {brokers}")]
    Producer {
        /// `bootstrap.servers`.
        brokers: String,
        /// librdkafka's words.
        source: KafkaError,
    },
    /// The topic is not there and could not be made.
    #[error("could not make topic {topic} at {brokers}: {reason}")]
    Topic {
        /// The topic.
        topic: String,
        /// `bootstrap.servers`.
        brokers: String,
        /// The broker's or librdkafka's words.
        reason: String,
    },
    /// A record was not taken.
    #[error("topic {topic} did not take {which}: {reason}{}", advice(*reason))]
    Refused {
        /// Which one, where it is known.
        which: String,
        /// The topic.
        topic: String,
        /// The broker's or librdkafka's reason.
        reason: RDKafkaErrorCode,
    },
    /// The time for the last acknowledgements is over.
    #[error(
        "topic {topic} has acknowledged {acknowledged} of {sent} records, the others may be lost: is Kafka at {brokers} reachable?"
    )]
    Unacknowledged {
        /// The topic.
        topic: String,
        /// `bootstrap.servers`.
        brokers: String,
        /// Records acknowledged.
        acknowledged: u64,
        /// Records sent.
        sent: u64,
    },
    /// The system's signals can't be listened to.
    #[error("could not listen to signals")]
    Signals(#[source] io::Error),
    /// The summary can't be printed.
    #[error("could not write to standard output")]
    Print(#[from] io::Error),
}

// === impl FeedError ===

impl FeedError {
    /// Whether the command line, a file or a setting has to be changed.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Worker(_) | Self::Read { .. } | Self::Repeat | Self::Producer { .. })
    }
}

fn advice(reason: RDKafkaErrorCode) -> &'static str {
    match reason {
        RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => {
            "; --partitions N makes the topic if it is not there"
        }
        RDKafkaErrorCode::MessageSizeTooLarge => "; it is larger than message.max.bytes",
        _ => "",
    }
}
