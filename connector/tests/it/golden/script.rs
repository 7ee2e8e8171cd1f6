//! The script: requests with what to wait for, one file for each scenario, in a form that a person reads and extends.
//!
//! A file is an array of steps, played in order; the files are played in the order of their names, each beginning without connectors.
//! A step is an object:
//!
//! | key | meaning |
//! | --- | --- |
//! | `id` | the name of the answer, unique in its file; the recorded answer is `FILE/ID` |
//! | `send` | method and path |
//! | `body` | JSON to send; an object with `"$": NAME` gets the keys of that configuration (`side.rs`), less those of `"$without": […]` |
//! | `text` | sent as it is instead of `body`, for what is no JSON |
//! | `headers` | more headers; `Content-Type` is JSON where something is sent, `null` leaves it away |
//! | `until` | part of `{"status": …, "body": …}` (all elements of an array): the request is repeated until its answer has it |
//! | `whole` | `true`: all of a long list is compared, not only what the request is about |
//! | `produce` | instead of `send`: `{"topic": …, "values": […]}`, records to write |
//! | `why` | for the reader |
//!
//! Text may hold `${class}`, `${simple}`, `${alias}` (the connector's full, simple and short name), `${topic}`, `${poison}`, `${url}`.

use std::fs;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::side::Side;

/// One file of the script.
pub(super) struct Scenario {
    pub(super) name: String,
    pub(super) steps: Vec<Step>,
}

/// One entry of a file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    id: Option<String>,
    send: Option<String>,
    body: Option<Value>,
    text: Option<String>,
    #[serde(default)]
    headers: Map<String, Value>,
    pub(super) until: Option<Value>,
    #[serde(default)]
    pub(super) whole: bool,
    pub(super) produce: Option<Produce>,
    #[serde(rename = "why")]
    _why: Option<String>,
}

/// Records to write.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Produce {
    pub(super) topic: String,
    pub(super) values: Vec<String>,
}

/// A step as it is sent to one side.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

/// The script, in the order of its files' names.
pub(super) fn read() -> Vec<Scenario> {
    let folder = super::data("script");
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let scenario = |file: std::path::PathBuf| {
        let text = fs::read_to_string(&file).unwrap();
        let steps = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        Scenario { name: file.file_stem().unwrap().to_string_lossy().into_owned(), steps }
    };
    files.into_iter().map(scenario).collect()
}

// === impl Scenario ===

impl Scenario {
    /// Each step that is a request, with the name of its answer.
    pub(super) fn requests(&self) -> impl Iterator<Item = (String, &Step)> {
        self.steps.iter().filter(|step| step.produce.is_none()).map(|step| (self.answer(step), step))
    }

    /// What the answer to a step is called.
    pub(super) fn answer(&self, step: &Step) -> String {
        let id = step.id.as_ref().unwrap_or_else(|| panic!("a step of {} has no id: {step:?}", self.name));
        format!("{}/{id}", self.name)
    }
}

// === impl Step ===

impl Step {
    /// The request in a line, which is recorded beside the answer.
    pub(super) fn line(&self) -> String {
        let mut line = self.send.clone().unwrap_or_default();
        for (name, value) in &self.headers {
            line.push_str(&format!(" [{name}: {}]", value.as_str().unwrap_or("none")));
        }
        if let Some(body) = self.body.as_ref().map(Value::to_string).or_else(|| self.text.clone()) {
            line.push(' ');
            line.push_str(&body);
        }
        line
    }

    /// The path without its query, variables not filled in.
    pub(super) fn path(&self) -> &str {
        let path = self.send.as_deref().and_then(|send| send.split_once(' ')).map_or("", |(_, path)| path);
        path.split('?').next().unwrap_or(path)
    }

    /// The configuration keys that the request sends.
    pub(super) fn keys(&self) -> Vec<&str> {
        self.body.as_ref().and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key.as_str()).collect()
    }

    /// The request as `side` gets it.
    pub(super) fn request(&self, side: &Side) -> Request {
        let send = side.fill(self.send.as_deref().unwrap_or_else(|| panic!("{self:?} sends nothing")));
        let (method, path) = send.split_once(' ').unwrap_or_else(|| panic!("{send:?} is not METHOD PATH"));
        let body = match (&self.body, &self.text) {
            (Some(body), None) => Some(side.fill(&spread(body, side).to_string())),
            (None, text) => text.as_deref().map(|text| side.fill(text)),
            (Some(_), Some(_)) => panic!("{self:?} has both a body and a text"),
        };
        let mut headers = Vec::new();
        if body.is_some() && !self.headers.contains_key("Content-Type") {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        let own = self.headers.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        headers.extend(own);
        Request { method: method.to_owned(), path: path.to_owned(), headers, body: body.unwrap_or_default() }
    }

    /// What is waited for, as `side` says it.
    pub(super) fn awaited(&self, side: &Side) -> Option<Value> {
        self.until.as_ref().map(|until| serde_json::from_str(&side.fill(&until.to_string())).unwrap())
    }
}

/// The same with each configuration that is named in the place of its name.
fn spread(value: &Value, side: &Side) -> Value {
    match value {
        Value::Object(map) => {
            let mut filled = Map::new();
            if let Some(name) = map.get("$").and_then(Value::as_str) {
                filled.extend(side.sink(name).clone());
            }
            for without in map.get("$without").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
            {
                filled.remove(without);
            }
            let given = map.iter().filter(|(key, _)| !key.starts_with('$'));
            filled.extend(given.map(|(key, value)| (key.clone(), spread(value, side))));
            Value::Object(filled)
        }
        Value::Array(items) => items.iter().map(|item| spread(item, side)).collect(),
        other => other.clone(),
    }
}
