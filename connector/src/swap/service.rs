//! The handle that sends requests to a connector's controller, and the answers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::oneshot;

use super::desk::ControlDesk;
use super::shadow::Report;
use super::shown::{Shown, TransformState};
use super::trial::Trial;
use super::watch::Seen;
use crate::transform::engine::Module;

/// Requests that may wait for a connector's controller. Each may take as long as a compilation.
pub(super) const WAITING_MAX: usize = 8;

/// How long a controller is left alone that has too much to do.
const BUSY_PAUSE: Duration = Duration::from_millis(50);

/// A connector's hot swap, for whoever wants to change or see its transform. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SwapHandle {
    pub(super) requests: SyncSender<Request>,
    pub(super) shown: Arc<Mutex<Shown>>,
    pub(super) may_upload: bool,
    /// Whether the file is to be looked at.
    pub(super) look: Arc<AtomicBool>,
}

/// The handles of all connectors of this process, by name. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct SwapHandles {
    handles: Arc<Mutex<BTreeMap<String, SwapHandle>>>,
}

/// A module that is to take over.
#[derive(Debug)]
pub struct Candidate {
    /// Its bytes, or which one it is.
    pub module: CandidateModule,
    /// The detached signature, if there is one.
    pub signature: Option<Vec<u8>>,
    /// Whether to do everything but the switch.
    pub dry_run: bool,
}

/// What a candidate is.
#[derive(Debug)]
pub enum CandidateModule {
    /// These bytes.
    Bytes(Vec<u8>),
    /// One that is kept in the state folder, by its sha256.
    Digest(String),
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// `dry_run`, `unchanged` (it runs already), `switched`.
    pub outcome: String,
    /// The module's sha256.
    pub digest: String,
    /// The sha256 of the module that ran before.
    pub previous: String,
    /// How many tasks have changed.
    pub tasks_changed: usize,
    /// How many have not yet, because their sink stands or they are stuck: they will at their next batch.
    pub tasks_pending: usize,
    /// The longest time that the data path of a task stood, in microseconds.
    pub pause_us: u64,
    /// How long it is on probation, in milliseconds; 0 for not at all.
    pub probation_ms: u64,
    /// What differs on the last records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    /// What the operator should know, though it is no reason to refuse.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{reason}")]
pub struct Refused {
    /// Which gate it did not pass.
    pub gate: Gate,
    /// Why, and what to do.
    pub reason: String,
    /// What differs on the last records, if it came to that.
    pub report: Option<Box<Report>>,
}

/// The gates, in the order in which a candidate meets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// `transform.upload.enable`.
    Upload,
    /// There is no such module, or no version to go back to.
    Unknown,
    /// The controller has too much to do, or stops.
    Busy,
    /// It was taken back before, and its bytes are the same.
    Quarantine,
    /// `transform.require.*`.
    Policy,
    /// Size, structure, compilation, imports and exports.
    Load,
    /// `configure` with the connector's settings.
    Configure,
    /// The last records: it fails on some.
    WarmUp,
    /// The last records: it differs more than `transform.shadow.require` allows.
    Shadow,
    /// The state folder can't be written.
    State,
}

/// What a task begins with.
#[derive(Debug)]
pub struct Begins {
    /// The version that runs, or that the other falls back on.
    pub stable: Module,
    /// The one on probation.
    pub trial: Option<(Module, Arc<Trial>)>,
}

/// To a controller.
#[derive(Debug)]
pub(super) enum Request {
    /// The file was looked at.
    File(Seen),
    /// Take this in, or say why not.
    Swap(Candidate, Answer),
    /// Go back to the version before.
    RollBack(Answer),
    /// A task begins anew, at the other side of this desk: what is it to run?
    Task(u32, ControlDesk, oneshot::Sender<Begins>),
    /// Look at the file now.
    LookNow,
    /// Something has become of the trial.
    Trial,
    /// The connector stops.
    Stop,
}

pub(super) type Answer = oneshot::Sender<Result<Done, Refused>>;

// === impl SwapHandles ===

