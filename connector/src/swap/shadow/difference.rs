//! What two versions made of one record, compared.
//!
//! The lines of the two are matched by their text, each at most once. Of those left over, pairs count as differing; what one side has
//! beyond them is added or gone. So `a b` against `a c` is one equal and one differing, `a` against `a a` one equal and one added. Order
//! counts only where nothing else differs: of two lines for one point InfluxDB keeps the last, so lines that stand elsewhere differ.

use std::collections::HashMap;

use super::fate::Fate;
use super::report::{FateKind, Lines, Made};

/// The most lines of one record that are shown.
const LINES_MAX: usize = 4;

/// The most characters of a line or a reason that are shown.
pub(super) const CHARS_MAX: usize = 200;

/// How many characters before the place where two long lines part are shown.
const CHARS_BEFORE: usize = 40;

/// The outcome of one comparison.
#[derive(Debug)]
pub(super) struct Compared<'a> {
    old: &'a Fate,
    new: &'a Fate,
    pub(super) lines: Lines,
    /// The lines of the old version that have no like in the new one, and the other way round.
    left: (Vec<&'a str>, Vec<&'a str>),
}

/// Compares what two versions made of one record.
pub(super) fn between<'a>(old: &'a Fate, new: &'a Fate) -> Compared<'a> {
    let (old_lines, new_lines) = (lines(old), lines(new));
    let mut left = if old_lines == new_lines {
        (Vec::new(), Vec::new())
    } else {
        (without(old_lines, new_lines), without(new_lines, old_lines))
    };
    if left.0.is_empty() && left.1.is_empty() {
        let moved = old_lines.iter().zip(new_lines).filter(|(old, new)| old != new);
        left = moved.map(|(old, new)| (old.as_str(), new.as_str())).unzip();
    }
    let differing = left.0.len().min(left.1.len());
    let counts = Lines {
        equal: (old_lines.len() - left.0.len()) as u64,
        differing: differing as u64,
        added: (left.1.len() - differing) as u64,
        gone: (left.0.len() - differing) as u64,
    };
    Compared { old, new, lines: counts, left }
}

// === impl Compared ===

impl Compared<'_> {
    /// Whether both lead to the same points and letters. Two rejects are equal whatever their reasons.
    pub(super) fn is_equal(&self) -> bool {
        kind(self.old) == kind(self.new) && self.left.0.is_empty() && self.left.1.is_empty()
    }

    /// Both sides, printable and cut.
    pub(super) fn shown(&self) -> (Made, Made) {
        let (old, new) = &self.left;
        let start = |index: usize| match (old.get(index), new.get(index)) {
            (Some(old), Some(new)) => start_of_window(old, new),
            _ => 0,
        };
        let starts: Vec<usize> = (0..LINES_MAX).map(start).collect();
        (made(self.old, old, &starts), made(self.new, new, &starts))
    }
}

fn lines(fate: &Fate) -> &[String] {
    if let Fate::Lines(lines) = fate { lines } else { &[] }
}

/// What becomes of a record; how it comes to be rejected makes no difference.
fn kind(fate: &Fate) -> FateKind {
    match fate {
        Fate::Lines(lines) if lines.is_empty() => FateKind::Filtered,
        Fate::Lines(_) => FateKind::Lines,
        Fate::Rejected(_) | Fate::Unwritable(_) => FateKind::Rejected,
        Fate::Failed(_) => FateKind::Failed,
    }
}

/// The lines of `these` that are left when each of `those` has taken one away that is like it.
fn without<'a>(these: &'a [String], those: &'a [String]) -> Vec<&'a str> {
    let mut takes: HashMap<&str, usize> = HashMap::new();
    for line in those {
        *takes.entry(line).or_default() += 1;
    }
    let mut left = Vec::new();
    for line in these {
        match takes.get_mut(line.as_str()) {
            Some(takes) if *takes > 0 => *takes -= 1,
            _ => left.push(line.as_str()),
        }
    }
    left
}

/// Where to begin to show two lines, in bytes: a difference beyond what is shown would make them look the same.
fn start_of_window(old: &str, new: &str) -> usize {
    let shared = old.chars().zip(new.chars()).take_while(|(old, new)| old == new).count();
    if shared + CHARS_BEFORE < CHARS_MAX {
        return 0;
    }
    old.char_indices().nth(shared - CHARS_BEFORE).map_or(0, |(at, _)| at)
}

fn made(fate: &Fate, left: &[&str], starts: &[usize]) -> Made {
    let texts = match fate {
        Fate::Lines(_) => left.iter().zip(starts).map(|(line, &start)| shown_from(line, start)).collect(),
        Fate::Rejected(reason) | Fate::Unwritable(reason) | Fate::Failed(reason) => vec![shown(reason)],
    };
    Made { fate: kind(fate), texts, more: left.len().saturating_sub(LINES_MAX) as u64 }
}

/// Text that can be printed: without control characters and cut.
pub(super) fn shown(text: &str) -> String {
    shown_from(text, 0)
}

fn shown_from(text: &str, start: usize) -> String {
    let from = if start > 0 { "…" } else { "" };
    // Backslash and quotes belong to line protocol; escaping them would show a line that nobody wrote.
    let printable = |c: char| match c {
        '\\' | '"' | '\'' => String::from(c),
        _ => c.escape_debug().collect(),
    };
    let mut shown: Vec<char> = from.chars().collect();
    for c in text[start..].chars() {
        shown.extend(printable(c).chars());
        if shown.len() > CHARS_MAX {
            shown.truncate(CHARS_MAX - 1);
            shown.push('…');
            break;
        }
    }
    shown.into_iter().collect()
}
