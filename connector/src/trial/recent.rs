//! The newest records of a topic, read without joining a group and without committing.

use std::collections::BTreeMap;

use rdkafka::message::{Message, OwnedMessage};
use thiserror::Error;

use super::Sample;
use crate::batch::{Batch, Inputs};
use crate::record::TopicPartition;
use crate::source::message;
use crate::source::read::{ReadError, Span, TopicReader};

/// Why there are no records to try.
#[derive(Debug, Error)]
pub enum RecentError {
    /// The topic could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There is nothing in the topic.
    #[error("topic `{topic}` on {brokers} has no records; give --value TEXT or --file FILE instead")]
    Empty {
        /// The topic.
        topic: String,
        /// `bootstrap.servers`.
        brokers: String,
    },
}

// === impl RecentError ===

impl RecentError {
    /// Whether the command line has to be changed.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Read(error) => error.is_usage(),
            Self::Empty { .. } => true,
        }
    }
}

/// The newest `last` records of `topic`, by their timestamps, in batches of one partition each.
pub(super) fn read(
    client: &BTreeMap<String, String>,
    topic: &str,
    last: usize,
    wanted: Inputs,
) -> Result<Vec<Sample>, RecentError> {
    let reader = TopicReader::open(client, &format!("sluice-try-{}", std::process::id()), topic)?;
    let newest = |span: Span| Span { from: span.from.max(span.end - last as i64), ..span };
    let spans: Vec<Span> = reader.spans()?.into_iter().map(newest).collect();
    let mut reading = reader.read(&spans)?;
    let mut records = Vec::new();
    while let Some(message) = reading.next()? {
        records.push(message.detach());
    }
    if records.is_empty() {
        return Err(RecentError::Empty { topic: topic.to_owned(), brokers: reader.brokers().to_owned() });
    }
    records.sort_by_key(|record| (record.timestamp().to_millis(), record.partition(), record.offset()));
    let newest = records.split_off(records.len().saturating_sub(last));
    Ok(to_samples(topic, newest, wanted))
}

/// Batches as the pipeline makes them: of one partition, in offset order, cut where it would cut.
fn to_samples(topic: &str, mut records: Vec<OwnedMessage>, wanted: Inputs) -> Vec<Sample> {
    records.sort_by_key(|record| (record.partition(), record.offset()));
    let mut samples: Vec<Sample> = Vec::new();
    for message in &records {
        let fits = |sample: &Sample| sample.partition.partition == message.partition() && !sample.batch.is_full();
        if !samples.last().is_some_and(fits) {
            let partition = TopicPartition::new(topic, message.partition());
            samples.push(Sample { partition, batch: Batch::default() });
        }
        let batch = &mut samples.last_mut().expect("one was pushed").batch;
        batch.push(&message::record(message), wanted);
        if wanted.headers {
            message::push_headers(batch, message);
        }
    }
    samples
}
