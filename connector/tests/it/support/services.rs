//! Real services for the tests: those of `docker/local`, or the user's own.
//!
//! A service is started when the first test asks for it, and ends when its standard input closes, which the kernel does however
//! this process ends.

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docker/local/services");

/// A service, started once and shared by all tests.
struct Service {
    name: &'static str,
    /// The variable that says where it is: the user's, and what the script prints.
    variable: &'static str,
    running: OnceLock<Result<Running, String>>,
}

struct Running {
    address: String,
    // Holds the service's standard input open.
    _script: Option<Script>,
}

/// The script of `docker/local`, running one service.
#[derive(Debug)]
pub(crate) struct Script {
    process: Child,
    // Only a drop takes it.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    printed: BTreeMap<String, String>,
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

/// The folder of a service, which is fetched if it is missing.
pub(crate) fn folder(service: &str) -> Result<PathBuf, String> {
    let output =
        Command::new(SCRIPT).args(["where", service]).output().map_err(|error| format!("{SCRIPT}: {error}"))?;
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
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
        let mut script = Script::start(&["run", self.name], &[])?;
        let address = script.printed(self.variable).ok_or("its script did not say where it is")?;
        Ok(Running { address, _script: Some(script) })
    }
}

// === impl Script ===

impl Script {
    /// Starts the script with these arguments and variables, and waits until its service can be used.
    pub(crate) fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Self, String> {
        let mut process = Command::new(SCRIPT)
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{SCRIPT}: {error}"))?;
        let orders = process.stdin.take();
        let stdout = process.stdout.take().ok_or("no standard output")?;
        let mut script = Self { process, orders, answers: BufReader::new(stdout), printed: BTreeMap::new() };
        loop {
            let line = script.next_line()?;
            if line == "READY" {
                return Ok(script);
            }
            if let Some((name, value)) = line.split_once('=') {
                script.printed.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// What it printed as `name=…` before it was ready.
    pub(crate) fn printed(&mut self, name: &str) -> Option<String> {
        self.printed.remove(name)
    }

    /// Gives an order and waits until it is obeyed. Only for scripts that were started with `--orders`.
    pub(super) fn order(&mut self, order: &str, answer: &str) {
        let mut orders = self.orders.as_ref().unwrap();
        writeln!(orders, "{order}").unwrap();
        assert_eq!(self.next_line().as_deref(), Ok(answer), "the answer to {order:?}");
    }

    fn next_line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(0) => Err("its script ended, see its words above".to_owned()),
            Ok(_) => Ok(line.trim_end().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // Its input closes, so it ends.
        drop(self.orders.take());
        let _ = self.process.wait();
    }
}
