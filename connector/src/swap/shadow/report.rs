//! What a comparison found, and what follows from it.
//!
//! A report is a part of the answer over REST and of the history on disk, so the names below are there for good. Texts are made
//! printable and cut at 200 characters, lists are bounded: a report takes some kilobytes at most.

use serde::{Deserialize, Serialize};

use super::difference::shown;
use crate::config::ShadowRequire;
use crate::swap::schema::SchemaChanges;

/// The candidate is called much slower from this factor on…
const SLOWER_FACTOR: u64 = 2;

/// …if that makes at least so many nanoseconds a record: below it, a busy machine alone may do it.
const SLOWER_MIN_NS: u64 = 200;

/// The changes that are warned of one by one, beside those that InfluxDB refuses points for.
const CHANGES_TOLD: usize = 5;

/// What is said behind a change that costs points.
const REFUSED_BY_INFLUX: &str =
    ": InfluxDB refuses points that do not fit those it has; give it another name, or the old type";

/// Old (the running version) and new (the candidate) over the last records.
///
/// In JSON each field has its name here. All counts are of the records that were compared.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Records that both versions were given.
    pub records: u64,
    /// Records of the sample.
    pub records_in_sample: u64,
    /// Records that could not be given to the versions, because one of them wants keys or headers and they were kept without.
    pub records_without_inputs: u64,
    /// Why the end of the sample was not reached, if it was not.
    pub stopped: Option<Stopped>,
    /// Records of which the two make different things: other lines, or lines against none, a reject or a failure. The reason of a
    /// reject is not compared.
    pub records_differing: u64,
    /// The lines of both.
    pub lines: Lines,
    /// The running version.
    pub old: Side,
    /// The candidate.
    pub new: Side,
    /// Records that the candidate rejects (or of which a line can't be written) and the running version writes or filters.
    pub newly_rejected: New,
    /// Records that the candidate fails on and the running version does not. A whole chunk that the candidate alone fails on, although on
    /// none of its records by itself, counts as one.
    pub newly_failed: New,
    /// What changes in measurements, tags and fields.
    pub schema: SchemaChanges,
    /// The first ten records that differ.
    pub differences: Vec<Difference>,
}

/// Why a comparison ended before the sample did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// The time for it was over.
    Budget,
    /// The candidate had failed on three records that the running version does not fail on.
    Failures,
}

/// Lines as they would be written, with their timestamps, compared record by record. The lines of one record are matched by their text;
/// of those that are left, as many as both sides have are differing, and the others are added or gone. Lines that have only changed
/// places are differing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lines {
    /// Both write them.
    pub equal: u64,
    /// The candidate writes others in their place.
    pub differing: u64,
    /// Only the candidate writes them.
    pub added: u64,
    /// Only the running version writes them; it or the candidate rejects, filters or fails on the record, or gives it fewer lines.
    pub gone: u64,
}

/// One version alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Side {
    /// Records that the transform rejects.
    pub rejected: u64,
    /// Records that are rejected because one of their lines can't be written.
    pub unwritable: u64,
    /// Records that the transform fails on: it traps, runs too long or breaks the interface.
    pub failed: u64,
    /// Chunks that it fails on as a whole, without a record among those that were tried that it fails on alone.
    pub failed_together: u64,
    /// Nanoseconds that a record takes in the transform, the median over chunks; null if no whole chunk succeeded.
    pub ns_per_record: Option<u64>,
}

/// What only the candidate does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct New {
    /// How often.
    pub count: u64,
    /// The first case.
    pub first: Option<Case>,
}

/// One record and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// `topic-partition@offset`, or `topic-partition@first..=last` for a whole chunk.
    pub record: String,
    /// Why, in the words of the transform, the points stage or the host.
    pub reason: String,
}

/// A record of which the two versions make different things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// `topic-partition@offset`
    pub record: String,
    /// What the running version makes of it.
    pub old: Made,
    /// What the candidate makes of it.
    pub new: Made,
}

/// What one version makes of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// What becomes of the record.
    pub fate: FateKind,
    /// The lines that the other version does not have, at most four; or why it is rejected or failed on.
    pub texts: Vec<String>,
    /// How many more such lines there are.
    pub more: u64,
}

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FateKind {
    /// Its lines are written.
    Lines,
    /// It has no lines.
    Filtered,
    /// The transform rejects it, or one of its lines can't be written.
    Rejected,
    /// The transform fails on it.
    Failed,
}

// === impl Report ===

