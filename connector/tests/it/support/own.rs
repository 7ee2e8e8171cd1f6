//! Services of one test's own, which it may kill. They end with it.

use std::sync::Mutex;

use super::proxy::Proxy;
use super::services::Script;

/// A real Apache Kafka with settings of its own.
#[derive(Debug)]
pub(crate) struct OwnKafka {
    address: String,
    /// Of the listener at `@EXTRA_PORT@`, if its settings have one.
    extra: Option<String>,
    script: Mutex<Script>,
}

/// A real InfluxDB 1 with settings of its own.
#[derive(Debug)]
pub(crate) struct OwnInflux {
    url: String,
    script: Mutex<Script>,
}

/// A broker for a few thousand records.
const JVM_OPTIONS: &str = "-Xms128m -Xmx384m";

/// After a kill -9 the new process is let in when the session of the old one is over: not the default 9 s. Below two seconds a busy
/// machine would end a session that lives.
const PROPERTIES: &[(&str, &str)] = &[("broker.session.timeout.ms", "2000"), ("broker.heartbeat.interval.ms", "250")];

/// A second listener at `@EXTRA_PORT@` whose clients are sent to `proxy` for everything.
const BEHIND: &[(&str, &str)] = &[
    (
        "listeners",
        "BROKER://127.0.0.1:@PORT@,PROXIED://127.0.0.1:@EXTRA_PORT@,CONTROLLER://127.0.0.1:@CONTROLLER_PORT@",
    ),
    ("listener.security.protocol.map", "BROKER:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT"),
];

// === impl OwnKafka ===

impl OwnKafka {
    /// Starts one. `properties` are added to its `server.properties`, with `@PORT@`, `@CONTROLLER_PORT@`, `@EXTRA_PORT@` and
    /// `@DATA@` filled in; `BROKER` stays the name of the listener that the tests themselves use.
    pub(crate) fn start(properties: &[(&str, &str)]) -> Self {
        Self::start_with_users(properties, "")
    }

    /// The same with SCRAM users, one a line, as `SCRAM-SHA-512=[name=ann,password=secret]`.
    pub(crate) fn start_with_users(properties: &[(&str, &str)], users: &str) -> Self {
        let properties = PROPERTIES.iter().chain(properties);
        let properties: String = properties.map(|(key, value)| format!("{key}={value}\n")).collect();
        let variables = [
            ("SLUICE_KAFKA_JVM_OPTS", JVM_OPTIONS),
            ("SLUICE_KAFKA_PROPERTIES", &properties),
            ("SLUICE_KAFKA_SCRAM", users),
        ];
        let mut script = start(&["run", "--fast-start", "--orders", "kafka"], &variables);
        let address = script.printed("SLUICE_TEST_KAFKA").unwrap();
        Self { address, extra: script.printed("SLUICE_TEST_KAFKA_EXTRA"), script: Mutex::new(script) }
    }

    /// Starts one that has a second door: whoever comes in by `proxy`, once that is opened to [`OwnKafka::extra`], is sent back to
    /// it for every connection.
    pub(crate) fn start_behind(proxy: &Proxy, properties: &[(&str, &str)]) -> Self {
        let advertised = format!("BROKER://127.0.0.1:@PORT@,PROXIED://{}", proxy.address());
        Self::start(&[BEHIND, &[("advertised.listeners", &advertised)], properties].concat())
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// `host:port` of the listener at `@EXTRA_PORT@`.
    pub(crate) fn extra(&self) -> &str {
        self.extra.as_deref().expect("its settings have no @EXTRA_PORT@")
    }

    /// Ends it by `kill -9`.
    pub(crate) fn kill(&self) {
        self.script.lock().unwrap().order("kill kafka", "killed kafka");
    }

    /// Starts it again on the same ports and data, and waits until it can be used.
    pub(crate) fn restart(&self) {
        self.script.lock().unwrap().order("start kafka", "started kafka");
    }
}

// === impl OwnInflux ===

impl OwnInflux {
    /// Starts one. `variables` are settings of InfluxDB's own, such as `INFLUXDB_HTTP_AUTH_ENABLED`.
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        let mut script = start(&["run", "--orders", "influxdb"], variables);
        Self { url: script.printed("SLUICE_TEST_INFLUXDB").unwrap(), script: Mutex::new(script) }
    }

    /// `http://host:port`, or `https://` if its settings say so.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Ends it by `kill -9`.
    pub(crate) fn kill(&self) {
        self.script.lock().unwrap().order("kill influxdb", "killed influxdb");
    }

    /// Starts it again on the same port and data, and waits until it can be used.
    pub(crate) fn restart(&self) {
        self.script.lock().unwrap().order("start influxdb", "started influxdb");
    }
}

fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Script {
    Script::start(arguments, variables).unwrap_or_else(|why| panic!("{arguments:?} of docker/local/services: {why}"))
}
