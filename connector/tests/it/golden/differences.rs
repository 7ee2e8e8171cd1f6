//! What Sluice is meant to answer otherwise: `tests/golden/differences.json`, and the table that is made from it.
//!
//! The file is an array of objects: `what`, `connect`, `sluice` and `reason` are for people and become a line of the table;
//! `answers` holds for each request by name what Sluice answers in the place of what was recorded, by path; `null` is nothing at all.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use super::recording::Recording;
use super::shape::pieces;

/// The table is between these two lines.
const BEGIN: &str = "<!-- The table is made from connector/tests/golden/differences.json by `make golden-doc`. -->\n";
const END: &str = "<!-- End of the table. -->\n";

/// Every intended difference.
pub(super) struct Listed(Vec<Difference>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    what: String,
    connect: String,
    sluice: String,
    reason: String,
    answers: BTreeMap<String, BTreeMap<String, Value>>,
}

/// A piece of an answer: the request's name and the path in it.
type Place = (String, String);

// === impl Listed ===

impl Listed {
    /// Those of the repository.
    pub(super) fn read() -> Self {
        let text = fs::read_to_string(super::data("differences.json")).unwrap();
        Self(serde_json::from_str(&text).unwrap_or_else(|error| panic!("differences.json: {error}")))
    }

    /// Panics if one is listed for a request that is not in the recording, for what was recorded, or twice.
    pub(super) fn must_be_of(&self, recorded: &Recording) {
        let known: BTreeSet<_> = recorded.names().collect();
        let mut seen = BTreeSet::new();
        for difference in &self.0 {
            assert!(!difference.reason.is_empty() && !difference.answers.is_empty(), "{difference:?} says too little");
            for (request, at) in &difference.answers {
                assert!(known.contains(request.as_str()), "differences.json names {request}, which the script doesn't have");
                let recorded: BTreeMap<_, _> = recorded.answer(request).iter().flat_map(pieces).collect();
                for (path, value) in at {
                    assert!(seen.insert((request, path)), "differences.json has {request} {path} twice");
                    assert_ne!(
                        recorded.get(path).unwrap_or(&Value::Null),
                        value,
                        "differences.json has {request} {path}, which is what Kafka Connect answered"
                    );
                }
            }
        }
    }

    /// What is not as it is recorded or listed, one line each.
    pub(super) fn compare(&self, recorded: &Recording, answered: &BTreeMap<String, Value>) -> Vec<String> {
        let mut listed: BTreeMap<Place, &Value> = BTreeMap::new();
        for (request, at) in self.0.iter().flat_map(|difference| &difference.answers) {
            listed.extend(at.iter().map(|(path, value)| ((request.clone(), path.clone()), value)));
        }
        let mut complaints = Vec::new();
        for (request, answer) in answered {
            let connect: BTreeMap<_, _> = recorded.answer(request).iter().flat_map(pieces).collect();
            let sluice: BTreeMap<_, _> = pieces(answer).into_iter().collect();
            for path in connect.keys().chain(sluice.keys()).collect::<BTreeSet<_>>() {
                let found = sluice.get(path).unwrap_or(&Value::Null);
                let recorded = connect.get(path).unwrap_or(&Value::Null);
                let meant = listed.remove(&(request.clone(), path.clone()));
                if found != meant.unwrap_or(recorded) {
                    complaints.push(complaint(request, path, recorded, meant, found));
                }
            }
        }
        let idle = listed.into_keys().map(|(request, path)| format!("{request} {path}: listed, but neither side has it"));
        complaints.extend(idle);
        complaints
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

fn complaint(request: &str, path: &str, recorded: &Value, meant: Option<&Value>, found: &Value) -> String {
    match meant {
        Some(_) if found == recorded => format!("{request} {path}: listed as a difference, but Sluice answers {found} as Kafka Connect does"),
        Some(meant) => format!("{request} {path}: Sluice answers {found}, the difference that is listed is {meant}"),
        None => format!("{request} {path}: Kafka Connect answers {recorded}, Sluice {found}"),
    }
}

#[test]
fn comparison_tells_of_what_is_not_listed_and_of_what_is_listed_in_vain() {
    let recorded = Recording::of_answers([("a/one", json!({"status": 500, "body": {"message": "no"}}))]);
    let listed = |answers: Value| {
        let text = json!([{"what": "w", "connect": "c", "sluice": "s", "reason": "r", "answers": answers}]);
        Listed(serde_json::from_value(text).unwrap())
    };
    let told = |listed: &Listed, status: u16, extra: Value| {
        let answer = json!({"status": status, "body": {"message": "no", "more": extra}});
        listed.compare(&recorded, &BTreeMap::from([("a/one".to_owned(), answer)])).len()
    };
    let meant = listed(json!({"a/one": {"status": 404, "body.more": 1}}));
    assert_eq!(told(&meant, 404, json!(1)), 0, "both are listed");
    assert_eq!(told(&meant, 500, json!(1)), 1, "one is listed in vain");
    assert_eq!(told(&meant, 405, json!(1)), 1, "another than is listed");
    assert_eq!(told(&listed(json!({"a/one": {"status": 404}})), 404, json!(1)), 1, "one is not listed");
    assert_eq!(told(&listed(json!({"a/one": {"status": 404, "body.more": 1, "body.x": 1}})), 404, json!(1)), 1, "nobody has it");
}
