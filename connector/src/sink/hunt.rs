//! Which lines of a body a server refuses, found with as few requests as its answers allow. Pure: bytes to send out, verdicts in.
//!
//! A refused body is sent again in pieces until every line is stored or refused:
//!
//! - lines that the answer names, by number or by their whole text, are taken out, and what is left is sent once more, unless the
//!   server says that it is stored and that the list is complete;
//! - where it names none, the piece is halved. One bad line among n costs at most 2·⌈log₂ n⌉ more requests, k of them at most k
//!   times that, and no line is sent more than ⌈log₂ n⌉ + 2 times;
//! - a piece that is too large is halved as well; a single line that is too large is refused;
//! - a failure that a line may be the cause of (the connection breaks, an unknown 500) halves the piece after some tries, others going
//!   first. A single
//!   line is refused only if the server fails on it again and again while it stores another line in between, each time.
//!
//! Writing a line twice is harmless, so a piece whose answer was lost is simply sent again.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;

use super::verdict::{RejectedLine, Verdict};

/// After so many failures in a row that its lines may be the cause of, a piece is halved; at once if the server stored others in
/// between. Fewer, and every hiccup of a proxy would cut bodies to pieces; more, and a line that makes the server fail holds up its
/// partition for longer.
const FAILURES_TO_HALVE: u32 = 5;

/// After so many, with another line stored before each, a single line is refused. A connection that breaks by chance, even every second
/// time, does so on one line eight times in a row once in 256 tries, and comes down to one line only by five in a row at each halving.
const FAILURES_TO_REFUSE: u32 = 8;

/// A line that the server does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedLine {
    /// Its index in the body, from 0.
    pub line: usize,
    /// Whether it is refused for its size alone.
    pub too_large: bool,
    /// The server's words.
    pub reason: String,
}

/// The search through one body.
#[derive(Debug)]
pub struct Hunt {
    body: Bytes,
    /// Where each line ends, its line end included; filled at the first refusal.
    ends: Vec<usize>,
    /// What is still to be sent, the next piece last.
    pieces: Vec<Piece>,
    refused: Vec<RefusedLine>,
    /// A line that was stored: sent again to see whether the server is well, when it fails on another.
    control: Option<usize>,
    /// Whether the server has stored something since it last failed on a single line.
    is_well: bool,
    requests: usize,
}

/// Lines that are sent together: runs of line numbers, ascending. The whole body has none before its lines are counted.
#[derive(Debug, Default)]
struct Piece {
    runs: Vec<Range<usize>>,
    /// It is what was left when bad lines were taken out.
    is_rest: bool,
    /// It is the control: stored already.
    is_control: bool,
    failures: u32,
}

// === impl Hunt ===

impl Hunt {
    /// A body that is to be sent. It holds whole lines, each with its line end.
    pub fn new(body: Bytes) -> Self {
        let pieces = if body.is_empty() { Vec::new() } else { vec![Piece::default()] };
        Self { body, ends: Vec::new(), pieces, refused: Vec::new(), control: None, is_well: false, requests: 0 }
    }

    /// What to send next, `None` when all is decided. A piece of `too_large` bytes or more is known to be refused for its size, and
    /// halved first.
    pub fn next(&mut self, too_large: usize) -> Option<Bytes> {
        loop {
            let bytes = self.bytes(self.pieces.last()?);
            if bytes.len() < too_large {
                return Some(bytes);
            }
            let piece = self.pop();
            if piece.len() == 1 {
                self.pieces.push(piece);
                return Some(bytes);
            }
            self.push_halves(&piece);
        }
    }

    /// Takes the verdict on what [`Hunt::next`] gave. Gives it back if the same is to be sent again after a pause.
    pub fn judge(&mut self, verdict: Verdict) -> Option<Verdict> {
        self.requests += 1;
        let is_control = self.pieces.last().is_some_and(|piece| piece.is_control);
        match verdict {
            Verdict::Done => self.note_stored(),
            Verdict::Transient { suspicious: true, ref reason, .. } if !is_control => {
                let decided = self.suspect(&reason.clone());
                return (!decided).then_some(verdict);
            }
            Verdict::Transient { .. } | Verdict::Configuration { .. } => return Some(verdict),
            // Stored before and refused now: it proves nothing.
            _ if is_control => {
                self.pieces.pop();
                self.control = None;
            }
            Verdict::RejectedLines { stored_rest, complete, lines, reason } => {
                self.take_out(stored_rest && complete, &lines, &reason);
            }
            Verdict::RejectedWhole { reason } => self.halve_or_refuse(&reason, false),
            Verdict::TooLarge { reason } => self.halve_or_refuse(&reason, true),
        }
        None
    }

    /// Whether the body was refused as it was, so that it is sent in pieces now.
    pub fn is_on(&self) -> bool {
        !self.ends.is_empty()
    }

    /// How many requests were answered so far, failures included.
    pub fn requests(&self) -> usize {
        self.requests
    }

    /// The refused lines, in their order.
    pub fn into_refused(mut self) -> Vec<RefusedLine> {
        self.refused.sort_by_key(|refused| refused.line);
        self.refused
    }

