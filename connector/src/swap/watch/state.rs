//! When to look at the file, and what of it to tell: a state machine over events and looks, without IO and with the time passed in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use self::told::Told;
use super::Seen;
use super::error::ReadError;
use super::file::{Look, Print};
use super::inbox::Change;

#[cfg(test)]
mod tests;
mod told;

/// How long what is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    /// Quiet after the last event, before a look.
    pub(super) debounce: Duration,
    /// Quiet after which a file that was written and not closed is taken for done: the writer holds it open, or has died.
    pub(super) writing: Duration,
    /// Time without a change before a look, where the change made no event, so that its end makes none either.
    pub(super) settle: Duration,
    /// Time that a file and the digest beside it may differ: they are replaced one after the other.
    pub(super) misfit: Duration,
    /// Time without a change after which a file that is empty or cut off is taken for what it is.
    pub(super) cut_off: Duration,
    /// Between two stats of the file, for folders without events.
    pub(super) poll: Duration,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing until then, if no event comes.
    Sleep(Instant),
    /// Take the file's print, and call [`State::polled`].
    Poll,
    /// Look at the file, and call [`State::looked`].
    Look,
}

/// What is known and what was told about one file.
#[derive(Debug)]
pub(super) struct State {
    timing: Timing,
    told: Told,
    /// That of the last look.
    print: Option<Print>,
    /// The last look met an error of the system, which may be over without a trace in the print.
    retry: bool,
    /// Files that somebody is writing, with the last sign of it.
    writing: BTreeMap<PathBuf, Instant>,
    /// The last event that no look has followed yet.
    event: Option<Instant>,
    /// A look is due at once, because somebody asked for it.
    asked: bool,
    /// A look is due at once, because a poll has found what has settled.
    due: bool,
    /// When to look again because the file has changed during a look, and how many times in a row that was so.
    again: Option<Instant>,
    moved: u32,
    /// A print that a poll has met and no look yet, and since when it is so.
    noticed: Option<(Print, Instant)>,
    /// A fault that may pass.
    wait: Option<Wait>,
    next_poll: Instant,
}

#[derive(Debug)]
struct Wait {
    print: Print,
    since: Instant,
    until: Instant,
}

/// A look at a moving file is repeated after one debounce; that pause doubles this many times.
const DOUBLINGS_MAX: u32 = 6;

// === impl Timing ===

impl Default for Timing {
    fn default() -> Self {
        Self {
            debounce: Duration::from_millis(50),
            writing: Duration::from_secs(10),
            settle: Duration::from_secs(2),
            misfit: Duration::from_secs(2),
            cut_off: Duration::from_secs(30),
            poll: Duration::from_secs(5),
        }
    }
}

impl Timing {
    /// How long a fault may last before it is told.
    fn patience(&self, error: &ReadError) -> Duration {
        match error {
            ReadError::Empty { .. } | ReadError::CutOff { .. } => self.cut_off,
            ReadError::OtherDigest { .. } | ReadError::NoDigest { .. } | ReadError::SignatureTooLarge { .. } => {
                self.misfit
            }
            ReadError::Absent { .. }
            | ReadError::NotRegular { .. }
            | ReadError::TooLarge { .. }
            | ReadError::Unreadable { .. }
            | ReadError::BeingWritten { .. } => Duration::ZERO,
        }
    }
}

// === impl State ===

impl State {
    /// Begins with a poll. `known` is the digest of the bytes that are not told again.
    pub(super) fn new(timing: Timing, known: Option<&str>, now: Instant) -> Self {
        Self {
            timing,
            told: Told::new(known),
            print: None,
            retry: false,
            writing: BTreeMap::new(),
            event: None,
            asked: false,
            due: false,
            again: None,
            moved: 0,
            noticed: None,
            wait: None,
            next_poll: now,
        }
    }

    /// Something happened to `path`, which matters.
    pub(super) fn event(&mut self, path: &Path, change: Change, at: Instant) {
        match change {
            Change::Writing => {
                self.writing.insert(path.to_owned(), at);
            }
            Change::Closed | Change::Replaced => {
                self.writing.remove(path);
            }
            Change::Touched => {}
        }
        self.unclear(at);
    }

