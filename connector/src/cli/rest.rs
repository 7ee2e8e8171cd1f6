//! The commands that ask a running worker over Kafka Connect's REST API: `list`, `status`, `pause`, `resume`, `stop`, `restart`, `delete`,
//! `offsets`, `apply`, `health`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::client::offsets::{Place, Position};

/// The commands.
#[derive(Debug, Subcommand)]
pub enum RestCommand {
    /// The connectors of a running worker, each with its state.
    #[command(after_help = "\
With -o json: what Connect answers to GET /connectors?expand=status&expand=info, with every setting as it was written.

Examples:
  sluice list
  sluice list --url https://connect:8083 --user me --ca-file ca.pem -o json | jq 'keys'")]
    List(ListArgs),
    /// How connectors and their tasks fare, and why what failed has failed.
    #[command(after_help = "\
With -o json: a list of what Connect answers to GET /connectors/NAME/status; with --watch such a list on a line, whenever something has changed.

Exit codes: 0 nothing that was asked for is FAILED, 1 something is, or is not there, or the worker can't be asked, 2 wrong usage.
With --watch, that of the last look when Ctrl-C ends it.

Examples:
  sluice status
  sluice status crypto-prices --full
  sluice status --watch")]
    Status(StatusArgs),
    /// Let connectors rest: they keep their tasks and their place in the group, and take no records.
    #[command(after_help = EXAMPLE_CHANGE)]
    Pause(ChangeArgs),
    /// Let paused or stopped connectors go on.
    #[command(after_help = EXAMPLE_CHANGE)]
    Resume(ChangeArgs),
    /// Stop connectors: they have no tasks and leave their group until they are resumed, and their offsets can be changed.
    #[command(after_help = EXAMPLE_CHANGE)]
    Stop(ChangeArgs),
    /// Delete connectors. The offsets of their groups stay: one of the same name goes on from there.
    #[command(after_help = "\
Asks first if there is a terminal to answer at; without one it refuses unless --yes is given.

With -o json: a list of {name, action, outcome, message}; outcome is done, requested (--no-wait) or failed.

Examples:
  sluice delete crypto-prices
  sluice delete old-one old-two --yes")]
    Delete(DeleteArgs),
    /// Restart a connector, its tasks, or what has failed of them.
    #[command(after_help = "\
Does not wait for it: `sluice status NAME --watch` shows what comes of it.

With -o json: {name, connector, tasks}: whether the connector itself is restarted, and the numbers of the tasks that are.

Examples:
  sluice restart crypto-prices                                     the connector itself, no task
  sluice restart crypto-prices --include-tasks --only-failed       what has failed
  sluice restart crypto-prices --task 3")]
    Restart(RestartArgs),
    /// Where a connector's group stands; changes it while the connector is STOPPED.
    #[command(after_help = "\
What is committed is the offset of the next record that is read. To change offsets the connector has to be STOPPED
(`sluice stop NAME`, which waits until it is); it goes on from there when it is resumed.

With -o json: Connect's own {offsets: [{partition, offset}]}, and {message} for a change.

Examples:
  sluice offsets crypto-prices
  sluice offsets crypto-prices --set prices:0=1200 --set prices:1=900
  sluice offsets crypto-prices --delete prices:0        it begins anew by auto.offset.reset
  sluice offsets crypto-prices --reset                  all of them")]
    Offsets(OffsetsArgs),
    /// Whether a worker is well, as an exit code: for a container's health check and for scripts.
    #[command(after_help = "\
Asks /health/ready: whether every connector runs. With --live it asks /health/live: whether the process turns, whatever Kafka and InfluxDB do;
that is the one to restart a container by.

Exit codes: 0 it is, 1 it is not, or it can't be asked, 2 wrong usage

Examples:
  sluice health
  sluice health --live --url https://connect:8083 --ca-file ca.pem")]
    Health(HealthArgs),
    /// Bring connectors to what files say: shows the difference and changes only what differs.
    #[command(after_help = "\
A file is .properties, flat .json, or Connect's {name, config}; it has to say the connector's name. A connector that is not there is made, one whose
settings differ gets those of the file, one that is equal is left alone. Secrets are shown as ***, placeholders (${env:NAME}) as they are written.
A file that fails does not keep the others from being applied.

With --dry-run nothing is changed, and the exit code is 0 whether something differs or not.

With -o json: a list of {file, name, action, dry_run, changes: [{key, old, new}], message}; action is created, updated, unchanged or failed.

Exit codes: 0 every file is applied, 1 a file failed, 2 wrong usage

Examples:
  sluice apply crypto.properties sensors.json --dry-run
  sluice apply connectors/*.json")]
    Apply(ApplyArgs),
}

const EXAMPLE_CHANGE: &str = "\
Waits until the state is reached, unless --no-wait is given. A name that fails does not keep the others from their turn.

With -o json: a list of {name, action, outcome, message}; outcome is done, requested (--no-wait) or failed.

Examples:
  sluice pause crypto-prices
  sluice stop crypto-prices sensors --timeout-s 120
  sluice resume crypto-prices --no-wait";

/// Which worker is asked, and as whom.
#[derive(Debug, Args)]
pub struct TargetArgs {
    /// The worker's REST API.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8083", env = "SLUICE_URL")]
    pub url: String,
    /// The user, where the worker wants one. The password is taken from SLUICE_PASSWORD or --password-file.
    #[arg(long, value_name = "NAME", env = "SLUICE_USER")]
    pub user: Option<String>,
    /// A file whose first line is the password.
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// Certificate authorities (PEM) to trust for https, instead of the system's.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// Which worker, and how its answers are printed.
#[derive(Debug, Args)]
pub struct AskArgs {
    /// Where the worker is.
    #[command(flatten)]
    pub target: TargetArgs,
    /// For people, or for scripts.
    #[arg(short = 'o', long = "output", value_enum, default_value_t = Form::Text)]
    pub output: Form,
}

/// `--output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people: a table.
    Text,
    /// For scripts: one JSON document.
    Json,
}

/// `sluice health`.
#[derive(Debug, Args)]
pub struct HealthArgs {
    /// Where the worker is.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Whether the process turns, instead of whether every connector runs.
    #[arg(long)]
    pub live: bool,
    /// How long the answer may take.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout_s: u64,
}

/// `sluice list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Whom to ask.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// `sluice status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The connectors; all, if none is named.
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Whole traces, not their first lines.
    #[arg(long)]
    pub full: bool,
    /// Look again and again until Ctrl-C: redrawn on a terminal, a line for each change anywhere else.
    #[arg(long)]
    pub watch: bool,
    /// Seconds from one look to the next.
    #[arg(long, value_name = "N", default_value_t = 2, requires = "watch", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub interval_s: u32,
    /// Whom to ask.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// Whether to wait for what was asked for.
#[derive(Debug, Args)]
pub struct WaitArgs {
    /// Only ask for it, do not wait until it is so.
    #[arg(long)]
    pub no_wait: bool,
    /// How long to wait for each connector, in seconds.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub timeout_s: u32,
}

/// `sluice pause`, `resume` and `stop`.
#[derive(Debug, Args)]
pub struct ChangeArgs {
    /// The connectors.
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
    /// How long.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// Whom to ask.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// `sluice delete`.
#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// Do not ask whether it is meant.
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Which ones.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// `sluice restart`.
#[derive(Debug, Args)]
pub struct RestartArgs {
    /// The connector.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Its tasks as well.
    #[arg(long)]
    pub include_tasks: bool,
    /// Only what is FAILED.
    #[arg(long)]
    pub only_failed: bool,
    /// Only this task.
    #[arg(long, value_name = "N", conflicts_with_all = ["include_tasks", "only_failed"])]
    pub task: Option<u32>,
    /// Whom to ask.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// `sluice offsets`.
#[derive(Debug, Args)]
pub struct OffsetsArgs {
    /// The connector.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Commit this offset; may be given several times.
    #[arg(long, value_name = "TOPIC:PARTITION=OFFSET")]
    pub set: Vec<Position>,
    /// Forget what is committed for this partition; may be given several times.
    #[arg(long, value_name = "TOPIC:PARTITION")]
    pub delete: Vec<Place>,
    /// Forget everything that is committed.
    #[arg(long, conflicts_with_all = ["set", "delete"])]
    pub reset: bool,
    /// Whom to ask.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// `sluice apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Files of connectors (.properties or .json).
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Show what would be changed, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Whom to ask.
    #[command(flatten)]
    pub ask: AskArgs,
}
