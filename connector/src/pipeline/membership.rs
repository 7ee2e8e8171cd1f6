//! The task as a member of its group: topics, assignment, revocation, pausing, commits, complaints about the brokers.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::salvage::Salvage;
use super::{NAP, Pipeline, TaskError};
use crate::config::Topics;
use crate::dead_letter::{self, DeadLetters, TopicError};
use crate::record::TopicPartition;
use crate::retry::Backoff;
use crate::source::{self, GroupEvent, PartitionError};
use crate::status::TaskState;

/// For so long a full queue is kept full: longer than a server that works takes for a request. Pausing gives up what is in it.
const STALLED_SINK: Duration = Duration::from_secs(5);

/// How often the same complaint about the brokers is logged.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(30);

/// How often the answer to the last commit is looked for; it also wakes the thread.
const COMMIT_POLL: Duration = Duration::from_millis(20);

/// How long a task that ends waits for its id in the group at the least. Brokers that can be reached tell it in milliseconds.
const PLACE_TIME: Duration = Duration::from_secs(1);

/// How often the dead-letter topic is looked for: soon enough for who has just made it.
const LETTER_TOPIC_PAUSE: Duration = Duration::from_secs(2);

/// How long brokers may be silent at the start before the task says that it waits for them.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);

/// How long a topic may be unknown before it counts as missing: a broker may not have heard of a new one yet.
const TOPIC_PATIENCE: Duration = Duration::from_secs(2);

impl Pipeline {
    /// A topic that is not there is a mistake in the configuration; brokers that are not there are waited for.
    pub(super) fn find_topics(&mut self) -> Result<(), TaskError> {
        let connector = Arc::clone(&self.connector);
        match &connector.topics {
            Topics::List(topics) => topics.iter().try_for_each(|topic| self.await_topic(topic))?,
            // There may be none yet.
            Topics::Regex(_) => self.await_brokers()?,
        }
        if let Some(id) = self.source.cluster_id() {
            self.board.set_kafka_cluster_id(&id);
        }
        Ok(())
    }

    fn await_brokers(&mut self) -> Result<(), TaskError> {
        let began = Instant::now();
        while !self.stop.is_set() && !self.source.is_let_in() {
            self.serve_group()?;
            self.no_answer(began, "it did not answer within half a second");
            self.board.beat();
        }
        Ok(())
    }

    fn await_topic(&mut self, topic: &str) -> Result<(), TaskError> {
        let (began, mut missing_since) = (Instant::now(), None);
        while !self.stop.is_set() {
            // First, because it knows why brokers can't be reached.
            self.serve_group()?;
            match self.source.topic_exists(topic) {
                Ok(true) => {
                    self.let_in();
                    break;
                }
                Ok(false) => {
                    let since: Instant = *missing_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= TOPIC_PATIENCE {
                        return Err(TaskError::TopicMissing { topic: topic.to_owned(), brokers: self.brokers.clone() });
                    }
                }
                Err(error) if source::is_denied(&error) => self.deny(topic, "READ of the topic, and READ of the group"),
                Err(error) => self.no_answer(began, &error.to_string()),
            }
            thread::park_timeout(NAP);
            self.board.beat();
        }
        Ok(())
    }

    /// A broker that does not answer at once is no news; one that goes on so shows in the state.
    fn no_answer(&mut self, began: Instant, reason: &str) {
        self.complain(reason);
        if began.elapsed() >= ANSWER_PATIENCE {
            self.show_away(reason);
        }
    }

    /// Brokers do not even tell whether the topic is there. They are asked again until they do.
    fn deny(&self, topic: &str, rights: &str) {
        let brokers = &self.brokers;
        self.board.set(TaskState::held(format!(
            "kafka {brokers} does not let this user see topic {topic}: give it {rights} (kafka-acls); then it goes on by itself"
        )));
    }

