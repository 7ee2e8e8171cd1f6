//! The process: connectors, listener, order of start and stop.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::{self, ApiState};
use crate::config::WorkerConfig;
use crate::connector::Prepared;
use crate::registry::{ConnectorStore, Origin, Record, Registry, RegistryError, StoreError, Target};
use crate::server::{Listening, Server, ServerError};
use crate::services::Services;
use crate::status::{Board, ConnectorState, ConnectorStatus, Snapshot, TaskState};

/// How long the end of the listener is waited for.
const SERVER_TIME: Duration = Duration::from_secs(2);

/// Why the process can't start.
#[derive(Debug, Error)]
pub enum AppError {
    /// The listeners can't be opened.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// There is nowhere to take connectors over to.
    #[error("--adopt takes connectors over into the state folder, and there is none: give state.dir")]
    AdoptNowhere,
    /// A connector can't be kept.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// What a worker begins with.
#[derive(Debug, Default)]
pub struct Connectors {
    /// Those of files on the command line.
    pub files: Vec<Prepared>,
    /// Those of the state folder.
    pub kept: Kept,
    /// Whether those of files are taken over into the state folder, and may be changed over REST.
    pub adopt: bool,
}

/// The connectors in the state folder.
#[derive(Debug, Default)]
pub struct Kept {
    store: Option<ConnectorStore>,
    records: Vec<Record>,
}

/// A running process: its connectors and its listener.
#[derive(Debug)]
pub struct Worker {
    registry: Registry,
    listening: Vec<Listening>,
    server: JoinHandle<()>,
    stop_server: watch::Sender<bool>,
}

// === impl AppError ===

impl AppError {
    /// Whether something has to be written anew, in the settings or in a file that they name.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Server(error) => !matches!(error, ServerError::Listen { .. }),
            Self::AdoptNowhere => true,
            Self::Registry(_) => false,
        }
    }
}

// === impl Kept ===

impl Kept {
    /// Reads them. Without a state folder there are none, and none are kept.
    ///
    /// # Errors
    ///
    /// If the folder can't be read.
    pub fn load(state_dir: Option<&Path>) -> Result<Self, StoreError> {
        let store = state_dir.map(ConnectorStore::open).transpose()?;
        let records = store.as_ref().map(ConnectorStore::load).transpose()?.unwrap_or_default();
        Ok(Self { store, records })
    }

    /// Whether a connector of this name was made or taken over over REST: then the state folder says what its settings are.
    pub fn has(&self, connector: &str) -> bool {
        self.records.iter().any(|record| record.name == connector && record.origin == Origin::Rest)
    }
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
        connectors: Connectors,
        extra: axum::Router,
    ) -> Result<Self, AppError> {
        let config = Arc::new(config);
        services.metrics().show_certificates(config.certificates());
        let Connectors { files, kept: Kept { store, records }, adopt } = connectors;
        let registry = Registry::new(Arc::clone(&config), services.clone(), Board::new(), store, adopt);
        let (stop_server, mut stopped) = watch::channel(false);
        let server = Server::bind(&config.listeners).await?;
        let listening = server.listening();
        let worker_id = listening.first().map_or_else(String::new, |first| first.address.to_string());
        let router = api::router(ApiState::new(registry.clone(), &worker_id), extra);
        let stop = async move {
            let _ = stopped.wait_for(|&stop| stop).await;
        };
        let worker = Self { registry, listening, server: tokio::spawn(server.serve(router, stop)), stop_server };
        worker.start_connectors(files, records).await?;
        Ok(worker)
    }

    /// Those of files are known to start, and are waited for: whoever asks after this finds them. Those of the state folder start in their
    /// own time.
    async fn start_connectors(&self, files: Vec<Prepared>, records: Vec<Record>) -> Result<(), RegistryError> {
        let names: BTreeSet<String> = files.iter().map(|prepared| prepared.config().name.clone()).collect();
        for prepared in files {
            let kept = records.iter().find(|record| record.name == prepared.config().name);
            self.registry.start_file(prepared, kept)?;
        }
        for record in records.into_iter().filter(|record| !names.contains(&record.name)) {
            match record.origin {
                Origin::Rest => self.registry.start_kept(record),
                // Its file is not on the command line any more.
                Origin::File => self.registry.forget(&record.name)?,
            }
        }
        let starts = |connector: &ConnectorStatus| {
            names.contains(&connector.name) && connector.state == ConnectorState::Unassigned
        };
        self.board().wait_until(|board| !board.connectors.iter().any(starts)).await;
        self.board().set_started();
        Ok(())
    }

    /// Has the file of every connector's transform looked at now.
    pub fn look_now(&self) {
        self.registry.swaps().look_now();
    }

    /// What is listened on, the REST API first.
    pub fn listening(&self) -> &[Listening] {
        &self.listening
    }

    /// How the connectors fare.
    pub fn board(&self) -> &Board {
        self.registry.board()
    }

    /// Waits until every task of every connector has failed and nobody could change that over REST, as all of them come from files: nothing is
    /// left to do then. Gives back the traces.
    pub async fn all_failed(&self) -> Vec<String> {
        let failed = |state: &TaskState| matches!(state, TaskState::Failed { .. });
        let fixed = |record: &Arc<Record>| record.origin == Origin::File && record.target == Target::Running;
        let over = |board: &_| Snapshot::all_tasks(board, failed) && self.registry.all().iter().all(fixed);
        let snapshot = self.board().wait_until(over).await;
        snapshot.tasks().filter_map(|(_, task)| task.state.reason().map(str::to_owned)).collect()
    }

    /// Stops: first the connectors, which finish what is under way within `task.shutdown.graceful.timeout.ms`, then the listener. Gives back
    /// whether all ended in time.
    pub async fn stop(self) -> bool {
        let in_time = self.registry.stop().await;
        let _ = self.stop_server.send(true);
        let _ = tokio::time::timeout(SERVER_TIME, self.server).await;
        in_time
    }
}
