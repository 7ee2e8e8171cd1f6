//! The names: one row per metric, and how it is read from a task's or a partition's series.
//!
//! Dashboards and alert rules are written against these names. `sluice_*` are our own; `kafka_connect_*` are Kafka
//! Connect's, spelt as Strimzi's exporter rules spell them, and mean what they mean there.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::family::{Family, Samples};
use super::histogram::Histogram;
use super::series::{PartitionSeries, TaskSeries, UNKNOWN, live, lock};
use super::{CutBy, RequestOutcome, Stage, Tasks};

/// A metric with the labels `connector` and `task`, and where a row says so one or two more.
struct TaskRow {
    family: Family,
    extra_labels: &'static [&'static str],
    read: fn(&TaskSeries, &mut Out<'_>),
}

/// A metric with the labels `connector`, `task`, `topic`, `partition`; `None` is not shown.
struct PartitionRow {
    family: Family,
    read: fn(&PartitionSeries) -> Option<f64>,
}

/// Where a row writes its samples: knows the task's labels.
struct Out<'a> {
    samples: &'a mut Samples,
    task: &'a TaskSeries,
}

const fn task(family: Family, read: fn(&TaskSeries, &mut Out<'_>)) -> TaskRow {
    TaskRow { family, extra_labels: &[], read }
}

const fn partition(family: Family, read: fn(&PartitionSeries) -> Option<f64>) -> PartitionRow {
    PartitionRow { family, read }
}

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family::counter(name, help)
}

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family::gauge(name, help)
}

/// Our own, per task.
const TASK_ROWS: &[TaskRow] = &[
    task(counter("sluice_points_written_total", "Points acknowledged by InfluxDB."), |t, out| {
        out.value(t.points_written.get());
    }),
    task(
        counter("sluice_bytes_written_total", "Bytes of line protocol acknowledged by InfluxDB, before compression."),
        |t, out| out.value(t.bytes_written.get()),
    ),
    TaskRow {
        family: counter("sluice_write_requests_total", "Write requests to InfluxDB by what became of them."),
        extra_labels: &["outcome"],
        read: |t, out| {
            for outcome in RequestOutcome::ALL {
                out.labelled(&[("outcome", outcome.label())], t.requests[outcome as usize].get());
            }
        },
    },
    task(gauge("sluice_write_requests_in_flight", "Write requests sent and not answered yet."), |t, out| {
        out.float(t.requests_in_flight.load(Relaxed) as f64);
    }),
    task(counter("sluice_retries_total", "Write requests sent once more after a failure."), |t, out| {
        out.value(t.retries.get());
    }),
    task(
        counter("sluice_stalls_total", "Times that a partition stood still and the consumer was replaced."),
        |t, out| out.value(t.stalls.get()),
    ),
    task(
        counter("sluice_bisect_requests_total", "Write requests sent to find the lines of a body that are refused."),
        |t, out| out.value(t.hunt_requests.get()),
    ),
    task(
        Family::histogram(
            "sluice_freshness_seconds",
            "From a record's Kafka timestamp to InfluxDB's acknowledgement, per record.",
        ),
        |t, out| out.histogram(&[], &t.freshness),
    ),
    TaskRow {
        family: Family::histogram(
            "sluice_stage_seconds",
            "Time that one batch or request spent in a stage of the data path.",
        ),
        extra_labels: &["stage"],
        read: |t, out| {
            for stage in Stage::ALL {
                out.histogram(&[("stage", stage.label())], &t.stages[stage as usize]);
            }
        },
    },
    TaskRow {
        family: counter("sluice_batches_total", "Request bodies by the reason they were closed for."),
        extra_labels: &["cut_by"],
        read: |t, out| {
            for cut in CutBy::ALL {
                out.labelled(&[("cut_by", cut.label())], t.cuts[cut as usize].get());
            }
        },
    },
    TaskRow {
        family: gauge("sluice_transform_info", "1, labelled with the transform module that runs."),
        extra_labels: &["digest", "module"],
        read: |t, out| {
            if let Some((digest, module)) = &*lock(&t.transform) {
                out.labelled(&[("digest", digest), ("module", module)], 1);
            }
        },
    },
    task(gauge("sluice_transform_memory_bytes", "Linear memory of the transform's instance."), |t, out| {
        out.value(t.transform_memory_bytes.load(Relaxed));
    }),
];

