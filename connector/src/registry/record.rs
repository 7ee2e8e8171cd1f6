//! What a connector is meant to be: its settings as they were written, and whether it is to run. This is what the state folder keeps.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One connector as somebody wants it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub origin: Origin,
    /// What it is to do.
    pub target: Target,
    /// How many tasks it has: none before it was first to run, and while it is stopped.
    pub tasks: u32,
    /// Its settings, word for word, placeholders unresolved.
    pub config: BTreeMap<String, String>,
}

/// Where a connector comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A file on the command line, which alone says what its settings are.
    File,
    /// The REST API.
    Rest,
}

/// What a connector is to do: Connect's target states (KIP-875, KIP-980).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Target {
    /// To run.
    Running,
    /// To keep its tasks and its place in the group, and to take no records.
    Paused,
    /// To have no tasks, and to be out of the group.
    Stopped,
}

// === impl Target ===

impl FromStr for Target {
    type Err = String;

    /// Connect's word for it, in any case.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word.to_ascii_uppercase().as_str() {
            "RUNNING" => Ok(Self::Running),
            "PAUSED" => Ok(Self::Paused),
            "STOPPED" => Ok(Self::Stopped),
            _ => Err("must be one of RUNNING, PAUSED, STOPPED".to_owned()),
        }
    }
}

// === impl Record ===

impl fmt::Debug for Record {
    /// Without the settings: there may be secrets in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, origin, target, tasks, config } = self;
        f.debug_struct("Record")
            .field("name", name)
            .field("origin", origin)
            .field("target", target)
            .field("tasks", tasks)
            .field("config", &config.keys())
            .finish()
    }
}
