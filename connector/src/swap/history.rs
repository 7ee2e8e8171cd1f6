//! What has run in a connector, what is good and what is not: the memory of hot swap, which outlives the process.
//!
//! A candidate is noted when it begins ([`History::begin`]), before anything is done with it, and stays noted until it is decided:
//! refused, on probation and then promoted or rolled back, superseded, stopped. So a start that finds a candidate noted knows that
//! the process died while it was tried. What a start runs is decided in `history/start.rs`.
//!
//! All here is pure. [`super::store::Store`] keeps it on the disk, as JSON that a person can read. Digests are sha256 in 64
//! lower-case hexadecimal digits, times are milliseconds since 1970 (UTC).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

mod entry;
mod start;

pub use entry::{Died, Entry, Fared, Outcome, Pending, Quarantine, REASON_MAX_BYTES, Source};
pub use start::Start;

use entry::cut;

/// How many good versions are remembered, and how many modules are kept for the sake of old entries.
pub const MODULES_MAX: usize = 10;

/// How many entries are remembered.
pub const ENTRIES_MAX: usize = 100;

/// How many shadow reports are: those of the newest entries. They are most of the file, which is written at each step.
pub const REPORTS_MAX: usize = 20;

/// How many digests are in quarantine at most.
pub const QUARANTINE_MAX: usize = 100;

/// The step of a candidate that runs, and may still be taken back.
pub const PROBATION: &str = "probation";

/// The step of a candidate that has just begun.
const BEGUN: &str = "begun";

/// The memory of one connector.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// What `transform.module` said when the first of `good` was started.
    pub configured: String,
    /// Fingerprint of all besides the bytes that refusals depend on, at the last start ([`History::at_start`]).
    pub settings: String,
    /// Digest of the configured file's bytes that were last decided upon: not offered again.
    pub seen: Option<String>,
    /// Digests that survived their probation, or were the first; oldest first, each once. The last one is the last good version.
    pub good: Vec<String>,
    /// The candidate that is being looked at.
    pub pending: Option<Pending>,
    /// The candidate that runs and may still be taken back. It stays while others are looked at, and refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probation: Option<Pending>,
    /// Digest of an upload that was on probation when the program was stopped in order: the next start takes it up again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<String>,
    /// How the last good version has fared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fared: Option<Fared>,
    /// Digests that were taken back by themselves: refused until the bytes change.
    pub quarantined: BTreeMap<String, Quarantine>,
    /// Candidates that the process died with and that are not decided since; oldest first.
    pub died: Vec<Died>,
    /// What happened; newest last.
    pub entries: Vec<Entry>,
}

// === impl History ===

impl History {
    /// The last good version; `None` before the first.
    pub fn last_good(&self) -> Option<&str> {
        self.good.last().map(String::as_str)
    }

    /// The good version before the last one: what a roll-back by hand brings back. (While a candidate is on probation, the last good one
    /// is what [`History::roll_back`] brings back.)
    pub fn previous(&self) -> Option<&str> {
        self.good.iter().rev().nth(1).map(String::as_str)
    }

    /// Whether these bytes were taken back by themselves before.
    pub fn is_quarantined(&self, digest: &str) -> bool {
        self.quarantined.contains_key(digest)
    }

    /// Digests whose bytes must be kept: the good ones, the candidate, and those of the newest entries up to [`MODULES_MAX`].
    pub fn keeps(&self) -> BTreeSet<&str> {
        let mut kept: BTreeSet<&str> = self.good.iter().map(String::as_str).collect();
        kept.extend(self.under_way().map(|pending| pending.digest.as_str()));
        kept.extend(self.resume.as_deref());
        for entry in self.entries.iter().rev() {
            if kept.len() >= MODULES_MAX {
                break;
            }
            kept.insert(&entry.digest);
        }
        kept
    }

    /// A candidate is about to be looked at. To be saved before anything is done with its bytes, and after these are stored.
    pub fn begin(&mut self, digest: &str, source: Source, now_ms: u64) {
        self.pending = Some(Pending { digest: digest.to_owned(), source, step: BEGUN.to_owned(), since_ms: now_ms });
    }

