//! Strangers' bytes on a terminal: nothing in them may move the cursor, ring, or look like something else.

use std::fmt::Write as _;

/// Text on one line: what is not printable is escaped, and so is the backslash, so that an escape can be told from what looks like one.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\'' => safe.push(c),
            _ => safe.extend(c.escape_debug()),
        }
    }
    safe
}

/// The beginning of [`escaped`] text, at most so many characters.
pub(crate) fn excerpt(text: &str, chars_max: usize) -> String {
    // No more than can be shown is escaped: a reason may be long.
    let start: String = text.chars().take(chars_max).collect();
    let safe = escaped(&start);
    if start.len() == text.len() && safe.chars().count() <= chars_max {
        return safe;
    }
    safe.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect()
}

/// Bytes as text if they are, otherwise as a hex dump of lines.
pub(super) fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        // Text has no null characters; what has is binary although it may be UTF-8 by chance.
        Ok(text) if !bytes.contains(&0) => escaped(text),
        _ => hex_dump(bytes),
    }
}

/// `00000010  42 54 43 …  |BTC…|`, sixteen bytes a line.
fn hex_dump(bytes: &[u8]) -> String {
    let mut dump = String::with_capacity(bytes.len() * 5);
    for (at, row) in bytes.chunks(16).enumerate() {
        if at > 0 {
            dump.push('\n');
        }
        // Writing into a String cannot fail.
        let _ = write!(dump, "{:08x} ", at * 16);
        for column in 0..16 {
            let gap = if column == 8 { "  " } else { " " };
            let _ = match row.get(column) {
                Some(byte) => write!(dump, "{gap}{byte:02x}"),
                None => write!(dump, "{gap}  "),
            };
        }
        let printable = |byte: u8| if (b' '..=b'~').contains(&byte) { char::from(byte) } else { '.' };
        let text: String = row.iter().map(|&byte| printable(byte)).collect();
        let _ = write!(dump, "  |{text}|");
    }
    dump
}

/// A reason without what differs from record to record, so that equal causes can be counted: what is quoted becomes `"…"`, a number `#`.
pub(super) fn without_particulars(reason: &str) -> String {
    let mut kept = String::with_capacity(reason.len());
    let mut chars = reason.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '"' {
            let mut escape = false;
            for inner in chars.by_ref() {
                match inner {
                    _ if escape => escape = false,
                    '\\' => escape = true,
                    '"' => break,
                    _ => {}
                }
            }
            kept.push_str("\"…\"");
        } else if c.is_ascii_digit() && !kept.ends_with(|last: char| last.is_alphanumeric()) {
            while chars.next_if(|next| next.is_ascii_digit() || *next == '.').is_some() {}
            kept.push('#');
        } else {
            kept.push(c);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_unescaped() {
        assert_eq!(
            escaped("price \"é\u{1b}[31m\r\n\t\\n\u{202e}\u{0}"),
            "price \"é\\u{1b}[31m\\r\\n\\t\\\\n\\u{202e}\\0"
        );
        assert_eq!(shown("größe=1".as_bytes()), "größe=1");
        assert_eq!(
            shown(b"\x00\xffBTC-USD,1\x1b 345678"),
            "00000000  00 ff 42 54 43 2d 55 53  44 2c 31 1b 20 33 34 35  |..BTC-USD,1. 345|\n\
             00000010  36 37 38                                          |678|"
        );
    }

    #[test]
    fn an_excerpt_is_cut_and_says_so() {
        assert_eq!(excerpt("short", 5), "short");
        assert_eq!(excerpt("longer", 5), "long…");
        assert_eq!(excerpt("\n\n\n", 5), "\\n\\n…");
    }

    #[test]
    fn reasons_that_differ_by_record_are_one() {
        assert_eq!(
            without_particulars("price is not a decimal number: value \"A,\\\"x\" at byte 17, 1.5 ms, f64"),
            "price is not a decimal number: value \"…\" at byte #, # ms, f64"
        );
        assert_eq!(without_particulars("open \"quote"), "open \"…\"");
    }
}
