//! The task as a member of its group: topics, assignment, revocation, pausing, commits, complaints about the brokers.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::CommitMode;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::{NAP, Pipeline, TaskError};
use crate::config::Topics;
use crate::record::TopicPartition;
use crate::source::{self, GroupEvent};
use crate::status::TaskState;

/// How often the same complaint about the brokers is logged.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(30);

/// How often a topic is asked for before it counts as missing: a broker may not have heard of a new one yet.
const TOPIC_QUESTIONS: u32 = 4;

impl Pipeline {
    /// A topic that is not there is a mistake in the configuration; brokers that are not there are waited for.
    pub(super) fn find_topics(&mut self) -> Result<(), TaskError> {
        let connector = Arc::clone(&self.connector);
        let Topics::List(topics) = &connector.topics else { return Ok(()) };
        for topic in topics {
            let mut questions = 0;
            while !self.stop.is_set() {
                match self.source.topic_exists(topic) {
                    Ok(true) => break,
                    Ok(false) => {
                        questions += 1;
                        thread::park_timeout(2 * NAP);
                    }
                    Err(error) => {
                        self.complain(&error.to_string());
                        thread::park_timeout(NAP);
                    }
                }
                if questions >= TOPIC_QUESTIONS {
                    return Err(TaskError::TopicMissing { topic: topic.clone(), brokers: self.brokers.clone() });
                }
                self.board.beat();
            }
        }
        if let Some(id) = self.source.cluster_id() {
            self.board.set_kafka_cluster_id(&id);
        }
        Ok(())
    }

    /// Serves the group: this has to happen often, whatever the sink does.
    pub(super) fn serve_group(&mut self) -> Result<(), TaskError> {
        for event in self.source.poll(self.transform.inputs()) {
            match event {
                GroupEvent::Assign(partitions) => self.assign(&partitions)?,
                GroupEvent::Revoke(partitions) => self.begin_revoke(partitions),
                GroupEvent::Committed(result) => self.committed(result),
                GroupEvent::ClientError { error, reason } => self.client_error(&error, &reason)?,
            }
        }
        for error in self.source.take_errors() {
            let (partition, code) = (error.partition.to_string(), error.code);
            tracing::warn!(partition, ?code, reason = error.reason, "kafka reports an error for a partition");
        }
        self.finish_revoke()
    }

    fn assign(&mut self, partitions: &[TopicPartition]) -> Result<(), TaskError> {
        let slots = self.source.assign(partitions).map_err(TaskError::group)?;
        self.assignment.add(partitions, &slots, &self.metrics);
        if self.paused {
            // What is new is not paused yet; `hold_back` resumes all of it when the time has come.
            self.source.pause().map_err(TaskError::group)?;
        }
        tracing::info!(partitions = names(partitions), "partitions assigned");
        Ok(())
    }

    /// Nothing more is read of these; what is under way gets time to be acknowledged and committed.
    fn begin_revoke(&mut self, partitions: Vec<TopicPartition>) {
        tracing::info!(partitions = names(&partitions), "partitions revoked");
        for partition in &partitions {
            self.source.stop_taking(partition);
        }
        self.assignment.begin_revoke(partitions, Instant::now() + self.shutdown_timeout);
    }

    /// Answers the revocation once nothing of it is under way, or its time is over. From then on nothing of that assignment
    /// commits (I3): its ledgers are gone before the group hears the answer.
    fn finish_revoke(&mut self) -> Result<(), TaskError> {
        let Some(partitions) = self.assignment.revocable(Instant::now()) else { return Ok(()) };
        self.commit(CommitMode::Async);
        self.assignment.remove(&partitions);
        self.metrics.partitions(self.assignment.len());
        self.source.revoke(&partitions).map_err(TaskError::group)
    }

    /// While requests fail nothing is fetched: what is fetched ahead would only take memory.
    pub(super) fn hold_back(&mut self) -> Result<(), TaskError> {
        let troubled = self.lane.is_troubled();
        if troubled != self.paused && self.assignment.len() > 0 {
            if troubled { self.source.pause() } else { self.source.resume() }.map_err(TaskError::group)?;
            self.paused = troubled;
            tracing::debug!(paused = troubled, "partitions paused or resumed");
        }
        // The lane says when requests fail; that all is well again is said here, once the task is in its group.
        let healthy = (!troubled).then(|| self.lane.troubles());
        if healthy != self.healthy && (healthy.is_none() || self.source.has_joined()) {
            self.healthy = healthy;
            if healthy.is_some() {
                self.board.set(TaskState::Running);
            }
        }
        Ok(())
    }

    /// Commits what the ledgers allow (I1).
    pub(super) fn commit(&mut self, mode: CommitMode) {
        let offsets = self.assignment.take_committable();
        if offsets.is_empty() {
            return;
        }
        match self.source.commit(&offsets, mode) {
            Ok(()) => {
                tracing::debug!(partitions = offsets.len(), "offsets committed");
                if mode_is_sync(mode) {
                    self.metrics.commit_ok();
                }
            }
            Err(error) => {
                self.metrics.commit_failed();
                self.assignment.commit_again();
                tracing::warn!(%error, "could not commit offsets");
            }
        }
    }

    /// The answer to a commit.
    fn committed(&mut self, result: Result<(), String>) {
        match result {
            Ok(()) => self.metrics.commit_ok(),
            Err(reason) => {
                self.metrics.commit_failed();
                tracing::warn!(reason, "offsets were not committed, trying again");
                self.assignment.commit_again();
            }
        }
    }

    /// Of what the group says, the end only cares for commits that failed: the last one makes up for them.
    pub(super) fn hear_commits(&mut self) {
        for event in self.source.poll(self.transform.inputs()) {
            if let GroupEvent::Committed(result) = event {
                self.committed(result);
            }
        }
    }

    /// Errors that concern the whole client. Brokers that can't be reached are waited for.
    fn client_error(&mut self, error: &KafkaError, reason: &str) -> Result<(), TaskError> {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::Fatal | RDKafkaErrorCode::FencedInstanceId) => {
                Err(TaskError::Fatal { brokers: self.brokers.clone(), reason: reason.to_owned() })
            }
            _ if source::is_unreachable(error) => {
                self.complain(reason);
                Ok(())
            }
            code => {
                tracing::warn!(brokers = self.brokers, ?code, reason, "kafka reports an error");
                Ok(())
            }
        }
    }

    fn complain(&mut self, reason: &str) {
        if self.last_complaint.is_none_or(|last| last.elapsed() >= COMPLAINT_INTERVAL) {
            self.last_complaint = Some(Instant::now());
            tracing::warn!(
                brokers = self.brokers,
                reason,
                "no answer from kafka, waiting for it; if it is up, check bootstrap.servers, security.protocol and sasl.*"
            );
        }
    }
}

fn mode_is_sync(mode: CommitMode) -> bool {
    matches!(mode, CommitMode::Sync)
}

fn names(partitions: &[TopicPartition]) -> String {
    partitions.iter().map(TopicPartition::to_string).collect::<Vec<_>>().join(" ")
}
