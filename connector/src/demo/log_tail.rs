//! Log lines that would tear the live view apart are held back while it is shown.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Log lines kept while the view is shown; older ones are dropped, and counted.
const LINES_MAX: usize = 100;

/// Bytes of a log line that are kept.
const LINE_BYTES_MAX: usize = 1_000;

/// A writer for the log that passes everything to standard error, except while the live view owns the terminal: then it keeps the last
/// lines, which the view shows at its foot and which go to standard error when the view has ended. Each call of `write` is taken for
/// whole lines, as tracing-subscriber makes them. Clones share the lines.
#[derive(Debug, Clone, Default)]
pub struct LogTail(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    holding: bool,
    lines: VecDeque<String>,
    dropped: u64,
}

/// Holds lines back for as long as it lives.
#[derive(Debug)]
pub(crate) struct Holding(LogTail);

// === impl LogTail ===

impl LogTail {
    /// Starts to hold lines back.
    pub(crate) fn hold(&self) -> Holding {
        self.lock().holding = true;
        Holding(self.clone())
    }

    /// The latest `number` lines held back, oldest first.
    pub(crate) fn latest(&self, number: usize) -> Vec<String> {
        let held = self.lock();
        held.lines.iter().skip(held.lines.len().saturating_sub(number)).cloned().collect()
    }

    /// Ends the holding; what is returned is to be written now.
    fn release(&self) -> String {
        let mut held = std::mem::take(&mut *self.lock());
        let mut text = String::new();
        if held.dropped > 0 {
            text = format!("({} earlier log lines are not shown)\n", held.dropped);
        }
        for line in held.lines.drain(..) {
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for LogTail {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut held = self.lock();
        if !held.holding {
            drop(held);
            return io::stderr().write(bytes);
        }
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if held.lines.len() == LINES_MAX {
                held.lines.pop_front();
                held.dropped += 1;
            }
            let kept = &line[..line.len().min(LINE_BYTES_MAX)];
            held.lines.push_back(String::from_utf8_lossy(kept).into_owned());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

// === impl Holding ===

impl Drop for Holding {
    fn drop(&mut self) {
        // With standard error gone there is nobody left to tell.
        let _ = io::stderr().write_all(self.0.release().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn lines_are_held_and_bounded_then_released_in_order() {
        let mut tail = LogTail::default();
        tail.lock().holding = true;
        for number in 0..LINES_MAX + 5 {
            let line = format!("line {number} {}\n", "x".repeat(2 * LINE_BYTES_MAX));
            tail.write_all(line.as_bytes()).unwrap();
        }
        let latest = tail.latest(2);
        assert!(latest[0].starts_with("line 103 ") && latest[1].starts_with("line 104 "), "{latest:?}");
        assert_eq!(latest[1].len(), LINE_BYTES_MAX);
        let text = tail.release();
        assert!(text.starts_with("(5 earlier log lines are not shown)\nline 5 "), "{text}");
        assert_eq!(text.lines().count(), LINES_MAX + 1);
        assert_eq!(tail.release(), "");
        assert!(!tail.lock().holding);
    }
}
