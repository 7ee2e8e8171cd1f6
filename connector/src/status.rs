//! The status board: what every connector and task is doing, for the API, the metrics and whoever waits for it.
//!
//! Tasks write, everybody else reads. Transitions are logged here and only here, once each. `status/state.rs` has the
//! states.

mod connector;
mod state;
#[cfg(test)]
mod tests;
mod times;
mod topics;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

pub use connector::ConnectorState;
pub use state::TaskState;
use times::TaskClock;
pub use times::TaskTimes;
use topics::ActiveTopics;
pub use topics::SeenTopic;

/// Version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Commit this program was built from: the environment variable `SLUICE_COMMIT` at build time.
pub const COMMIT: &str = match option_env!("SLUICE_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// The board. Clones are the same board.
#[derive(Debug, Clone)]
pub struct Board {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    connectors: Mutex<BTreeMap<String, Entry>>,
    started: AtomicBool,
    kafka_cluster_id: OnceLock<String>,
    /// Goes up with every change, so that waiting for a condition needs no polling.
    version: watch::Sender<u64>,
    /// Heartbeats are nanoseconds since this moment.
    epoch: Instant,
}

/// A connector on the board.
#[derive(Debug)]
struct Entry {
    state: ConnectorState,
    place: Arc<Place>,
}

/// What a connector that runs tells. The one that comes in its place gets another.
#[derive(Debug)]
struct Place {
    name: String,
    topics: Arc<ActiveTopics>,
    /// By what they are about.
    warnings: Mutex<BTreeMap<&'static str, String>>,
    memory_bound: OnceLock<u64>,
    slots: Mutex<Vec<Arc<Slot>>>,
}

#[derive(Debug)]
struct Slot {
    connector: String,
    id: u32,
    topics: Arc<ActiveTopics>,
    state: Mutex<TaskState>,
    /// Locked after the state.
    clock: Mutex<TaskClock>,
    /// Nanoseconds since the epoch at the last beat; 0 is none since the task began to start.
    beat_ns: AtomicU64,
}

/// One connector's place on the board.
#[derive(Debug, Clone)]
pub struct ConnectorBoard {
    board: Board,
    place: Arc<Place>,
}

/// One task's place on the board.
#[derive(Debug, Clone)]
pub struct TaskBoard {
    board: Board,
    slot: Arc<Slot>,
}

/// The board at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Every connector, by name.
    pub connectors: Vec<ConnectorStatus>,
    /// Whether the connectors named at the start have all been started; see [`Board::set_started`].
    pub started: bool,
    /// The Kafka cluster's id, once a source was told.
    pub kafka_cluster_id: Option<String>,
}

/// One connector at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorStatus {
    /// The connector's name.
    pub name: String,
    /// What it does as a whole.
    pub state: ConnectorState,
    /// What its operator should know although everything runs, such as that it discards records.
    pub warnings: Vec<String>,
    /// What it takes at the most, in bytes ([`crate::config::ConnectorConfig::memory_bound_bytes`]); `None` before it has started.
    pub memory_bound_bytes: Option<u64>,
    /// Its tasks, by number.
    pub tasks: Vec<TaskStatus>,
}

/// One task at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskStatus {
    /// The task's number within the connector.
    pub id: u32,
    /// What it is doing.
    pub state: TaskState,
    /// Time since its thread last said that it turns; `None` before the first time.
    pub beat_age: Option<Duration>,
    /// How long it was running, and paused.
    pub times: TaskTimes,
}

// === impl Board ===

impl Default for Board {
    fn default() -> Self {
        Self::new()
    }
}

