//! Values that are parts between separators.

use crate::words;

/// The parts of `value` between separators, as they are: `a,,b` has three. A value without a separator is one part.
///
/// The same as `value.split(..)`, but looks at eight bytes at a time.
#[inline(always)]
pub fn split(value: &[u8], separator: u8) -> Parts<'_> {
    Parts { rest: Some(value), separator }
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
}