impl SwapHandles {
    /// Adds a connector's.
    pub fn insert(&self, connector: &str, handle: SwapHandle) {
        lock(&self.handles).insert(connector.to_owned(), handle);
    }

    /// Forgets a connector's.
    pub fn remove(&self, connector: &str) {
        lock(&self.handles).remove(connector);
    }

    /// That of a connector.
    pub fn get(&self, connector: &str) -> Option<SwapHandle> {
        lock(&self.handles).get(connector).cloned()
    }

    /// Has every connector's file looked at now.
    pub fn look_now(&self) {
        lock(&self.handles).values().for_each(SwapHandle::look_now);
    }
}

// === impl SwapHandle ===

impl SwapHandle {
    /// Takes a candidate through the gates and, unless it is a dry run, switches to it. The answer may take as long as its compilation.
    ///
    /// # Errors
    ///
    /// Which gate refused it, and what to do.
    pub async fn swap(&self, candidate: Candidate) -> Result<Done, Refused> {
        if matches!(candidate.module, CandidateModule::Bytes(_)) {
            self.may_upload()?;
        }
        self.ask(|answer| Request::Swap(candidate, answer)).await
    }

    /// Whether modules may be uploaded.
    ///
    /// # Errors
    ///
    /// If not, what would allow it.
    pub fn may_upload(&self) -> Result<(), Refused> {
        if self.may_upload {
            return Ok(());
        }
        let reason = "uploads are not allowed: set transform.upload.enable=true in the connector and state.dir in the worker, or change \
                      the file that transform.module names";
        Err(Refused::new(Gate::Upload, reason))
    }

    /// Goes back to the version before.
    ///
    /// # Errors
    ///
    /// There is none, or it can't be loaded any more.
    pub async fn roll_back(&self) -> Result<Done, Refused> {
        self.ask(Request::RollBack).await
    }

    /// Has the module's file looked at now.
    pub fn look_now(&self) {
        self.look.store(true, Ordering::Release);
        // Full: it is awake, and looks whether somebody wants that after each request.
        let _ = self.requests.try_send(Request::LookNow);
    }

    /// What runs, what ran.
    pub fn state(&self) -> TransformState {
        lock(&self.shown).state()
    }

    /// A task begins anew, at the other side of `desk`: from now on that gets the orders for it. What it is to begin with; `None` if the
    /// connector is stopping. Waits while a candidate is taken through the gates.
    pub async fn begin_task(&self, task: u32, desk: ControlDesk) -> Option<Begins> {
        let (answer, begins) = oneshot::channel();
        let mut request = Request::Task(task, desk, answer);
        loop {
            request = match self.requests.try_send(request) {
                Ok(()) => return begins.await.ok(),
                Err(TrySendError::Disconnected(_)) => return None,
                Err(TrySendError::Full(request)) => request,
            };
            tokio::time::sleep(BUSY_PAUSE).await;
        }
    }

    async fn ask(&self, request: impl FnOnce(Answer) -> Request) -> Result<Done, Refused> {
        let (answer, answered) = oneshot::channel();
        self.requests.try_send(request(answer)).map_err(|error| match error {
            TrySendError::Full(_) => {
                Refused::new(Gate::Busy, "other modules are being looked at: try again in a while")
            }
            TrySendError::Disconnected(_) => stopping(),
        })?;
        answered.await.unwrap_or_else(|_| Err(stopping()))
    }
}

pub(super) fn stopping() -> Refused {
    Refused::new(Gate::Busy, "the connector is stopping")
}

/// Every holder writes whole values, so a panic of one leaves nothing half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Refused ===

impl Refused {
    pub(super) fn new(gate: Gate, reason: impl Into<String>) -> Self {
        Self { gate, reason: reason.into(), report: None }
    }
}

// === impl Gate ===

impl Gate {
    /// As it stands in answers and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Unknown => "unknown",
            Self::Busy => "busy",
            Self::Quarantine => "quarantine",
            Self::Policy => "policy",
            Self::Load => "load",
            Self::Configure => "configure",
            Self::WarmUp => "warm_up",
            Self::Shadow => "shadow",
            Self::State => "state",
        }
    }
}
