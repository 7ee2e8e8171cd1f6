//! Values that are parts between separators.

use crate::words;

/// The parts of `value` between separators, as they are: `a,,b` has three. A value without a separator is one part.
///
/// The same as `value.split(..)`, but looks at eight bytes at a time.
#[inline(always)]
pub fn split(value: &[u8], separator: u8) -> Parts<'_> {
    Parts { rest: Some(value), separator }
}

/// A part without the blanks and line ends around it.
///
/// The same as `part.trim_ascii()`, but where there is nothing to trim it looks at two bytes and has no loop.
#[inline(always)]
pub fn trim(part: &[u8]) -> &[u8] {
    match part {
        [first, .., last] if *first > b' ' && *last > b' ' => part,
        _ => trim_some(part),
    }
}

#[cold]
#[inline(never)]
fn trim_some(part: &[u8]) -> &[u8] {
    part.trim_ascii()
}

/// The iterator of [`split`].
#[derive(Clone, Debug)]
pub struct Parts<'v> {
    rest: Option<&'v [u8]>,
    separator: u8,
}

impl<'v> Iterator for Parts<'v> {
    type Item = &'v [u8];

    #[inline(always)]
    fn next(&mut self) -> Option<&'v [u8]> {
        let rest = self.rest?;
        if let Some(at) = words::find(rest, self.separator) {
            self.rest = Some(&rest[at + 1..]);
            Some(&rest[..at])
        } else {
            self.rest = None;
            Some(rest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_of_the_standard_library() {
        for value in ["", ",", "a", "a,b", ",a", "a,", "a,,b", "BTC-USD,19890.1212", "12345678,12345678,1234567,"] {
            let expected: Vec<_> = value.as_bytes().split(|&byte| byte == b',').collect();
            assert_eq!(split(value.as_bytes(), b',').collect::<Vec<_>>(), expected, "{value}");
        }
    }

    #[test]
    fn what_is_trimmed_is_that_of_the_standard_library() {
        for part in ["", " ", "a", " a", "a\n", "\t a b \r\n", "\u{b}a", "a\0", "\u{a0}a"] {
            assert_eq!(trim(part.as_bytes()), part.as_bytes().trim_ascii(), "{part:?}");
        }
    }
}
