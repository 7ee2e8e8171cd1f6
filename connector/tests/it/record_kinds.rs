//! Whatever a record may hold reaches the transform as it was produced, and its point InfluxDB: checked by a guest that writes the
//! length and hash of each part.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::sandbox;
use crate::support::influx::Database;
use crate::support::kafka::{Raw, Topic};
use crate::support::points::{LONG_AGO_MS, SYMBOLS, feed, nanoseconds};
use crate::support::sluice::{Connector, Sluice};

/// A value larger than anything Kafka takes unless it is told to.
const LARGE: usize = 10_000_000;

/// The guest as a file, as long as the folder is there.
fn digesting(connector: Connector, folder: &TempDir) -> Connector {
    let module = folder.path().join("hostile.wasm");
    std::fs::write(&module, sandbox::core()).unwrap();
    connector.set("transform.module", module.to_str().unwrap()).set("transform.config.mode", "digest-inputs")
}

fn digest(bytes: &[u8]) -> String {
    let hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{} {hash:016x}", bytes.len())
}

/// The point that the guest makes of a record.
fn row(topic: &Topic, record: &Raw) -> BTreeMap<String, Value> {
    let nullable = |bytes: &Option<Vec<u8>>| bytes.as_deref().map_or_else(|| "null".to_owned(), digest);
    let mut headers = Vec::new();
    for (name, value) in &record.headers {
        headers.extend([name.as_bytes(), b"=", value.as_deref().unwrap_or_default(), b";"].concat());
    }
    let columns = [
        ("time", json!(nanoseconds(record.timestamp_ms, &topic.name, record.partition, record.offset))),
        ("partition", json!(record.partition.to_string())),
        ("key", json!(nullable(&record.key))),
        ("value", json!(nullable(&record.value))),
        ("headers", json!(format!("{} {}", record.headers.len(), digest(&headers)))),
        ("timestamp", json!(record.timestamp_ms)),
        ("offset", json!(record.offset)),
    ];
    columns.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Carries `records` of one partition or more into InfluxDB, and compares every point. Gives back the most memory that was in use.
fn carries(test: &str, partitions: i32, mut records: Vec<Raw>) -> f64 {
    let topic = Topic::create_with(test, partitions, &[("max.message.bytes", "20000000")]);
    let (database, folder) = (Database::create(test), tempfile::tempdir().unwrap());
    let mut offsets = BTreeMap::new();
    for (number, record) in records.iter_mut().enumerate() {
        let next = offsets.entry(record.partition).or_insert(0);
        (record.offset, record.timestamp_ms) = (*next, LONG_AGO_MS + number as i64);
        *next += 1;
    }
    topic.produce_raw(&records);
    let connector = digesting(Connector::new(&topic, "k").into_database(&database), &folder);
    let group = topic.group(&connector.name);
    let mut sluice = Sluice::start(&[&connector]);
    let mut memory = 0_f64;
    sluice.until("everything to be committed", |sluice| {
        memory = memory.max(sluice.metrics().find("process_resident_memory_bytes", &[]).unwrap_or_default());
        group.at_end()
    });
    sluice.stop();
    let found = database.rows("hostile");
    assert_eq!(found.len(), records.len());
    let wanted: BTreeMap<_, _> =
        records.iter().map(|record| row(&topic, record)).map(|row| (row["time"].as_i64(), row)).collect();
    for found in found {
        assert_eq!(Some(&found), wanted.get(&found["time"].as_i64()));
    }
    memory
}

fn value(bytes: Vec<u8>) -> Raw {
    Raw { value: Some(bytes), ..Raw::default() }
}

#[test]
fn values_of_one_byte_and_of_ten_megabytes_arrive_side_by_side() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut records = Vec::new();
    for number in 0..24_u8 {
        records.push(Raw { partition: i32::from(number % 3), ..value(vec![number]) });
        if number % 2 == 0 {
            let large = (0..LARGE).map(|_| random.u8(..)).collect();
            records.push(Raw { partition: i32::from(number % 3), ..value(large) });
        }
    }
    let memory = carries("sizes", 3, records);
    eprintln!("most memory in use: {memory} bytes");
}

#[test]
fn null_and_empty_keys_and_values_are_told_apart() {
    let parts = [None, Some(Vec::new()), Some(b"x".to_vec())];
    let pairs = parts.iter().flat_map(|key| parts.iter().map(move |value| (key.clone(), value.clone())));
    let records = pairs.map(|(key, value)| Raw { key, value, ..Raw::default() }).collect();
    carries("nulls", 1, records);
}

#[test]
fn a_thousand_headers_arrive_in_their_order() {
    let headers = |record: usize| {
        let value = |number: usize| match number % 5 {
            0 => None,
            1 => Some(Vec::new()),
            _ => Some(vec![record as u8; number % 90]),
        };
        // A name may come more than once.
        (0..1_000).map(|number| (format!("header-{}", number % 700), value(number))).collect()
    };
    let with_headers = |record| Raw { headers: headers(record), ..value(vec![record as u8]) };
    // Between others without any. Of all of them it is the headers that are large: some 30 MB.
    let records = (0..600).flat_map(|record| [with_headers(record), value(vec![0])]).collect();
    carries("headers", 1, records);
}

#[test]
fn two_hundred_partitions_arrive_through_four_tasks() {
    const PARTITIONS: usize = 200;
    let topic = Topic::create("many", PARTITIONS as i32);
    let database = Database::create("many");
    topic.produce(&feed(20_000, 500, |number| {
        ((number % PARTITIONS) as i32, SYMBOLS[number / PARTITIONS % SYMBOLS.len()])
    }));
    let connector = Connector::new(&topic, "m").into_database(&database).set("tasks.max", "4");
    let group = topic.group(&connector.name);
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("the partitions to be shared", |sluice| {
        let metrics = sluice.metrics();
        let count = |task| metrics.find("kafka_connect_sink_task_partition_count", &[&format!("task=\"{task}\"")]);
        let counts = [0, 1, 2, 3].map(count);
        if counts == [Some(50.0); 4] { Ok(()) } else { Err(counts) }
    });
    sluice.until("everything to be committed", |_| group.at_end());
    sluice.stop();
    assert_eq!(topic.expected().len(), 20_000);
    database.points().assert_equal(&topic.expected());
}
