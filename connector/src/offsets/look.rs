//! What is looked at before offsets are changed, so that a change is done as a whole or not at all, and after it, because a broker takes the
//! good part of a request and refuses the rest.

use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataPartition;

use super::Clock;
use super::admin::{Admin, Entry};
use super::fault::{Fault, Meaning};

/// The longest name of a topic.
const TOPIC_NAME_MAX: usize = 249;

/// The first error of single partitions.
pub(super) fn all_well(entries: &[Entry]) -> Result<(), Fault> {
    let error = |entry: &Entry| Some(Fault::of_partition(entry.error?, &entry.topic, entry.partition));
    entries.iter().find_map(error).map_or(Ok(()), Err)
}

/// Looks before anything is changed, so that the error names the members, and so that not half of a change is done: a topic's offsets may
/// be deleted as long as no member reads that topic.
pub(super) fn await_no_members(admin: &Admin, clock: &Clock) -> Result<(), Fault> {
    match admin.members(clock.left()) {
        Err(fault) if fault.meaning() == Meaning::Missing => Ok(()),
        Ok(members) if !members.is_empty() => Err(Fault::Members(members)),
        members => members.map(drop),
    }
}

/// A broker takes what it can of a request and refuses the rest, so partitions that are not there are found beforehand.
pub(super) fn check_partitions<'a>(
    admin: &Admin,
    clock: &Clock,
    partitions: impl Iterator<Item = (&'a str, i32)>,
) -> Result<(), Fault> {
    let mut known: Option<(&str, Vec<i32>)> = None;
    for (topic, partition) in partitions {
        // They come by topic.
        let there = match &mut known {
            Some((name, there)) if *name == topic => there,
            known => &mut known.insert((topic, partitions_of(admin, topic, clock.left())?)).1,
        };
        if !there.contains(&partition) {
            return Err(Fault::NoPartition { topic: topic.to_owned(), partition, partitions: there.len() });
        }
    }
    Ok(())
}

/// The partitions of a topic, none if it is not there.
fn partitions_of(admin: &Admin, topic: &str, within: Duration) -> Result<Vec<i32>, Fault> {
    if !is_topic_name(topic) {
        return Ok(Vec::new());
    }
    let unasked = |error: KafkaError| {
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        Fault::code(code, error.to_string())
    };
    let metadata = admin.consumer().fetch_metadata(Some(topic), within).map_err(unasked)?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(Vec::new()) };
    match found.error().map(RDKafkaErrorCode::from) {
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(Vec::new()),
        // Partitions without a leader are there.
        None | Some(RDKafkaErrorCode::LeaderNotAvailable) => {
            Ok(found.partitions().iter().map(MetadataPartition::id).collect())
        }
        Some(code) => Err(Fault::of_partition(code, topic, 0)),
    }
}

/// Whether Kafka takes this as a topic's name. What it does not take is not asked for: librdkafka would end the process over a zero byte.
fn is_topic_name(name: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !matches!(name, "" | "." | "..") && name.len() <= TOPIC_NAME_MAX && name.bytes().all(is_legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_no_topic_has_are_not_asked_for() {
        for name in ["prices", "a.b_c-9", &"x".repeat(249)] {
            assert!(is_topic_name(name), "{name}");
        }
        for name in ["", ".", "..", "a b", "a\0b", "ä", "a/b", &"x".repeat(250)] {
            assert!(!is_topic_name(name), "{name}");
        }
    }
}
