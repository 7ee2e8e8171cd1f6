//! Names and values of Java's Kafka clients (Apache Kafka 4.1: `ConsumerConfig`, `ProducerConfig`, `SaslConfigs`, `SslConfigs`) and what
//! librdkafka calls them.

use std::collections::BTreeMap;

use super::Role;

/// What becomes of a Java property.
pub(super) enum Twins {
    /// These of librdkafka's (none at all if another property takes it in).
    Properties(Vec<(&'static str, String)>),
    /// Nothing, for this reason.
    None(&'static str),
    /// Nothing, because the value is wrong.
    Wrong(String),
    /// It is not a Java property, or the same in both: look at librdkafka's own.
    Unknown,
}

/// Java's names whose values mean the same under librdkafka's name.
const RENAMED: &[(&str, &str)] = &[
    ("fetch.max.wait.ms", "fetch.wait.max.ms"),
    ("ssl.keystore.certificate.chain", "ssl.certificate.pem"),
    ("ssl.keystore.key", "ssl.key.pem"),
    ("ssl.truststore.certificates", "ssl.ca.pem"),
    ("max.request.size", "message.max.bytes"),
];

/// Java's names that are handled one by one in [`twins`].
const SPECIAL: &[&str] = &[
    "request.timeout.ms",
    "receive.buffer.bytes",
    "send.buffer.bytes",
    "buffer.memory",
    "sasl.jaas.config",
    "ssl.truststore.location",
    "ssl.truststore.type",
    "ssl.keystore.type",
];

const DECODING: &str = "records are handed to the transform as bytes; remove it";
const JVM: &str = "it is about the Java program; remove it";
const LOGIN: &str = "only the names and passwords of PLAIN and SCRAM are known here (sasl.username, sasl.password)";
const TLS_JAVA: &str = "it is about Java's TLS; OpenSSL decides this by itself, remove it";

/// Java's names without a twin, by name or by beginning (`…*`), and what to do.
const NONE: &[(&str, &str)] = &[
    ("key.deserializer", DECODING),
    ("value.deserializer", DECODING),
    ("key.serializer", DECODING),
    ("value.serializer", DECODING),
    (
        "max.poll.records",
        "records are taken in batches of what has arrived; the bodies of requests are cut by batch.max.lines",
    ),
    ("interceptor.classes", JVM),
    ("metric.reporters", "metrics are at /metrics; remove it"),
    ("metrics.*", "metrics are at /metrics; remove it"),
    ("auto.include.jmx.reporter", "metrics are at /metrics; remove it"),
    ("config.providers*", "${env:…}, ${file:…} and ${dir:…} are always there; remove it"),
    ("security.providers", JVM),
    ("default.api.timeout.ms", "the nearest is request.timeout.ms"),
    ("max.block.ms", "the nearest is delivery.timeout.ms"),
    (
        "exclude.internal.topics",
        "internal topics are read only when they are named or matched by topics.regex; remove it",
    ),
    ("socket.connection.setup.timeout.max.ms", "the limit is socket.connection.setup.timeout.ms"),
    ("sasl.client.callback.handler.class", LOGIN),
    ("sasl.login.*", LOGIN),
    ("ssl.truststore.password", "PEM files of certificates have none; remove it"),
    ("ssl.enabled.protocols", TLS_JAVA),
    ("ssl.protocol", TLS_JAVA),
    ("ssl.provider", TLS_JAVA),
    ("ssl.engine.factory.class", TLS_JAVA),
    ("ssl.keymanager.algorithm", TLS_JAVA),
    ("ssl.trustmanager.algorithm", TLS_JAVA),
    ("ssl.secure.random.implementation", TLS_JAVA),
    ("partitioner.class", "the nearest is partitioner"),
    ("partitioner.*", "the nearest is partitioner"),
    ("compression.gzip.level", "the nearest is compression.level"),
    ("compression.lz4.level", "the nearest is compression.level"),
    ("compression.zstd.level", "the nearest is compression.level"),
    ("transaction.two.phase.commit.enable", "there are no transactions here; remove it"),
];

/// Whether Java's clients have a property of this name that librdkafka has not.
pub(super) fn is_known(name: &str) -> bool {
    SPECIAL.contains(&name) || renamed(name).is_some() || no_twin(name).is_some()
}

/// The Java names that can be given, for suggestions.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    RENAMED.iter().map(|(java, _)| *java).chain(SPECIAL.iter().copied())
}

/// What a property written by Java's name, or with a Java value, becomes.
pub(super) fn twins(role: Role, name: &str, value: &str, all: &BTreeMap<String, String>) -> Twins {
    let one = |twin, value: &str| Twins::Properties(vec![(twin, value.to_owned())]);
    if let Some(twin) = renamed(name) {
        return one(twin, value);
    }
    match name {
        // A producer's is librdkafka's own of that name.
        "request.timeout.ms" if role != Role::Producer => one("socket.timeout.ms", value),
        // Java's word for what the system decides is -1.
        "receive.buffer.bytes" => one("socket.receive.buffer.bytes", if value == "-1" { "0" } else { value }),
        "send.buffer.bytes" => one("socket.send.buffer.bytes", if value == "-1" { "0" } else { value }),
        "connections.max.idle.ms" if value == "-1" => one("connections.max.idle.ms", "0"),
        "acks" if value == "all" => one("request.required.acks", "-1"),
        "buffer.memory" => buffer_memory(value),
        "ssl.endpoint.identification.algorithm" if value.is_empty() => {
            one("ssl.endpoint.identification.algorithm", "none")
        }
        "auto.offset.reset" if value == "none" => one("auto.offset.reset", "error"),
        "auto.offset.reset" if value.starts_with("by_duration") => {
            Twins::Wrong("starting by duration is not built in".to_owned())
        }
        "partition.assignment.strategy" => assignors(value),
        "sasl.jaas.config" => jaas(value),
        "ssl.truststore.location" => trust_store(value, all),
        "ssl.keystore.location" => key_store(value, all),
        "ssl.truststore.type" | "ssl.keystore.type" => store_type(name, value, all),
        _ => no_twin(name).map_or(Twins::Unknown, Twins::None),
    }
}

fn renamed(name: &str) -> Option<&'static str> {
    RENAMED.iter().find(|(java, _)| *java == name).map(|(_, twin)| *twin)
}

fn no_twin(name: &str) -> Option<&'static str> {
    let is_meant = |pattern: &str| pattern.strip_suffix('*').map_or(name == pattern, |prefix| name.starts_with(prefix));
    NONE.iter().find(|(pattern, _)| is_meant(pattern)).map(|(_, why)| *why)
}

