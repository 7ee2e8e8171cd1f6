//! The values that labels can have: closed lists, so that no series grows out of data.

/// What became of one write request; label `outcome` of `sluice_write_requests_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestOutcome {
    /// Every line was taken.
    Done,
    /// Some lines were refused for what they hold, the others taken.
    RejectedLines,
    /// The request was refused as a whole for what it holds.
    RejectedWhole,
    /// The body was too large for the server.
    TooLarge,
    /// Credentials, database or the like are wrong; the data is held.
    Configuration,
    /// The server or the way to it failed; the same request is sent again.
    Transient,
}

/// A stage of the data path; label `stage` of `sluice_stage_seconds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Draining a partition queue into a batch.
    Source,
    /// The call into WebAssembly.
    Transform,
    /// Finding line ends and adding timestamps.
    Points,
    /// A write request, from sending to the answer.
    Sink,
}

/// Why a request body was closed; label `cut_by` of `sluice_batches_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutBy {
    /// The lane was free, so there was nothing to wait for.
    Idle,
    /// `batch.max.lines` was reached.
    Lines,
    /// `batch.max.bytes` was reached.
    Bytes,
    /// `linger.ms` was over.
    Linger,
    /// The task stops or a partition was revoked: what is there goes out.
    Stop,
}

/// What became of a new version of the transform; label `outcome` of `sluice_swaps_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwapOutcome {
    /// It passed its probation, or had none.
    Promoted,
    /// A gate refused it.
    Refused,
    /// It was taken back, by itself or because somebody asked for it.
    RolledBack,
}

/// A step on a new version's way; label `step` of `sluice_swap_seconds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwapStep {
    /// Limits on size and structure.
    Structure,
    /// Compiling in a process of its own, or reading machine code from the cache.
    Compile,
    /// Linking, and the check of imports and exports.
    World,
    /// An instance, and `configure`.
    Configure,
    /// The last records, by old and new.
    WarmUp,
    /// The time that a task's data path stood: the longest of all tasks.
    Switch,
    /// From the first look at the bytes until every task has changed.
    Total,
}

impl RequestOutcome {
    pub(super) const ALL: [Self; 6] =
        [Self::Done, Self::RejectedLines, Self::RejectedWhole, Self::TooLarge, Self::Configuration, Self::Transient];

    /// The value of the label `outcome`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::RejectedLines => "rejected_lines",
            Self::RejectedWhole => "rejected_whole",
            Self::TooLarge => "too_large",
            Self::Configuration => "configuration",
            Self::Transient => "transient",
        }
    }
}

impl Stage {
    pub(super) const ALL: [Self; 4] = [Self::Source, Self::Transform, Self::Points, Self::Sink];

    /// The value of the label `stage`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Transform => "transform",
            Self::Points => "points",
            Self::Sink => "sink",
        }
    }
}

impl CutBy {
    pub(super) const ALL: [Self; 5] = [Self::Idle, Self::Lines, Self::Bytes, Self::Linger, Self::Stop];

    /// The value of the label `cut_by`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Lines => "lines",
            Self::Bytes => "bytes",
            Self::Linger => "linger",
            Self::Stop => "stop",
        }
    }
}

impl SwapOutcome {
    pub(super) const ALL: [Self; 3] = [Self::Promoted, Self::Refused, Self::RolledBack];

    /// The value of the label `outcome`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Promoted => "promoted",
            Self::Refused => "refused",
            Self::RolledBack => "rolled_back",
        }
    }
}

impl SwapStep {
    pub(super) const ALL: [Self; 7] =
        [Self::Structure, Self::Compile, Self::World, Self::Configure, Self::WarmUp, Self::Switch, Self::Total];

    /// The value of the label `step`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::Compile => "compile",
            Self::World => "world",
            Self::Configure => "configure",
            Self::WarmUp => "warm_up",
            Self::Switch => "switch",
            Self::Total => "total",
        }
    }
}
