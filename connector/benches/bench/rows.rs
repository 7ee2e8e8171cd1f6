//! What each thing that one may ask of Sluice costs: variants of a run in turns with the plain one, which they are ratios to.

use serde_json::{Value, json};

use crate::Options;
use crate::broker::{Broker, Filler, Load, price};
use crate::guests;
use crate::measure::{self, Job, Sink};
use crate::rival::Rival;
use crate::server::Server;
use crate::store::Store;
use crate::table::{self, Row};

/// What the topics hold.
const PRICES: &str = "rows-prices";
const BYTES_100: &str = "rows-100-bytes";
const BYTES_1000: &str = "rows-1000-bytes";
const LINES: &str = "rows-lines";

/// A variant, the topic that it reads, its settings, and the variant that it is a ratio to.
struct Variant {
    name: &'static str,
    topic: &'static str,
    settings: Vec<(String, String)>,
    /// Its place in the list.
    to: usize,
}

pub(crate) fn run(options: &Options) -> Value {
    let broker = Broker::start();
    println!("filling topics with {} records in {} partitions", options.records, options.partitions);
    fill(&broker, options);
    let variants = variants();
    let mut rows: Vec<_> = variants.iter().map(|variant| Row::new(variant.name)).collect();
    for round in 0..options.rounds {
        for (number, (variant, row)) in variants.iter().zip(&mut rows).enumerate() {
            let (server, name) = (Server::start(), format!("rows-{number}-{round}"));
            let job =
                Job { broker: &broker, topic: variant.topic, records: records_of(variant.topic, options), name: &name };
            row.add(measure::sluice(job, Sink::Server(&server), &variant.settings));
        }
    }
    table::print(&rows);
    for (variant, row) in variants.iter().zip(&rows).filter(|(variant, row)| variants[variant.to].name != row.name) {
        table::print_ratio(row, &rows[variant.to]);
    }
    let stores: Vec<_> =
        [Store::influxdb, Store::victoria_metrics].map(|start| into(&broker, options, &start())).into();
    json!({ "variants": table::json(&rows), "stores": stores })
}

fn fill(broker: &Broker, options: &Options) {
    let filler = &Filler::new(1000);
    let padded = |bytes: usize| {
        move |number: u64, random: &mut fastrand::Rng, value: &mut String| {
            price(number, random, value);
            filler.pad(value, bytes, random);
        }
    };
    let line = |_: u64, random: &mut fastrand::Rng, value: &mut String| {
        value.push_str("cryptos BTC-USD=19890.");
        value.push_str(&random.u32(1000..10_000).to_string());
    };
    let partitions = options.partitions;
    broker.fill(PRICES, partitions, options.records);
    for (topic, keys, value) in [
        (BYTES_100, false, &padded(100) as &dyn Fn(u64, &mut fastrand::Rng, &mut String)),
        (BYTES_1000, false, &padded(1000)),
        (LINES, true, &line),
    ] {
        broker.fill_with(&Load { topic, partitions, records: records_of(topic, options), keys, value });
    }
}

/// Of large values a fifth: as many bytes as would otherwise take minutes to produce.
fn records_of(topic: &str, options: &Options) -> u64 {
    if topic == BYTES_1000 { options.records / 5 } else { options.records }
}

fn variants() -> Vec<Variant> {
    let identity = guests::identity();
    let identity = [("transform.module", identity.to_str().unwrap())];
    let letters = [
        ("errors.tolerance", "all"),
        ("errors.deadletterqueue.topic.name", "rows-letters"),
        ("errors.deadletterqueue.topic.replication.factor", "1"),
    ];
    let with_keys = [identity[0], ("transform.config.inputs", "keys,headers")];
    let variants: [(_, _, &[(&str, &str)], _); 10] = [
        ("plain", PRICES, &[], 0),
        ("two tasks", PRICES, &[("tasks.max", "2")], 0),
        ("gzip", PRICES, &[("influx.compression", "gzip")], 0),
        ("batch.max.lines=1000", PRICES, &[("batch.max.lines", "1000")], 0),
        ("records kept for dead letters", PRICES, &letters, 0),
        ("values of 100 bytes", BYTES_100, &[], 0),
        ("values of 1,000 bytes", BYTES_1000, &[], 0),
        ("line protocol by identity", LINES, &identity, 0),
        ("identity that wants keys and headers", LINES, &with_keys, 7),
        ("that with two tasks", LINES, &[with_keys[0], with_keys[1], ("tasks.max", "2")], 8),
    ];
    let own = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
    variants
        .into_iter()
        .map(|(name, topic, settings, to)| Variant { name, topic, settings: settings.iter().map(own).collect(), to })
        .collect()
}

/// Kafka Connect and Sluice, in turns, into a real store.
fn into(broker: &Broker, options: &Options, store: &Store) -> Value {
    let rival = Rival::prepare();
    let mut rows = ["Kafka Connect", "Sluice"].map(|who| Row::new(format!("{who} into {}", store.name)));
    for round in 0..options.rounds {
        for (kind, row) in rows.iter_mut().enumerate() {
            let name = format!("{}-{kind}-{round}", store.name.replace(' ', "-"));
            let job = Job { broker, topic: PRICES, records: options.records, name: &name };
            row.add(if kind == 0 {
                measure::rival(&rival, job, Sink::Store(store))
            } else {
                measure::sluice(job, Sink::Store(store), &[] as &[(&str, &str)])
            });
        }
    }
    table::print(&rows);
    table::print_ratio(&rows[1], &rows[0]);
    table::json(&rows)
}