    /// The candidate is at this gate now: told if the process dies in it. Saving it waits for the disk (milliseconds): worth it before a
    /// gate that runs foreign code or the compiler, not before one that is over sooner.
    pub fn step(&mut self, step: &str) {
        if let Some(pending) = &mut self.pending {
            step.clone_into(&mut pending.step);
        }
    }

    /// The first version under what `transform.module` says now (`configured`) runs. It is good at once, as there is no other to fall
    /// back on, and what was good under another `transform.module` no longer is. Only now, and not when the start begins, so that a
    /// `transform.module` that does not start and is changed back has changed nothing.
    pub fn started(&mut self, configured: &str, digest: &str, now_ms: u64) {
        (self.pending, self.probation) = (None, None);
        configured.clone_into(&mut self.configured);
        self.seen = Some(digest.to_owned());
        self.good = vec![digest.to_owned()];
        self.cleared(digest);
        self.note(Entry::new(digest, Source::Config, Outcome::Started, now_ms));
    }

    /// The candidate has passed the gates and takes over; `report` is its shadow report. To be saved before it runs. One that was on
    /// probation until now is superseded.
    pub fn switch(&mut self, report: Option<Value>, now_ms: u64) -> Option<&Entry> {
        let mut decided = self.pending.take()?;
        PROBATION.clone_into(&mut decided.step);
        let entry = Entry::new(&decided.digest, decided.source, Outcome::OnProbation, now_ms);
        self.supersede(now_ms);
        self.probation = Some(decided);
        Some(self.note(Entry { report, ..entry }))
    }

    /// The candidate has survived: it is the last good version now. After a roll-back by hand the versions that were newer than it are
    /// good no longer: the next roll-back goes further back, and no fall-back goes forward.
    pub fn promote(&mut self, now_ms: u64) -> Option<&Entry> {
        let decided = self.decide_probation()?;
        let digest = decided.digest.as_str();
        let place = self.good.iter().position(|good| good == digest);
        if let (Source::Rollback, Some(place)) = (decided.source, place)
            && let Some(left) = self.good.split_off(place).pop().filter(|left| left != digest)
        {
            let entry = Entry::new(&left, Source::Rollback, Outcome::RolledBack, now_ms);
            self.note(entry.because(&format!("by hand, to sha256:{digest}")));
        }
        self.good.retain(|good| good != digest);
        self.good.push(digest.to_owned());
        keep_newest(&mut self.good, MODULES_MAX);
        self.cleared(digest);
        Some(self.note(Entry::new(digest, decided.source, Outcome::Promoted, now_ms)))
    }

    /// A gate has refused the candidate, for this reason; `report` is its shadow report, if it came that far.
    pub fn refuse(&mut self, reason: &str, report: Option<Value>, now_ms: u64) -> Option<&Entry> {
        let decided = self.pending.take().map(|pending| self.decided(pending))?;
        self.died.retain(|died| died.digest != decided.digest);
        let entry = Entry::new(&decided.digest, decided.source, Outcome::Refused, now_ms).because(reason);
        Some(self.note(Entry { report, ..entry }))
    }

    /// The candidate is taken back, and the last good version runs again. With `quarantine` its bytes are never tried again: not for a
    /// roll-back by hand.
    pub fn roll_back(&mut self, reason: &str, quarantine: bool, now_ms: u64) -> Option<&Entry> {
        let decided = self.decide_probation()?;
        if quarantine {
            self.quarantine(&decided.digest, reason, now_ms);
        }
        self.died.retain(|died| died.digest != decided.digest);
        let entry = Entry::new(&decided.digest, decided.source, Outcome::RolledBack, now_ms);
        Some(self.note(entry.because(reason)))
    }

    /// The candidate on probation is given up for another one.
    fn supersede(&mut self, now_ms: u64) {
        let Some(decided) = self.decide_probation() else { return };
        let entry = Entry::new(&decided.digest, decided.source, Outcome::Superseded, now_ms);
        self.note(entry.because("another candidate took over"));
    }