/// Kafka Connect's, per task. Its averages and ratios are over a sliding window there and since the task's start here.
const CONNECT_ROWS: &[TaskRow] = &[
    task(
        counter("kafka_connect_sink_task_sink_record_read_total", "Records read from Kafka, before the transform."),
        |t, out| out.value(t.records_read.get()),
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
            "kafka_connect_sink_task_sink_record_active_count",
            "Records read and not committed yet, by their offsets.",
        ),
        |t, out| out.value(t.live_partitions().iter().map(|p| p.uncommitted()).sum()),
    ),
    task(gauge("kafka_connect_sink_task_partition_count", "Partitions assigned to the task."), |t, out| {
        out.value(t.partition_count.load(Relaxed));
    }),
    task(
        counter("kafka_connect_sink_task_offset_commit_completion_total", "Offset commits that Kafka took."),
        |t, out| out.value(t.commits_ok.get()),
    ),
    task(
        gauge(
            "kafka_connect_connector_task_offset_commit_success_percentage",
            "Offset commits that Kafka took, of all: 0 to 1.",
        ),
        |t, out| out.float(ratio(t.commits_ok.get(), t.commits_ok.get() + t.commits_failed.get())),
    ),
    task(
        gauge(
            "kafka_connect_connector_task_offset_commit_failure_percentage",
            "Offset commits that failed, of all: 0 to 1.",
        ),
        |t, out| out.float(ratio(t.commits_failed.get(), t.commits_ok.get() + t.commits_failed.get())),
    ),
    task(
        gauge("kafka_connect_connector_task_batch_size_max", "Records of the largest batch taken from Kafka."),
        |t, out| {
            out.value(t.source_batch_max.load(Relaxed));
        },
    ),
    task(
        gauge("kafka_connect_connector_task_batch_size_avg", "Records of a batch taken from Kafka, on average."),
        |t, out| {
            out.float(ratio(t.records_read.get(), t.source_batches.get()));
        },
    ),
];

/// Kafka Connect's of KIP-298, per task. They only grow, but Strimzi's rules type them as gauges by their names.
const ERROR_ROWS: &[TaskRow] = &[
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

/// Our own, per partition.
const PARTITION_ROWS: &[PartitionRow] = &[
    partition(counter("sluice_records_consumed_total", "Records taken from Kafka."), |p| Some(p.consumed.get() as f64)),
    partition(
        counter("sluice_records_filtered_total", "Records for which the transform gave no line, on purpose."),
        |p| Some(p.filtered.get() as f64),
    ),
    partition(counter("sluice_records_dead_lettered_total", "Records acknowledged by the dead-letter topic."), |p| {
        Some(p.dead_lettered.get() as f64)
    }),
    partition(
        counter(
            "sluice_records_discarded_total",
            "Refused records that went nowhere: errors.tolerance=all without a dead-letter topic.",
        ),
        |p| Some(p.discarded.get() as f64),
    ),
    partition(
        counter("sluice_offset_resets_total", "Times that Kafka no longer had the offset to read on from."),
        |p| Some(p.offset_resets.get() as f64),
    ),
    partition(gauge("sluice_lag_records", "Records in the partition that have no fate yet."), |p| {
        Some(p.lag_records.load(Relaxed)).filter(|records| *records != UNKNOWN).map(|records| records as f64)
    }),
    partition(
        gauge("sluice_lag_seconds", "Age of the newest record that has its fate, while others wait behind it; else 0."),
        |p| Some(f64::from_bits(p.lag_seconds.load(Relaxed))).filter(|seconds| !seconds.is_nan()),
    ),
];

/// Shows every live task and partition.
pub(super) struct TaskCollector {
    tasks: Tasks,
    descs: Vec<Desc>,
}

// === impl TaskCollector ===

impl TaskCollector {
    pub(super) fn new(tasks: Tasks) -> Self {
        let with_task = |row: &TaskRow| row.family.desc(&[&["connector", "task"], row.extra_labels].concat());
        let with_partition = |row: &PartitionRow| row.family.desc(&["connector", "task", "topic", "partition"]);
        let descs = TASK_ROWS
            .iter()
            .chain(CONNECT_ROWS)
            .chain(ERROR_ROWS)
            .map(with_task)
            .chain(PARTITION_ROWS.iter().map(with_partition))
            .collect();
        Self { tasks, descs }
    }
}

impl Collector for TaskCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let tasks = live(&mut lock(&self.tasks));
        let partitions: Vec<Arc<PartitionSeries>> = tasks.iter().flat_map(|task| task.live_partitions()).collect();
        let of_tasks = TASK_ROWS.iter().chain(CONNECT_ROWS).chain(ERROR_ROWS).map(|row| {
            let mut samples = Samples::new(row.family);
            for task in &tasks {
                (row.read)(task, &mut Out { samples: &mut samples, task });
            }
            samples.into_family()
        });
        let of_partitions = PARTITION_ROWS.iter().map(|row| {
            let mut samples = Samples::new(row.family);
            for p in &partitions {
                if let Some(value) = (row.read)(p) {
                    let (connector, task) = (&*p.task.connector, &*p.task.task);
                    let labels =
                        [("connector", connector), ("partition", &p.partition), ("task", task), ("topic", &p.topic)];
                    samples.value(&labels, value);
                }
            }
            samples.into_family()
        });
        of_tasks.chain(of_partitions).collect()
    }
}

// === impl Out ===

impl Out<'_> {
    fn value(&mut self, value: u64) {
        self.labelled(&[], value);
    }

    fn float(&mut self, value: f64) {
        self.samples.value(&labels(self.task, &[]), value);
    }

    fn labelled(&mut self, extra: &[(&str, &str)], value: u64) {
        self.samples.value(&labels(self.task, extra), value as f64);
    }

    fn histogram(&mut self, extra: &[(&str, &str)], histogram: &Histogram) {
        self.samples.histogram(&labels(self.task, extra), histogram);
    }
}

fn labels<'a>(task: &'a TaskSeries, extra: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[("connector", &*task.connector), ("task", &*task.task)], extra].concat()
}

/// `part / whole`, and 0 of nothing, as Connect has it.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
