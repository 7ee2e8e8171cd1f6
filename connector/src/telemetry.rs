//! Logs: one line per event on standard error, as text or as JSON. Standard output stays free for results. The levels may change while the program
//! runs: `telemetry/loggers.rs`.

mod loggers;

use std::io::{self, IsTerminal};
use std::str::FromStr;

use tracing::span::EnteredSpan;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub use loggers::{LogLevel, LoggerError, LoggerLevel, Loggers, ROOT};

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people: time, level, place, message, fields.
    #[default]
    Text,
    /// For collectors: one JSON object per line.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level is neither a level nor a list of directives.
    #[error(
        "cannot use log level {given:?}: {wrong:?} is none of error, warn, info, debug, trace, off, nor of the form module=level \
         (several are parted by commas, as in \"info,sluice=debug\")"
    )]
    Level {
        /// What was asked for.
        given: String,
        /// The part that is wrong.
        wrong: String,
    },
    /// Another logger is installed already.
    #[error("cannot start logging: it was started before in this process")]
    AlreadyStarted,
}

/// What every log line of a task's thread says: connector, task, and the version of the transform that runs. Stays on the thread it is
/// made on.
#[derive(Debug)]
pub struct TaskSpan {
    connector: String,
    task: u32,
    entered: Option<EnteredSpan>,
}

// === impl TaskSpan ===

impl TaskSpan {
    /// For the thread of a task, before any version runs.
    pub fn new(connector: &str, task: u32) -> Self {
        let entered = Some(tracing::info_span!("task", connector, task).entered());
        Self { connector: connector.to_owned(), task, entered }
    }

    /// Log lines say `module` from now on. A span made anew, because a field that is recorded again stands twice in text.
    pub fn runs(&mut self, module: &str) {
        // The old one is left first: spans are left in the order in which they were not entered.
        self.entered = None;
        self.entered =
            Some(tracing::info_span!("task", connector = self.connector, task = self.task, module).entered());
    }
}

/// The words for a level, loudest last.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Starts logging to `writer`, standard error but for whoever has to share it with a live view. `level` is one word, or directives as in `info,sluice::sink=trace`;
/// from then on [`Loggers::of_process`] shows and changes the levels.
///
/// # Errors
/// If the level can't be understood, or logging was started before.
pub fn init<W>(format: LogFormat, level: &str, writer: W) -> Result<(), TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let loggers = Loggers::new(&filter(level)?);
    let filter = loggers.layer();
    let colours = format == LogFormat::Text && io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_ansi(colours).with_writer(writer);
    let started = match format {
        LogFormat::Text => builder.finish().with(filter).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_span_list(false).finish().with(filter).try_init(),
    };
    started.map_err(|_| TelemetryError::AlreadyStarted)?;
    loggers.install();
    Ok(())
}

/// The filter for what the user asked for. `debug` and `trace` alone are meant for this program: its HTTP and Wasm
/// libraries stay at `info`, which would bury ours otherwise.
fn filter(level: &str) -> Result<Targets, TelemetryError> {
    let wrong = |part: &str| TelemetryError::Level { given: level.to_owned(), wrong: part.to_owned() };
    // The library takes an unknown word for the name of a module to be traced, so words are checked here.
    let known = |word: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
    let mut directives = String::new();
    for part in level.split(',').map(str::trim) {
        let target = part.rsplit_once('=').map(|(target, level)| (target.trim(), level.trim()));
        let directive = match target {
            Some((target, level)) if !target.is_empty() && known(level) => format!("{target}={level}"),
            None if known(part) && LEVELS[4..].iter().any(|fine| fine.eq_ignore_ascii_case(part)) => {
                format!("info,sluice={part}")
            }
            None if known(part) => part.to_owned(),
            _ => return Err(wrong(part)),
        };
        // Parsed one by one, so that the error names the part.
        directive.parse::<Targets>().map_err(|_| wrong(part))?;
        directives.push_str(&directive);
        directives.push(',');
    }
    directives.trim_end_matches(',').parse().map_err(|_| wrong(level))
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(format!("log format {other:?} is neither text nor json")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn levels_and_directives_are_understood() {
        for (level, expected) in [
            ("warn", "warn"),
            ("INFO", "info"),
            ("off", "off"),
            ("debug", "sluice=debug,info"),
            ("info,sluice::sink=trace", "sluice::sink=trace,info"),
            (" error , hyper = debug ", "hyper=debug,error"),
        ] {
            assert_eq!(filter(level).unwrap().to_string(), expected, "{level}");
        }
    }

    #[test]
    fn a_wrong_level_is_named_with_what_is_allowed() {
        for (level, wrong) in [
            ("loud", "loud"),
            ("", ""),
            ("info,", ""),
            ("info,sluice=loud", "sluice=loud"),
            ("=info", "=info"),
            ("info,verbose", "verbose"),
        ] {
            let message = filter(level).unwrap_err().to_string();
            assert!(message.contains(&format!("{wrong:?} is none of")), "{level:?}: {message}");
            assert!(LEVELS.iter().all(|level| message.contains(level)), "{message}");
        }
    }

    #[test]
    fn formats_have_names() {
        assert_eq!("text".parse(), Ok(LogFormat::Text));
        assert_eq!("json".parse(), Ok(LogFormat::Json));
        assert_eq!("xml".parse::<LogFormat>(), Err("log format \"xml\" is neither text nor json".to_owned()));
    }

    #[test]
    fn logging_is_started_once() {
        // Whichever test of this process started it first, the second of these finds it started.
        let _ = init(LogFormat::Json, "off", io::stderr);
        assert!(matches!(init(LogFormat::Text, "off", io::stderr), Err(TelemetryError::AlreadyStarted)));
    }
}
