//! One connector: its tasks, each a thread with a consumer of the same group.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use thiserror::Error;
use tokio::runtime::Handle;

use crate::config::{ConnectorConfig, DISCARDS, WorkerConfig};
use crate::metrics::{Metrics, TaskMetrics};
use crate::pipeline::{Pipeline, TaskVersions};
use crate::services::Services;
use crate::sink::influx::{InfluxClient, InfluxError};
use crate::sink::lane::Lane;
use crate::sink::renew::Renewable;
use crate::status::{Board, TaskBoard, TaskState};
use crate::stop::Stop;
use crate::swap::controller::Controller;
use crate::swap::desk::{self, TaskDesk};
use crate::swap::gates::Gates;
use crate::swap::policy::PolicyError;
use crate::swap::service::SwapHandle;
use crate::swap::shelf::Shelf;
use crate::swap::start::{self, First, StartError};
use crate::swap::store::Store;
use crate::swap::trial::Trial;
use crate::telemetry::TaskSpan;
use crate::transform::Transform;
use crate::transform::engine::Module;

/// Stack of a task's thread: the guest's part, which wasmtime bounds, and plenty for everything around it.
const TASK_STACK_BYTES: usize = 4 * 1024 * 1024;

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
    tasks: Vec<Task>,
    swap: Controller,
}

#[derive(Debug)]
struct Task {
    name: String,
    stop: Stop,
    thread: JoinHandle<()>,
}

/// What a task is made of, on its way to its thread.
struct Parts {
    worker: Arc<WorkerConfig>,
    config: Arc<ConnectorConfig>,
    stable: Transform,
    trial: Option<(Transform, Arc<Trial>)>,
    desk: TaskDesk,
    client: InfluxClient,
    runtime: Handle,
    metrics: TaskMetrics,
    board: TaskBoard,
    stop: Stop,
    task: u32,
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
    /// Starts the tasks, and the controller of their transform. How they fare is on `board`.
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
        metrics: &Metrics,
        board: &Board,
        _paused: bool,
    ) -> Result<Self, PrepareError> {
        let Prepared { gates, first } = prepared;
        let config = Arc::clone(&gates.config);
        let connector = board.connector(&config.name, config.tasks_max.get());
        if config.errors.discards() {
            connector.warn("errors", DISCARDS);
        }
        let desks: Vec<_> = (0..config.tasks_max.get()).map(|_| desk::desk()).collect();
        let (stable, trial) = (first.stable.clone(), first.trial.clone());
        let controls = desks.iter().map(|(_, control)| control.clone()).collect();
        let swap = Controller::start(gates.clone(), first, controls, connector.clone());
        let instance = |module: &Module| gates.instance(module).map_err(StartError::Refused);
        let mut tasks = Vec::new();
        for (task, (desk, _)) in (0..).zip(desks) {
            let trial = trial.as_ref().zip(swap.first_trial());
            let parts = Parts {
                worker: Arc::clone(worker),
                config: Arc::clone(&config),
                stable: instance(&stable)?,
                trial: trial
                    .map(|(module, trial)| Ok::<_, StartError>((instance(module)?, Arc::clone(trial))))
                    .transpose()?,
                desk,
                client: InfluxClient::new(&config.influx, &config.name)?,
                runtime: runtime.clone(),
                metrics: metrics.task(&config.name, task),
                board: connector.task(task),
                stop: Stop::default(),
                task,
            };
            tasks.push(Task::spawn(parts));
        }
        Ok(Self { tasks, swap })
    }

    /// Pauses or resumes every task.
    pub fn set_paused(&self, _paused: bool) {}

    /// For whoever wants to change or see the transform.
    pub fn swap(&self) -> &SwapHandle {
        self.swap.handle()
    }

    /// Tells every task to stop; each finishes what is under way.
    pub fn stop(&self) {
        self.tasks.iter().for_each(|task| task.stop.set());
        self.swap.stop();
    }

    /// What has not ended, by name: the tasks, and the controller of their transform, which notes how far a candidate has come.
    pub fn pending(&self) -> Vec<&str> {
        let tasks = self.tasks.iter().filter(|task| !task.thread.is_finished()).map(|task| task.name.as_str());
        tasks.chain((!self.swap.is_over()).then(|| self.swap.name())).collect()
    }
}

// === impl Task ===

impl Task {
    fn spawn(parts: Parts) -> Self {
        let name = format!("{}-{}", parts.config.name, parts.task);
        let stop = parts.stop.clone();
        let run = move || {
            parts.stop.wakes(thread::current());
            let board = parts.board.clone();
            // A panic is a bug of ours; it fails this task and leaves the others alone.
            let state = match catch_unwind(AssertUnwindSafe(|| parts.run())) {
                Ok(Ok(())) => TaskState::Stopped,
                Ok(Err(error)) => TaskState::Failed { trace: error },
                Err(panic) => TaskState::Failed { trace: format!("panic, a bug of Sluice: {}", panic_text(&*panic)) },
            };
            board.set(state);
        };
        let thread = thread::Builder::new()
            .name(name.chars().take(15).collect())
            .stack_size(TASK_STACK_BYTES)
            .spawn(run)
            .expect("the system gives a thread");
        Self { name, stop, thread }
    }
}

// === impl Parts ===

impl Parts {
    fn run(self) -> Result<(), String> {
        let Self { worker, config, stable, trial, desk, client, runtime, metrics, board, stop, task } = self;
        let span = TaskSpan::new(&config.name, task);
        let versions = TaskVersions { stable, trial, desk, span };
        let lane = Lane::new(
            Renewable::new(client, Arc::clone(&config)),
            (config.influx.version, config.batch.requests_in_flight),
            config.errors.retry_delay_max,
            runtime,
            (metrics.clone(), board.clone()),
            thread::current(),
        );
        let told = board.clone();
        let opened = Pipeline::open(worker, config, task, versions, lane, stop, (metrics.clone(), board));
        metrics.task_start(opened.is_ok());
        let mut pipeline = opened.map_err(|error| crate::trace(&error))?;
        pipeline.run().map_err(|error| {
            let trace = crate::trace(&error);
            // Before the pipeline is dropped: leaving the group may take a while, and the failure is to be seen now.
            told.set(TaskState::failed(trace.clone()));
            trace
        })
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "no message",
    }
}
