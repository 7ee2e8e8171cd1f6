//! What the brokers say of the records that were sent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, ProducerContext};

/// Errors of the connections are told no more often.
const TELL_INTERVAL: Duration = Duration::from_secs(10);

/// Counts what is acknowledged, and keeps the first refusal.
#[derive(Debug, Default)]
pub(crate) struct Acknowledged {
    records: AtomicU64,
    refused: Mutex<Option<RDKafkaErrorCode>>,
    /// When an error of the connections was told last; none for ever if they are not told, as in the demo, whose Kafka ends before its clients.
    told: Option<Mutex<Option<Instant>>>,
}

// === impl Acknowledged ===

impl Acknowledged {
    /// One that logs errors of the connections.
    pub(crate) fn telling() -> Self {
        Self { told: Some(Mutex::default()), ..Self::default() }
    }

    /// Records acknowledged so far.
    pub(crate) fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Why a record was refused, if one was.
    pub(crate) fn refused(&self) -> Option<RDKafkaErrorCode> {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Acknowledged {
    fn error(&self, error: KafkaError, reason: &str) {
        let Some(told) = &self.told else { return };
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        // It comes several times a second while a broker is away.
        if told.is_none_or(|last| last.elapsed() >= TELL_INTERVAL) {
            *told = Some(Instant::now());
            tracing::warn!(%error, reason, "kafka reports an error, sending goes on once it is over");
        }
    }
}

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
