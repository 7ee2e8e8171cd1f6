//! One task: the loop that carries records from Kafka through the transform into request bodies, and offsets back.
//!
//! It runs on one thread of its own. Nothing in it waits for the sink: requests run on the async runtime, and while a full
//! body waits the loop goes on serving the group. The order of a round is fixed, and keeps the task bounded: first what is
//! finished makes room, then the group is served, then new records are taken, at last bodies leave.

mod assignment;
mod error;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::CommitMode;
use rdkafka::error::RDKafkaErrorCode;

use crate::config::{ConnectorConfig, Topics, WorkerConfig};
use crate::metrics::{Stage, TaskMetrics};
use crate::record::TopicPartition;
use crate::sink::body::{Assembler, Origin, Ranges};
use crate::sink::lane::{Lane, Outcome, Written};
use crate::source::{self, Filled, GroupEvent, KafkaSource};
use crate::status::{TaskBoard, TaskState};
use crate::stop::Stop;
use crate::transform::Transform;
use assignment::Assignment;

pub use error::TaskError;

/// How long an idle task sleeps at the most. Whatever happens wakes it; this is for the clock-driven work.
const NAP: Duration = Duration::from_millis(250);

/// How often lag is measured.
const LAG_INTERVAL: Duration = Duration::from_secs(1);

/// How often the same complaint about the brokers is logged.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(30);

/// How often a topic is asked for before it counts as missing: a broker may not have heard of a new one yet.
const TOPIC_QUESTIONS: u32 = 4;

/// Everything that one task owns.
#[derive(Debug)]
pub struct Pipeline {
    source: KafkaSource,
    transform: Transform,
    assembler: Assembler,
    lane: Lane,
    assignment: Assignment,
    paused: bool,
    /// While nothing fails: how often something has failed so far.
    healthy: Option<u64>,
    connector: Arc<ConnectorConfig>,
    brokers: String,
    shutdown_timeout: Duration,
    stop: Stop,
    metrics: TaskMetrics,
    board: TaskBoard,
    next_commit: Instant,
    next_lag: Instant,
    last_complaint: Option<Instant>,
    ranges: Ranges,
}

// === impl Pipeline ===

impl Pipeline {
    /// Starts the consumer of task `task`. To be called on the thread that will [`Pipeline::run`].
    ///
    /// # Errors
    ///
    /// If librdkafka refuses a setting.
    pub fn open(
        worker: &WorkerConfig,
        connector: Arc<ConnectorConfig>,
        task: u32,
        transform: Transform,
        lane: Lane,
        stop: Stop,
        (metrics, board): (TaskMetrics, TaskBoard),
    ) -> Result<Self, TaskError> {
        let source = KafkaSource::open(worker, &connector, task, thread::current())
            .map_err(|source| TaskError::Consumer { connector: connector.name.clone(), source })?;
        metrics.transform_info(transform.module().digest(), transform.module().name());
        let now = Instant::now();
        Ok(Self {
            source,
            transform,
            assembler: Assembler::new(&connector.batch),
            lane,
            assignment: Assignment::new(connector.tiebreak),
            paused: false,
            healthy: None,
            brokers: worker.client.get("bootstrap.servers").cloned().unwrap_or_default(),
            shutdown_timeout: worker.shutdown_timeout,
            stop,
            metrics,
            board,
            next_commit: now + connector.offset_flush_interval,
            next_lag: now,
            last_complaint: None,
            ranges: Ranges::new(),
            connector,
        })
    }

    /// Works until it is told to stop, or a record can't be decided. What is under way is waited for, at the most as long
    /// as `task.shutdown.graceful.timeout.ms`, and committed.
    ///
    /// # Errors
    ///
    /// What made the task fail. The offset of the record at fault is not committed; everything before it is.
    pub fn run(mut self) -> Result<(), TaskError> {
        self.lane.greet();
        let result = self.find_topics().and_then(|()| self.work());
        self.drain();
        result
    }

    fn work(&mut self) -> Result<(), TaskError> {
        while !self.stop.is_set() {
            self.finish_writes()?;
            self.serve_group()?;
            self.hold_back()?;
            let busy = self.take_records()?;
            self.dispatch();
            self.keep_time();
            if !busy {
                self.sleep();
            }
        }
        Ok(())
    }