    /// The program ends in order while the candidate is under way. It is not held against it: a file with these bytes is tried again, and so
    /// is an upload that was on probation.
    pub fn stop(&mut self, now_ms: u64) {
        let uploaded = self.probation.as_ref().filter(|candidate| candidate.source == Source::Upload);
        self.resume = uploaded.map(|candidate| candidate.digest.clone());
        for pending in [self.probation.take(), self.pending.take()].into_iter().flatten() {
            let reason = format!("at step {}: the program was stopped", pending.step);
            let entry = Entry::new(&pending.digest, pending.source, Outcome::Interrupted, now_ms);
            self.note(entry.because(&reason));
        }
    }

    /// The file has the bytes of the last good version again, so there is nothing to try.
    pub fn file_is_good(&mut self) {
        self.seen = self.last_good().map(str::to_owned);
    }

    /// The bytes of this version are gone: it can't be brought back.
    pub fn lost(&mut self, digest: &str) {
        self.good.retain(|good| good != digest);
    }

    /// What no history that was written by this program has: for one that was damaged or edited.
    pub(super) fn fault(&self) -> Option<String> {
        let named = self.good.iter().chain(&self.seen).chain(self.quarantined.keys());
        let named = named.chain(self.entries.iter().map(|entry| &entry.digest));
        let named = named.chain(self.died.iter().map(|died| &died.digest));
        let mut named = named
            .chain(&self.resume)
            .chain(self.fared.iter().map(|fared| &fared.digest))
            .chain(self.under_way().map(|pending| &pending.digest));
        named.find(|digest| !is_digest(digest)).map(|digest| format!("{digest:?} is no sha256"))
    }

    fn under_way(&self) -> impl Iterator<Item = &Pending> {
        self.probation.iter().chain(&self.pending)
    }

    /// Takes the candidate on probation away.
    fn decide_probation(&mut self) -> Option<Pending> {
        self.probation.take().map(|pending| self.decided(pending))
    }

    /// Its bytes are not taken from the file again.
    fn decided(&mut self, pending: Pending) -> Pending {
        if pending.source == Source::File {
            self.seen = Some(pending.digest.clone());
        }
        pending
    }

    fn quarantine(&mut self, digest: &str, reason: &str, now_ms: u64) {
        // What there is no better one for has to run.
        if self.last_good() == Some(digest) {
            return;
        }
        self.lost(digest);
        let oldest = |quarantined: &BTreeMap<String, Quarantine>| {
            quarantined.iter().min_by_key(|(_, quarantine)| quarantine.at_ms).map(|(digest, _)| digest.clone())
        };
        while self.quarantined.len() >= QUARANTINE_MAX
            && let Some(oldest) = oldest(&self.quarantined)
        {
            self.quarantined.remove(&oldest);
        }
        self.quarantined.insert(digest.to_owned(), Quarantine { reason: cut(reason), at_ms: now_ms });
    }

    /// It has proven itself: nothing is held against it.
    fn cleared(&mut self, digest: &str) {
        self.quarantined.remove(digest);
        self.died.retain(|died| died.digest != digest);
    }

    /// The same again only moves its time: a connector that is started over and over must not push out what is worth knowing.
    fn note(&mut self, entry: Entry) -> &Entry {
        self.entries.pop_if(|last| Entry { at_ms: last.at_ms, ..entry.clone() } == *last);
        self.entries.push(entry);
        keep_newest(&mut self.entries, ENTRIES_MAX);
        for entry in self.entries.iter_mut().rev().filter(|entry| entry.report.is_some()).skip(REPORTS_MAX) {
            entry.report = None;
        }
        &self.entries[self.entries.len() - 1]
    }
}

/// Whether this is a sha256 as it stands in a history: safe as the name of a file.
pub(super) fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn keep_newest<T>(list: &mut Vec<T>, max: usize) {
    list.drain(..list.len().saturating_sub(max));
}

#[cfg(test)]
mod tests;