fn buffer_memory(value: &str) -> Twins {
    match value.parse::<u64>() {
        // librdkafka counts in units of 1024 bytes and wants at least one.
        Ok(bytes) => Twins::Properties(vec![("queue.buffering.max.kbytes", (bytes / 1024).max(1).to_string())]),
        Err(_) => Twins::Wrong("is not a whole number of bytes".to_owned()),
    }
}

/// Java names classes; librdkafka words. Cooperative and eager assignors cannot be mixed in librdkafka.
fn assignors(value: &str) -> Twins {
    let mut words = Vec::new();
    for item in value.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let word = match item.strip_prefix("org.apache.kafka.clients.consumer.").unwrap_or(item) {
            "RangeAssignor" | "range" => "range",
            "RoundRobinAssignor" | "roundrobin" => "roundrobin",
            "CooperativeStickyAssignor" | "cooperative-sticky" => "cooperative-sticky",
            "StickyAssignor" => {
                return Twins::Wrong("librdkafka has no StickyAssignor: take cooperative-sticky".to_owned());
            }
            _ => {
                return Twins::Wrong(
                    "names an assignor that is none of range, roundrobin, cooperative-sticky".to_owned(),
                );
            }
        };
        words.push(word);
    }
    match words.as_slice() {
        [] => Twins::Wrong("names no assignor: range, roundrobin, cooperative-sticky".to_owned()),
        [_, _, ..] if words.contains(&"cooperative-sticky") => {
            Twins::Wrong("mixes cooperative-sticky with others, which librdkafka refuses: take one kind".to_owned())
        }
        _ => Twins::Properties(vec![("partition.assignment.strategy", words.join(","))]),
    }
}

