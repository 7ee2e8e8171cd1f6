//! How long a record takes until InfluxDB has it, at rates that are kept whatever happens: each record carries the time at which it was due, so that what
//! waits behind something slow counts in full (open loop, no coordinated omission).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};

use crate::Options;
use crate::broker::Broker;
use crate::rival::Rival;
use crate::server::{SHARES, Server};
use crate::sluice_process;
use crate::wait::{PATIENCE, until};

/// Before the first record counts, everybody has read and written some.
const WARM_UP: u64 = 1_000;

/// Whose latency it is.
#[derive(Clone, Copy)]
enum Who<'a> {
    /// What is there before anybody writes: until librdkafka hands a record over.
    Alone,
    Rival(&'a Rival),
    Sluice,
}

pub(crate) fn run(options: &Options) -> Value {
    let broker = Broker::start();
    let rival = Rival::prepare();
    warm_up(&broker, options);
    println!(
        "\nfrom the time at which a record is due to its arrival in the server, ms, over {} s each, open loop:\n",
        options.latency_s
    );
    println!("| | records/s | p50 | p99 | p99.9 | longest | first second p50 | p99 |\n|{}", " --- |".repeat(8));
    let mut all = Vec::new();
    for &rate in &options.rates {
        for who in [Who::Alone, Who::Rival(&rival), Who::Sluice] {
            let name = who.name();
            let (first, rest) = measure(&broker, options, who, rate);
            let ms = |latencies: &[u64]| latencies[1..].iter().map(|&us| us as f64 / 1e3).collect::<Vec<_>>();
            let (first, rest) = (ms(&first), ms(&rest));
            let cells: Vec<_> = rest.iter().chain(&first[..2]).map(|ms| format!("{ms:.2}")).collect();
            println!("| {name} | {rate} | {} |", cells.join(" | "));
            all.push(json!({ "who": name, "records_per_s": rate, "ms": rest, "first_second_ms": first }));
        }
    }
    json!({ "quantiles": SHARES, "runs": all })
}

/// Count and quantiles of the first second and of all after it, in microseconds.
fn measure(broker: &Broker, options: &Options, who: Who<'_>, rate: u64) -> (Vec<u64>, Vec<u64>) {
    let topic = format!("latency-{rate}-{}", who.name().replace(' ', "-"));
    broker.create(&topic, options.partitions);
    let server = match who {
        Who::Alone => Server::of_ages(broker, &topic),
        Who::Rival(_) | Who::Sluice => Server::with_latencies(),
    };
    let (folder, port) = (tempfile::tempdir().unwrap(), server.address.port());
    let _child = match who {
        Who::Alone => None,
        Who::Rival(rival) => Some(rival.start(broker, &topic, &topic, port)),
        Who::Sluice => {
            let settings = sluice_process::settings(&topic, port, &options.settings);
            Some(sluice_process::start(broker, (&topic, &settings), folder.path(), (0, &[])))
        }
    };
    let mut feed = Feed::new(broker, &topic);
    let mut sent = 0;
    let mut send = |records| {
        feed.send(records, rate);
        sent += records;
        until(&format!("{sent} lines"), || server.seen().lines >= sent);
        server.take_latencies()
    };
    send(WARM_UP);
    let first = send(rate);
    send(rate * options.warm_s);
    (first, send(rate * options.latency_s))
}

/// A broker compiles what it has to do for as long as that is new to it, on a core that everybody else would need: who came first would have the
/// longest latencies.
fn warm_up(broker: &Broker, options: &Options) {
    let (topic, rate) = ("latency-warm-up", options.rates.iter().max().copied().unwrap_or(1));
    broker.create(topic, options.partitions);
    let server = Server::of_ages(broker, topic);
    let records = rate * options.warm_s * 3;
    println!("\nwarming up the broker: {records} records");
    Feed::new(broker, topic).send(records, rate);
    until("all of them to be read", || server.seen().lines >= records);
}

/// Produces at a rate.
struct Feed {
    producer: BaseProducer,
    topic: String,
}

// === impl Who ===

impl Who<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Alone => "librdkafka alone",
            Self::Rival(_) => "Kafka Connect",
            Self::Sluice => "Sluice",
        }
    }
}

// === impl Feed ===

impl Feed {
    fn new(broker: &Broker, topic: &str) -> Self {
        let mut config = ClientConfig::new();
        // A request for each record is more than a broker beside all else can take at 10,000 a second; this is a part of the latency that is told.
        config.set("bootstrap.servers", &broker.address).set("linger.ms", "0.5");
        config.set("queue.buffering.max.messages", "1000000");
        Self { producer: config.create().unwrap(), topic: topic.to_owned() }
    }

    /// Sends so many records, each when it is due, or as soon as may be after that.
    fn send(&mut self, records: u64, rate: u64) {
        let since_1970 = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let began = since_1970();
        for number in 0..records {
            let due = began + Duration::from_nanos(number * 1_000_000_000 / rate);
            if let Some(early) = due.checked_sub(since_1970()).filter(|early| !early.is_zero()) {
                self.producer.poll(Duration::ZERO);
                std::thread::sleep(early);
            }
            let value = format!("LAT-USD,{}", due.as_micros());
            if number % 1024 == 0 {
                self.producer.poll(Duration::ZERO);
            }
            // To the partition that librdkafka chooses, which without keys is the same for ten milliseconds. A request is for one partition: records
            // given to all of them in turn would be four times the requests, and the broker would have time for nothing else.
            let record = BaseRecord::<(), str>::to(&self.topic).payload(&value);
            self.producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        self.producer.flush(PATIENCE).unwrap();
    }
}
