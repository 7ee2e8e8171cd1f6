//! Version ranges as Connect takes them from Maven: `4.1`, `[1.0,2.0)`, `[1.0]`, `(,1.0],[1.2,)`.
//!
//! A bare version means that one exactly. Nothing at all is a range that nothing lies in, as Connect has it.

use std::cmp::Ordering;
use std::fmt;

use thiserror::Error;

/// A range of versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRange(Vec<Span>);

/// What is no range.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("Invalid version specification: {0}")]
pub struct NoVersionRange(String);

/// Versions from one to another; without a bound there is none on that side.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Span {
    low: String,
    includes_low: bool,
    high: String,
    includes_high: bool,
}

// === impl VersionRange ===

impl VersionRange {
    /// Reads a range; `None` for `latest`, which every version may be.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Option<Self>, NoVersionRange> {
        let text = text.trim();
        if text == "latest" {
            return Ok(None);
        }
        if !text.contains(['[', ']', '(', ')', ',']) {
            return Ok(Some(Self(vec![Span::exactly(text)])));
        }
        let invalid = || NoVersionRange(text.to_owned());
        let (mut spans, mut rest) = (Vec::new(), text);
        while !rest.is_empty() {
            let end = rest.find([']', ')']).ok_or_else(invalid)?;
            spans.push(Span::parse(&rest[..=end]).ok_or_else(invalid)?);
            let after = rest[end + 1..].trim_start();
            rest = match after.strip_prefix(',') {
                Some(more) if !more.trim().is_empty() => more.trim_start(),
                None if after.is_empty() => after,
                _ => return Err(invalid()),
            };
        }
        Ok(Some(Self(spans)))
    }

    /// Whether a version lies in the range.
    pub fn contains(&self, version: &str) -> bool {
        self.0.iter().any(|span| span.contains(version))
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, span) in self.0.iter().enumerate() {
            let (comma, open, close) = (
                if at == 0 { "" } else { "," },
                if span.includes_low { '[' } else { '(' },
                if span.includes_high { ']' } else { ')' },
            );
            write!(f, "{comma}{open}{},{}{close}", span.low, span.high)?;
        }
        Ok(())
    }
}

// === impl Span ===

impl Span {
    fn exactly(version: &str) -> Self {
        Self { low: version.to_owned(), includes_low: true, high: version.to_owned(), includes_high: true }
    }

    /// `text` ends in a bracket.
    fn parse(text: &str) -> Option<Self> {
        let includes_high = text.ends_with(']');
        let inner = &text[..text.len() - 1];
        let (includes_low, inner) = match (inner.strip_prefix('['), inner.strip_prefix('(')) {
            (Some(inner), _) => (true, inner),
            (_, Some(inner)) => (false, inner),
            _ => return None,
        };
        let Some((low, high)) = inner.split_once(',') else {
            // `(1.0)` leaves out what it names.
            let version = inner.trim();
            return (includes_low && includes_high && !version.is_empty()).then(|| Self::exactly(version));
        };
        let (low, high) = (low.trim(), high.trim());
        let backwards = !low.is_empty() && !high.is_empty() && compare(low, high) != Ordering::Less;
        (!backwards && !high.contains(',') && !inner.contains(['[', '('])).then(|| Self {
            low: low.to_owned(),
            includes_low,
            high: high.to_owned(),
            includes_high,
        })
    }

    fn contains(&self, version: &str) -> bool {
        if self.low.is_empty() && self.high.is_empty() && self.includes_low && self.includes_high {
            return false; // The range of an empty text.
        }
        let above = self.low.is_empty()
            || match compare(version, &self.low) {
                Ordering::Greater => true,
                Ordering::Equal => self.includes_low,
                Ordering::Less => false,
            };
        let below = self.high.is_empty()
            || match compare(version, &self.high) {
                Ordering::Less => true,
                Ordering::Equal => self.includes_high,
                Ordering::Greater => false,
            };
        above && below
    }
}

/// Compares dotted versions number by number; what is missing is zero, and what is no number (a release candidate) comes before it.
fn compare(left: &str, right: &str) -> Ordering {
    let parts = |version: &str| -> Vec<(Option<u64>, String)> {
        version.split(['.', '-']).map(|part| (part.parse().ok(), part.to_owned())).collect()
    };
    let (left, right) = (parts(left), parts(right));
    let zero = (Some(0), String::new());
    for at in 0..left.len().max(right.len()) {
        let (one, other) = (left.get(at).unwrap_or(&zero), right.get(at).unwrap_or(&zero));
        let ordering = match (one.0, other.0) {
            (Some(one), Some(other)) => one.cmp(&other),
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (None, None) => one.1.cmp(&other.1),
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    Ordering::Equal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_what_they_say() {
        for (range, shown, inside, outside) in [
            ("4.1.2", "[4.1.2,4.1.2]", "4.1.2", "4.1.3"),
            ("4.1", "[4.1,4.1]", "4.1.0", "4.1.1"),
            ("[1.0]", "[1.0,1.0]", "1.0", "1.0.1"),
            ("[1.0,2.0)", "[1.0,2.0)", "1.10", "2.0"),
            ("(1.0,2.0]", "(1.0,2.0]", "2.0", "1.0"),
            ("(,1.0],[1.2,)", "(,1.0],[1.2,)", "1.2", "1.1"),
            (" [ 1.0 , 2.0 ] ", "[1.0,2.0]", "1.5", "0.9"),
            ("[1.0-rc1,1.0)", "[1.0-rc1,1.0)", "1.0-rc2", "1.0"),
        ] {
            let read = VersionRange::parse(range).unwrap().unwrap();
            assert_eq!(read.to_string(), shown, "{range}");
            assert!(read.contains(inside) && !read.contains(outside), "{range}");
        }
        assert_eq!(VersionRange::parse("latest"), Ok(None));
        let nothing = VersionRange::parse("").unwrap().unwrap();
        assert!(nothing.to_string() == "[,]" && !nothing.contains("1.0"));
    }

    #[test]
    fn what_is_none_is_told() {
        for text in ["[", "[1.0", "(1.0)", "1.0]", "[2.0,1.0]", "[1,2,3]", "[1,2],", "[1,2]x", "[[1,2]", "a,b", ","] {
            let error = VersionRange::parse(text).unwrap_err();
            assert_eq!(error.to_string(), format!("Invalid version specification: {text}"));
        }
    }
}
