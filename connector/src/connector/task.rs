//! One task of a connector: a thread with a consumer, its pipeline, and how it ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use tokio::runtime::Handle;

use crate::config::{ConnectorConfig, WorkerConfig};
use crate::metrics::TaskMetrics;
use crate::pipeline::{Pipeline, TaskVersions};
use crate::sink::influx::InfluxClient;
use crate::sink::lane::Lane;
use crate::sink::renew::Renewable;
use crate::status::{TaskBoard, TaskState};
use crate::stop::{Pause, Stop};
use crate::swap::desk::TaskDesk;
use crate::swap::trial::Trial;
use crate::telemetry::TaskSpan;
use crate::transform::Transform;

/// Stack of a task's thread: the guest's part, which wasmtime bounds, and plenty for everything around it.
const TASK_STACK_BYTES: usize = 4 * 1024 * 1024;

/// A task's thread.
#[derive(Debug)]
pub(super) struct Task {
    name: String,
    stop: Stop,
    /// Whether it has failed for a reason that may be gone when it is started again.
    mendable: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// What a task is made of, on its way to its thread.
pub(super) struct Parts {
    pub(super) worker: Arc<WorkerConfig>,
    pub(super) config: Arc<ConnectorConfig>,
    pub(super) stable: Transform,
    pub(super) trial: Option<(Transform, Arc<Trial>)>,
    pub(super) desk: TaskDesk,
    pub(super) client: InfluxClient,
    pub(super) runtime: Handle,
    pub(super) metrics: TaskMetrics,
    pub(super) board: TaskBoard,
    pub(super) pause: Pause,
    pub(super) task: u32,
}

// === impl Task ===

impl Task {
    pub(super) fn spawn(parts: Parts) -> Self {
        let name = format!("{}-{}", parts.config.name, parts.task);
        let (stop, mendable) = (Stop::default(), Arc::<AtomicBool>::default());
        let (halt, may_mend) = (stop.clone(), Arc::clone(&mendable));
        let run = move || {
            halt.wakes(thread::current());
            let board = parts.board.clone();
            // A panic is a bug of ours; it fails this task and leaves the others alone.
            let state = match catch_unwind(AssertUnwindSafe(|| parts.run(halt, &may_mend))) {
                Ok(Ok(())) => TaskState::Stopped,
                Ok(Err(trace)) => TaskState::Failed { trace },
                Err(panic) => {
                    may_mend.store(true, Ordering::Release);
                    TaskState::Failed { trace: format!("panic, a bug of Sluice: {}", panic_text(&*panic)) }
                }
            };
            board.set(state);
        };
        let thread = thread::Builder::new()
            .name(name.chars().take(15).collect())
            .stack_size(TASK_STACK_BYTES)
            .spawn(run)
            .expect("the system gives a thread");
        Self { name, stop, mendable, thread }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn stop(&self) {
        self.stop.set();
    }

    /// Has it look at what it was told otherwise.
    pub(super) fn wake(&self) {
        self.stop.wake();
    }

    pub(super) fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// Whether it has failed for a reason that may be gone when it is started again.
    pub(super) fn is_mendable(&self) -> bool {
        self.mendable.load(Ordering::Acquire)
    }
}

// === impl Parts ===

impl Parts {
    fn run(self, stop: Stop, mendable: &AtomicBool) -> Result<(), String> {
        let Self { worker, config, stable, trial, desk, client, runtime, metrics, board, pause, task } = self;
        let span = TaskSpan::new(&config.name, task);
        let versions = TaskVersions { stable, trial, desk, span };
        let lane = Lane::new(
            Renewable::new(client, Arc::clone(&config), worker.rules.clone()),
            (config.influx.version, config.batch.requests_in_flight),
            config.errors.retry_delay_max,
            runtime,
            (metrics.clone(), board.clone()),
            thread::current(),
        );
        let told = board.clone();
        let opened = Pipeline::open(worker, config, task, versions, lane, (stop, pause), (metrics.clone(), board));
        metrics.task_start(opened.is_ok());
        let mut pipeline = opened.map_err(|error| crate::trace(&error))?;
        pipeline.run().map_err(|error| {
            let trace = crate::trace(&error);
            mendable.store(error.is_mendable(), Ordering::Release);
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
