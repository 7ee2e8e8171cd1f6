//! The arguments of `sluice feed`.

use std::path::PathBuf;

use clap::Args;

use super::WorkerArgs;
use crate::feed::SYMBOLS;

/// The most symbols of the walk.
const SYMBOLS_MAX: i64 = SYMBOLS.len() as i64;

/// `sluice feed`.
#[derive(Debug, Args)]
pub struct FeedArgs {
    /// The topic.
    #[arg(long)]
    pub topic: String,
    /// Make the topic with so many partitions if it is not there.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub partitions: Option<u16>,
    /// Records per second. Default: 200 prices; a file as fast as the brokers take it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: Option<u32>,
    /// How many of the 16 symbols have prices, the first ones.
    #[arg(long, value_name = "N", default_value_t = SYMBOLS_MAX as u8, value_parser = clap::value_parser!(u8).range(1..=SYMBOLS_MAX), conflicts_with = "file")]
    pub symbols: u8,
    /// The seed of the random walk.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "file")]
    pub seed: u64,
    /// Send the lines of this file instead, each as a record's value; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Begin the file again at its end.
    #[arg(long, requires = "file")]
    pub repeat: bool,
    /// What stands in a line before this character is the record's key, so that its records stay in order; a line without it is its own key. Default: no key.
    #[arg(long, value_name = "CHAR", requires = "file", value_parser = ascii)]
    pub key_separator: Option<char>,
    /// The records' Kafka timestamp, in milliseconds since 1970, instead of the time of sending: for samples that give the same points each time.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(i64).range(0..))]
    pub timestamp_ms: Option<i64>,
    /// End after so many records.
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// End after so many seconds.
    #[arg(long, value_name = "N")]
    pub duration_s: Option<u64>,
    /// Where the topic is.
    #[command(flatten)]
    pub worker: WorkerArgs,
}

fn ascii(text: &str) -> Result<char, String> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() => Ok(char::from(*byte)),
        _ => Err("needs one ASCII character".to_owned()),
    }
}
