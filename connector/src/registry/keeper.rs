//! Brings one connector to where somebody wants it, and keeps it there until it is deleted or the worker stops.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Shared;
use super::policy::RestartPolicy;
use super::record::{Record, Target};
use super::restart::Restarts;
use crate::config::{Checked, ConnectorConfig};
use crate::connector::{Connector, Prepared, STOP_POLL};
use crate::status::{Board, ConnectorState, TaskState};
use crate::stop::Stop;
use crate::swap::store::Store;
use crate::validate;

/// How often what is pending is told while stopping.
const STOP_REPORT: Duration = Duration::from_secs(2);

/// What a connector is to be. The newest one counts: whoever was too slow for the ones before has missed nothing.
#[derive(Debug, Clone)]
pub(super) struct Desired {
    pub(super) record: Arc<Record>,
    pub(super) restarts: Restarts,
    pub(super) end: Option<End>,
}

/// Why a connector ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing of it is kept.
    Deleted,
    /// It goes on with the next start of the worker.
    Stopped,
}

/// Whoever looks after one connector.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    name: String,
    wanted: watch::Receiver<Desired>,
    /// What is carried out.
    done: Desired,
    running: Option<Connector>,
    /// Whether it has failed to start with these settings: it is tried again when somebody asks for it.
    has_failed: bool,
    /// Whether everything that was stopped has ended in time.
    in_time: bool,
    /// Whether it was made just now: what is left of an earlier connector of its name is not its own.
    is_new: bool,
}

// === impl Desired ===

impl Desired {
    pub(super) fn new(record: Arc<Record>) -> Self {
        Self { record, restarts: Restarts::default(), end: None }
    }

    fn has_tasks(&self) -> bool {
        self.end.is_none() && self.record.tasks > 0
    }

    /// Whether a connector that was made for `other` is the one that is wanted.
    fn is_made_like(&self, other: &Self) -> bool {
        self.record.config == other.record.config
    }
}

// === impl Keeper ===

impl Keeper {
    pub(super) fn new(shared: Arc<Shared>, wanted: watch::Receiver<Desired>, is_new: bool) -> Self {
        let done = wanted.borrow().clone();
        let name = done.record.name.clone();
        Self { shared, name, wanted, done, running: None, has_failed: false, in_time: true, is_new }
    }

    /// Works until the connector's end, and gives back whether its tasks ended in time. `before`: the keeper of a connector of the same name
    /// that is on its way out. `prepared`: what it begins with, if that is known already.
    pub(super) async fn run(mut self, before: Option<JoinHandle<bool>>, mut prepared: Option<Prepared>) -> bool {
        if let Some(before) = before {
            // It ends by itself, within the time of a stop.
            let _ = before.await;
        }
        if self.is_new {
            // A worker that was killed in the middle of a deletion has left it.
            self.forget().await;
        }
        loop {
            let desired = self.wanted.borrow_and_update().clone();
            self.bring_to(desired, prepared.take()).await;
            if self.done.end.is_some() || !self.watch().await {
                break;
            }
        }
        if self.done.end == Some(End::Deleted) {
            self.forget().await;
            self.shared.clear_board(&self.name);
        }
        self.in_time
    }