    /// A topic that is not there is a mistake in the configuration; brokers that are not there are waited for.
    fn find_topics(&mut self) -> Result<(), TaskError> {
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

    /// Takes the outcomes of requests: stored parts are complete, a refused body ends the task.
    fn finish_writes(&mut self) -> Result<(), TaskError> {
        let mut refused = None;
        while let Some(written) = self.lane.next_outcome() {
            match &written.outcome {
                Outcome::Stored => self.acknowledge(&written)?,
                Outcome::Refused(verdict) if refused.is_none() => {
                    refused = Some(TaskError::refused(&self.connector.influx.url, &written.body, verdict));
                }
                Outcome::Refused(_) => {}
            }
        }
        refused.map_or(Ok(()), Err)
    }

    fn acknowledge(&mut self, written: &Written) -> Result<(), TaskError> {
        let now = now_ms();
        self.metrics.points_written(written.body.lines() as u64);
        self.metrics.bytes_written(written.bytes as u64);
        for part in &written.body.parts {
            for &(time, count) in &part.times {
                self.metrics.freshness(Duration::from_millis(now.saturating_sub(time).max(0) as u64), count);
            }
            self.assignment.complete(part)?;
        }
        Ok(())
    }

    /// Serves the group: this has to happen often, whatever the sink does.
    fn serve_group(&mut self) -> Result<(), TaskError> {
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
    fn hold_back(&mut self) -> Result<(), TaskError> {
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

    /// Takes records while there is room for their lines. Gives back whether there were any.
    fn take_records(&mut self) -> Result<bool, TaskError> {
        let mut busy = false;
        while !self.assembler.is_full() {
            let Some(filled) = self.source.next_filled() else {
                let started = Instant::now();
                if busy || !self.source.take(self.transform.inputs()) {
                    return Ok(busy);
                }
                self.metrics.stage(Stage::Source, started.elapsed());
                busy = true;
                continue;
            };
            busy = true;
            let decided = self.process(&filled);
            self.source.recycle(filled.batch);
            decided?;
            // A request that came back meanwhile should not wait for the other partitions' batches.
            self.finish_writes()?;
            self.dispatch();
        }
        Ok(busy)
    }

    /// One batch: transform, points, ledger. The first record that can't be written ends the task; those before it count.
    fn process(&mut self, filled: &Filled) -> Result<(), TaskError> {
        let Filled { slot, batch } = filled;
        let Some(assigned) = self.assignment.get(*slot) else { return Ok(()) };
        let Some(range) = batch.range() else { return Ok(()) };
        assigned.metrics.consumed(batch.len() as u64);

        let started = Instant::now();
        let output = self.transform.run(&assigned.partition, batch).map_err(|source| TaskError::Transform {
            partition: assigned.partition.clone(),
            range,
            source,
        })?;
        let transformed = Instant::now();
        let until = output.rejects.first().map_or(batch.len(), |reject| reject.record as usize);
        let origin = Origin { partition: &assigned.partition, slot: *slot, generation: assigned.generation };
        let appended = self.assembler.append(origin, batch, &output, until, &mut assigned.stamper, &mut self.ranges);
        self.metrics.stage(Stage::Transform, transformed - started);
        self.metrics.stage(Stage::Points, transformed.elapsed());
        self.metrics.transform_memory(self.transform.memory_bytes() as u64);

        assigned.receive(&self.ranges)?;
        match (appended, output.rejects.first()) {
            (Err(bad), _) => Err(TaskError::rejected(&assigned.partition, batch, bad.record, "points", bad.reason)),
            (Ok(()), Some(reject)) => {
                let reason = reject.reason.clone();
                Err(TaskError::rejected(&assigned.partition, batch, until, "transform", reason))
            }
            (Ok(()), None) => {
                assigned.metrics.filtered((batch.len() - output.num_with_lines) as u64);
                assigned.metrics.sent(output.num_with_lines as u64);
                Ok(())
            }
        }
    }

    /// Sends what may leave: the open body as soon as a request is free, so bodies are small when there is little to do and
    /// large when there is much.
    fn dispatch(&mut self) {
        while self.lane.is_free() {
            let Some((body, cut_by)) = self.assembler.next(Instant::now(), self.stop.is_set()) else { return };
            self.metrics.batch(cut_by);
            self.lane.send(body);
        }
    }

    /// What the clock asks for: commits and lag.
    fn keep_time(&mut self) {
        let now = Instant::now();
        if now >= self.next_commit {
            self.next_commit = now + self.connector.offset_flush_interval;
            self.commit(CommitMode::Async);
        }
        if now >= self.next_lag {
            self.next_lag = now + LAG_INTERVAL;
            let source = &self.source;
            self.assignment.measure_lag(now_ms(), |partition| source.end_offset(partition));
        }
        self.board.beat();
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

    /// Commits what the ledgers allow (I1).
    fn commit(&mut self, mode: CommitMode) {
        let offsets = self.assignment.to_commit();
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

    fn sleep(&self) {
        let now = Instant::now();
        let linger = self.assembler.deadline().filter(|_| self.lane.is_free()).unwrap_or(now + NAP);
        let until = linger.min(self.next_commit).min(self.next_lag).min(now + NAP);
        thread::park_timeout(until.saturating_duration_since(now));
    }

    /// The end: what is taken is sent, what is sent is waited for, what is acknowledged is committed. All of it within the
    /// time for a graceful stop; whatever is not done then will be done again by the next owner.
    fn drain(&mut self) {
        let deadline = Instant::now() + self.shutdown_timeout;
        self.stop.set();
        while !(self.assembler.is_empty() && self.lane.is_idle()) {
            let now = Instant::now();
            if now >= deadline {
                tracing::warn!("stopping with writes under way; their records will be read again");
                break;
            }
            self.dispatch();
            thread::park_timeout(NAP.min(deadline - now));
            // The first failure is the one that is told; here only what succeeds matters.
            if let Err(error) = self.finish_writes() {
                tracing::debug!(%error, "while draining");
            }
            self.hear_commits();
        }
        self.hear_commits();
        self.commit(CommitMode::Sync);
    }

    /// Of what the group says, the end only cares for commits that failed: the last one makes up for them.
    fn hear_commits(&mut self) {
        for event in self.source.poll(self.transform.inputs()) {
            if let GroupEvent::Committed(result) = event {
                self.committed(result);
            }
        }
    }

    /// Errors that concern the whole client. Brokers that can't be reached are waited for.
    fn client_error(&mut self, error: &rdkafka::error::KafkaError, reason: &str) -> Result<(), TaskError> {
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

/// The wall clock, as Kafka's timestamps have it.
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn names(partitions: &[TopicPartition]) -> String {
    partitions.iter().map(TopicPartition::to_string).collect::<Vec<_>>().join(" ")
}
