//! What of an answer is compared: what must differ between two programs is replaced by a word that says what it is, on both sides alike.
//!
//! - status, and of the headers `Content-Type`, `Location` and `Allow` (its methods sorted);
//! - the body: keys, types and values, with the words of `side.rs` for names of classes and topics and for addresses, and those of
//!   `STANDS_FOR` for versions, times, traces and texts for people;
//! - keys of a configuration that only one side has are left out, as are other loggers than the script's and other plugins;
//! - of a validation the errors, the groups and the values that were sent, and all of it where the step says `"whole": true`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::support::http::Answer;
use super::script::Step;
use super::side::Side;

/// Keys whose text or number says nothing that can be compared, and what stands in its place.
const STANDS_FOR: &[(&str, &str)] = &[
    ("version", "version"),
    ("commit", "id"),
    ("kafka_cluster_id", "id"),
    ("trace", "trace"),
    ("documentation", "text"),
    ("last_modified", "time"),
    ("task.class", "class of the task"),
];

/// How messages begin that are a library's, and what is compared of them: clients match on the first words, if on any.
const LIBRARY: &[(&str, &str)] = &[
    ("Cannot deserialize value", "Cannot deserialize value"),
    ("Cannot construct instance", "Cannot construct instance"),
    ("Unexpected ", "${no JSON}"),
    ("Unrecognized token ", "${no JSON}"),
    ("Non-standard token ", "${no JSON}"),
    ("the body is not valid JSON", "${no JSON}"),
    ("EOF while parsing ", "${no JSON}"),
    // Java's words for a bug of Kafka Connect's.
    ("Cannot invoke ", "${null pointer}"),
];

/// Loggers that the script makes.
const LOGGERS: &str = "golden.";

/// The answer to a step of the script.
pub(super) fn of(answer: &Answer, step: &Step, side: &Side) -> Value {
    let mut shape = Map::from_iter([("status".to_owned(), json!(answer.status))]);
    for name in ["Content-Type", "Location", "Allow"] {
        if let Some(value) = answer.header(name) {
            let value = if name == "Allow" { sorted(value) } else { side.empty(value) };
            shape.insert(name.to_lowercase(), json!(value));
        }
    }
    if !answer.body.is_empty() {
        shape.insert("body".to_owned(), body(answer, step, side));
    }
    Value::Object(shape)
}

fn body(answer: &Answer, step: &Step, side: &Side) -> Value {
    let Ok(body) = serde_json::from_str::<Value>(&answer.body) else {
        return json!(text(&answer.body, side));
    };
    let body = neutral(body, side);
    if answer.status != 200 {
        return body;
    }
    match body {
        Value::Object(map) if map.contains_key("configs") => validation(map, step, side),
        Value::Object(map) if step.path().trim_end_matches('/') == "/admin/loggers" => loggers(map),
        Value::Object(mut map) if map.get("offsets").is_some_and(Value::is_array) => {
            // Their order is that of a hash table.
            let place = |entry: &Value| entry["partition"].to_string();
            map["offsets"].as_array_mut().into_iter().for_each(|offsets| offsets.sort_by_key(place));
            Value::Object(map)
        }
        Value::Array(items) if step.path().starts_with("/admin/loggers") => logger_names(items),
        Value::Array(items) if step.path().trim_end_matches('/').ends_with("/config") => definitions(items, step, side),
        Value::Array(items) if step.path().trim_end_matches('/') == "/connector-plugins" => plugins(&items),
        other => other,
    }
}

/// The same without what can't be compared.
fn neutral(value: Value, side: &Side) -> Value {
    match value {
        Value::String(string) => json!(message(&side.empty(&string))),
        Value::Array(items) => items.into_iter().map(|item| neutral(item, side)).collect(),
        Value::Object(map) => map
            .into_iter()
            .filter(|(key, _)| !side.owns_key(key))
            .map(|(key, value)| {
                let stands_for = STANDS_FOR.iter().find(|(known, _)| *known == key);
                let says_something = matches!(&value, Value::String(text) if !text.is_empty()) || value.is_number();
                match stands_for.filter(|_| says_something) {
                    Some((_, word)) => (key, json!(format!("${{{word}}}"))),
                    None => (key, neutral(value, side)),
                }
            })
            .collect(),
        other => other,
    }
}

