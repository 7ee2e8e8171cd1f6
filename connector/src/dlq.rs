//! `sluice dlq`: dead letters listed, shown, replayed.
//!
//! - `letter` is what a letter says, `filter` which ones are meant, `moment` and `text` what is typed and shown;
//! - `list` and `show` read; `replay` runs letters through a transform again and writes their points.

mod filter;
pub mod letter;
mod list;
pub mod moment;
mod replay;
mod show;
pub(crate) mod text;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use thiserror::Error;

use crate::cli::WorkerArgs;
use crate::cli::dlq::{DlqArgs, DlqCommand, TopicArgs};
use crate::config::{ConnectorConfig, WorkerConfig};
use crate::sink::influx::InfluxError;
use crate::source::read::{ReadError, TopicReader};
use crate::transform::TransformError;
use crate::transform::engine::LoadError;
use crate::validate::{self, FileError, WorkerError};
use letter::Position;

/// Why a command on dead letters failed.
#[derive(Debug, Error)]
pub enum DlqError {
    /// The connector's file is no good.
    #[error(transparent)]
    Connector(#[from] FileError),
    /// The worker's settings are no good.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// The connector has no dead-letter topic.
    #[error("{} names no dead-letter topic: set errors.deadletterqueue.topic.name, or give --topic to list and show", path.display())]
    NoTopic {
        /// The connector's file.
        path: PathBuf,
    },
    /// The topic can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There is nothing at this place.
    #[error("topic `{topic}` has no letter at {position}; `sluice dlq list` prints where there are some")]
    NoLetter {
        /// The dead-letter topic.
        topic: String,
        /// The place.
        position: Position,
    },
    /// `--raw` of a letter without a value.
    #[error("letter {position} has no value")]
    NoValue {
        /// Its place.
        position: Position,
    },
    /// The module can't be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The transform can't be started.
    #[error(transparent)]
    Transform(#[from] TransformError),
    /// There can be no client for InfluxDB.
    #[error(transparent)]
    Influx(#[from] InfluxError),
    /// The result can't be printed.
    #[error("could not write the result")]
    Print(#[from] io::Error),
}

// === impl DlqError ===

impl DlqError {
    /// Whether the command line or a configuration has to be changed.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Connector(_) | Self::Worker(_) | Self::NoTopic { .. } | Self::NoLetter { .. } => true,
            Self::Load(_) | Self::Influx(_) => true,
            Self::Read(error) => error.is_usage(),
            Self::Transform(error) => matches!(error, TransformError::Configure { .. }),
            Self::NoValue { .. } | Self::Print(_) => false,
        }
    }
}

/// Runs the command. Gives back whether every letter that was to be replayed is done.
///
/// # Errors
///
/// If the command can't be carried out.
pub async fn run(args: &DlqArgs, out: &mut impl Write) -> Result<bool, DlqError> {
    match &args.command {
        DlqCommand::List(args) => list::run(args, out).map(|()| true),
        DlqCommand::Show(args) => show::run(args, out).map(|()| true),
        DlqCommand::Replay(args) => replay::run(args, out).await,
    }
}

/// Where letters are.
struct Source {
    topic: String,
    /// Whose letters are meant, if a connector was given.
    connector: Option<String>,
    client: BTreeMap<String, String>,
}

// === impl Source ===

impl Source {
    fn open(topic: &TopicArgs, worker: &WorkerArgs) -> Result<Self, DlqError> {
        let worker = validate::read_client(worker)?;
        match (&topic.connector, &topic.topic) {
            (Some(path), _) => {
                let connector = validate::read_connector(path, &worker.plugin_path, &worker.rules)?.config;
                Self::of(&worker, &connector).ok_or_else(|| DlqError::NoTopic { path: path.clone() })
            }
            (None, topic) => {
                Ok(Self { topic: topic.clone().unwrap_or_default(), connector: None, client: worker.client })
            }
        }
    }

    /// The letters of a connector, read with its rights; `None` if it has no topic for them.
    fn of(worker: &WorkerConfig, connector: &ConnectorConfig) -> Option<Self> {
        let topic = connector.errors.dead_letters.as_ref()?.topic.clone();
        let mut client = worker.client.clone();
        client.extend(connector.consumer.clone());
        Some(Self { topic, connector: Some(connector.name.clone()), client })
    }

    fn reader(&self, group: &str) -> Result<TopicReader, ReadError> {
        TopicReader::open(&self.client, group, &self.topic)
    }
}
