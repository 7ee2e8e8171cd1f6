//! One connector: its tasks, each a thread with a consumer of the same group.

mod task;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::runtime::Handle;

use crate::config::{ConnectorConfig, DISCARDS, RestartConfig, WorkerConfig};
use crate::metrics::Metrics;
use crate::services::Services;
use crate::sink::influx::{InfluxClient, InfluxError};
use crate::status::{Board, ConnectorBoard, TaskBoard, TaskState};
use crate::stop::{Pause, Stop};
use crate::swap::controller::Controller;
use crate::swap::desk::{self, TaskDesk};
use crate::swap::gates::Gates;
use crate::swap::policy::PolicyError;
use crate::swap::service::{Begins, SwapHandle};
use crate::swap::shelf::Shelf;
use crate::swap::start::{self, First, StartError};
use crate::swap::store::Store;
use crate::transform::engine::Module;
use task::{Parts, Task};

/// How often the end of a task is looked for while it is waited for.
pub(crate) const STOP_POLL: Duration = Duration::from_millis(20);

/// Why a connector can't be started: the configuration has to be changed.
#[derive(Debug, Error)]
pub enum PrepareError {
    /// There is no module to begin with: it can't be loaded, may not run, or refuses its settings.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The program can't start its compiler.
    #[error("could not find out where this program is, to compile modules in a process of its own")]
    Compiler(#[source] io::Error),
    /// The rules about which modules may run can't be kept.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The client for InfluxDB can't be made.
    #[error(transparent)]
    Influx(#[from] InfluxError),
}

/// A connector that is known to start: module loaded, settings accepted.
#[derive(Debug)]
pub struct Prepared {
    gates: Gates,
    first: First,
}

/// A running connector.
#[derive(Debug)]
pub struct Connector {
    blueprint: Arc<Blueprint>,
    tasks: Vec<Task>,
    /// Threads that did not end when their tasks were restarted. Kafka has given their partitions to others, so that they commit nothing.
    left_behind: Vec<Task>,
    swap: Controller,
}

/// What every task of a connector is made of.
#[derive(Debug)]
struct Blueprint {
    worker: Arc<WorkerConfig>,
    gates: Gates,
    runtime: Handle,
    metrics: Arc<Metrics>,
    board: ConnectorBoard,
    pause: Pause,
}

// === impl Prepared ===

impl Prepared {
    /// Loads the version that is to run and tries it with the connector's settings. Reads files, asks no server.
    ///
    /// # Errors
    ///
    /// If there is no module to begin with, it refuses its settings, or a file of the TLS settings can't be read.
    pub fn new(services: &Services, config: ConnectorConfig) -> Result<Self, PrepareError> {
        Self::until(services, config, Stop::default())
    }

    /// The same, broken off with an error once `stop` is set, which also stops the controller of the connector's transform.
    ///
    /// # Errors
    ///
    /// As [`Prepared::new`].
    pub fn until(services: &Services, config: ConnectorConfig, stop: Stop) -> Result<Self, PrepareError> {
        InfluxClient::new(&config.influx, &config.name)?;
        let swap = &config.transform.swap;
        let gates = Gates {
            loader: services.loader(swap.compile).map_err(PrepareError::Compiler)?.until(stop.clone()),
            stop,
            policy: services.policy(&swap.policy)?,
            metrics: services.metrics().swaps(&config.name),
            config: Arc::new(config),
        };
        let store = services.state_dir().map(|dir| Store::open(dir, &gates.config.name)).transpose();
        let first = start::first(&gates, Shelf::new(store.map_err(StartError::Store)?))?;
        Ok(Self { gates, first })
    }

    /// The connector's settings.
    pub fn config(&self) -> &ConnectorConfig {
        &self.gates.config
    }

    /// The module that is to run.
    pub fn module(&self) -> &Module {
        self.first.trial.as_ref().unwrap_or(&self.first.stable)
    }
}

// === impl Connector ===

impl Connector {
    /// Starts the tasks, and the controller of their transform. How they fare is on `board`. With `pause` they take no records until
    /// [`Connector::set_paused`].
    ///
    /// # Errors
    ///
    /// If the client for InfluxDB can't be made, or there can't be an instance for each task.
    ///
    /// # Panics
    ///
    /// If the system refuses a thread.
    pub fn start(
        prepared: Prepared,
        worker: &Arc<WorkerConfig>,
        runtime: &Handle,
        metrics: &Arc<Metrics>,
        board: &Board,
        paused: bool,
    ) -> Result<Self, PrepareError> {
        let Prepared { gates, first } = prepared;
        let tasks_max = gates.config.tasks_max.get();
        let blueprint = Arc::new(Blueprint {
            worker: Arc::clone(worker),
            runtime: runtime.clone(),
            metrics: Arc::clone(metrics),
            board: board.connector(&gates.config.name, tasks_max),
            pause: Pause::default(),
            gates,
        });
        blueprint.pause.set(paused);
        blueprint.board.bound_memory(blueprint.config().memory_bound_bytes(worker));
        if blueprint.config().errors.discards() {
            blueprint.board.warn("errors", DISCARDS);
        }
        let desks: Vec<_> = (0..tasks_max).map(|_| desk::desk()).collect();
        let (stable, trial) = (first.stable.clone(), first.trial.clone());
        let controls = desks.iter().map(|(_, control)| control.clone()).collect();
        let swap = Controller::start(blueprint.gates.clone(), first, controls, blueprint.board.clone());
        let begins = Begins { stable, trial: trial.zip(swap.first_trial().cloned()) };
        let mut tasks = Vec::new();
        for (task, (desk, _)) in (0..).zip(desks) {
            tasks.push(blueprint.task(task, &begins, desk, blueprint.board.task(task))?);
        }
        Ok(Self { blueprint, tasks, left_behind: Vec::new(), swap })
    }

    /// Says whether the tasks are to take no records; what is under way is finished and committed, and they stay in their group.
    pub fn set_paused(&self, paused: bool) {
        self.blueprint.pause.set(paused);
        self.tasks.iter().for_each(Task::wake);
    }

    /// Ends a task and starts it anew, with the version of the transform that the others run. The others go on. Does nothing if the connector
    /// is stopping.
    ///
    /// # Errors
    ///
    /// If the client for InfluxDB can't be made, or an instance of the transform.
    pub async fn restart_task(&mut self, id: u32) -> Result<(), PrepareError> {
        let Some(task) = self.tasks.get(id as usize) else { return Ok(()) };
        let board = self.blueprint.board.renew(id);
        task.stop();
        let deadline = Instant::now() + self.blueprint.worker.stop_time();
        while !task.is_over() && Instant::now() < deadline {
            tokio::time::sleep(STOP_POLL).await;
        }
        let (desk, control) = desk::desk();
        let Some(begins) = self.swap.handle().begin_task(id, control).await else { return Ok(()) };
        board.set(TaskState::Starting);
        // Off the async threads: the transform's `configure` takes as long as it likes, up to its limit.
        let (blueprint, place) = (Arc::clone(&self.blueprint), board.clone());
        let made = tokio::task::spawn_blocking(move || blueprint.task(id, &begins, desk, place)).await;
        let made = made.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        let new = made.inspect_err(|error| board.set(TaskState::failed(crate::trace(error))))?;
        let old = std::mem::replace(&mut self.tasks[id as usize], new);
        if !old.is_over() {
            tracing::warn!(
                task = old.name(),
                "a task did not end in time, and is left behind; what it had not committed is read again"
            );
            self.left_behind.push(old);
        }
        self.left_behind.retain(|task| !task.is_over());
        Ok(())
    }

    /// For whoever wants to change or see the transform.
    pub fn swap(&self) -> &SwapHandle {
        self.swap.handle()
    }

    /// When its failed tasks start again by themselves.
    pub fn restart_config(&self) -> Option<RestartConfig> {
        self.blueprint.config().errors.restart
    }

    /// Whether a task has failed for a reason that may be gone when it is started again.
    pub fn is_mendable(&self, id: u32) -> bool {
        self.tasks.get(id as usize).is_some_and(Task::is_mendable)
    }

    /// Tells every task to stop; each finishes what is under way.
    pub fn stop(&self) {
        self.tasks.iter().for_each(Task::stop);
        self.swap.stop();
    }

    /// What has not ended, by name: the tasks, and the controller of their transform, which notes how far a candidate has come.
    pub fn pending(&self) -> Vec<&str> {
        let tasks = self.tasks.iter().chain(&self.left_behind).filter(|task| !task.is_over()).map(Task::name);
        tasks.chain((!self.swap.is_over()).then(|| self.swap.name())).collect()
    }
}

// === impl Blueprint ===

impl Blueprint {
    fn config(&self) -> &Arc<ConnectorConfig> {
        &self.gates.config
    }

    /// One task, which begins at once.
    fn task(&self, id: u32, begins: &Begins, desk: TaskDesk, board: TaskBoard) -> Result<Task, PrepareError> {
        let config = self.config();
        let instance = |module: &Module| self.gates.instance(module).map_err(StartError::Refused);
        let trial = begins.trial.as_ref();
        Ok(Task::spawn(Parts {
            worker: Arc::clone(&self.worker),
            config: Arc::clone(config),
            stable: instance(&begins.stable)?,
            trial: trial
                .map(|(module, trial)| Ok::<_, StartError>((instance(module)?, Arc::clone(trial))))
                .transpose()?,
            desk,
            client: InfluxClient::new(&config.influx, &config.name)?,
            runtime: self.runtime.clone(),
            metrics: self.metrics.task(&config.name, id),
            board,
            pause: self.pause.clone(),
            task: id,
        }))
    }
}
