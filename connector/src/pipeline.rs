//! One task: the loop that carries records from Kafka through the transform into request bodies, and offsets back.
//!
//! It runs on one thread of its own. Nothing in it waits for the sink: requests run on the async runtime, and while a full
//! body waits the loop goes on serving the group. The order of a round is fixed, and keeps the task bounded: first what is
//! finished makes room, then the group is served, then new records are taken, at last bodies leave.

mod assignment;
mod error;
mod membership;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::config::{ConnectorConfig, WorkerConfig};
use crate::metrics::{Stage, TaskMetrics};
use crate::sink::body::{Assembler, Origin, Ranges};
use crate::sink::lane::{Lane, Outcome, Written};
use crate::source::{Filled, KafkaSource};
use crate::status::TaskBoard;
use crate::stop::Stop;
use crate::transform::Transform;
use assignment::Assignment;

pub use error::TaskError;

/// How long an idle task sleeps at the most. Whatever happens wakes it; this is for the clock-driven work.
const NAP: Duration = Duration::from_millis(250);

/// How often lag is measured.
const LAG_INTERVAL: Duration = Duration::from_secs(1);

/// What the last commit gets at least, even if the writes before it took all the time there was.
const LAST_COMMIT_MIN: Duration = Duration::from_secs(1);

/// Everything that one task owns.
#[derive(Debug)]
pub struct Pipeline {
    source: KafkaSource,
    transform: Transform,
    assembler: Assembler,
    lane: Lane,
    assignment: Assignment,
    paused: bool,
    /// Commits that are sent and not answered.
    commits_open: u32,
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
            commits_open: 0,
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
    pub fn run(&mut self) -> Result<(), TaskError> {
        self.lane.greet();
        let result = self.find_topics().and_then(|()| self.work());
        self.drain();
        result
    }

    fn work(&mut self) -> Result<(), TaskError> {
        while !self.stop.is_set() {
            self.finish_writes()?;
            // Before records are taken: a full body that can leave makes room for them.
            self.dispatch();
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
            // A record without a time has no age.
            for &(time, count) in part.times.iter().filter(|&&(time, _)| time >= 0) {
                self.metrics.freshness(Duration::from_millis(now.saturating_sub(time).max(0) as u64), count);
            }
            self.assignment.complete(part)?;
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
            self.commit();
        }
        if now >= self.next_lag {
            self.next_lag = now + LAG_INTERVAL;
            self.assignment.measure_lag(now_ms(), &self.source);
        }
        self.board.beat();
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
            if let Err(error) = self.finish_writes().and(self.serve_group()) {
                tracing::debug!(%error, "while draining");
            }
        }
        self.commit_finally(deadline.max(Instant::now() + LAST_COMMIT_MIN));
        if let Err(error) = self.finish_revoke_now() {
            tracing::debug!(%error, "while leaving the group");
        }
    }
}

/// The wall clock, as Kafka's timestamps have it.
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
