//! Real services for the tests: those of `docker/local`, or the user's own.
//!
//! A service is started when the first test asks for it, and ends when its standard input closes, which the kernel does however
//! this process ends.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docker/local/services");

/// A service, started once.
struct Service {
    name: &'static str,
    /// The variable that says where it is: the user's, and what the script prints.
    variable: &'static str,
    running: OnceLock<Result<Running, String>>,
}

struct Running {
    address: String,
    // Holds the service's standard input open.
    _script: Option<Child>,
}

static KAFKA: Service = Service::new("kafka", "SLUICE_TEST_KAFKA");
static INFLUXDB: Service = Service::new("influxdb", "SLUICE_TEST_INFLUXDB");
static VICTORIA_METRICS: Service = Service::new("victoria-metrics", "SLUICE_TEST_VICTORIA_METRICS");

/// `host:port` of Apache Kafka.
pub(crate) fn kafka() -> &'static str {
    KAFKA.address()
}

/// `http://host:port` of InfluxDB 1.
pub(crate) fn influxdb() -> &'static str {
    INFLUXDB.address()
}

/// `http://host:port` of VictoriaMetrics.
pub(crate) fn victoria_metrics() -> &'static str {
    VICTORIA_METRICS.address()
}

// === impl Service ===

impl Service {
    const fn new(name: &'static str, variable: &'static str) -> Self {
        Self { name, variable, running: OnceLock::new() }
    }

    fn address(&self) -> &str {
        match self.running.get_or_init(|| self.start()) {
            Ok(running) => &running.address,
            Err(why) => panic!(
                "{} for the tests could not be started: {why}. Try `docker/local/services run {}` by hand (what it needs is in \
                 docker/local/README.md), or point the tests at one of yours with {}",
                self.name, self.name, self.variable
            ),
        }
    }

    fn start(&self) -> Result<Running, String> {
        if let Ok(address) = env::var(self.variable) {
            return Ok(Running { address: address.trim_end_matches('/').to_owned(), _script: None });
        }
        let mut script = Command::new(SCRIPT)
            .args(["run", self.name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{SCRIPT}: {error}"))?;
        let stdout = script.stdout.take().ok_or("no standard output")?;
        let mut address = None;
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(|error| error.to_string())?;
            match line.split_once('=') {
                Some((name, value)) if name == self.variable => address = Some(value.to_owned()),
                _ if line == "READY" => break,
                _ => {}
            }
        }
        let address = address.ok_or("its script ended before it was ready, see its words above")?;
        Ok(Running { address, _script: Some(script) })
    }
}
