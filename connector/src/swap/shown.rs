//! What is shown of a connector's transform: what runs, what is on probation, what ran before.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::history::{Entry, History, Quarantine};
use super::trial::Trial;

/// What is shown; the controller keeps it up to date.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) connector: String,
    pub(super) module: String,
    pub(super) history: History,
    pub(super) running: Running,
    pub(super) trial: Option<(Arc<Trial>, u64)>,
}

/// A module that runs.
#[derive(Debug, Clone, Serialize)]
pub struct Running {
    /// Its sha256.
    pub digest: String,
    /// Where it came from.
    pub module: String,
    /// Since when: milliseconds since 1970.
    pub since_ms: u64,
}

/// `GET /sluice/connectors/{name}/transform`.
#[derive(Debug, Serialize)]
pub struct TransformState {
    connector: String,
    /// What `transform.module` says.
    configured: String,
    /// `stable`, `on_probation` or `canary`.
    state: &'static str,
    current: Running,
    #[serde(skip_serializing_if = "Option::is_none")]
    probation: Option<Probation>,
    /// The sha256 of the version that a roll-back goes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
    quarantined: BTreeMap<String, Quarantine>,
    /// Oldest first.
    history: Vec<Entry>,
}

/// A version on probation.
#[derive(Debug, Serialize)]
struct Probation {
    /// The sha256 of the version that comes back if it is taken back.
    stable: String,
    probation_ms: u64,
    /// Milliseconds since its first record; absent before: it begins with that.
    #[serde(skip_serializing_if = "Option::is_none")]
    elapsed_ms: Option<u64>,
    records: u64,
    errors: u64,
    /// The partitions that it runs; absent for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    partitions: Option<Vec<String>>,
}

// === impl Shown ===

impl Shown {
    pub(super) fn state(&self) -> TransformState {
        let probation = self.trial.as_ref().map(|(trial, probation_ms)| {
            let tally = trial.version().tally();
            Probation {
                stable: trial.stable().digest().to_string(),
                probation_ms: *probation_ms,
                elapsed_ms: trial.first_record().map(|first| first.elapsed().as_millis() as u64),
                records: tally.records,
                errors: tally.errors,
                partitions: trial.canary().map(|canary| canary.partitions()),
            }
        });
        TransformState {
            connector: self.connector.clone(),
            configured: self.module.clone(),
            state: match &probation {
                None => "stable",
                Some(Probation { partitions: None, .. }) => "on_probation",
                Some(_) => "canary",
            },
            current: self.running.clone(),
            previous: match &self.trial {
                Some((trial, _)) => Some(trial.stable().digest().to_string()),
                None => self.history.previous().map(str::to_owned),
            },
            probation,
            quarantined: self.history.quarantined.clone(),
            history: self.history.entries.clone(),
        }
    }
}