    /// Waits until something else is wanted; starts tasks again meanwhile. Gives back whether there is still somebody who may want something.
    async fn watch(&mut self) -> bool {
        let Some(config) = self.running.as_ref().and_then(Connector::restart_config) else {
            return self.wanted.changed().await.is_ok();
        };
        let mut policy = RestartPolicy::new(config);
        let mut board = self.shared.board.changes();
        loop {
            let now = Instant::now();
            for (task, pause) in policy.note(&self.mendable(), now) {
                let pause_ms = pause.as_millis() as u64;
                tracing::info!(connector = self.name, task, pause_ms, "failed task starts again after a pause");
            }
            let due = policy.take_due(now);
            self.restart_tasks(due).await;
            let next = policy.next();
            let pause = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = self.wanted.changed() => return changed.is_ok(),
                // The board lives as long as the keeper.
                _ = board.changed() => {}
                () = pause => {}
            }
        }
    }

    /// The tasks that have failed for a reason that may be gone when they start again.
    fn mendable(&self) -> Vec<u32> {
        let (Some(running), Some(status)) = (&self.running, self.shared.board.connector_status(&self.name)) else {
            return Vec::new();
        };
        let failed = status.tasks.iter().filter(|task| matches!(task.state, TaskState::Failed { .. }));
        failed.map(|task| task.id).filter(|&task| running.is_mendable(task)).collect()
    }

    async fn bring_to(&mut self, desired: Desired, prepared: Option<Prepared>) {
        let same = desired.is_made_like(&self.done);
        let again = desired.restarts.connector != self.done.restarts.connector;
        let tasks = desired.restarts.tasks_since(&self.done.restarts);
        self.has_failed &= same && !again && desired.has_tasks();
        self.done = desired;
        if !self.done.has_tasks() || !same {
            if self.done.has_tasks() && self.running.is_some() {
                // The tasks that end one after the other are not those that somebody asks after.
                self.show_start(again);
            }
            self.halt().await;
        }
        if self.done.has_tasks() && !self.has_failed {
            match self.running.is_some() {
                true => self.restart_tasks(tasks).await,
                false => {
                    self.show_start(again);
                    self.start(prepared).await;
                }
            }
        }
        self.show();
    }

    /// Shows that it starts: compiling a module takes its time, and whoever looks meanwhile should not find the state from before.
    fn show_start(&self, again: bool) {
        let state = if again { ConnectorState::Restarting } else { ConnectorState::Unassigned };
        self.on_board(|board| {
            board.connector(&self.name, self.done.record.tasks);
            board.set_connector(&self.name, state);
        });
    }

    /// Writes to the board, unless the connector was deleted: it is off the board then, or another of its name is on it.
    fn on_board(&self, write: impl FnOnce(&Board)) {
        // Whoever deletes it waits for the end of this borrow before he takes it off the board.
        let wanted = self.wanted.borrow();
        if wanted.end != Some(End::Deleted) {
            write(&self.shared.board);
        }
    }

    /// Shows what has come of it.
    fn show(&self) {
        let state = match (self.done.record.target, &self.running) {
            _ if self.done.end.is_some() => return,
            (Target::Stopped, _) => ConnectorState::Stopped,
            // How, is shown already.
            _ if self.has_failed => return,
            (Target::Paused, running) => {
                if let Some(running) = running {
                    running.set_paused(true);
                }
                ConnectorState::Paused
            }
            (Target::Running, Some(running)) => {
                running.set_paused(false);
                ConnectorState::Running
            }
            // Somebody wants something else already.
            (Target::Running, None) => ConnectorState::Unassigned,
        };
        let tasks = if state == ConnectorState::Unassigned { self.done.record.tasks } else { 0 };
        self.on_board(|board| {
            if self.running.is_none() {
                board.connector(&self.name, tasks);
            }
            board.set_connector(&self.name, state);
        });
    }

    /// Starts the connector. What takes long is broken off as soon as somebody wants something else.
    async fn start(&mut self, prepared: Option<Prepared>) {
        let (shared, record, stop) = (Arc::clone(&self.shared), Arc::clone(&self.done.record), Stop::default());
        let halt = stop.clone();
        let mut starting = tokio::task::spawn_blocking(move || start(&shared, &record, prepared, halt));
        let started = tokio::select! {
            started = &mut starting => started,
            () = self.until_outdated() => {
                stop.set();
                starting.await
            }
        };
        match started {
            // Its transform's controller was told to stop with it: it would be half a connector, should somebody want it again by now.
            Ok(Ok(connector)) if stop.is_set() => {
                self.running = Some(connector);
                self.halt().await;
            }
            Ok(Ok(connector)) => {
                self.shared.services.metrics().worker().connector_start(true);
                self.shared.swaps.insert(&self.name, connector.swap().clone());
                self.running = Some(connector);
            }
            // It was broken off: nobody's fault.
            Ok(Err(_)) if stop.is_set() => {}
            Ok(Err(trace)) => self.failed(trace),
            Err(panic) => self.failed(format!("panic, a bug of Sluice: {panic}")),
        }
    }

    /// Whether what is being carried out is not what is wanted any more.
    fn is_outdated(&self) -> bool {
        let wanted = self.wanted.borrow();
        !wanted.has_tasks() || !wanted.is_made_like(&self.done)
    }

    fn failed(&mut self, trace: String) {
        tracing::error!(connector = self.name, trace, "connector failed to start");
        self.has_failed = true;
        self.shared.services.metrics().worker().connector_start(false);
        self.on_board(|board| {
            board.connector(&self.name, 0);
            board.set_connector(&self.name, ConnectorState::Failed { trace });
        });
    }

    /// Restarts these tasks, one after the other: each finishes what is under way first. Broken off when something else is wanted that ends
    /// them all.
    async fn restart_tasks(&mut self, tasks: Vec<u32>) {
        for task in tasks {
            let Some(mut running) = self.running.take() else { return };
            tokio::select! {
                restarted = running.restart_task(task) => {
                    if let Err(error) = restarted {
                        tracing::error!(connector = self.name, task, error = crate::trace(&error), "task could not be restarted");
                    }
                }
                () = self.until_outdated() => {}
            }
            self.running = Some(running);
        }
    }

    /// Waits until what is being carried out is not what is wanted any more.
    async fn until_outdated(&mut self) {
        while self.wanted.changed().await.is_ok() {
            // Looked at again when this is over.
            self.wanted.mark_changed();
            if self.is_outdated() {
                return;
            }
            tokio::time::sleep(STOP_POLL).await;
        }
    }

    /// Stops what runs, and waits for its end, but no longer than it may take.
    async fn halt(&mut self) {
        let Some(running) = self.running.take() else { return };
        self.shared.swaps.remove(&self.name);
        running.stop();
        let deadline = Instant::now() + self.shared.worker.stop_time();
        let mut report = Instant::now() + STOP_REPORT;
        while !running.pending().is_empty() && Instant::now() < deadline {
            if Instant::now() >= report {
                report += STOP_REPORT;
                tracing::info!(connector = self.name, waiting_for = running.pending().join(" "), "stopping");
            }
            tokio::time::sleep(STOP_POLL).await;
        }
        let pending = running.pending();
        if !pending.is_empty() {
            self.in_time = false;
            tracing::warn!(
                connector = self.name,
                pending = pending.join(" "),
                "these did not stop in time; records that a task has not committed will be read again"
            );
        }
    }

    /// The connector was deleted: neither its modules nor what ran are of use to anybody.
    async fn forget(&self) {
        let Some(dir) = self.shared.services.state_dir().map(ToOwned::to_owned) else { return };
        let name = self.name.clone();
        let forgotten = tokio::task::spawn_blocking(move || Store::forget(&dir, &name)).await;
        if let Ok(Err(error)) = forgotten {
            tracing::warn!(
                connector = self.name,
                error = crate::trace(&error),
                "could not remove the modules of a deleted connector"
            );
        }
    }
}

/// From settings to tasks that run. Takes as long as reading files and compiling a module do.
fn start(shared: &Shared, record: &Record, prepared: Option<Prepared>, stop: Stop) -> Result<Connector, String> {
    let prepared = match prepared {
        Some(prepared) => prepared,
        None => {
            let Checked { mut config, warnings } = ConnectorConfig::check_with(&record.config, &shared.worker.rules)
                .map_err(|problems| problems.to_string())?;
            for warning in &warnings {
                tracing::warn!(connector = config.name, setting = %warning, "connector setting");
            }
            config.transform.module = validate::locate(config.transform.module, &shared.worker.plugin_path);
            Prepared::until(&shared.services, config, stop).map_err(|error| crate::trace(&error))?
        }
    };
    let module = prepared.module();
    tracing::info!(connector = record.name, module = module.name(), digest = module.digest(), "starting connector");
    let paused = record.target == Target::Paused;
    Connector::start(prepared, &shared.worker, &shared.runtime, shared.services.metrics(), &shared.board, paused)
        .map_err(|error| crate::trace(&error))
}
