//! The comparison: librdkafka alone, Kafka Connect with the leanest sink, and Sluice into a server that answers at once, in turns on one topic.

use std::process::Stdio;

use serde_json::Value;

use crate::Options;
use crate::broker::Broker;
use crate::measure::{self, Figures, Job, Sink};
use crate::process::Child;
use crate::rival::Rival;
use crate::server::Server;
use crate::table::{self, Row};

const TOPIC: &str = "bench";

pub(crate) fn run(options: &Options) -> Value {
    let broker = Broker::start();
    println!("filling a topic with {} records of 18 bytes in {} partitions", options.records, options.partitions);
    broker.fill(TOPIC, options.partitions, options.records);
    let rival = Rival::prepare();
    let names = ["librdkafka alone, by poll", "librdkafka alone", "Kafka Connect", "Sluice"];
    let mut rows = names.map(Row::new);
    for round in 0..options.rounds {
        for (kind, row) in rows.iter_mut().enumerate() {
            let (server, name) = (Server::start(), format!("bench-{kind}-{round}"));
            let job = Job { broker: &broker, topic: TOPIC, records: options.records, name: &name };
            row.add(match kind {
                0 => alone(job, "poll"),
                1 => alone(job, "queue"),
                2 => measure::rival(&rival, job, Sink::Server(&server)),
                _ => measure::sluice(job, Sink::Server(&server), &options.settings),
            });
        }
    }
    table::print(&rows);
    let [_, alone, connect, sluice] = &rows;
    table::print_ratio(sluice, alone);
    table::print_ratio(sluice, connect);
    table::json(&rows)
}

/// librdkafka alone, in a process of its own.
fn alone(job: Job<'_>, how: &str) -> Figures {
    let records = job.records.to_string();
    let arguments = ["consume", how, &job.broker.address, job.topic, job.name, &records];
    let mut child = Child::spawn(std::env::current_exe().unwrap(), &arguments, Stdio::null());
    let line = child.line();
    let figures: Vec<f64> = line.split(' ').map(|figure| figure.parse().unwrap()).collect();
    Figures {
        records_per_s: figures[0],
        cpu_s_per_million: figures[1] / job.records as f64 * 1e6,
        peak_mb: figures[2],
        first_write_s: None,
    }
}
