//! A line while it is built: measurement, tags, fields, then perhaps a timestamp. The types keep the order, and a line
//! without a field can't be ended.

use std::fmt;
use std::io::Write as _;
use std::marker::PhantomData;

use crate::number::check_decimal;
use crate::text::{TEXT_BYTES_MAX, write_text};
use crate::{AsKey, AsMeasurement, Emitter, Fault, Part, Refused, text, words};

/// The state of a [`Line`] that takes tags, or its first field.
#[derive(Debug)]
pub struct WithTags(());

/// The state of a [`Line`] that has a field: it takes more, and can be ended.
#[derive(Debug)]
pub struct WithFields(());

/// One line, written in place. Each method refuses what line protocol can't carry; a line that is refused, or dropped
/// without being ended, leaves nothing behind.
#[must_use = "a line counts when it is ended"]
pub struct Line<'e, State> {
    out: &'e mut Emitter,
    /// Where the next byte goes.
    at: usize,
    /// Bytes of measurement and tags; grows until the first field.
    series: usize,
    /// Where the last name is. Noted only when another follows, as most lines have one field and no tag.
    name: Option<(usize, usize)>,
    state: PhantomData<State>,
}

impl<'e> Line<'e, WithTags> {
    #[inline(always)]
    pub(crate) fn start(out: &'e mut Emitter, measurement: impl AsMeasurement) -> Result<Self, Refused> {
        let start = out.ended;
        out.names.clear();
        out.reserve(start, measurement.room());
        let at = measurement.write(&mut out.bytes, start, Part::Measurement)?;
        Ok(Self { out, at, series: at - start, name: None, state: PhantomData })
    }

    /// Adds a tag. Give tags in a fixed order, best the ascending one: InfluxDB stores them so.
    ///
    /// # Errors
    /// The name or the value is empty or has what line protocol can't carry, or the name was there before.
    #[inline(always)]
    pub fn tag(mut self, key: impl AsKey, value: impl AsRef<[u8]>) -> Result<Self, Refused> {
        let value = value.as_ref();
        self.key(b',', key, Part::TagKey, text::room(value.len()))?;
        self.at = write_text(&mut self.out.bytes, self.at, value, Part::TagValue)?;
        self.series = self.at - self.out.ended;
        Ok(self)
    }
}

