//! Probation: a new version runs, and is taken back if it turns out worse than the one before. Shared by the tasks of a connector and its
//! controller.
//!
//! The version before, the *stable* one, stays loaded until the trial is over, so that each task goes back to it by itself at its next
//! call, whatever the controller is busy with. A trial ends once: promoted, or over with a reason.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use crate::record::TopicPartition;
use crate::transform::{Tally, Version};

/// With fewer records than this the share of refused ones says nothing: it is taken of this many.
const RECORDS_MIN: u64 = 100;

const RUNNING: u8 = 0;
const PROMOTED: u8 = 1;
const OVER: u8 = 2;

/// How a trial stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It goes on.
    Running,
    /// The version is as good as the one before and runs everywhere.
    Promoted,
    /// The version is taken back.
    Over,
}

/// Why a trial is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// In words.
    pub reason: String,
    /// Whether the version did something wrong, and is not to be tried again.
    pub at_fault: bool,
}

/// One version on probation.
pub struct Trial {
    version: Arc<Version>,
    stable: Arc<Version>,
    max_error_rate: f64,
    /// Of the stable version, when the trial began.
    baseline: f64,
    canary: Option<Arc<Canary>>,
    standing: AtomicU8,
    first_record: OnceLock<Instant>,
    ending: OnceLock<Ending>,
    /// Wakes the controller.
    tell: Box<dyn Fn() + Send + Sync>,
}

/// The partitions that a version on probation may run. They are kept by name: a partition that moves between the tasks of this process
/// keeps its version.
#[derive(Debug)]
pub struct Canary {
    max: usize,
    claimed: Mutex<BTreeSet<TopicPartition>>,
}

// === impl Trial ===

impl Trial {
    /// Begins a trial of `version` against `stable`; `tell` is called at its first record, and when it is over by the version's own fault.
    pub fn new(
        version: Arc<Version>,
        stable: Arc<Version>,
        max_error_rate: f64,
        canary: Option<Arc<Canary>>,
        tell: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let baseline = share(stable.tally());
        Self {
            version,
            stable,
            max_error_rate,
            baseline,
            canary,
            standing: AtomicU8::new(RUNNING),
            first_record: OnceLock::new(),
            ending: OnceLock::new(),
            tell: Box::new(tell),
        }
    }

    /// The version on probation.
    pub fn version(&self) -> &Arc<Version> {
        &self.version
    }

    /// The version before, which comes back if this one is taken back.
    pub fn stable(&self) -> &Arc<Version> {
        &self.stable
    }

    /// On which partitions it runs; `None` for all.
    pub fn canary(&self) -> Option<&Arc<Canary>> {
        self.canary.as_ref()
    }

    /// Whether the version runs on this partition.
    pub fn covers(&self, partition: &TopicPartition) -> bool {
        self.canary.as_ref().is_none_or(|canary| canary.claim(partition))
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        match self.standing.load(Ordering::Acquire) {
            RUNNING => Standing::Running,
            PROMOTED => Standing::Promoted,
            _ => Standing::Over,
        }
    }

    /// When the version got its first record: probation without a record proves nothing.
    pub fn first_record(&self) -> Option<Instant> {
        self.first_record.get().copied()
    }

    /// Why it is over, if it is.
    pub fn ending(&self) -> Option<&Ending> {
        self.ending.get()
    }

    /// Looks at what was counted of the version; call it after each of its batches. Ends the trial if the share of refused records is too
    /// large.
    pub fn judge(&self, now: Instant) {
        if self.first_record.set(now).is_ok() {
            // Its time begins to run.
            (self.tell)();
        }
        let tally = self.version.tally();
        if exceeds(tally, self.baseline, self.max_error_rate) {
            self.blame(format!(
                "{} of {} records were refused; the version before had {:.2} %, and transform.probation.max.error.rate={} on top of that is allowed",
                tally.errors,
                tally.records,
                self.baseline * 100.0,
                self.max_error_rate
            ));
        }
    }

    /// Ends the trial by the version's own fault.
    pub fn blame(&self, reason: String) {
        if self.end(reason, true) {
            (self.tell)();
        }
    }

    /// Ends the trial because somebody asked for it. Gives back whether it was still running.
    pub fn withdraw(&self, reason: &str) -> bool {
        self.end(reason.to_owned(), false)
    }

    /// Ends the trial well. Gives back whether it was still running.
    pub fn promote(&self) -> bool {
        self.set(PROMOTED)
    }

