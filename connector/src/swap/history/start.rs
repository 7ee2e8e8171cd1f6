//! What a start runs, by what is remembered and what the file is now.

use super::{Died, Entry, History, Outcome, Pending, Source, keep_newest};

/// A candidate that the process has died with this often is in quarantine.
const DEATHS_MAX: u32 = 2;

/// How many candidates that the process died with are counted at a time.
const DIED_MAX: usize = 10;

/// What a start runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// What `transform.module` says, as the first version: nothing else is known to be good. The connector does not start if it fails.
    /// When it runs, [`History::started`] notes it.
    Configured,
    /// The last good version, which has this digest.
    Good(String),
    /// The file has other bytes than those decided upon: they go through the gates, and run at once, on probation. If they are refused or
    /// taken back, `fallback` runs.
    Changed {
        /// Of the file.
        digest: String,
        /// The last good version.
        fallback: String,
    },
    /// An upload was on probation when the program was stopped, and the file is as it was: the upload goes through the gates again, and runs
    /// at once, on probation.
    Resumed {
        /// Of the upload.
        digest: String,
        /// The last good version.
        fallback: String,
    },
    /// The process died while a candidate was tried; `fallback` runs.
    Interrupted {
        /// The last good version.
        fallback: String,
        /// Whether the file has bytes that are not decided upon. They are to be offered when the connector runs, by whoever watches the file
        /// or by whoever starts it; not now, because they may be what the process died of.
        retry: bool,
    },
}

// === impl History ===

impl History {
    /// Decides what a start runs, and notes what it finds out; to be saved before anything is run.
    ///
    /// - `configured` is `transform.module`. If it is another than before, what was good under the old one does not count.
    /// - `settings` is a fingerprint of whatever else refusals depend on: the settings of the transform and of its gates, the keys, the
    ///   signature beside the file, this program's version. If it is another than before, a file that was refused is tried again.
    /// - `file` is the digest of what `transform.module` means now (the file's bytes, or those of the built-in transform); `None` if it is
    ///   missing or can't be read.
    pub fn at_start(&mut self, configured: &str, settings: &str, file: Option<&str>, now_ms: u64) -> Start {
        let resettled = self.settings != settings;
        settings.clone_into(&mut self.settings);
        let fallback = self.last_good().filter(|_| self.configured == configured).map(str::to_owned);
        let resume = self.resume.take().filter(|digest| !self.is_quarantined(digest));
        let interrupted = self.interrupted(fallback.is_some(), now_ms);
        let Some(fallback) = fallback else { return Start::Configured };
        if resettled && self.seen.as_deref().is_some_and(|seen| self.was_refused(seen)) {
            self.seen = None;
        }
        let changed = file.filter(|file| self.is_undecided(file, now_ms));
        match changed {
            retry if interrupted => Start::Interrupted { fallback, retry: retry.is_some() },
            Some(file) => Start::Changed { digest: file.to_owned(), fallback },
            None => match resume {
                Some(digest) => Start::Resumed { digest, fallback },
                None => Start::Good(fallback),
            },
        }
    }

    /// Whether the process died with a candidate under way. If there is something to run instead, it is held against the candidate; if one
    /// was on probation while another was looked at, against both.
    fn interrupted(&mut self, counts: bool, now_ms: u64) -> bool {
        let under_way = [self.probation.take(), self.pending.take()];
        let died = under_way.iter().any(Option::is_some);
        for pending in under_way.into_iter().flatten() {
            self.died_with(&pending, counts, now_ms);
        }
        died
    }

    fn died_with(&mut self, pending: &Pending, counts: bool, now_ms: u64) {
        let mut reason = format!("at step {}: the process ended", pending.step);
        if counts && self.count_death(&pending.digest) >= DEATHS_MAX {
            self.died.retain(|died| died.digest != pending.digest);
            reason = format!("the process ended twice while it was tried; the second time at step {}", pending.step);
            self.quarantine(&pending.digest, &reason, now_ms);
            if pending.source == Source::File {
                self.seen = Some(pending.digest.clone());
            }
        }
        self.note(Entry::new(&pending.digest, pending.source, Outcome::Interrupted, now_ms).because(&reason));
    }

    fn count_death(&mut self, digest: &str) -> u32 {
        let before = self.died.iter().find(|died| died.digest == digest).map_or(0, |died| died.times);
        let times = before.saturating_add(1);
        self.died.retain(|died| died.digest != digest);
        self.died.push(Died { digest: digest.to_owned(), times });
        keep_newest(&mut self.died, DIED_MAX);
        times
    }

    /// Whether the file's bytes have to be tried. If not, they are not offered again.
    fn is_undecided(&mut self, file: &str, now_ms: u64) -> bool {
        if self.seen.as_deref() == Some(file) {
            return false;
        }
        if self.last_good() != Some(file) {
            let Some(quarantine) = self.quarantined.get(file) else { return true };
            let reason = format!("in quarantine until the file's bytes change: {}", quarantine.reason);
            self.note(Entry::new(file, Source::File, Outcome::Refused, now_ms).because(&reason));
        }
        self.seen = Some(file.to_owned());
        false
    }

    /// Whether a gate had the last word on it. What is in quarantine has run, and other settings make no other bytes of it.
    fn was_refused(&self, digest: &str) -> bool {
        let last = self.entries.iter().rfind(|entry| entry.digest == digest);
        last.is_some_and(|entry| entry.outcome == Outcome::Refused) && !self.is_quarantined(digest)
    }
}
