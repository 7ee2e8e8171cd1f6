//! What is sent: the prices of the walk, or the lines of a file.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;

use super::walk::Walk;

/// The file that is none.
pub(super) const STANDARD_INPUT: &str = "-";

/// Where values come from.
pub(super) enum Records {
    /// The random walk, which never ends.
    Prices(Walk, String),
    /// A line is a value.
    Lines(Lines),
}

/// The lines of a file or of standard input.
pub(super) struct Lines {
    reader: Box<dyn BufRead + Send>,
    /// Opened anew at the end.
    again: Option<PathBuf>,
}

// === impl Records ===

impl Records {
    /// Writes the next value to `value`. False: there is none.
    pub(super) fn next(&mut self, value: &mut Vec<u8>) -> io::Result<bool> {
        value.clear();
        match self {
            Self::Prices(walk, text) => {
                walk.next_price(text);
                value.extend_from_slice(text.as_bytes());
                Ok(true)
            }
            Self::Lines(lines) => lines.next(value),
        }
    }
}

// === impl Lines ===

impl Lines {
    /// `-` is standard input, which can't be repeated.
    pub(super) fn open(path: &PathBuf, repeat: bool) -> io::Result<Self> {
        if path.as_os_str() == STANDARD_INPUT {
            return Ok(Self { reader: Box::new(BufReader::new(io::stdin())), again: None });
        }
        let reader = Box::new(BufReader::new(File::open(path)?));
        Ok(Self { reader, again: repeat.then(|| path.clone()) })
    }

    fn next(&mut self, value: &mut Vec<u8>) -> io::Result<bool> {
        if !self.read(value)? {
            let Some(path) = &self.again else { return Ok(false) };
            self.reader = Box::new(BufReader::new(File::open(path)?));
            // An empty file would be read for ever.
            return self.read(value);
        }
        Ok(true)
    }

    /// The next line without its end.
    fn read(&mut self, value: &mut Vec<u8>) -> io::Result<bool> {
        let is_there = self.reader.read_until(b'\n', value)? > 0;
        if value.ends_with(b"\n") {
            value.pop();
            if value.ends_with(b"\r") {
                value.pop();
            }
        }
        Ok(is_there)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str, repeat: bool, most: usize) -> Vec<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut records = Records::Lines(Lines::open(&file.path().to_owned(), repeat).unwrap());
        let mut value = Vec::new();
        let mut values = Vec::new();
        while values.len() < most && records.next(&mut value).unwrap() {
            values.push(String::from_utf8(value.clone()).unwrap());
        }
        values
    }

    #[test]
    fn a_line_is_a_value_whatever_its_end() {
        assert_eq!(values("a,1\r\n\nb,2", false, 9), ["a,1", "", "b,2"]);
        assert_eq!(values("a\nb\n", true, 5), ["a", "b", "a", "b", "a"]);
        assert!(values("", true, 5).is_empty());
    }
}
