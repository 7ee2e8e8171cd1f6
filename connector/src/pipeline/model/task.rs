//! One life of a task: the real assignment, assembler, hunts and claims, with the few lines between them that in the pipeline need Kafka
//! and a runtime.

use std::collections::{HashSet, VecDeque};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fastrand::Rng;

use super::super::assignment::Assignment;
use super::influx::{self, Influx};
use super::world::{Kind, LineId, Record, World};
use crate::batch::{Batch, Inputs};
use crate::config::{BatchConfig, RequestsInFlight, Tiebreak};
use crate::dead_letter::Claim;
use crate::dead_letter::claims::Claims;
use crate::metrics::TaskMetrics;
use crate::record::TopicPartition;
use crate::retry::Backoff;
use crate::sink::assembler::{Appended, Assembler, Fate, Origin};
use crate::sink::body::Body;
use crate::sink::hunt::Hunt;
use crate::sink::lane::Written;
use crate::sink::verdict::Verdict;
use crate::transform::{Output, Reject, Version};

/// Letters at which no more records are taken, as in the pipeline but small enough to be reached.
const LETTERS_MAX: usize = 6;

/// The most records of a batch.
pub(super) const BATCH_MAX: usize = 6;

/// What differs from schedule to schedule.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) batch: BatchConfig,
    pub(super) in_flight: usize,
    /// Whether there is a dead-letter topic; otherwise rejected records are discarded.
    pub(super) letters: bool,
    /// Whether requests may be too large, or break the server: the tight bounds of the hunt hold without only.
    pub(super) sizes: bool,
}

/// A body on its way.
struct Sending {
    hunt: Hunt,
    body: Body,
    bytes: usize,
    /// Distinct bad lines, for the bound.
    bad: usize,
    /// Requests that were answered with a decision.
    decided: usize,
    /// The lines of all requests after the first.
    sent: Vec<LineId>,
    breaks: u32,
    backoff: Backoff,
    ready_at: Instant,
}

/// A letter: its claim, and its record.
type Letter = (u64, (usize, i64));

pub(super) struct Task {
    settings: Settings,
    assignment: Assignment,
    assembler: Assembler,
    sending: Vec<Sending>,
    claims: Claims,
    waiting: VecDeque<Letter>,
    posted: Vec<Letter>,
    /// The next offset to fetch of each partition that is fetched from.
    positions: Vec<Option<i64>>,
    too_large: usize,
    appended: Appended,
    version: Arc<Version>,
    /// The assignment of each partition, counted apart from the code that is tested.
    generations: Vec<Option<u64>>,
    /// Records with a letter, each once in an assignment.
    written_to: HashSet<(u64, i64)>,
}

impl Settings {
    pub(super) fn random(rng: &mut Rng, letters: bool) -> Self {
        let count = |n| NonZeroUsize::new(n).unwrap();
        let batch = BatchConfig {
            max_lines: count(rng.usize(1..=24)),
            max_bytes: count(rng.usize(40..900)),
            linger: Duration::from_secs(rng.u64(..3)),
            requests_in_flight: RequestsInFlight::Auto,
        };
        Self { batch, in_flight: rng.usize(1..=3), letters, sizes: rng.u8(..3) == 0 }
    }
}

impl Task {
    pub(super) fn new(settings: &Settings, partitions: usize) -> Self {
        Self {
            settings: settings.clone(),
            assignment: Assignment::new(Tiebreak::Offset),
            assembler: Assembler::new(&settings.batch),
            version: Arc::new(Version::new("00ff", "model")),
            sending: Vec::new(),
            claims: Claims::default(),
            waiting: VecDeque::new(),
            posted: Vec::new(),
            positions: vec![None; partitions],
            too_large: usize::MAX,
            appended: Appended::default(),
            generations: vec![None; partitions],
            written_to: HashSet::new(),
        }
    }

    pub(super) fn assign(&mut self, world: &mut World, partition: usize, metrics: &TaskMetrics) {
        self.assignment.add(&[name(partition)], &[partition], metrics);
        self.positions[partition] = Some(world.partitions[partition].committed);
        self.generations[partition] = self.assignment.get(partition).map(|assigned| assigned.generation);
        world.partitions[partition].owned = true;
    }

