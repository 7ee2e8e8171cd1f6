//! Why a line can't be written.

/// Why a line can't be written. The text is the reason of the reject: it says what is wrong with the line and, where
/// that isn't plain, what to do in the transform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Nothing but blanks.
    #[error("the line is empty: a transform that drops a record emits no line for it")]
    Empty,
    /// The first byte is `#`: servers skip the line and say nothing.
    #[error("the line starts with '#', which servers skip as a comment: no measurement can start with it")]
    Comment,
    /// A newline, at this byte. Some servers cut the line there even inside a string.
    #[error(
        "a newline at byte {at}: a line can't have one, not even in a string or at its end; emit each line by itself"
    )]
    Newline {
        /// The newline's position.
        at: usize,
    },
    /// The last byte is a carriage return, which servers take for a part of the timestamp or of the value.
    #[error("a carriage return at the end: trim the value that it came with")]
    CarriageReturn,
    /// Some servers refuse the whole request, others store bytes that nobody can query.
    #[error("not UTF-8 from byte {at} on")]
    NotUtf8 {
        /// The first byte that isn't.
        at: usize,
    },
    /// The line starts with U+FEFF, which would silently become a part of the measurement's name.
    #[error("the line starts with a byte order mark (U+FEFF): strip it from the value that it came with")]
    ByteOrderMark,
    /// The last byte is a backslash: it would swallow the line end and with it the next line.
    #[error(
        "the line ends with a backslash, which would join it with the next line: no name or value can end with one"
    )]
    TrailingBackslash,
    /// A control character in a name or a tag's value.
    #[error("control character {byte:#04x} at byte {at}: names and tag values can't have one")]
    Control {
        /// The character.
        byte: u8,
        /// Its position.
        at: usize,
    },
    /// The crate's parser refuses the line.
    #[error("not line protocol: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// `=` in a tag's value: 1.x and 2.x refuse it.
    #[error("'=' in the value of tag {key:?} must be escaped: \\=")]
    BareEquals {
        /// The tag's key.
        key: String,
    },
    /// A comma in a key: the parser takes it for a part of the name, 1.x and 2.x refuse it.
    #[error(
        "key {key:?} has a comma: escape it (\\,) if it belongs to the name, else '=' and a value are missing before it"
    )]
    BareComma {
        /// The key as it was read.
        key: String,
    },
    /// A comma after the last field: the parser overlooks it, 1.x and 2.x refuse the line.
    #[error("no field follows the comma at byte {at}")]
    DanglingComma {
        /// The comma's position.
        at: usize,
    },
    /// A tag given twice: 1.x and 2.x refuse it.
    #[error("tag {key:?} is given twice")]
    DuplicateTag {
        /// The tag's key.
        key: String,
    },
    /// A field given twice: 1.x and 2.x keep the last value, `QuestDB` the first, 3.x refuses the line.
    #[error("field {key:?} is given twice, and servers keep different ones of the two")]
    DuplicateField {
        /// The field's key.
        key: String,
    },
    /// A tag that InfluxDB keeps for itself.
    #[error("tag {key:?} is reserved by InfluxDB, which drops the point or the whole request: name it differently")]
    ReservedTag {
        /// The tag's key.
        key: String,
    },
    /// A field named `time`: 1.x drops it and says nothing.
    #[error(
        "field \"time\" is reserved by InfluxDB, which drops it: name it differently, or give the line a timestamp"
    )]
    ReservedField,
    /// A number beyond what a 64-bit float holds: the parser reads infinity, 1.x and 2.x refuse it.
    #[error("the value of field {key:?} is too large for a 64-bit float")]
    NotFinite {
        /// The field's key.
        key: String,
    },
    /// Measurement, tags and one field's key together: 1.x and 2.x refuse more.
    #[error("measurement, tags and a field's key take {len} bytes together; InfluxDB allows 65,535")]
    KeyTooLong {
        /// The length as InfluxDB counts it.
        len: usize,
    },
    /// The line's own timestamp is one that 1.x and 2.x refuse.
    #[error("timestamp {ns} is out of range (-9223372036854775806 to 9223372036854775806, in nanoseconds)")]
    LineTime {
        /// The timestamp.
        ns: i64,
    },
    /// The line brings no timestamp and the record has none.
    #[error("neither the line nor its record has a timestamp: let the transform add one, in nanoseconds")]
    NoTimestamp,
    /// The record's timestamp can't be told in nanoseconds.
    #[error("the record's timestamp, {ms} ms, is out of range (years 1677 to 2262): is its unit milliseconds?")]
    RecordTime {
        /// The record's timestamp.
        ms: i64,
    },
}
