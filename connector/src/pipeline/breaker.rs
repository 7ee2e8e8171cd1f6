//! When a transform fails on everything, the module is at fault and not the records: they are kept, not condemned one by one. Pure.

use std::time::Duration;

/// After so many single records in a row that the transform fails on, with no call in between that worked, it gets a rest instead of
/// more records. More, and a broken module writes that many records into the dead-letter topic; fewer, and that many poisonous records in
/// a row, as one faulty producer sends them, stop a module that is well.
pub(super) const FAILURES_MAX: u32 = 16;

/// The first rest; each is twice as long as the one before. All of them together: half a minute.
const REST: Duration = Duration::from_secs(1);
pub(super) const RESTS_MAX: u32 = 5;

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    rests: u32,
    /// How often it was tripped.
    trips: u64,
}

/// What to do about a failure.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Advice {
    /// Reject the record.
    Reject,
    /// Try the same record again after this time.
    Rest(Duration),
    /// The task has to fail.
    GiveUp,
}

// === impl Breaker ===

impl Breaker {
    /// A call of the transform worked.
    pub(super) fn works(&mut self) {
        (self.failures, self.rests) = (0, 0);
    }

    /// The transform failed on a single record in a fresh instance; `hopeless`: it did not even start.
    pub(super) fn fails(&mut self, hopeless: bool) -> Advice {
        self.failures += 1;
        if self.failures <= FAILURES_MAX && !hopeless {
            return Advice::Reject;
        }
        if self.rests == RESTS_MAX {
            return Advice::GiveUp;
        }
        self.trips += u64::from(self.rests == 0);
        self.rests += 1;
        Advice::Rest(REST * 2u32.pow(self.rests - 1))
    }

    /// Whether the transform rests.
    pub(super) fn is_tripped(&self) -> bool {
        self.rests > 0
    }

    /// How often it was tripped.
    pub(super) fn trips(&self) -> u64 {
        self.trips
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_fails_on_everything_rests_and_is_given_up() {
        let mut breaker = Breaker::default();
        assert!((0..FAILURES_MAX).all(|_| breaker.fails(false) == Advice::Reject));
        let rests: Vec<_> = (0..RESTS_MAX).map(|_| breaker.fails(false)).collect();
        assert_eq!(rests, [1, 2, 4, 8, 16].map(|seconds| Advice::Rest(Duration::from_secs(seconds))));
        assert!(breaker.is_tripped());
        assert_eq!(breaker.fails(false), Advice::GiveUp);
        assert_eq!(breaker.trips(), 1);
    }

    #[test]
    fn one_call_that_works_forgives_everything() {
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            assert!((0..FAILURES_MAX + 3).all(|_| breaker.fails(false) != Advice::GiveUp));
            breaker.works();
            assert!(!breaker.is_tripped());
        }
        assert_eq!(breaker.fails(false), Advice::Reject);
        assert_eq!(breaker.trips(), 3);
    }

    #[test]
    fn a_module_that_does_not_start_rests_at_once() {
        assert_eq!(Breaker::default().fails(true), Advice::Rest(REST));
    }
}
