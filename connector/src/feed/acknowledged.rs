//! What the brokers say of the records that were sent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{DeliveryResult, ProducerContext};

/// Counts what is acknowledged, and keeps the first refusal.
#[derive(Debug, Default)]
pub(crate) struct Acknowledged {
    records: AtomicU64,
    refused: Mutex<Option<RDKafkaErrorCode>>,
}

// === impl Acknowledged ===

impl Acknowledged {
    /// Records acknowledged so far.
    pub(crate) fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Why a record was refused, if one was.
    pub(crate) fn refused(&self) -> Option<RDKafkaErrorCode> {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.records.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, _)) => {
                tracing::debug!(%error, "record not acknowledged");
                let reason = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
                self.refused.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
            }
        }
    }
}
