//! Log levels that change while the program runs, by namespace, as Kafka Connect's `/admin/loggers` has them.
//!
//! A logger is a module of the program (`sluice::sink::lane`), or a library's, or a namespace that somebody has named. Its level is its own, or
//! that of the longest name with a level of its own that its name begins with; `root` is the beginning of every name. Names are shown with dots, as
//! the tools for Connect write them, and taken with dots or `::`.
//!
//! A log call that is switched off costs one load: what this says about a call is kept beside the call by `tracing`, and asked for anew
//! only when a level changes.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer};

/// The logger of everything that no other says anything about.
pub const ROOT: &str = "root";

/// Namespaces that are shown from the start, whether or not anything in them has been logged yet.
const ROOMS: &[&str] = &[
    "librdkafka",
    "sluice",
    "sluice::api",
    "sluice::dead_letter",
    "sluice::pipeline",
    "sluice::registry",
    "sluice::sink",
    "sluice::source",
    "sluice::status",
    "sluice::swap",
    "sluice::transform",
];

/// How many namespaces may be made by naming them, and how long a name may be: whoever invents names must not fill the memory.
const NAMED_MAX: usize = 1000;
const NAME_BYTES_MAX: usize = 256;

/// The loggers of this process, once logging has started.
static OF_PROCESS: OnceLock<Loggers> = OnceLock::new();

/// A level in Log4j's words, which are what Connect's clients send and read; quietest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Taken as [`LogLevel::Error`]: Sluice has no level above it, and what is fatal is logged there.
    Fatal,
    /// Somebody has to act.
    Error,
    /// Somebody should look.
    Warn,
    /// What happens, in few lines.
    Info,
    /// How it happens.
    Debug,
    /// All there is.
    Trace,
    /// The same as [`LogLevel::Trace`].
    All,
}

/// A logger as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoggerLevel {
    /// The level that counts for it, its own or inherited.
    pub level: LogLevel,
    /// When that changed last, in milliseconds since 1970; `None` if it is as at the start.
    pub last_modified_ms: Option<u64>,
}

/// Why a level could not be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoggerError {
    /// The name is longer than any module's.
    #[error("a logger's name has at most {NAME_BYTES_MAX} bytes")]
    NameTooLong,
    /// Too many were made by naming them.
    #[error(
        "{NAMED_MAX} loggers were made by naming them, and no more are: set the level of one that GET /admin/loggers lists, or of root"
    )]
    TooMany,
}

/// The levels. Clones are the same levels.
#[derive(Debug, Clone)]
pub struct Loggers {
    // Nothing is logged while this is locked: the first call of a place that logs asks for the lock.
    table: Arc<Mutex<Table>>,
}

/// Lets pass what the levels let pass; to be laid over whatever writes.
#[derive(Debug)]
pub(super) struct LevelFilterLayer {
    loggers: Loggers,
}

/// Every level, and who is known.
#[derive(Debug)]
struct Table {
    root: Logger,
    /// By target, which has `::` between its parts.
    named: BTreeMap<String, Logger>,
    /// How many of them exist because somebody named them.
    made: usize,
}

/// What is known of one logger.
#[derive(Debug, Clone, Copy, Default)]
struct Logger {
    own: Option<LogLevel>,
    last_modified_ms: Option<u64>,
}

// === impl LogLevel ===

impl LogLevel {
    const ALL: [Self; 8] =
        [Self::Off, Self::Fatal, Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace, Self::All];

    /// The level of this name, in any case.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.label().eq_ignore_ascii_case(word))
    }

    /// The name in upper case.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Off => "OFF",
            Self::Fatal => "FATAL",
            Self::Error => "ERROR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
            Self::Trace => "TRACE",
            Self::All => "ALL",
        }
    }

    /// What passes at this level.
    const fn filter(self) -> LevelFilter {
        match self {
            Self::Off => LevelFilter::OFF,
            Self::Fatal | Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace | Self::All => LevelFilter::TRACE,
        }
    }
}

