//! Short texts, eight bytes at a time.
//!
//! In WebAssembly a copy or a search of run-time length is a call, and a loop over bytes pays for its epoch check at
//! every byte. Symbols, names and numbers are a few bytes long: as one, two or three words they cost neither. For the
//! same reason all of it is `inline(always)`: otherwise LLVM makes functions of it, and each has its epoch check too.

/// One in every byte.
const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
/// The high bit of every byte: where the tests below put their answer for a byte.
const HIGH_BITS: u64 = ONES << 7;

/// Bytes that the copies below may write past the end of the text.
pub(crate) const OVERRUN: usize = 8;

#[inline]
const fn repeat(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The high bit of each byte of `word` that is zero. Bytes above the first hit may be hits by mistake.
#[inline]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGH_BITS
}

/// The bytes that belong to a text of `len` bytes, at most eight.
#[inline]
fn mask(len: usize) -> u64 {
    if len >= 8 { u64::MAX } else { (1 << (len * 8)) - 1 }
}

/// At most eight bytes as a little-endian word, the rest zero.
#[inline(always)]
fn load(text: &[u8]) -> u64 {
    let len = text.len();
    if let Some(bytes) = text.first_chunk::<8>() {
        u64::from_le_bytes(*bytes)
    } else if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << ((len - 4) * 8)
    } else if let [first, .., last] = text {
        u64::from(*first) | u64::from(text[len / 2]) << (len / 2 * 8) | u64::from(*last) << ((len - 1) * 8)
    } else {
        text.first().map_or(0, |&byte| u64::from(byte))
    }
}

#[inline(always)]
fn store(bytes: &mut [u8], at: usize, word: u64) {
    bytes[at..][..8].copy_from_slice(&word.to_le_bytes());
}

/// Where `byte` is first in `text`.
#[inline(always)]
pub(crate) fn find(text: &[u8], byte: u8) -> Option<usize> {
    let hits = |word: [u8; 8]| zeros(u64::from_le_bytes(word) ^ repeat(byte));
    let at = |start: usize, hits: u64| Some(start + hits.trailing_zeros() as usize / 8);
    let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) else {
        let hits = hits(load(text).to_le_bytes()) & mask(text.len());
        return if hits == 0 { None } else { at(0, hits) };
    };
    let first = hits(*first);
    if first != 0 {
        return at(0, first);
    }
    if text.len() > 16 {
        return find_beyond(text, byte);
    }
    // The last word overlaps the one before, in which there is no hit.
    let last = hits(*last);
    if last == 0 { None } else { at(text.len() - 8, last) }
}

/// As [`find`], in a text of more than a word whose first word has no hit.
#[inline(never)]
fn find_beyond(text: &[u8], byte: u8) -> Option<usize> {
    let (words, rest) = text.as_chunks();
    for (index, word) in words.iter().enumerate().skip(1) {
        let hits = zeros(u64::from_le_bytes(*word) ^ repeat(byte));
        if hits != 0 {
            return Some(index * 8 + hits.trailing_zeros() as usize / 8);
        }
    }
    rest.iter().position(|&other| other == byte).map(|at| text.len() - rest.len() + at)
}

/// Copies `text` to `bytes[at..]`, which has room for it and [`OVERRUN`] more, and says whether nothing in it has to be
/// escaped or looked at: no blank, comma, equals sign, backslash, control character, or byte beyond ASCII.
#[inline(always)]
pub(crate) fn copy_if_plain(bytes: &mut [u8], at: usize, text: &[u8]) -> bool {
    let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) else {
        let word = load(text);
        store(bytes, at, word);
        return unusual(word) & mask(text.len()) == 0;
    };
    if text.len() > 16 {
        return copy_long_if_plain(bytes, at, text);
    }
    // The last word overlaps the first.
    let [first, last] = [first, last].map(|word| u64::from_le_bytes(*word));
    store(bytes, at, first);
    store(bytes, at + text.len() - 8, last);
    unusual(first) | unusual(last) == 0
}

