//! Changing the version that runs: the switch, probation and its end, the way back.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use super::{ABOUT_SWAP, OnTrial, Worker};
use crate::config::SwapConfig;
use crate::metrics::{SwapOutcome, SwapStep};
use crate::swap::desk::{self, Carried, ControlDesk, Order};
use crate::swap::history::{History, Source};
use crate::swap::now_ms;
use crate::swap::service::{Done, Gate, Refused, Request};
use crate::swap::shadow::Report;
use crate::swap::trial::{Canary, Standing, Trial};
use crate::transform::engine::Module;

/// How long tasks are waited for to change, before the answer says that they have not.
const SWITCH_PATIENCE: Duration = Duration::from_secs(10);

impl Worker {
    /// Gives every task an instance of its own, and waits until they have changed.
    pub(super) fn switch(&mut self, module: Module, report: &Report) -> Result<Carried, Refused> {
        // Whatever became of the version on probation meanwhile is its own: it is superseded only if it still runs.
        self.settle();
        let trial = self.new_trial(&module);
        let orders: Vec<_> = self.orders(&module, trial.as_ref())?;
        // A start after this process died runs the version before: this one has proved nothing.
        self.certain(|history| {
            history.switch(serde_json::to_value(report).ok(), now_ms());
        })?;
        let carried = desk::carry_out(orders, SWITCH_PATIENCE);
        self.metrics().step(SwapStep::Switch, carried.pause);
        self.board.clear_warning(ABOUT_SWAP);
        match trial {
            // One that was on probation itself is superseded: its tasks have left it.
            Some(trial) => self.trial = Some(OnTrial { module, trial }),
            None => {
                self.trial = None;
                self.stable = module;
                self.history.promote(now_ms());
                self.metrics().outcome(SwapOutcome::Promoted);
            }
        }
        self.show();
        self.save();
        Ok(carried)
    }

    /// Changes the history and saves it. If that fails nothing has happened.
    fn certain(&mut self, change: impl FnOnce(&mut History)) -> Result<(), Refused> {
        let before = self.history.clone();
        change(&mut self.history);
        self.shelf.save(&self.history).map_err(|error| {
            self.history = before;
            Refused::new(Gate::State, crate::trace(&error))
        })
    }

    fn new_trial(&self, module: &Module) -> Option<Arc<Trial>> {
        if self.swap().probation.is_zero() {
            return None;
        }
        Some(new_trial(module, &self.stable, self.swap(), self.canary(), self.requests.clone()))
    }

    /// A version that supersedes a canary takes over its partitions: none of them goes back to the version before.
    fn canary(&self) -> Option<Arc<Canary>> {
        let before = self.trial.as_ref().and_then(|on_trial| on_trial.trial.canary());
        before.cloned().or_else(|| self.swap().canary_partitions.map(|max| Arc::new(Canary::new(max))))
    }

    fn orders(&self, module: &Module, trial: Option<&Arc<Trial>>) -> Result<Vec<(ControlDesk, Order)>, Refused> {
        let alive = self.desks.iter().filter(|desk| !desk.is_over());
        alive
            .map(|desk| {
                let transform = self.gates.instance(module)?;
                Ok((desk.clone(), Order::new(transform, trial.cloned(), self.swap().barrier)))
            })
            .collect()
    }

