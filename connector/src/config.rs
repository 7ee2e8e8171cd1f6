//! What was written, and what is true: settings of a connector and of the worker.
//!
//! A setting travels through four files, in this order: [`load`] reads a `.properties` or `.json` file into a flat map of strings,
//! [`resolve`] replaces `${env:…}`, `${file:…}` and `${dir:…}`, [`keys`] is the table of every key (type, default, range, meaning), and
//! [`ConnectorConfig::check`] and [`WorkerConfig::check`] turn the map into the types of this file, whose values need no second look.
//!
//! Checking reports **all** problems at once, does no IO but the resolving of placeholders (which tests replace), and never repeats a
//! secret: a problem shows a value as it was written, placeholder and all, and not at all if its key names a secret.

mod bound;
mod connector;
mod cross;
pub mod environment;
mod errors;
pub mod kafka;
pub mod keys;
mod librdkafka;
mod listeners;
mod load;
mod overrides;
mod problem;
mod properties;
mod providers;
mod read;
pub mod resolve;
mod response_headers;
mod rules;
mod secret;
mod swap;
mod worker;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

pub(crate) use connector::{subscribes, too_many};
pub use errors::{BudgetConfig, DISCARDS, DeadLettersConfig, ErrorsConfig, RestartConfig};
pub(crate) use listeners::OPEN;
pub use listeners::{CertificateFiles, CrossOrigin, Limits, ListenAddress, ListenerConfig};
pub use load::{ConfigError, Fault, load};
pub(crate) use load::{parse_json, parse_properties};
pub use overrides::OverridePolicy;
pub use problem::{Checked, Problem, Problems};
pub use providers::Providers;
pub use response_headers::ResponseHeader;
pub use rules::{ConnectorRules, Rules};
pub(crate) use secret::shown;
pub use secret::{Secret, is_secret, redacted};
pub use swap::{CompileLimits, PolicyConfig, ShadowRequire, SwapConfig};
pub use worker::{ENV_PREFIX, WorkerConfig};

/// One connector, checked.
#[derive(Clone)]
pub struct ConnectorConfig {
    /// The connector's name; its consumer group is the worker's prefix followed by it.
    pub name: String,
    /// The settings as they were written, placeholders unresolved: what the REST API echoes. `Debug` hides the secrets in it.
    pub raw: BTreeMap<String, String>,
    /// How many tasks share the partitions (`tasks.max`).
    pub tasks_max: NonZeroU32,
    /// Which topics are read.
    pub topics: Topics,
    /// The transform and its limits.
    pub transform: TransformConfig,
    /// Where and how points are written.
    pub influx: InfluxConfig,
    /// How large request bodies grow and how many are under way.
    pub batch: BatchConfig,
    /// How points without a timestamp of their own are kept apart.
    pub tiebreak: Tiebreak,
    /// How often offsets are committed.
    pub offset_flush_interval: Duration,
    /// How long a partition may stand still although there is something to read (`stall.timeout.ms`); `None` for ever.
    pub stall_timeout: Option<Duration>,
    /// What becomes of records that cannot be written.
    pub errors: ErrorsConfig,
    /// `consumer.override.*`, without the prefix and under librdkafka's names.
    pub consumer: BTreeMap<String, String>,
    /// `producer.override.*`, likewise.
    pub producer: BTreeMap<String, String>,
}

/// Which topics a connector reads: `topics` or `topics.regex`, never both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topics {
    /// Named one by one; not empty, no name twice.
    List(Vec<String>),
    /// Every topic whose whole name this regular expression matches, as it was written.
    Regex(String),
}

/// The transform of a connector.
#[derive(Clone)]
pub struct TransformConfig {
    /// Which module.
    pub module: ModuleRef,
    /// `transform.config.*` without the prefix, in the order of the names, placeholders resolved. `Debug` shows the names only.
    pub settings: Vec<(String, String)>,
    /// The linear memory an instance may grow to, in bytes.
    pub memory_max_bytes: usize,
    /// The time one call may take.
    pub timeout: Duration,
    /// How it is replaced while it runs.
    pub swap: SwapConfig,
}

/// Where a transform's module comes from (`transform.module`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModuleRef {
    /// Shipped inside the program: `builtin:<name>`.
    Builtin(String),
    /// A file.
    Path(PathBuf),
    /// An uploaded module, by the sha256 of its bytes in lower-case hexadecimal: `sha256:<digest>`.
    Digest(String),
}

