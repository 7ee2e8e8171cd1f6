//! What every setting is, as Connect's clients want it told: [`FRAMEWORK`] and the table of keys, brought into one form.

use super::framework::{FRAMEWORK, Framework, GROUPS};
use super::info::{ConfigKeyInfo, Importance, Type, Width};
use crate::config::is_secret;
use crate::config::keys::{CONNECTOR, Fallback, Key, Kind, find};

/// Groups of our own settings, in the order of a form; they come after Connect's.
pub(super) const OWN_GROUPS: [&str; 4] = ["InfluxDB", "Transform", "Batching", "Delivery"];

/// Which settings stand in which group, by what they begin with; all others have to do with delivery.
const BEGINNINGS: [(&str, &str); 9] = [
    ("key.converter.", GROUPS[0]),
    ("value.converter.", GROUPS[0]),
    ("header.converter.", GROUPS[0]),
    ("influx.", OWN_GROUPS[0]),
    ("transform.", OWN_GROUPS[1]),
    ("batch.", OWN_GROUPS[2]),
    ("linger.", OWN_GROUPS[2]),
    ("requests.", OWN_GROUPS[2]),
    ("errors.", GROUPS[3]),
];

/// The settings that depend on which InfluxDB it is.
const OF_VERSION: [&str; 7] = [
    "influx.database",
    "influx.retention.policy",
    "influx.username",
    "influx.password",
    "influx.org",
    "influx.bucket",
    "influx.token",
];

/// Words of names that a form writes otherwise.
const SPELLINGS: [(&str, &str); 6] =
    [("influx", "InfluxDB"), ("url", "URL"), ("tls", "TLS"), ("ca", "CA"), ("ms", "(ms)"), ("sha256", "SHA-256")];

/// Connect's settings, in Connect's order.
pub(super) fn framework() -> Vec<ConfigKeyInfo> {
    FRAMEWORK.iter().map(of_framework).collect()
}

/// Ours, in the order of the table. Those of which there may be any number (`transform.config.*`) are left out: a form can't have a field for
/// them.
pub(super) fn own() -> Vec<ConfigKeyInfo> {
    let mut definitions: Vec<ConfigKeyInfo> = Vec::new();
    for key in CONNECTOR.iter().filter(|key| is_own(key)) {
        let group = group(key.name);
        let before = definitions.iter().filter(|other| other.group == group).map(|other| other.order);
        let connects = FRAMEWORK.iter().filter(|row| row.group == group).map(|row| row.order);
        let order = before.chain(connects).max().unwrap_or(0) + 1;
        definitions.push(of_key(key, group, order));
    }
    definitions
}

/// What is known of a setting that was given and has no definition of its own: one under a `…*`, or one that nobody knows.
pub(super) fn of_given(name: &str) -> ConfigKeyInfo {
    let r#type = if is_secret(name) { Type::Password } else { Type::String };
    let known = find(CONNECTOR, name);
    let (documentation, group) =
        known.map_or(("Not a setting of this connector.", GROUPS[0]), |key| (key.doc, group(name)));
    ConfigKeyInfo {
        name: name.to_owned(),
        r#type,
        required: false,
        default_value: None,
        importance: Importance::Low,
        documentation: documentation.to_owned(),
        group: group.to_owned(),
        width: Width::Medium,
        display_name: name.to_owned(),
        dependents: Vec::new(),
        order: -1,
        order_in_group: -1,
    }
}

/// The class of a Connect transformation or predicate, which there are none of: `transforms.<alias>.type`.
pub(super) fn of_alias(name: &str, group: &str) -> ConfigKeyInfo {
    ConfigKeyInfo {
        r#type: Type::Class,
        required: true,
        importance: Importance::High,
        documentation: "Sluice runs no Connect transformations: transform.module does their work.".to_owned(),
        group: group.to_owned(),
        width: Width::Long,
        order: 1,
        order_in_group: 1,
        ..of_given(name)
    }
}

/// The words that a setting of ours can be, where they are few.
pub(super) fn words(name: &str) -> &'static [&'static str] {
    match find(CONNECTOR, name).filter(|key| is_own(key)).map(|key| key.kind) {
        Some(Kind::Choice(words)) => words,
        _ => &[],
    }
}

fn is_own(key: &Key) -> bool {
    key.prefix().is_none() && FRAMEWORK.iter().all(|row| row.name != key.name)
}

fn of_framework(row: &Framework) -> ConfigKeyInfo {
    // `key.converter.plugin.version` is found as one of `key.converter.*`.
    let documentation = find(CONNECTOR, row.name).map_or("", |key| key.doc);
    ConfigKeyInfo {
        name: row.name.to_owned(),
        r#type: row.r#type,
        required: row.required,
        default_value: row.default.map(str::to_owned),
        importance: row.importance,
        documentation: documentation.to_owned(),
        group: row.group.to_owned(),
        width: row.width,
        display_name: row.display.to_owned(),
        dependents: Vec::new(),
        order: row.order,
        order_in_group: row.order,
    }
}

fn of_key(key: &Key, group: &str, order: i32) -> ConfigKeyInfo {
    let (required, default_value, importance) = match key.fallback {
        Fallback::Required => (true, None, Importance::High),
        // Where to write and as whom: nothing can be taken for granted there.
        Fallback::Absent => (false, None, Importance::Medium),
        Fallback::Value(value) => (false, Some(value.to_owned()), Importance::Low),
    };
    let dependents: &[&str] = if key.name == "influx.version" { &OF_VERSION } else { &[] };
    ConfigKeyInfo {
        name: key.name.to_owned(),
        r#type: type_of(key.kind),
        required,
        default_value,
        importance,
        documentation: format!("{} Allowed: {}.", key.doc, key.kind.allowed()),
        group: group.to_owned(),
        width: width_of(key.kind),
        display_name: display_name(key.name),
        dependents: dependents.iter().map(|&name| name.to_owned()).collect(),
        order,
        order_in_group: order,
    }
}

fn group(name: &str) -> &'static str {
    let found = BEGINNINGS.iter().find(|(start, _)| name.starts_with(start));
    found.map_or(OWN_GROUPS[3], |(_, group)| group)
}

fn type_of(kind: Kind) -> Type {
    match kind {
        Kind::Int(low, high) if i32::try_from(low).is_ok() && i32::try_from(high).is_ok() => Type::Int,
        Kind::Int(..) => Type::Long,
        Kind::Fraction => Type::Double,
        Kind::Bool => Type::Boolean,
        Kind::List => Type::List,
        Kind::Password => Type::Password,
        Kind::Text | Kind::AutoOr(..) | Kind::Choice(_) | Kind::Path | Kind::Url | Kind::Module => Type::String,
    }
}

fn width_of(kind: Kind) -> Width {
    match kind {
        Kind::Int(..) | Kind::AutoOr(..) | Kind::Fraction | Kind::Bool | Kind::Choice(_) => Width::Short,
        Kind::Text | Kind::Password => Width::Medium,
        Kind::List | Kind::Path | Kind::Url | Kind::Module => Width::Long,
    }
}

/// `influx.request.timeout.ms` is `InfluxDB request timeout (ms)`.
fn display_name(name: &str) -> String {
    let mut display = String::new();
    for (at, word) in name.split('.').enumerate() {
        let spelt = SPELLINGS.iter().find(|(plain, _)| *plain == word).map_or(word, |(_, spelt)| spelt);
        if at == 0 {
            display.push_str(&spelt[..1].to_ascii_uppercase());
            display.push_str(&spelt[1..]);
        } else {
            display.push(' ');
            display.push_str(spelt);
        }
    }
    display
}
