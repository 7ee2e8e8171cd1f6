//! The thread that replaces a connector's transform: takes candidates through the gates, one at a time, gives the order to change, watches
//! over probation, and keeps the history. The tasks never wait for it.

mod change;
mod intake;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::desk::ControlDesk;
use super::gates::Gates;
use super::history::{Fared, History, Source};
use super::now_ms;
use super::service::{Begins, Done, Request, SwapHandle, WAITING_MAX, lock};
use super::shelf::Shelf;
use super::shown::{Running, Shown};
use super::start::First;
use super::trial::{Canary, Trial};
use super::watch::FileWatch;
use crate::config::{ConnectorConfig, SwapConfig};
use crate::metrics::SwapMetrics;
use crate::status::ConnectorBoard;
use crate::stop::Stop;
use crate::transform::Tally;
use crate::transform::engine::Module;

/// How long the controller sleeps at the most.
const IDLE: Duration = Duration::from_secs(1);

/// Warnings on the board are about these.
pub(super) const ABOUT_FILE: &str = "transform.module";
pub(super) const ABOUT_SWAP: &str = "transform.swap";
const ABOUT_STATE: &str = "state.dir";

/// A running controller. Dropping it asks it to stop.
#[derive(Debug)]
pub struct Controller {
    name: String,
    handle: SwapHandle,
    first_trial: Option<Arc<Trial>>,
    stop: Stop,
    thread: JoinHandle<()>,
}

/// What the controller's thread owns.
struct Worker {
    gates: Gates,
    shelf: Shelf,
    history: History,
    desks: Vec<ControlDesk>,
    /// The version that a roll-back goes to: the one that runs, or the one before it during a trial.
    stable: Module,
    trial: Option<OnTrial>,
    shown: Arc<Mutex<Shown>>,
    board: ConnectorBoard,
    requests: SyncSender<Request>,
    /// Whether somebody wants the file to be looked at.
    look: Arc<AtomicBool>,
}

/// A version on probation.
struct OnTrial {
    module: Module,
    trial: Arc<Trial>,
}

/// Bytes that are to take over.
struct Offered<'a> {
    name: &'a str,
    bytes: &'a [u8],
    digest: &'a str,
    signature: Option<&'a [u8]>,
    source: Source,
}

// === impl Controller ===

impl Controller {
    /// Starts the thread. `first` runs already: its tasks are at the other side of `desks`.
    ///
    /// # Panics
    ///
    /// If the system refuses a thread.
    pub fn start(gates: Gates, first: First, desks: Vec<ControlDesk>, board: ConnectorBoard) -> Self {
        let (requests, received) = sync_channel(WAITING_MAX);
        let First { stable, trial, history, shelf, known, retry, warning } = first;
        if let Some((about, warning)) = &warning {
            board.warn(about, warning);
        }
        let config = Arc::clone(&gates.config);
        let stop = gates.stop.clone();
        let swap = &config.transform.swap;
        let canary = || swap.canary_partitions.map(|max| Arc::new(Canary::new(max)));
        let trial = trial.map(|module| {
            let trial = change::new_trial(&module, &stable, swap, canary(), requests.clone());
            OnTrial { module, trial }
        });
        let first_trial = trial.as_ref().map(|on_trial| Arc::clone(&on_trial.trial));
        let shown = Shown {
            connector: config.name.clone(),
            module: config.transform.module.to_string(),
            history: history.clone(),
            running: running_since(trial.as_ref().map_or(&stable, |on_trial| &on_trial.module)),
            trial: first_trial.clone().map(|trial| (trial, swap.probation.as_millis() as u64)),
        };
        let shown = Arc::new(Mutex::new(shown));
        let may_upload = config.transform.swap.upload;
        // A watch finds it by itself.
        let look = Arc::new(AtomicBool::new(retry));
        let handle =
            SwapHandle { requests: requests.clone(), shown: Arc::clone(&shown), may_upload, look: Arc::clone(&look) };
        let watched = gates.watched().map(Path::to_owned);
        let name = format!("swap-{}", config.name);
        let run = move || {
            let span = tracing::info_span!("swap", connector = config.name);
            let _entered = span.enter();
            let tell = requests.clone();
            let watch = watched.map(|path| {
                FileWatch::start(&path, known.as_deref(), move |seen| {
                    // Waits while the controller is busy: what is seen is told once.
                    let _ = tell.send(Request::File(seen));
                })
            });
            let mut worker = Worker { gates, shelf, history, desks, stable, trial, shown, board, requests, look };
            worker.show();
            worker.metrics().quarantined(worker.history.quarantined.len());
            worker.look_if_asked(watch.as_ref());
            worker.run(&received, watch.as_ref());
            // Before the watch is stopped, which waits for its thread: that may be waiting to be heard.
            drop(received);
        };
        let thread = thread::Builder::new().name(name.chars().take(15).collect());
        let thread = thread.spawn(run).expect("the system gives a thread");
        Self { name, handle, first_trial, stop, thread }
    }

