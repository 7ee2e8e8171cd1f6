//! The command line: types only, the commands live in their own modules.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::telemetry::LogFormat;

pub mod dlq;
pub mod feed;
pub mod passwd;
pub mod rest;
pub mod swap;

const EXAMPLES: &str = "\
Examples:
  sluice demo                                     prices on the screen, no services needed
  sluice try builtin:split-concat --value BTC-USD,19890.1212
  sluice validate crypto.properties
  sluice run --bootstrap-servers localhost:9092 crypto.properties
  sluice list                                     the connectors of a running worker

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration";

/// Kafka to InfluxDB through WebAssembly transforms.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, about, after_help = EXAMPLES, max_term_width = 110)]
pub struct Cli {
    /// How log lines look; they go to standard error.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text, env = "SLUICE_LOG_FORMAT")]
    pub log_format: Format,
    /// off, error, warn, info, debug, trace, or directives such as `info,sluice::sink=debug`. Default: info, with `demo` and `try` warn.
    #[arg(long, global = true, env = "SLUICE_LOG_LEVEL")]
    pub log_level: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// `--log-format`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For collectors: one object per line.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run connectors until SIGTERM or Ctrl-C.
    #[command(after_help = "\
Examples:
  sluice run --worker worker.properties crypto.properties sensors.json
  SLUICE_BOOTSTRAP_SERVERS=kafka:9092 sluice run crypto.properties

The environment may describe a connector, too: SLUICE_CONNECTOR_INFLUX_URL is influx.url, and so on; __ stands for _ and ___ for -.

The first signal lets writes under way be acknowledged and commits; a second one ends at once, and nothing is lost either way.")]
    Run(RunArgs),
    /// Check connector files: every setting, the module and what the transform says of its settings.
    #[command(after_help = "\
Examples:
  sluice validate crypto.properties sensors.json
  sluice validate --keys                          every setting with type, default and meaning")]
    Validate(ValidateArgs),
    /// Run a transform on given values, a file or the last records of a topic. Writes nothing, commits nothing.
    #[command(
        name = "try",
        after_help = "\
Examples:
  sluice try builtin:split-concat --value BTC-USD,19890.1212 --config symbol.as=tag
  sluice try my.wasm --file values.txt
  sluice try --connector crypto.properties --topic prices --last 20 --bootstrap-servers localhost:9092"
    )]
    Try(TryArgs),
    /// Show prices flowing: Kafka, feed and receiver are inside this process.
    #[command(after_help = "\
Examples:
  sluice demo
  sluice demo --duration-s 10 --rate 5000")]
    Demo(DemoArgs),
    /// Send made-up prices, or the lines of a file, to a topic: something to try connectors and dashboards with.
    #[command(after_help = "\
Examples:
  sluice feed --topic prices --bootstrap-servers localhost:9092                    200 prices a second, until Ctrl-C
  sluice feed --topic prices --rate 10000 --symbols 4 --seed 7 --duration-s 60
  sluice feed --topic prices --file prices.csv --key-separator , --rate 500 --repeat

Prices are a random walk, BTC-USD,67412.35 with the symbol as the record's key; the same seed, rate and number of symbols give the same ones.")]
    Feed(feed::FeedArgs),
    /// Start a transform of your own: a folder that builds with cargo alone.
    #[command(after_help = "\
Examples:
  sluice new sensor-readings
  cd sensor-readings && cargo test && cargo build --release --target wasm32-unknown-unknown
  sluice try target/wasm32-unknown-unknown/release/sensor_readings.wasm --value BTC-USD,19890.1212")]
    New(NewArgs),
    /// Dead letters: list them, look at one, replay them.
    #[command(after_help = "\
Examples:
  sluice dlq list --connector crypto.properties
  sluice dlq show --connector crypto.properties 0:17
  sluice dlq replay --connector crypto.properties --module mended.wasm --dry-run")]
    Dlq(dlq::DlqArgs),
    /// Replace the transform of a running connector: tested first, without a restart.
    #[command(after_help = "\
Examples:
  sluice swap crypto-prices new.wasm --dry-run     what would differ, on the last records
  sluice swap crypto-prices new.wasm
  sluice swap crypto-prices sha256:DIGEST          one that ran before

The worker compiles the module, tries it on the last records beside the version that runs, and shows what differs. What fails is refused,
and nothing has changed; a version that does worse than the one before within transform.probation.ms is taken back by itself.

The connector has to allow it: transform.upload.enable=true. Without that, change the file that transform.module names: it is watched.")]
    Swap(swap::SwapArgs),
    /// Go back to the version of a transform that ran before.
    #[command(after_help = "\
Examples:
  sluice rollback crypto-prices

While a version is on probation, this ends its probation, and the one before runs again. Afterwards it goes to the good version before
this one; done again, further back.")]
    Rollback(swap::RollbackArgs),
    /// The commands that ask a running worker, or any other of Kafka Connect's.
    #[command(flatten)]
    Rest(rest::RestCommand),
    /// Users of the REST API: add one, give one another password or role, remove one.
    #[command(after_help = "\
