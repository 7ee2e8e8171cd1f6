//! The controller's decisions, without tasks.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;

use super::*;
use crate::config::PolicyConfig;
use crate::metrics::Metrics;
use crate::status::Board;
use crate::swap::desk::tests::module;
use crate::swap::policy::Policy;
use crate::swap::service::{Gate, Refused};
use crate::swap::shadow::Report;
use crate::swap::store::Store;
use crate::swap::trial::Standing;
use crate::transform::compile::Compiler;
use crate::transform::digest_of;
use crate::transform::engine::Engine;
use crate::transform::loader::Loader;

/// A controller of no tasks, and what its requests come by. Version `0` runs.
fn worker(probation_ms: u64, store: Option<Store>) -> (Worker, Receiver<Request>) {
    let probation_ms = probation_ms.to_string();
    let settings = [
        ("name", "prices"),
        ("topics", "crypto"),
        ("transform.module", "builtin:split-concat"),
        ("transform.probation.ms", &probation_ms),
        ("influx.url", "http://localhost:8086"),
        ("influx.database", "markets"),
    ];
    let settings: BTreeMap<_, _> = settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let config = Arc::new(ConnectorConfig::check(&settings).unwrap().config);
    let gates = Gates {
        loader: Loader::new(Engine::new(), Compiler::InProcess, None),
        policy: Policy::new(&PolicyConfig::default(), &[]).unwrap(),
        metrics: Metrics::new().swaps("prices"),
        stop: Stop::default(),
        config,
    };
    let (requests, received) = sync_channel(WAITING_MAX);
    let stable = module("0");
    let mut history = History::default();
    history.started("builtin:split-concat", stable.digest(), 1);
    let shown = Shown {
        connector: "prices".to_owned(),
        module: "builtin:split-concat".to_owned(),
        history: history.clone(),
        running: running_since(&stable),
        trial: None,
    };
    let worker = Worker {
        gates,
        shelf: Shelf::new(store),
        history,
        desks: Vec::new(),
        stable,
        trial: None,
        shown: Arc::new(Mutex::new(shown)),
        board: Board::new().connector("prices", 1),
        requests,
        look: Arc::default(),
    };
    (worker, received)
}

/// A version that has passed the gates takes over.
fn take_over(worker: &mut Worker, name: &str) -> Result<(), Refused> {
    let new = module(name);
    worker.history.begin(new.digest(), Source::Upload, 1);
    worker.switch(new, &Report::default()).map(drop)
}

/// Name and outcome of each entry.
fn history(worker: &Worker) -> Vec<(String, String)> {
    let name = |digest: &str| (0..10).map(|name| name.to_string()).find(|name| digest_of(name.as_bytes()) == digest);
    let entries = worker.history.entries.iter();
    entries.map(|entry| (name(&entry.digest).unwrap(), format!("{:?}", entry.outcome))).collect()
}

fn entries(entries: &[(&str, &str)]) -> Vec<(String, String)> {
    entries.iter().map(|&(name, outcome)| (name.to_owned(), outcome.to_owned())).collect()
}

const HOUR_MS: u64 = 3_600_000;

#[test]
fn a_version_that_turns_out_bad_while_another_is_looked_at_is_taken_back_and_not_superseded() {
    let (mut worker, _received) = worker(HOUR_MS, None);
    take_over(&mut worker, "1").unwrap();
    worker.trial.as_ref().unwrap().trial.blame("it is bad".to_owned());
    take_over(&mut worker, "2").unwrap();
    assert_eq!(worker.history.quarantined.keys().collect::<Vec<_>>(), [&digest_of(b"1")]);
    let wanted = [("0", "Started"), ("1", "OnProbation"), ("1", "RolledBack"), ("2", "OnProbation")];
    assert_eq!(history(&worker), entries(&wanted));
    assert_eq!((worker.stable.name(), worker.running().name()), ("0", "2"));
}

#[test]
fn a_version_whose_probation_ends_while_another_is_looked_at_is_what_that_falls_back_on() {
    let (mut worker, _received) = worker(1, None);
    take_over(&mut worker, "1").unwrap();
    worker.trial.as_ref().unwrap().trial.judge(Instant::now().checked_sub(Duration::from_secs(1)).unwrap());
    take_over(&mut worker, "2").unwrap();
    assert_eq!((worker.stable.name(), worker.running().name()), ("1", "2"));
    assert_eq!(worker.history.good, [digest_of(b"0"), digest_of(b"1")]);
    worker.trial.as_ref().unwrap().trial.blame("it is bad".to_owned());
    worker.settle();
    assert_eq!(worker.running().name(), "1");
}

#[test]
fn refused_lines_that_come_back_after_the_last_batch_count_at_the_end_of_probation() {
    let (mut worker, _received) = worker(1, None);
    take_over(&mut worker, "1").unwrap();
    let trial = Arc::clone(&worker.trial.as_ref().unwrap().trial);
    trial.version().note(1000, 0);
    trial.judge(Instant::now().checked_sub(Duration::from_secs(1)).unwrap());
    trial.version().note_errors(1000);
    worker.settle();
    assert_eq!(trial.standing(), Standing::Over);
    assert_eq!(worker.running().name(), "0");
}

#[test]
fn a_switch_that_can_not_be_saved_has_not_happened() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let (mut worker, _received) = worker(HOUR_MS, Some(Store::open(&state, "prices").unwrap()));
    for name in ["1", "2"] {
        worker.shelf.keep(&digest_of(name.as_bytes()), name.as_bytes()).unwrap();
    }
    take_over(&mut worker, "1").unwrap();
    let before = worker.history.clone();
    fs::remove_dir_all(&state).unwrap();
    fs::write(&state, "no folder").unwrap();
    let refused = take_over(&mut worker, "2").unwrap_err();
    assert_eq!(refused.gate, Gate::State);
    assert_eq!(worker.running().name(), "1");
    assert_eq!(worker.history.pending.take().unwrap().digest, digest_of(b"2"), "to be refused");
    assert_eq!(worker.history, before);
    assert!(worker.trial.as_ref().unwrap().trial.promote());
    worker.settle();
    assert_eq!(worker.history.good, [digest_of(b"0"), digest_of(b"1")]);
}

#[test]
fn a_roll_back_on_request_is_told_at_once() {
    let (mut worker, _received) = worker(0, None);
    let bytes = crate::transform::builtin::find("split-concat").unwrap();
    worker.shelf.keep(&digest_of(b"0"), bytes).unwrap();
    worker.shelf.keep(&digest_of(b"1"), bytes).unwrap();
    take_over(&mut worker, "1").unwrap();
    worker.roll_back().unwrap();
    let shown = lock(&worker.shown);
    assert_eq!(shown.history, worker.history);
    assert_eq!(shown.history.last_good(), Some(&*digest_of(b"0")));
}
