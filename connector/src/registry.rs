//! The connectors of a worker: any number, each looked after by a keeper of its own, so that none waits for another.
//!
//! What somebody wants of a connector is its [`Record`]; it is saved before it counts, and shown from then on (read-your-writes). The keeper
//! brings the running connector there, in its own time: a request never waits for a module to be compiled, a broker or a sink.
//!
//! - what a connector is meant to be: `registry/record.rs`; on the disk: `registry/store.rs`
//! - bringing it there: `registry/keeper.rs`
//! - changes, one at a time, each on the disk before it counts: `registry/change.rs`
//! - restarts: what is to be restarted, and what is answered: `registry/restart.rs`

mod change;
mod error;
mod keeper;
mod policy;
mod record;
mod restart;
mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::WorkerConfig;
use crate::connector::Prepared;
use crate::services::Services;
use crate::stage;
use crate::status::{Board, ConnectorState, ConnectorStatus};
use crate::swap::service::SwapHandles;
pub use change::Changed;
use change::{on_disk, tasks_of};
pub use error::RegistryError;
use keeper::{Desired, End, Keeper};
pub use record::{Origin, Record, Target};
pub use restart::{Restart, RestartPlan};
pub use store::{ConnectorStore, StoreError};

/// The connectors. Clones are the same.
#[derive(Debug, Clone)]
pub struct Registry {
    shared: Arc<Shared>,
}

/// What every connector and its keeper need.
#[derive(Debug)]
struct Shared {
    worker: Arc<WorkerConfig>,
    services: Services,
    runtime: Handle,
    board: Board,
    swaps: SwapHandles,
    store: Option<ConnectorStore>,
    /// Whether connectors that come from files may be changed (`--adopt`).
    adopt: bool,
    entries: Mutex<BTreeMap<String, Entry>>,
    /// Keepers of connectors that were deleted and are still on their way out: one of the same name waits for them.
    leaving: Mutex<BTreeMap<String, JoinHandle<bool>>>,
    /// Whether one of those that are forgotten has left tasks behind that did not end in time.
    has_left_late: Arc<AtomicBool>,
    /// Changes are made one at a time, in the order in which they reach the disk; none once it says that the worker stops.
    changes: tokio::sync::Mutex<bool>,
}

/// One connector.
#[derive(Debug)]
struct Entry {
    record: Arc<Record>,
    desired: watch::Sender<Desired>,
    keeper: JoinHandle<bool>,
}

// === impl Registry ===

