//! How long a record takes until InfluxDB has it, at rates that are kept whatever happens: each record carries the time at which it was due, so that what
//! waits behind something slow counts in full (open loop, no coordinated omission).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::Options;
use crate::broker::Broker;
use crate::rival::Rival;
use crate::server::Server;
use crate::sluice_process;
use crate::wait::{PATIENCE, until};

/// Records per second.
const RATES: [u64; 3] = [1_000, 10_000, 100_000];

/// Before the first record counts, everybody has read and written some.
const WARM_UP: u64 = 1_000;

pub(crate) fn run(options: &Options) {
    let broker = Broker::start();
    let rival = Rival::prepare();
    println!(
        "\nfrom the time at which a record is due to its arrival in the server, ms, over {} s each, open loop:",
        options.latency_s
    );
    println!(
        "{:<16} {:>10} {:>9} {:>9} {:>9} {:>9} {:>12}",
        "", "records/s", "p50", "p99", "p99.9", "longest", "first second"
    );
    for rate in RATES {
        for (name, is_rival) in [("Kafka Connect", true), ("Sluice", false)] {
            let server = Server::with_latencies();
            let topic = format!("latency-{rate}-{is_rival}");
            broker.create(&topic, options.partitions);
            let folder = tempfile::tempdir().unwrap();
            let _child = if is_rival {
                rival.start(&broker, &topic, &topic, &server)
            } else {
                let settings = sluice_process::settings(&topic, &server, &options.settings);
                sluice_process::start(&broker, (&topic, &settings), folder.path(), (0, &[]))
            };
            let come = |lines| until(&format!("{lines} lines"), || server.seen().lines >= lines);
            let mut feed = Feed::new(&broker, &topic, options.partitions);
            feed.send(WARM_UP, rate);
            come(WARM_UP);
            server.take_latencies();
            feed.send(rate, rate);
            come(WARM_UP + rate);
            let first = server.take_latencies();
            feed.send(rate * options.latency_s, rate);
            come(WARM_UP + rate * (1 + options.latency_s));
            let rest = server.take_latencies();
            let ms = |us: u64| us as f64 / 1e3;
            println!(
                "{name:<16} {rate:>10} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>12}",
                ms(rest[1]),
                ms(rest[2]),
                ms(rest[3]),
                ms(rest[4]),
                format!("{:.2} {:.2}", ms(first[1]), ms(first[2]))
            );
        }
    }
}

/// Produces at a rate.
struct Feed {
    producer: BaseProducer,
    topic: String,
    partitions: i32,
}

// === impl Feed ===

impl Feed {
    fn new(broker: &Broker, topic: &str, partitions: i32) -> Self {
        let mut config = ClientConfig::new();
        // A request for each record is more than a broker beside all else can take at 10,000 a second; this is a part of the latency that is told.
        config.set("bootstrap.servers", &broker.address).set("linger.ms", "0.5");
        config.set("queue.buffering.max.messages", "1000000");
        Self { producer: config.create().unwrap(), topic: topic.to_owned(), partitions }
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
            let partition = (number % self.partitions as u64) as i32;
            let record = BaseRecord::<(), str>::to(&self.topic).payload(&value).partition(partition);
            self.producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        self.producer.flush(PATIENCE).unwrap();
    }
}
