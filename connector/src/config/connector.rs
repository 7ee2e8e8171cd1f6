//! From a flat map to a [`ConnectorConfig`].

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use regex_lite::RegexBuilder;

use super::kafka;
use super::keys::{self, CONNECTOR, Effect};
use super::problem::{Checked, Problem, Problems};
use super::read::{Given, Reader};
use super::resolve::System;
use super::rules::Rules;
use super::{
    BatchConfig, Compression, ConnectorConfig, ErrorsConfig, InfluxConfig, ModuleRef, Product, RequestsInFlight,
    SwapConfig, Tiebreak, Topics, TransformConfig, VersionSetting, cross, swap,
};

/// An unknown key that begins like this is an error: it was meant for us, and ignoring it would do something else than was asked for.
const OURS: [&str; 9] =
    ["influx.", "transform.", "transforms.", "batch.", "errors.", "timestamp.", "requests.", "linger", "stall."];

/// A key this near to one of ours is taken for it. More, and keys of other programs would be refused; less, and slips pass as warnings.
const SLIP_EDITS_MAX: usize = 2;

/// Kafka's longest name of a topic, in bytes.
const TOPIC_BYTES_MAX: usize = 249;

/// More than anybody needs to name topics.
const REGEX_BYTES_MAX: usize = 1 << 18;

/// More settings than any connector has use for. Each that nobody knows is compared with all that there are.
const SETTINGS_MAX: usize = 2000;

/// What Java's regular expressions have and POSIX's have not; librdkafka would take them for something else, or refuse the subscription.
const NOT_POSIX: [&str; 12] = ["(?", "\\d", "\\D", "\\p", "\\P", "\\Q", "\\E", "\\A", "\\z", "*?", "+?", "??"];

impl ConnectorConfig {
    /// Checks a connector's settings, resolving placeholders by the environment and the file system.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn check(map: &BTreeMap<String, String>) -> Result<Checked<Self>, Problems> {
        Self::check_with(map, &System)
    }

    /// The same by the rules of a worker.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn check_with(map: &BTreeMap<String, String>, rules: &dyn Rules) -> Result<Checked<Self>, Problems> {
        if let Some(what) = too_many(map.len()) {
            return Err(Problems { problems: vec![Problem::new("settings", what)], warnings: Vec::new() });
        }
        let given = map.iter().map(|(key, raw)| (key.clone(), Given { raw: raw.clone(), origin: None })).collect();
        let mut reader = Reader::open(CONNECTOR, given, rules);
        strangers(&mut reader);
        cross::check(&mut reader);
        let name = reader.parsed("name", parse_name);
        let topics = topics(&mut reader);
        let transform = transform(&mut reader);
        let influx = influx(&mut reader);
        let [consumer, producer] = rules.overrides().read_clients(&mut reader);
        let errors = ErrorsConfig::read(&mut reader);
        let config = match (name, topics, transform, influx) {
            (Some(name), Some(topics), Some(transform), Some(influx)) => Some(Self {
                name,
                raw: map.clone(),
                tasks_max: reader.count_u32("tasks.max"),
                topics,
                transform,
                influx,
                batch: batch(&reader),
                tiebreak: if reader.word("timestamp.tiebreak") == "none" { Tiebreak::None } else { Tiebreak::Offset },
                offset_flush_interval: reader.millis("offset.flush.interval.ms"),
                stall_timeout: Some(reader.millis("stall.timeout.ms")).filter(|timeout| !timeout.is_zero()),
                errors,
                consumer,
                producer,
            }),
            _ => None,
        };
        reader.finish(config)
    }
}

/// What there is to say of so many settings, if they are too many to be looked at.
pub(crate) fn too_many(count: usize) -> Option<String> {
    (count > SETTINGS_MAX).then(|| format!("{count} settings are more than the {SETTINGS_MAX} that a connector may have: remove those that it does not need"))
}

/// Refuses misspelt keys of ours; warns of all others, because Connect's clients send keys of their own.
fn strangers(reader: &mut Reader) {
    let names =
        || CONNECTOR.iter().filter(|key| key.effect != Effect::Framework).map(|key| key.name.trim_end_matches(".*"));
    for key in reader.strangers() {
        let lower = key.to_ascii_lowercase();
        if lower.starts_with("transforms.") && reader.has("transforms") {
            continue; // Said once, of `transforms` itself.
        }
        let nearest = keys::nearest(&key, names());
        let ours = |name: &str| OURS.iter().any(|prefix| name.starts_with(prefix));
        let slip = nearest.is_some_and(|name| ours(name) && keys::edits(&key, name) <= SLIP_EDITS_MAX);
        reader.unknown(&key, nearest, ours(&lower) || slip);
    }
}

fn parse_name(name: &str) -> Result<String, String> {
    if name.contains(char::is_control) {
        return Err("holds a control character".to_owned());
    }
    Ok(name.to_owned())
}

fn topics(reader: &mut Reader) -> Option<Topics> {
    let list = reader.parsed("topics", parse_topics);
    let regex = reader.parsed("topics.regex", parse_regex);
    list.or(regex)
}

fn parse_topics(list: &str) -> Result<Topics, String> {
    let names: Vec<String> =
        list.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    if names.is_empty() {
        return Err("names no topic".to_owned());
    }
    for (at, name) in names.iter().enumerate() {
        let nth = at + 1;
        check_topic(name).map_err(|what| format!("the {nth}. name {what}"))?;
        if names[..at].contains(name) {
            return Err(format!("the {nth}. name was there before"));
        }
    }
    Ok(Topics::List(names))
}

