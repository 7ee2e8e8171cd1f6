//! Configuration files: read or refused, and whatever is said about them repeats no secret.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};

use crate::config::kafka::is_client_property;
use crate::config::keys::{self, CONNECTOR, WORKER};
use crate::config::resolve::{Provider, Reference, Resolve};
use crate::config::{
    Checked, ConnectorConfig, ENV_PREFIX, OverridePolicy, Problem, Problems, Rules, WorkerConfig, is_secret,
    parse_json, parse_properties,
};

/// Stands in every value that must not be shown anywhere.
const SECRET: &str = "Hunter2Hunter2";

/// Stands in the value of every key nobody knows: it may be a misspelt password, so that no problem shows it.
const UNKNOWN: &str = "Hunter3Hunter3";

/// Stands in what placeholders give.
const RESOLVED: &str = "Hunter4Hunter4";

/// The bytes are a file, JSON if it begins with `{`, Java properties otherwise. What it says is checked as a connector and as a worker.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let parsed = if text.trim_start().starts_with('{') { parse_json(text) } else { parse_properties(text) };
    let map = match parsed {
        Ok(map) => map,
        Err(faults) => {
            assert!(!faults.is_empty(), "a file is refused for a reason");
            return;
        }
    };
    // A key is never a secret; one that holds our marks would look like one.
    if map.keys().any(|key| [SECRET, UNKNOWN, RESOLVED].iter().any(|mark| key.contains(mark))) {
        return;
    }
    assert_eq!(parse_json(&as_json(&map)).as_ref(), Ok(&map), "JSON says what it was written from");
    assert_eq!(parse_properties(&as_properties(&map)).as_ref(), Ok(&map), "properties say what they were written from");
    faults_hold_no_value(&map, data.len());

    let connector = marked(&map, |key| keys::find(CONNECTOR, key).is_some());
    for policy in [OverridePolicy::All, OverridePolicy::None, OverridePolicy::Principal] {
        check(&ConnectorConfig::check_with(&connector, &Placeholders(policy)));
    }
    let is_workers = |key: &str| keys::find(WORKER, key).is_some() || is_client_property(key);
    let worker = marked(&map, is_workers);
    let flags = BTreeMap::new();
    check(&WorkerConfig::check_with(&worker, [], &flags, &Placeholders::default()));
    // A variable is known by its name in lower case with dots.
    let dotted = map.iter().map(|(key, value)| (key.to_ascii_lowercase().replace('_', "."), value.clone())).collect();
    let env = marked(&dotted, is_workers).into_iter().map(|(key, value)| (format!("{ENV_PREFIX}{key}"), value));
    check(&WorkerConfig::check_with(&BTreeMap::new(), env, &flags, &Placeholders::default()));
}

fn check<T: Debug>(result: &Result<Checked<T>, Problems>) {
    let (problems, warnings) = match result {
        Ok(checked) => {
            let shown = format!("{:?}", checked.config);
            assert!(!shown.contains(SECRET), "a configuration shows a secret: {shown}");
            (&[][..], &checked.warnings)
        }
        Err(problems) => {
            assert!(!problems.problems.is_empty(), "a configuration is refused for a reason");
            (&problems.problems[..], &problems.warnings)
        }
    };
    let shown: String =
        problems.iter().chain(warnings).map(|problem: &Problem| format!("{problem}\n{problem:?}\n")).collect();
    for mark in [SECRET, UNKNOWN, RESOLVED] {
        assert!(!shown.contains(mark), "a problem repeats a value that it must not:\n{shown}");
    }
}

/// The map with a mark in every value that must not be shown.
fn marked(map: &BTreeMap<String, String>, is_known: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
    let mark = |key: &str, value: &str| {
        if is_secret(key) {
            return mark_all(value, SECRET);
        }
        if !is_known(key) {
            return mark_all(value, UNKNOWN);
        }
        match value.split_once("://") {
            Some((scheme, rest)) => format!("{scheme}://{}", mark_credentials(rest)),
            None => value.to_owned(),
        }
    };
    map.iter().map(|(key, value)| (key.clone(), mark(key, value))).collect()
}

/// A mark at the end, and in what looks like a placeholder and is none.
fn mark_all(value: &str, mark: &str) -> String {
    let mut parts = value.split("${");
    let mut marked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_known = ["env:", "file:", "dir:"].iter().any(|provider| part.starts_with(provider));
        // Writing into a String cannot fail.
        let _ = write!(marked, "${{{}{part}", if is_known { "" } else { mark });
    }
    marked + mark
}

/// Marks in the places of a URL where users and passwords stand: before an `@`, and in a query.
fn mark_credentials(rest: &str) -> String {
    let marked = match rest.rsplit_once('@') {
        Some((before, after)) => format!("{before}{SECRET}@{after}"),
        None => rest.to_owned(),
    };
    if marked.contains('?') { marked + SECRET } else { marked }
}

/// A file that cannot be read is told of by its keys alone, however it is broken.
fn faults_hold_no_value(map: &BTreeMap<String, String>, cut: usize) {
    let (mut twice, mut lines) = (String::from("{"), String::new());
    for key in map.keys() {
        let (json, escaped) = (serde_json::Value::from(key.as_str()), escape(key));
        let _ = write!(twice, "{json}:\"{SECRET}\",{json}:[\"{SECRET}\"],{json}:\"{SECRET}\",");
        let _ = writeln!(lines, "{escaped}={SECRET}\n{escaped}={SECRET}\n{escaped}={SECRET}\\u");
    }
    let mut end = cut % (twice.len() + 1);
    while !twice.is_char_boundary(end) {
        end -= 1;
    }
    let whole = format!("{}}}", twice.trim_end_matches(','));
    for told in [parse_json(&twice[..end]), parse_json(&whole), parse_properties(&lines)] {
        let faults = told.err().unwrap_or_default();
        let shown: String = faults.iter().map(|fault| format!("{fault}\n")).collect();
        assert!(!shown.contains(SECRET), "a fault repeats a value:\n{shown}");
    }
}

fn as_json(map: &BTreeMap<String, String>) -> String {
    serde_json::to_string(map).expect("texts are JSON")
}

fn as_properties(map: &BTreeMap<String, String>) -> String {
    map.iter().map(|(key, value)| format!("{}={}\n", escape(key), escape(value))).collect()
}

/// Everything but letters and digits as `\u….`, as `java.util.Properties.store` may.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii_alphanumeric() => escaped.push(char::from(byte)),
            _ => {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

/// Placeholders without a place to look them up: `${env:=TEXT}` gives the text, so that values can come out of one; other names
/// that begin with a letter give a value that must not be shown, and the rest is not there. Overrides are subject to the policy.
#[derive(Default)]
struct Placeholders(OverridePolicy);

impl Resolve for Placeholders {
    fn value(&self, reference: &Reference<'_>) -> Result<String, String> {
        match (reference.provider, reference.key.strip_prefix('=')) {
            (Provider::Env, Some(text)) => Ok(text.to_owned()),
            _ if reference.key.starts_with(char::is_alphabetic) => Ok(format!("{RESOLVED}{}", reference.path)),
            _ => Err("it is not there".to_owned()),
        }
    }
}

impl Rules for Placeholders {
    fn overrides(&self) -> &OverridePolicy {
        &self.0
    }
}
