//! rust-rdkafka's messages as records: what comes one by one, beside the batches of the task's queue.

use rdkafka::message::{Headers, Message};

use crate::batch::{Batch, Record};

/// The record that a message holds.
pub(crate) fn record(message: &impl Message) -> Record<'_> {
    let timestamp = message.timestamp().to_millis().unwrap_or(-1);
    Record { offset: message.offset(), timestamp, key: message.key(), value: message.payload() }
}

/// Appends a message's headers to a batch, right after its record.
pub(crate) fn push_headers(batch: &mut Batch, message: &impl Message) {
    for header in message.headers().into_iter().flat_map(Headers::iter) {
        batch.push_header(header.key.as_bytes(), header.value);
    }
    batch.end_headers();
}
