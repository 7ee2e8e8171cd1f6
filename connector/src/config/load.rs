//! From a file to a flat map of strings.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::properties;

/// The largest file read. A configuration has a few kilobytes; a path that names something else must not fill the memory.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A configuration file that cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read the configuration file {path}")]
    Read {
        /// The file.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// It is not what a configuration file looks like; every fault is told, one per line.
    #[error("{}", faults.iter().map(|fault| format!("{path}{fault}")).collect::<Vec<_>>().join("\n"))]
    Content {
        /// The file.
        path: String,
        /// What is wrong with it.
        faults: Vec<Fault>,
    },
}

/// One thing wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// What is wrong. Names keys, never values.
    pub what: String,
}

/// Reads the file of a connector or of the worker: JSON if its name ends in `.json` or its text begins with `{`, Java properties otherwise.
///
/// JSON is a flat object, or Connect's `{"name": …, "config": {…}}`; numbers and booleans are taken as their text.
///
/// # Errors
/// The file cannot be read, is larger than 1 MiB, is not UTF-8, is malformed, or gives a key twice.
pub fn load(path: &Path) -> Result<BTreeMap<String, String>, ConfigError> {
    let shown = path.display().to_string();
    let text = match read_bounded(path) {
        Ok(bytes) => String::from_utf8(bytes),
        Err(source) => return Err(ConfigError::Read { path: shown, source }),
    };
    let content = |faults| ConfigError::Content { path: shown, faults };
    let text = match text {
        Ok(text) => text,
        Err(error) => {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
            return Err(content(vec![Fault::at(line, "the text is not UTF-8")]));
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let is_properties = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("properties"));
    let parsed = if is_json || (!is_properties && text.trim_start().starts_with('{')) {
        parse_json(text)
    } else {
        parse_properties(text)
    };
    parsed.map_err(content)
}

/// Reads a file of at most 1 MiB.
pub(super) fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file is larger than 1 MiB"));
    }
    Ok(bytes)
}

/// A flat map from Java properties.
pub(crate) fn parse_properties(text: &str) -> Result<BTreeMap<String, String>, Vec<Fault>> {
    let unreadable = |faults: Vec<properties::Fault>| {
        faults.into_iter().map(|fault| Fault::at(fault.line, fault.what)).collect::<Vec<_>>()
    };
    let entries = properties::parse(text).map_err(unreadable)?;
    let mut first_lines = BTreeMap::new();
    let (mut map, mut faults) = (BTreeMap::new(), Vec::new());
    for entry in entries {
        if let Some(first) = first_lines.insert(entry.key.clone(), entry.line) {
            faults.push(Fault::at(
                entry.line,
                format!("{} is given a second time, after line {first}: remove one", entry.key),
            ));
        }
        map.insert(entry.key, entry.value);
    }
    if faults.is_empty() { Ok(map) } else { Err(faults) }
}

/// A flat map from JSON.
pub(crate) fn parse_json(text: &str) -> Result<BTreeMap<String, String>, Vec<Fault>> {
    // serde_json's own words for a wrong type would repeat the value.
    if !text.trim_start().starts_with('{') {
        return Err(vec![Fault::at(1, "the text is not a JSON object: it has to begin with {")]);
    }
    let pairs: Pairs = serde_json::from_str(text).map_err(|error| {
        let column = error.column();
        vec![Fault::at(error.line().max(1), format!("the text is not JSON, or breaks off, at column {column}"))]
    })?;
    match pairs.0.iter().any(|(key, value)| key == "config" && matches!(value, Json::Object(_))) {
        true => request(pairs),
        false => flat(pairs),
    }
}

/// Connect's request for a new connector: name and configuration.
fn request(pairs: Pairs) -> Result<BTreeMap<String, String>, Vec<Fault>> {
    let (mut name, mut config, mut faults) = (None, BTreeMap::new(), Vec::new());
    for (key, value) in pairs.0 {
        match (key.as_str(), value) {
            ("name", Json::Text(text)) => name = Some(text),
            ("config", Json::Object(inner)) => match flat(inner) {
                Ok(map) => config = map,
                Err(inner) => faults.extend(inner),
            },
            _ => faults.push(Fault::whole(format!("{key} cannot stand beside config: only name can, as text"))),
        }
    }
    if let Some(name) = name {
        let inner = config.entry("name".to_owned()).or_insert_with(|| name.clone());
        if *inner != name {
            faults.push(Fault::whole("name beside config and name inside config are not the same"));
        }
    }
    if faults.is_empty() { Ok(config) } else { Err(faults) }
}

fn flat(pairs: Pairs) -> Result<BTreeMap<String, String>, Vec<Fault>> {
    let (mut map, mut faults) = (BTreeMap::new(), Vec::new());
    for (key, value) in pairs.0 {
        let Json::Text(text) = value else {
            faults.push(Fault::whole(format!(
                "{key} is a list, an object or null: only text, numbers, true and false can be values"
            )));
            continue;
        };
        if key.is_empty() {
            faults.push(Fault::whole("a key is empty: a name belongs there"));
        }
        if map.insert(key.clone(), text).is_some() {
            faults.push(Fault::whole(format!("{key} is given twice: remove one")));
        }
    }
    if faults.is_empty() { Ok(map) } else { Err(faults) }
}

/// The members of a JSON object in the order written, duplicates included (`serde_json::Map` would keep the last one silently).
struct Pairs(Vec<(String, Json)>);

/// A JSON value as far as it matters here.
enum Json {
    /// Text; a number or boolean as its text.
    Text(String),
    Object(Pairs),
    /// A list or null, or something deeper.
    Other,
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(key) = members.next_key::<String>()? {
                    pairs.push((key, members.next_value()?));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::{IgnoredAny, SeqAccess};
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_str<E>(self, text: &str) -> Result<Json, E> {
                Ok(Json::Text(text.to_owned()))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
                Ok(Json::Text(value.to_string()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
                Ok(Json::Text(value.to_string()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
                Ok(Json::Text(value.to_string()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
                Ok(Json::Text(Value::from(value).to_string()))
            }

            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Json::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Json, A::Error> {
                Pairs::deserialize(serde::de::value::MapAccessDeserializer::new(members)).map(Json::Object)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

// === impl Fault ===

impl Fault {
    fn at(line: usize, what: impl Into<String>) -> Self {
        Self { line: Some(line), what: what.into() }
    }

    fn whole(what: impl Into<String>) -> Self {
        Self { line: None, what: what.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, ":{line}: {}", self.what),
            None => write!(f, ": {}", self.what),
        }
    }
}
