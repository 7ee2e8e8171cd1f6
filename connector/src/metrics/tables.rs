//! The names: one row per metric, and how it is read from a task's or a partition's series. Here are our own; `metrics/connect.rs` has Kafka Connect's.
//! Dashboards and alert rules are written against these names.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::connect::{CONNECT_ROWS, CONSUMER_ROWS, ERROR_ROWS};
use super::family::{Described, Family, Samples};
use super::histogram::Histogram;
use super::series::{PartitionSeries, TaskSeries, UNKNOWN, live, lock};
use super::window::{Recent, Window};
use super::{CutBy, RequestOutcome, Stage, Tasks};

/// A metric with the labels `connector` and `task`, and where a row says so one or two more.
pub(super) struct TaskRow {
    family: Family,
    extra_labels: &'static [&'static str],
    read: fn(&TaskSeries, &mut Out<'_>),
}

/// A metric of a partition; `None` is not shown.
pub(super) struct PartitionRow {
    pub(super) family: Family,
    pub(super) labels: &'static [&'static str],
    pub(super) label: for<'a> fn(&'a PartitionSeries, &str) -> &'a str,
    pub(super) read: fn(&PartitionSeries) -> Option<f64>,
}

/// Where a row writes its samples: knows the task's labels.
pub(super) struct Out<'a> {
    samples: &'a mut Samples,
    task: &'a TaskSeries,
    now: Instant,
}

pub(super) const fn task(family: Family, read: fn(&TaskSeries, &mut Out<'_>)) -> TaskRow {
    TaskRow { family, extra_labels: &[], read }
}

const fn partition(family: Family, read: fn(&PartitionSeries) -> Option<f64>) -> PartitionRow {
    PartitionRow { family, labels: &["connector", "partition", "task", "topic"], label, read }
}

/// The value of a label of our own metrics of partitions.
fn label<'a>(partition: &'a PartitionSeries, label: &str) -> &'a str {
    match label {
        "connector" => &partition.task.connector,
        "partition" => &partition.partition,
        "task" => &partition.task.task,
        _ => &partition.topic,
    }
}

pub(super) const fn counter(name: &'static str, help: &'static str) -> Family {
    Family::counter(name, help)
}

pub(super) const fn gauge(name: &'static str, help: &'static str) -> Family {
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
    task(
        gauge(
            "sluice_influx_certificate_expiry_timestamp_seconds",
            "When the certificate ends that InfluxDB showed at the latest write, in seconds since 1970; only with https.",
        ),
        |t, out| {
            let not_after = t.influx_certificate.load(Relaxed);
            if not_after > 0 {
                out.value(not_after);
            }
        },
    ),
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
        let descs = families().iter().map(Described::desc).collect();
        Self { tasks, descs }
    }
}

fn task_rows() -> impl Iterator<Item = &'static TaskRow> {
    TASK_ROWS.iter().chain(CONNECT_ROWS).chain(ERROR_ROWS)
}

fn partition_rows() -> impl Iterator<Item = &'static PartitionRow> {
    PARTITION_ROWS.iter().chain(CONSUMER_ROWS)
}

/// What the collector shows.
pub(super) fn families() -> Vec<Described> {
    let of_tasks =
        task_rows().map(|row| Described::new(row.family, &[&["connector", "task"], row.extra_labels].concat()));
    let of_partitions = partition_rows().map(|row| Described::new(row.family, row.labels));
    of_tasks.chain(of_partitions).collect()
}

impl Collector for TaskCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let (tasks, now) = (live(&mut lock(&self.tasks)), Instant::now());
        let partitions: Vec<Arc<PartitionSeries>> = tasks.iter().flat_map(|task| task.live_partitions()).collect();
        let of_tasks = task_rows().map(|row| {
            let mut samples = Samples::new(row.family);
            for task in &tasks {
                (row.read)(task, &mut Out { samples: &mut samples, task, now });
            }
            samples.into_family()
        });
        let of_partitions = partition_rows().map(|row| {
            let mut samples = Samples::new(row.family);
            for partition in &partitions {
                if let Some(value) = (row.read)(partition) {
                    let labels: Vec<_> = row.labels.iter().map(|&name| (name, (row.label)(partition, name))).collect();
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
    /// What a window of the task's holds now.
    pub(super) fn recent(&self, window: &Window) -> Recent {
        window.recent(self.now)
    }

    pub(super) fn value(&mut self, value: u64) {
        self.labelled(&[], value);
    }

    pub(super) fn float(&mut self, value: f64) {
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