impl Report {
    /// Why the candidate is refused whatever `transform.shadow.require` says: it fails on a record that the running version does not
    /// fail on. With what to do; `None` if there is no such record.
    pub fn failure(&self) -> Option<String> {
        let New { count, first } = &self.newly_failed;
        let Case { record, reason } = first.as_ref()?;
        let others = match (count, self.stopped) {
            (0 | 1, _) => String::new(),
            (_, Some(Stopped::Failures)) => format!("; after {count} such failures nothing more was tried"),
            _ => format!("; {count} such failures in {} records", self.records),
        };
        Some(format!(
            "it fails on record {record}, on which the running version does not: {reason}{others}; mend the transform, and try it \
             with `sluice try` on the last records of the topic (--topic, --last)"
        ))
    }

    /// Why `transform.shadow.require` refuses the candidate, with what to do; `None` if it doesn't. See [`Report::failure`] for what is
    /// refused in any case.
    pub fn refusal(&self, require: ShadowRequire) -> Option<String> {
        match require {
            ShadowRequire::Equal if self.records_differing > 0 => {
                let example =
                    self.differences.first().map(|first| format!(", the first is {first}")).unwrap_or_default();
                Some(format!(
                    "{} of {} records come out otherwise than with the running version{example}; if that is wanted, set \
                     transform.shadow.require=no-new-rejects (or none), else mend the transform",
                    self.records_differing, self.records
                ))
            }
            ShadowRequire::NoNewRejects if self.newly_rejected.count > 0 => {
                let first = self.newly_rejected.first.as_ref();
                let example = first.map(|case| format!(", the first is {case}")).unwrap_or_default();
                Some(format!(
                    "{} of {} records would be rejected that the running version does not reject{example}; if that is wanted, set \
                     transform.shadow.require=none, else mend the transform",
                    self.newly_rejected.count, self.records
                ))
            }
            _ => None,
        }
    }

    /// What the operator should be warned of though it is no refusal, one sentence each without a full stop.
    pub fn warnings(&self) -> Vec<String> {
        // The gravest come first. What InfluxDB refuses is told in full.
        let refused = self.schema.changes.iter().filter(|change| change.is_refused_by_influx());
        let mut warnings: Vec<String> = refused.map(|change| format!("{change}{REFUSED_BY_INFLUX}")).collect();
        let others = self.schema.changes.iter().filter(|change| !change.is_refused_by_influx());
        warnings.extend(others.take(CHANGES_TOLD).map(ToString::to_string));
        let untold = (self.schema.changes.len() - warnings.len()) as u64 + self.schema.more;
        if untold > 0 {
            warnings.push(format!("{untold} more measurements, tags or fields change"));
        }
        if self.schema.incomplete {
            warnings.push("there are more than 1000 measurements, tags or fields; not all were compared".to_owned());
        }
        warnings.extend(self.line_count());
        warnings.extend(self.slowness());
        warnings.extend(self.untried());
        warnings
    }

    /// Another number of lines from the same records.
    fn line_count(&self) -> Option<String> {
        let Lines { equal, differing, added, gone } = self.lines;
        let (old, new) = (equal + differing + gone, equal + differing + added);
        (old != new).then(|| {
            format!("the candidate writes {new} lines of records of which the running version writes {old} lines")
        })
    }

    fn slowness(&self) -> Option<String> {
        let (old, new) = (self.old.ns_per_record?, self.new.ns_per_record?);
        let slower = new >= old.saturating_mul(SLOWER_FACTOR) && new - old >= SLOWER_MIN_NS;
        slower.then(|| {
            let factor = new as f64 / old.max(1) as f64;
            format!(
                "the candidate takes {new} ns a record, {factor:.1} times the {old} ns of the running version; check that it keeps up with the topic"
            )
        })
    }

    fn untried(&self) -> Option<String> {
        if self.records_without_inputs > 0 {
            return Some(format!(
                "{} of {} records could not be tried, because they were kept without the keys or headers that the transform wants; \
                 try it with `sluice try` on the last records of the topic (--topic, --last)",
                self.records_without_inputs, self.records_in_sample
            ));
        }
        (self.stopped == Some(Stopped::Budget)).then(|| {
            format!(
                "only {} of {} records were tried before the time for it was over",
                self.records, self.records_in_sample
            )
        })
    }
}

// === impl Lines ===

impl Lines {
    pub(super) fn add(&mut self, other: Self) {
        self.equal += other.equal;
        self.differing += other.differing;
        self.added += other.added;
        self.gone += other.gone;
    }
}

// === impl New ===

impl New {
    /// Counts a case and keeps it if it is the first.
    pub(super) fn note(&mut self, case: impl FnOnce() -> Case) {
        self.count += 1;
        self.first.get_or_insert_with(case);
    }
}

// === impl Case ===

impl Case {
    pub(super) fn new(record: String, reason: &str) -> Self {
        Self { record, reason: shown(reason) }
    }
}
