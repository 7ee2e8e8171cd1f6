//! The fast scanner: one look at a plain line.
//!
//! A plain line is `measurement[,tag=value…] field=value[,field=value…][ timestamp]` in printable ASCII, with single
//! blanks, without quotes and backslashes, with numbers and booleans only, no name twice. Everything else is left to
//! `judge`, at thirty times the cost. When in doubt the answer is [`Scan::Unusual`]: that is slow but never wrong.

mod marks;

use marks::{BLOCK, END, Marks, is_digits};

/// What the scanner makes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scan {
    /// Sound, without a timestamp.
    Bare,
    /// Sound, with a timestamp that every product can hold.
    Stamped,
    /// Not plain. It may be sound or not.
    Unusual,
}

/// Longer lines are left to `judge`, which knows the limit on keys (65,535 bytes); positions fit 16 bits.
const MAX_LEN: usize = 32 * 1024;
/// Tags, and fields, that are compared for a name given twice. Comparing is quadratic; more are left to `judge`.
const MAX_NAMES: usize = 32;
/// Digits of a number. Less than 300 of them can't overflow a float, whatever a two-digit exponent adds.
const MAX_NUMBER: usize = 64;

/// Scans `line`, which has no line end.
#[inline]
pub(super) fn scan(line: &[u8]) -> Scan {
    let found = match line.len() {
        0 => None,
        1..=BLOCK => point(Marks::<false>::new(line)),
        _ => long(line),
    };
    found.unwrap_or(Scan::Unusual)
}

#[inline(never)]
fn long(line: &[u8]) -> Option<Scan> {
    if line.len() > MAX_LEN {
        return None;
    }
    point(Marks::<true>::new(line))
}

#[inline]
fn point<const LONG: bool>(mut marks: Marks<'_, LONG>) -> Option<Scan> {
    let (end, by) = marks.next();
    if end == 0 || marks.line[0] == b'#' {
        return None;
    }
    match by {
        b' ' => field_set(marks, end + 1),
        b',' => {
            let (start, marks) = tags(marks, end + 1)?;
            field_set(marks, start)
        }
        _ => None,
    }
}

/// Walks the tags from `start` and gives the position after the blank that ends them.
#[inline]
fn tags<const LONG: bool>(mut marks: Marks<'_, LONG>, start: usize) -> Option<(usize, Marks<'_, LONG>)> {
    let first = key(&mut marks, start, is_reserved_tag)?;
    match tag_value(&mut marks, first + 1)? {
        (end, b' ') => Some((end + 1, marks)),
        (end, _) => more_tags(marks, Name { start, end: first }, end + 1),
    }
}

#[inline(never)]
fn more_tags<const LONG: bool>(
    mut marks: Marks<'_, LONG>,
    first: Name,
    mut start: usize,
) -> Option<(usize, Marks<'_, LONG>)> {
    let mut names = Names::new(marks.line, first);
    loop {
        let end = key(&mut marks, start, is_reserved_tag)?;
        names.add(marks.line, Name { start, end })?;
        match tag_value(&mut marks, end + 1)? {
            (end, b' ') => return Some((end + 1, marks)),
            (end, _) => start = end + 1,
        }
    }
}

/// The end of the tag value that starts at `start`, and what ends it: a comma or a blank.
#[inline]
fn tag_value<const LONG: bool>(marks: &mut Marks<'_, LONG>, start: usize) -> Option<(usize, u8)> {
    let (end, by) = marks.next();
    (end > start && (by == b',' || by == b' ')).then_some((end, by))
}

/// Walks the fields from `start`, and the timestamp if there is one.
#[inline]
fn field_set<const LONG: bool>(mut marks: Marks<'_, LONG>, start: usize) -> Option<Scan> {
    let first = key(&mut marks, start, is_reserved_field)?;
    match field_value(&mut marks, first + 1)? {
        (_, END) => Some(Scan::Bare),
        (end, b' ') => timestamp(marks, end + 1),
        (end, _) => more_fields(marks, Name { start, end: first }, end + 1),
    }
}

#[inline(never)]
fn more_fields<const LONG: bool>(mut marks: Marks<'_, LONG>, first: Name, mut start: usize) -> Option<Scan> {
    let mut names = Names::new(marks.line, first);
    loop {
        let end = key(&mut marks, start, is_reserved_field)?;
        names.add(marks.line, Name { start, end })?;
        match field_value(&mut marks, end + 1)? {
            (_, END) => return Some(Scan::Bare),
            (end, b' ') => return timestamp(marks, end + 1),
            (end, _) => start = end + 1,
        }
    }
}

/// The end of the field value that starts at `start`, and what ends it: a comma, a blank or the line's end.
#[inline(always)]
fn field_value<const LONG: bool>(marks: &mut Marks<'_, LONG>, start: usize) -> Option<(usize, u8)> {
    let (end, by) = marks.next();
    let ended = by == b',' || by == b' ' || by == END;
    if !ended || end <= start {
        return None;
    }
    let value = &marks.line[start..end];
    // Two shapes are nearly all there is: `123` and `123.45`.
    let sound = match marks::non_digits(marks.line, start, end) {
        Some(0) => true,
        Some(others) if others & (others - 1) == 0 => {
            let at = others.trailing_zeros() as usize / 8;
            (value[at] == b'.' && at > 0 && at + 1 < value.len()) || is_any_value(value)
        }
        _ => is_any_value(value),
    };
    sound.then_some((end, by))
}

