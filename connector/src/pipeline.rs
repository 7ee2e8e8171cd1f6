//! One task: the loop that carries records from Kafka through the transform into request bodies, and offsets back.
//!
//! It runs on one thread of its own. Nothing in it waits for the sink: requests run on the async runtime, and while a full
//! body waits the loop goes on serving the group. The order of a round is fixed, and keeps the task bounded: first what is
//! finished makes room, then the group is served, then new records are taken, at last bodies leave.

mod assignment;
mod breaker;
mod budget;
mod ends;
mod error;
mod lockout;
mod membership;
#[cfg(test)]
mod model;
mod rejects;
mod salvage;
mod versions;
mod watchdog;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::batch::{Batch, Inputs};
use crate::config::{ConnectorConfig, WorkerConfig};
use crate::dead_letter::DeadLetters;
use crate::metrics::{Stage, TaskMetrics};
use crate::record::TopicPartition;
use crate::sink::assembler::{Appended, Assembler, Origin};
use crate::sink::lane::{Lane, Written};
use crate::source::observer::Observer;
use crate::source::{self, Filled, KafkaSource};
use crate::status::TaskBoard;
use crate::stop::{Pause, Stop};
use crate::swap::desk::TaskDesk;
use crate::swap::trial::Trial;
use crate::telemetry::TaskSpan;
use crate::transform::{Output, Transform, Version};
use assignment::Assignment;
use breaker::Breaker;
use budget::{Budget, DiscardLog};
use ends::Ends;
use salvage::Salvage;
use versions::Versions;
use watchdog::Watchdog;

pub use error::TaskError;

/// How long a task sleeps between two looks, while it starts and while it ends.
const NAP: Duration = Duration::from_millis(250);

/// How often lag is measured, which is also how long an idle task sleeps at the most: whatever else happens wakes it.
const LAG_INTERVAL: Duration = Duration::from_secs(1);

/// What the last commit gets at least, even if the writes before it took all the time there was.
const LAST_COMMIT_MIN: Duration = Duration::from_secs(1);

/// The transforms that a task begins with.
#[derive(Debug)]
pub struct TaskVersions {
    /// The one that runs, or that the other falls back on.
    pub stable: Transform,
    /// One on probation.
    pub trial: Option<(Transform, Arc<Trial>)>,
    /// Where orders to change come from.
    pub desk: TaskDesk,
    /// Says in log lines which version runs.
    pub span: TaskSpan,
}

/// Everything that one task owns.
#[derive(Debug)]
pub struct Pipeline {
    source: KafkaSource,
    versions: Versions,
    assembler: Assembler,
    lane: Lane,
    letters: Option<DeadLetters>,
    assignment: Assignment,
    /// The batch that the transform failed on, until all of it is decided.
    salvage: Option<Salvage>,
    breaker: Breaker,
    /// A record that the transform has worked on: tells a module that is broken from records that are poison.
    proof: Option<(TopicPartition, Batch)>,
    budget: Budget,
    discards: DiscardLog,
    paused: bool,
    /// Since when nothing can be taken because the sink is slow.
    full_since: Option<Instant>,
    /// Commits that are sent and not answered.
    commits_open: u32,
    /// While nothing fails: how often something has failed so far, and whether somebody has paused the task.
    healthy: Option<(u64, bool)>,
    watchdog: Watchdog,
    ends: Ends,
    connector: Arc<ConnectorConfig>,
    worker: Arc<WorkerConfig>,
    task: u32,
    brokers: String,
    shutdown_timeout: Duration,
    stop: Stop,
    /// Whether somebody wants no records to be taken for now.
    pause: Pause,
    metrics: TaskMetrics,
    board: TaskBoard,
    next_commit: Instant,
    next_lag: Instant,
    last_complaint: Option<Instant>,
    /// While the brokers refuse us.
    lockout: Option<lockout::Lockout>,
    appended: Appended,
}

// === impl Pipeline ===

