//! A record that can't be accepted, and the words for it.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::Refused;

/// Bytes of a value that a reason shows. More would bury the reason in a log line.
const SHOWN_BYTES_MAX: usize = 64;

/// Why a record is rejected. Say what is wrong; the SDK adds the record's value, cut at 64 bytes and escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject(Cow<'static, str>);

impl Reject {
    /// What is wrong, without the value.
    pub fn reason(&self) -> &str {
        &self.0
    }

    /// The text that the host gets: the reason, then the value.
    pub(crate) fn with_value(&self, value: Option<&[u8]>) -> String {
        let mut text = String::with_capacity(self.0.len() + SHOWN_BYTES_MAX + 32);
        text.push_str(&self.0);
        text.push_str(": value ");
        match value {
            Some(value) => show(value, &mut text),
            None => text.push_str("null"),
        }
        text
    }
}

impl From<&'static str> for Reject {
    fn from(reason: &'static str) -> Self {
        Self(Cow::Borrowed(reason))
    }
}

impl From<String> for Reject {
    fn from(reason: String) -> Self {
        Self(Cow::Owned(reason))
    }
}

impl From<Refused> for Reject {
    fn from(refused: Refused) -> Self {
        Self(Cow::Owned(refused.to_string()))
    }
}

/// Appends a value in quotes: at most 64 bytes of it, control characters and bytes that are not UTF-8 escaped.
fn show(value: &[u8], text: &mut String) {
    let cut = cut(value);
    text.push('"');
    for chunk in cut.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' | '\\' => text.extend(['\\', character]),
                _ if character.is_control() => text.extend(character.escape_default()),
                _ => text.push(character),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text.push('"');
    if cut.len() < value.len() {
        let _ = write!(text, " (the first {} of {} bytes)", cut.len(), value.len());
    }
}

/// The first 64 bytes, less what a cut would leave of a character.
fn cut(value: &[u8]) -> &[u8] {
    if value.len() <= SHOWN_BYTES_MAX {
        return value;
    }
    let is_continuation = |at: usize| value[at] & 0xC0 == 0x80;
    let end = (SHOWN_BYTES_MAX - 3..=SHOWN_BYTES_MAX).rev().find(|&at| !is_continuation(at)).unwrap_or(SHOWN_BYTES_MAX);
    &value[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &[u8]) -> String {
        Reject::from("bad").with_value(Some(value))
    }

    #[test]
    fn the_value_is_escaped() {
        assert_eq!(shown(b"BTC\t1\r\n\xff\"\\"), r#"bad: value "BTC\t1\r\n\xff\"\\""#);
        assert_eq!(shown("é\u{85}\u{7f}".as_bytes()), r#"bad: value "é\u{85}\u{7f}""#);
        assert_eq!(Reject::from("bad").with_value(None), "bad: value null");
    }

    #[test]
    fn the_value_is_cut_at_64_bytes_between_characters() {
        assert_eq!(shown(&[b'a'; 64]), format!("bad: value \"{}\"", "a".repeat(64)));
        assert_eq!(shown(&[b'a'; 65]), format!("bad: value \"{}\" (the first 64 of 65 bytes)", "a".repeat(64)));
        let euros = "€".repeat(30);
        assert_eq!(shown(euros.as_bytes()), format!("bad: value \"{}\" (the first 63 of 90 bytes)", "€".repeat(21)));
    }
}
