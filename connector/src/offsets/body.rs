//! Bodies of the offsets endpoints: Kafka Connect's ConnectorOffsets, read and written.
//!
//! Reading is in two steps, because Connect looks for the connector in between: [`Body::parse`] tells what is no such body, and
//! [`Body::changes`] what is no offset of a partition.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use super::{CommittedOffset, OffsetChange};

const TOPIC: &str = "kafka_topic";
const PARTITION: &str = "kafka_partition";
const OFFSET: &str = "kafka_offset";

/// What is wrong with a body. Clients look for some of these words, so they stay.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BodyError {
    /// It is no JSON, or JSON of another shape. Connect answers this with 500.
    #[error("{0}")]
    Unparsable(String),
    /// It names no partition.
    #[error("Partitions / offsets need to be provided for an alter offsets request")]
    Missing,
    /// An entry is of no partition.
    #[error("The partition for a sink connector offset cannot be null or missing")]
    NoPartition,
    /// A partition lacks a key.
    #[error("The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'")]
    NoPartitionKeys,
    /// A topic is null, or not text.
    #[error("Kafka topic names must be valid strings and may not be null")]
    Topic,
    /// A partition is null.
    #[error("Kafka partitions must be valid numbers and may not be null")]
    NullPartition,
    /// A partition is not a number, or too large for one.
    #[error(
        "Failed to parse the following Kafka partition value in the provided offsets: '{0}'. Partition values for sink connectors need to be integers."
    )]
    Partition(String),
    /// An offset lacks its key.
    #[error("The offset for a sink connector should either be null or contain the key 'kafka_offset'")]
    NoOffsetKey,
    /// An offset is not a number, or too large for one.
    #[error(
        "Failed to parse the following Kafka offset value in the provided offsets: '{0}'. Offset values for sink connectors need to be integers."
    )]
    Offset(String),
}

/// A body of the right shape that names partitions.
#[derive(Debug, Clone, PartialEq)]
pub struct Body(Vec<Entry>);

type Entry = BTreeMap<EntryKey, Option<Map<String, Value>>>;

// Maps whose keys are one of these, and no structs: a struct could be given as a list, too.
#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
enum BodyKey {
    #[serde(rename = "offsets")]
    Offsets,
}

#[derive(Debug, Clone, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
enum EntryKey {
    #[serde(rename = "partition")]
    Partition,
    #[serde(rename = "offset")]
    Offset,
}

/// The body of an answer.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectorOffsets {
    offsets: Vec<ConnectorOffset>,
}

#[derive(Debug, Clone, Serialize)]
struct ConnectorOffset {
    partition: KafkaPartition,
    offset: KafkaOffset,
}

#[derive(Debug, Clone, Serialize)]
struct KafkaPartition {
    kafka_topic: String,
    kafka_partition: i32,
}

#[derive(Debug, Clone, Serialize)]
struct KafkaOffset {
    kafka_offset: i64,
}

// === impl BodyError ===

impl BodyError {
    /// Whether Connect has no word for it but "internal server error".
    pub fn is_internal(&self) -> bool {
        matches!(self, Self::Unparsable(_))
    }

    /// Connect's JSON library has three beginnings, which clients look for.
    fn unparsable(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let beginning = match text.strip_prefix("invalid type: ") {
            Some(found) if found.starts_with("sequence") || found.starts_with("map") || found.starts_with("null") => {
                "Cannot deserialize value: "
            }
            // A list is never made of a number, an object is tried.
            Some(found) if found.contains("expected a sequence") => "Cannot deserialize value: ",
            Some(_) => "Cannot construct instance: ",
            None => "",
        };
        let unknown = text.strip_prefix("unknown variant `").and_then(|rest| rest.split_once('`'));
        let text = unknown.map_or(text.clone(), |(field, rest)| format!("Unrecognized field \"{field}\"{rest}"));
        Self::Unparsable(format!(
            "{beginning}{text}; send {{\"offsets\": [{{\"partition\": {{\"kafka_topic\": \"t\", \"kafka_partition\": 0}}, \"offset\": {{\"kafka_offset\": 5}}}}]}}, with null for an offset that is to be deleted"
        ))
    }
}

// === impl Body ===

impl Body {
    /// Reads a body.
    ///
    /// # Errors
    /// If it is not of this shape, or names no partition.
    pub fn parse(bytes: &[u8]) -> Result<Self, BodyError> {
        type Shape = BTreeMap<BodyKey, Option<Vec<Entry>>>;
        // Some editors put a byte-order mark before the text, and Connect's JSON library takes it.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut body: Shape = serde_json::from_slice(bytes).map_err(|error| BodyError::unparsable(&error))?;
        match body.remove(&BodyKey::Offsets).flatten() {
            Some(entries) if !entries.is_empty() => Ok(Self(entries)),
            _ => Err(BodyError::Missing),
        }
    }

    /// The changes that are asked for, in their order.
    ///
    /// # Errors
    /// The first that is none.
    pub fn changes(&self) -> Result<Vec<OffsetChange>, BodyError> {
        self.0.iter().map(change).collect()
    }
}

fn change(entry: &Entry) -> Result<OffsetChange, BodyError> {
    let side = |key| entry.get(&key).and_then(Option::as_ref);
    let partition = side(EntryKey::Partition).ok_or(BodyError::NoPartition)?;
    let (Some(topic), Some(number)) = (partition.get(TOPIC), partition.get(PARTITION)) else {
        return Err(BodyError::NoPartitionKeys);
    };
    let topic = match topic {
        Value::String(topic) => topic.clone(),
        // Its name may be a number, and then somebody forgets the quotes.
        Value::Number(topic) => topic.to_string(),
        _ => return Err(BodyError::Topic),
    };
    if number.is_null() {
        return Err(BodyError::NullPartition);
    }
    let partition = text(number).parse().map_err(|_| BodyError::Partition(text(number)))?;
    let offset = match side(EntryKey::Offset) {
        None => None,
        Some(offset) => {
            let offset = offset.get(OFFSET).ok_or(BodyError::NoOffsetKey)?;
            Some(text(offset).parse().map_err(|_| BodyError::Offset(text(offset)))?)
        }
    };
    Ok(OffsetChange { topic, partition, offset })
}

/// A number, or a number as text.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

// === impl ConnectorOffsets ===

impl From<Vec<CommittedOffset>> for ConnectorOffsets {
    fn from(committed: Vec<CommittedOffset>) -> Self {
        let entry = |committed: CommittedOffset| ConnectorOffset {
            partition: KafkaPartition { kafka_topic: committed.topic, kafka_partition: committed.partition },
            offset: KafkaOffset { kafka_offset: committed.offset },
        };
        Self { offsets: committed.into_iter().map(entry).collect() }
    }
}

#[cfg(test)]
mod tests;
