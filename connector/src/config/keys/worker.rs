//! The keys of the worker. Beside them it takes the properties of a Kafka client (see [`crate::config::kafka`]).

use super::Fallback::{Absent, Value};
use super::Kind::{Bool, Int, List, Path, Text};
use super::{Fallback, Key, Kind};

const fn key(name: &'static str, kind: Kind, fallback: Fallback, doc: &'static str) -> Key {
    Key::new(name, kind, fallback, doc)
}

/// Every key of the worker but the properties of its Kafka clients.
pub const WORKER: &[Key] = &[
    key("bootstrap.servers", List, Absent, "Where Kafka is: host:port, separated by commas. Required to run."),
    key(
        "listeners",
        List,
        Value("http://127.0.0.1:8083"),
        "Where REST API, metrics and health listen, http or https, separated by commas; port 0 lets the system choose.",
    ),
    key(
        "admin.listeners",
        List,
        Absent,
        "Where the endpoints under /admin listen instead; blank: nowhere. Not given: on the listeners.",
    ),
    key(
        "metrics.listeners",
        List,
        Absent,
        "Where metrics and health listen beside the listeners, for everybody who reaches them.",
    ),
    key(
        "listeners.https.certificate.location",
        Path,
        Absent,
        "The certificate chain of the https listeners (PEM); read again when it changes.",
    ),
    key("listeners.https.key.location", Path, Absent, "Its private key (PEM); read again when it changes."),
    key(
        "listeners.connections.max",
        Int(1, 1_000_000),
        Value("1024"),
        "How many connections a listener has at a time; further ones wait.",
    ),
    key(
        "listeners.idle.timeout.ms",
        Int(100, 3_600_000),
        Value("30000"),
        "How long a client may keep a listener waiting: for a request's header, between requests, for more of a body, for taking an answer.",
    ),
    key(
        "listeners.request.timeout.ms",
        Int(100, 3_600_000),
        Value("90000"),
        "How long an answer of the REST API may take.",
    ),
    key(
        "listeners.request.body.max.bytes",
        Int(1024, 1 << 30),
        Value("1048576"),
        "How large a request may be; uploads of modules have a limit of their own.",
    ),
    key(
        "rest.auth.users.file",
        Path,
        Absent,
        "Who may use the REST API: a file that `sluice passwd` writes; read again when it changes. Not given: everybody.",
    ),
    key(
        "rest.auth.allow.anonymous",
        Bool,
        Value("false"),
        "Whether the REST API may be open to other machines without users.",
    ),
    key(
        "access.control.allow.origin",
        List,
        Absent,
        "The origins whose pages may use the REST API from a browser, separated by commas, or *.",
    ),
    key(
        "access.control.allow.methods",
        List,
        Absent,
        "The methods that those pages may use; not given: GET, POST, HEAD.",
    ),
    key(
        "response.http.headers.config",
        Text,
        Absent,
        "Headers of every answer, as Connect writes them: set X-Frame-Options: DENY, add NAME: VALUE, setDate NAME: MS.",
    ),
    key("state.dir", Path, Absent, "The folder that keeps what was set up through the REST API."),
    key("plugin.path", List, Absent, "Folders whose .wasm files may be named, separated by commas."),
    key(
        "transform.signature.keys",
        List,
        Value(""),
        "The ed25519 public keys, in base64, whose signature transform.require.signature accepts, separated by commas.",
    ),
    key(
        "connect.group.prefix",
        Text,
        Value("connect-"),
        "What stands before a connector's name in the name of its consumer group.",
    ),
    key(
        "task.shutdown.graceful.timeout.ms",
        Int(0, 3_600_000),
        Value("5000"),
        "How long a stop waits for what is under way to be acknowledged and committed. Nothing is lost when it is too short.",
    ),
    key(
        "topic.tracking.enable",
        Bool,
        Value("true"),
        "Whether the REST API tells which topics a connector's records came from.",
    ),
    key("topic.tracking.allow.reset", Bool, Value("true"), "Whether that list may be reset over REST."),
    key(
        "config.providers",
        List,
        Absent,
        "The names under which connectors find secrets: ${NAME:PATH:KEY}. Without it, env, file and dir, which need no class.",
    ),
    key(
        "config.providers.allowed.paths",
        List,
        Absent,
        "Files and folders that placeholders may read, absolute; without it, all.",
    ),
    key(
        "config.providers.*",
        Text,
        Absent,
        "Of each provider: NAME.class (EnvVarConfigProvider, FileConfigProvider, DirectoryConfigProvider), NAME.param.allowed.paths, \
         NAME.param.allowlist.pattern.",
    ),
    key(
        "connector.client.config.override.policy",
        Text,
        Value("All"),
        "Which client properties connectors may override: All, None, Principal (who they are to Kafka), Allowlist, or Connect's classes of \
         these names.",
    ),
    key(
        "connector.client.config.override.allowlist",
        List,
        Absent,
        "With the policy Allowlist: those that connectors may override, as they write them, without prefix. Not given: none.",
    ),
    Key::framework("key.converter", "Default converter of keys."),
    Key::framework("key.converter.*", "Its settings."),
    Key::framework("value.converter", "Default converter of values."),
    Key::framework("value.converter.*", "Its settings."),
    Key::framework("header.converter", "Default converter of headers."),
    Key::framework("header.converter.*", "Its settings."),
    Key::framework(
        "offset.flush.interval.ms",
        "Connect's commit interval for all connectors; set it in the connector.",
    ),
    Key::framework("offset.flush.timeout.ms", "Connect's time limit for a commit."),
    Key::framework("offset.storage.*", "Where Connect keeps offsets of sources."),
    Key::framework("config.storage.*", "Where a Connect cluster keeps its connectors."),
    Key::framework("status.storage.*", "Where a Connect cluster keeps its status."),
    Key::framework("plugin.discovery", "How Connect looks for plugins."),
    Key::framework("metric.reporters", "Connect's metric reporters; metrics are at /metrics."),
    Key::framework("metrics.*", "Their settings."),
    Key::framework("rest.advertised.*", "How Connect's workers reach each other."),
    Key::framework("rest.extension.classes", "Java classes that extend Connect's REST API."),
    Key::framework("rest.host.name", "Connect's listener of old; here it is listeners."),
    Key::framework("rest.port", "Connect's listener of old; here it is listeners."),
    Key::framework("group.id", "The group of Connect's workers; here a connector's name gives its group."),
    Key::framework("session.timeout.ms", "A timeout between Connect's workers."),
    Key::framework("heartbeat.interval.ms", "A timeout between Connect's workers."),
    Key::framework("rebalance.timeout.ms", "A timeout between Connect's workers."),
    Key::framework("scheduled.rebalance.max.delay.ms", "A timeout between Connect's workers."),
    Key::framework("worker.sync.timeout.ms", "A timeout between Connect's workers."),
    Key::framework("worker.unsync.backoff.ms", "A timeout between Connect's workers."),
    Key::framework("exactly.once.source.support", "A property of Connect's sources."),
    Key::framework("connect.protocol", "How Connect's workers agree."),
    Key::framework("inter.worker.*", "How Connect's workers sign requests."),
    Key::framework("internal.topics.automatic.creation.enable", "Whether Connect makes its own topics."),
];
