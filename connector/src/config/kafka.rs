//! Properties of Kafka clients: librdkafka's names pass, Java's are translated where there is a twin, everything else is refused with
//! the reason, and so is what would break the delivery guarantee or run code of somebody's choice inside the worker.

mod java;

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use super::keys::{self, Kind};
use super::librdkafka::{BY_FUNCTION, Meaning, PROPERTIES, Scope, find};
use super::problem::Problem;

/// Whose properties they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Those of the worker, for every client: `bootstrap.servers`, TLS, SASL, timeouts of connections.
    Client,
    /// Those of one connector's consumer.
    Consumer,
    /// Those of one connector's producer of dead letters.
    Producer,
}

/// Properties nobody may set, by name or by beginning (`…*`), and why.
const REFUSED: &[(&str, &str)] = &[
    (
        "enable.auto.commit",
        "offsets are committed only when their points are written; committing by itself would lose records",
    ),
    (
        "auto.commit.enable",
        "offsets are committed only when their points are written; committing by itself would lose records",
    ),
    (
        "enable.auto.offset.store",
        "offsets are stored only when their points are written; storing by itself would lose records",
    ),
    ("auto.commit.interval.ms", "nothing is committed by itself; the commit interval is offset.flush.interval.ms"),
    ("offset.store.*", "offsets are kept in Kafka, where they are committed when their points are written"),
    ("enable.partition.eof", "the ends of partitions are not looked at"),
    ("enabled_events", "which events the client gives is decided by the program"),
    ("transactional.id", "dead letters are not written in transactions"),
    ("plugin.library.paths", "it would load code into the worker"),
    ("ssl.engine.location", "it would load code into the worker"),
    ("ssl.providers", "it would load code into the worker"),
    ("ssl.ca.certificate.stores", "only Windows has such stores; give ssl.ca.location or ssl.ca.pem"),
    ("builtin.features", "what the client was built with cannot be set"),
    ("sasl.kerberos.*", "Kerberos is not built in: SASL is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"),
    ("sasl.oauthbearer.*", "OAUTHBEARER is not built in: SASL is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"),
    ("enable.sasl.oauthbearer.*", "OAUTHBEARER is not built in: SASL is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"),
    ("https.ca.*", "it is for OAUTHBEARER, which is not built in; for brokers it is ssl.ca.location or ssl.ca.pem"),
];

/// What brokers decide with `group.protocol=consumer`, and by which setting.
const BROKERS_DECIDE: &[(&str, &str)] = &[
    ("session.timeout.ms", "the brokers decide (group.consumer.session.timeout.ms)"),
    ("heartbeat.interval.ms", "the brokers decide (group.consumer.heartbeat.interval.ms)"),
    ("partition.assignment.strategy", "the brokers assign; give group.remote.assignor"),
    ("group.protocol.type", "it belongs to the classic protocol"),
];

/// The SASL mechanisms that are built in.
const MECHANISMS: Kind = Kind::Choice(&["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]);

/// Whether a Kafka client, librdkafka's or Java's, has a property of this name; that says not that it is allowed.
pub fn is_client_property(name: &str) -> bool {
    find(name).is_some() || BY_FUNCTION.contains(&name) || refusal(name).is_some() || java::is_known(name)
}

/// The names a worker's client property may have, for suggestions.
pub(super) fn client_properties() -> impl Iterator<Item = &'static str> {
    names(Role::Client)
}

/// Translates properties to librdkafka's names and checks their values. `prefix` is what stood before the names, for the problems.
///
/// The problems hold no values: whoever knows how they were written adds them.
pub fn translate(
    role: Role,
    prefix: &str,
    given: &BTreeMap<String, String>,
) -> (BTreeMap<String, String>, Vec<Problem>) {
    let mut translation = Translation { role, prefix, given, done: BTreeMap::new(), problems: Vec::new() };
    for (name, value) in given {
        translation.one(name, value);
    }
    translation.group_protocol();
    (translation.done.into_iter().map(|(name, (_, value))| (name, value)).collect(), translation.problems)
}

struct Translation<'a> {
    role: Role,
    prefix: &'a str,
    given: &'a BTreeMap<String, String>,
    /// By librdkafka's name: the name written, and the value.
    done: BTreeMap<String, (String, String)>,
    problems: Vec<Problem>,
}