    /// Something happened, nobody knows what.
    pub(super) fn unclear(&mut self, at: Instant) {
        self.event = Some(self.event.map_or(at, |last| last.max(at)));
    }

    /// Somebody wants a look.
    pub(super) fn look_now(&mut self) {
        self.asked = true;
    }

    /// Who writes what the path does not lead to any more is not waited for.
    pub(super) fn keep(&mut self, concerns: impl Fn(&PathBuf) -> bool) {
        self.writing.retain(|path, _| concerns(path));
    }

    /// What to do at `now`.
    pub(super) fn next(&mut self, now: Instant) -> Step {
        let writing = self.timing.writing;
        self.writing.retain(|_, last| *last + writing > now);
        let free = self.writing.values().max().map_or(now, |last| *last + writing);
        let now_due = self.due || self.asked;
        let looks = [now_due.then_some(now), self.event.map(|last| last + self.timing.debounce), self.again];
        let look = looks.into_iter().flatten().min().map(|at| at.max(free));
        if look.is_some_and(|at| at <= now) {
            return Step::Look;
        }
        // Once there is a look to come, only who writes is still waited for.
        let waits = if self.due { None } else { self.patience_ends() };
        let poll = waits.map_or(self.next_poll, |at| at.min(self.next_poll));
        if poll <= now {
            return Step::Poll;
        }
        Step::Sleep(look.map_or(poll, |at| at.min(poll)))
    }

    /// Stat said `print`.
    pub(super) fn polled(&mut self, now: Instant, print: Print) {
        self.next_poll = now + self.timing.poll;
        let unchanged = match &self.noticed {
            _ if self.print.as_ref() == Some(&print) => {
                self.noticed = None;
                true
            }
            Some((noticed, _)) => *noticed == print,
            None => false,
        };
        if unchanged {
            self.due |= self.retry || self.patience_ends().is_some_and(|at| at <= now);
        } else {
            self.noticed = Some((print, now));
            self.wait = None;
        }
    }

    /// When the file has been without a change for long enough to believe what was found or noticed.
    fn patience_ends(&self) -> Option<Instant> {
        let settled = self.noticed.as_ref().map(|(_, since)| *since + self.timing.settle);
        settled.into_iter().chain(self.wait.as_ref().map(|wait| wait.until)).min()
    }

    /// A look that began at `started` is done. Events that came meanwhile are to be told before.
    pub(super) fn looked(&mut self, now: Instant, started: Instant, look: Look) -> Option<Seen> {
        let polled = std::mem::take(&mut self.due) && !self.asked && self.event.is_none() && self.again.is_none();
        self.asked = false;
        self.again = None;
        let wait = self.wait.take();
        if self.event.is_some_and(|last| last >= started) {
            return None;
        }
        self.event = None;
        let Look::Still(print, found) = look else {
            self.moving(now, polled);
            return None;
        };
        self.moved = 0;
        self.noticed = None;
        self.next_poll = now + self.timing.poll;
        self.retry = matches!(found, Err(ReadError::Unreadable { .. }));
        let seen = match found {
            Ok(found) => self.told.module(found),
            Err(ReadError::Absent { .. }) => self.told.gone(),
            Err(error) => {
                let since = wait.filter(|wait| wait.print == *print).map_or(now, |wait| wait.since);
                let until = since + self.timing.patience(&error);
                if now >= until {
                    self.told.unusable(error.text())
                } else {
                    self.wait = Some(Wait { print: (*print).clone(), since, until });
                    None
                }
            }
        };
        self.print = Some(*print);
        seen
    }

    /// What makes no events has to settle anew.
    fn moving(&mut self, now: Instant, polled: bool) {
        if polled {
            self.noticed = None;
            self.next_poll = now + self.timing.debounce;
        } else {
            self.again = Some(now + self.timing.debounce * (1 << self.moved));
            self.moved = DOUBLINGS_MAX.min(self.moved + 1);
        }
    }
}