impl Registry {
    /// No connectors yet. `store` is where they are kept; `adopt` whether those of files may be changed.
    pub fn new(
        worker: Arc<WorkerConfig>,
        services: Services,
        board: Board,
        store: Option<ConnectorStore>,
        adopt: bool,
    ) -> Self {
        let shared = Shared {
            worker,
            services,
            runtime: Handle::current(),
            board,
            swaps: SwapHandles::default(),
            store,
            adopt,
            entries: Mutex::default(),
            leaving: Mutex::default(),
            has_left_late: Arc::default(),
            changes: tokio::sync::Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Starts a connector of the command line, which is known to start; its target is that of `kept`, if there is one.
    ///
    /// # Errors
    ///
    /// If it can't be kept.
    pub fn start_file(&self, prepared: Prepared, kept: Option<&Record>) -> Result<(), RegistryError> {
        let config = prepared.config();
        let record = Record {
            name: config.name.clone(),
            origin: if self.shared.adopt { Origin::Rest } else { Origin::File },
            target: kept.map_or(Target::Running, |kept| kept.target),
            tasks: tasks_of(kept.map_or(Target::Running, |kept| kept.target), kept, config),
            config: config.raw.clone(),
        };
        self.shared.save(&record)?;
        self.add(record, Some(prepared), false);
        Ok(())
    }

    /// Starts a connector that was kept. Should its settings be wrong by now, it is failed, and the others run.
    pub fn start_kept(&self, record: Record) {
        self.add(record, None, false);
    }

    /// Keeps nothing of a connector any more that is not started.
    ///
    /// # Errors
    ///
    /// If its file can't be removed.
    pub fn forget(&self, name: &str) -> Result<(), RegistryError> {
        Ok(self.shared.store.as_ref().map_or(Ok(()), |store| store.remove(name))?)
    }

    /// Every connector, by name.
    pub fn all(&self) -> Vec<Arc<Record>> {
        self.shared.entries().values().map(|entry| Arc::clone(&entry.record)).collect()
    }

    /// One connector.
    ///
    /// # Errors
    ///
    /// There is none of this name.
    pub fn get(&self, name: &str) -> Result<Arc<Record>, RegistryError> {
        let found = self.shared.entries().get(name).map(|entry| Arc::clone(&entry.record));
        found.ok_or_else(|| RegistryError::Unknown(name.to_owned()))
    }

    /// How many tasks a connector has: none where it could not be started.
    pub fn tasks(&self, record: &Record) -> u32 {
        let status = self.shared.board.connector_status(&record.name);
        let has_failed = status.is_some_and(|status| matches!(status.state, ConnectorState::Failed { .. }));
        if has_failed { 0 } else { record.tasks }
    }

    /// How one connector fares.
    ///
    /// # Errors
    ///
    /// There is none of this name.
    pub fn status(&self, name: &str) -> Result<ConnectorStatus, RegistryError> {
        self.get(name)?;
        self.shared.board.connector_status(name).ok_or_else(|| RegistryError::Unknown(name.to_owned()))
    }

    /// For whoever wants to see or change a running transform.
    pub fn swaps(&self) -> &SwapHandles {
        &self.shared.swaps
    }

    /// How all of them fare.
    pub fn board(&self) -> &Board {
        &self.shared.board
    }

    /// What all of them share.
    pub fn services(&self) -> &Services {
        &self.shared.services
    }

    /// The worker's settings.
    pub fn worker(&self) -> &Arc<WorkerConfig> {
        &self.shared.worker
    }

    /// Stops all of them at the same time, for good. Gives back whether every one ended in time.
    pub async fn stop(&self) -> bool {
        // Whoever is changing something has done so; nobody changes anything afterwards.
        let mut stops = self.shared.changes.lock().await;
        *stops = true;
        let entries = std::mem::take(&mut *self.shared.entries());
        entries.values().for_each(|entry| entry.desired.send_modify(|desired| desired.end = Some(End::Stopped)));
        let leaving = std::mem::take(&mut *self.shared.leaving());
        let mut in_time = !self.shared.has_left_late.load(Relaxed);
        for keeper in entries.into_values().map(|entry| entry.keeper).chain(leaving.into_values()) {
            // A keeper that panicked has left its connector behind.
            in_time &= keeper.await.unwrap_or(false);
        }
        in_time
    }

    fn add(&self, record: Record, prepared: Option<Prepared>, is_new: bool) -> Arc<Record> {
        let record = Arc::new(record);
        let (desired, wanted) = watch::channel(Desired::new(Arc::clone(&record)));
        let state = match record.target {
            Target::Stopped => ConnectorState::Stopped,
            Target::Paused if record.tasks == 0 => ConnectorState::Paused,
            _ => ConnectorState::Unassigned,
        };
        let before = self.shared.leaving().remove(&record.name);
        // Held, so that an earlier connector of this name does not take this one off the board.
        let mut entries = self.shared.entries();
        self.shared.board.connector(&record.name, record.tasks);
        self.shared.board.set_connector(&record.name, state);
        let keeper = Keeper::new(Arc::clone(&self.shared), wanted, is_new);
        let keeper = self.shared.runtime.spawn(keeper.run(before, prepared));
        entries.insert(record.name.clone(), Entry { record: Arc::clone(&record), desired, keeper });
        record
    }
}

// === impl Shared ===

impl Shared {
    fn save(&self, record: &Record) -> Result<(), StoreError> {
        self.store.as_ref().map_or(Ok(()), |store| store.save(record))
    }

    async fn save_later(self: &Arc<Self>, record: &Record) -> Result<(), RegistryError> {
        let (shared, record) = (Arc::clone(self), record.clone());
        on_disk(move || shared.save(&record)).await
    }

    /// Waits for its turn to change something.
    async fn change(&self) -> Result<tokio::sync::MutexGuard<'_, bool>, RegistryError> {
        stage::enter("making another change, which this one waits for");
        let stops = self.changes.lock().await;
        if *stops { Err(RegistryError::Stopping) } else { Ok(stops) }
    }

    /// A start that was under way when the connector was deleted may have put it on the board again.
    fn clear_board(&self, name: &str) {
        let entries = self.entries();
        if !entries.contains_key(name) {
            self.board.remove(name);
        }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers the keeper of a connector that was deleted, until it has come to its end, and forgets those that have.
    fn leave(&self, name: &str, keeper: JoinHandle<bool>) {
        let late = Arc::clone(&self.has_left_late);
        let keeper = self.runtime.spawn(async move {
            let in_time = keeper.await.unwrap_or(false);
            late.fetch_or(!in_time, Relaxed);
            in_time
        });
        let mut leaving = self.leaving();
        leaving.retain(|_, keeper| !keeper.is_finished());
        leaving.insert(name.to_owned(), keeper);
    }

    fn leaving(&self) -> MutexGuard<'_, BTreeMap<String, JoinHandle<bool>>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