impl Translation<'_> {
    fn one(&mut self, name: &str, value: &str) {
        if let Some(why) = refusal(name) {
            return self.problem(name, format!("cannot be set: {why}"));
        }
        match java::twins(self.role, name, value, self.given) {
            java::Twins::Properties(twins) => {
                twins.into_iter().for_each(|(twin, value)| self.native(name, twin, &value))
            }
            java::Twins::None(why) => self.problem(name, format!("librdkafka has no such property: {why}")),
            java::Twins::Wrong(what) => self.problem(name, what),
            java::Twins::Unknown if BY_FUNCTION.contains(&name) => self.problem(name, "cannot be set as text"),
            java::Twins::Unknown => self.native(name, name, value),
        }
    }

    /// Takes a property under librdkafka's own name.
    fn native(&mut self, written: &str, name: &str, value: &str) {
        let Some(property) = find(name) else {
            let what = match keys::nearest(name, names(self.role)) {
                Some(nearest) => format!("no Kafka client has this property, did you mean {}{nearest}?", self.prefix),
                None => "no Kafka client has this property".to_owned(),
            };
            return self.problems.push(Problem::new(format!("{}{written}", self.prefix), what).without_value());
        };
        if !fits(self.role, property.scope) {
            return self.problem(written, misplaced(self.role, name));
        }
        let kind = match property.meaning {
            Meaning::Alias(of) => return self.native(written, of, value),
            Meaning::Itself(_) if name == "sasl.mechanisms" => MECHANISMS,
            Meaning::Itself(kind) => kind,
        };
        if name == "bootstrap.servers"
            && let Err(what) = check_servers(value)
        {
            return self.problem(written, what);
        }
        if let Err(what) = kind.check(value) {
            let problem = Problem::new(format!("{}{written}", self.prefix), what).allowed(kind.allowed());
            return self.problems.push(problem);
        }
        match self.done.get(name) {
            Some((other, _)) if other != written => {
                let what = format!("is the same property as {}{other}: remove one", self.prefix);
                self.problem(written, what);
            }
            _ => {
                self.done.insert(name.to_owned(), (written.to_owned(), canonical(kind, value)));
            }
        }
    }

    /// The group protocol of KIP-848 leaves to the brokers what the classic one asks of its members.
    fn group_protocol(&mut self) {
        if self.done.get("group.protocol").is_none_or(|(_, protocol)| protocol != "consumer") {
            return;
        }
        for (name, instead) in BROKERS_DECIDE {
            if let Some((written, _)) = self.done.get(*name).cloned() {
                self.problem(&written, format!("cannot be set with group.protocol=consumer: {instead}"));
            }
        }
    }

    fn problem(&mut self, name: &str, what: impl Into<String>) {
        self.problems.push(Problem::new(format!("{}{name}", self.prefix), what));
    }
}

fn refusal(name: &str) -> Option<&'static str> {
    let is_meant = |pattern: &str| pattern.strip_suffix('*').map_or(name == pattern, |prefix| name.starts_with(prefix));
    REFUSED.iter().find(|(pattern, _)| is_meant(pattern)).map(|(_, why)| *why)
}

fn fits(role: Role, scope: Scope) -> bool {
    match scope {
        Scope::Any => true,
        Scope::Consumer => role == Role::Consumer,
        Scope::Producer => role == Role::Producer,
    }
}

fn misplaced(role: Role, name: &str) -> String {
    match role {
        Role::Client => {
            format!("is not for every client: give consumer.override.{name} or producer.override.{name} in a connector")
        }
        Role::Consumer => "is a property of producers, and this is a consumer".to_owned(),
        Role::Producer => "is a property of consumers, and this is a producer".to_owned(),
    }
}

fn names(role: Role) -> impl Iterator<Item = &'static str> {
    PROPERTIES
        .iter()
        .filter(move |property| fits(role, property.scope) && refusal(property.name).is_none())
        .map(|property| property.name)
        .chain(java::names())
}

/// Java writes `SASL_SSL` and `True` where librdkafka's documentation has lower case.
fn canonical(kind: Kind, value: &str) -> String {
    match kind {
        Kind::Bool => value.to_ascii_lowercase(),
        Kind::Choice(words) => {
            words.iter().find(|word| word.eq_ignore_ascii_case(value)).map_or(value, |word| *word).to_owned()
        }
        _ => value.to_owned(),
    }
}

fn check_servers(list: &str) -> Result<(), String> {
    let mut servers = list.split(',').map(str::trim).filter(|server| !server.is_empty()).peekable();
    if servers.peek().is_none() {
        return Err("names no server".to_owned());
    }
    // librdkafka takes a protocol before the host (PLAINTEXT://…) as brokers show it.
    servers.try_for_each(|server| check_host_port(server.split_once("://").map_or(server, |(_, address)| address)))
}

/// Checks `host` or `host:port`, an IPv6 address in brackets.
///
/// # Errors
/// What is wrong, in words that do not repeat it.
pub(super) fn check_host_port(address: &str) -> Result<(), String> {
    let (host, port) = match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, after)) => {
            let is_address = host.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
            if !is_address || !(after.is_empty() || after.starts_with(':')) {
                return Err("has something in brackets that is no IPv6 address".to_owned());
            }
            (host, after.strip_prefix(':'))
        }
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    if host.is_empty() {
        return Err("has no host".to_owned());
    }
    let is_name = |host: &str| host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if !address.starts_with('[') && !is_name(host) {
        return Err("has a host with a character that no host has".to_owned());
    }
    match port.map(str::parse::<u16>) {
        None | Some(Ok(1..)) => Ok(()),
        Some(_) => Err("has a port that is no number from 1 to 65535 (an IPv6 address stands in brackets)".to_owned()),
    }
}