    /// The dead-letter topic has to be there before anything is read: made if it may be, and waited for if not.
    pub(super) fn find_letter_topic(&mut self) -> Result<(), TaskError> {
        let Some(config) = self.connector.errors.dead_letters.clone() else { return Ok(()) };
        let (began, mut backoff) = (Instant::now(), Backoff::default());
        while !self.stop.is_set() {
            self.serve_group()?;
            match self.source.topic_exists(&config.topic) {
                Ok(true) => {
                    self.let_in();
                    return Ok(());
                }
                Ok(false) => match dead_letter::ensure(&self.worker, &config, self.lane.runtime()) {
                    Ok(()) => {}
                    Err(error @ TopicError::Refused { .. }) => self.board.set(TaskState::held(error.to_string())),
                    Err(error) => self.board.set(TaskState::retrying(error.to_string())),
                },
                Err(error) if source::is_denied(&error) => self.deny(&config.topic, "WRITE of the dead-letter topic"),
                Err(error) => self.no_answer(began, &error.to_string()),
            }
            thread::park_timeout(backoff.next(None).min(LETTER_TOPIC_PAUSE));
            self.board.beat();
        }
        Ok(())
    }

    /// Serves the group: this has to happen often, whatever the sink does.
    pub(super) fn serve_group(&mut self) -> Result<(), TaskError> {
        let mut served = Ok(());
        for event in self.source.poll(self.wanted()) {
            // Every event is served, whatever became of those before it: an unanswered one would hold up the whole group.
            let result = match event {
                GroupEvent::Assign(partitions) => self.assign(&partitions),
                GroupEvent::ClientError { error, reason } => self.client_error(&error, &reason),
                GroupEvent::Revoke(partitions) => {
                    self.begin_revoke(partitions);
                    Ok(())
                }
                GroupEvent::OffsetReset { partition, reason } => {
                    self.assignment.note_reset(&partition);
                    tracing::warn!(
                        %partition,
                        reason,
                        "kafka no longer has the offset to read on from, records may be lost: retention has cut them off, or the topic was made anew"
                    );
                    Ok(())
                }
                GroupEvent::TopicRenewed(topic) => self.begin_anew(&topic),
                GroupEvent::Lost(partitions) => self.lose(partitions),
                GroupEvent::Committed(result) => {
                    self.committed(result);
                    Ok(())
                }
            };
            served = served.and(result);
        }
        for error in self.source.take_errors() {
            served = served.and(partition_error(error));
        }
        served.and(self.finish_revoke())
    }

    fn assign(&mut self, partitions: &[TopicPartition]) -> Result<(), TaskError> {
        let letters = self.connector.errors.dead_letters.as_ref();
        if let Some(letters) = letters.filter(|letters| partitions.iter().any(|one| *one.topic == *letters.topic)) {
            return Err(TaskError::LettersRead { topic: letters.topic.clone() });
        }
        let slots = self.source.assign(partitions).map_err(TaskError::group)?;
        self.assignment.add(partitions, &slots, &self.metrics);
        self.paused |= self.pause.is_set();
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
        let slot = self.salvage.as_ref().map(Salvage::slot);
        if slot.and_then(|slot| self.assignment.get(slot)).is_some_and(|assigned| assigned.is_in(&partitions)) {
            self.salvage = None;
        }
        self.assignment.begin_revoke(partitions, Instant::now() + self.shutdown_timeout);
    }

    /// A topic was deleted and made anew: it is another topic, to be read from its beginning, wherever the old one had been read to.
    fn begin_anew(&mut self, topic: &str) -> Result<(), TaskError> {
        let from = source::beginning(&self.connector);
        let mut begun = Ok(());
        for (partition, expected) in self.assignment.renew(topic) {
            tracing::warn!(%partition, expected, ?from, "topic was deleted and made anew, its partition is read from the beginning");
            let result = match from {
                Some(from) => self.source.begin_anew(&partition, from).map_err(TaskError::group),
                None => Err(TaskError::NoOffset { partition, reason: "the topic was made anew".to_owned() }),
            };
            begun = begun.and(result);
        }
        self.fence_letters();
        begun
    }

