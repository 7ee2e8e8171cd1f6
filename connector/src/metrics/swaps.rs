//! Hot swap, per connector: how candidates fared, how long each step took, what is on probation or quarantined.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::family::{Described, Family, Samples};
use super::histogram::Histogram;
use super::labels::{SwapOutcome, SwapStep};
use super::series::{Count, STAGE_BOUNDS, live, lock};

const SWAPS: Family = Family::counter(
    "sluice_swaps_total",
    "New versions of the transform by what became of them: promoted after probation, refused before it, rolled back in it.",
);
const SECONDS: Family = Family::histogram(
    "sluice_swap_seconds",
    "Time that each step of a swap took; `switch` is the time that the data path of a task stood for it.",
);
const PROBATION: Family =
    Family::gauge("sluice_transform_on_probation", "1 while a new version of the transform is on probation, else 0.");
const QUARANTINED: Family = Family::gauge(
    "sluice_transform_quarantined",
    "Modules that were taken back by themselves and are refused until their bytes change.",
);

/// Live connectors by name.
pub(super) type Swaps = Arc<Mutex<BTreeMap<String, Weak<SwapSeries>>>>;

/// The numbers of one connector.
#[derive(Debug)]
pub(super) struct SwapSeries {
    connector: String,
    outcomes: [Count; SwapOutcome::ALL.len()],
    steps: [Histogram; SwapStep::ALL.len()],
    on_probation: AtomicU64,
    quarantined: AtomicU64,
}

/// Counts for the swaps of one connector. Clones count into the same series.
#[derive(Debug, Clone)]
pub struct SwapMetrics {
    pub(super) series: Arc<SwapSeries>,
}

/// Shows every live connector.
pub(super) struct SwapCollector {
    swaps: Swaps,
    descs: Vec<Desc>,
}

// === impl SwapSeries ===

impl SwapSeries {
    pub(super) fn new(connector: &str) -> Self {
        Self {
            connector: connector.to_owned(),
            outcomes: Default::default(),
            steps: SwapStep::ALL.map(|_| Histogram::new(STAGE_BOUNDS)),
            on_probation: AtomicU64::new(0),
            quarantined: AtomicU64::new(0),
        }
    }
}

// === impl SwapMetrics ===

impl SwapMetrics {
    /// A new version met its end, or its confirmation.
    pub fn outcome(&self, outcome: SwapOutcome) {
        self.series.outcomes[outcome as usize].add(1);
    }

    /// A step took so long.
    pub fn step(&self, step: SwapStep, took: Duration) {
        self.series.steps[step as usize].observe(took.as_secs_f64(), 1);
    }

    /// Whether a version is on probation now.
    pub fn on_probation(&self, is: bool) {
        self.series.on_probation.store(u64::from(is), Relaxed);
    }

    /// How many modules are quarantined now.
    pub fn quarantined(&self, n: usize) {
        self.series.quarantined.store(n as u64, Relaxed);
    }
}

// === impl SwapCollector ===

impl SwapCollector {
    pub(super) fn new(swaps: Swaps) -> Self {
        let descs = families().iter().map(Described::desc).collect();
        Self { swaps, descs }
    }
}

/// What the collector shows.
pub(super) fn families() -> Vec<Described> {
    vec![
        Described::new(SWAPS, &["connector", "outcome"]),
        Described::new(SECONDS, &["connector", "step"]),
        Described::new(PROBATION, &["connector"]),
        Described::new(QUARANTINED, &["connector"]),
    ]
}

impl Collector for SwapCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let [mut swaps, mut seconds, mut probation, mut quarantined] =
            [SWAPS, SECONDS, PROBATION, QUARANTINED].map(Samples::new);
        for series in live(&mut lock(&self.swaps)) {
            let name = ("connector", &*series.connector);
            for outcome in SwapOutcome::ALL {
                swaps.value(&[name, ("outcome", outcome.label())], series.outcomes[outcome as usize].get() as f64);
            }
            for step in SwapStep::ALL {
                seconds.histogram(&[name, ("step", step.label())], &series.steps[step as usize]);
            }
            probation.value(&[name], series.on_probation.load(Relaxed) as f64);
            quarantined.value(&[name], series.quarantined.load(Relaxed) as f64);
        }
        [swaps, seconds, probation, quarantined].into_iter().map(Samples::into_family).collect()
    }
}
