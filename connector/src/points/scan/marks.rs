//! Finds the bytes of a line that mean something, eight at a time.

/// What [`Marks::next`] gives at the end of the line. It can't be in a plain line.
pub(super) const END: u8 = b'\n';

/// Lines are looked at in blocks, one bit of a `u64` per byte. Most lines fit one block.
const BLOCK: usize = 64;

/// The marks of a line, in order: blank, comma and `=`, and whatever a plain line doesn't have: control
/// characters, quotes, backslashes, bytes beyond ASCII.
#[derive(Debug)]
pub(super) struct Marks<'a> {
    line: &'a [u8],
    /// Where the current block starts.
    base: usize,
    /// The block's marks that were not given yet.
    marks: u64,
    /// The block's digits.
    digits: u64,
}

impl<'a> Marks<'a> {
    #[inline]
    pub(super) fn new(line: &'a [u8]) -> Self {
        let (marks, digits) = block(line);
        Self { line, base: 0, marks, digits }
    }

    /// The next mark's position and byte, or the line's length and [`END`].
    #[inline]
    pub(super) fn next(&mut self) -> (usize, u8) {
        while self.marks == 0 {
            if self.line.len() - self.base <= BLOCK {
                return (self.line.len(), END);
            }
            self.base += BLOCK;
            (self.marks, self.digits) = block(&self.line[self.base..]);
        }
        let at = self.base + self.marks.trailing_zeros() as usize;
        self.marks &= self.marks - 1;
        (at, self.line[at])
    }

    /// The bytes of `start..end` that are not digits, one bit each, `start` the lowest; `None` if they don't lie in the
    /// current block. `end` is the last position given, `start` before it.
    #[inline]
    pub(super) fn non_digits(&self, start: usize, end: usize) -> Option<u64> {
        let from = start.checked_sub(self.base)?;
        Some((!self.digits >> from) & (u64::MAX >> (BLOCK - (end - start))))
    }
}

/// The marks and the digits of the first 64 bytes of `text`.
#[inline]
fn block(text: &[u8]) -> (u64, u64) {
    let text = text.get(..BLOCK).unwrap_or(text);
    let (words, rest) = text.as_chunks::<8>();
    let (mut marks, mut digits) = (0, 0);
    for (index, word) in words.iter().enumerate() {
        let (m, d) = classify(u64::from_le_bytes(*word));
        marks |= m << (8 * index);
        digits |= d << (8 * index);
    }
    if !rest.is_empty() {
        let (m, d) = classify(tail(text, rest));
        let inside = u64::MAX >> (BLOCK - rest.len());
        marks |= (m & inside) << (8 * words.len());
        digits |= (d & inside) << (8 * words.len());
    }
    (marks, digits)
}

/// The 1 to 7 bytes of `rest`, which ends `text`, as a word; zeros behind them.
#[inline]
fn tail(text: &[u8], rest: &[u8]) -> u64 {
    match text.last_chunk::<8>() {
        Some(last) => u64::from_le_bytes(*last) >> (8 * (8 - rest.len())),
        None => rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    }
}

const fn every(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Marks and digits of eight bytes, a bit each, the first byte lowest.
///
/// All sums stay within their byte as long as the bytes are ASCII. A byte beyond ASCII is a mark itself and may spoil what is said of the bytes
/// after it, never of those before: who walks the marks in order meets it first and stops.
#[inline]
fn classify(word: u64) -> (u64, u64) {
    // Bit 7 of every byte answers: 0x80 - (byte ^ c) has it only if byte == c, byte + (0x80 - c) only if byte >= c.
    let is = |c: u8| every(0x80) - ((word & every(0x7f)) ^ every(c));
    let from = |c: u8| (word & every(0x7f)) + every(0x80 - c);
    let marks = word | !from(b' ' + 1) | from(0x7f) | is(b',') | is(b'=') | is(b'"') | is(b'\\');
    let digits = from(b'0') & !from(b'9' + 1) & !word;
    (gather(marks), gather(digits))
}

/// Collects bit 7 of every byte into the lowest eight bits.
#[inline]
fn gather(word: u64) -> u64 {
    // Bit 8i + 7 times 2^(49 - 7i) is bit 56 + i; no two products meet, so nothing carries.
    (word & every(0x80)).wrapping_mul(0x0002_0408_1020_4081) >> 56
}