impl<'e, State: Separator> Line<'e, State> {
    /// Adds a float whose text is kept as it came: `-`? digits (`.` digits)? (`e` sign? digits)?, which every InfluxDB
    /// reads, and reads as a float.
    ///
    /// # Errors
    /// The text is something else or not finite; or the name is refused.
    #[inline(always)]
    pub fn field_float_text(
        mut self,
        key: impl AsKey,
        text: impl AsRef<[u8]>,
    ) -> Result<Line<'e, WithFields>, Refused> {
        let text = text.as_ref();
        self.key(State::BYTE, key, Part::FieldKey, text.len() + words::OVERRUN)?;
        if !words::copy_if_plain_decimal(&mut self.out.bytes, self.at, text) {
            check_decimal(text).map_err(|fault| Refused { part: Part::FieldValue, fault })?;
            self.out.bytes[self.at..][..text.len()].copy_from_slice(text);
        }
        self.at += text.len();
        Ok(self.with_fields())
    }

    /// Adds a float.
    ///
    /// # Errors
    /// The number is NaN or infinite; or the name is refused.
    pub fn field_f64(mut self, key: impl AsKey, value: f64) -> Result<Line<'e, WithFields>, Refused> {
        self.key(State::BYTE, key, Part::FieldKey, 0)?;
        if !value.is_finite() {
            return Err(Refused { part: Part::FieldValue, fault: Fault::NotFinite });
        }
        // `Debug` gives the shortest digits that read back as the same number, with an exponent where that is shorter.
        self.format(format_args!("{value:?}"));
        Ok(self.with_fields())
    }

    /// Adds an integer.
    ///
    /// # Errors
    /// The name is refused.
    pub fn field_i64(mut self, key: impl AsKey, value: i64) -> Result<Line<'e, WithFields>, Refused> {
        self.key(State::BYTE, key, Part::FieldKey, 0)?;
        self.format(format_args!("{value}i"));
        Ok(self.with_fields())
    }

    /// Adds a boolean.
    ///
    /// # Errors
    /// The name is refused.
    pub fn field_bool(mut self, key: impl AsKey, value: bool) -> Result<Line<'e, WithFields>, Refused> {
        self.key(State::BYTE, key, Part::FieldKey, 0)?;
        self.format(format_args!("{value}"));
        Ok(self.with_fields())
    }

    /// Adds a string. It may be empty, and hold anything but line ends.
    ///
    /// # Errors
    /// The string has a line end (some servers cut the line there) or more than 65,535 bytes; or the name is refused.
    pub fn field_str(mut self, key: impl AsKey, value: &str) -> Result<Line<'e, WithFields>, Refused> {
        self.key(State::BYTE, key, Part::FieldKey, value.len() * 2 + 2)?;
        let refused = |fault| Err(Refused { part: Part::FieldValue, fault });
        if value.len() > TEXT_BYTES_MAX {
            return refused(Fault::TooLong);
        }
        self.push(b'"');
        for &byte in value.as_bytes() {
            match byte {
                b'\n' | b'\r' => return refused(Fault::Control),
                b'"' | b'\\' => self.push(b'\\'),
                _ => {}
            }
            self.push(byte);
        }
        self.push(b'"');
        Ok(self.with_fields())
    }

    /// Writes the separator, the name and `=`, and makes room for `value` bytes after them.
    #[inline(always)]
    fn key(&mut self, separator: u8, key: impl AsKey, part: Part, value: usize) -> Result<(), Refused> {
        self.out.reserve(self.at, key.room() + value + 2);
        self.out.bytes[self.at] = separator;
        let start = self.at + 1;
        let end = key.write(&mut self.out.bytes, start, part)?;
        self.out.bytes[end] = b'=';
        self.at = end + 1;
        if self.series + end - start > TEXT_BYTES_MAX {
            return Err(Refused { part, fault: Fault::TooLong });
        }
        match self.name.replace((start, end)) {
            Some(previous) => self.out.add_name(previous, (start, end)).map_err(|fault| Refused { part, fault }),
            None => Ok(()),
        }
    }

    fn push(&mut self, byte: u8) {
        self.out.bytes[self.at] = byte;
        self.at += 1;
    }

    fn format(&mut self, text: fmt::Arguments<'_>) {
        /// The longest of `f64`'s `Debug` has 25 bytes, an integer with its `i` 21.
        const NUMBER_BYTES_MAX: usize = 32;
        self.out.reserve(self.at, NUMBER_BYTES_MAX);
        let mut room = &mut self.out.bytes[self.at..];
        let before = room.len();
        room.write_fmt(text).expect("there is room for the longest number");
        self.at += before - room.len();
    }

    #[inline(always)]
    fn with_fields(self) -> Line<'e, WithFields> {
        Line { out: self.out, at: self.at, series: self.series, name: self.name, state: PhantomData }
    }
}

impl Line<'_, WithFields> {
    /// Ends the line. It gets its record's timestamp from the host.
    #[inline(always)]
    pub fn end(self) {
        self.out.end_line(self.at);
    }

    /// Ends the line with a timestamp of its own, in nanoseconds since 1970.
    ///
    /// # Errors
    /// Servers don't store so distant a time.
    pub fn end_at_ns(mut self, timestamp_ns: i64) -> Result<(), Refused> {
        // InfluxDB 1 and 2 keep the two smallest and the largest number for themselves.
        if !(i64::MIN + 2..i64::MAX).contains(&timestamp_ns) {
            return Err(Refused { part: Part::Timestamp, fault: Fault::OutOfRange });
        }
        self.format(format_args!(" {timestamp_ns}"));
        self.end();
        Ok(())
    }
}

impl<State> fmt::Debug for Line<'_, State> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.out.bytes[self.out.ended..self.at];
        f.debug_tuple("Line").field(&String::from_utf8_lossy(text)).finish()
    }
}

/// What stands before the next field.
pub trait Separator {
    /// The byte.
    const BYTE: u8;
}

impl Separator for WithTags {
    const BYTE: u8 = b' ';
}

impl Separator for WithFields {
    const BYTE: u8 = b',';
}