    fn bytes(&self, piece: &Piece) -> Bytes {
        match piece.runs.as_slice() {
            [] => self.body.clone(),
            [run] => self.body.slice(self.place(run)),
            runs => runs.iter().flat_map(|run| &self.body[self.place(run)]).copied().collect(),
        }
    }

    fn place(&self, run: &Range<usize>) -> Range<usize> {
        let start = run.start.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[run.end - 1]
    }

    /// The piece that was sent. Counts the lines of the body when it is first cut to pieces.
    fn pop(&mut self) -> Piece {
        let mut piece = self.pieces.pop().expect("a verdict is on a piece");
        if self.ends.is_empty() {
            self.ends = memchr::memchr_iter(b'\n', &self.body).map(|at| at + 1).collect();
            if self.ends.last() != Some(&self.body.len()) {
                self.ends.push(self.body.len());
            }
        }
        if piece.runs.is_empty() {
            piece.runs.push(0..self.ends.len());
        }
        piece
    }

    /// Refuses the lines that an answer names. `rest_is_stored`: the answer decides all the others as well.
    fn take_out(&mut self, rest_is_stored: bool, named: &[RejectedLine], reason: &str) {
        let piece = self.pop();
        let bytes = self.bytes(&piece);
        let mut bad = BTreeMap::new();
        let mut all_found = true;
        for line in named {
            let places = line.find_in(&bytes);
            all_found &= !places.is_empty();
            places.into_iter().for_each(|place| {
                bad.entry(piece.line(place)).or_insert_with(|| line.reason.clone());
            });
        }
        if bad.is_empty() {
            self.pieces.push(piece);
            return self.halve_or_refuse(reason, false);
        }
        let rest = piece.without(&bad);
        self.refused.extend(bad.into_iter().map(|(line, reason)| RefusedLine { line, too_large: false, reason }));
        if rest.runs.is_empty() || (rest_is_stored && all_found) {
            return;
        }
        // A server that names one line at a time would have all others sent again for each.
        if piece.is_rest && rest.len() > 1 { self.push_halves(&rest) } else { self.pieces.push(rest) }
    }

    fn halve_or_refuse(&mut self, reason: &str, too_large: bool) {
        let piece = self.pop();
        if piece.len() == 1 {
            self.refused.push(RefusedLine { line: piece.line(0), too_large, reason: reason.to_owned() });
        } else {
            self.push_halves(&piece);
        }
    }

    fn note_stored(&mut self) {
        let piece = self.pieces.pop().expect("a verdict is on a piece");
        self.is_well = true;
        self.control = piece.runs.first().map(|run| run.start).or(self.control);
    }

    /// Counts a failure that a line of the piece may be the cause of. Gives back whether that decided something, so that there is no
    /// reason to wait.
    fn suspect(&mut self, reason: &str) -> bool {
        let mut piece = self.pop();
        let was_well = std::mem::take(&mut self.is_well);
        if piece.len() > 1 {
            piece.failures += 1;
            if was_well || piece.failures >= FAILURES_TO_HALVE {
                self.push_halves(&piece);
            } else {
                // Whether it is a line or the server shows on the others.
                self.pieces.insert(0, piece);
            }
            return false;
        }
        piece.failures += u32::from(was_well);
        if piece.failures >= FAILURES_TO_REFUSE {
            let reason = format!("the server fails on this line and stores others: {reason}");
            self.refused.push(RefusedLine { line: piece.line(0), too_large: false, reason });
            return true;
        }
        match self.control {
            Some(line) => {
                self.pieces.push(piece);
                let runs = std::iter::once(line..line + 1).collect();
                self.pieces.push(Piece { runs, is_control: true, ..Piece::default() });
            }
            None => self.pieces.insert(0, piece),
        }
        false
    }

    fn push_halves(&mut self, piece: &Piece) {
        let (left, right) = piece.halves();
        self.pieces.push(right);
        self.pieces.push(left);
    }
}

// === impl Piece ===

impl Piece {
    fn len(&self) -> usize {
        self.runs.iter().map(Range::len).sum()
    }

    /// The number in the body of this piece's line `index`.
    fn line(&self, index: usize) -> usize {
        self.runs.iter().flat_map(Range::clone).nth(index).expect("an index below the length")
    }

    fn halves(&self) -> (Self, Self) {
        let (mut left, mut right) = (Self::default(), Self::default());
        let mut room = self.len().div_ceil(2);
        for run in &self.runs {
            let middle = run.start + run.len().min(room);
            room -= middle - run.start;
            left.runs.extend(Some(run.start..middle).filter(|run| !run.is_empty()));
            right.runs.extend(Some(middle..run.end).filter(|run| !run.is_empty()));
        }
        (left.is_rest, right.is_rest) = (self.is_rest, self.is_rest);
        (left, right)
    }

    fn without(&self, bad: &BTreeMap<usize, String>) -> Self {
        let mut rest = Self { is_rest: true, ..Self::default() };
        for run in &self.runs {
            let mut start = run.start;
            for (&line, _) in bad.range(run.clone()) {
                rest.runs.extend(Some(start..line).filter(|run| !run.is_empty()));
                start = line + 1;
            }
            rest.runs.extend(Some(start..run.end).filter(|run| !run.is_empty()));
        }
        rest
    }
}

#[cfg(test)]
mod tests;
