//! Kafka Connect's names for what a task does, spelt as Strimzi's exporter rules spell them; they mean what they mean there. Rates, averages and maxima are
//! those of the last half minute to a minute, as there (`metrics/window.rs`). `docs/METRICS.md` says which of Connect's names are left out.

use std::sync::atomic::Ordering::Relaxed;

use super::family::Family;
use super::series::{PartitionSeries, UNKNOWN};
use super::tables::{PartitionRow, TaskRow, counter, gauge, task};

/// What a sink task has read, handed on and committed.
pub(super) const CONNECT_ROWS: &[TaskRow] = &[
    task(
        counter("kafka_connect_sink_task_sink_record_read_total", "Records read from Kafka, before the transform."),
        |t, out| out.value(t.records_read.get()),
    ),
    task(
        gauge(
            "kafka_connect_sink_task_sink_record_read_rate",
            "Records read from Kafka per second, before the transform.",
        ),
        |t, out| out.float(out.recent(&t.recent.batches).rate()),
    ),
    task(
        counter(
            "kafka_connect_sink_task_sink_record_send_total",
            "Records handed to the sink; filtered ones don't count.",
        ),
        |t, out| out.value(t.records_sent.get()),
    ),
    task(
        gauge(
            "kafka_connect_sink_task_sink_record_send_rate",
            "Records handed to the sink per second; filtered ones don't count.",
        ),
        |t, out| out.float(out.recent(&t.recent.sent).rate()),
    ),
    task(
        gauge(
            "kafka_connect_sink_task_sink_record_active_count",
            "Records read and not committed yet, by their offsets.",
        ),
        |t, out| out.value(t.active()),
    ),
    task(
        gauge(
            "kafka_connect_sink_task_sink_record_active_count_max",
            "The most records that were read and not committed, by a look each second.",
        ),
        |t, out| out.float(out.recent(&t.recent.active).max),
    ),
    task(
        gauge(
            "kafka_connect_sink_task_sink_record_active_count_avg",
            "Records that were read and not committed on average, by a look each second.",
        ),
        |t, out| out.float(out.recent(&t.recent.active).average()),
    ),
    task(
        gauge(
            "kafka_connect_sink_task_put_batch_max_time_ms",
            "The longest write request, from sending to the answer.",
        ),
        |t, out| out.float(out.recent(&t.recent.puts).max),
    ),
    task(
        gauge(
            "kafka_connect_sink_task_put_batch_avg_time_ms",
            "Time of a write request from sending to the answer, on average; sluice_stage_seconds has all of them.",
        ),
        |t, out| out.float(out.recent(&t.recent.puts).average()),
    ),
    task(gauge("kafka_connect_sink_task_partition_count", "Partitions assigned to the task."), |t, out| {
        out.value(t.partition_count.load(Relaxed));
    }),
    task(gauge("kafka_connect_sink_task_offset_commit_seq_no", "Number of the last offset commit."), |t, out| {
        out.value(t.commits_sent.get());
    }),
    task(
        counter("kafka_connect_sink_task_offset_commit_completion_total", "Offset commits that Kafka took."),
        |t, out| out.value(t.commits_ok.get()),
    ),
    task(
        gauge("kafka_connect_sink_task_offset_commit_completion_rate", "Offset commits that Kafka took, per second."),
        |t, out| out.float(out.recent(&t.recent.commits).rate()),
    ),
    task(
        gauge(
            "kafka_connect_connector_task_offset_commit_max_time_ms",
            "The longest time from an offset commit to Kafka's answer.",
        ),
        |t, out| out.float(out.recent(&t.recent.commit_times).max),
    ),
    task(
        gauge(
            "kafka_connect_connector_task_offset_commit_avg_time_ms",
            "Time from an offset commit to Kafka's answer, on average.",
        ),
        |t, out| out.float(out.recent(&t.recent.commit_times).average()),
    ),
    task(
        gauge(
            "kafka_connect_connector_task_offset_commit_success_percentage",
            "Offset commits that Kafka took, of all of late: 0 to 1, 0 of none.",
        ),
        |t, out| out.float(out.recent(&t.recent.commits).average()),
    ),
    task(
        gauge(
            "kafka_connect_connector_task_offset_commit_failure_percentage",
            "Offset commits that failed, of all of late: 0 to 1, 0 of none.",
        ),
        |t, out| {
            let commits = out.recent(&t.recent.commits);
            out.float(if commits.count == 0 { 0.0 } else { 1.0 - commits.average() });
        },
    ),
    task(
        gauge("kafka_connect_connector_task_batch_size_max", "Records of the largest batch taken from Kafka."),
        |t, out| out.float(out.recent(&t.recent.batches).max),
    ),
    task(
        gauge("kafka_connect_connector_task_batch_size_avg", "Records of a batch taken from Kafka, on average."),
        |t, out| out.float(out.recent(&t.recent.batches).average()),
    ),
];

/// Kafka Connect's of KIP-298, per task. They only grow, but Strimzi's rules type them as gauges by their names.
pub(super) const ERROR_ROWS: &[TaskRow] = &[
    task(
        gauge(
            "kafka_connect_task_error_total_record_failures",
            "Failures of records, those that were tried again included.",
        ),
        |t, out| out.value(t.record_failures.get()),
    ),
    task(gauge("kafka_connect_task_error_total_record_errors", "Records that could not be written."), |t, out| {
        out.value(t.record_errors.get());
    }),
    task(
        gauge("kafka_connect_task_error_total_records_skipped", "Records passed over by errors.tolerance=all."),
        |t, out| out.value(t.records_skipped.get()),
    ),
    task(
        gauge("kafka_connect_task_error_total_retries", "Tries of the transform on a record that it failed on."),
        |t, out| {
            out.value(t.record_retries.get());
        },
    ),
    task(gauge("kafka_connect_task_error_total_errors_logged", "Refused records written to the log."), |t, out| {
        out.value(t.errors_logged.get());
    }),
    task(
        gauge("kafka_connect_task_error_deadletterqueue_produce_requests", "Dead letters handed to the producer."),
        |t, out| out.value(t.letters_sent.get()),
    ),
    task(
        gauge(
            "kafka_connect_task_error_deadletterqueue_produce_failures",
            "Dead letters that the topic did not take; they are sent again.",
        ),
        |t, out| out.value(t.letters_failed.get()),
    ),
    task(
        gauge(
            "kafka_connect_task_error_last_error_timestamp",
            "When a record last failed: milliseconds since 1970, 0 for never.",
        ),
        |t, out| out.value(t.last_error_ms.load(Relaxed)),
    ),
];

/// Of the consumer. Its rules write `clientId`, and then every label in small letters: both are here, whichever a query was written for.
pub(super) const CONSUMER_ROWS: &[PartitionRow] = &[PartitionRow {
    family: Family::gauge(
        "kafka_consumer_fetch_manager_records_lag",
        "Records in the partition that the consumer has not given out yet; sluice_lag_records are those without a fate.",
    ),
    labels: &["clientId", "clientid", "partition", "topic"],
    label: |partition, label| match label {
        "partition" => &partition.partition,
        "topic" => &partition.topic,
        _ => partition.task.client_id.get().map_or("", String::as_str),
    },
    read: |partition: &PartitionSeries| {
        Some(partition.unread_records.load(Relaxed)).filter(|records| *records != UNKNOWN).map(|records| records as f64)
    },
}];
