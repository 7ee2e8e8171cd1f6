//! Letters become batches again: records of one original partition, in offset order.

use rdkafka::message::Message;

use crate::batch::{Batch, Inputs, Record};
use crate::dlq::letter::{Origin, Position, original_headers};
use crate::record::{OffsetRange, TopicPartition};
use crate::source::message;

/// A letter on its way.
#[derive(Debug)]
pub(super) struct Ticket {
    /// Where it is.
    pub(super) position: Position,
    /// The offsets of the dead-letter topic that are done with it: its own, and those missing before it.
    pub(super) covers: OffsetRange,
    /// Where its record was.
    pub(super) origin: Origin,
}

/// A batch being formed, with a ticket for each record.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) partition: Option<TopicPartition>,
    pub(super) batch: Batch,
    pub(super) tickets: Vec<Ticket>,
}

// === impl Gathered ===

impl Gathered {
    /// Whether a record from there may follow the others.
    pub(super) fn takes(&self, origin: &Origin) -> bool {
        let Some(partition) = &self.partition else { return true };
        let ascends = self.batch.offsets.last().is_none_or(|&last| last < origin.offset);
        *partition == origin.partition && ascends && !self.batch.is_full()
    }

    /// Appends a letter's record as it was: at its original place, without the headers that made a letter of it.
    pub(super) fn push(&mut self, letter: &impl Message, ticket: Ticket, wanted: Inputs) {
        self.partition.get_or_insert_with(|| ticket.origin.partition.clone());
        self.batch.push(&Record { offset: ticket.origin.offset, ..message::record(letter) }, wanted);
        if wanted.headers {
            for header in original_headers(letter) {
                self.batch.push_header(header.key.as_bytes(), header.value);
            }
            self.batch.end_headers();
        }
        self.tickets.push(ticket);
    }
}