impl Pipeline {
    /// Starts the consumer of task `task`. To be called on the thread that will [`Pipeline::run`].
    ///
    /// # Errors
    ///
    /// If librdkafka refuses a setting.
    pub fn open(
        worker: Arc<WorkerConfig>,
        connector: Arc<ConnectorConfig>,
        task: u32,
        versions: TaskVersions,
        lane: Lane,
        (stop, pause): (Stop, Pause),
        (metrics, board): (TaskMetrics, TaskBoard),
    ) -> Result<Self, TaskError> {
        let source = KafkaSource::open(&worker, &connector, task, thread::current())
            .map_err(|source| TaskError::Consumer { connector: connector.name.clone(), source })?;
        metrics.client_id(&source::client_id(&worker, &connector, task));
        let letters = DeadLetters::open(&worker, &connector, task, thread::current(), (metrics.clone(), board.clone()))
            .map_err(|source| TaskError::Producer { connector: connector.name.clone(), source })?;
        let TaskVersions { stable, trial, desk, span } = versions;
        desk.wakes(thread::current());
        let versions = Versions::new(stable, trial, desk, span);
        metrics.transform_info(versions.latest().digest(), versions.latest().name());
        let now = Instant::now();
        Ok(Self {
            source,
            versions,
            assembler: Assembler::new(&connector.batch),
            lane,
            letters,
            assignment: Assignment::new(connector.tiebreak),
            salvage: None,
            breaker: Breaker::default(),
            proof: None,
            budget: Budget::new(connector.errors.budget),
            discards: DiscardLog::default(),
            paused: false,
            full_since: None,
            commits_open: 0,
            healthy: None,
            brokers: worker.client.get("bootstrap.servers").cloned().unwrap_or_default(),
            shutdown_timeout: worker.shutdown_timeout,
            watchdog: Watchdog::new(connector.stall_timeout, Observer::of_reaches(&worker, &connector), now),
            ends: Ends::new(Observer::of_ends(&worker, &connector), now),
            worker,
            task,
            stop,
            pause,
            metrics,
            board,
            next_commit: now + connector.offset_flush_interval,
            next_lag: now,
            last_complaint: None,
            lockout: None,
            appended: Appended::default(),
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
        let result = self.find_topics().and_then(|()| self.find_letter_topic()).and_then(|()| self.work());
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
            self.keep_time()?;
            if !busy {
                self.sleep();
            }
        }
        Ok(())
    }

    /// Takes what is decided: bodies of which every line is stored or refused, and dead letters that have arrived.
    fn finish_writes(&mut self) -> Result<(), TaskError> {
        let mut failed = Ok(());
        while let Some(written) = self.lane.next_written() {
            self.acknowledge(&written)?;
            failed = failed.and(self.reject_refused(&written));
        }
        failed.and(self.finish_letters())
    }

    fn acknowledge(&mut self, written: &Written) -> Result<(), TaskError> {
        let now = now_ms();
        self.metrics.points_written((written.body.lines() - written.refused.len()) as u64);
        self.metrics.bytes_written(written.bytes as u64);
        for (part, refused) in written.parts() {
            // A record without a time has no age.
            for &(time, count) in part.times.iter().filter(|&&(time, _)| time >= 0) {
                self.metrics.freshness(Duration::from_millis(now.saturating_sub(time).max(0) as u64), count);
            }
            // A part with refused lines is decided by its dead letters.
            if refused.is_empty() {
                self.assignment.complete((part.slot, part.generation), part.range, part.newest())?;
            }
        }
        Ok(())
    }

    /// Takes records while there is room for their lines. Gives back whether there were any.
    fn take_records(&mut self) -> Result<bool, TaskError> {
        let mut busy = false;
        // Before the sink is asked for room: it may have none for long, and the next record is to meet the new version.
        while !self.change_version() && !self.is_full() && !self.pause.is_set() {
            if self.salvage.is_some() {
                return Ok(busy | self.salvage_on()?);
            }
            let Some(filled) = self.source.next_filled() else {
                let started = Instant::now();
                if busy || !self.source.take(self.wanted()) {
                    return Ok(busy);
                }
                self.metrics.stage(Stage::Source, started.elapsed());
                busy = true;
                continue;
            };
            busy = true;
            self.process(filled)?;
            // A request that came back meanwhile should not wait for the other partitions' batches.
            self.finish_writes()?;
            self.dispatch();
        }
        Ok(busy)
    }

    /// Whether nothing more is to be taken: a full body waits, or as many dead letters as may.
    fn is_full(&self) -> bool {
        self.assembler.is_full() || self.letters.as_ref().is_some_and(DeadLetters::is_full)
    }

    /// The columns to fill: what the transform wants, and all of a record where a dead letter may have to hold it.
    fn wanted(&self) -> Inputs {
        let inputs = self.versions.inputs();
        let all = self.letters.is_some();
        Inputs { keys: inputs.keys || all, headers: inputs.headers || all, ..inputs }
    }

    /// One batch through the transform. If that fails, the batch is taken apart in the next rounds.
    fn process(&mut self, filled: Filled) -> Result<(), TaskError> {
        let Filled { slot, batch } = filled;
        let Some(&first) = batch.offsets.first() else { return Ok(()) };
        self.hear_from_brokers();
        let Some(assigned) = self.assignment.begin_batch(slot, first) else { return Ok(()) };
        let (place, partition) = ((slot, assigned.generation), assigned.partition.clone());
        assigned.metrics.consumed(batch.len() as u64);
        assigned.seen.tell(&self.board, &partition.topic);

        let started = Instant::now();
        let (version, result) = self.versions.run(&partition, &batch);
        self.metrics.stage(Stage::Transform, started.elapsed());
        self.metrics.transform_memory(self.versions.memory_bytes() as u64);
        self.versions.keep(&partition, &batch, started);
        match result {
            Ok(output) => {
                self.transform_works(&partition, &batch);
                self.absorb(place, &version, &batch, &output)?;
                self.source.recycle(batch);
            }
            Err(error) => {
                self.failed_on(&version, &partition, &batch, &error);
                let records = batch.len();
                tracing::warn!(%partition, records, %error, "transform failed on a batch, looking for the record at fault");
                self.salvage = Some(Salvage::new(place, batch));
            }
        }
        Ok(())
    }

    /// The result of one call: points, ledger, rejected records.
    fn absorb(
        &mut self,
        place: (usize, u64),
        version: &Arc<Version>,
        batch: &Batch,
        output: &Output,
    ) -> Result<(), TaskError> {
        let Some(assigned) = self.assignment.get(place.0) else { return Ok(()) };
        let started = Instant::now();
        // Kept until the records are decided, in memory that fits: what is recycled may be far larger.
        let kept = self.letters.is_some().then(|| Arc::new(batch.clone()));
        let (slot, generation) = place;
        let origin = Origin { partition: &assigned.partition, slot, generation, version, records: kept.as_ref() };
        let stop_at_rejected = !self.connector.errors.tolerate;
        let mut appended = std::mem::take(&mut self.appended);
        self.assembler.append(origin, (batch, output), stop_at_rejected, &mut assigned.stamper, &mut appended);
        self.metrics.stage(Stage::Points, started.elapsed());
        self.versions.note(version, batch.len(), appended.rejected.len(), started);
        let taken = if stop_at_rejected { self.take_back(place, version, batch, &mut appended) } else { batch.len() };

        let Some(assigned) = self.assignment.get(place.0) else { return Ok(()) };
        assigned.receive(&appended.ranges)?;
        assigned.metrics.filtered((taken - appended.with_lines - appended.rejected.len()) as u64);
        assigned.metrics.sent(appended.with_lines as u64);
        let decided = self.reject_appended(place, version, (batch, kept.as_ref()), &mut appended);
        self.appended = appended;
        decided
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

    /// What the clock asks for: commits, lag, partitions that stand still.
    fn keep_time(&mut self) -> Result<(), TaskError> {
        let now = Instant::now();
        if now >= self.next_commit {
            self.next_commit = now + self.connector.offset_flush_interval;
            self.commit();
        }
        if now >= self.next_lag {
            self.next_lag = now + LAG_INTERVAL;
            self.follow_ends(now);
            self.assignment.measure_lag(now_ms(), &self.source);
            self.metrics.look_at_active();
        }
        self.board.beat();
        self.watch(now)
    }

    fn sleep(&self) {
        let linger = self.assembler.deadline().filter(|_| self.lane.is_free());
        let letters = self.letters.as_ref().and_then(DeadLetters::deadline);
        let salvage = self.salvage.as_ref().and_then(Salvage::deadline);
        let due = [linger, Some(self.next_commit), letters, salvage].into_iter().flatten();
        let until = due.fold(self.next_lag, Instant::min);
        thread::park_timeout(until.saturating_duration_since(Instant::now()));
    }

    /// The end: what is taken is sent, what is sent is waited for, what is acknowledged is committed. All of it within the
    /// time for a graceful stop; whatever is not done then will be done again by the next owner.
    fn drain(&mut self) {
        let deadline = Instant::now() + self.shutdown_timeout;
        self.source.leave_by(deadline);
        self.stop.set();
        // Never received by the ledger: whoever is next reads it.
        self.salvage = None;
        while !(self.assembler.is_empty()
            && self.lane.is_idle()
            && self.letters.as_ref().is_none_or(DeadLetters::is_idle))
        {
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
        self.await_place(deadline);
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
