//! What an operator sees.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::http;
use crate::support::influx::Database;
use crate::support::kafka::Topic;
use crate::support::points::{Record, feed};
use crate::support::services;
use crate::support::sluice::{Connector, Sluice};
use crate::support::wait::equal;
use crate::support::worker;

const NUM_PRICES: usize = 5_000;
const NUM_TOMBSTONES: usize = 10;

/// Prices of now, so that freshness is that of a live feed, and some tombstones.
fn records() -> Vec<Record> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let prices =
        (0..NUM_PRICES).map(|number| Record::price((number % 2) as i32, now, "BTC-USD", &format!("{number}.5")));
    prices.chain((0..NUM_TOMBSTONES).map(|_| Record::other(0, now, None))).collect()
}

#[test]
fn metrics_add_up_after_a_run() {
    let topic = Topic::create("metrics", 2);
    let database = Database::create("metrics");
    let connector = Connector::new(&topic, "m").into_database(&database);
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("the partitions", Sluice::ready);
    topic.produce(&records());
    let group = topic.group(&connector.name);
    sluice.until("everything to be committed", |_| group.at_end());
    sluice.until("no lag", |sluice| match sluice.metrics().find("sluice_lag_records", &[]) {
        Some(0.0) => Ok(()),
        lag => Err(lag),
    });

    let metrics = sluice.metrics();
    let label = format!("connector=\"{}\"", connector.name);
    let sum = |name, extra: &[&str]| metrics.sum(name, &[&[label.as_str()], extra].concat());
    let (prices, tombstones) = (NUM_PRICES as f64, NUM_TOMBSTONES as f64);
    assert_eq!(sum("sluice_records_consumed_total", &[]), prices + tombstones);
    assert_eq!(sum("sluice_records_consumed_total", &["partition=\"1\"", "task=\"0\""]), prices / 2.0);
    assert_eq!(sum("sluice_records_filtered_total", &[]), tombstones);
    assert_eq!(sum("sluice_records_dead_lettered_total", &[]), 0.0);
    assert_eq!(sum("sluice_points_written_total", &[]), prices);
    assert_eq!(sum("sluice_points_written_total", &[]), database.count() as f64);
    let topic_label = format!("topic=\"{}\"", topic.name);
    assert_eq!(sum("sluice_lag_seconds", &[&topic_label]), 0.0);

    // A line is at least `cryptos BTC-USD=0.5 `, nineteen digits and its end.
    let bytes = sum("sluice_bytes_written_total", &[]);
    assert!(bytes > prices * 40.0 && bytes < prices * 50.0, "{bytes} bytes");
    let requests = sum("sluice_write_requests_total", &["outcome=\"done\""]);
    assert!(requests >= 1.0);
    assert_eq!(sum("sluice_write_requests_total", &[]), requests, "every request was taken");
    assert_eq!(sum("sluice_batches_total", &[]), requests);
    assert_eq!(sum("sluice_retries_total", &[]), 0.0);

    assert_eq!(sum("sluice_freshness_seconds_count", &[]), prices);
    assert_eq!(sum("sluice_freshness_seconds_bucket", &["le=\"+Inf\""]), prices);
    let freshness = sum("sluice_freshness_seconds_sum", &[]) / prices;
    assert!((0.0..60.0).contains(&freshness), "{freshness} s from the record's time to the answer");
    for stage in ["source", "transform", "points", "sink"] {
        assert!(sum("sluice_stage_seconds_count", &[&format!("stage=\"{stage}\"")]) >= 1.0, "{stage}");
    }
    assert_eq!(sum("sluice_transform_info", &["digest=\""]), 1.0);
    assert!(sum("sluice_transform_memory_bytes", &[]) >= 65_536.0);
    sluice.stop();
}