/// A message without a library's words, and without lists in no order.
fn message(text: &str) -> String {
    if let Some((_, words)) = LIBRARY.iter().find(|(start, _)| text.starts_with(start)) {
        return (*words).to_owned();
    }
    if text.starts_with("Unrecognized field ") {
        return text.split_inclusive('"').take(2).collect();
    }
    if let Some((before, rest)) = text.split_once("Connector config {")
        && let Some((_, after)) = rest.rsplit_once("} contains")
    {
        return format!("{before}Connector config ${{config}} contains{after}");
    }
    match text.split_once("available connectors are: ") {
        Some((before, _)) => format!("{before}available connectors are: ${{list}}"),
        None => text.to_owned(),
    }
}

/// A body that is no JSON: a page, or the methods of a resource.
fn text(body: &str, side: &Side) -> String {
    if body.trim_start().starts_with('<') { "${page}".to_owned() } else { sorted(&side.empty(body)) }
}

fn sorted(list: &str) -> String {
    let items: BTreeSet<_> = list.split(',').map(str::trim).collect();
    items.into_iter().collect::<Vec<_>>().join(", ")
}

/// Definitions and values by key, in the place of a list in which one key more moves all others.
fn validation(mut map: Map<String, Value>, step: &Step, side: &Side) -> Value {
    let Some(Value::Array(configs)) = map.remove("configs") else { return Value::Object(map) };
    let entries: Vec<(String, Value)> = configs
        .into_iter()
        .map(|entry| (entry["value"]["name"].as_str().unwrap_or_default().to_owned(), entry))
        .filter(|(name, _)| !side.owns_key(name))
        .collect();
    if let Some(Value::Array(groups)) = map.get_mut("groups") {
        groups.retain(|group| !group.as_str().is_some_and(|group| side.owns_group(group)));
    }
    if step.whole {
        map.insert("order".to_owned(), entries.iter().map(|(name, _)| json!(name)).collect());
        map.insert("configs".to_owned(), Value::Object(entries.into_iter().collect()));
        return Value::Object(map);
    }
    let sent = step.keys();
    let of_interest = |(name, entry): &(String, Value)| {
        sent.contains(&name.as_str()) || entry["value"]["errors"].as_array().is_some_and(|errors| !errors.is_empty())
    };
    let brief = |(name, entry): (String, Value)| {
        let defined = if entry["definition"].is_null() { "no" } else { "yes" };
        (name, json!({"value": entry["value"]["value"], "errors": entry["value"]["errors"], "defined": defined}))
    };
    map.insert("configs".to_owned(), Value::Object(entries.into_iter().filter(of_interest).map(brief).collect()));
    Value::Object(map)
}

/// The framework's definitions by key; their names alone unless the step wants the whole.
fn definitions(items: Vec<Value>, step: &Step, side: &Side) -> Value {
    let named: Vec<(String, Value)> = items
        .into_iter()
        .map(|item| (item["name"].as_str().unwrap_or_default().to_owned(), item))
        .filter(|(name, _)| !side.owns_key(name))
        .collect();
    if step.whole {
        return Value::Object(named.into_iter().collect());
    }
    named.into_iter().map(|(name, _)| json!(name)).collect()
}

/// The plugin that the script uses, and which other kinds there are.
fn plugins(items: &[Value]) -> Value {
    let kinds: BTreeSet<_> = items.iter().filter_map(|item| item["type"].as_str()).collect();
    let ours: Vec<_> = items.iter().filter(|item| item["class"] == "${class}").collect();
    json!({"kinds": kinds, "the script's": ours})
}

/// The script's loggers and the root; of the others, that there are some.
fn loggers(map: Map<String, Value>) -> Value {
    let (mut kept, others): (Map<_, _>, Map<_, _>) =
        map.into_iter().partition(|(name, _)| name == "root" || name.starts_with(LOGGERS));
    kept.insert("others".to_owned(), json!(!others.is_empty()));
    Value::Object(kept)
}

fn logger_names(items: Vec<Value>) -> Value {
    let kept = |item: &Value| item.as_str().is_some_and(|name| name == "root" || name.starts_with(LOGGERS));
    items.into_iter().filter(kept).collect()
}