/// Where points are written, and how.
#[derive(Debug, Clone)]
pub struct InfluxConfig {
    /// `http(s)://host[:port][/prefix]`: no credentials, no query, no slash at the end.
    pub url: String,
    /// Which InfluxDB it is.
    pub version: VersionSetting,
    /// The database of InfluxDB 1 and 3.
    pub database: Option<String>,
    /// The retention policy of InfluxDB 1; without it the database's default one is used.
    pub retention_policy: Option<String>,
    /// The user of InfluxDB 1; there is a password whenever there is a user.
    pub username: Option<String>,
    /// The password of InfluxDB 1.
    pub password: Option<Secret>,
    /// The organisation of InfluxDB 2.
    pub org: Option<String>,
    /// The bucket of InfluxDB 2.
    pub bucket: Option<String>,
    /// The token of InfluxDB 2 and 3.
    pub token: Option<Secret>,
    /// Whether bodies are compressed.
    pub compression: Compression,
    /// The time a whole request may take.
    pub request_timeout: Duration,
    /// The time connecting may take.
    pub connect_timeout: Duration,
    /// A PEM file of the certificate authorities to trust instead of the built-in ones.
    pub tls_ca_location: Option<PathBuf>,
    /// Whether the server's certificate is left unchecked.
    pub tls_insecure: bool,
}

/// What `influx.version` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionSetting {
    /// Ask the server.
    Auto,
    /// Take this one.
    Fixed(Product),
}

/// The InfluxDB line spoken: each has its own endpoint, parameters and errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Product {
    /// InfluxDB 1, and what speaks like it (VictoriaMetrics).
    V1,
    /// InfluxDB 2.
    V2,
    /// InfluxDB 3.
    V3,
}

/// Whether request bodies are compressed (`influx.compression`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Unless the server is on this machine.
    Auto,
    /// Never.
    None,
    /// Always.
    Gzip,
}

/// How large request bodies grow, and how many are under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchConfig {
    /// A body is cut at this many lines.
    pub max_lines: NonZeroUsize,
    /// A body is cut at this many bytes, uncompressed.
    pub max_bytes: NonZeroUsize,
    /// How long a body waits for more lines although the lane is free.
    pub linger: Duration,
    /// How many requests may be unanswered at once.
    pub requests_in_flight: RequestsInFlight,
}

/// How many requests may be unanswered at once (`requests.in.flight`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestsInFlight {
    /// 1 on InfluxDB 1 and 2; 8 on InfluxDB 3, which answers once a second.
    Auto,
    /// This many.
    Fixed(NonZeroUsize),
}

/// How points without a timestamp of their own are kept apart within a millisecond (`timestamp.tiebreak`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tiebreak {
    /// By the record's offset and partition, in the digits below the millisecond.
    Offset,
    /// Not at all: points of one series in one millisecond overwrite each other.
    None,
}

// === impl ConnectorConfig ===

impl fmt::Debug for ConnectorConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectorConfig")
            .field("name", &self.name)
            .field("raw", &redacted(&self.raw))
            .field("tasks_max", &self.tasks_max)
            .field("topics", &self.topics)
            .field("transform", &self.transform)
            .field("influx", &self.influx)
            .field("batch", &self.batch)
            .field("tiebreak", &self.tiebreak)
            .field("offset_flush_interval", &self.offset_flush_interval)
            .field("stall_timeout", &self.stall_timeout)
            .field("errors", &self.errors)
            .field("consumer", &self.consumer.keys())
            .field("producer", &self.producer.keys())
            .finish()
    }
}

// === impl TransformConfig ===

impl fmt::Debug for TransformConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A setting may have come from a `${…}`, so that any of them may be a secret.
        let names: Vec<&str> = self.settings.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("TransformConfig")
            .field("module", &self.module)
            .field("settings", &names)
            .field("memory_max_bytes", &self.memory_max_bytes)
            .field("timeout", &self.timeout)
            .field("swap", &self.swap)
            .finish()
    }
}

// === impl Topics ===

impl Topics {
    /// What to subscribe to at librdkafka, which takes a name that begins with `^` as a POSIX extended regular expression.
    pub fn subscription(&self) -> Vec<String> {
        match self {
            Self::List(names) => names.clone(),
            Self::Regex(pattern) => vec![format!("^({pattern})$")],
        }
    }
}

// === impl ModuleRef ===

impl fmt::Display for ModuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin(name) => write!(f, "builtin:{name}"),
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Digest(digest) => write!(f, "sha256:{digest}"),
        }
    }
}

// === impl Product ===

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "InfluxDB 1",
            Self::V2 => "InfluxDB 2",
            Self::V3 => "InfluxDB 3",
        })
    }
}
