//! What Kafka Connect answered, as it is kept in `tests/golden/connect-4.1.json`: one entry for each request, in the script's order.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};

use super::script::Scenario;

const FILE: &str = "connect-4.1.json";

/// Requests and their answers, by name.
pub(super) struct Recording {
    answers: BTreeMap<String, Value>,
    order: Vec<String>,
}

// === impl Recording ===

impl Recording {
    /// The answers to the script, each with the request that it answers.
    pub(super) fn of(script: &[Scenario], answers: &BTreeMap<String, Value>) -> Self {
        let requests: Vec<_> = script.iter().flat_map(Scenario::requests).collect();
        let entry = |(name, step): &(String, &super::script::Step)| {
            let mut answer = answers[name].clone();
            answer["request"] = json!(step.line());
            (name.clone(), answer)
        };
        Self {
            answers: requests.iter().map(entry).collect(),
            order: requests.into_iter().map(|(name, _)| name).collect(),
        }
    }

    /// Answers without requests, for tests of the comparison.
    pub(super) fn of_answers<const N: usize>(answers: [(&str, Value); N]) -> Self {
        Self { answers: answers.map(|(name, answer)| (name.to_owned(), answer)).into(), order: Vec::new() }
    }

    /// The recording of the repository.
    pub(super) fn read() -> Self {
        let text = fs::read_to_string(super::data(FILE)).unwrap();
        Self { answers: serde_json::from_str(&text).unwrap(), order: Vec::new() }
    }

    /// Puts it into the repository. Each request begins a line of its own, so that a new recording shows only what is new.
    pub(super) fn write(&self) {
        let mut text = String::from("{\n");
        for (at, name) in self.order.iter().enumerate() {
            let answer = serde_json::to_string_pretty(&self.answers[name]).unwrap();
            let comma = if at + 1 < self.order.len() { "," } else { "" };
            writeln!(text, "{}: {answer}{comma}", json!(name)).unwrap();
        }
        text.push_str("}\n");
        fs::write(super::data(FILE), text).unwrap();
    }

    /// Panics unless these are the answers to exactly this script.
    pub(super) fn must_be_of(&self, script: &[Scenario]) {
        let mut recorded: BTreeMap<_, _> =
            self.answers.iter().map(|(name, answer)| (name.as_str(), &answer["request"])).collect();
        let requests = script.iter().flat_map(Scenario::requests);
        let changed = requests.filter(|(name, step)| recorded.remove(name.as_str()) != Some(&json!(step.line())));
        let mut changed: Vec<String> = changed.map(|(name, _)| name).collect();
        changed.extend(recorded.into_keys().map(str::to_owned));
        assert!(
            changed.is_empty(),
            "these are not as they were recorded: {changed:?}; record the script anew with `make golden`"
        );
    }

    /// The answer of that name, without the request.
    pub(super) fn answer(&self, name: &str) -> Option<Value> {
        let mut answer = self.answers.get(name)?.clone();
        answer.as_object_mut()?.remove("request");
        Some(answer)
    }
}
