//! Hears why a client has no connection: librdkafka answers a question that nobody took with "timed out", and says in its log only that
//! nobody listens there, that the password is wrong or that the certificate has expired.

use std::sync::{Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;

/// Keeps the latest complaint.
#[derive(Debug, Default)]
pub(super) struct Ear {
    latest: Mutex<Option<String>>,
}

// === impl Ear ===

impl Ear {
    /// The latest complaint, without the name of librdkafka's thread.
    pub(super) fn latest(&self) -> Option<String> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, complaint: &str) {
        let complaint = match complaint.strip_prefix("[thrd:").and_then(|rest| rest.split_once("]: ")) {
            Some((_, complaint)) => complaint,
            None => complaint,
        };
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(complaint.to_owned());
    }
}

impl ClientContext for Ear {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // Not "all brokers are down": it comes last and has no reason.
        if facility == "FAIL" {
            self.keep(message);
        }
        tracing::debug!(target: "librdkafka", ?level, facility, message, "librdkafka");
    }

    // The log has said it.
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka reports an error");
    }
}

impl ConsumerContext for Ear {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_reason_is_kept_without_the_threads_name() {
        let ear = Ear::default();
        assert_eq!(ear.latest(), None);
        ear.log(RDKafkaLogLevel::Error, "FAIL", "[thrd:a:1/bootstrap]: a:1/bootstrap: connection refused");
        ear.log(RDKafkaLogLevel::Error, "ERROR", "[thrd:a:1/bootstrap]: 1/1 brokers are down");
        assert_eq!(ear.latest().as_deref(), Some("a:1/bootstrap: connection refused"));
        ear.log(RDKafkaLogLevel::Error, "FAIL", "authentication failed");
        assert_eq!(ear.latest().as_deref(), Some("authentication failed"));
    }
}
