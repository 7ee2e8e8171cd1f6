//! One connector: its tasks, each a thread with a consumer of the same group.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use thiserror::Error;
use tokio::runtime::Handle;

use crate::config::{ConnectorConfig, DISCARDS, WorkerConfig};
use crate::metrics::{Metrics, TaskMetrics};
use crate::pipeline::{Pipeline, TaskVersions};
use crate::sink::influx::{InfluxClient, InfluxError};
use crate::sink::lane::Lane;
use crate::sink::renew::Renewable;
use crate::status::{Board, TaskBoard, TaskState};
use crate::stop::Stop;
use crate::swap::desk;
use crate::telemetry::TaskSpan;
use crate::transform::engine::{Engine, LoadError, Module};
use crate::transform::{Limits, Transform, TransformError};

/// Stack of a task's thread: the guest's part, which wasmtime bounds, and plenty for everything around it.
const TASK_STACK_BYTES: usize = 4 * 1024 * 1024;

/// Why a connector can't be started: the configuration has to be changed.
#[derive(Debug, Error)]
pub enum PrepareError {
    /// The module can't be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The transform refuses its settings, or can't run within its limits.
    #[error(transparent)]
    Transform(#[from] TransformError),
    /// The client for InfluxDB can't be made.
    #[error(transparent)]
    Influx(#[from] InfluxError),
}

/// A connector that is known to start: module loaded, settings accepted.
#[derive(Debug)]
pub struct Prepared {
    config: Arc<ConnectorConfig>,
    module: Module,
}

/// A running connector.
#[derive(Debug)]
pub struct Connector {
    tasks: Vec<Task>,
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
    module: Module,
    client: InfluxClient,
    runtime: Handle,
    metrics: TaskMetrics,
    board: TaskBoard,
    stop: Stop,
    task: u32,
}

// === impl Prepared ===

impl Prepared {
    /// Loads the module and tries it with its settings. Reads files, asks no server.
    ///
    /// # Errors
    ///
    /// If the module can't be loaded, refuses its settings, or a file of the TLS settings can't be read.
    pub fn new(engine: &Engine, config: ConnectorConfig) -> Result<Self, PrepareError> {
        let module = engine.load(&config.transform.module)?;
        Transform::new(module.clone(), config.transform.settings.clone(), limits(&config))?;
        InfluxClient::new(&config.influx, &config.name)?;
        Ok(Self { config: Arc::new(config), module })
    }

    /// The connector's settings.
    pub fn config(&self) -> &ConnectorConfig {
        &self.config
    }

    /// The transform's module.
    pub fn module(&self) -> &Module {
        &self.module
    }
}

// === impl Connector ===

impl Connector {
    /// Starts the tasks. How they fare is on `board`.
    ///
    /// # Errors
    ///
    /// If the client for InfluxDB can't be made.
    ///
    /// # Panics
    ///
    /// If the system refuses a thread.
    pub fn start(
        prepared: &Prepared,
        worker: &Arc<WorkerConfig>,
        runtime: &Handle,
        metrics: &Metrics,
        board: &Board,
    ) -> Result<Self, PrepareError> {
        let config = &prepared.config;
        let tasks_max = config.tasks_max.get();
        let connector = board.connector(&config.name, tasks_max);
        if config.errors.discards() {
            connector.warn("errors", DISCARDS);
        }
        let mut tasks = Vec::new();
        for task in 0..tasks_max {
            let parts = Parts {
                worker: Arc::clone(worker),
                config: Arc::clone(config),
                module: prepared.module.clone(),
                client: InfluxClient::new(&config.influx, &config.name)?,
                runtime: runtime.clone(),
                metrics: metrics.task(&config.name, task),
                board: connector.task(task),
                stop: Stop::default(),
                task,
            };
            tasks.push(Task::spawn(parts));
        }
        Ok(Self { tasks })
    }

    /// Tells every task to stop; each finishes what is under way.
    pub fn stop(&self) {
        self.tasks.iter().for_each(|task| task.stop.set());
    }

    /// The tasks that have not ended, by name.
    pub fn pending(&self) -> Vec<&str> {
        self.tasks.iter().filter(|task| !task.thread.is_finished()).map(|task| task.name.as_str()).collect()
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
        let Self { worker, config, module, client, runtime, metrics, board, stop, task } = self;
        let limits = limits(&config);
        let span = TaskSpan::new(&config.name, task);
        let stable =
            Transform::new(module, config.transform.settings.clone(), limits).map_err(|error| error.to_string())?;
        let versions = TaskVersions { stable, trial: None, desk: desk::desk().0, span };
        let lane = Lane::new(
            Renewable::new(client, Arc::clone(&config)),
            (config.influx.version, config.batch.requests_in_flight),
            config.errors.retry_delay_max,
            runtime,
            (metrics.clone(), board.clone()),
            thread::current(),
        );
        let told = board.clone();
        let mut pipeline = Pipeline::open(worker, config, task, versions, lane, stop, (metrics, board))
            .map_err(|error| crate::trace(&error))?;
        pipeline.run().map_err(|error| {
            let trace = crate::trace(&error);
            // Before the pipeline is dropped: leaving the group may take a while, and the failure is to be seen now.
            told.set(TaskState::failed(trace.clone()));
            trace
        })
    }
}

fn limits(config: &ConnectorConfig) -> Limits {
    Limits { memory_max_bytes: config.transform.memory_max_bytes, timeout: config.transform.timeout }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "no message",
    }
}