    /// The group wants the partition back: nothing more of it is read, and it is given back when nothing of it is under way or at `deadline`.
    pub(super) fn begin_revoke(&mut self, partition: usize, deadline: Instant) {
        self.positions[partition] = None;
        self.assignment.begin_revoke(vec![name(partition)], deadline);
    }

    pub(super) fn is_revoking(&self, partition: usize) -> bool {
        self.positions[partition].is_none()
    }

    pub(super) fn finish_revoke(&mut self, world: &mut World, now: Instant, rng: &mut Rng) {
        let Some(partitions) = self.assignment.revocable(now) else { return };
        self.commit(world, rng, false);
        self.give_up(world, &partitions);
    }

    /// The group has given the partition to somebody else without asking.
    pub(super) fn lose(&mut self, world: &mut World, partition: usize) {
        self.positions[partition] = None;
        self.give_up(world, &[name(partition)]);
    }

    fn give_up(&mut self, world: &mut World, partitions: &[TopicPartition]) {
        self.assignment.remove(partitions);
        self.claims.forget(|claim| !self.assignment.is_current(claim.slot, claim.generation));
        self.waiting.retain(|&(claim, _)| self.claims.is_open(claim));
        for partition in partitions {
            world.partitions[partition.partition as usize].owned = false;
            self.generations[partition.partition as usize] = None;
        }
    }

    /// Takes a batch of a partition, if there is room.
    pub(super) fn fetch(&mut self, world: &mut World, partition: usize, count: usize) {
        let letters = self.waiting.len() + self.posted.len();
        let Some(position) = self.positions[partition] else { return };
        if self.assembler.is_full() || letters >= LETTERS_MAX {
            return;
        }
        let records = world.fetch(partition, position, count).to_vec();
        let Some(last) = records.last() else { return };
        self.positions[partition] = Some(last.offset + 1);
        let (batch, output) = transformed(partition, &records);
        let assigned = self.assignment.get(partition).expect("what is fetched from is assigned");
        let generation = assigned.generation;
        let name = name(partition);
        let origin = Origin { partition: &name, slot: partition, generation, version: &self.version, records: None };
        self.assembler.append(origin, (&batch, &output), false, &mut assigned.stamper, &mut self.appended);
        assigned.receive(&self.appended.ranges).unwrap();
        let rejected: Vec<i64> = self.appended.rejected.iter().map(|one| batch.offsets[one.record]).collect();
        for fated in std::mem::take(&mut self.appended.ranges).iter().filter(|fated| fated.fate == Fate::Rejected) {
            let of_range =
                rejected.iter().copied().filter(|&offset| fated.range.first <= offset && offset <= fated.range.last);
            self.reject(world, Claim { slot: partition, generation, range: fated.range }, of_range.collect());
        }
    }

    /// Sends bodies while requests are free.
    pub(super) fn dispatch(&mut self, world: &mut World, now: Instant, stopping: bool) {
        while self.sending.len() < self.settings.in_flight {
            let Some((mut body, _)) = self.assembler.next(now, stopping) else { return };
            self.check_body(world, &body);
            let bytes = Bytes::from(std::mem::take(&mut body.bytes));
            let bad = influx::lines(&bytes).filter(|line| line[0] == b'r').count();
            self.sending.push(Sending {
                bytes: bytes.len(),
                hunt: Hunt::new(bytes),
                body,
                bad,
                decided: 0,
                sent: Vec::new(),
                breaks: 0,
                // Always the longest pause: the schedule's clock does not care.
                backoff: Backoff::with_draw(Backoff::MIN, Backoff::CAP, |top| top),
                ready_at: now,
            });
        }
    }

    /// I4, and every line belongs to the record that the body says.
    fn check_body(&self, world: &mut World, body: &Body) {
        let limits = &self.settings.batch;
        let one_record = body.offsets.windows(2).all(|pair| pair[0] == pair[1]) && body.parts.len() == 1;
        let fits = body.lines() <= limits.max_lines.get() && body.bytes.len() <= limits.max_bytes.get();
        assert!(one_record || fits, "I4: a body of {} lines and {} bytes", body.lines(), body.bytes.len());
        for (index, text) in influx::lines(&body.bytes).enumerate() {
            let (partition, offset, _) = influx::parse(text);
            let (part, of) = body.origin_of(index).expect("every line has a record");
            assert_eq!((part.partition.partition as usize, of), (partition, offset), "a line keeps its record");
            assert!(!world.record(partition, offset).kind.is_rejected_early(), "I5: a rejected record has a line");
        }
    }

