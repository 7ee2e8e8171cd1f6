//! The real binary as a process.

mod guard;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;

use serde_json::Value;
use tempfile::TempDir;

use super::http::{self, Answer};
use super::influx::Database;
use super::kafka::Topic;
use super::metrics::Metrics;
use super::scripted_influx::ScriptedInflux;
use super::services;
use super::wait::until;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_sluice");

/// How many log lines a failure shows, from the end.
const LOG_SHOWN: usize = 100;

/// The configuration of a connector.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    pub(crate) name: String,
    settings: BTreeMap<String, String>,
}

/// A running `sluice run`. Killed when dropped; its log is shown if the test has failed.
#[derive(Debug)]
pub(crate) struct Sluice {
    process: Child,
    log: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
    address: OnceLock<String>,
    exit: Option<Option<i32>>,
    _folder: TempDir,
}

// === impl Connector ===

impl Connector {
    /// A connector of `topic` whose name ends in `suffix`, with the shipped transform and frequent commits.
    pub(crate) fn new(topic: &Topic, suffix: &str) -> Self {
        Self::named(&format!("{}-{suffix}", topic.name), &topic.name)
    }

    /// The same with a name and topics that need not exist.
    pub(crate) fn named(name: &str, topics: &str) -> Self {
        let connector = Self { name: name.to_owned(), settings: BTreeMap::new() };
        connector
            .set("name", name)
            .set("connector.class", "InfluxSink")
            .set("topics", topics)
            .set("transform.module", "builtin:split-concat")
            .set("offset.flush.interval.ms", "50")
    }

    /// Writes into the real InfluxDB.
    pub(crate) fn into_database(self, database: &Database) -> Self {
        self.set("influx.url", &database.url).set("influx.database", &database.name)
    }

    /// Writes into a scripted InfluxDB 1.
    pub(crate) fn into_scripted(self, influx: &ScriptedInflux) -> Self {
        self.set("influx.url", influx.url()).set("influx.database", "prices")
    }

    /// Sets `key`.
    pub(crate) fn set(mut self, key: &str, value: impl Into<String>) -> Self {
        self.settings.insert(key.to_owned(), value.into());
        self
    }

    /// All that is set.
    pub(crate) fn settings(&self) -> &BTreeMap<String, String> {
        &self.settings
    }

    /// As a file has it.
    pub(crate) fn properties(&self) -> String {
        self.settings.iter().map(|(key, value)| format!("{key}={value}\n")).collect()
    }
}

// === impl Sluice ===

impl Sluice {
    /// Starts a process with these connectors, on the real Kafka.
    pub(crate) fn start(connectors: &[&Connector]) -> Self {
        Self::start_with(connectors, &["--bootstrap-servers", services::kafka()])
    }

    /// Starts a process with these arguments and connectors.
    pub(crate) fn start_with(connectors: &[&Connector], arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(BINARY);
        command.args(["--log-format", "json", "--log-level", "info,sluice=debug", "run"]).args(arguments);
        if !arguments.contains(&"--listeners") {
            command.args(["--listeners", "http://127.0.0.1:0"]);
        }
        for connector in connectors {
            let file = folder.path().join(format!("{}.properties", connector.name));
            fs::write(&file, connector.properties()).unwrap();
            command.arg(file);
        }
        Self::spawn(command, folder)
    }

    /// Starts `command`, which keeps its files in `folder` and logs JSON.
    pub(crate) fn spawn(command: Command, folder: TempDir) -> Self {
        Self::spawn_into(command, folder, Stdio::null())
    }