#[test]
fn the_lag_of_a_paused_connector_grows_with_its_topic() {
    let topic = Topic::create("pausedlag", 2);
    let database = Database::create("pausedlag");
    let connector = Connector::new(&topic, "m").into_database(&database);
    let mut sluice = Sluice::start(&[&connector]);
    topic.produce(&feed(100, 10, |number| ((number % 2) as i32, "BTC-USD")));
    let group = topic.group(&connector.name);
    sluice.until("everything to be committed", |_| group.at_end());
    worker::tell(&sluice, &connector, "pause");
    worker::until_states(&sluice, &connector, "PAUSED: PAUSED");
    topic.produce(&feed(700, 10, |number| ((number % 2) as i32, "BTC-USD")));
    let lag = |sluice: &Sluice| sluice.metrics().sum("sluice_lag_records", &[]);
    sluice.until("the lag to be known", |sluice| equal(lag(sluice), &700.0));
    worker::tell(&sluice, &connector, "resume");
    sluice.until("the lag to be gone", |sluice| equal(lag(sluice), &0.0));
    sluice.until("everything to be committed", |_| group.at_end());
    sluice.stop();
}

#[test]
fn connect_names_are_there_as_strimzi_spells_them() {
    let topic = Topic::create("connect", 2);
    let database = Database::create("connect");
    let connector = Connector::new(&topic, "m").into_database(&database);
    topic.produce(&records());
    let mut sluice = Sluice::start(&[&connector]);
    let group = topic.group(&connector.name);
    sluice.until("everything to be committed", |_| group.at_end());
    // Kafka has the commit a moment before its answer is counted.
    sluice.until("a commit to be answered", |sluice| {
        match sluice.metrics().find("kafka_connect_sink_task_offset_commit_completion_total", &[]) {
            Some(commits) if commits >= 1.0 => Ok(()),
            commits => Err(commits),
        }
    });

    let metrics = sluice.metrics();
    let label = format!("connector=\"{}\"", connector.name);
    let sum = |name| metrics.sum(name, &[&label]);
    assert_eq!(sum("kafka_connect_sink_task_sink_record_read_total"), (NUM_PRICES + NUM_TOMBSTONES) as f64);
    assert_eq!(sum("kafka_connect_sink_task_sink_record_send_total"), NUM_PRICES as f64);
    assert_eq!(sum("kafka_connect_sink_task_partition_count"), 2.0);
    assert_eq!(sum("kafka_connect_connector_task_offset_commit_success_percentage"), 1.0);
    assert_eq!(metrics.sum("kafka_connect_connector_task_status", &[&label, "status=\"running\""]), 1.0);
    assert_eq!(metrics.sum("kafka_connect_worker_connector_count", &[]), 1.0);
    for name in [
        "kafka_connect_sink_task_sink_record_read_rate",
        "kafka_connect_sink_task_sink_record_send_rate",
        "kafka_connect_sink_task_put_batch_max_time_ms",
        "kafka_connect_sink_task_offset_commit_seq_no",
        "kafka_connect_sink_task_offset_commit_completion_rate",
        "kafka_connect_connector_task_offset_commit_max_time_ms",
        "kafka_connect_connector_task_running_ratio",
        "kafka_connect_connector_task_batch_size_max",
    ] {
        assert!(sum(name) > 0.0, "{name}");
    }
    assert_eq!(metrics.sum("kafka_connect_worker_connector_startup_success_total", &[]), 1.0);
    assert_eq!(metrics.sum("kafka_connect_worker_task_startup_success_total", &[]), 1.0);
    let client = format!("clientid=\"connector-consumer-{}-0\"", connector.name);
    sluice.until("the consumer's lag to be none", |sluice| {
        match sluice.metrics().find("kafka_consumer_fetch_manager_records_lag", &[&client, "partition=\"1\""]) {
            Some(0.0) => Ok(()),
            lag => Err(lag),
        }
    });
    sluice.stop();
}