    pub(super) fn requests(&self) -> usize {
        self.sending.len()
    }

    /// One request is answered; on a bad day by chance (`rng`), otherwise as the server should.
    pub(super) fn answer(
        &mut self,
        world: &mut World,
        influx: &Influx,
        at: usize,
        now: Instant,
        bad_day: Option<&mut Rng>,
    ) -> Option<Verdict> {
        let sending = &mut self.sending[at];
        if bad_day.is_some() && now < sending.ready_at {
            return None;
        }
        let piece = sending.hunt.next(self.too_large).expect("a body that is decided has left");
        let verdict = match bad_day {
            Some(rng) => influx.write_badly(world, &piece, rng, &mut sending.breaks),
            None => influx.write(world, &piece),
        };
        if matches!(verdict, Verdict::TooLarge { .. }) {
            self.too_large = self.too_large.min(piece.len());
        }
        match sending.hunt.judge(verdict.clone()) {
            Some(wait) => {
                assert!(
                    matches!(wait, Verdict::Transient { .. } | Verdict::Configuration { .. }),
                    "{wait:?} is waited for"
                );
                let pause = sending.backoff.next(None);
                assert!(Backoff::MIN <= pause && pause <= Backoff::CAP, "a pause of {pause:?}");
                sending.ready_at = now + pause;
            }
            None => {
                sending.backoff.reset();
                sending.decided += 1;
                if sending.decided > 1 {
                    sending.sent.extend(influx::lines(&piece).map(influx::parse));
                }
            }
        }
        if sending.hunt.next(self.too_large).is_none() {
            let sending = self.sending.swap_remove(at);
            self.finish(world, sending);
        }
        Some(verdict)
    }

    /// Every line of a body is decided.
    fn finish(&mut self, world: &mut World, mut sending: Sending) {
        let depth = sending.body.lines().next_power_of_two().trailing_zeros() as usize;
        // A connection that breaks by chance over a single line costs one request more, for a line that is known to be good.
        let chance = sending.breaks as usize;
        if !self.settings.sizes && chance < 5 {
            let bound = 1 + sending.bad * (2 * depth).max(2) + chance;
            assert!(
                sending.decided <= bound,
                "{} requests for {} bad lines, {bound} is the bound",
                sending.decided,
                sending.bad
            );
            // A record read in two assignments may be in the body twice.
            let mut assignments: Vec<_> = sending.body.parts.iter().map(|part| (part.slot, part.generation)).collect();
            assignments.sort_unstable();
            assignments.dedup();
            let copies = most(&mut assignments.iter().map(|&(slot, _)| slot).collect::<Vec<_>>());
            let most = most(&mut sending.sent) + 1;
            assert!(most <= copies * (depth + 3) + chance, "a line was sent {most} times");
        }
        let written = Written { body: sending.body, bytes: sending.bytes, refused: sending.hunt.into_refused() };
        for (part, refused) in written.parts() {
            let place = (part.slot, part.generation);
            if refused.is_empty() {
                self.assignment.complete(place, part.range, part.newest()).unwrap();
                continue;
            }
            let mut offsets: Vec<i64> = refused.iter().map(|refused| written.body.offsets[refused.line]).collect();
            offsets.dedup();
            self.reject(world, Claim { slot: part.slot, generation: part.generation, range: part.range }, offsets);
        }
    }

    fn reject(&mut self, world: &mut World, claim: Claim, offsets: Vec<i64>) {
        let Claim { slot, generation, range } = claim;
        if !self.assignment.is_current(slot, generation) {
            return;
        }
        assert_eq!(self.generations[slot], Some(generation), "I3: a record of an assignment that is over is rejected");
        for &offset in &offsets {
            let kind = world.record(slot, offset).kind;
            assert!(kind.may_be_dead(), "I5: a record that is {kind:?} gets a dead letter");
            assert!(self.written_to.insert((generation, offset)), "I5: record {offset} of {slot} is rejected twice");
        }
        if !self.settings.letters {
            offsets.iter().for_each(|&offset| world.bury(slot, offset));
            return self.assignment.complete((slot, generation), range, None).unwrap();
        }
        let id = self.claims.open(claim, offsets.len());
        self.waiting.extend(offsets.into_iter().map(|offset| (id, (slot, offset))));
        let most = LETTERS_MAX + BATCH_MAX + self.settings.in_flight * self.settings.batch.max_lines.get().max(3);
        assert!(self.waiting.len() + self.posted.len() <= most, "I4: more letters than there may be");
    }

