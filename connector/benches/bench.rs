//! `make bench`: what the data path costs, measured in one run, as ratios against librdkafka alone and Kafka Connect.
//!
//! Without arguments all of its parts run, which takes most of an hour; `--only` names one, `--help` tells the options, and `docs/BENCHMARKS.md` how to read what
//! comes out. The program starts what it needs: services by `docker/local`, its own producer, its own server.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench stops at the first surprise and prints its table"
)]

#[path = "bench/alone.rs"]
mod alone;
#[path = "bench/broker.rs"]
mod broker;
#[path = "bench/crowd.rs"]
mod crowd;
#[path = "bench/figures.rs"]
mod figures;
#[path = "bench/growth.rs"]
mod growth;
#[path = "bench/guests.rs"]
mod guests;
#[path = "bench/idle.rs"]
mod idle;
#[path = "bench/latency.rs"]
mod latency;
#[path = "bench/load.rs"]
mod load;
#[path = "bench/measure.rs"]
mod measure;
#[path = "bench/memory.rs"]
mod memory;
#[path = "bench/plot.rs"]
mod plot;
#[path = "bench/points.rs"]
mod points;
#[path = "bench/process.rs"]
mod process;
#[path = "bench/rest.rs"]
mod rest;
#[path = "bench/rival.rs"]
mod rival;
#[path = "bench/rows.rs"]
mod rows;
#[path = "bench/server.rs"]
mod server;
#[path = "bench/services.rs"]
mod services;
#[path = "bench/sluice_process.rs"]
mod sluice_process;
#[path = "bench/stages.rs"]
mod stages;
#[path = "bench/store.rs"]
mod store;
#[path = "bench/swap.rs"]
mod swap;
#[path = "bench/table.rs"]
mod table;
#[path = "bench/throughput.rs"]
mod throughput;
#[path = "bench/wait.rs"]
mod wait;
#[path = "work.rs"]
mod work;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// What the data path costs.
#[derive(Debug, Parser)]
struct Options {
    /// Records in the topic.
    #[arg(long, default_value_t = 5_000_000)]
    records: u64,
    /// Partitions of the topic.
    #[arg(long, default_value_t = 4)]
    partitions: i32,
    /// How often each is measured, in turns.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long latency is measured at each rate, in seconds.
    #[arg(long, default_value_t = 10)]
    latency_s: u64,
    /// How long each runs at a rate before its latency counts, in seconds; its first second is told apart.
    #[arg(long, default_value_t = 20)]
    warm_s: u64,
    /// The rates at which latency is measured, in records per second.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000])]
    rates: Vec<u64>,
    /// How long the sink stalls while memory is looked at, in seconds.
    #[arg(long, default_value_t = 300)]
    memory_s: u64,
    /// Draw how cost grows into this folder.
    #[arg(long, value_name = "FOLDER")]
    plots: Option<PathBuf>,
    /// Connectors of the crowd.
    #[arg(long, default_value_t = 100)]
    connectors: u32,
    /// A setting of Sluice's connector for throughput and latency, as `consumer.override.fetch.min.bytes=1000`; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
    /// Only this.
    #[arg(long)]
    only: Option<Part>,
    /// Print all figures as JSON at the end.
    #[arg(long)]
    json: bool,
    /// Cargo says so.
    #[arg(long, hide = true)]
    bench: bool,
    /// The program as one of its own parts.
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Records per second beside librdkafka alone and Kafka Connect.
    Throughput,
    /// How long a record takes, at rates that are kept, beside Kafka Connect.
    Latency,
    /// What settings, kinds of records and real stores change.
    Rows,
    /// How cost grows.
    Growth,
    /// Memory while the sink stalls.
    Memory,
    /// What a process costs while there is nothing to do, and while its sink stalls.
    Idle,
    /// The stages of the data path on their own.
    Stages,
    /// Loading a module.
    Load,
    /// Hot swap under load.
    Swap,
    /// A hundred connectors in one process, one of them hostile.
    Crowd,
}

#[derive(Debug, clap::Subcommand)]
enum Role {
    /// A server that answers 204 at once and counts lines, or stalls, or keeps how old they were.
    #[command(hide = true)]
    Serve {
        stall: Option<server::Stall>,
        #[arg(long)]
        latency: bool,
    },
    /// librdkafka alone, which keeps how old records were.
    #[command(hide = true)]
    Age { brokers: String, topic: String },
    /// librdkafka alone.
    #[command(hide = true)]
    Consume { how: alone::How, brokers: String, topic: String, group: String, records: u64 },
}

fn setting(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("a setting is KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn main() {
    let options = Options::parse();
    match options.role {
        Some(Role::Serve { stall, latency }) => return server::serve(stall, latency),
        Some(Role::Age { brokers, topic }) => return server::serve_ages(&brokers, &topic),
        Some(Role::Consume { how, brokers, topic, group, records }) => {
            return alone::consume(how, &brokers, &topic, &group, records);
        }
        None => {}
    }
    let mut all = serde_json::Map::new();
    for part in Part::value_variants().iter().filter(|&&part| options.only.is_none_or(|only| only == part)) {
        let name = part.to_possible_value().expect("no part is hidden").get_name().to_owned();
        all.insert(name, part.run(&options));
    }
    if options.json {
        println!(
            "{}",
            serde_json::json!({ "records": options.records, "partitions": options.partitions, "parts": all })
        );
    }
}

impl Part {
    fn run(self, options: &Options) -> serde_json::Value {
        match self {
            Self::Throughput => throughput::run(options),
            Self::Latency => latency::run(options),
            Self::Rows => rows::run(options),
            Self::Growth => growth::run(options),
            Self::Memory => memory::run(options),
            Self::Idle => idle::run(),
            Self::Stages => stages::run(),
            Self::Load => load::run(),
            Self::Swap => swap::run(options),
            Self::Crowd => crowd::run(options),
        }
    }
}
