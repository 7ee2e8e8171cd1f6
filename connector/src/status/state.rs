//! What a task can be doing, in our words and in Kafka Connect's.

use std::time::SystemTime;

/// What a task is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskState {
    /// It is being built: module, connections, group membership.
    Starting,
    /// Records flow, or would if there were any.
    Running,
    /// It takes no records, because somebody wants that; its place in the group is kept.
    Paused,
    /// It is to start again, and its end is waited for.
    Restarting,
    /// A server is away or fails; the data waits and is sent again by itself.
    Retrying {
        /// What failed, for a person.
        reason: String,
        /// When the task last was not retrying.
        since: SystemTime,
    },
    /// The settings of InfluxDB or of the connector are wrong: the data is held and tried again, but somebody has to
    /// act.
    Held {
        /// What is wrong and what to do, for a person.
        reason: String,
        /// When the task last was not held.
        since: SystemTime,
    },
    /// It gave up; nothing past the failure is committed.
    Failed {
        /// The error with its causes.
        trace: String,
    },
    /// It was asked to stop, and did.
    Stopped,
}

// === impl TaskState ===

impl TaskState {
    /// Retrying from now on. Set on a task that is retrying already it only changes the reason.
    pub fn retrying(reason: impl Into<String>) -> Self {
        Self::Retrying { reason: reason.into(), since: SystemTime::now() }
    }

    /// Held from now on. Set on a task that is held already it only changes the reason.
    pub fn held(reason: impl Into<String>) -> Self {
        Self::Held { reason: reason.into(), since: SystemTime::now() }
    }

    /// Failed for good.
    pub fn failed(trace: impl Into<String>) -> Self {
        Self::Failed { trace: trace.into() }
    }

    /// The state's name, as metrics and JSON have it.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Retrying { .. } => "retrying",
            Self::Held { .. } => "held",
            Self::Failed { .. } => "failed",
            Self::Stopped => "stopped",
        }
    }

    /// The state in Connect's words, which its clients take as a closed list. Connect calls a task that retries
    /// running, and has no word for a stopped task: it is gone.
    pub const fn connect_status(&self) -> Option<&'static str> {
        match self {
            Self::Starting => Some("unassigned"),
            Self::Running | Self::Retrying { .. } | Self::Held { .. } => Some("running"),
            Self::Paused => Some("paused"),
            Self::Restarting => Some("restarting"),
            Self::Failed { .. } => Some("failed"),
            Self::Stopped => None,
        }
    }

    /// Why the task is not simply running, where there is something to say.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Retrying { reason, .. } | Self::Held { reason, .. } => Some(reason),
            Self::Failed { trace } => Some(trace),
            Self::Starting | Self::Running | Self::Paused | Self::Restarting | Self::Stopped => None,
        }
    }

    /// Since when the task has been retrying or held.
    pub const fn since(&self) -> Option<SystemTime> {
        match self {
            Self::Retrying { since, .. } | Self::Held { since, .. } => Some(*since),
            _ => None,
        }
    }

    /// Whether the task has ended, one way or the other.
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Stopped)
    }

    /// Keeps the beginning of a condition that goes on.
    pub(super) fn continuing(mut self, before: &Self) -> Self {
        if let (Self::Retrying { since, .. }, Self::Retrying { since: begun, .. })
        | (Self::Held { since, .. }, Self::Held { since: begun, .. }) = (&mut self, before)
        {
            *since = *begun;
        }
        self
    }
}