/// The end of the key that starts at `start`: the `=` after at least one byte of a name that isn't `reserved`.
#[inline(always)]
fn key<const LONG: bool>(marks: &mut Marks<'_, LONG>, start: usize, reserved: fn(&[u8]) -> bool) -> Option<usize> {
    let (end, by) = marks.next();
    (by == b'=' && end > start && !reserved(&marks.line[start..end])).then_some(end)
}

#[inline]
fn timestamp<const LONG: bool>(mut marks: Marks<'_, LONG>, start: usize) -> Option<Scan> {
    let (end, by) = marks.next();
    if by != END || end == start {
        return None;
    }
    let text = &marks.line[start..end];
    (is_digits(text) && is_below_i64_max(text)).then_some(Scan::Stamped)
}

/// Whether these digits are a number safely below `i64::MAX` (19 digits that start with 9), by their count.
#[inline]
fn is_below_i64_max(digits: &[u8]) -> bool {
    digits.len() < 19 || (digits.len() == 19 && digits[0] < b'9')
}

/// Tag keys that InfluxDB keeps for itself: see `judge`.
#[inline]
fn is_reserved_tag(name: &[u8]) -> bool {
    name == b"time" || name == b"_field" || name == b"_measurement"
}

#[inline]
fn is_reserved_field(name: &[u8]) -> bool {
    name == b"time"
}

// === values ===

/// Whether `value` is a number or a boolean that all products read the same way.
#[inline(never)]
fn is_any_value(value: &[u8]) -> bool {
    let magnitude = value.strip_prefix(b"-").unwrap_or(value);
    match magnitude {
        [] => false,
        [digits @ .., b'i'] => is_digits(digits) && is_below_i64_max(digits),
        [digits @ .., b'u'] => magnitude.len() == value.len() && is_digits(digits) && is_below_i64_max(digits),
        [b'0'..=b'9', ..] => is_float(magnitude),
        _ => matches!(value, b"t" | b"T" | b"f" | b"F" | b"true" | b"True" | b"TRUE" | b"false" | b"False" | b"FALSE"),
    }
}

/// `1`, `1.5`, `1e5`, `1.5e-05`: no sign, digits on both sides of a point, at most two digits of exponent.
fn is_float(text: &[u8]) -> bool {
    if text.len() > MAX_NUMBER {
        return false;
    }
    let split = text.iter().position(|byte| matches!(byte, b'e' | b'E'));
    let (mantissa, exponent) = match split {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(b"-").or_else(|| exponent.strip_prefix(b"+")).unwrap_or(exponent);
        digits.len() <= 2 && is_digits(digits)
    });
    exponent_fits
        && match mantissa.iter().position(|&byte| byte == b'.') {
            Some(at) => is_digits(&mantissa[..at]) && is_digits(&mantissa[at + 1..]),
            None => is_digits(mantissa),
        }
}

// === names given twice ===

/// A name's place in the line.
#[derive(Debug, Clone, Copy)]
struct Name {
    start: usize,
    end: usize,
}

/// The names of one section so far.
#[derive(Debug)]
struct Names {
    /// A digest of each name. Equal names have equal digests.
    digests: [u64; MAX_NAMES],
    /// Where each name starts.
    starts: [u16; MAX_NAMES],
    count: usize,
}

impl Names {
    #[inline]
    fn new(line: &[u8], first: Name) -> Self {
        let mut names = Self { digests: [0; MAX_NAMES], starts: [0; MAX_NAMES], count: 0 };
        names.put(digest(&line[first.start..first.end]), first);
        names
    }

    /// Remembers `name`, or gives `None` if it was there before or the table is full.
    #[inline]
    fn add(&mut self, line: &[u8], name: Name) -> Option<()> {
        let text = &line[name.start..name.end];
        let digest = digest(text);
        if self.count == MAX_NAMES {
            return None;
        }
        for known in 0..self.count {
            if self.digests[known] == digest && line[usize::from(self.starts[known])..].starts_with(text) {
                return None;
            }
        }
        self.put(digest, name);
        Some(())
    }

    #[inline]
    fn put(&mut self, digest: u64, name: Name) {
        self.digests[self.count] = digest;
        // Cannot cut: a longer line than `MAX_LEN` is refused at the start.
        self.starts[self.count] = name.start as u16;
        self.count += 1;
    }
}

/// First and last four bytes and the length: tells nearly all names of a line apart without a loop.
#[inline]
fn digest(name: &[u8]) -> u64 {
    let (head, tail) = match (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        (Some(head), Some(tail)) => (u32::from_le_bytes(*head), u32::from_le_bytes(*tail)),
        _ => (name.iter().fold(0, |sum, &byte| sum << 8 | u32::from(byte)), 0),
    };
    (u64::from(head) | u64::from(tail) << 32) ^ (name.len() as u64) << 56
}
