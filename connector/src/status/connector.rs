//! What a connector as a whole is doing, in Kafka Connect's words.

/// What a connector is doing: Connect's closed list, of which its clients know no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectorState {
    /// It is being started: settings read, module loaded.
    Unassigned,
    /// Its tasks run, or tell why not.
    Running,
    /// It takes no records until it is resumed.
    Paused,
    /// It has no tasks and is out of its group until it is resumed.
    Stopped,
    /// It could not be started, and has no tasks.
    Failed {
        /// The error with its causes.
        trace: String,
    },
    /// It was asked to start again, and is about to.
    Restarting,
}

// === impl ConnectorState ===

impl ConnectorState {
    /// The state's name, as metrics have it.
    pub const fn connect_status(&self) -> &'static str {
        match self {
            Self::Unassigned => "unassigned",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Failed { .. } => "failed",
            Self::Restarting => "restarting",
        }
    }

    /// Why it is failed.
    pub fn trace(&self) -> Option<&str> {
        match self {
            Self::Failed { trace } => Some(trace),
            _ => None,
        }
    }
}
