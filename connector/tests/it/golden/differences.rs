//! What Sluice is meant to answer otherwise: `tests/golden/differences.json`, and the table that is made from it.
//!
//! The file is an array of objects: `what`, `connect`, `sluice` and `reason` are for people and become a line of the table; `answers` holds
//! for each request by name what turns the recorded answer into Sluice's: of an object the keys that differ, `null` for one that is not
//! there, anything else as a whole (a JSON merge patch, RFC 7396), and `"${null}"` for a value that is null.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::recording::Recording;

/// The table is between these two lines.
const BEGIN: &str = "<!-- The table is made from connector/tests/golden/differences.json by `make golden-doc`. -->\n";
const END: &str = "<!-- End of the table. -->\n";

/// What makes null of a value: null itself takes it away.
const NULL: &str = "${null}";

/// Every intended difference.
pub(super) struct Listed(Vec<Difference>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    what: String,
    connect: String,
    sluice: String,
    reason: String,
    answers: BTreeMap<String, Value>,
}

// === impl Listed ===

impl Listed {
    /// Those of the repository.
    pub(super) fn read() -> Self {
        let text = fs::read_to_string(super::data("differences.json")).unwrap();
        Self(serde_json::from_str(&text).unwrap_or_else(|error| panic!("differences.json: {error}")))
    }

    /// Panics if one is listed for a request that is not in the recording, or for what is the same there, or twice.
    pub(super) fn must_be_of(&self, recorded: &Recording) {
        let mut answers = BTreeMap::new();
        for difference in &self.0 {
            assert!(!difference.reason.is_empty() && !difference.answers.is_empty(), "{difference:?} says too little");
            for (request, patch) in &difference.answers {
                let recorded =
                    || recorded.answer(request).unwrap_or_else(|| panic!("the script has no request {request}"));
                let answer = answers.entry(request).or_insert_with(recorded);
                patch_answer(answer, patch, request);
            }
        }
    }

    /// Where Sluice's answers are not as they are recorded and listed, one line each: what would have to be listed.
    pub(super) fn compare(&self, recorded: &Recording, answered: &BTreeMap<String, Value>) -> Vec<String> {
        let complaint = |(request, found): (&String, &Value)| {
            let mut expected = recorded.answer(request).unwrap_or_default();
            for patch in self.0.iter().filter_map(|difference| difference.answers.get(request)) {
                patch_answer(&mut expected, patch, request);
            }
            difference(&expected, found).map(|patch| {
                let was = keys_of(&expected, &patch);
                format!("{}: {patch}\n    in the place of {was}", json!(request))
            })
        };
        answered.iter().filter_map(complaint).collect()
    }

    fn table(&self) -> String {
        let mut table = String::from("| what | Kafka Connect 4.1 | Sluice | why |\n| --- | --- | --- | --- |\n");
        for Difference { what, connect, sluice, reason, .. } in &self.0 {
            writeln!(table, "| {what} | {connect} | {sluice} | {reason} |").unwrap();
        }
        table
    }
}

/// `docs/CONNECT-REST.md` as it is.
pub(super) fn document() -> String {
    fs::read_to_string(document_file()).unwrap()
}

/// The document with the table of these differences in it.
pub(super) fn with_table(document: &str, listed: &Listed) -> String {
    let (before, rest) = document.split_once(BEGIN).expect("the document says where its table begins");
    let (_, after) = rest.split_once(END).expect("the document says where its table ends");
    format!("{before}{BEGIN}\n{}\n{END}{after}", listed.table())
}

/// Puts the table of the data into the document.
pub(super) fn write_document() {
    fs::write(document_file(), with_table(&document(), &Listed::read())).unwrap();
}

fn document_file() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/CONNECT-REST.md"))
}

/// Applies what is listed; panics where that changes nothing.
fn patch_answer(answer: &mut Value, patch: &Value, request: &str) {
    let Value::Object(patch) = patch else {
        assert_ne!(answer, patch, "differences.json has for {request} what Kafka Connect answers, or has it twice");
        *answer = if patch == NULL { Value::Null } else { patch.clone() };
        return;
    };
    if !answer.is_object() {
        *answer = json!({});
    }
    for (key, patch) in patch {
        let map = answer.as_object_mut().unwrap();
        if patch.is_null() {
            let removed = map.remove(key);
            assert!(removed.is_some(), "differences.json takes from {request} what is not there: {key}");
        } else {
            patch_answer(map.entry(key).or_insert(Value::Null), patch, request);
        }
    }
}

/// What turns `expected` into `found`, if anything.
fn difference(expected: &Value, found: &Value) -> Option<Value> {
    let (Value::Object(was), Value::Object(is)) = (expected, found) else {
        return (expected != found).then(|| if found.is_null() { json!(NULL) } else { found.clone() });
    };
    let mut patch = Map::new();
    for key in was.keys().filter(|key| !is.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, is) in is {
        let differs = was.get(key).map_or_else(|| Some(is.clone()), |was| difference(was, is));
        patch.extend(differs.map(|differs| (key.clone(), differs)));
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// The part of `value` that has the keys of `like`.
fn keys_of(value: &Value, like: &Value) -> Value {
    match (value, like) {
        (Value::Object(value), Value::Object(like)) => {
            let part = |(key, like): (&String, &Value)| {
                (key.clone(), value.get(key).map_or(Value::Null, |value| keys_of(value, like)))
            };
            like.iter().map(part).collect()
        }
        (value, _) => value.clone(),
    }
}

#[test]
fn comparison_tells_of_what_is_not_listed_and_of_what_is_listed_in_vain() {
    let recorded = Recording::of_answers([("a/one", json!({"status": 500, "body": {"message": "no", "code": 1}}))]);
    let told = |listed: Value, answer: Value| {
        let text = json!([{"what": "w", "connect": "c", "sluice": "s", "reason": "r", "answers": {"a/one": listed}}]);
        let listed = Listed(serde_json::from_value(text).unwrap());
        listed.compare(&recorded, &BTreeMap::from([("a/one".to_owned(), answer)])).len()
    };
    let listed = || json!({"status": 404, "body": {"more": [1], "code": null}});
    assert_eq!(told(listed(), json!({"status": 404, "body": {"message": "no", "more": [1]}})), 0, "all is listed");
    assert_eq!(
        told(listed(), json!({"status": 500, "body": {"message": "no", "more": [1]}})),
        1,
        "one is listed in vain"
    );
    assert_eq!(told(listed(), json!({"status": 405, "body": {"message": "no", "more": [1]}})), 1, "another is listed");
    assert_eq!(told(listed(), json!({"status": 404, "body": {"message": "yes", "more": [1]}})), 1, "one is not listed");
    assert_eq!(
        told(listed(), json!({"status": 404, "body": {"message": "no", "more": [1], "code": 1}})),
        1,
        "it is there"
    );
}

#[test]
#[should_panic(expected = "what Kafka Connect answers")]
fn what_does_not_differ_may_not_be_listed() {
    patch_answer(&mut json!({"status": 500}), &json!({"status": 500}), "a/one");
}
