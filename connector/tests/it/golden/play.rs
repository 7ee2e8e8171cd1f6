//! Plays the script to one side and gives back its answers, normalised.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::support::http::{self, Answer};
use super::super::support::wait::DEADLINE;
use super::script::{Scenario, Step};
use super::shape;
use super::side::Side;

/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(10);

/// What to do about a condition that never comes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// The script is wrong, as it is Kafka Connect that was asked.
    Insist,
    /// It is a difference like another.
    Report,
}

/// Every answer of `side`, by the name of the request.
pub(super) fn all(script: &[Scenario], side: &Side, patience: Patience) -> BTreeMap<String, Value> {
    let mut answers = BTreeMap::new();
    for scenario in script {
        for step in &scenario.steps {
            if let Some(produce) = &step.produce {
                side.produce(&side.fill(&produce.topic), &produce.values);
                continue;
            }
            let name = scenario.answer(step);
            let (answer, came) = ask(step, side);
            assert!(came || patience == Patience::Report, "{name}: waited in vain, the last answer was {answer:?}");
            let mut shape = shape::of(&answer, step, side);
            if !came {
                shape["until"] = json!("never");
            }
            assert!(answers.insert(name.clone(), shape).is_none(), "the script has two requests called {name}");
        }
        side.clear();
    }
    answers
}

/// Sends the request until its answer has what the step waits for; and whether it came to have that.
fn ask(step: &Step, side: &Side) -> (Answer, bool) {
    let request = step.request(side);
    let url = format!("{}{}", side.url, request.path);
    let headers: Vec<_> = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let awaited = step.awaited(side);
    let began = Instant::now();
    loop {
        let answer = http::send(&request.method, &url, &headers, request.body.as_bytes());
        let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", step.line()));
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_else(|_| json!(answer.body));
        let seen = json!({"status": answer.status, "body": body});
        let came = awaited.as_ref().is_none_or(|awaited| has(&seen, awaited));
        if came || began.elapsed() >= DEADLINE {
            return (answer, came);
        }
        thread::sleep(PAUSE);
    }
}

/// Whether `found` has what is in `wanted`: of an object these keys, of an array each element and no other.
fn has(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| found.get(key).is_some_and(|found| has(found, wanted)))
        }
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len() && found.iter().zip(wanted).all(|(found, wanted)| has(found, wanted))
        }
        _ => found == wanted,
    }
}

#[test]
fn condition_is_a_part_of_an_object_and_the_whole_of_an_array() {
    let found = json!({"status": 200, "body": {"tasks": [{"id": 0, "state": "RUNNING"}]}});
    assert!(has(&found, &json!({"body": {"tasks": [{"state": "RUNNING"}]}})));
    assert!(!has(&found, &json!({"body": {"tasks": [{"state": "PAUSED"}]}})));
    assert!(!has(&found, &json!({"body": {"tasks": []}})));
    assert!(!has(&found, &json!({"body": {"tasks": [{"id": 0}, {"id": 1}]}})));
    assert!(!has(&found, &json!({"body": {"trace": "x"}})));
}