    fn end(&self, reason: String, at_fault: bool) -> bool {
        // The reason first: whoever sees that the trial is over finds it.
        self.standing() == Standing::Running && self.ending.set(Ending { reason, at_fault }).is_ok() && self.set(OVER)
    }

    fn set(&self, standing: u8) -> bool {
        self.standing.compare_exchange(RUNNING, standing, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl fmt::Debug for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trial")
            .field("version", &self.version)
            .field("stable", &self.stable)
            .field("standing", &self.standing())
            .finish_non_exhaustive()
    }
}

/// Whether so many errors are too many: more than the version before had, plus what is allowed, of all records.
fn exceeds(tally: Tally, baseline: f64, max_error_rate: f64) -> bool {
    tally.errors as f64 > (baseline + max_error_rate) * tally.records.max(RECORDS_MIN) as f64
}

/// The share of refused records.
fn share(tally: Tally) -> f64 {
    tally.errors as f64 / tally.records.max(RECORDS_MIN) as f64
}

// === impl Canary ===

impl Canary {
    /// Up to `max` partitions.
    pub fn new(max: NonZeroUsize) -> Self {
        Self { max: max.get(), claimed: Mutex::default() }
    }

    /// Whether this partition is one of them; it becomes one if there is room.
    fn claim(&self, partition: &TopicPartition) -> bool {
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        if claimed.contains(partition) {
            return true;
        }
        let has_room = claimed.len() < self.max;
        if has_room {
            claimed.insert(partition.clone());
        }
        has_room
    }

    /// Which they are.
    pub fn partitions(&self) -> Vec<String> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).iter().map(ToString::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    fn version(name: &str) -> Arc<Version> {
        Arc::new(Version::new(&name.repeat(16), name))
    }

    /// A trial against a version with this many errors of 1,000 records, and how often the controller was told.
    fn trial(errors_before: u64, max_error_rate: f64) -> (Trial, Arc<AtomicUsize>) {
        let (stable, told) = (version("old"), Arc::new(AtomicUsize::new(0)));
        stable.note(1000, errors_before);
        let count = Arc::clone(&told);
        let tell = move || {
            count.fetch_add(1, Ordering::SeqCst);
        };
        (Trial::new(version("new"), stable, max_error_rate, None, tell), told)
    }

    #[test]
    fn a_version_that_refuses_no_more_than_allowed_goes_on() {
        let (trial, told) = trial(50, 0.01);
        for _ in 0..1000 {
            trial.version().note(100, 6);
            trial.judge(Instant::now());
        }
        assert_eq!((trial.standing(), told.load(Ordering::SeqCst)), (Standing::Running, 1), "told of the first record");
        assert!(trial.promote() && !trial.withdraw("late"));
        trial.blame("late".to_owned());
        assert_eq!((trial.standing(), trial.ending()), (Standing::Promoted, None));
    }

    #[test]
    fn a_version_that_refuses_more_is_over_once_and_told_of_once() {
        let (trial, told) = trial(50, 0.01);
        trial.version().note(1000, 61);
        trial.judge(Instant::now());
        trial.judge(Instant::now());
        assert_eq!((trial.standing(), told.load(Ordering::SeqCst)), (Standing::Over, 2));
        let ending = trial.ending().unwrap();
        assert!(ending.at_fault && ending.reason.contains("61 of 1000 records"), "{ending:?}");
        assert!(!trial.promote());
    }

    #[test]
    fn a_few_records_are_no_share() {
        assert!(!exceeds(Tally { records: 1, errors: 1 }, 0.0, 0.01));
        assert!(exceeds(Tally { records: 2, errors: 2 }, 0.0, 0.01));
        assert!(exceeds(Tally { records: 1, errors: 1 }, 0.0, 0.0), "none is allowed");
        assert!(!exceeds(Tally { records: 1000, errors: 1000 }, 0.0, 1.0));
        assert!(share(Tally { records: 1, errors: 1 }) < 0.02, "not of the version before either");
    }

    #[test]
    fn a_canary_keeps_its_partitions() {
        let canary = Canary::new(NonZeroUsize::new(2).unwrap());
        let partition = |number| TopicPartition::new("prices", number);
        let covered: Vec<_> = [3, 1, 2, 3, 1, 0].map(|number| canary.claim(&partition(number))).into();
        assert_eq!(covered, [true, true, false, true, true, false]);
        assert_eq!(canary.partitions().len(), 2);
    }
}
