//! Sluice: Kafka records through a WebAssembly transform into InfluxDB.
//!
//! The data path, in the order in which records travel; read the modules in this order:
//!
//! | stage | module | does |
//! | --- | --- | --- |
//! | – | [`record`] | names positions: partition, offset range |
//! | – | [`pipeline`] | the loop of one task, which drives the stages |
//! | source | [`source`] | consumes Kafka in a group, in batches of one partition |
//! | batch | [`batch`] | holds records as columns in an arena |
//! | transform | [`transform`] | runs the user's WebAssembly over a batch, within limits |
//! | points | [`points`] | checks each line and gives it a timestamp |
//! | sink | [`sink`] | merges lines into request bodies, sends them, judges the answer |
//! | commit | [`commit`] | moves the offset over what is decided |
//!
//! Around it: [`config`] (what was written, what is true), [`connector`] and [`app`] (tasks, process), [`api`], [`metrics`] and
//! [`status`] (what can be seen), [`swap`] (a new version of the transform takes over), [`services`] (what connectors share), [`trial`], [`demo`] and [`dlq`] (the commands `try`, `demo` and `dlq`), [`client`] (the commands that ask a running worker).
//!
//! # Guarantee
//!
//! At least once from Kafka to InfluxDB, and effectively once in it: a record's line and timestamp depend on nothing but the
//! record, its position and the module, so a replay writes the same points again.
//!
//! # Invariants
//!
//! - **I1** An offset is committed only when every record at or below it is written, filtered or acknowledged by the dead-letter topic.
//! - **I2** Ranges of a partition chain in the order received; overlap and reorder are refused; holes are legal.
//! - **I3** After a revoke is answered, nothing of that assignment generation commits.
//! - **I4** Memory is bounded: bytes in flight × lanes + guest limits; every queue has a written capacity.
//! - **I5** A record has exactly one fate: written, filtered, dead-lettered, or the task failed before deciding.

pub mod api;
pub mod app;
pub mod batch;
mod certificate;
pub mod cli;
pub mod client;
pub mod commit;
pub mod config;
pub mod connector;
pub mod dead_letter;
pub mod demo;
pub mod dlq;
mod docs;
pub mod feed;
mod files;
#[doc(hidden)]
pub mod fuzz;
mod http;
pub mod metrics;
pub mod offsets;
pub mod passwd;
pub mod pipeline;
pub mod plugins;
pub mod points;
pub mod record;
pub mod registry;
pub mod retry;
pub mod scaffold;
pub mod server;
pub mod services;
pub mod sink;
pub mod source;
mod stage;
pub mod state;
pub mod status;
pub mod stop;
pub mod swap;
pub mod telemetry;
pub mod transform;
pub mod trial;
pub mod validate;

/// librdkafka frees on one thread what another allocated, once per record: 200 ns with glibc's malloc, 55 with jemalloc. The
/// feature `unprefixed_malloc_on_supported_platforms` puts it in place of `malloc` for C code as well.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// An error with its causes, outermost first, on one line.
pub fn trace(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