impl From<LevelFilter> for LogLevel {
    fn from(filter: LevelFilter) -> Self {
        let same = |level: &Self| level.filter() == filter && *level != Self::Fatal;
        Self::ALL.into_iter().find(same).unwrap_or(Self::Off)
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

// === impl Loggers ===

impl Default for Loggers {
    /// Loggers at `INFO` that nothing listens to.
    fn default() -> Self {
        Self::new(&Targets::new().with_default(LevelFilter::INFO))
    }
}

impl Loggers {
    /// Levels as the directives say at the start; what they are silent about is off.
    pub(super) fn new(directives: &Targets) -> Self {
        let level = |filter| Logger { own: Some(LogLevel::from(filter)), last_modified_ms: None };
        let mut named: BTreeMap<_, _> = ROOMS.iter().map(|&room| (room.to_owned(), Logger::default())).collect();
        named.extend(directives.iter().map(|(target, filter)| (target.to_owned(), level(filter))));
        let root = level(directives.default_level().unwrap_or(LevelFilter::OFF));
        Self { table: Arc::new(Mutex::new(Table { root, named, made: 0 })) }
    }

    /// Those of this process. Before logging has started these are [`Loggers::default`].
    pub fn of_process() -> Self {
        OF_PROCESS.get().cloned().unwrap_or_default()
    }

    /// Makes these the loggers of this process.
    pub(super) fn install(self) {
        // Logging starts once, so nobody else has done this.
        let _ = OF_PROCESS.set(self);
    }

    /// What has to be laid over whatever writes, for the levels to count.
    pub(super) fn layer(&self) -> LevelFilterLayer {
        LevelFilterLayer { loggers: self.clone() }
    }

    /// Every logger, by its name with dots.
    pub fn all(&self) -> BTreeMap<String, LoggerLevel> {
        self.lock().shown()
    }

    /// One logger, by its name with dots or `::`.
    pub fn get(&self, name: &str) -> Option<LoggerLevel> {
        let (target, table) = (target(name), self.lock());
        let logger = if target.is_empty() { Some(&table.root) } else { table.named.get(&target) }?;
        Some(LoggerLevel { level: table.level(&target), last_modified_ms: logger.last_modified_ms })
    }

    /// Sets the level of a namespace and of everything in it, at `now_ms` milliseconds since 1970; a namespace that is not known is made. Gives back
    /// the names of those of which the level is another now, sorted.
    ///
    /// # Errors
    ///
    /// If a namespace would have to be made, and its name is too long or there are too many.
    pub fn set(&self, name: &str, level: LogLevel, now_ms: u64) -> Result<Vec<String>, LoggerError> {
        let changed = self.lock().set(&target(name), level, now_ms)?;
        // After the lock: each place that logs asks anew. Only that makes the levels count.
        tracing::callsite::rebuild_interest_cache();
        tracing::info!(logger = shown(&target(name)), %level, changed = changed.len(), "log level set");
        Ok(changed)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing that is done under the lock can panic half-way through a change.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Table ===

impl Table {
    /// The level that counts for a target: of the longest name that it begins with.
    fn level(&self, target: &str) -> LogLevel {
        let prefixes = self.named.iter().filter(|(name, _)| target.starts_with(name.as_str()));
        let own = prefixes.filter_map(|(name, logger)| Some((name.len(), logger.own?)));
        own.max_by_key(|(len, _)| *len).map(|(_, level)| level).or(self.root.own).unwrap_or(LogLevel::Off)
    }

    fn shown(&self) -> BTreeMap<String, LoggerLevel> {
        // In order of names, so what a name begins with has come before it: one pass, however many there are.
        let mut within = vec![("", self.root.own.unwrap_or(LogLevel::Off))];
        let root = LoggerLevel { level: within[0].1, last_modified_ms: self.root.last_modified_ms };
        let mut all = BTreeMap::from([(ROOT.to_owned(), root)]);
        for (target, logger) in &self.named {
            while within.last().is_some_and(|(name, _)| !target.starts_with(name)) {
                within.pop();
            }
            // Root is never taken off: every name begins with nothing.
            let inherited = within.last().map_or(LogLevel::Off, |(_, level)| *level);
            let level = logger.own.unwrap_or(inherited);
            within.push((target, level));
            all.insert(shown(target), LoggerLevel { level, last_modified_ms: logger.last_modified_ms });
        }
        all
    }

    fn set(&mut self, target: &str, level: LogLevel, now_ms: u64) -> Result<Vec<String>, LoggerError> {
        if !target.is_empty() && !self.named.contains_key(target) {
            self.make(target)?;
        }
        let before = self.shown();
        let within = self.named.iter_mut().filter(|(name, _)| name.starts_with(target));
        // Those that have none of their own inherit it.
        within.filter(|(name, logger)| *name == target || logger.own.is_some()).for_each(|(_, logger)| {
            logger.own = Some(level);
        });
        if target.is_empty() {
            self.root.own = Some(level);
        }
        let differs =
            |(name, after): &(String, LoggerLevel)| before.get(name).is_none_or(|old| old.level != after.level);
        let changed: Vec<String> = self.shown().into_iter().filter(differs).map(|(name, _)| name).collect();
        let loggers =
            self.named.iter_mut().map(|(target, logger)| (target.as_str(), logger)).chain([("", &mut self.root)]);
        for (_, logger) in loggers.filter(|(target, _)| changed.binary_search(&shown(target)).is_ok()) {
            logger.last_modified_ms = Some(now_ms);
        }
        Ok(changed)
    }

    fn make(&mut self, target: &str) -> Result<(), LoggerError> {
        if target.len() > NAME_BYTES_MAX {
            return Err(LoggerError::NameTooLong);
        }
        if self.made >= NAMED_MAX {
            return Err(LoggerError::TooMany);
        }
        self.made += 1;
        self.named.insert(target.to_owned(), Logger::default());
        Ok(())
    }

    /// A place that logs was reached for the first time, or asks anew.
    fn note(&mut self, target: &str) {
        if !self.named.contains_key(target) {
            self.named.insert(target.to_owned(), Logger::default());
        }
    }
}

/// A name as the program's log calls have it; empty for root.
fn target(name: &str) -> String {
    if name.eq_ignore_ascii_case(ROOT) { String::new() } else { name.replace('.', "::") }
}

/// A target as it is shown.
fn shown(target: &str) -> String {
    if target.is_empty() { ROOT.to_owned() } else { target.replace("::", ".") }
}

// === impl LevelFilterLayer ===

impl LevelFilterLayer {
    fn passes(&self, metadata: &Metadata<'_>) -> bool {
        // Ours say of which connector and task a line is, and are made once, when a thread starts: they must be there for lines that pass only after a
        // level was changed.
        let own_span = metadata.is_span() && metadata.target().starts_with("sluice");
        own_span || *metadata.level() <= self.loggers.lock().level(metadata.target()).filter()
    }
}

impl<S: Subscriber> Layer<S> for LevelFilterLayer {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.loggers.lock().note(metadata.target());
        // Always or never, and not "ask each time": so a call that is switched off asks nobody.
        if self.passes(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _context: Context<'_, S>) -> bool {
        self.passes(metadata)
    }
}
