//! Why offsets could not be read or changed, for a person: what was attempted, on which connector and group, what to do.
//!
//! The beginnings are Kafka Connect's, whose clients show or look for them.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

/// What is done with offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Reading.
    Read,
    /// Setting and deleting single ones.
    Alter,
    /// Deleting all, with the group.
    Reset,
}

/// Why offsets could not be read or changed.
#[derive(Debug, Error)]
pub enum OffsetsError {
    /// There is no client to ask with.
    #[error(
        "Failed to {doing} consumer group offsets for connector {connector}: librdkafka refuses the settings of the client: {reason}; correct its consumer.override.* or the worker's client properties"
    )]
    Client {
        /// What was to be done.
        doing: Doing,
        /// The connector.
        connector: String,
        /// librdkafka's words.
        reason: String,
    },
    /// The brokers did not answer in time.
    #[error(
        "Failed to {doing} consumer group offsets for connector {connector}: kafka {brokers} gave no answer about group `{group}` within {} s: {reason}; check that it runs and lets this worker in{}",
        .waited.as_secs(), .doing.unknown_outcome()
    )]
    Unreachable {
        /// What was to be done.
        doing: Doing,
        /// The connector.
        connector: String,
        /// Its group.
        group: String,
        /// `bootstrap.servers`.
        brokers: String,
        /// How long was waited.
        waited: Duration,
        /// The latest that is known of it.
        reason: String,
    },
    /// The group has members, which alone may change its offsets.
    #[error(
        "Failed to {doing} consumer group offsets for connector {connector}: its group `{group}` still has members after {} s: {members}. Either its tasks have not stopped yet, or it was resumed meanwhile, or another process reads in this group. If the connector is stopped it is safe to try again; if that keeps failing, restart the worker to be rid of the zombie sink tasks{}",
        .waited.as_secs(), half_done(*.set)
    )]
    Occupied {
        /// What was to be done.
        doing: Doing,
        /// The connector.
        connector: String,
        /// Its group.
        group: String,
        /// How long was waited for them to leave.
        waited: Duration,
        /// Who they are, as far as is known.
        members: String,
        /// Whether part of it was done before they came.
        set: bool,
    },
    /// An offset is below zero.
    #[error(
        "Failed to modify offsets for sink connector {connector}: offset {offset} of topic `{topic}`, partition {partition} is negative; nothing was changed, give 0 or more, or null to delete what is committed"
    )]
    Negative {
        /// The connector.
        connector: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// What was given.
        offset: i64,
    },
    /// The brokers say no.
    #[error(
        "Failed to {doing} consumer group offsets for connector {connector} in group `{group}`: {reason}; {advice}{}",
        half_done(*.set)
    )]
    Refused {
        /// What was to be done.
        doing: Doing,
        /// The connector.
        connector: String,
        /// Its group.
        group: String,
        /// What they say.
        reason: String,
        /// What to do.
        advice: &'static str,
        /// Whether part of it was done before.
        set: bool,
    },
}

// === impl Doing ===

impl Doing {
    fn unknown_outcome(self) -> &'static str {
        match self {
            Self::Read => "",
            Self::Alter | Self::Reset => {
                ". Whether anything was changed is not known: read the offsets; to do it again is safe"
            }
        }
    }
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Alter => "alter",
            Self::Reset => "reset",
        })
    }
}

fn half_done(set: bool) -> &'static str {
    if set { ". The offsets to be set were set, those to be deleted were not all deleted" } else { "" }
}
