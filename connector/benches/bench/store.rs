//! Real stores, and how many points they say they have taken.

use serde_json::Value;

use crate::rest;
use crate::services::Services;

/// The database that everything goes to.
pub(crate) const DATABASE: &str = "bench";

/// A store with its process.
pub(crate) struct Store {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    written: fn(u16) -> u64,
    _services: Services,
}

// === impl Store ===

impl Store {
    /// InfluxDB 1 with an empty database.
    pub(crate) fn influxdb() -> Self {
        let store = Self::start("InfluxDB 1", "influxdb", "SLUICE_TEST_INFLUXDB", written_to_influxdb);
        let (status, body) = rest::ask(store.port, "POST", &format!("/query?q=CREATE%20DATABASE%20{DATABASE}"), None);
        assert_eq!(status, 200, "{body}");
        store
    }

    /// VictoriaMetrics.
    pub(crate) fn victoria_metrics() -> Self {
        Self::start("VictoriaMetrics", "victoria-metrics", "SLUICE_TEST_VICTORIA_METRICS", written_to_victoria_metrics)
    }

    fn start(name: &'static str, service: &str, place: &str, written: fn(u16) -> u64) -> Self {
        let services = Services::start(&[service]);
        let port = services.at(place).rsplit(':').next().and_then(|port| port.trim_end_matches('/').parse().ok());
        Self { name, port: port.expect("a store tells its port"), written, _services: services }
    }

    /// Points that it has taken since it started.
    pub(crate) fn written(&self) -> u64 {
        (self.written)(self.port)
    }
}

/// `pointsWrittenOK` of the HTTP service, among InfluxDB's own statistics.
fn written_to_influxdb(port: u16) -> u64 {
    let (status, body) = rest::ask(port, "GET", "/debug/vars", None);
    assert_eq!(status, 200, "{body}");
    let all: Value = serde_json::from_str(&body).unwrap();
    let points = |one: &Value| one["values"]["pointsWrittenOK"].as_u64();
    all.as_object().unwrap().values().filter_map(points).sum()
}

/// `vm_rows_inserted_total` of the protocol.
fn written_to_victoria_metrics(port: u16) -> u64 {
    let (status, body) = rest::ask(port, "GET", "/metrics", None);
    assert_eq!(status, 200, "{body}");
    let rows = |line: &str| line.strip_prefix("vm_rows_inserted_total{type=\"influx\"} ")?.trim().parse::<u64>().ok();
    body.lines().find_map(rows).unwrap_or(0)
}
