//! The build and the process: what every Prometheus client shows, read from Linux' `/proc`. Elsewhere only the build
//! is shown.

use procfs::process::{LimitValue, Process};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::family::{Described, Family, Samples};

const BUILD_INFO: Family =
    Family::gauge("sluice_build_info", "1, labelled with the version and the commit of this build.");

/// A metric, and where it is among the facts.
type Row = (Family, fn(&Facts) -> Option<f64>);

/// Names and meanings as in Prometheus' own guideline for process metrics.
const PROCESS_ROWS: &[Row] = &[
    (Family::counter("process_cpu_seconds_total", "User and system CPU time of the process."), |f| f.cpu_seconds),
    (Family::gauge("process_resident_memory_bytes", "Memory of the process that is in RAM."), |f| f.resident_bytes),
    (Family::gauge("process_virtual_memory_bytes", "Address space of the process."), |f| f.virtual_bytes),
    (Family::gauge("process_threads", "Threads of the process."), |f| f.threads),
    (Family::gauge("process_open_fds", "Open file descriptors."), |f| f.open_fds),
    (Family::gauge("process_max_fds", "Most file descriptors that may be open."), |f| f.max_fds),
    (Family::gauge("process_start_time_seconds", "When the process started, in seconds since 1970."), |f| {
        f.start_seconds
    }),
];

/// Shows which build this is.
pub(super) struct BuildCollector {
    desc: Desc,
}

/// Shows what the process uses; reads `/proc` when it is asked.
pub(super) struct ProcessCollector {
    descs: Vec<Desc>,
}

/// What `/proc/self` says; `None` is what could not be read.
#[derive(Debug, Default)]
struct Facts {
    cpu_seconds: Option<f64>,
    resident_bytes: Option<f64>,
    virtual_bytes: Option<f64>,
    threads: Option<f64>,
    open_fds: Option<f64>,
    max_fds: Option<f64>,
    start_seconds: Option<f64>,
}

fn build() -> Described {
    Described::new(BUILD_INFO, &["commit", "version"])
}

fn process() -> impl Iterator<Item = Described> {
    PROCESS_ROWS.iter().map(|(family, _)| Described::new(*family, &[]))
}

/// What the collectors show.
#[cfg(test)]
pub(super) fn families() -> Vec<Described> {
    process().chain([build()]).collect()
}

// === impl BuildCollector ===

impl BuildCollector {
    pub(super) fn new() -> Self {
        Self { desc: build().desc() }
    }
}

impl Collector for BuildCollector {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut samples = Samples::new(BUILD_INFO);
        samples.value(&[("commit", crate::status::COMMIT), ("version", crate::status::VERSION)], 1.0);
        vec![samples.into_family()]
    }
}

// === impl ProcessCollector ===

impl ProcessCollector {
    pub(super) fn new() -> Self {
        Self { descs: process().map(|family| family.desc()).collect() }
    }
}

impl Collector for ProcessCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let facts = Facts::read();
        let row = |(family, read): &Row| {
            let mut samples = Samples::new(*family);
            if let Some(value) = read(&facts) {
                samples.value(&[], value);
            }
            samples.into_family()
        };
        PROCESS_ROWS.iter().map(row).collect()
    }
}

// === impl Facts ===

impl Facts {
    fn read() -> Self {
        let mut facts = Self::default();
        let Ok(process) = Process::myself() else { return facts };
        if let Ok(stat) = process.stat() {
            let per_second = procfs::ticks_per_second() as f64;
            facts.cpu_seconds = Some((stat.utime + stat.stime) as f64 / per_second);
            facts.resident_bytes = Some((stat.rss * procfs::page_size()) as f64);
            facts.virtual_bytes = Some(stat.vsize as f64);
            facts.threads = Some(stat.num_threads as f64);
            facts.start_seconds =
                procfs::boot_time_secs().ok().map(|boot| boot as f64 + stat.starttime as f64 / per_second);
        }
        facts.open_fds = process.fd_count().ok().map(|count| count as f64);
        facts.max_fds = process.limits().ok().map(|limits| match limits.max_open_files.soft_limit {
            LimitValue::Value(limit) => limit as f64,
            LimitValue::Unlimited => f64::INFINITY,
        });
        facts
    }
}