    /// Others have these already: nothing is waited for and nothing committed, the group hears the answer at once (I3).
    fn lose(&mut self, mut partitions: Vec<TopicPartition>) -> Result<(), TaskError> {
        partitions.extend(self.assignment.take_revoking().unwrap_or_default());
        tracing::warn!(
            partitions = names(&partitions),
            "partitions lost: the group gave the task up, as after a pause longer than session.timeout.ms or max.poll.interval.ms; \
             what was under way will be read again by their new owners"
        );
        self.remove(&partitions)
    }

    /// Answers the revocation once nothing of it is under way, or its time is over. From then on nothing of that assignment
    /// commits (I3): its ledgers are gone before the group hears the answer.
    fn finish_revoke(&mut self) -> Result<(), TaskError> {
        if self.assignment.is_revoking() && self.source.assignment_lost() {
            // It took too long: librdkafka does not ask again.
            return self.lose(Vec::new());
        }
        let Some(partitions) = self.assignment.revocable(Instant::now()) else { return Ok(()) };
        self.give_back(&partitions)
    }

    /// At the end: answers a revocation whether or not its time is over. Nobody would afterwards, and leaving the group waits
    /// for the answer.
    pub(super) fn finish_revoke_now(&mut self) -> Result<(), TaskError> {
        let Some(partitions) = self.assignment.take_revoking() else { return Ok(()) };
        self.give_back(&partitions)
    }

    fn give_back(&mut self, partitions: &[TopicPartition]) -> Result<(), TaskError> {
        self.commit();
        self.remove(partitions)
    }

    fn remove(&mut self, partitions: &[TopicPartition]) -> Result<(), TaskError> {
        self.assignment.remove(partitions);
        self.fence_letters();
        self.metrics.partitions(self.assignment.len());
        self.source.revoke(partitions).map_err(TaskError::group)
    }

    /// Letters of assignments that are over decide nothing any more.
    pub(super) fn fence_letters(&mut self) {
        if let Some(letters) = &mut self.letters {
            letters.forget(|claim| !self.assignment.is_current(claim.slot, claim.generation));
        }
    }

    /// While requests fail nothing is fetched: what is fetched ahead would only take memory. Nor while somebody has paused the connector, nor while
    /// the sink has long taken nothing: librdkafka looks at its full queue a thousand times a second.
    pub(super) fn hold_back(&mut self) -> Result<(), TaskError> {
        let (troubled, troubles) = self.trouble();
        let on_request = self.pause.is_set();
        let hold = troubled || on_request || self.sink_stands_still();
        if hold != self.paused && self.assignment.len() > 0 {
            if hold { self.source.pause() } else { self.source.resume() }.map_err(TaskError::group)?;
            self.paused = hold;
            tracing::debug!(paused = hold, on_request, "partitions paused or resumed");
        }
        // The lane says when requests fail; that all is well again is said here, once the task is in its group.
        let transform_fails = self.breaker.is_tripped() || self.salvage.as_ref().is_some_and(Salvage::rests);
        let healthy = !troubled && !transform_fails && !self.is_locked_out() && !self.watchdog.is_alarmed();
        let healthy = healthy.then_some((troubles, on_request));
        // One that waits for topics to come is in no group yet, and does what it should.
        let is_at_work = || matches!(self.connector.topics, Topics::Regex(_)) || self.source.has_joined();
        if healthy != self.healthy && (healthy.is_none() || is_at_work()) {
            self.healthy = healthy;
            if healthy.is_some() {
                self.board.set(if on_request { TaskState::Paused } else { TaskState::Running });
            }
        }
        Ok(())
    }

    fn sink_stands_still(&mut self) -> bool {
        if !self.is_full() {
            self.full_since = None;
            return false;
        }
        self.full_since.get_or_insert_with(Instant::now).elapsed() >= STALLED_SINK
    }

    /// Whether writes or dead letters fail at the moment, and how often something has failed so far.
    fn trouble(&self) -> (bool, u64) {
        let (writes, letters) = (self.lane.trouble(), self.letters.as_ref().map_or((false, 0), DeadLetters::trouble));
        (writes.0 || letters.0, writes.1 + letters.1 + self.breaker.trips())
    }