impl Board {
    /// An empty board.
    pub fn new() -> Self {
        let inner = Inner {
            connectors: Mutex::default(),
            started: AtomicBool::new(false),
            kafka_cluster_id: OnceLock::new(),
            version: watch::Sender::new(0),
            epoch: Instant::now(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// A place for a connector and its tasks, all starting. A connector of the same name is replaced, but for its own state: handles on it
    /// no longer show.
    pub fn connector(&self, name: &str, tasks: u32) -> ConnectorBoard {
        let mut connectors = lock(&self.inner.connectors);
        let before = connectors.get(name);
        let state = before.map_or(ConnectorState::Running, |entry| entry.state.clone());
        let topics = before.map_or_else(Arc::default, |entry| Arc::clone(&entry.place.topics));
        let slots = (0..tasks).map(|id| Slot::new(name, id, TaskState::Starting, &topics)).collect();
        let place = Place {
            name: name.to_owned(),
            topics,
            warnings: Mutex::default(),
            memory_bound: OnceLock::new(),
            slots: Mutex::new(slots),
        };
        let place = Arc::new(place);
        connectors.insert(name.to_owned(), Entry { state, place: Arc::clone(&place) });
        drop(connectors);
        self.changed();
        ConnectorBoard { board: self.clone(), place }
    }

    /// Says what a connector as a whole is doing. Nothing if it is not on the board.
    pub fn set_connector(&self, name: &str, state: ConnectorState) {
        if let Some(entry) = lock(&self.inner.connectors).get_mut(name) {
            entry.state = state;
        }
        self.changed();
    }

    /// The topics that records of a connector came from, since its start or since that was reset; none if it is not on the board.
    pub fn topics(&self, name: &str) -> Vec<String> {
        lock(&self.inner.connectors).get(name).map_or_else(Vec::new, |entry| entry.place.topics.names())
    }

    /// Forgets which topics those are. Each is back with its next record.
    pub fn reset_topics(&self, name: &str) {
        if let Some(entry) = lock(&self.inner.connectors).get(name) {
            entry.place.topics.reset();
        }
    }

    /// Takes a connector off the board, as when it is deleted.
    pub fn remove(&self, name: &str) {
        lock(&self.inner.connectors).remove(name);
        self.changed();
    }

    /// Says that every connector named at the start has been started, well or badly. Before that the worker is
    /// neither healthy nor ready.
    pub fn set_started(&self) {
        self.inner.started.store(true, Relaxed);
        self.changed();
    }

    /// Tells the Kafka cluster's id; only the first one counts, as one worker has one cluster.
    pub fn set_kafka_cluster_id(&self, id: &str) {
        if self.inner.kafka_cluster_id.set(id.to_owned()).is_ok() {
            self.changed();
        }
    }

    /// The board now.
    pub fn snapshot(&self) -> Snapshot {
        let now_ns = self.now_ns();
        let connectors = lock(&self.inner.connectors);
        Snapshot {
            connectors: connectors.iter().map(|(name, entry)| entry.status(name, now_ns)).collect(),
            started: self.inner.started.load(Relaxed),
            kafka_cluster_id: self.inner.kafka_cluster_id.get().cloned(),
        }
    }

    /// One connector now.
    pub fn connector_status(&self, name: &str) -> Option<ConnectorStatus> {
        let now_ns = self.now_ns();
        lock(&self.inner.connectors).get(name).map(|entry| entry.status(name, now_ns))
    }

    /// Waits until the board satisfies `condition`, and returns it as it was then. Heartbeats alone don't wake it.
    pub async fn wait_until(&self, mut condition: impl FnMut(&Snapshot) -> bool) -> Snapshot {
        // Subscribed before the first look: a change in between is seen by the next `changed`.
        let mut version = self.inner.version.subscribe();
        loop {
            let snapshot = self.snapshot();
            if condition(&snapshot) {
                return snapshot;
            }
            version.changed().await.expect("the sender lives in the board, which is borrowed here");
        }
    }

    /// Wakes whoever looks at the board, with each change of it; heartbeats are none.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.version.subscribe()
    }

    fn changed(&self) {
        self.inner.version.send_modify(|version| *version += 1);
    }

    fn now_ns(&self) -> u64 {
        // 584 years fit.
        u64::try_from(self.inner.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

// === impl Entry ===

impl Entry {
    fn status(&self, name: &str, now_ns: u64) -> ConnectorStatus {
        ConnectorStatus {
            name: name.to_owned(),
            state: self.state.clone(),
            warnings: lock(&self.place.warnings).values().cloned().collect(),
            memory_bound_bytes: self.place.memory_bound.get().copied(),
            tasks: lock(&self.place.slots).iter().map(|slot| slot.status(now_ns)).collect(),
        }
    }
}

// === impl ConnectorBoard ===

impl ConnectorBoard {
    /// Shows how much memory it takes at the most; its settings say so, once.
    pub fn bound_memory(&self, bytes: u64) {
        let _ = self.place.memory_bound.set(bytes);
    }

    /// Shows what the connector's operator should know although everything runs; replaces what was said about the same thing before.
    pub fn warn(&self, about: &'static str, warning: &str) {
        lock(&self.place.warnings).insert(about, warning.to_owned());
        self.board.changed();
    }

    /// There is nothing more to say about this.
    pub fn clear_warning(&self, about: &'static str) {
        lock(&self.place.warnings).remove(about);
        self.board.changed();
    }

    /// The place of task `id`.
    ///
    /// # Panics
    /// If the connector has no such task.
    pub fn task(&self, id: u32) -> TaskBoard {
        TaskBoard { board: self.board.clone(), slot: Arc::clone(&lock(&self.place.slots)[id as usize]) }
    }

    /// A new place for task `id`, which starts again: what the one before it still says no longer shows.
    ///
    /// # Panics
    /// If the connector has no such task.
    pub fn renew(&self, id: u32) -> TaskBoard {
        let slot = Slot::new(&self.place.name, id, TaskState::Restarting, &self.place.topics);
        lock(&self.place.slots)[id as usize] = Arc::clone(&slot);
        self.board.changed();
        TaskBoard { board: self.board.clone(), slot }
    }
}

// === impl TaskBoard ===

impl TaskBoard {
    /// Sets what the task does now, and logs it if that is another state than before. A task that is over stays so
    /// until it is starting again: a request that comes back late doesn't make a failed task look like a running one.
    pub fn set(&self, state: TaskState) {
        let mut current = lock(&self.slot.state);
        let state = state.continuing(&current);
        if *current == state || (current.is_over() && state != TaskState::Starting) {
            return;
        }
        if state == TaskState::Starting {
            self.slot.beat_ns.store(0, Relaxed);
        }
        let before = std::mem::replace(&mut *current, state.clone());
        self.slot.turn_clock(&before, &state);
        drop(current);
        self.slot.log(&before, &state);
        self.board.changed();
    }

    /// Tells the id of the Kafka cluster that the task talks to; see [`Board::set_kafka_cluster_id`].
    pub fn set_kafka_cluster_id(&self, id: &str) {
        self.board.set_kafka_cluster_id(id);
    }

    /// What the task does now.
    pub fn state(&self) -> TaskState {
        lock(&self.slot.state).clone()
    }

    /// Says that the task's thread turns. Call it in every round of its loop, also when there is nothing to do; it
    /// costs one reading of the clock.
    pub fn beat(&self) {
        self.slot.beat_ns.store(self.board.now_ns().max(1), Relaxed);
    }
}

// === impl Slot ===

impl Slot {
    fn new(connector: &str, id: u32, state: TaskState, topics: &Arc<ActiveTopics>) -> Arc<Self> {
        Arc::new(Self {
            connector: connector.to_owned(),
            id,
            topics: Arc::clone(topics),
            state: Mutex::new(state),
            clock: Mutex::new(TaskClock::new(Instant::now())),
            beat_ns: AtomicU64::new(0),
        })
    }

    fn status(&self, now_ns: u64) -> TaskStatus {
        let beat_ns = self.beat_ns.load(Relaxed);
        let beat_age = (beat_ns != 0).then(|| Duration::from_nanos(now_ns.saturating_sub(beat_ns)));
        let state = lock(&self.state);
        let times = lock(&self.clock).times(state.connect_status(), Instant::now());
        TaskStatus { id: self.id, state: state.clone(), beat_age, times }
    }

    fn turn_clock(&self, before: &TaskState, state: &TaskState) {
        let (mut clock, now) = (lock(&self.clock), Instant::now());
        match state {
            TaskState::Starting => *clock = TaskClock::new(now),
            _ => clock.leave(before.connect_status(), now),
        }
    }

    fn log(&self, before: &TaskState, state: &TaskState) {
        let (connector, task) = (self.connector.as_str(), self.id);
        if before.label() == state.label() {
            tracing::info!(connector, task, state = state.label(), reason = state.reason(), "reason changed");
            return;
        }
        let away_ms = before.since().and_then(|since| since.elapsed().ok()).map(|away| away.as_millis() as u64);
        match state {
            TaskState::Starting => tracing::info!(connector, task, "task starting"),
            TaskState::Restarting => tracing::info!(connector, task, "task restarting"),
            TaskState::Paused => tracing::info!(connector, task, "task paused"),
            TaskState::Running => tracing::info!(connector, task, before = before.label(), away_ms, "task running"),
            TaskState::Retrying { reason, .. } => tracing::warn!(connector, task, reason, "task retrying"),
            TaskState::Held { reason, .. } => {
                tracing::error!(connector, task, reason, "task held: somebody has to act")
            }
            TaskState::Failed { trace } => tracing::error!(connector, task, trace, "task failed"),
            TaskState::Stopped => tracing::info!(connector, task, "task stopped"),
        }
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// Every task with its connector's name.
    pub fn tasks(&self) -> impl Iterator<Item = (&str, &TaskStatus)> {
        self.connectors.iter().flat_map(|connector| connector.tasks.iter().map(|task| (connector.name.as_str(), task)))
    }

    /// Whether there are tasks and each of them satisfies `condition`.
    pub fn all_tasks(&self, condition: impl Fn(&TaskState) -> bool) -> bool {
        self.tasks().next().is_some() && self.tasks().all(|(_, task)| condition(&task.state))
    }
}

// === impl ConnectorStatus ===

impl ConnectorStatus {
    /// The connector's state in Connect's words: a connector stays running when its tasks fail.
    pub fn connect_status(&self) -> &'static str {
        self.state.connect_status()
    }
}

/// Locks; every holder writes whole values, so a panic of one leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
