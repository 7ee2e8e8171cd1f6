//! Names and tag values: what is refused, what is escaped, and names that were checked beforehand.

use crate::{Fault, Part, Refused, words};

/// The longest name or value that every server takes, in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 65_535;

/// The room that a text of `len` bytes may need, in bytes.
#[inline]
pub(crate) fn room(len: usize) -> usize {
    len * 2 + words::OVERRUN
}

/// Writes `text` at `at`, escaped, and returns where it ends. There must be [`room`] for it.
#[inline(always)]
pub(crate) fn write_text(bytes: &mut [u8], at: usize, text: &[u8], part: Part) -> Result<usize, Refused> {
    let is_plain = words::copy_if_plain(bytes, at, text);
    if is_plain && fault_of_whole(text, part).is_none() {
        Ok(at + text.len())
    } else {
        write_unusual(bytes, at, text, part)
    }
}

#[cold]
#[inline(never)]
fn write_unusual(bytes: &mut [u8], mut at: usize, text: &[u8], part: Part) -> Result<usize, Refused> {
    if let Some(fault) = fault_of_whole(text, part).or_else(|| fault_within(text)) {
        return Err(Refused { part, fault });
    }
    for &byte in text {
        // An equals sign is plain text in a measurement; escaped, InfluxDB 1 and 2 would keep the backslash.
        if matches!(byte, b',' | b' ' | b'=') && !(byte == b'=' && part == Part::Measurement) {
            bytes[at] = b'\\';
            at += 1;
        }
        bytes[at] = byte;
        at += 1;
    }
    Ok(at)
}

/// What is wrong with a text whatever its characters.
#[inline(always)]
fn fault_of_whole(text: &[u8], part: Part) -> Option<Fault> {
    match text {
        [] => Some(Fault::Empty),
        [b'#', ..] if part == Part::Measurement => Some(Fault::Comment),
        b"time" | b"_field" | b"_measurement" if matches!(part, Part::TagKey | Part::FieldKey) => Some(Fault::Reserved),
        _ => (text.len() > TEXT_BYTES_MAX).then_some(Fault::TooLong),
    }
}

fn fault_within(text: &[u8]) -> Option<Fault> {
    if std::str::from_utf8(text).is_err() {
        return Some(Fault::NotUtf8);
    }
    if text.iter().any(u8::is_ascii_control) {
        return Some(Fault::Control);
    }
    let mut after_backslash = false;
    for &byte in text {
        if after_backslash && matches!(byte, b'\\' | b',' | b'=' | b' ') {
            return Some(Fault::Backslash);
        }
        after_backslash = byte == b'\\';
    }
    after_backslash.then_some(Fault::Backslash)
}

/// Text that was checked and escaped beforehand, in pieces of fixed length: copying those is cheaper in WebAssembly
/// than a copy of a length known only at run time, which is a call.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Checked {
    pieces: Box<[[u8; 16]]>,
    len: usize,
}

impl Checked {
    fn try_new(text: &str, part: Part) -> Result<Self, Refused> {
        let mut bytes = vec![0; room(text.len()) + 16];
        let len = write_text(&mut bytes, 0, text.as_bytes(), part)?;
        let (pieces, _) = bytes.as_chunks();
        Ok(Self { pieces: pieces[..len.div_ceil(16)].into(), len })
    }

    #[inline(always)]
    fn room(&self) -> usize {
        self.pieces.len() * 16
    }

    #[inline(always)]
    fn write(&self, bytes: &mut [u8], at: usize) -> usize {
        let (room, _) = bytes[at..].as_chunks_mut();
        // Most names are one piece; LLVM makes a call of the loop.
        if let ([to, ..], [from]) = (&mut *room, &*self.pieces) {
            *to = *from;
        } else {
            for (to, from) in room.iter_mut().zip(&self.pieces) {
                *to = *from;
            }
        }
        at + self.len
    }
}

/// A measurement's name, checked and escaped once: make it in `configure` where the name does not depend on the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement(Checked);

impl Measurement {
    /// Checks and escapes a name.
    ///
    /// # Errors
    /// Line protocol can't carry it.
    pub fn try_new(name: &str) -> Result<Self, Refused> {
        Checked::try_new(name, Part::Measurement).map(Self)
    }
}

/// The name of a tag or field, checked and escaped once: make it in `configure` where the name does not depend on the
/// record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(Checked);

impl Key {
    /// Checks and escapes a tag's name.
    ///
    /// # Errors
    /// Line protocol can't carry it.
    pub fn try_tag(name: &str) -> Result<Self, Refused> {
        Checked::try_new(name, Part::TagKey).map(Self)
    }

    /// Checks and escapes a field's name.
    ///
    /// # Errors
    /// Line protocol can't carry it.
    pub fn try_field(name: &str) -> Result<Self, Refused> {
        Checked::try_new(name, Part::FieldKey).map(Self)
    }
}

/// What can be a measurement: a [`Measurement`] or text.
pub trait AsMeasurement: sealed::Write {}

/// What can be the name of a tag or field: a [`Key`] or text.
pub trait AsKey: sealed::Write {}

impl AsMeasurement for &Measurement {}
impl AsMeasurement for &str {}
impl AsMeasurement for &[u8] {}
impl AsKey for &Key {}
impl AsKey for &str {}
impl AsKey for &[u8] {}

pub(crate) mod sealed {
    use super::{Checked, Key, Measurement, Part, Refused, room, write_text};

    /// Writes itself, escaped, at a place that has room.
    pub trait Write {
        /// The room it needs, in bytes.
        fn room(&self) -> usize;

        /// Writes itself and returns where it ends.
        fn write(self, bytes: &mut [u8], at: usize, part: Part) -> Result<usize, Refused>;
    }

    impl Write for &[u8] {
        #[inline(always)]
        fn room(&self) -> usize {
            room(self.len())
        }

        #[inline(always)]
        fn write(self, bytes: &mut [u8], at: usize, part: Part) -> Result<usize, Refused> {
            write_text(bytes, at, self, part)
        }
    }

    impl Write for &str {
        #[inline(always)]
        fn room(&self) -> usize {
            room(self.len())
        }

        #[inline(always)]
        fn write(self, bytes: &mut [u8], at: usize, part: Part) -> Result<usize, Refused> {
            write_text(bytes, at, self.as_bytes(), part)
        }
    }

    impl Write for &Checked {
        #[inline(always)]
        fn room(&self) -> usize {
            Checked::room(self)
        }

        #[inline(always)]
        fn write(self, bytes: &mut [u8], at: usize, _: Part) -> Result<usize, Refused> {
            Ok(Checked::write(self, bytes, at))
        }
    }

    macro_rules! write_as_checked {
        ($($name:ty),*) => {$(
            impl Write for &$name {
                #[inline(always)]
                fn room(&self) -> usize {
                    self.0.room()
                }

                #[inline(always)]
                fn write(self, bytes: &mut [u8], at: usize, part: Part) -> Result<usize, Refused> {
                    Write::write(&self.0, bytes, at, part)
                }
            }
        )*};
    }
    write_as_checked!(Measurement, Key);
}