    /// Commits what the ledgers allow (I1).
    pub(super) fn commit(&mut self) {
        self.assignment.pass_over_markers(&self.source);
        let offsets = self.assignment.take_committable();
        if offsets.is_empty() {
            return;
        }
        match self.source.commit(&offsets) {
            Ok(()) => {
                self.commits_open += 1;
                self.metrics.commit_sent();
                tracing::debug!(partitions = offsets.len(), "offsets sent");
            }
            Err(error) => {
                self.metrics.commit_not_sent();
                self.assignment.commit_again();
                tracing::warn!(%error, "could not commit offsets");
            }
        }
    }

    /// The answer to a commit.
    fn committed(&mut self, result: Result<(), String>) {
        self.commits_open = self.commits_open.saturating_sub(1);
        match result {
            Ok(()) => self.metrics.commit_ok(),
            Err(reason) => {
                self.metrics.commit_failed();
                tracing::warn!(reason, "offsets were not committed, trying again");
                self.assignment.commit_again();
            }
        }
    }

    /// The last commit, sent again if it is refused, until it is answered or `until`.
    pub(super) fn commit_finally(&mut self, until: Instant) {
        self.commit();
        while self.commits_open > 0 && Instant::now() < until {
            thread::park_timeout(COMMIT_POLL);
            if let Err(error) = self.serve_group() {
                tracing::debug!(%error, "while committing");
            }
            if self.commits_open == 0 {
                self.commit();
            }
        }
        if self.commits_open > 0 {
            tracing::warn!(
                brokers = self.brokers,
                "the last commit was not answered in time; its records may be read again"
            );
        }
    }

    /// At the end of a task that has just begun: waits until it can leave its group. While it asks for its first place, librdkafka has no id to
    /// leave with; the brokers would keep the place until the session's time is over, and everybody else in the group would wait for it. Brokers
    /// that answer slowly get until `deadline`, those that could not be reached do not.
    pub(super) fn await_place(&mut self, deadline: Instant) {
        let soon = Instant::now() + PLACE_TIME;
        let until = if self.last_complaint.is_none() { deadline.max(soon) } else { soon };
        while !self.source.can_leave() && Instant::now() < until {
            thread::park_timeout(COMMIT_POLL);
            if let Err(error) = self.serve_group() {
                tracing::debug!(%error, "while joining the group in order to leave it");
            }
        }
    }

    /// Errors that concern the whole client. Brokers that can't be reached are waited for.
    fn client_error(&mut self, error: &KafkaError, reason: &str) -> Result<(), TaskError> {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::Fatal | RDKafkaErrorCode::FencedInstanceId) => {
                if reason.contains("fenced")
                    && let Some(id) = self.source.instance_id()
                {
                    return Err(TaskError::Fenced { id: id.to_owned() });
                }
                Err(TaskError::Fatal { brokers: self.brokers.clone(), reason: reason.to_owned() })
            }
            _ if source::is_refusal(error) => {
                self.lock_out(error, reason);
                Ok(())
            }
            code if source::is_unreachable(error) => {
                self.complain(reason);
                // One broker of several may be away without any harm.
                if code == Some(RDKafkaErrorCode::AllBrokersDown) {
                    self.lose_brokers(reason);
                }
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

/// Errors of one partition. librdkafka goes on by itself, unless it has no offset to go on from.
fn partition_error(error: PartitionError) -> Result<(), TaskError> {
    let PartitionError { partition, code, reason } = error;
    if code == RDKafkaErrorCode::AutoOffsetReset {
        return Err(TaskError::NoOffset { partition, reason });
    }
    tracing::warn!(partition = partition.to_string(), ?code, reason, "kafka reports an error for a partition");
    Ok(())
}

fn names(partitions: &[TopicPartition]) -> String {
    partitions.iter().map(TopicPartition::to_string).collect::<Vec<_>>().join(" ")
}
