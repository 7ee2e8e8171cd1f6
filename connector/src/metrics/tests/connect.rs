//! What dashboards and alert rules for Kafka Connect find here.

use std::thread;

use super::*;

/// The value of a metric of task 0 of `c`.
fn of_task(metrics: &Metrics, name: &str) -> f64 {
    let series = format!(r#"kafka_connect_{name}{{connector="c",task="0"}}"#);
    sample(&metrics.render(), &series).unwrap_or_else(|| panic!("{series}"))
}

#[test]
fn rates_and_sizes_are_of_batches() {
    let metrics = Metrics::new();
    let task = metrics.task("c", 0);
    let partition = task.partition("t", 0);
    for name in ["sink_task_sink_record_read_rate", "connector_task_batch_size_max", "connector_task_batch_size_avg"] {
        assert_eq!(of_task(&metrics, name), 0.0, "{name}: never NaN");
    }
    partition.consumed(600);
    partition.consumed(300);
    partition.sent(450);
    // Over thirty seconds, and over more the later this looks; by how much is for the window's own test.
    let read = of_task(&metrics, "sink_task_sink_record_read_rate");
    assert!(read > 0.0 && read <= 30.0, "{read}");
    let sent = of_task(&metrics, "sink_task_sink_record_send_rate");
    assert!(sent > 0.0 && sent <= 15.0, "{sent}");
    assert_eq!(of_task(&metrics, "connector_task_batch_size_max"), 600.0);
    assert_eq!(of_task(&metrics, "connector_task_batch_size_avg"), 450.0);
}

#[test]
fn a_put_is_a_write_request_and_nothing_else() {
    let metrics = Metrics::new();
    let task = metrics.task("c", 0);
    task.stage(Stage::Sink, Duration::from_millis(30));
    task.stage(Stage::Sink, Duration::from_millis(10));
    task.stage(Stage::Transform, Duration::from_secs(9));
    assert_eq!(of_task(&metrics, "sink_task_put_batch_max_time_ms"), 30.0);
    assert_eq!(of_task(&metrics, "sink_task_put_batch_avg_time_ms"), 20.0);
}

#[test]
fn commits_are_numbered_timed_and_counted_by_their_answers() {
    let metrics = Metrics::new();
    let task = metrics.task("c", 0);
    task.commit_sent();
    task.commit_sent();
    let sent = std::time::Instant::now();
    while sent.elapsed().is_zero() {
        thread::yield_now();
    }
    task.commit_ok();
    task.commit_failed();
    let longest = of_task(&metrics, "connector_task_offset_commit_max_time_ms");
    let average = of_task(&metrics, "connector_task_offset_commit_avg_time_ms");
    assert!(0.0 < average && average <= longest, "{average} and {longest} ms");
    assert_eq!(of_task(&metrics, "sink_task_offset_commit_seq_no"), 2.0);
    assert_eq!(of_task(&metrics, "sink_task_offset_commit_completion_total"), 1.0);
    assert!(of_task(&metrics, "sink_task_offset_commit_completion_rate") > 0.0);
    assert_eq!(of_task(&metrics, "connector_task_offset_commit_success_percentage"), 0.5);
    task.commit_not_sent();
    task.commit_not_sent();
    assert_eq!(of_task(&metrics, "connector_task_offset_commit_failure_percentage"), 0.75);
    assert_eq!(of_task(&metrics, "sink_task_offset_commit_seq_no"), 2.0, "what was not sent has no number");
}

#[test]
fn what_another_consumer_sent_is_not_answered_to_this_one() {
    let metrics = Metrics::new();
    let task = metrics.task("c", 0);
    task.commit_sent();
    task.commits_forgotten();
    assert!(lock(&task.series.commits_open).is_empty());
    task.commit_ok();
    assert_eq!(of_task(&metrics, "connector_task_offset_commit_max_time_ms"), 0.0, "of no commit that is known");
}

#[test]
fn active_records_have_a_maximum_and_an_average() {
    let metrics = Metrics::new();
    let task = metrics.task("c", 0);
    let partition = task.partition("t", 0);
    partition.committed(0);
    for received in [10, 50] {
        partition.received(received);
        task.look_at_active();
    }
    partition.committed(50);
    assert_eq!(of_task(&metrics, "sink_task_sink_record_active_count"), 0.0);
    assert_eq!(of_task(&metrics, "sink_task_sink_record_active_count_max"), 50.0);
    assert_eq!(of_task(&metrics, "sink_task_sink_record_active_count_avg"), 30.0);
}

#[test]
fn the_consumers_lag_has_the_consumers_labels() {
    let metrics = Metrics::new();
    let task = metrics.task("c", 0);
    task.client_id("connector-consumer-c-0");
    let partition = task.partition("t", 3);
    assert!(!metrics.render().contains("kafka_consumer_fetch_manager_records_lag{"), "not known is not none");
    partition.unread(17);
    let series = r#"kafka_consumer_fetch_manager_records_lag{clientId="connector-consumer-c-0",clientid="connector-consumer-c-0",partition="3",topic="t"}"#;
    assert_eq!(sample(&metrics.render(), series), Some(17.0));
}

#[test]
fn starts_are_counted_for_the_worker() {
    let metrics = Metrics::new();
    let worker = |name: &str| sample(&metrics.render(), &format!("kafka_connect_worker_{name}")).unwrap();
    assert_eq!(worker("connector_startup_success_percentage"), 0.0);
    metrics.worker().connector_start(true);
    metrics.worker().connector_start(false);
    let task = metrics.task("c", 0);
    for ok in [true, true, true, false] {
        task.task_start(ok);
    }
    drop(task);
    for (name, value) in [
        ("connector_startup_attempts_total", 2.0),
        ("connector_startup_success_total", 1.0),
        ("connector_startup_failure_total", 1.0),
        ("connector_startup_success_percentage", 0.5),
        ("connector_startup_failure_percentage", 0.5),
        ("task_startup_attempts_total", 4.0),
        ("task_startup_success_total", 3.0),
        ("task_startup_failure_total", 1.0),
        ("task_startup_success_percentage", 0.75),
        ("task_startup_failure_percentage", 0.25),
    ] {
        assert_eq!(worker(name), value, "{name}");
    }
}

#[test]
fn a_task_is_running_for_a_part_of_its_time() {
    let metrics = Metrics::new();
    let board = Board::new();
    metrics.show_board(&board);
    let task = board.connector("c", 1).task(0);
    let ratio = || of_task(&metrics, "connector_task_running_ratio");
    assert_eq!(ratio(), 0.0);
    task.set(TaskState::Running);
    let later = || board.snapshot().connectors[0].tasks[0].times.running;
    while later().is_zero() {
        thread::yield_now();
    }
    let running = ratio();
    assert!(running > 0.0 && running <= 1.0, "{running}");
    task.set(TaskState::retrying("away"));
    assert!(ratio() > 0.0, "Connect calls a task that retries running");
    assert_eq!(of_task(&metrics, "connector_task_pause_ratio"), 0.0);
    task.set(TaskState::failed("boom"));
    task.set(TaskState::Starting);
    assert_eq!(ratio(), 0.0, "a restarted task begins anew");
}

/// A metric as a query of Strimzi's dashboard or alert rules names it: what it selects by, and what it groups or joins by.
type Query = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

const QUERIES: &[Query] = &[
    // Alerts.
    ("kafka_connect_connector_status", &[("status", "running")], &[]),
    ("kafka_connect_worker_connector_failed_task_count", &[], &["connector"]),
    // The dashboard's figures.
    ("kafka_connect_worker_connector_count", &[], &[]),
    ("kafka_connect_worker_task_count", &[], &[]),
    ("kafka_connect_worker_connector_total_task_count", &[], &["connector"]),
    ("kafka_connect_worker_connector_running_task_count", &[], &["connector"]),
    ("kafka_connect_worker_connector_paused_task_count", &[], &["connector"]),
    ("kafka_connect_worker_connector_unassigned_task_count", &[], &["connector"]),
    ("kafka_connect_worker_connector_destroyed_task_count", &[], &["connector"]),
    ("kafka_connect_worker_connector_restarting_task_count", &[], &["connector"]),
    ("kafka_connect_worker_rebalance_rebalancing", &[], &[]),
    ("kafka_connect_coordinator_assigned_connectors", &[], &[]),
    ("kafka_connect_coordinator_assigned_tasks", &[], &[]),
    ("kafka_connect_task_error_total_record_failures", &[], &["connector", "task"]),
    // Its table of connectors, joined by the connector's name.
    (
        "kafka_connect_connector_connector_class",
        &[("connector_class", "io.sluice.InfluxSinkConnector")],
        &["connector"],
    ),
    ("kafka_connect_connector_connector_type", &[("connector_type", "sink")], &["connector"]),
    ("kafka_connect_connector_connector_version", &[("connector_version", crate::status::VERSION)], &["connector"]),
    ("kafka_connect_connector_task_status", &[("status", "unassigned")], &["connector", "task"]),
    // Consumers.
    ("kafka_consumer_fetch_manager_records_lag", &[("clientId", "id")], &["topic", "partition", "clientid"]),
];

#[test]
fn strimzis_queries_find_what_they_look_for() {
    let metrics = Metrics::new();
    let board = Board::new();
    metrics.show_board(&board);
    let _connector = board.connector("prices", 1);
    let task = metrics.task("prices", 0);
    task.client_id("id");
    let partition = task.partition("t", 0);
    partition.unread(0);
    let text = metrics.render();
    for (name, selects, groups) in QUERIES {
        let lines: Vec<_> = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name)).collect();
        assert!(!lines.is_empty(), "{name} is not there:\n{text}");
        let found = lines.iter().any(|line| {
            let has = |label: &str| line.contains(&format!("{{{label}=\"")) || line.contains(&format!(",{label}=\""));
            selects.iter().all(|(label, value)| line.contains(&format!("{label}=\"{value}\"")))
                && groups.iter().all(|label| has(label))
        });
        assert!(found, "{name} with {selects:?} by {groups:?} in {lines:?}");
    }
}

#[test]
fn nothing_is_left_of_a_connector_that_is_removed() {
    let metrics = Metrics::new();
    let board = Board::new();
    metrics.show_board(&board);
    let connector = board.connector("prices", 2);
    let (task, swaps) = (metrics.task("prices", 0), metrics.swaps("prices"));
    task.client_id("connector-consumer-prices-0");
    let partition = task.partition("t", 0);
    partition.unread(1);
    partition.lag(1, 0.5);
    assert!(metrics.render().matches("prices").count() > 50, "much is shown of it");
    board.remove("prices");
    drop((connector, task, swaps, partition));
    let text = metrics.render();
    assert!(!text.contains("prices"), "{text}");
}
