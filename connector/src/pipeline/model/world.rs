//! The model's Kafka: logs, committed offsets, the dead-letter topic, and who owns what. Says at each commit whether I1 and I3 hold.

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
    /// Which of its lines are stored, a bit for each.
    stored: u8,
    /// How many letters the dead-letter topic has of it, or how often it was discarded.
    letters: u32,
}

/// A line: partition, offset, and which one of its record.
pub(super) type LineId = (usize, i64, u8);

#[derive(Debug)]
pub(super) struct Partition {
    pub(super) log: Vec<Record>,
    /// For each offset up to the log's end the index of the first record that is not below it.
    index: Vec<usize>,
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
}

impl Kind {
    /// `bad`: the share in 20 of records that InfluxDB refuses.
    fn random(rng: &mut Rng, sizes: bool, bad: u8) -> Self {
        if rng.u8(..20) < bad {
            return Self::Refused;
        }
        match rng.u8(..20) {
            0..2 => Self::Filtered,
            2 => Self::Rejected,
            3 => Self::BadLine,
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

impl Record {
    /// Whether it has its fate.
    fn is_decided(&self) -> bool {
        let (dead, stored) = (self.letters > 0, self.stored == (1 << self.lines) - 1);
        match self.kind {
            Kind::Filtered => true,
            Kind::Good => stored,
            Kind::Rejected | Kind::BadLine | Kind::Refused | Kind::TooLarge => dead,
            Kind::Breaks => dead || stored,
        }
    }
}

impl World {
    /// One to three logs with holes. `sizes`: some lines are too large, or break the server.
    pub(super) fn new(rng: &mut Rng, sizes: bool) -> Self {
        // Mostly few; sometimes so many that a body has several.
        let bad = if rng.u8(..4) == 0 { 14 } else { 2 };
        let partition = |rng: &mut Rng| {
            let (mut log, mut index) = (Vec::new(), Vec::new());
            for _ in 0..rng.usize(..24) {
                let hole = if rng.u8(..6) == 0 { rng.usize(1..4) } else { 0 };
                index.resize(index.len() + hole + 1, log.len());
                let (kind, lines) = (Kind::random(rng, sizes, bad), rng.u8(1..=3).min(rng.u8(1..=3)));
                log.push(Record { offset: index.len() as i64 - 1, kind, lines, stored: 0, letters: 0 });
            }
            Partition { log, index, committed: 0, owned: false, checked: 0 }
        };
        Self { partitions: (0..rng.usize(1..=3)).map(|_| partition(rng)).collect() }
    }

    pub(super) fn record(&mut self, partition: usize, offset: i64) -> &mut Record {
        let Partition { log, index, .. } = &mut self.partitions[partition];
        &mut log[index[offset as usize]]
    }

    /// The records from `position` on, at most `count`.
    pub(super) fn fetch(&self, partition: usize, position: i64, count: usize) -> &[Record] {
        let Partition { log, .. } = &self.partitions[partition];
        let start = self.below(partition, position);
        &log[start..log.len().min(start + count)]
    }

    /// How many records are below an offset.
    fn below(&self, partition: usize, offset: i64) -> usize {
        let Partition { log, index, .. } = &self.partitions[partition];
        index.get(offset as usize).copied().unwrap_or(log.len())
    }

    /// InfluxDB stores a line.
    pub(super) fn store(&mut self, (partition, offset, line): LineId) {
        let record = self.record(partition, offset);
        assert!(!record.kind.is_rejected_early(), "I5: a line of {record:?} was written");
        record.stored |= 1 << line;
    }

    /// The topic has a letter of the record, or it was discarded.
    pub(super) fn bury(&mut self, partition: usize, offset: i64) {
        self.record(partition, offset).letters += 1;
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
        let below = self.below(partition, offset);
        let Partition { log, checked, .. } = &self.partitions[partition];
        for record in &log[*checked..below] {
            assert!(record.is_decided(), "I1: {offset} of {partition} is committed over {record:?}");
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
                (0..record.lines).for_each(|line| self.store((partition, record.offset, line)));
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
