//! What `/metrics` says.

/// One look at the metrics.
#[derive(Debug)]
pub(crate) struct Metrics(String);

// === impl Metrics ===

impl Metrics {
    /// Takes Prometheus's text.
    pub(crate) fn parse(text: String) -> Self {
        Self(text)
    }

    /// The sum of every sample of `name` that has all these labels, written as in `task="0"`; `None` if there is none.
    pub(crate) fn find(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let mut values = self
            .samples(name)
            .filter(|(found, _)| labels.iter().all(|label| found.contains(label)))
            .map(|(_, value)| value);
        let first = values.next()?;
        Some(values.fold(first, |sum, value| sum + value))
    }

    /// The same, of a metric that has to be there.
    #[track_caller]
    pub(crate) fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        self.find(name, labels).unwrap_or_else(|| panic!("no metric {name} with {labels:?} in:\n{}", self.0))
    }

    fn samples<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.0.lines().filter_map(move |line| {
            let (labels, value) = line.strip_prefix(name)?.rsplit_once(' ')?;
            // Another metric, whose name begins alike.
            (labels.is_empty() || labels.starts_with('{')).then(|| (labels, value.parse().unwrap()))
        })
    }
}
