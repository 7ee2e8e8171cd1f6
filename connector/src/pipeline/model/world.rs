//! The model's Kafka: logs, committed offsets, the dead-letter topic, and who owns what. Says at each commit whether I1 and I3 hold.

use std::collections::{HashMap, HashSet};

use fastrand::Rng;

/// What becomes of a record, as whoever wrote this world knows beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The transform gives no line for it.
    Filtered,
    /// Its lines are stored.
    Good,
    /// The transform rejects it.
    Rejected,
    /// Its last line can't be written.
    BadLine,
    /// InfluxDB refuses its last line.
    Refused,
    /// Its last line is larger than InfluxDB takes.
    TooLarge,
    /// InfluxDB breaks the connection over its last line, until it is mended.
    Breaks,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub(super) offset: i64,
    pub(super) kind: Kind,
    pub(super) lines: u8,
}

/// A line: partition, offset, and which one of its record.
pub(super) type LineId = (usize, i64, u8);

#[derive(Debug)]
pub(super) struct Partition {
    pub(super) log: Vec<Record>,
    pub(super) committed: i64,
    /// Whether the task owns it.
    pub(super) owned: bool,
    /// How many records are below the committed offset; they have been checked.
    checked: usize,
}

/// Everything that outlives a crash.
#[derive(Debug)]
pub(super) struct World {
    pub(super) partitions: Vec<Partition>,
    pub(super) stored: HashSet<LineId>,
    /// How many letters the dead-letter topic has of a record, or how often it was discarded.
    pub(super) letters: HashMap<(usize, i64), u32>,
}

impl Kind {
    fn random(rng: &mut Rng, sizes: bool) -> Self {
        match rng.u8(..20) {
            0..2 => Self::Filtered,
            2 => Self::Rejected,
            3 => Self::BadLine,
            4..6 => Self::Refused,
            6 if sizes => Self::TooLarge,
            7 if sizes => Self::Breaks,
            _ => Self::Good,
        }
    }

    /// Whether none of its lines may be sent.
    pub(super) fn is_rejected_early(self) -> bool {
        matches!(self, Self::Filtered | Self::Rejected | Self::BadLine)
    }

    /// Whether a letter of it is right.
    pub(super) fn may_be_dead(self) -> bool {
        !matches!(self, Self::Filtered | Self::Good)
    }

    /// What a line begins with, by which the model's InfluxDB knows it.
    pub(super) fn mark(self) -> char {
        match self {
            Self::Refused => 'r',
            Self::TooLarge => 'l',
            Self::Breaks => 'k',
            _ => 'g',
        }
    }
}

impl World {
    /// One to three logs with holes. `sizes`: some lines are too large, or break the server.
    pub(super) fn new(rng: &mut Rng, sizes: bool) -> Self {
        let log = |rng: &mut Rng| {
            let mut offset = 0;
            let records = rng.usize(..24);
            let record = |_| {
                offset += if rng.u8(..6) == 0 { rng.i64(2..5) } else { 1 };
                Record { offset, kind: Kind::random(rng, sizes), lines: rng.u8(1..=3).min(rng.u8(1..=3)) }
            };
            (0..records).map(record).collect()
        };
        let partition = |log| Partition { log, committed: 0, owned: false, checked: 0 };
        let partitions = (0..rng.usize(1..=3)).map(|_| partition(log(rng))).collect();
        Self { partitions, stored: HashSet::new(), letters: HashMap::new() }
    }

    pub(super) fn record(&self, partition: usize, offset: i64) -> Record {
        let log = &self.partitions[partition].log;
        log[log.binary_search_by_key(&offset, |record| record.offset).expect("an offset of the log")]
    }

    /// The records from `position` on, at most `count`.
    pub(super) fn fetch(&self, partition: usize, position: i64, count: usize) -> &[Record] {
        let log = &self.partitions[partition].log;
        let start = log.partition_point(|record| record.offset < position);
        &log[start..log.len().min(start + count)]
    }

    /// The topic has a letter of the record, or it was discarded.
    pub(super) fn bury(&mut self, partition: usize, offset: i64) {
        *self.letters.entry((partition, offset)).or_default() += 1;
    }

    /// Whether the record has its fate.
    fn is_decided(&self, partition: usize, record: Record) -> bool {
        let dead = self.letters.contains_key(&(partition, record.offset));
        let stored = |line| self.stored.contains(&(partition, record.offset, line));
        match record.kind {
            Kind::Filtered => true,
            Kind::Good => (0..record.lines).all(stored),
            Kind::Rejected | Kind::BadLine | Kind::Refused | Kind::TooLarge => dead,
            Kind::Breaks => dead || (0..record.lines).all(stored),
        }
    }

    /// The group takes an offset of its member.
    pub(super) fn commit(&mut self, partition: usize, offset: i64) {
        assert!(
            self.partitions[partition].owned,
            "I3: offset {offset} of {partition} is committed after it was given back"
        );
        assert!(offset >= self.partitions[partition].committed, "an offset goes back");
        self.advance(partition, offset);
    }

    fn advance(&mut self, partition: usize, offset: i64) {
        let Partition { log, checked, .. } = &self.partitions[partition];
        let below = log.partition_point(|record| record.offset < offset);
        for record in &log[*checked..below] {
            assert!(self.is_decided(partition, *record), "I1: {offset} of {partition} is committed over {record:?}");
        }
        let partition = &mut self.partitions[partition];
        (partition.committed, partition.checked) = (offset, below);
    }

    /// Another member of the group works on a partition that the task does not own.
    pub(super) fn work_elsewhere(&mut self, partition: usize, count: usize) {
        let records = self.fetch(partition, self.partitions[partition].committed, count).to_vec();
        for record in &records {
            if record.kind.may_be_dead() {
                self.bury(partition, record.offset);
            } else if record.kind == Kind::Good {
                self.stored.extend((0..record.lines).map(|line| (partition, record.offset, line)));
            }
        }
        if let Some(last) = records.last() {
            self.advance(partition, last.offset + 1);
        }
    }

    /// Whether every record is decided and committed.
    pub(super) fn is_done(&self) -> bool {
        self.partitions.iter().all(|partition| partition.checked == partition.log.len())
    }
}
