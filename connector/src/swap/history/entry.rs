//! What a history is made of, as it stands in its file.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How much of a reason is kept, in bytes.
pub const REASON_MAX_BYTES: usize = 2_000;

/// A candidate under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// Its digest.
    pub digest: String,
    /// Where it comes from.
    pub source: Source,
    /// How far it is: [`PROBATION`](super::PROBATION), or what the controller calls the gate.
    pub step: String,
    /// When it began, in milliseconds since 1970.
    pub since_ms: u64,
}

/// Why a digest is not tried again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quarantine {
    /// For a person.
    pub reason: String,
    /// Since when, in milliseconds since 1970.
    pub at_ms: u64,
}

/// How often the process has died with a candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Died {
    /// The candidate.
    pub digest: String,
    /// How often.
    pub times: u32,
}

/// How the last good version has fared: what a new one is measured against, also after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fared {
    /// The version.
    pub digest: String,
    /// Records that it was given.
    pub records: u64,
    /// Those of them that were refused.
    pub errors: u64,
}

/// One thing that happened to one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The version.
    pub digest: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Where the version came from.
    pub source: Source,
    /// What happened.
    pub outcome: Outcome,
    /// Why, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the version made of the last records, compared with the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Value>,
}

/// Where a version comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// `transform.module`, as the first version under it.
    Config,
    /// The file that `transform.module` names had other bytes, or the program another built-in transform of that name.
    File,
    /// REST.
    Upload,
    /// An older good version, asked for by hand.
    Rollback,
}

/// What happened to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was the first under this `transform.module`.
    Started,
    /// It has passed the gates and runs.
    OnProbation,
    /// It is the last good version now.
    Promoted,
    /// A gate refused it; it has not run.
    Refused,
    /// It ran, and the version before it does again.
    RolledBack,
    /// Another candidate came before it was decided.
    Superseded,
    /// The process ended before it was decided.
    Interrupted,
}

// === impl Source ===

impl Source {
    /// As it stands in the history and in logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::File => "file",
            Self::Upload => "upload",
            Self::Rollback => "rollback",
        }
    }
}

// === impl Entry ===

impl Entry {
    pub(super) fn new(digest: &str, source: Source, outcome: Outcome, at_ms: u64) -> Self {
        Self { digest: digest.to_owned(), at_ms, source, outcome, reason: None, report: None }
    }

    pub(super) fn because(self, reason: &str) -> Self {
        Self { reason: Some(cut(reason)), ..self }
    }
}

/// A reason, shortened to what is kept of one.
pub(super) fn cut(reason: &str) -> String {
    if reason.len() <= REASON_MAX_BYTES {
        return reason.to_owned();
    }
    format!("{}…", &reason[..reason.floor_char_boundary(REASON_MAX_BYTES)])
}