    /// Letters leave.
    pub(super) fn post(&mut self) {
        self.posted.extend(self.waiting.drain(..));
    }

    pub(super) fn letters(&self) -> usize {
        self.posted.len()
    }

    /// What became of a letter: the topic has it (`arrived`), and says so (`told`); or it will be sent again.
    pub(super) fn deliver(&mut self, world: &mut World, at: usize, arrived: bool, told: bool) -> (usize, i64) {
        let letter = self.posted.swap_remove(at);
        let (id, (partition, offset)) = letter;
        if arrived {
            world.bury(partition, offset);
        }
        if !(arrived && told) {
            // One of an assignment that is over is sent again as well: nobody counts it.
            self.waiting.push_front(letter);
            return letter.1;
        }
        if let Some(acknowledged) = self.claims.settle(id).filter(|acknowledged| acknowledged.decided) {
            let Claim { slot, generation, range } = acknowledged.claim;
            self.assignment.complete((slot, generation), range, None).unwrap();
        }
        letter.1
    }

    /// Commits what may be. On a bad day the brokers refuse it, or take it and the answer is lost.
    pub(super) fn commit(&mut self, world: &mut World, rng: &mut Rng, bad_day: bool) -> Vec<(TopicPartition, i64)> {
        let offsets = self.assignment.take_committable();
        let (taken, answered) = if bad_day { (rng.u8(..4) > 0, rng.u8(..4) > 0) } else { (true, true) };
        for (partition, offset) in offsets.iter().filter(|_| taken) {
            world.commit(partition.partition as usize, *offset);
        }
        if !(taken && answered) {
            self.assignment.commit_again();
        }
        offsets
    }

    /// The process dies: what is on its way may still be stored.
    pub(super) fn die(mut self, world: &mut World, influx: &Influx, rng: &mut Rng) {
        for sending in &mut self.sending {
            if let Some(piece) = sending.hunt.next(self.too_large).filter(|_| rng.bool()) {
                influx.write(world, &piece);
            }
        }
        for &(_, (partition, offset)) in self.posted.iter().filter(|_| rng.bool()) {
            world.bury(partition, offset);
        }
        for partition in &mut world.partitions {
            partition.owned = false;
        }
    }
}

/// How often the one that is there most is there.
fn most<T: Ord>(things: &mut [T]) -> usize {
    things.sort_unstable();
    things.chunk_by(|left, right| left == right).map(<[T]>::len).max().unwrap_or(0)
}

fn name(partition: usize) -> TopicPartition {
    TopicPartition::new("t", partition as i32)
}

/// The batch and what the transform makes of it.
fn transformed(partition: usize, records: &[Record]) -> (Batch, Output) {
    let (mut batch, mut output) = (Batch::default(), Output::default());
    for (index, record) in records.iter().enumerate() {
        let (offset, timestamp) = (record.offset, 1_785_000_000_000);
        batch.push(&crate::batch::Record { offset, timestamp, key: None, value: None }, Inputs::default());
        match record.kind {
            Kind::Filtered => continue,
            Kind::Rejected => output.rejects.push(Reject { record: index as u32, reason: "no".to_owned() }),
            kind => {
                for line in 0..record.lines {
                    let is_last = line + 1 == record.lines;
                    let mark = if is_last { kind.mark() } else { 'g' };
                    let padding = if is_last && kind == Kind::TooLarge { 80 } else { 0 };
                    let mut text = influx::line(mark, (partition, offset, line), padding);
                    if is_last && kind == Kind::BadLine {
                        text.push_str(",x=");
                    }
                    output.lines.push(text.as_bytes());
                    output.records.push(index as u32);
                }
                output.num_with_lines += 1;
            }
        }
    }
    (batch, output)
}
