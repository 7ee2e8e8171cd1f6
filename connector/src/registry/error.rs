//! Why the registry does not do what was asked.

use thiserror::Error;

use super::store::StoreError;
use crate::config::Problems;
use crate::plugins::Refused;

/// Why a request changed nothing.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// There is no such connector.
    #[error("Connector {0} not found")]
    Unknown(String),
    /// The connector has no such task.
    #[error("Unknown task: {connector}-{task}")]
    UnknownTask {
        /// The connector.
        connector: String,
        /// The task's number.
        task: u32,
    },
    /// The name is taken.
    #[error("Connector {0} already exists")]
    Exists(String),
    /// The settings that a connector has are wrong by now: all that is, at once.
    #[error("{0}")]
    Invalid(Problems),
    /// The settings asked for are wrong, in Connect's words.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The settings name another connector.
    #[error("Connector name configuration ({given}) doesn't match connector name in the URL ({name})")]
    OtherName {
        /// The name in the settings.
        given: String,
        /// The connector.
        name: String,
    },
    /// A file says what its settings are.
    #[error(
        "connector {0} comes from a file on the command line: change the file and start the worker again, or start it with --adopt, which takes \
         such connectors over into state.dir"
    )]
    FromFile(String),
    /// The disk does not keep it, so nothing was changed.
    #[error("{}", crate::trace(.0))]
    Store(#[from] StoreError),
    /// The worker is about to end.
    #[error("the worker is stopping")]
    Stopping,
}
