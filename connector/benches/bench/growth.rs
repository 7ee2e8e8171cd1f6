//! How cost grows, with records, partitions, tasks, the size of a value and the number of series: a table and a picture each.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::Options;
use crate::broker::{Broker, Filler, Load, price};
use crate::measure::{self, Figures, Job, Sink};
use crate::plot;
use crate::server::Server;
use crate::table::{self, Row};

/// Bytes that a topic of large values holds at most.
const TOPIC_BYTES: u64 = 2_000_000_000;

/// One thing that grows.
struct Dimension {
    name: &'static str,
    /// What the axis says.
    unit: &'static str,
    sizes: fn(&Options) -> Vec<u64>,
    measure: fn(&Broker, &Options, u64) -> Vec<Figures>,
}

const DIMENSIONS: [Dimension; 5] = [
    Dimension {
        name: "records",
        unit: "records in the topic",
        sizes: |options| [1, 10, 100].map(|times| times * options.records / 5).into(),
        measure: |broker, options, size| read(broker, options, &prices("records", size, 4), &[]),
    },
    Dimension {
        name: "partitions",
        unit: "partitions of the topic",
        sizes: |_| vec![1, 4, 12, 50, 200, 1_000],
        measure: |broker, options, size| {
            let partitions = i32::try_from(size).unwrap();
            read(broker, options, &prices(&format!("partitions-{size}"), options.records, partitions), &[])
        },
    },
    Dimension {
        name: "tasks",
        unit: "tasks of the connector",
        sizes: |_| vec![1, 2, 4, 8],
        measure: |broker, options, size| {
            read(broker, options, &prices("tasks", options.records, 8), &[("tasks.max", &size.to_string())])
        },
    },
    Dimension {
        name: "value-size",
        unit: "bytes of a value",
        sizes: |_| vec![10, 100, 1_000, 10_000, 100_000, 1_000_000],
        measure: sized,
    },
    Dimension {
        name: "series",
        unit: "distinct fields",
        sizes: |_| vec![1, 100, 10_000, 1_000_000],
        measure: with_series,
    },
];

/// Measures each, and draws it into `folder` if there is one.
pub(crate) fn run(options: &Options) -> Value {
    let broker = Broker::start();
    let mut all = Map::new();
    for dimension in &DIMENSIONS {
        println!("\nhow cost grows with {}:", dimension.name);
        let sizes = (dimension.sizes)(options);
        let row = |&size: &u64| {
            let mut row = Row::new(format!("{size} {}", dimension.unit));
            (dimension.measure)(&broker, options, size).into_iter().for_each(|round| row.add(round));
            row
        };
        let rows: Vec<_> = sizes.iter().map(row).collect();
        table::print(&rows);
        if let Some(folder) = &options.plots {
            draw(dimension, &sizes, &rows, folder);
        }
        all.insert(dimension.name.to_owned(), table::json(&rows));
    }
    json!(all)
}

fn draw(dimension: &Dimension, sizes: &[u64], rows: &[Row], folder: &Path) {
    let points = |of: fn(&Figures) -> f64| -> Vec<_> {
        sizes.iter().zip(rows).map(|(&size, row)| (size as f64, row.median(of))).collect()
    };
    let curves =
        [("CPU-s per million records", points(|f| f.cpu_s_per_million)), ("peak memory, MB", points(|f| f.peak_mb))];
    plot::draw(&folder.join(format!("{}.svg", dimension.name)), dimension.unit, &curves);
}

/// Prices.
fn prices(topic: &str, records: u64, partitions: i32) -> Load<'_> {
    Load { topic, partitions, records, keys: false, value: &price }
}

/// Values of which all but the beginning is of no use to the transform.
fn sized(broker: &Broker, options: &Options, bytes: u64) -> Vec<Figures> {
    let (topic, records) = (format!("value-size-{bytes}"), options.records.min(TOPIC_BYTES / bytes));
    let filler = Filler::new(bytes as usize);
    let value = |number: u64, random: &mut fastrand::Rng, value: &mut String| {
        value.push_str(&format!("B-{},1.{:03}", number % 10, number % 1000));
        filler.pad(value, bytes as usize, random);
    };
    let load = Load { topic: &topic, partitions: 4, records, keys: false, value: &value };
    read(broker, options, &load, &[])
}

fn with_series(broker: &Broker, options: &Options, series: u64) -> Vec<Figures> {
    let topic = format!("series-{series}");
    let value = move |number: u64, random: &mut fastrand::Rng, value: &mut String| {
        value.push_str(&format!("S{:06}-X,{}.{:04}", number % series, random.u32(1..10), random.u32(0..10_000)));
    };
    let load = Load { topic: &topic, partitions: 4, records: options.records, keys: false, value: &value };
    read(broker, options, &load, &[])
}

/// Rounds over a topic, which is made if it is not there and filled up.
fn read(broker: &Broker, options: &Options, load: &Load<'_>, more: &[(&str, &str)]) -> Vec<Figures> {
    broker.fill_with(load);
    let &Load { topic, records, .. } = load;
    let measure = |round| {
        let (server, settings) = (Server::start(), more.iter().map(|(key, value)| format!("{key}-{value}")));
        let name = format!("{topic}-{records}-{}-{round}", settings.collect::<String>());
        measure::sluice(Job { broker, topic, records, name: &name }, Sink::Server(&server), more)
    };
    (0..options.rounds).map(measure).collect()
}
