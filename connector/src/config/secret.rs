//! Values that must not be shown, and how they are told.

use std::collections::BTreeMap;
use std::fmt;

/// What is printed in the place of a secret.
const HIDDEN: &str = "***";

/// Words that make a key's value a secret wherever they stand in its name. Wider than needed on purpose: a value hidden too much costs
/// a look into the file, one shown too much costs a rotation of passwords.
const SECRET_WORDS: [&str; 9] =
    ["password", "passphrase", "secret", "token", "jaas", "credential", "private.key", "apikey", "api.key"];

/// librdkafka's and Kafka's keys that hold key material without saying so.
const SECRET_KEYS: [&str; 3] = ["ssl.key.pem", "ssl.keystore.key", "sasl.oauthbearer.config"];

/// A value that neither `Debug` nor `Display` shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Whether the value of this key must never be shown. Looks at the name only, so that it also holds for keys nobody knows.
pub fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| key.contains(word)) || SECRET_KEYS.iter().any(|name| key.ends_with(name))
}

/// The same map with the values of secret keys, and credentials inside URLs, replaced by `***`: fit for a log.
pub fn redacted(map: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    map.iter().map(|(key, value)| (key.clone(), shown(key, value).unwrap_or_else(|| HIDDEN.to_owned()))).collect()
}

/// The value as it may be shown; `None` if its key names a secret.
pub(crate) fn shown(key: &str, value: &str) -> Option<String> {
    if is_secret(key) {
        return None;
    }
    let Some((scheme, rest)) = value.split_once("://") else { return Some(value.to_owned()) };
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    // A password may itself hold a slash or a question mark, so an `@` anywhere hides all that stands before the last one.
    let shown = match (rest.rfind('@'), authority) {
        (Some(at), _) => format!("{scheme}://{HIDDEN}{}", &rest[at..]),
        (None, _) => value.to_owned(),
    };
    // A query is where others put user and password (`?u=…&p=…`).
    Some(match shown.split_once('?') {
        Some((before, _)) => format!("{before}?{HIDDEN}"),
        None => shown,
    })
}

// === impl Secret ===

impl Secret {
    /// Wraps a value that must not be shown.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself: for the header or body it is meant for, and nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}
