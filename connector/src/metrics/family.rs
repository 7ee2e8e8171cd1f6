//! Building blocks for collectors: a metric's name, help and kind, and the samples under it.

use prometheus::core::Desc;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

use super::histogram::Histogram;

/// What a metric is called, what it says and how it behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) kind: MetricType,
}

impl Family {
    pub(crate) const fn counter(name: &'static str, help: &'static str) -> Self {
        Self { name, help, kind: MetricType::COUNTER }
    }

    pub(crate) const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self { name, help, kind: MetricType::GAUGE }
    }

    pub(crate) const fn histogram(name: &'static str, help: &'static str) -> Self {
        Self { name, help, kind: MetricType::HISTOGRAM }
    }
}

/// A family with the labels that its samples have.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    pub(crate) family: Family,
    pub(crate) labels: Vec<&'static str>,
}

impl Described {
    pub(crate) fn new(family: Family, labels: &[&'static str]) -> Self {
        Self { family, labels: labels.to_vec() }
    }

    /// The descriptor by which the registry keeps two collectors from using one name.
    pub(crate) fn desc(&self) -> Desc {
        let labels = self.labels.iter().map(|label| (*label).to_owned()).collect();
        Desc::new(self.family.name.to_owned(), self.family.help.to_owned(), labels, Default::default())
            .expect("names, helps and labels are constants, and a test renders each of them")
    }
}

/// The samples of one family, filled by a collector and handed to the registry.
#[derive(Debug)]
pub(crate) struct Samples {
    family: Family,
    metrics: Vec<Metric>,
}

impl Samples {
    pub(crate) fn new(family: Family) -> Self {
        Self { family, metrics: Vec::new() }
    }

    /// Adds one value of a counter or gauge.
    pub(crate) fn value(&mut self, labels: &[(&str, &str)], value: f64) {
        let mut metric = Metric::from_label(pairs(labels));
        if self.family.kind == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        self.metrics.push(metric);
    }

    /// Adds one histogram.
    pub(crate) fn histogram(&mut self, labels: &[(&str, &str)], histogram: &Histogram) {
        let mut metric = Metric::from_label(pairs(labels));
        metric.set_histogram(histogram.to_proto());
        self.metrics.push(metric);
    }

    pub(crate) fn into_family(self) -> MetricFamily {
        let mut family = MetricFamily::default();
        family.set_name(self.family.name.to_owned());
        family.set_help(self.family.help.to_owned());
        family.set_field_type(self.family.kind);
        family.set_metric(self.metrics);
        family
    }
}

fn pairs(labels: &[(&str, &str)]) -> Vec<LabelPair> {
    let pair = |(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    labels.iter().map(pair).collect()
}
