//! `make bench`: what the data path costs, measured in one run, as ratios against librdkafka alone and Kafka Connect.
//!
//! Without arguments: throughput (librdkafka alone, Kafka Connect with the leanest sink, Sluice, into a server that answers at once, in turns), latency at
//! rates that are kept, memory while the sink stalls (five minutes), then the stages on their own (Criterion), loading a module, hot swap under load, and a hundred connectors in
//! one process, one of them hostile. `--help` tells the options. The program starts what it needs: a broker by `docker/local`, its own producer, its own server.

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
#[path = "bench/latency.rs"]
mod latency;
#[path = "bench/load.rs"]
mod load;
#[path = "bench/memory.rs"]
mod memory;
#[path = "bench/points.rs"]
mod points;
#[path = "bench/process.rs"]
mod process;
#[path = "bench/rest.rs"]
mod rest;
#[path = "bench/rival.rs"]
mod rival;
#[path = "bench/server.rs"]
mod server;
#[path = "bench/sluice_process.rs"]
mod sluice_process;
#[path = "bench/stages.rs"]
mod stages;
#[path = "bench/swap.rs"]
mod swap;
#[path = "bench/throughput.rs"]
mod throughput;
#[path = "bench/wait.rs"]
mod wait;

use clap::Parser;

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
    /// How long the sink stalls while memory is looked at, in seconds.
    #[arg(long, default_value_t = 300)]
    memory_s: u64,
    /// Connectors of the crowd.
    #[arg(long, default_value_t = 100)]
    connectors: u32,
    /// A setting of Sluice's connector for throughput and latency, as `consumer.override.fetch.min.bytes=1000`; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
    /// Only this.
    #[arg(long)]
    only: Option<Part>,
    /// Print the figures as JSON as well.
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
    Throughput,
    Memory,
    Stages,
    Load,
    Swap,
    Crowd,
    Latency,
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
    /// librdkafka alone, the fastest way.
    #[command(hide = true)]
    Consume { brokers: String, topic: String, group: String, records: u64 },
}

fn setting(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("a setting is KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn main() {
    let options = Options::parse();
    match options.role {
        Some(Role::Serve { stall, latency }) => return server::serve(stall, latency),
        Some(Role::Consume { brokers, topic, group, records }) => {
            return alone::consume(&brokers, &topic, &group, records);
        }
        None => {}
    }
    let wanted = |part| options.only.is_none_or(|only| only == part);
    if wanted(Part::Throughput) {
        throughput::run(&options);
    }
    if wanted(Part::Latency) {
        latency::run(&options);
    }
    if wanted(Part::Memory) {
        memory::run(&options);
    }
    if wanted(Part::Stages) {
        stages::run();
    }
    if wanted(Part::Load) {
        load::run();
    }
    if wanted(Part::Swap) {
        swap::run(&options);
    }
    if wanted(Part::Crowd) {
        crowd::run(&options);
    }
}
