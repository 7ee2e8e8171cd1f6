//! The two sides that the script is played to: what its variables mean there, and which keys are only theirs.

use rdkafka::producer::{BaseRecord, Producer};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::super::support::http;
use super::super::support::influx::Database;
use super::super::support::kafka::{Topic, unique};
use super::super::support::services::{self, Script};
use super::super::support::sluice::Sluice;
use super::super::support::wait::DEADLINE;

/// Partitions of each topic: two, so that two tasks have something to do.
const PARTITIONS: i32 = 2;

/// Of records that can be read, and of one that can't.
const TOPICS: [&str; 2] = ["golden-plain", "golden-poison"];

/// The version in `docker/local/connect/pom.xml`.
const CONNECT_VERSION: &str = "4.1.2";

/// Who answers.
pub(super) struct Side {
    /// `http://host:port`.
    pub(super) url: String,
    /// What stands for `${name}`; longer values first, because one may be part of another.
    variables: Vec<(&'static str, String)>,
    /// The configurations that a step takes with `"$": name`.
    sinks: Vec<(&'static str, Map<String, Value>)>,
    /// How keys begin that the other side doesn't have.
    own_keys: &'static [&'static str],
    /// Groups of keys that the other side doesn't have.
    own_groups: &'static [&'static str],
    topics: [Topic; 2],
    _running: Running,
}

/// What ends with the side.
#[expect(dead_code, reason = "held so that it goes on")]
enum Running {
    Connect(Script, TempDir),
    Sluice(Sluice, Database),
}

// === impl Side ===

impl Side {
    /// Kafka Connect in standalone mode, started for this.
    pub(super) fn connect() -> Self {
        let mut script = Script::start(&["run", "--fast-start", "kafka", "connect"], &[]).unwrap_or_else(|why| {
            panic!("Kafka Connect could not be started: {why}. Try `docker/local/services run kafka connect` by hand")
        });
        let kafka = script.printed("SLUICE_TEST_KAFKA").expect("its script says where Kafka is");
        let url = script.printed("SLUICE_TEST_CONNECT").expect("its script says where Kafka Connect is");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sink").display().to_string();
        let nowhere = folder.path().join("no-such-folder/sink").display().to_string();
        let topics = TOPICS.map(|name| Topic::create_on(&kafka, name, PARTITIONS));
        let class = "org.apache.kafka.connect.file.FileStreamSinkConnector";
        let sink =
            |topic: &Topic, file: &str| object(json!({"connector.class": class, "topics": topic.name, "file": file}));
        Self {
            variables: variables(&url, [class, "FileStreamSinkConnector", "FileStreamSink"], CONNECT_VERSION, &topics),
            sinks: vec![("sink", sink(&topics[0], &file)), ("failing", sink(&topics[1], &nowhere))],
            own_keys: &["file"],
            own_groups: &[],
            url,
            topics,
            _running: Running::Connect(script, folder),
        }
    }

    /// Sluice without any connector, on the tests' Kafka and InfluxDB.
    pub(super) fn sluice() -> Self {
        let database = Database::create("golden");
        let groups = unique("golden");
        let prefix = format!("connect.group.prefix={groups}-");
        let arguments = ["--bootstrap-servers", services::kafka(), "--set", &prefix];
        let process = Sluice::start_with(&[], &arguments);
        let url = process.url("");
        let topics = TOPICS.map(|name| Topic::create(name, PARTITIONS));
        let class = "io.sluice.InfluxSinkConnector";
        let sink = |topic: &Topic| {
            object(json!({
                "connector.class": class,
                "topics": topic.name,
                "influx.url": database.url,
                "influx.database": database.name,
                "transform.module": "builtin:split-concat",
                "offset.flush.interval.ms": "200",
            }))
        };
        let mut variables =
            variables(&url, [class, "InfluxSinkConnector", "InfluxSink"], env!("CARGO_PKG_VERSION"), &topics);
        variables.push(("groups", groups));
        Self {
            variables,
            // It fails on the record that the script writes to the second topic.
            sinks: vec![("sink", sink(&topics[0])), ("failing", sink(&topics[1]))],
            own_keys: &[
                "influx.",
                "transform.",
                "batch.",
                "linger.",
                "requests.",
                "timestamp.",
                "offset.flush.",
                "errors.restart.",
                "errors.budget.",
                "stall.",
            ],
            own_groups: &["InfluxDB", "Transform", "Batching", "Delivery"],
            url,
            topics,
            _running: Running::Sluice(process, database),
        }
    }

    /// `text` with what the variables mean here.
    pub(super) fn fill(&self, text: &str) -> String {
        self.variables.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
    }

    /// `text` with the variables in the place of what they mean here.
    pub(super) fn empty(&self, text: &str) -> String {
        self.variables
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(value.as_str(), &format!("${{{name}}}")))
    }

    /// The configuration of that name.
    pub(super) fn sink(&self, name: &str) -> &Map<String, Value> {
        let found = self.sinks.iter().find(|(known, _)| *known == name);
        &found.unwrap_or_else(|| panic!("the script names the configuration {name:?}, which no side has")).1
    }

    /// Whether only this side has the key.
    pub(super) fn owns_key(&self, key: &str) -> bool {
        self.own_keys.iter().any(|start| key.starts_with(start))
    }

    /// Whether only this side has the group of keys.
    pub(super) fn owns_group(&self, group: &str) -> bool {
        self.own_groups.contains(&group)
    }

    /// Writes these values to the topic, one partition after the other.
    pub(super) fn produce(&self, topic: &str, values: &[String]) {
        let topic = self.topics.iter().find(|known| known.name == topic);
        let topic = topic.expect("the script writes to a topic that is made for it");
        let producer = topic.producer();
        for (value, partition) in values.iter().zip((0..PARTITIONS).cycle()) {
            producer.send(BaseRecord::<(), str>::to(&topic.name).partition(partition).payload(value)).unwrap();
        }
        producer.flush(DEADLINE).unwrap();
    }

    /// Deletes every connector, so that one scenario leaves the next none.
    pub(super) fn clear(&self) {
        let listed = http::get(&format!("{}/connectors", self.url)).unwrap();
        let names: Vec<String> = serde_json::from_str(&listed.body).unwrap_or_default();
        for name in names {
            http::send("DELETE", &format!("{}/connectors/{}", self.url, http::encode(&name)), &[], b"").unwrap();
        }
    }
}

/// `class` in full, simple and short.
fn variables(url: &str, class: [&str; 3], version: &str, topics: &[Topic; 2]) -> Vec<(&'static str, String)> {
    let worker = url.strip_prefix("http://").unwrap_or(url);
    let mut variables = vec![
        ("url", url.to_owned()),
        ("worker", worker.to_owned()),
        ("class", class[0].to_owned()),
        ("simple", class[1].to_owned()),
        ("alias", class[2].to_owned()),
        ("version", version.to_owned()),
        ("topic", topics[0].name.clone()),
        ("poison", topics[1].name.clone()),
    ];
    variables.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
    variables
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is not an object"),
    }
}