fn is_pem(kind: Option<&String>) -> bool {
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("PEM"))
}

fn trust_store(path: &str, all: &BTreeMap<String, String>) -> Twins {
    if is_pem(all.get("ssl.truststore.type")) {
        return Twins::Properties(vec![("ssl.ca.location", path.to_owned())]);
    }
    Twins::Wrong(
        "Java's key stores cannot be read: export the certificates as PEM (keytool -exportcert -rfc) and give ssl.ca.location".to_owned(),
    )
}

fn key_store(path: &str, all: &BTreeMap<String, String>) -> Twins {
    let kind = all.get("ssl.keystore.type");
    if is_pem(kind) {
        // One file with both, which OpenSSL reads twice.
        return Twins::Properties(vec![
            ("ssl.certificate.location", path.to_owned()),
            ("ssl.key.location", path.to_owned()),
        ]);
    }
    let is_jks = match kind {
        Some(kind) => !kind.eq_ignore_ascii_case("PKCS12"),
        None => path.to_ascii_lowercase().ends_with(".jks"),
    };
    if is_jks {
        let how = "Java's key stores cannot be read: convert it (keytool -importkeystore -deststoretype PKCS12), or give ssl.certificate.location and ssl.key.location";
        return Twins::Wrong(how.to_owned());
    }
    Twins::Properties(vec![("ssl.keystore.location", path.to_owned())])
}

/// The type is taken in with the location it belongs to, or means nothing.
fn store_type(name: &str, value: &str, all: &BTreeMap<String, String>) -> Twins {
    let location = name.replace(".type", ".location");
    let with_text = [("ssl.truststore.type", "ssl.truststore.certificates"), ("ssl.keystore.type", "ssl.keystore.key")];
    let has_text = with_text.iter().any(|(kind, text)| *kind == name && all.contains_key(*text));
    let is_known = ["PEM", "PKCS12", "JKS"].iter().any(|known| known.eq_ignore_ascii_case(value));
    match (is_known, all.contains_key(&location) || has_text) {
        (false, _) => Twins::Wrong("is none of PEM, PKCS12".to_owned()),
        (true, false) => Twins::Wrong(format!("is of no use without {location}")),
        (true, true) => Twins::Properties(Vec::new()),
    }
}

/// User and password out of `…PlainLoginModule required username="…" password="…";`.
fn jaas(text: &str) -> Twins {
    let shape = "is not of the form: …PlainLoginModule (or ScramLoginModule) required username=\"…\" password=\"…\";";
    let Some(words) = jaas_words(text) else { return Twins::Wrong(shape.to_owned()) };
    let [module, _flag, options @ ..] = words.as_slice() else { return Twins::Wrong(shape.to_owned()) };
    let class = module.rsplit('.').next().unwrap_or(module);
    if class != "PlainLoginModule" && class != "ScramLoginModule" {
        return Twins::Wrong(format!("names another login module than PlainLoginModule or ScramLoginModule: {LOGIN}"));
    }
    let option =
        |name: &str| options.iter().find_map(|option| option.strip_prefix(name)?.strip_prefix('=').map(str::to_owned));
    match (option("username"), option("password")) {
        (Some(user), Some(password)) => Twins::Properties(vec![("sasl.username", user), ("sasl.password", password)]),
        _ => Twins::Wrong(shape.to_owned()),
    }
}

/// The words of a JAAS entry up to its semicolon, quotes removed; `None` if a quote or the semicolon is missing, or more follows.
fn jaas_words(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\'' => loop {
                match chars.next()? {
                    '\\' => word.push(chars.next()?),
                    end if end == c => break,
                    inside => word.push(inside),
                }
            },
            ';' => {
                words.push(word);
                words.retain(|word| !word.is_empty());
                return chars.all(char::is_whitespace).then_some(words);
            }
            // Blanks around the equals sign are legal.
            '=' => {
                if word.is_empty() {
                    word = words.pop()?;
                }
                word.push('=');
            }
            c if c.is_whitespace() && word.ends_with('=') => {}
            c if c.is_whitespace() => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            c => word.push(c),
        }
    }
    None
}