    /// Somebody asked for the version before.
    pub(super) fn roll_back(&mut self) -> Result<Done, Refused> {
        self.settle();
        let from = self.running().digest().to_owned();
        if let Some(on_trial) = &self.trial {
            let stable = self.stable.digest().to_owned();
            if on_trial.trial.withdraw("somebody asked for the version before") {
                self.settle();
                return Ok(Done {
                    outcome: "switched".to_owned(),
                    tasks_changed: self.alive(),
                    ..self.done(&stable, from)
                });
            }
            self.settle();
            // It was taken back by itself at this moment: what was asked for is done.
            if self.running().digest() != from {
                return Ok(Done {
                    outcome: "switched".to_owned(),
                    tasks_changed: self.alive(),
                    ..self.done(self.running().digest(), from)
                });
            }
        }
        let Some(digest) = self.history.previous().map(str::to_owned) else {
            return Err(Refused::new(Gate::Unknown, "there is no version before this one to go back to"));
        };
        let bytes = self.kept(&digest)?;
        let name = format!("sha256:{digest}");
        let signature = self.kept_signature(&digest)?;
        let module = self.gates.load(&name, &bytes, &digest, signature.as_deref())?;
        self.gates.configure(&module)?;
        let orders = self.orders(&module, None)?;
        self.certain(|history| {
            history.begin(&digest, Source::Rollback, now_ms());
            history.switch(None, now_ms());
            history.promote(now_ms());
        })?;
        let carried = desk::carry_out(orders, SWITCH_PATIENCE);
        self.stable = module;
        self.metrics().outcome(SwapOutcome::RolledBack);
        self.show();
        self.save();
        tracing::info!(digest, before = from, "transform rolled back on request");
        Ok(Done {
            outcome: "switched".to_owned(),
            tasks_changed: carried.changed,
            tasks_pending: carried.pending,
            pause_us: carried.pause.as_micros() as u64,
            ..self.done(&digest, from)
        })
    }

    /// Looks how the trial stands, and ends it when its time is over.
    pub(super) fn settle(&mut self) {
        let Some(on_trial) = &self.trial else { return };
        let due = on_trial.trial.first_record().is_some_and(|first| first.elapsed() >= self.swap().probation);
        if due {
            // Refused lines may have come back since its last batch.
            on_trial.trial.judge(Instant::now());
            on_trial.trial.promote();
        }
        match on_trial.trial.standing() {
            Standing::Running => {}
            Standing::Promoted => self.promoted(),
            Standing::Over => self.taken_back(),
        }
    }

    fn promoted(&mut self) {
        let Some(OnTrial { module, .. }) = self.trial.take() else { return };
        self.history.promote(now_ms());
        self.metrics().outcome(SwapOutcome::Promoted);
        tracing::info!(digest = module.digest(), "new version of the transform promoted, its probation is over");
        self.stable = module;
        self.show();
        self.save();
    }

    fn taken_back(&mut self) {
        let Some(OnTrial { module, trial }) = self.trial.take() else { return };
        let (reason, at_fault) =
            trial.ending().map_or(("it was taken back", false), |ending| (ending.reason.as_str(), ending.at_fault));
        self.history.roll_back(reason, at_fault, now_ms());
        self.metrics().outcome(SwapOutcome::RolledBack);
        self.metrics().quarantined(self.history.quarantined.len());
        let (digest, back) = (module.digest(), self.stable.digest());
        if at_fault {
            tracing::warn!(digest, back, reason, "new version of the transform taken back");
            let warning = format!(
                "version sha256:{digest} was taken back, sha256:{back} runs again; it is refused until its bytes change: {reason}"
            );
            self.board.warn(ABOUT_SWAP, &warning);
        } else {
            tracing::info!(digest, back, "new version of the transform taken back on request");
            self.board.clear_warning(ABOUT_SWAP);
        }
        self.show();
        self.save();
    }
}

/// A trial of `version` against `stable` that wakes the controller.
pub(super) fn new_trial(
    module: &Module,
    stable: &Module,
    swap: &SwapConfig,
    canary: Option<Arc<Canary>>,
    requests: SyncSender<Request>,
) -> Arc<Trial> {
    let tell = move || {
        // Full: the controller is awake anyway, and looks at the trial after each request.
        let _ = requests.try_send(Request::Trial);
    };
    Arc::new(Trial::new(Arc::clone(module.version()), Arc::clone(stable.version()), swap.max_error_rate, canary, tell))
}
