//! Sluice answers as Kafka Connect does: one script of requests, what Kafka Connect 4.1 answered to it, and what Sluice answers now.
//!
//! The script is `tests/golden/script/*.json`, see `script.rs`. What a real Kafka Connect in standalone mode answered is in
//! `tests/golden/connect-4.1.json`, written by `make golden`, so that the comparison needs no Kafka Connect. Where Sluice is meant to
//! differ it is said with the reason in `tests/golden/differences.json`, from which the table in `docs/CONNECT-REST.md` is made. The
//! comparison fails when an answer differs that is not listed, and when one that is listed does not differ any more.

mod differences;
mod play;
mod recording;
mod script;
mod shape;
mod side;

use std::path::PathBuf;

use differences::Listed;
use recording::Recording;
use script::Scenario;
use side::Side;

/// The fewest requests that the script may have.
const REQUESTS_MIN: usize = 150;

/// A file of the golden test's data.
fn data(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")).join(name)
}

#[test]
fn every_answer_is_kafka_connects_or_a_listed_difference() {
    let script = script::read();
    let recorded = Recording::read();
    recorded.must_be_of(&script);
    let side = Side::sluice();
    let answered = play::all(&script, &side, play::Patience::Report);
    let complaints = Listed::read().compare(&recorded, &answered);
    assert!(
        complaints.is_empty(),
        "{} answers are not what connector/tests/golden says. Mend Sluice, or list what is intended in differences.json:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}

#[test]
fn script_is_recorded_and_as_long_as_promised() {
    let script = script::read();
    Recording::read().must_be_of(&script);
    let requests = script.iter().flat_map(Scenario::requests).count();
    assert!(requests >= REQUESTS_MIN, "the script has {requests} requests, at least {REQUESTS_MIN} are promised");
}

#[test]
fn document_lists_every_intended_difference() {
    let listed = Listed::read();
    listed.must_be_of(&Recording::read());
    let shown = differences::document();
    assert!(
        shown == differences::with_table(&shown, &listed),
        "the table in docs/CONNECT-REST.md is not made from differences.json: run `make golden-doc`"
    );
}

/// Not a test: asks a real Kafka Connect and writes down what it answers. `make golden`.
#[test]
#[ignore = "needs Kafka Connect, which `make golden` fetches"]
fn record() {
    let script = script::read();
    let side = Side::connect();
    Recording::of(&script, &play::all(&script, &side, play::Patience::Insist)).write();
}

/// Not a test: makes the table of the document from the data. `make golden-doc`.
#[test]
#[ignore = "it writes a file"]
fn write_document() {
    differences::write_document();
}