/// As [`copy_if_plain`], a call of its own to keep that one small.
#[inline(never)]
fn copy_long_if_plain(bytes: &mut [u8], at: usize, text: &[u8]) -> bool {
    bytes[at..][..text.len()].copy_from_slice(text);
    let (words, rest) = text.as_chunks();
    let found = words.iter().fold(0, |found, word| found | unusual(u64::from_le_bytes(*word)));
    found | unusual(load(rest)) & mask(rest.len()) == 0
}

/// The high bit of each byte that a name or tag value can't have as it is. Bytes above the first may be hits by mistake.
#[inline]
fn unusual(word: u64) -> u64 {
    let to_blank = word.wrapping_sub(repeat(b' ' + 1)) & !word;
    let from_delete = word.wrapping_add(ONES) | word;
    let others = zeros(word ^ repeat(b',')) | zeros(word ^ repeat(b'=')) | zeros(word ^ repeat(b'\\'));
    (to_blank | from_delete | others) & HIGH_BITS
}

/// The high bit of each byte that is not a digit.
#[inline]
fn not_digits(word: u64) -> u64 {
    // What was a digit is now 0 to 9; adding 0x76 carries all else into the high bit, and out of no byte.
    let word = word ^ repeat(b'0');
    ((word & !HIGH_BITS).wrapping_add(repeat(0x76)) | word) & HIGH_BITS
}

/// Copies `text` as [`copy_if_plain`] does, and says whether it is digits with at most one point between them, no more than 16
/// bytes. If it isn't it may still be a number.
#[inline(always)]
pub(crate) fn copy_if_plain_decimal(bytes: &mut [u8], at: usize, text: &[u8]) -> bool {
    let len = text.len();
    let others = match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        (Some(first), Some(last)) if len <= 16 => {
            let [first, last] = [first, last].map(|word| u64::from_le_bytes(*word));
            store(bytes, at, first);
            store(bytes, at + len - 8, last);
            // Of the last word only the bytes that are not in the first.
            [not_digits(first), not_digits(last).checked_shr((16 - len as u32) * 8).unwrap_or(0)]
        }
        (None, None) if len > 0 => {
            let word = load(text);
            store(bytes, at, word);
            [not_digits(word) & mask(len), 0]
        }
        _ => return false,
    };
    let point = match others {
        [0, 0] => return true,
        [other, 0] => other.trailing_zeros() as usize / 8,
        [0, other] => other.trailing_zeros() as usize / 8 + 8,
        _ => return false,
    };
    let is_one = others.iter().all(|&other| other & other.wrapping_sub(1) == 0);
    is_one && point > 0 && point + 1 < len && text[point] == b'.'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bytes on both sides of every limit that the tests on words have.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let interesting = prop::sample::select(b"\x00\x1f !,+-./059:<=>[\\]^az~\x7f\x80\x81\xff".to_vec());
        prop::collection::vec(
            prop_oneof![4 => prop::sample::select(b"0123456789.".to_vec()), 1 => interesting, 1 => any::<u8>()],
            0..40,
        )
    }

    fn copied(text: &[u8], copy: impl Fn(&mut [u8], usize, &[u8]) -> bool) -> (bool, Vec<u8>) {
        let mut room = vec![0xAA; 3 + text.len() + OVERRUN];
        let is_plain = copy(&mut room, 3, text);
        assert_eq!(room[..3], [0xAA; 3]);
        (is_plain, room[3..][..text.len()].to_vec())
    }

    fn is_plain_decimal(text: &[u8]) -> bool {
        let parts: Vec<_> = text.split(|&byte| byte == b'.').collect();
        parts.len() <= 2
            && text.len() <= 16
            && parts.iter().all(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn words_answer_as_bytes_do(text in bytes(), byte in any::<u8>()) {
            for byte in [byte, b',', 0, 0x7f, 0x80] {
                prop_assert_eq!(find(&text, byte), text.iter().position(|&other| other == byte));
            }
            let is_plain = !text.iter().any(|byte| matches!(byte, 0..=b' ' | b',' | b'=' | b'\\' | 0x7f..));
            prop_assert_eq!(copied(&text, copy_if_plain), (is_plain, text.clone()));
            let (is_decimal, written) = copied(&text, copy_if_plain_decimal);
            prop_assert_eq!(is_decimal, is_plain_decimal(&text));
            prop_assert!(!is_decimal || written == text);
        }
    }
}
