//! The worker's own settings: one file, the environment, and flags, in rising order of weight.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;

use super::environment;
use super::kafka::{self, Role};
use super::keys::{self, WORKER};
use super::listeners::ListenerConfig;
use super::overrides::OverridePolicy;
use super::problem::{Checked, Problem, Problems};
use super::providers::Providers;
use super::read::{Given, Reader};
use super::resolve::{Resolve, System};
use super::rules::ConnectorRules;
use crate::metrics::CertificateFile;

/// Environment variables that begin with this are worker settings: `SLUICE_BOOTSTRAP_SERVERS` is `bootstrap.servers`.
pub const ENV_PREFIX: &str = "SLUICE_";

/// Variables with our prefix that are not the worker's: those of the tests, and of the command line's own options.
const OTHERS_ENV: [&str; 6] =
    ["SLUICE_TEST_", "SLUICE_LOG_", "SLUICE_WORKER", "SLUICE_URL", "SLUICE_USER", "SLUICE_PASSWORD"];

/// What stands before an ed25519 key in a SubjectPublicKeyInfo (RFC 8410).
const ED25519_SPKI: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

/// What committing and leaving the group may take beyond `task.shutdown.graceful.timeout.ms`.
const LEAVE_TIME: Duration = Duration::from_secs(3);

/// Connect's prefixes for the clients of its connectors.
const CLIENT_PREFIXES: [&str; 3] = ["consumer.", "producer.", "admin."];

/// The worker's settings, checked.
#[derive(Clone)]
pub struct WorkerConfig {
    /// `bootstrap.servers` and every other client property, under librdkafka's names. `Debug` shows the names only.
    pub client: BTreeMap<String, String>,
    /// Where the REST API and the rest listen, and for whom.
    pub listeners: ListenerConfig,
    /// Where connectors made by the REST API are kept; without it they are not kept.
    pub state_dir: Option<PathBuf>,
    /// Folders whose `.wasm` files may be named.
    pub plugin_path: Vec<PathBuf>,
    /// The ed25519 public keys, 32 bytes each, that may sign modules.
    pub signature_keys: Vec<[u8; 32]>,
    /// What stands before a connector's name in its consumer group.
    pub group_prefix: String,
    /// How long a stop may take.
    pub shutdown_timeout: Duration,
    /// What the settings of connectors may do.
    pub rules: ConnectorRules,
    /// Whether it is shown which topics a connector's records came from.
    pub topic_tracking: bool,
    /// Whether that may be reset.
    pub topic_tracking_reset: bool,
}

impl WorkerConfig {
    /// Checks the worker's settings: a flag weighs more than the environment, the environment more than the file. Of the environment,
    /// variables without the prefix `SLUICE_` are passed over, so that the whole of it may be handed in.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn check(
        file: &BTreeMap<String, String>,
        env: impl IntoIterator<Item = (String, String)>,
        flags: &BTreeMap<String, String>,
    ) -> Result<Checked<Self>, Problems> {
        Self::check_with(file, env, flags, &System)
    }

    /// The same with another place to look placeholders up.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn check_with(
        file: &BTreeMap<String, String>,
        env: impl IntoIterator<Item = (String, String)>,
        flags: &BTreeMap<String, String>,
        resolver: &dyn Resolve,
    ) -> Result<Checked<Self>, Problems> {
        let (given, ignored) = merge(file, env, flags);
        let mut reader = Reader::open(WORKER, given, resolver);
        for variable in ignored {
            reader.warn(&variable, "this environment variable is no worker setting, has no effect");
        }
        strangers(&mut reader);
        let client = client(&mut reader);
        let listeners = ListenerConfig::read(&mut reader);
        let group_prefix = match reader.is_given("connect.group.prefix") && !reader.has("connect.group.prefix") {
            true => String::new(),
            false => reader.text("connect.group.prefix").unwrap_or_default(),
        };
        let config = Self {
            client,
            listeners,
            state_dir: reader.text("state.dir").map(PathBuf::from),
            plugin_path: items(&reader.text("plugin.path").unwrap_or_default()).map(PathBuf::from).collect(),
            signature_keys: reader.parsed("transform.signature.keys", parse_keys).unwrap_or_default(),
            group_prefix,
            shutdown_timeout: reader.millis("task.shutdown.graceful.timeout.ms"),
            rules: ConnectorRules {
                providers: Providers::read(&mut reader),
                overrides: OverridePolicy::read(&mut reader),
            },
            topic_tracking: reader.bool("topic.tracking.enable"),
            topic_tracking_reset: reader.bool("topic.tracking.allow.reset"),
        };
        reader.finish(Some(config))
    }

    /// How long the stop of a task may take: `task.shutdown.graceful.timeout.ms` for its writes, and then it commits and leaves the group.
    pub fn stop_time(&self) -> Duration {
        self.shutdown_timeout + LEAVE_TIME
    }

    /// The files with certificates that the settings name: the listeners', and those for Kafka.
    pub fn certificates(&self) -> Vec<CertificateFile> {
        let listener = self.listeners.certificate.as_ref().map(|files| CertificateFile {
            setting: "listeners.https.certificate.location",
            path: files.certificate.clone(),
            authorities: false,
        });
        let of_client = |(setting, authorities): (&'static str, bool)| {
            let path = PathBuf::from(self.client.get(setting)?);
            Some(CertificateFile { setting, path, authorities })
        };
        let for_kafka =
            [("ssl.certificate.location", false), ("ssl.ca.location", true)].into_iter().filter_map(of_client);
        listener.into_iter().chain(for_kafka).collect()
    }

    /// Where Kafka is; needed to run, not to validate.
    ///
    /// # Errors
    /// It was not given.
    pub fn bootstrap_servers(&self) -> Result<&str, Problems> {
        self.client.get("bootstrap.servers").map(String::as_str).ok_or_else(|| {
            let how = "host:port, in the worker file, as SLUICE_BOOTSTRAP_SERVERS, or as a flag";
            let problem = Problem::new("bootstrap.servers", "is missing: where is Kafka?").allowed(how);
            Problems { problems: vec![problem], warnings: Vec::new() }
        })
    }
}

