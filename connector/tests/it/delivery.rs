//! What is in Kafka arrives in the store: every record, once, unchanged.

use crate::support::influx::Database;
use crate::support::kafka::Topic;
use crate::support::points::{Points, Record, SYMBOLS, feed};
use crate::support::scripted_influx::ScriptedInflux;
use crate::support::services;
use crate::support::sluice::{Connector, Sluice};
use crate::support::victoria;

const PARTITIONS: i32 = 4;

const TOKEN: &str = "s3cret-t0ken";

/// Round robin over the partitions, 5,000 prices in each millisecond; every symbol is in every partition.
fn burst(num: usize) -> Vec<Record> {
    feed(num, 5_000, |number| ((number % 4) as i32, SYMBOLS[number / 4 % SYMBOLS.len()]))
}

/// Runs connectors of the one topic until each has committed all of it, and stops.
fn run_to_end(topic: &Topic, connector: &Connector) {
    let mut sluice = Sluice::start(&[connector]);
    let group = topic.group(&connector.name);
    sluice.until("everything to be committed", |_| group.at_end());
    sluice.stop();
}

#[test]
fn every_price_is_a_point_of_its_own_and_a_replay_changes_nothing() {
    let topic = Topic::create("prices", PARTITIONS);
    let database = Database::create("prices");
    topic.produce(&burst(50_000));
    let expected = topic.expected();
    assert_eq!(expected.len(), 50_000, "thousands share a millisecond, and none a nanosecond");

    run_to_end(&topic, &Connector::new(&topic, "first").into_database(&database));
    let points = database.points();
    points.assert_equal(&expected);
    assert_eq!(points.per_field().len(), SYMBOLS.len());

    // Another group, so from offset 0 again.
    run_to_end(&topic, &Connector::new(&topic, "replay").into_database(&database));
    database.points().assert_equal(&expected);
}

#[test]
fn every_price_arrives_in_victoria_metrics() {
    let topic = Topic::create("victoria", PARTITIONS);
    // It keeps milliseconds, and one sample of a series in each: no two prices of a symbol share one here.
    let num_symbols = SYMBOLS.len();
    topic.produce(&feed(10_000, num_symbols, |number| {
        ((number / num_symbols % 4) as i32, SYMBOLS[number % num_symbols])
    }));
    let connector = Connector::new(&topic, "vm")
        .set("influx.url", services::victoria_metrics())
        .set("influx.database", &topic.name);
    run_to_end(&topic, &connector);

    let in_millis = |((field, time), value)| ((field, time / 1_000_000 * 1_000_000), value);
    let expected = Points(topic.expected().0.into_iter().map(in_millis).collect());
    assert_eq!(expected.len(), 10_000);
    victoria::points(&topic.name).assert_equal(&expected);
}

/// Runs 20,000 prices into `influx`, and checks that each arrived once, in compressed requests.
fn arrives_compressed(test: &str, influx: &ScriptedInflux, settings: &[(&str, &str)]) {
    let topic = Topic::create(test, PARTITIONS);
    topic.produce(&burst(20_000));
    let connector =
        settings.iter().fold(Connector::new(&topic, "gz"), |connector, (key, value)| connector.set(key, *value));
    let connector =
        connector.set("influx.url", influx.url()).set("influx.token", TOKEN).set("influx.compression", "gzip");
    run_to_end(&topic, &connector);

    Points::stored_in(influx).assert_equal(&topic.expected());
    assert_eq!(influx.seen(|seen| seen.lines), 20_000, "each line once");
    assert!(influx.seen(|seen| seen.gzipped) > 0, "only bodies of a kilobyte and less are sent plainly");
}

#[test]
fn scripted_influxdb_2_is_found_and_written_with_org_bucket_token_and_gzip() {
    let influx = ScriptedInflux::v2("acme", "prices", TOKEN);
    arrives_compressed(
        "auto2",
        &influx,
        &[("influx.version", "auto"), ("influx.org", "acme"), ("influx.bucket", "prices")],
    );
}

#[test]
fn scripted_influxdb_2_is_written_when_its_version_is_set() {
    let influx = ScriptedInflux::v2("acme", "prices", TOKEN);
    arrives_compressed(
        "fixed2",
        &influx,
        &[("influx.version", "2"), ("influx.org", "acme"), ("influx.bucket", "prices")],
    );
}

#[test]
fn scripted_influxdb_3_is_found_and_written_with_token_and_gzip() {
    let influx = ScriptedInflux::v3("prices", TOKEN);
    arrives_compressed("auto3", &influx, &[("influx.version", "auto"), ("influx.database", "prices")]);
}

// Conduit issue 1986: where nothing came out of the transform, nothing was committed.
#[test]
fn records_without_a_line_are_committed_all_the_same() {
    let topic = Topic::create("tombstones", 2);
    let database = Database::create("tombstones");
    let tombstones: Vec<_> = (0..2_000).map(|number| Record::other(number % 2, 1_700_000_000_000, None)).collect();
    topic.produce(&tombstones);
    let connector = Connector::new(&topic, "t").into_database(&database);
    let mut sluice = Sluice::start(&[&connector]);
    let group = topic.group(&connector.name);
    sluice.until("the tombstones to be committed", |_| group.at_end());
    assert_eq!(sluice.metrics().sum("sluice_records_filtered_total", &[]), 2_000.0);
    sluice.stop();
    assert_eq!(database.count(), 0);
}

#[test]
fn two_tasks_share_the_partitions_and_lose_nothing() {
    let topic = Topic::create("tasks", PARTITIONS);
    let database = Database::create("tasks");
    let connector = Connector::new(&topic, "t").into_database(&database).set("tasks.max", "2");
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("each task to have two partitions", |sluice| {
        let metrics = sluice.metrics();
        let count = |task| metrics.find("kafka_connect_sink_task_partition_count", &[task]);
        let counts = [count("task=\"0\""), count("task=\"1\"")];
        if counts == [Some(2.0), Some(2.0)] { Ok(()) } else { Err(counts) }
    });
    topic.produce(&burst(20_000));
    let group = topic.group(&connector.name);
    sluice.until("everything to be committed", |_| group.at_end());
    for task in ["task=\"0\"", "task=\"1\""] {
        assert_eq!(sluice.metrics().sum("sluice_records_consumed_total", &[task]), 10_000.0, "{task}");
    }
    sluice.stop();
    database.points().assert_equal(&topic.expected());
}