    /// Starts `command` with its standard output into `stdout`.
    pub(crate) fn spawn_into(mut command: Command, folder: TempDir, stdout: Stdio) -> Self {
        let set: Vec<_> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SLUICE_")) {
            if !set.iter().any(|set| *set == *name) {
                command.env_remove(name);
            }
        }
        let mut process = command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
        guard::watch(process.id());
        let log = Arc::new(Mutex::new(Vec::new()));
        let reader = read_log(process.stderr.take().unwrap(), Arc::clone(&log));
        Self { process, log, reader: Some(reader), address: OnceLock::new(), exit: None, _folder: folder }
    }

    /// Looks until there is something, as long as the process lives.
    pub(crate) fn until<T, E: Debug>(&mut self, what: &str, mut look: impl FnMut(&Self) -> Result<T, E>) -> T {
        until(what, || {
            let seen = look(self);
            if seen.is_err()
                && let Some(code) = self.poll_exit()
            {
                panic!("sluice ended with {code:?} while {what} was waited for");
            }
            seen
        })
    }

    /// Waits for the process's end and gives back its exit code; `None` if a signal ended it.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        until("the process to end", || self.poll_exit().ok_or("it runs"))
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends SIGHUP.
    pub(crate) fn hang_up(&self) {
        self.signal("HUP");
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The processes that it has started and that are there.
    pub(crate) fn children(&self) -> Vec<u32> {
        let output =
            Command::new("ps").args(["-o", "pid=", "--ppid", &self.process.id().to_string()]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    }

    /// Stops the process where it is, as a machine that is suspended does, until [`Sluice::thaw`].
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets a frozen process go on.
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} $0");
        let sent = Command::new("sh").args(["-c", &kill, &self.process.id().to_string()]).status();
        assert!(sent.unwrap().success(), "no such process");
    }

    /// Asks for a graceful stop and expects it to succeed.
    pub(crate) fn stop(mut self) {
        self.terminate();
        assert_eq!(self.wait(), Some(0), "exit code after SIGTERM");
    }

    /// Ends the process as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        assert_eq!(self.wait(), None, "killed by a signal");
    }

    /// `GET path` of its listener.
    pub(crate) fn get(&self, path: &str) -> Answer {
        http::get(&self.url(path)).unwrap()
    }

    /// Where `path` of its listener is.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// The body of `GET path`, with its status.
    pub(crate) fn get_json(&self, path: &str) -> (u16, Value) {
        let answer = self.get(path);
        (answer.status, serde_json::from_str(&answer.body).unwrap())
    }

    /// `/metrics`.
    pub(crate) fn metrics(&self) -> Metrics {
        let answer = self.get("/metrics");
        assert_eq!(answer.status, 200);
        Metrics::parse(answer.body)
    }

    /// For use in `until`: `Ok` if `/health/ready` says so, otherwise what it says.
    pub(crate) fn ready(&self) -> Result<(), String> {
        let answer = self.get("/health/ready");
        if answer.status == 200 { Ok(()) } else { Err(answer.body) }
    }

    /// For use in `until`: `Ok` once its tasks have so many partitions, otherwise how many they have.
    pub(crate) fn has_partitions(&self, wanted: f64) -> Result<(), Option<f64>> {
        match self.metrics().find("kafka_connect_sink_task_partition_count", &[]) {
            Some(count) if count == wanted => Ok(()),
            count => Err(count),
        }
    }

    /// For use in `until`: the first log line with all of `words` in it.
    pub(crate) fn logged(&self, words: &[&str]) -> Result<String, String> {
        let log = self.log.lock().unwrap();
        let line = log.iter().find(|line| words.iter().all(|word| line.contains(word)));
        line.cloned().ok_or_else(|| log.last().cloned().unwrap_or_default())
    }

    /// Everything that it has said on standard error.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// How often partitions came or went.
    pub(crate) fn assignments(&self) -> usize {
        let log = self.log();
        ["assigned", "revoked", "lost"]
            .iter()
            .map(|what| log.matches(&format!("\"message\":\"partitions {what}")).count())
            .sum()
    }

    fn address(&self) -> &str {
        self.address.get_or_init(|| {
            let line = until("the listener's address in the log", || self.logged(&["\"message\":\"listening\""]));
            let line: Value = serde_json::from_str(&line).unwrap();
            line["address"].as_str().unwrap().to_owned()
        })
    }

    fn poll_exit(&mut self) -> Option<Option<i32>> {
        if self.exit.is_none()
            && let Some(status) = self.process.try_wait().unwrap()
        {
            self.exit = Some(status.code());
            // The log is complete then.
            self.reader.take().unwrap().join().unwrap();
        }
        self.exit
    }
}

impl Drop for Sluice {
    fn drop(&mut self) {
        if self.exit.is_none() {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
        if std::thread::panicking() {
            let log = self.log.lock().unwrap();
            let shown = log.len().saturating_sub(LOG_SHOWN);
            eprintln!(
                "the log of sluice (process {}), without its first {shown} lines:\n{}",
                self.process.id(),
                log[shown..].join("\n")
            );
        }
    }
}

fn read_log(stderr: ChildStderr, log: Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            log.lock().unwrap().push(line);
        }
    })
}
