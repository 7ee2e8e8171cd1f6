//! Java's `.properties` format, as `java.util.Properties.load(Reader)` reads it.
//!
//! Read here, and not by a crate, because the one there is reads Latin-1 unless given an encoding of a further crate, refuses
//! characters outside the basic plane, fails on `\u` inside comments, and drops a last line that ends in a backslash.

/// One `key=value`, with the line it begins on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Counted from 1.
    pub(super) line: usize,
    pub(super) key: String,
    pub(super) value: String,
}

/// One place that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Counted from 1.
    pub(super) line: usize,
    pub(super) what: String,
}

/// Reads all entries, duplicates included, in the order written.
///
/// # Errors
/// Every line that cannot be read.
pub(super) fn parse(text: &str) -> Result<Vec<Entry>, Vec<Fault>> {
    let (mut entries, mut faults) = (Vec::new(), Vec::new());
    for (line, logical) in logical_lines(text) {
        let (key, value) = split(&logical);
        match (unescape(key), unescape(value)) {
            (Ok(key), _) if key.is_empty() => {
                faults.push(Fault { line, what: "there is no key before the = or :".to_owned() })
            }
            (Ok(key), Ok(value)) => entries.push(Entry { line, key, value }),
            (Err(what), _) | (_, Err(what)) => faults.push(Fault { line, what: what.to_owned() }),
        }
    }
    if faults.is_empty() { Ok(entries) } else { Err(faults) }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c')
}

/// Lines with their continuations joined, without comments and blank ones.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut natural = text.split('\n').enumerate();
    let mut lines = Vec::new();
    while let Some((at, first)) = natural.next() {
        let first = first.trim_start_matches(is_blank);
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = first.to_owned();
        while logical.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1 {
            logical.pop();
            let Some((_, more)) = natural.next() else { break };
            logical.push_str(more.trim_start_matches(is_blank));
        }
        lines.push((at + 1, logical));
    }
    lines
}

/// Key and value, both still escaped: the key ends at the first `=`, `:` or blank without a backslash before it.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let ends = !escaped && (is_blank(c) || c == '=' || c == ':');
        escaped = !escaped && c == '\\';
        ends
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(is_blank))
}

fn unescape(text: &str) -> Result<String, &'static str> {
    // UTF-16 because that is what `\u` speaks of: one outside the basic plane is written as two.
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut pair = [0; 2];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let plain = match c {
            '\\' => match chars.next() {
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    let four = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                    let unit = four.then(|| u16::from_str_radix(&digits, 16).ok()).flatten();
                    units.push(unit.ok_or(
                        "after \\u there have to be four hexadecimal digits (a backslash itself is written \\\\)",
                    )?);
                    continue;
                }
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\x0c',
                Some(other) => other,
                None => break,
            },
            c => c,
        };
        units.extend_from_slice(plain.encode_utf16(&mut pair));
    }
    String::from_utf16(&units).map_err(|_unpaired| "a \\u escape is half of a pair of surrogates")
}