/// Whether Kafka allows a topic to be called so.
pub(super) fn check_topic(name: &str) -> Result<(), String> {
    let legal = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if !legal || name.len() > TOPIC_BYTES_MAX || name == "." || name == ".." {
        return Err(format!("is none that Kafka allows: up to {TOPIC_BYTES_MAX} of a-z A-Z 0-9 . _ -"));
    }
    Ok(())
}

fn parse_regex(pattern: &str) -> Result<Topics, String> {
    if let Some(java) = NOT_POSIX.iter().find(|java| pattern.contains(**java)) {
        return Err(format!(
            "{java} is not part of POSIX extended regular expressions, which are what Kafka's C client has; use [0-9] and the like"
        ));
    }
    let (mut depth, mut in_set, mut escaped) = (0_i32, false, false);
    for c in pattern.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ']' if in_set => in_set = false,
            _ if in_set => {}
            '[' => in_set = true,
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            break;
        }
    }
    if depth != 0 || in_set || escaped {
        return Err("is no regular expression: a bracket is not closed, or a backslash ends it".to_owned());
    }
    Ok(Topics::Regex(pattern.to_owned()))
}

/// Whether `topics.regex` takes in a topic, as far as can be told: for finding mistakes only, because this is not the library that Kafka's client
/// uses. A pattern that it does not know takes in nothing.
pub(crate) fn subscribes(pattern: &str, topic: &str) -> bool {
    // Anybody may send a pattern: counted repetitions multiply.
    let regex = RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(REGEX_BYTES_MAX).nest_limit(50).build();
    parse_regex(pattern).is_ok() && regex.is_ok_and(|regex| regex.is_match(topic))
}

fn transform(reader: &mut Reader) -> Option<TransformConfig> {
    Some(TransformConfig {
        module: reader.parsed("transform.module", parse_module)?,
        settings: reader.below("transform.config.").into_iter().collect(),
        memory_max_bytes: reader.count("transform.memory.max.bytes").get(),
        timeout: reader.millis("transform.timeout.ms"),
        swap: SwapConfig::read(reader),
    })
}

fn parse_module(text: &str) -> Result<ModuleRef, String> {
    match text.split_once(':') {
        Some(("builtin", "")) => Err("has no name after builtin:".to_owned()),
        Some(("builtin", name)) => Ok(ModuleRef::Builtin(name.to_owned())),
        Some(("sha256", digest)) => swap::parse_digest(digest).map(ModuleRef::Digest),
        Some((kind, rest)) if rest.starts_with("//") || kind.bytes().all(|byte| byte.is_ascii_alphanumeric()) => Err(
            "is of an unknown kind: give builtin:<name>, sha256:<digest> or a path (./name if there is a colon in it)"
                .to_owned(),
        ),
        _ if text.contains('\0') => Err("holds a control character".to_owned()),
        _ => Ok(ModuleRef::Path(PathBuf::from(text))),
    }
}

fn influx(reader: &mut Reader) -> Option<InfluxConfig> {
    let version = match reader.word("influx.version").as_str() {
        "1" => VersionSetting::Fixed(Product::V1),
        "2" => VersionSetting::Fixed(Product::V2),
        "3" => VersionSetting::Fixed(Product::V3),
        _ => VersionSetting::Auto,
    };
    let compression = match reader.word("influx.compression").as_str() {
        "none" => Compression::None,
        "gzip" => Compression::Gzip,
        _ => Compression::Auto,
    };
    let (password, token) = (reader.secret("influx.password"), reader.secret("influx.token"));
    Some(InfluxConfig {
        url: reader.parsed("influx.url", parse_url)?,
        version,
        database: reader.text("influx.database"),
        retention_policy: reader.text("influx.retention.policy"),
        username: reader.text("influx.username"),
        password,
        org: reader.text("influx.org"),
        bucket: reader.text("influx.bucket"),
        token,
        compression,
        request_timeout: reader.millis("influx.request.timeout.ms"),
        connect_timeout: reader.millis("influx.connect.timeout.ms"),
        tls_ca_location: reader.text("influx.tls.ca.location").map(PathBuf::from),
        tls_insecure: reader.bool("influx.tls.insecure"),
    })
}

/// Checks a base URL by hand: what it may hold is little, and each thing too much deserves its own advice.
fn parse_url(url: &str) -> Result<String, String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err("has no scheme: begin with http:// or https://".to_owned());
    };
    let scheme = scheme.to_ascii_lowercase();
    if scheme != "http" && scheme != "https" {
        return Err("has a scheme that is not http or https".to_owned());
    }
    if rest.contains('@') {
        return Err("holds a user or password: give influx.username and influx.password, or influx.token".to_owned());
    }
    if rest.contains(['?', '#']) {
        return Err("holds a query or fragment: database, organisation, bucket and credentials have keys of their own (influx.…)".to_owned());
    }
    if rest.contains(|c: char| c.is_whitespace() || c.is_control() || "\\\"<>^`{|}".contains(c)) {
        return Err("holds a blank or another character that no URL has".to_owned());
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    kafka::check_host_port(authority)?;
    let path = path.trim_end_matches('/');
    if ["/write", "/api/v2/write", "/api/v3/write_lp"].iter().any(|endpoint| path.ends_with(endpoint)) {
        return Err("ends in the endpoint for writing, which is added by itself: leave it out".to_owned());
    }
    Ok(format!("{scheme}://{authority}{path}"))
}

fn batch(reader: &Reader) -> BatchConfig {
    let requests_in_flight = match reader.word("requests.in.flight").parse::<usize>().ok().and_then(NonZeroUsize::new) {
        Some(count) => RequestsInFlight::Fixed(count),
        None => RequestsInFlight::Auto,
    };
    BatchConfig {
        max_lines: reader.count("batch.max.lines"),
        max_bytes: reader.count("batch.max.bytes"),
        linger: reader.millis("linger.ms"),
        requests_in_flight,
    }
}
