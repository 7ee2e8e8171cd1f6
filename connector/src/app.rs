//! The process: connectors, listener, order of start and stop.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::{self, ApiState, OffsetsOf};
use crate::config::WorkerConfig;
use crate::connector::{Connector, PrepareError, Prepared};
use crate::offsets::Group;
use crate::services::Services;
use crate::status::{Board, TaskState};
use crate::swap::service::SwapHandles;

/// How often the end of the tasks is looked for while stopping, and how often what is pending is told.
const STOP_POLL: Duration = Duration::from_millis(20);
const STOP_REPORT: Duration = Duration::from_secs(2);

/// What committing and leaving the group may take beyond `task.shutdown.graceful.timeout.ms`.
const LEAVE_TIME: Duration = Duration::from_secs(3);

/// Why the process can't start.
#[derive(Debug, Error)]
pub enum AppError {
    /// An address of `listeners` can't be used.
    #[error("could not listen on {address}; another process may use it: choose another with `listeners`")]
    Listen {
        /// The address.
        address: String,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// A connector can't be started.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
}

/// A running process: its connectors and its listener.
#[derive(Debug)]
pub struct Worker {
    config: Arc<WorkerConfig>,
    connectors: Vec<Connector>,
    board: Board,
    addresses: Vec<SocketAddr>,
    servers: Vec<JoinHandle<()>>,
    stop_servers: watch::Sender<bool>,
    swaps: SwapHandles,
    // Held: the state folder is ours until the process ends.
    _services: Services,
}

// === impl Worker ===

impl Worker {
    /// Opens the listener, then starts the connectors; `extra` routes are served beside the API's.
    ///
    /// # Errors
    ///
    /// If an address can't be used. Nothing runs then.
    pub async fn start(
        config: WorkerConfig,
        services: &Services,
        connectors: Vec<Prepared>,
        extra: axum::Router,
    ) -> Result<Self, AppError> {
        let config = Arc::new(config);
        let (metrics, board, swaps) = (services.metrics(), Board::new(), SwapHandles::default());
        let (stop_servers, stopped) = watch::channel(false);
        let mut worker = Self {
            config: Arc::clone(&config),
            connectors: Vec::new(),
            board: board.clone(),
            addresses: Vec::new(),
            servers: Vec::new(),
            stop_servers,
            swaps: swaps.clone(),
            _services: services.clone(),
        };
        let group = |prepared: &Prepared| (prepared.config().name.clone(), Group::new(&config, prepared.config()));
        let groups: Arc<HashMap<String, Group>> = Arc::new(connectors.iter().map(group).collect());
        for address in &config.listeners {
            let listen = |source| AppError::Listen { address: address.clone(), source };
            let listener = TcpListener::bind(address).await.map_err(listen)?;
            worker.addresses.push(listener.local_addr().map_err(listen)?);
            let groups = Arc::clone(&groups);
            let offsets = move |name: &str| Some(OffsetsOf { group: groups.get(name)?.clone(), stopped: false });
            let state = ApiState::new(Arc::clone(metrics), board.clone(), swaps.clone()).with_offsets(offsets);
            let (extra, mut stopped) = (extra.clone(), stopped.clone());
            let stop = async move {
                let _ = stopped.wait_for(|&stop| stop).await;
            };
            worker.servers.push(tokio::spawn(async move {
                if let Err(error) = api::serve(listener, state, extra, stop).await {
                    tracing::error!(%error, "the listener ended");
                }
            }));
        }
        for prepared in connectors {
            let module = prepared.module();
            tracing::info!(
                connector = prepared.config().name,
                module = module.name(),
                digest = module.digest(),
                "starting connector"
            );
            let name = prepared.config().name.clone();
            let connector = Connector::start(prepared, &config, &Handle::current(), metrics, &board)?;
            swaps.insert(&name, connector.swap().clone());
            worker.connectors.push(connector);
        }
        board.set_started();
        Ok(worker)
    }

    /// Has the file of every connector's transform looked at now.
    pub fn look_now(&self) {
        self.swaps.look_now();
    }

    /// The addresses that are listened on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// How the connectors fare.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Waits until every task of every connector has failed: nothing is left to do then. Gives back the traces.
    pub async fn all_failed(&self) -> Vec<String> {
        let failed = |state: &TaskState| matches!(state, TaskState::Failed { .. });
        let snapshot = self.board.wait_until(|board| board.all_tasks(failed)).await;
        snapshot.tasks().filter_map(|(_, task)| task.state.reason().map(str::to_owned)).collect()
    }

    /// Stops: first the tasks and the swaps under way, which finish what is under way within `task.shutdown.graceful.timeout.ms`, then the listener.
    /// Gives back whether all ended in time.
    pub async fn stop(self) -> bool {
        self.connectors.iter().for_each(Connector::stop);
        // A task takes up to the one for its writes, and then commits and leaves the group.
        let deadline = Instant::now() + self.config.shutdown_timeout + LEAVE_TIME;
        let mut report = Instant::now() + STOP_REPORT;
        let mut pending = self.pending();
        while !pending.is_empty() && Instant::now() < deadline {
            if Instant::now() >= report {
                report += STOP_REPORT;
                tracing::info!(waiting_for = pending.join(" "), "stopping");
            }
            tokio::time::sleep(STOP_POLL).await;
            pending = self.pending();
        }
        if !pending.is_empty() {
            tracing::warn!(
                pending = pending.join(" "),
                "these did not stop in time; records that a task has not committed will be read again"
            );
        }
        let in_time = pending.is_empty();
        let _ = self.stop_servers.send(true);
        for server in self.servers {
            let _ = tokio::time::timeout(STOP_REPORT, server).await;
        }
        in_time
    }

    fn pending(&self) -> Vec<String> {
        self.connectors.iter().flat_map(Connector::pending).map(str::to_owned).collect()
    }
}
