//! What is sent: the prices of the walk, or the lines of a file.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use super::walk::Walk;

/// The file that is none.
pub(super) const STANDARD_INPUT: &str = "-";

/// Lines of standard input that wait to be sent.
const WAITING_MAX: usize = 1024;

/// How long a line of standard input is waited for, before it is looked whether it is time to end.
const PATIENCE: Duration = Duration::from_millis(100);

/// Where values come from.
pub(super) enum Records {
    /// The random walk, which never ends.
    Prices(Walk, String),
    /// A line is a value.
    Lines(Lines),
    /// So is one of standard input, which a thread of its own waits for.
    Typed(Receiver<io::Result<Vec<u8>>>),
}

/// What there is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Value(Vec<u8>),
    NotYet,
    End,
}

/// The lines of a file.
pub(super) struct Lines {
    reader: BufReader<File>,
    /// Opened anew at the end.
    again: Option<PathBuf>,
}

// === impl Records ===

impl Records {
    /// The lines of a file, from the beginning again at its end if they are to be repeated; or those of standard input, which can't be.
    pub(super) fn open(path: &Path, repeat: bool) -> io::Result<Self> {
        if path.as_os_str() == STANDARD_INPUT {
            return Ok(Self::Typed(typed()?));
        }
        let reader = BufReader::new(File::open(path)?);
        Ok(Self::Lines(Lines { reader, again: repeat.then(|| path.to_owned()) }))
    }

    /// The next value.
    pub(super) fn next(&mut self) -> io::Result<Next> {
        match self {
            Self::Prices(walk, text) => {
                walk.next_price(text);
                Ok(Next::Value(text.as_bytes().to_vec()))
            }
            Self::Lines(lines) => Ok(lines.next()?.map_or(Next::End, Next::Value)),
            Self::Typed(lines) => match lines.recv_timeout(PATIENCE) {
                Ok(line) => Ok(Next::Value(line?)),
                Err(RecvTimeoutError::Timeout) => Ok(Next::NotYet),
                Err(RecvTimeoutError::Disconnected) => Ok(Next::End),
            },
        }
    }
}

/// Reads standard input on a thread that ends with it, or with the process.
fn typed() -> io::Result<Receiver<io::Result<Vec<u8>>>> {
    let (sender, lines) = sync_channel(WAITING_MAX);
    std::thread::Builder::new().name("standard-input".to_owned()).spawn(move || {
        let mut reader = BufReader::new(io::stdin());
        while let Some(line) = read(&mut reader).transpose() {
            // Nobody listens only if the feed has ended.
            if sender.send(line).is_err() {
                return;
            }
        }
    })?;
    Ok(lines)
}

// === impl Lines ===

impl Lines {
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let line = read(&mut self.reader)?;
        match &self.again {
            Some(path) if line.is_none() => {
                self.reader = BufReader::new(File::open(path)?);
                // An empty file would be read for ever.
                read(&mut self.reader)
            }
            _ => Ok(line),
        }
    }
}

/// The next line without its end; none at the end.
fn read(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.ends_with(b"\n") {
        line.pop();
        if line.ends_with(b"\r") {
            line.pop();
        }
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str, repeat: bool, most: usize) -> Vec<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut records = Records::open(file.path(), repeat).unwrap();
        let next = || match records.next().unwrap() {
            Next::Value(value) => Some(String::from_utf8(value).unwrap()),
            _ => None,
        };
        std::iter::from_fn(next).take(most).collect()
    }

    #[test]
    fn a_line_is_a_value_whatever_its_end() {
        assert_eq!(values("a,1\r\n\nb,2", false, 9), ["a,1", "", "b,2"]);
        assert_eq!(values("a\nb\n", true, 5), ["a", "b", "a", "b", "a"]);
        assert!(values("", true, 5).is_empty());
    }
}
