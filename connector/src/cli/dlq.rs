//! The command line of `sluice dlq`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{WorkerArgs, key_value};
use crate::dlq::letter::Position;
use crate::dlq::moment::Moment;

/// `sluice dlq`.
#[derive(Debug, Args)]
pub struct DlqArgs {
    /// What to do with dead letters.
    #[command(subcommand)]
    pub command: DlqCommand,
}

/// The commands of `sluice dlq`.
#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// One line for each letter, the newest last, then how many there are of each stage and reason. Joins no group, commits nothing.
    #[command(after_help = "\
A line is: position in the dead-letter topic, time of the record, where the record was (topic-partition@offset), stage, reason.
A letter has the time of its record: that is what --since, --until and the order go by.
With --connector, only letters which that connector wrote or which do not say who did.
With --format json, each letter is an object on a line of its own, and the last line is an object with the one key `summary`.

Examples:
  sluice dlq list --connector crypto.properties --bootstrap-servers localhost:9092
  sluice dlq list --topic crypto-dead --stage sink --reason 'field type conflict' --since 2h")]
    List(ListArgs),
    /// One letter whole: where it comes from, why it is here, and the record. What could harm a terminal is escaped.
    #[command(after_help = "\
Examples:
  sluice dlq show --connector crypto.properties 0:17
  sluice dlq show --topic crypto-dead 0:17 --raw > value.bin")]
    Show(ShowArgs),
    /// Transform and write dead letters again, with the timestamps that their records would have got at first.
    #[command(after_help = "\
A record gets its original topic, partition, offset and time, so its points are those that it would have become at first, and
replaying it twice changes nothing. Nothing is ever removed from the dead-letter topic.

What is done is noted letter by letter, in the offset and its metadata that the group `sluice-dlq-<connector>` commits: the offset is
that of the first letter that is not done. A letter is done when InfluxDB has acknowledged its points, or the transform has made none
of it. The next run takes what is not done: letters that failed, that were passed over by a filter, that came since, and what
an interrupted run had not come to. Kafka forgets a group's offsets a week after the last commit (offsets.retention.minutes); letters
are then replayed again, which writes the same points.

Exit codes: 0 every letter that was taken is done, 1 something failed or can't be replayed, 2 wrong usage or configuration

Examples:
  sluice dlq replay --connector crypto.properties --module mended.wasm --dry-run
  sluice dlq replay --connector crypto.properties --module mended.wasm
  sluice dlq replay --connector crypto.properties --stage sink --since 2026-11-24T20:00:00Z")]
    Replay(Box<ReplayArgs>),
}

/// Which dead-letter topic.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct TopicArgs {
    /// That of this connector (errors.deadletterqueue.topic.name).
    #[arg(long, value_name = "FILE")]
    pub connector: Option<PathBuf>,
    /// This one.
    #[arg(long)]
    pub topic: Option<String>,
}

/// Which letters.
#[derive(Debug, Default, Args)]
pub struct FilterArgs {
    /// Only with this text in their reason, in upper or lower case.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Only of records that failed in this stage.
    #[arg(long, value_enum)]
    pub stage: Option<Stage>,
    /// Only of records that were in this topic.
    #[arg(long, value_name = "TOPIC")]
    pub from_topic: Option<String>,
    /// Only written by this connector, in place of the one of --connector: it may have had another name.
    #[arg(long, value_name = "NAME")]
    pub from_connector: Option<String>,
    /// Only of records from this time on: 2026-11-24T20:31:05Z, 2026-11-24, milliseconds since 1970, or how long ago (2h).
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub since: Option<Moment>,
    /// Only of records before this time.
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub until: Option<Moment>,
}

/// `--stage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    /// The transform rejected the record or failed on it.
    Transform,
    /// The transform's line is none that can be stored.
    Points,
    /// InfluxDB refused the line.
    Sink,
}

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people.
    Text,
    /// One object on each line.
    Json,
}

/// `sluice dlq list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The topic.
    #[command(flatten)]
    pub topic: TopicArgs,
    /// The letters.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// How many to show, the newest; all are counted.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub limit: u32,
    /// How.
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    pub format: ListFormat,
    /// Where the topic is.
    #[command(flatten)]
    pub worker: WorkerArgs,
}

/// `sluice dlq show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The topic.
    #[command(flatten)]
    pub topic: TopicArgs,
    /// The letter's place in the dead-letter topic, as `list` prints it.
    #[arg(value_name = "PARTITION:OFFSET")]
    pub position: Position,
    /// Write the bytes of the value and nothing else.
    #[arg(long)]
    pub raw: bool,
    /// Where the topic is.
    #[command(flatten)]
    pub worker: WorkerArgs,
}

/// `sluice dlq replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The connector whose letters are replayed: topic, transform, InfluxDB.
    #[arg(long, value_name = "FILE")]
    pub connector: PathBuf,
    /// The module in place of the connector's: `builtin:NAME` or a file.
    #[arg(long)]
    pub module: Option<String>,
    /// A setting of the transform; wins over the connector's.
    #[arg(long = "config", value_name = "KEY=VALUE", value_parser = key_value)]
    pub config: Vec<(String, String)>,
    /// The letters.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// How many to replay at most, from the first that is not done.
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Print the lines that would be written, and what would still fail; write nothing, commit nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Lines in one request at most, in place of the connector's batch.max.lines.
    #[arg(long, value_name = "LINES")]
    pub batch: Option<NonZeroUsize>,
    /// Forget what earlier runs have done, of the whole topic.
    #[arg(long)]
    pub from_start: bool,
    /// Replay letters, too, that do not tell where their record was, or whose time is the dead-letter topic's own. Their own place and
    /// time stand for it: the points get other timestamps than at first, below the millisecond, or altogether if the time is lost.
    #[arg(long)]
    pub without_coordinates: bool,
    /// Where Kafka is.
    #[command(flatten)]
    pub worker: WorkerArgs,
}

// === impl Stage ===

impl Stage {
    /// As letters have it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Transform => "transform",
            Self::Points => "points",
            Self::Sink => "sink",
        }
    }
}