impl fmt::Debug for WorkerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerConfig")
            .field("client", &self.client.keys())
            .field("listeners", &self.listeners)
            .field("state_dir", &self.state_dir)
            .field("plugin_path", &self.plugin_path)
            .field("signature_keys", &self.signature_keys.len())
            .field("group_prefix", &self.group_prefix)
            .field("shutdown_timeout", &self.shutdown_timeout)
            .finish()
    }
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// Settings of all three sources, the heavier one winning, and the variables that are no settings.
fn merge(
    file: &BTreeMap<String, String>,
    env: impl IntoIterator<Item = (String, String)>,
    flags: &BTreeMap<String, String>,
) -> (BTreeMap<String, Given>, Vec<String>) {
    let mut given: BTreeMap<String, Given> =
        file.iter().map(|(key, raw)| (key.clone(), Given { raw: raw.clone(), origin: None })).collect();
    let mut ignored = Vec::new();
    for (variable, raw) in env {
        let Some(name) = variable.strip_prefix(ENV_PREFIX) else { continue };
        if OTHERS_ENV.iter().any(|prefix| variable.starts_with(prefix)) || environment::is_of_connector(&variable) {
            continue;
        }
        match env_key(name) {
            Some(key) => {
                given.insert(key, Given { raw, origin: Some(variable) });
            }
            None => ignored.push(variable),
        }
    }
    for (key, raw) in flags {
        given.insert(key.clone(), Given { raw: raw.clone(), origin: Some("the command line".to_owned()) });
    }
    (given, ignored)
}

/// The key a variable stands for: an underscore is a dot. No two keys of the worker differ in that alone, a test sees to it.
fn env_key(name: &str) -> Option<String> {
    let dotted = name.to_ascii_lowercase().replace('_', ".");
    let known = keys::find(WORKER, &dotted).is_some() || kafka::is_client_property(&dotted);
    known.then_some(dotted)
}

/// Refuses what is neither the worker's nor a client's: a misspelt key must not silently leave a default in force.
fn strangers(reader: &mut Reader) {
    for key in reader.strangers() {
        if kafka::is_client_property(&key) {
            continue;
        }
        if let Some(prefix) = CLIENT_PREFIXES.iter().find(|prefix| key.starts_with(**prefix)) {
            let plain = &key[prefix.len()..];
            let what = match plain.starts_with("override.") {
                true => "belongs to a connector's settings, not to the worker's".to_owned(),
                false => format!(
                    "client properties have no prefix here: give {plain}, or {prefix}override.{plain} in a connector"
                ),
            };
            // The rest of the name is not looked at: it may be a misspelt password.
            reader.add(Problem::new(&key, what).without_value());
            continue;
        }
        let nearest = keys::nearest(
            &key,
            WORKER.iter().map(|key| key.name.trim_end_matches(".*")).chain(kafka::client_properties()),
        );
        reader.unknown(&key, nearest, true);
    }
}

/// Connect can limit what its providers may read; taking such a limit without keeping it would be worse than refusing it.
fn client(reader: &mut Reader) -> BTreeMap<String, String> {
    let is_client = |key: &String| *key == "bootstrap.servers" || keys::find(WORKER, key).is_none();
    let mut given: BTreeMap<String, String> = reader.below("");
    given.retain(|key, _| is_client(key) && kafka::is_client_property(key));
    // A blank list is the same as none.
    given.retain(|key, value| key != "bootstrap.servers" || !value.is_empty());
    let (client, problems) = kafka::translate(Role::Client, "", &given);
    problems.into_iter().for_each(|problem| reader.add(problem));
    login(reader, &client);
    client
}

/// What SASL needs, said before a broker says it less clearly.
fn login(reader: &mut Reader, client: &BTreeMap<String, String>) {
    let uses_sasl = client.get("security.protocol").is_some_and(|protocol| protocol.starts_with("sasl"));
    // A key of Java's that failed to translate has been reported itself.
    let has_jaas = reader.is_given("sasl.jaas.config");
    let wanted =
        [("sasl.mechanisms", "sasl.mechanism"), ("sasl.username", "sasl.username"), ("sasl.password", "sasl.password")];
    for (key, shown) in wanted {
        let is_given = client.contains_key(key)
            || reader.is_given(shown)
            || reader.is_given(key)
            || (has_jaas && key != "sasl.mechanisms");
        if uses_sasl && !is_given {
            reader.problem(shown, "is missing: security.protocol asks for SASL");
        }
        if !uses_sasl && client.contains_key(key) && !reader.is_given("security.protocol") {
            let written = if reader.is_given(key) || !has_jaas { key } else { "sasl.jaas.config" };
            reader.warn(written, "has no effect: security.protocol is not sasl_ssl or sasl_plaintext");
        }
    }
}

/// Raw keys; in the form that `openssl pkey -pubout` writes (44 bytes), the key is what comes last.
fn parse_keys(list: &str) -> Result<Vec<[u8; 32]>, String> {
    let key = |(at, text): (usize, &str)| {
        let bytes = BASE64.decode(text).unwrap_or_default();
        let raw = match bytes.strip_prefix(ED25519_SPKI) {
            Some(raw) => raw,
            None => bytes.as_slice(),
        };
        raw.try_into().map_err(|_| format!("the {}. key is no ed25519 public key in base64", at + 1))
    };
    items(list).enumerate().map(key).collect()
}
