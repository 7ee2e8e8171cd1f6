#![allow(clippy::unwrap_used, reason = "tests")]

mod connect;
mod doc;

use std::time::Duration;

use super::histogram::Histogram;
use super::*;
use crate::status::TaskState;

/// The sample of exactly this name and these labels, as `text` shows it.
fn sample(text: &str, series: &str) -> Option<f64> {
    let mut values = text.lines().filter_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let value = values.next().map(|value| value.parse().unwrap());
    assert_eq!(values.next(), None, "{series} is shown twice");
    value
}

#[test]
fn what_is_counted_is_shown_with_its_labels() {
    let metrics = Metrics::new();
    let task = metrics.task("prices", 3);
    task.points_written(20);
    task.points_written(5);
    task.bytes_written(1000);
    task.request(RequestOutcome::Done);
    task.request(RequestOutcome::Transient);
    task.request(RequestOutcome::Transient);
    task.retry();
    task.batch(CutBy::Idle);
    task.transform_memory(65536);
    task.transform_info("sha256:old", "old.wasm");
    task.transform_info("sha256:ab", "new.wasm");
    task.partitions(2);
    task.commit_ok();
    task.commit_ok();
    task.commit_ok();
    task.commit_failed();
    let swaps = metrics.swaps("prices");
    swaps.outcome(SwapOutcome::RolledBack);
    swaps.step(SwapStep::Compile, Duration::from_millis(20));
    swaps.on_probation(true);
    swaps.quarantined(2);
    let partition = task.partition("cryptos", 7);
    partition.consumed(10);
    partition.consumed(20);
    partition.filtered(2);
    partition.sent(27);
    partition.dead_lettered(1);
    partition.lag(40, 1.5);
    let text = metrics.render();
    let expected = [
        (r#"sluice_points_written_total{connector="prices",task="3"}"#, 25.0),
        (r#"sluice_bytes_written_total{connector="prices",task="3"}"#, 1000.0),
        (r#"sluice_write_requests_total{connector="prices",task="3",outcome="done"}"#, 1.0),
        (r#"sluice_write_requests_total{connector="prices",task="3",outcome="transient"}"#, 2.0),
        (r#"sluice_write_requests_total{connector="prices",task="3",outcome="rejected_lines"}"#, 0.0),
        (r#"sluice_retries_total{connector="prices",task="3"}"#, 1.0),
        (r#"sluice_batches_total{connector="prices",task="3",cut_by="idle"}"#, 1.0),
        (r#"sluice_transform_memory_bytes{connector="prices",task="3"}"#, 65536.0),
        (r#"sluice_transform_info{connector="prices",task="3",digest="sha256:ab",module="new.wasm"}"#, 1.0),
        (r#"sluice_swaps_total{connector="prices",outcome="promoted"}"#, 0.0),
        (r#"sluice_swaps_total{connector="prices",outcome="rolled_back"}"#, 1.0),
        (r#"sluice_swap_seconds_count{connector="prices",step="compile"}"#, 1.0),
        (r#"sluice_swap_seconds_count{connector="prices",step="switch"}"#, 0.0),
        (r#"sluice_transform_on_probation{connector="prices"}"#, 1.0),
        (r#"sluice_transform_quarantined{connector="prices"}"#, 2.0),
        (r#"sluice_records_consumed_total{connector="prices",partition="7",task="3",topic="cryptos"}"#, 30.0),
        (r#"sluice_records_filtered_total{connector="prices",partition="7",task="3",topic="cryptos"}"#, 2.0),
        (r#"sluice_records_dead_lettered_total{connector="prices",partition="7",task="3",topic="cryptos"}"#, 1.0),
        (r#"sluice_lag_records{connector="prices",partition="7",task="3",topic="cryptos"}"#, 40.0),
        (r#"sluice_lag_seconds{connector="prices",partition="7",task="3",topic="cryptos"}"#, 1.5),
        (r#"kafka_connect_sink_task_sink_record_read_total{connector="prices",task="3"}"#, 30.0),
        (r#"kafka_connect_sink_task_sink_record_send_total{connector="prices",task="3"}"#, 27.0),
        (r#"kafka_connect_sink_task_partition_count{connector="prices",task="3"}"#, 2.0),
        (r#"kafka_connect_sink_task_offset_commit_completion_total{connector="prices",task="3"}"#, 3.0),
        (r#"kafka_connect_connector_task_offset_commit_success_percentage{connector="prices",task="3"}"#, 0.75),
        (r#"kafka_connect_connector_task_offset_commit_failure_percentage{connector="prices",task="3"}"#, 0.25),
        (r#"kafka_connect_connector_task_batch_size_max{connector="prices",task="3"}"#, 20.0),
        (r#"kafka_connect_connector_task_batch_size_avg{connector="prices",task="3"}"#, 15.0),
    ];
    for (series, value) in expected {
        assert_eq!(sample(&text, series), Some(value), "{series} in\n{text}");
    }
    assert!(!text.contains("sha256:old"), "a replaced module is no longer shown");
}

#[test]
fn series_vanish_with_the_last_handle() {
    let metrics = Metrics::new();
    let task = metrics.task("prices", 0);
    let kept = task.partition("t", 0);
    let revoked = task.partition("t", 1);
    let still_draining = revoked.clone();
    revoked.consumed(1);
    drop(revoked);
    assert!(metrics.render().contains(r#"partition="1""#), "a clone keeps the series");
    drop(still_draining);
    let text = metrics.render();
    assert!(!text.contains(r#"partition="1""#) && text.contains(r#"partition="0""#), "{text}");
    drop(task);
    assert!(metrics.render().contains(r#"connector="prices""#), "a partition keeps its task");
    drop(kept);
    let text = metrics.render();
    assert!(!text.contains("prices"), "{text}");
    assert!(lock(&metrics.tasks).is_empty(), "nothing is left behind");
}

#[test]
fn a_second_handle_counts_into_the_same_series_and_a_new_one_starts_at_zero() {
    let metrics = Metrics::new();
    let series = r#"sluice_points_written_total{connector="a",task="0"}"#;
    let first = metrics.task("a", 0);
    first.points_written(1);
    let second = metrics.task("a", 0);
    drop(first);
    second.points_written(1);
    assert_eq!(sample(&metrics.render(), series), Some(2.0));
    drop(second);
    let _third = metrics.task("a", 0);
    assert_eq!(sample(&metrics.render(), series), Some(0.0));
}

#[test]
fn label_values_that_read_the_same_run_together_are_kept_apart() {
    let metrics = Metrics::new();
    let task = metrics.task("c", 0);
    let (one, eleven) = (task.partition("a1", 1), task.partition("a", 11));
    one.consumed(5);
    eleven.consumed(7);
    let text = metrics.render();
    let series = |partition, topic| {
        format!(r#"sluice_records_consumed_total{{connector="c",partition="{partition}",task="0",topic="{topic}"}}"#)
    };
    assert_eq!(sample(&text, &series("1", "a1")), Some(5.0));
    assert_eq!(sample(&text, &series("11", "a")), Some(7.0));
}

#[test]
fn labels_are_escaped() {
    let metrics = Metrics::new();
    let _task = metrics.task("a\"b\\c\nd", 0);
    let text = metrics.render();
    assert!(text.contains(r#"sluice_retries_total{connector="a\"b\\c\nd",task="0"} 0"#), "{text}");
}

#[test]
fn a_lag_that_is_not_known_is_not_shown_as_none() {
    let metrics = Metrics::new();
    let partition = metrics.task("c", 0).partition("t", 0);
    assert!(!metrics.render().contains("sluice_lag_"));
    partition.lag(0, 0.0);
    assert_eq!(metrics.render().matches("\nsluice_lag_").count(), 2);
}

#[test]
fn active_records_are_those_received_and_not_committed() {
    let metrics = Metrics::new();
    let task = metrics.task("c", 0);
    let active = || {
        sample(&metrics.render(), r#"kafka_connect_sink_task_sink_record_active_count{connector="c",task="0"}"#)
            .unwrap()
    };
    let (a, b) = (task.partition("t", 0), task.partition("t", 1));
    a.received(100);
    assert_eq!(active(), 0.0, "nothing is claimed before the committed offset is known");
    a.committed(40);
    b.received(7);
    b.committed(5);
    assert_eq!(active(), 62.0);
    a.committed(-1001);
    assert_eq!(active(), 2.0, "librdkafka's `invalid` is no offset");
    b.committed(7);
    assert_eq!(active(), 0.0);
}

#[test]
fn a_request_is_in_flight_until_its_guard_is_dropped() {
    let metrics = Metrics::new();
    let task = metrics.task("c", 0);
    let in_flight = || sample(&metrics.render(), r#"sluice_write_requests_in_flight{connector="c",task="0"}"#);
    let (one, two) = (task.request_in_flight(), task.request_in_flight());
    assert_eq!(in_flight(), Some(2.0));
    drop(one);
    assert_eq!(in_flight(), Some(1.0));
    drop(two);
    assert_eq!(in_flight(), Some(0.0));
}

#[test]
fn a_bound_belongs_to_its_own_bucket() {
    let histogram = Histogram::new(&[1.0, 2.0]);
    histogram.observe(1.0, 3);
    histogram.observe(1.5, 4);
    histogram.observe(2.5, 5);
    histogram.observe(0.0, 0);
    let shown = histogram.to_proto();
    let buckets: Vec<_> =
        shown.get_bucket().iter().map(|bucket| (bucket.upper_bound(), bucket.cumulative_count())).collect();
    assert_eq!(buckets, [(1.0, 3), (2.0, 7)]);
    assert_eq!((shown.get_sample_count(), shown.get_sample_sum()), (12, 3.0 + 6.0 + 12.5));
}

#[test]
fn freshness_is_a_valid_histogram_in_text() {
    let metrics = Metrics::new();
    let task = metrics.task("c", 0);
    task.freshness(Duration::from_micros(400), 1_000);
    task.freshness(Duration::from_millis(3), 8_000);
    task.freshness(Duration::from_secs(3600), 2);
    let text = metrics.render();
    let bucket = |line: &str| -> Option<(f64, f64)> {
        let (bound, count) =
            line.strip_prefix(r#"sluice_freshness_seconds_bucket{connector="c",task="0",le=""#)?.split_once("\"} ")?;
        Some((bound.parse().unwrap(), count.parse().unwrap()))
    };
    let buckets: Vec<_> = text.lines().filter_map(bucket).collect();
    assert_eq!(buckets.len(), series::FRESHNESS_BOUNDS.len() + 1);
    assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "bounds and counts ascend: {buckets:?}");
    let count = sample(&text, r#"sluice_freshness_seconds_count{connector="c",task="0"}"#).unwrap();
    assert_eq!(*buckets.last().unwrap(), (f64::INFINITY, count));
    assert_eq!(count, 9_002.0);
    let at = |bound| buckets.iter().find(|bucket| bucket.0 == bound).unwrap().1;
    assert_eq!([at(0.0005), at(0.002), at(0.003), at(600.0)], [1_000.0, 1_000.0, 9_000.0, 9_000.0]);
    let sum = sample(&text, r#"sluice_freshness_seconds_sum{connector="c",task="0"}"#).unwrap();
    assert!((sum - (0.4 + 24.0 + 7200.0)).abs() < 1e-6, "{sum}");
}

#[test]
fn bounds_ascend() {
    assert!(series::FRESHNESS_BOUNDS.is_sorted_by(|a, b| a < b));
    assert!(series::STAGE_BOUNDS.is_sorted_by(|a, b| a < b));
}

#[test]
fn stages_are_told_apart() {
    let metrics = Metrics::new();
    let task = metrics.task("c", 0);
    for (n, stage) in Stage::ALL.into_iter().enumerate() {
        for _ in 0..=n {
            task.stage(stage, Duration::from_millis(1));
        }
    }
    let text = metrics.render();
    for (n, stage) in ["source", "transform", "points", "sink"].into_iter().enumerate() {
        let series = format!(r#"sluice_stage_seconds_count{{connector="c",task="0",stage="{stage}"}}"#);
        assert_eq!(sample(&text, &series), Some(n as f64 + 1.0));
    }
}

#[test]
fn a_label_belongs_to_each_outcome_and_cut() {
    // The variants index arrays: `ALL` has to list them in the order of their declaration.
    assert!(RequestOutcome::ALL.iter().enumerate().all(|(n, outcome)| *outcome as usize == n));
    assert!(CutBy::ALL.iter().enumerate().all(|(n, cut)| *cut as usize == n));
    assert!(Stage::ALL.iter().enumerate().all(|(n, stage)| *stage as usize == n));
    assert_eq!(
        RequestOutcome::ALL.map(RequestOutcome::label),
        ["done", "rejected_lines", "rejected_whole", "too_large", "configuration", "transient"]
    );
    assert_eq!(CutBy::ALL.map(CutBy::label), ["idle", "lines", "bytes", "linger", "stop"]);
}

#[test]
fn states_are_shown_in_our_words_and_in_connects() {
    let metrics = Metrics::new();
    let board = Board::new();
    metrics.show_board(&board);
    metrics.show_board(&board);
    let connector = board.connector("prices", 4);
    connector.task(1).set(TaskState::held("no such database"));
    connector.task(2).set(TaskState::failed("boom"));
    connector.task(3).set(TaskState::Stopped);
    let text = metrics.render();
    let shown = [
        r#"sluice_task_state{connector="prices",state="starting",task="0"}"#,
        r#"sluice_task_state{connector="prices",state="held",task="1"}"#,
        r#"kafka_connect_connector_task_status{connector="prices",status="unassigned",task="0"}"#,
        r#"kafka_connect_connector_task_status{connector="prices",status="running",task="1"}"#,
        r#"kafka_connect_connector_task_status{connector="prices",status="failed",task="2"}"#,
        r#"kafka_connect_connector_status{connector="prices",status="running"}"#,
        r#"kafka_connect_worker_connector_failed_task_count{connector="prices"}"#,
        r#"kafka_connect_worker_connector_running_task_count{connector="prices"}"#,
        "kafka_connect_worker_connector_count",
    ];
    for series in shown {
        assert_eq!(sample(&text, series), Some(1.0), "{series} in\n{text}");
    }
    assert_eq!(sample(&text, "kafka_connect_worker_task_count"), Some(3.0), "a stopped task is none of Connect's");
    board.remove("prices");
    assert!(!metrics.render().contains("prices"));
}

#[test]
#[cfg(target_os = "linux")]
fn the_process_is_measured_in_seconds_and_bytes() {
    let metrics = Metrics::new();
    let before = sample(&metrics.render(), "process_cpu_seconds_total").unwrap();
    // Until a tick of the clock has passed on the CPU: a condition, not a time.
    let began = std::time::Instant::now();
    let after = loop {
        let after = sample(&metrics.render(), "process_cpu_seconds_total").unwrap();
        if after > before {
            break after;
        }
    };
    let cpus = std::thread::available_parallelism().unwrap().get() as f64;
    assert!(after - before <= (began.elapsed().as_secs_f64() + 0.1) * cpus, "ticks were taken for seconds");
    let resident = sample(&metrics.render(), "process_resident_memory_bytes").unwrap();
    assert!((500_000.0..10e9).contains(&resident), "{resident} bytes");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let start = sample(&metrics.render(), "process_start_time_seconds").unwrap();
    assert!((now - 86_400.0..=now + 2.0).contains(&start), "started at {start}, now {now}");
    let fds = || sample(&metrics.render(), "process_open_fds").unwrap();
    let few = fds();
    let open: Vec<_> = (0..200).map(|_| std::fs::File::open("/proc/self/stat").unwrap()).collect();
    assert!(fds() > few, "{} files more are open", open.len());
}
