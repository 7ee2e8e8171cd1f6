//! Where a command prints, and what that can show.

use std::fmt;
use std::io::{self, IsTerminal as _, Write};

/// Colours, where there are any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// As it comes.
    Plain,
    /// All is well.
    Good,
    /// Not at work, and not broken.
    Warn,
    /// Somebody has to act.
    Bad,
}

/// Where a command prints.
pub struct Screen<'a> {
    /// What was asked for.
    pub(super) out: &'a mut dyn Write,
    /// What failed.
    pub(super) err: &'a mut dyn Write,
    terminal: bool,
    colours: bool,
}

// === impl Tone ===

impl Tone {
    /// That of a state in Connect's words.
    pub(super) fn of_state(state: &str) -> Self {
        match state {
            "RUNNING" => Self::Good,
            "FAILED" => Self::Bad,
            _ => Self::Warn,
        }
    }

    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Good => Some("32"),
            Self::Warn => Some("33"),
            Self::Bad => Some("31"),
        }
    }
}

// === impl Screen ===

impl<'a> Screen<'a> {
    /// Standard output and standard error. Colours are shown on a terminal only, unless `NO_COLOR` is set.
    pub fn standard(out: &'a mut dyn Write, err: &'a mut dyn Write) -> Self {
        let terminal = io::stdout().is_terminal();
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { out, err, terminal, colours: terminal && !refused }
    }

    /// A screen of a test's.
    #[cfg(test)]
    pub(super) fn test(out: &'a mut dyn Write, err: &'a mut dyn Write, terminal: bool) -> Self {
        Self { out, err, terminal, colours: terminal }
    }

    /// Whether the output is drawn on a terminal.
    pub(super) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Text in its colour, if there are colours.
    pub(super) fn paint(&self, tone: Tone, text: &str) -> String {
        match tone.code().filter(|_| self.colours && !text.is_empty()) {
            Some(code) => format!("\x1b[{code}m{text}\x1b[0m"),
            None => text.to_owned(),
        }
    }

    /// A line of what was asked for.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    /// A line about what failed.
    pub(super) fn error(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.err, "sluice: {text}")
    }

    /// One JSON document, indented.
    pub(super) fn json(&mut self, value: &serde_json::Value) -> io::Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
        self.line(&text)
    }
}

impl fmt::Debug for Screen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen")
            .field("terminal", &self.terminal)
            .field("colours", &self.colours)
            .finish_non_exhaustive()
    }
}
