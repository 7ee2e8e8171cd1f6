//! Makes the dead-letter topic, as Kafka Connect does: with one partition and the replication asked for.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use thiserror::Error;
use tokio::runtime::Handle;

use crate::config::{DeadLettersConfig, WorkerConfig};
use crate::source::settings;

/// How long making it may take before the task serves its group again.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Why there is no dead-letter topic.
#[derive(Debug, Error)]
pub enum TopicError {
    /// The brokers can't be asked at the moment.
    #[error("could not create dead-letter topic `{topic}`: {reason}")]
    Unreachable {
        /// The topic.
        topic: String,
        /// librdkafka's words.
        reason: String,
    },
    /// The brokers refuse.
    #[error("could not create dead-letter topic `{topic}`: {reason}; {advice}")]
    Refused {
        /// The topic.
        topic: String,
        /// The broker's words.
        reason: String,
        /// What to do.
        advice: &'static str,
    },
}

/// Creates the topic. Does nothing if it is there.
///
/// # Errors
///
/// If the brokers don't answer, or refuse.
pub fn ensure(worker: &WorkerConfig, config: &DeadLettersConfig, runtime: &Handle) -> Result<(), TopicError> {
    let topic = config.topic.clone();
    let unreachable = |error: KafkaError| TopicError::Unreachable { topic: topic.clone(), reason: error.to_string() };
    let admin: AdminClient<DefaultClientContext> = settings::client(&worker.client).create().map_err(unreachable)?;
    let new = NewTopic::new(&config.topic, 1, TopicReplication::Fixed(config.replication_factor));
    let options = AdminOptions::new().request_timeout(Some(TIMEOUT)).operation_timeout(Some(TIMEOUT));
    let made = runtime.block_on(admin.create_topics([&new], &options)).map_err(unreachable)?;
    match made.into_iter().next() {
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(()),
        Some(Err((_, code))) => Err(refused(config, code)),
        _ => {
            tracing::info!(topic, "dead-letter topic created");
            Ok(())
        }
    }
}

fn refused(config: &DeadLettersConfig, code: RDKafkaErrorCode) -> TopicError {
    use RDKafkaErrorCode as Code;
    let (topic, reason) = (config.topic.clone(), code.to_string());
    let advice = match code {
        Code::InvalidReplicationFactor => {
            "the cluster has fewer brokers than errors.deadletterqueue.topic.replication.factor (3 by default)"
        }
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => {
            "create it by hand, or allow the connector to create topics"
        }
        Code::PolicyViolation | Code::InvalidConfig => "the brokers' policy refuses it: create it by hand",
        Code::InvalidTopic => "correct errors.deadletterqueue.topic.name",
        _ => return TopicError::Unreachable { topic, reason },
    };
    TopicError::Refused { topic, reason, advice }
}
