//! What line protocol can't carry, and where it was found.

use std::fmt;

/// Why a line can't be built. Nothing of the line is left in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The part of the line at fault.
    pub part: Part,
    /// What is wrong with it.
    pub fault: Fault,
}

/// A part of a line of line protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The name before the tags.
    Measurement,
    /// A tag's name.
    TagKey,
    /// A tag's value.
    TagValue,
    /// A field's name.
    FieldKey,
    /// A field's value.
    FieldValue,
    /// The time at the end.
    Timestamp,
}

/// What can be wrong with a part. Each is refused, changed or misread by at least one InfluxDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is empty.
    Empty,
    /// It is not UTF-8: InfluxDB 3 refuses the whole request.
    NotUtf8,
    /// A line end, a tab or another control character: it would end the line, or split it in two.
    Control,
    /// A backslash at the end, or before a character that is escaped: servers disagree about what it means.
    Backslash,
    /// A measurement that starts with `#` is a comment to the server and vanishes.
    Comment,
    /// `time`, `_field` and `_measurement` belong to the server.
    Reserved,
    /// The same tag or field twice in one line.
    Duplicate,
    /// Longer than the 65,535 bytes that servers take.
    TooLong,
    /// Not a decimal number as line protocol writes it: `-`, digits, a fraction, an exponent.
    NotDecimal,
    /// NaN, infinite, or too large for 64 bits.
    NotFinite,
    /// A time outside of what servers store: 1677-09-21 to 2262-04-11.
    OutOfRange,
}

impl std::error::Error for Refused {}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.part, self.fault)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Measurement => "measurement",
            Self::TagKey => "tag key",
            Self::TagValue => "tag value",
            Self::FieldKey => "field key",
            Self::FieldValue => "field value",
            Self::Timestamp => "timestamp",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty",
            Self::NotUtf8 => "is not UTF-8",
            Self::Control => "contains a line end or another control character",
            Self::Backslash => "has a backslash at its end or before a comma, an equals sign, a blank or a backslash",
            Self::Comment => "starts with '#', which makes the line a comment",
            Self::Reserved => "is a name that InfluxDB keeps for itself (time, _field, _measurement)",
            Self::Duplicate => "occurs twice in the line",
            Self::TooLong => "is longer than the 65535 bytes that InfluxDB takes",
            Self::NotDecimal => "is not a decimal number",
            Self::NotFinite => "is not a finite number",
            Self::OutOfRange => "is outside of the years 1677 to 2262",
        })
    }
}
