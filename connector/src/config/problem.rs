//! What is wrong with a configuration, told to the person who wrote it.

use std::error::Error;
use std::fmt;

/// Values are shown up to this many characters: enough to recognise one, short enough for a line of a log.
const SHOWN_CHARS_MAX: usize = 80;

/// A configuration that holds, with what its author should know all the same.
#[derive(Debug, Clone)]
pub struct Checked<T> {
    /// The checked configuration.
    pub config: T,
    /// Keys that have no effect, options that do nothing in this combination, and the like.
    pub warnings: Vec<Problem>,
}

/// One thing that is wrong, or worth a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key it is about.
    pub key: String,
    /// Where the value came from if not from the file: an environment variable, a flag.
    pub origin: Option<String>,
    /// The value as written; `None` for a secret, for an unknown key, and where there is none.
    pub value: Option<String>,
    /// What is wrong. Never repeats the value, which may have come out of a `${…}`.
    pub what: String,
    /// What would be right.
    pub allowed: Option<String>,
    /// Whether what is wrong is said in a sentence that stands by itself, as some of Connect's do.
    is_sentence: bool,
    /// Whether the value must not be shown although the key names no secret, for it may be a misspelt one.
    hides_value: bool,
}

/// All that is wrong with a configuration. `Display` gives one line for each problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// What has to be repaired, in the order of the keys; never empty.
    pub problems: Vec<Problem>,
    /// What was merely worth a warning.
    pub warnings: Vec<Problem>,
}

// === impl Problem ===

impl Problem {
    /// A problem of this key, without a value.
    pub fn new(key: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            origin: None,
            value: None,
            what: what.into(),
            allowed: None,
            is_sentence: false,
            hides_value: false,
        }
    }

    /// The same, said in a sentence that names the key by itself.
    pub(super) fn sentence(key: impl Into<String>, what: impl Into<String>) -> Self {
        Self { is_sentence: true, ..Self::new(key, what) }
    }

    /// Whether what is wrong can be told without the key and the value.
    pub fn is_sentence(&self) -> bool {
        self.is_sentence
    }

    /// The same, showing the value as written, unless the key names a secret.
    #[must_use]
    pub fn with_value(mut self, value: &str) -> Self {
        self.value = if self.hides_value { None } else { super::secret::shown(&self.key, value) };
        self
    }

    /// The same, never showing the value: for a key nobody knows.
    #[must_use]
    pub(super) fn without_value(mut self) -> Self {
        self.hides_value = true;
        self.value = None;
        self
    }

    /// The same, saying what would be right.
    #[must_use]
    pub fn allowed(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = Some(allowed.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if let Some(value) = &self.value {
            let short: String = value.chars().take(SHOWN_CHARS_MAX).collect();
            let more = if short.len() < value.len() { "…" } else { "" };
            write!(f, "={}{more}", short.escape_debug())?;
        }
        if let Some(origin) = &self.origin {
            write!(f, " (from {origin})")?;
        }
        write!(f, ": {}", self.what)?;
        if let Some(allowed) = &self.allowed {
            write!(f, "; allowed: {allowed}")?;
        }
        Ok(())
    }
}

// === impl Problems ===

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            let line_end = if at == 0 { "" } else { "\n" };
            write!(f, "{line_end}{problem}")?;
        }
        Ok(())
    }
}

impl Error for Problems {}
