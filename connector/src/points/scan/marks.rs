//! Finds the bytes of a line that mean something, sixteen at a time.

/// What [`Marks::next`] gives at the end of the line: a byte that is never a mark.
pub(super) const END: u8 = b'0';

/// Lines are looked at in blocks, one bit of a `u64` per byte. Most lines fit one block.
pub(super) const BLOCK: usize = 64;
/// Bytes that are looked at in one step.
const STEP: usize = 16;

/// The marks of a line, in order: blank, comma and `=`, and whatever a plain line doesn't have: control
/// characters, quotes, backslashes, bytes beyond ASCII.
///
/// `LONG` is false for lines of one block, which then cost no thought of others. It is handed on by value: behind a
/// reference it would live in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks<'a, const LONG: bool> {
    /// The line.
    pub(super) line: &'a [u8],
    /// Where the current block starts.
    base: usize,
    /// The block's marks that were not given yet.
    marks: u64,
}

impl<'a, const LONG: bool> Marks<'a, LONG> {
    #[inline]
    pub(super) fn new(line: &'a [u8]) -> Self {
        debug_assert!(LONG || line.len() <= BLOCK, "more than one block");
        Self { line, base: 0, marks: block::<LONG>(line, 0) }
    }

    /// The next mark's position and byte, or the line's length and [`END`].
    #[inline]
    pub(super) fn next(&mut self) -> (usize, u8) {
        while LONG && self.marks == 0 && self.line.len() - self.base > BLOCK {
            self.base += BLOCK;
            self.marks = block::<LONG>(self.line, self.base);
        }
        if self.marks == 0 {
            return (self.line.len(), END);
        }
        let at = self.base + self.marks.trailing_zeros() as usize;
        self.marks &= self.marks - 1;
        self.line.get(at).map_or((self.line.len(), END), |&byte| (at, byte))
    }
}

/// The marks of the up to 64 bytes from `base`, which is below the line's length: a bit each, the first byte lowest.
#[inline]
fn block<const LONG: bool>(line: &[u8], base: usize) -> u64 {
    let Some((last, before)) = line.last_chunk::<STEP>().map(|last| (last, line.len() - STEP)) else {
        return short(line);
    };
    let mut found = 0;
    let mut at = base;
    while at < before {
        let Some(chunk) = line[at..].first_chunk() else { break };
        found |= gather(marks(chunk)) << (at - base);
        at += STEP;
        if LONG && at - base == BLOCK {
            return found;
        }
    }
    // The line's end; bytes before `at` are seen twice, with the same result, and those before `base` fall off.
    let end = gather(marks(last));
    match before.checked_sub(base) {
        Some(place) => found | end << place,
        None => found | end >> (base - before),
    }
}

/// The marks of a line of less than [`STEP`] bytes.
#[cold]
fn short(line: &[u8]) -> u64 {
    let mut padded = [b'0'; STEP];
    padded[..line.len()].copy_from_slice(line);
    gather(marks(&padded))
}

/// Bit 7 of every byte says whether it is a mark.
///
/// For a byte up to 0x7f, `(byte ^ c) - 1` has bit 7 only if `byte == c`, and `byte + (0x80 - c)` only if `byte >= c`.
/// Sums and differences of bytes, no comparison, in a function by itself: compilers make vector code of that, and of
/// hardly anything else that says the same.
#[inline(never)]
fn marks(bytes: &[u8; STEP]) -> u128 {
    let mut marks = [0; STEP];
    for (mark, &byte) in marks.iter_mut().zip(bytes) {
        let is = |c: u8| (byte ^ c).wrapping_sub(1);
        let from = |c: u8| byte.wrapping_add(0x80 - c);
        *mark = (byte | !from(b' ' + 1) | from(0x7f) | is(b',') | is(b'=') | is(b'"') | is(b'\\')) & 0x80;
    }
    u128::from_le_bytes(marks)
}

#[inline]
fn gather(flags: u128) -> u64 {
    half(flags as u64) | half((flags >> 64) as u64) << 8
}

#[inline]
fn half(word: u64) -> u64 {
    // Bit 8i + 7 times 2^(57 - 7i) is bit 64 + i; no two products meet, so nothing carries. The upper half of a wide
    // product, because compilers turn a narrow one into vector code that has to emulate it.
    let wide = u128::from(word) * 0x0204_0810_2040_8100;
    (wide >> 64) as u64 & 0xff
}

// === digits ===

/// Bit 7 of every byte.
const ALL: u128 = u128::from_le_bytes([0x80; STEP]);

/// The bytes of `start..end` that are not digits, bit 8i + 7 for byte i; `None` if they are more than sixteen, or among
/// the line's first.
#[inline]
pub(super) fn non_digits(line: &[u8], start: usize, end: usize) -> Option<u128> {
    let before = STEP.checked_sub(end - start)?;
    let window = line.get(end.checked_sub(STEP)?..end)?.first_chunk()?;
    Some((ALL ^ digits(window)) >> (8 * before))
}

/// Whether `text` is nothing but digits, and not nothing.
#[inline]
pub(super) fn is_digits(text: &[u8]) -> bool {
    match (text.first_chunk(), text.last_chunk()) {
        (Some(first), Some(last)) if text.len() <= 2 * STEP => digits(first) & digits(last) == ALL,
        _ => !text.is_empty() && text.iter().all(u8::is_ascii_digit),
    }
}

/// Bit 7 of every byte says whether it is a digit.
#[inline(never)]
fn digits(bytes: &[u8; STEP]) -> u128 {
    let mut digits = [0; STEP];
    for (digit, &byte) in digits.iter_mut().zip(bytes) {
        *digit = byte.wrapping_add(0x80 - b'0') & !byte.wrapping_add(0x80 - b'9' - 1) & !byte & 0x80;
    }
    u128::from_le_bytes(digits)
}
