//! Which properties of their Kafka clients connectors may set: Connect's `connector.client.config.override.policy` (KIP-458), and the list of
//! its policy Allowlist.
//!
//! Names count as they were written. A list with `request.timeout.ms` does not allow `socket.timeout.ms`, although the two are the same here:
//! whoever wrote the list for Kafka Connect has thought of the one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::kafka::{self, Role};
use super::problem::Problem;
use super::read::Reader;

const POLICY: &str = "connector.client.config.override.policy";
const LIST: &str = "connector.client.config.override.allowlist";

/// What Connect puts around the names of its policies to make classes of them.
const PACKAGE: &str = "org.apache.kafka.connect.connector.policy.";
const SUFFIX: &str = "ConnectorClientConfigOverridePolicy";

/// Who a connector is to Kafka, by Java's names and by librdkafka's.
const PRINCIPAL: [&str; 6] =
    ["sasl.jaas.config", "sasl.mechanism", "sasl.mechanisms", "sasl.password", "sasl.username", "security.protocol"];

/// Which properties of their Kafka clients connectors may set. Clones are the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum OverridePolicy {
    /// All that there are.
    #[default]
    All,
    /// None.
    None,
    /// Those that say who the connector is.
    Principal,
    /// Those of this list.
    Allowlist(Arc<BTreeSet<String>>),
}

// === impl OverridePolicy ===

impl OverridePolicy {
    /// That of the worker under check.
    pub(super) fn read(reader: &mut Reader) -> Self {
        let list: BTreeSet<String> = reader.text(LIST).map(|list| names(&list)).unwrap_or_default();
        for name in list.iter().filter(|name| !kafka::is_client_property(name)) {
            reader.warn(LIST, format!("names {name}, which no Kafka client has: nothing comes of it"));
        }
        let policy = reader.parsed(POLICY, |name| Self::named(name, &list));
        if reader.has(LIST) && policy.as_ref().is_some_and(|policy| !matches!(policy, Self::Allowlist(_))) {
            reader.warn(LIST, format!("has no effect: it is for {POLICY}=Allowlist"));
        }
        // Wrong, it has been told, and nothing runs.
        policy.unwrap_or(Self::None)
    }

    /// By Connect's name, or that of its class with or without the package.
    fn named(name: &str, list: &BTreeSet<String>) -> Result<Self, String> {
        let short = match name.strip_suffix(SUFFIX) {
            Some(class) => class.strip_prefix(PACKAGE).unwrap_or(class),
            None => name,
        };
        match short.to_ascii_lowercase().as_str() {
            "all" => Ok(Self::All),
            "none" => Ok(Self::None),
            "principal" => Ok(Self::Principal),
            "allowlist" => Ok(Self::Allowlist(Arc::new(list.clone()))),
            _ => Err("is no policy that there is: All, None, Principal, Allowlist, or Kafka Connect's classes of these names"
                .to_owned()),
        }
    }

    /// The properties of the consumer and of the producer of dead letters. As in Connect, the policy looks at what is for dead letters only where
    /// there are some.
    pub(super) fn read_clients(&self, reader: &mut Reader) -> [BTreeMap<String, String>; 2] {
        let has_letters = reader.has("errors.deadletterqueue.topic.name");
        let of_letters = if has_letters { self } else { &Self::All };
        // There is no such client here, but what is refused is refused under every prefix of Connect's.
        of_letters.allowed(reader, "admin.override.");
        [
            self.translated(reader, "consumer.override.", Role::Consumer),
            of_letters.translated(reader, "producer.override.", Role::Producer),
        ]
    }

    fn translated(&self, reader: &mut Reader, prefix: &str, role: Role) -> BTreeMap<String, String> {
        let given = self.allowed(reader, prefix);
        let (properties, problems) = kafka::translate(role, prefix, &given);
        problems.into_iter().for_each(|problem| reader.add(problem));
        properties
    }

    /// What was written under a prefix, but for what is refused, which is told.
    fn allowed(&self, reader: &mut Reader, prefix: &str) -> BTreeMap<String, String> {
        let mut given = reader.below(prefix);
        given.retain(|property, _| match self.refusal(prefix, property) {
            Some(refusal) => {
                reader.add(refusal);
                false
            }
            None => true,
        });
        given
    }

    /// What there is to say if the setting `prefix` + `property` may not be there; it begins with Connect's words.
    fn refusal(&self, prefix: &str, property: &str) -> Option<Problem> {
        let (policy, allowed) = match self {
            Self::All => return None,
            Self::None => ("None", Vec::new()),
            Self::Principal => ("Principal", PRINCIPAL.to_vec()),
            Self::Allowlist(list) => ("Allowlist", list.iter().map(String::as_str).collect()),
        };
        if allowed.contains(&property) {
            return None;
        }
        let allowed = if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") };
        let problem = Problem::sentence(
            format!("{prefix}{property}"),
            format!(
                "The '{policy}' policy does not allow '{property}' to be overridden in the connector configuration. \
                 (The worker's {POLICY} allows: {allowed})"
            ),
        );
        // What nobody knows may be a misspelt password.
        Some(if kafka::is_client_property(property) { problem } else { problem.without_value() })
    }
}

fn names(list: &str) -> BTreeSet<String> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