    /// For whoever wants to change or see the transform.
    pub fn handle(&self) -> &SwapHandle {
        &self.handle
    }

    /// The trial that it begins with, if the file has changed since the last time.
    pub fn first_trial(&self) -> Option<&Arc<Trial>> {
        self.first_trial.as_ref()
    }

    /// Asks it to stop. What a candidate is doing is ended, and held against nobody.
    pub fn stop(&self) {
        self.stop.set();
        // Full: it is awake, and looks at the word to stop after each request.
        let _ = self.handle.requests.try_send(Request::Stop);
    }

    /// Whether it has ended, and saved the history.
    pub fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// For the log.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.stop();
    }
}

// === impl Worker ===

impl Worker {
    fn run(&mut self, received: &Receiver<Request>, watch: Option<&FileWatch>) {
        loop {
            match received.recv_timeout(self.until_deadline()) {
                Ok(Request::File(seen)) => self.file(seen),
                Ok(Request::Swap(candidate, answer)) => {
                    // Whoever asked may be gone; what was done is in the history.
                    let _ = answer.send(self.requested(candidate));
                }
                Ok(Request::RollBack(answer)) => {
                    let _ = answer.send(self.roll_back());
                }
                Ok(Request::Task(task, desk, answer)) => {
                    // Who asked may have been told to stop meanwhile; then the desk is over.
                    let _ = answer.send(self.begin_task(task, desk));
                }
                Ok(Request::LookNow | Request::Trial | Request::Stop) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.settle();
            self.desks.iter().for_each(ControlDesk::free);
            if self.gates.stop.is_set() {
                break;
            }
            self.look_if_asked(watch);
        }
        self.settle();
        self.history.stop(now_ms());
        self.save();
    }

    /// A task begins anew: with what the others run.
    fn begin_task(&mut self, task: u32, desk: ControlDesk) -> Begins {
        self.settle();
        self.desks[task as usize] = desk;
        let trial = self.trial.as_ref().map(|on_trial| (on_trial.module.clone(), Arc::clone(&on_trial.trial)));
        Begins { stable: self.stable.clone(), trial }
    }

    fn look_if_asked(&mut self, watch: Option<&FileWatch>) {
        if self.look.swap(false, Ordering::AcqRel) {
            match watch {
                Some(watch) => watch.look_now(),
                None => self.look(),
            }
        }
    }

    /// Brings what is shown up to date.
    fn show(&self) {
        let probation_ms = self.swap().probation.as_millis() as u64;
        let mut shown = lock(&self.shown);
        if shown.running.digest != self.running().digest() {
            shown.running = running_since(self.running());
        }
        shown.trial = self.trial.as_ref().map(|on_trial| (Arc::clone(&on_trial.trial), probation_ms));
        drop(shown);
        self.metrics().on_probation(self.trial.is_some());
    }

    /// Saves what has become certain. If that fails the data path goes on all the same, and somebody is told.
    fn save(&mut self) {
        let Tally { records, errors } = self.stable.version().tally();
        self.history.fared = Some(Fared { digest: self.stable.digest().to_owned(), records, errors });
        lock(&self.shown).history = self.history.clone();
        match self.shelf.save(&self.history) {
            Ok(()) => self.board.clear_warning(ABOUT_STATE),
            Err(error) => self.warn(
                ABOUT_STATE,
                &format!(
                    "the history of the transform can't be saved, a restart may run another version: {}",
                    crate::trace(&error)
                ),
            ),
        }
    }

    fn warn(&self, about: &'static str, warning: &str) {
        tracing::warn!(about, warning, "transform needs attention");
        self.board.warn(about, warning);
    }

    fn done(&self, digest: &str, previous: String) -> Done {
        Done {
            outcome: String::new(),
            digest: digest.to_owned(),
            previous,
            tasks_changed: 0,
            tasks_pending: 0,
            pause_us: 0,
            probation_ms: 0,
            report: None,
            warnings: Vec::new(),
        }
    }

    fn until_deadline(&self) -> Duration {
        let first = self.trial.as_ref().and_then(|on_trial| on_trial.trial.first_record());
        first.map_or(IDLE, |first| (first + self.swap().probation).saturating_duration_since(Instant::now()).min(IDLE))
    }

    fn running(&self) -> &Module {
        self.trial.as_ref().map_or(&self.stable, |on_trial| &on_trial.module)
    }

    fn alive(&self) -> usize {
        self.desks.iter().filter(|desk| !desk.is_over()).count()
    }

    fn config(&self) -> &ConnectorConfig {
        &self.gates.config
    }

    fn swap(&self) -> &SwapConfig {
        &self.gates.config.transform.swap
    }

    fn metrics(&self) -> &SwapMetrics {
        &self.gates.metrics
    }
}

fn running_since(module: &Module) -> Running {
    Running { digest: module.digest().to_owned(), module: module.name().to_owned(), since_ms: now_ms() }
}