#[test]
fn a_connector_that_fails_to_start_is_told_and_nothing_is_left_of_a_deleted_one() {
    let topic = Topic::create("deleted", 1);
    let database = Database::create("deleted");
    let connector = Connector::new(&topic, "m").into_database(&database);
    let mut sluice = Sluice::start_with(&[], &["--bootstrap-servers", services::kafka()]);
    let url = sluice.url(&format!("/connectors/{}", connector.name));
    let put = |connector: &Connector| {
        let lines = connector.properties();
        let config: BTreeMap<&str, &str> = lines.lines().map(|line| line.split_once('=').unwrap()).collect();
        let body = serde_json::to_vec(&config).unwrap();
        let answer =
            http::send("PUT", &format!("{url}/config"), &[("content-type", "application/json")], &body).unwrap();
        assert!(answer.status / 100 == 2, "{answer:?}");
    };
    let label = format!("connector=\"{}\"", connector.name);
    let status = |sluice: &Sluice, status: &str| {
        sluice.metrics().find("kafka_connect_connector_status", &[&label, &format!("status=\"{status}\"")]).ok_or(())
    };
    put(&connector.clone().set("transform.module", "/no/such/module.wasm"));
    sluice.until("the alert's series", |sluice| status(sluice, "failed"));
    let started = |sluice: &Sluice, how: &str| {
        sluice.metrics().sum(&format!("kafka_connect_worker_connector_startup_{how}_total"), &[])
    };
    assert_eq!((started(&sluice, "success"), started(&sluice, "failure")), (0.0, 1.0));

    put(&connector);
    topic.produce(&[Record::price(0, 1, "BTC-USD", "1")]);
    sluice.until("the record to be counted", |sluice| {
        let read = sluice.metrics().find("kafka_connect_sink_task_sink_record_read_total", &[&label, "task=\"0\""]);
        if read == Some(1.0) { Ok(()) } else { Err(read) }
    });
    sluice.until("the connector to be running", |sluice| status(sluice, "running"));
    assert_eq!((started(&sluice, "success"), started(&sluice, "attempts")), (1.0, 2.0));
    assert_eq!(http::send("DELETE", &url, &[], b"").unwrap().status, 204);
    sluice.until("nothing to be left of it", |sluice| {
        let text = sluice.get("/metrics").body;
        if text.contains(&connector.name) { Err(text) } else { Ok(()) }
    });
    sluice.stop();
}

#[test]
fn a_log_level_changes_while_records_flow() {
    let topic = Topic::create("loglevel", 1);
    let database = Database::create("loglevel");
    let connector = Connector::new(&topic, "m").into_database(&database);
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("readiness", Sluice::ready);
    let set = |sluice: &Sluice, level: &str| {
        let url = sluice.url("/admin/loggers/sluice.pipeline");
        let body = format!("{{\"level\": \"{level}\"}}");
        let answer = http::send("PUT", &url, &[("content-type", "application/json")], body.as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    // The tests' own level is debug.
    set(&sluice, "info");
    let group = topic.group(&connector.name);
    topic.produce(&[Record::price(0, 1, "BTC-USD", "1")]);
    sluice.until("the first record to be committed", |_| group.at_end());
    // The place of this line has been passed by now, with its level off.
    assert!(sluice.logged(&["offsets sent"]).is_err());
    set(&sluice, "debug");
    topic.produce(&[Record::price(0, 2, "BTC-USD", "2")]);
    sluice.until("a line of the level that was switched on", |sluice| {
        sluice.logged(&["DEBUG", "offsets sent", &connector.name])
    });
    sluice.stop();
}

#[test]
fn health_and_version_are_told_at_once() {
    let topic = Topic::create("health", 1);
    let database = Database::create("health");
    let connector = Connector::new(&topic, "m").into_database(&database);
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("readiness", Sluice::ready);

    let (status, health) = sluice.get_json("/health");
    assert_eq!((status, health["status"].as_str()), (200, Some("healthy")));
    let (status, live) = sluice.get_json("/health/live");
    assert_eq!((status, live["status"].as_str()), (200, Some("live")));
    let (status, ready) = sluice.get_json("/health/ready");
    assert_eq!((status, ready["status"].as_str()), (200, Some("ready")));
    assert_eq!(ready["tasks"].as_array().unwrap().len(), 0);
    let (status, server) = sluice.get_json("/");
    assert_eq!((status, server["sluice_version"].as_str()), (200, Some(env!("CARGO_PKG_VERSION"))));
    assert!(server["version"].is_string() && server["commit"].is_string());
    assert!(server["kafka_cluster_id"].as_str().is_some_and(|id| id != "unknown"), "{server}");
    assert_eq!(sluice.get("/connectorz").status, 404);
    sluice.stop();
}