Examples:
  sluice passwd users ann --role admin             asks for the password twice
  pass show sluice/ann | sluice passwd users ann   the first line of standard input is the password
  sluice passwd users ann --remove

The worker's rest.auth.users.file names the file. A running worker takes the change within seconds.")]
    Passwd(passwd::PasswdArgs),
    /// Make machine code of a module from standard input, within limits: `run` starts this for itself.
    #[command(hide = true)]
    Compile(CompileArgs),
}

/// Where the worker's settings come from.
#[derive(Debug, Args)]
pub struct WorkerArgs {
    /// The worker's settings (.properties or .json).
    #[arg(long, value_name = "FILE")]
    pub worker: Option<PathBuf>,
    /// Kafka brokers, `host:port,…` (bootstrap.servers).
    #[arg(long, value_name = "BROKERS")]
    pub bootstrap_servers: Option<String>,
    /// Where the REST API and the metrics listen, `http://host:port` (listeners).
    #[arg(long, value_name = "URLS")]
    pub listeners: Option<String>,
    /// The folder for state (state.dir).
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<String>,
    /// Folders with modules (plugin.path).
    #[arg(long, value_name = "DIRS")]
    pub plugin_path: Option<String>,
    /// Any other worker setting.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub set: Vec<(String, String)>,
}

/// `sluice run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The worker.
    #[command(flatten)]
    pub worker: WorkerArgs,
    /// Take the connectors of the files over into state.dir, where the REST API may change them; the files count only the first time.
    #[arg(long)]
    pub adopt: bool,
    /// Connector configurations (.properties or .json); more may be made over the REST API.
    #[arg(value_name = "CONNECTOR_FILE")]
    pub connectors: Vec<PathBuf>,
}

/// `sluice validate`.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// Connector configurations (.properties or .json).
    #[arg(value_name = "FILE", required_unless_present_any = ["keys", "env"])]
    pub files: Vec<PathBuf>,
    /// Check the connector that the variables SLUICE_CONNECTOR_… describe, as well.
    #[arg(long)]
    pub env: bool,
    /// Folders with modules (plugin.path).
    #[arg(long, value_name = "DIRS")]
    pub plugin_path: Option<String>,
    /// Print every setting instead.
    #[arg(long)]
    pub keys: bool,
}

/// `sluice try`.
#[derive(Debug, Args)]
pub struct TryArgs {
    /// The module: `builtin:NAME` or a file.
    #[arg(required_unless_present = "connector")]
    pub module: Option<String>,
    /// Take module, settings and limits from this connector configuration.
    #[arg(long, value_name = "FILE")]
    pub connector: Option<PathBuf>,
    /// A setting of the transform; wins over the file's.
    #[arg(long = "config", value_name = "KEY=VALUE", value_parser = key_value)]
    pub config: Vec<(String, String)>,
    /// A record's value; may be given several times.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub value: Vec<String>,
    /// A file with one value per line; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// A topic to read records from.
    #[arg(long, requires = "last")]
    pub topic: Option<String>,
    /// How many of its newest records.
    #[arg(long, value_name = "N", requires = "topic", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub last: Option<u32>,
    /// Where the topic is.
    #[command(flatten)]
    pub worker: WorkerArgs,
}

/// `sluice demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// End after so many seconds, with a summary; without it, on Ctrl-C or `q`.
    #[arg(long, value_name = "N")]
    pub duration_s: Option<u64>,
    /// Prices per second.
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: u32,
    /// The seed of the random walk: the same prices every time.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Where the page listens, `http://host:port`; port 0 takes a free one.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:0")]
    pub listeners: String,
}

/// `sluice new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The folder to make, whose last part is the name of the transform: lower case letters, digits and `-`.
    #[arg(value_name = "NAME")]
    pub folder: PathBuf,
}

/// `sluice compile`.
#[derive(Debug, Args)]
pub struct CompileArgs {
    /// The CPU time that compiling may take, to the next whole second.
    #[arg(long, value_name = "N")]
    pub timeout_ms: u64,
    /// The address space that it may take.
    #[arg(long, value_name = "N")]
    pub memory_max_bytes: u64,
    /// The process that waits for it: without that one it ends.
    #[arg(long, value_name = "PID")]
    pub parent: Option<u32>,
}

// === impl WorkerArgs ===

impl WorkerArgs {
    /// What was given as flags, by the settings' names.
    pub fn flags(&self) -> BTreeMap<String, String> {
        let named = [
            ("bootstrap.servers", &self.bootstrap_servers),
            ("listeners", &self.listeners),
            ("state.dir", &self.state_dir),
            ("plugin.path", &self.plugin_path),
        ];
        let named = named.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)));
        self.set.iter().cloned().chain(named).collect()
    }
}

impl From<Format> for LogFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Json => Self::Json,
        }
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("needs the form KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_become_settings() {
        let line = ["sluice", "run", "--state-dir", "/s", "--set", "client.id=a=b", "c.properties"];
        let Command::Run(run) = Cli::parse_from(line).command else { panic!("not run") };
        let flags = run.worker.flags();
        assert_eq!(flags["state.dir"], "/s");
        assert_eq!(flags["client.id"], "a=b");
        assert_eq!(flags.len(), 2);
    }
}
