//! The gates that a candidate passes before it may run, in order, all off the data path. Each refusal says what to do.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::desk::{ControlDesk, Sample};
use super::policy::Policy;
use super::service::{Gate, Refused};
use super::shadow::{self, Report};
use crate::batch::Inputs;
use crate::config::{ConnectorConfig, ModuleRef};
use crate::metrics::{SwapMetrics, SwapStep};
use crate::stop::Stop;
use crate::transform::engine::Module;
use crate::transform::loader::Loader;
use crate::transform::{Limits, Transform, builtin};

/// How long records with the columns that a candidate wants are waited for, while there are records.
const COLUMNS_PATIENCE: Duration = Duration::from_secs(2);
const COLUMNS_POLL: Duration = Duration::from_millis(20);

/// How long old and new may take for the last records: the report covers what was done until then.
const WARM_UP_BUDGET: Duration = Duration::from_secs(10);

/// What the gates are made of.
#[derive(Debug, Clone)]
pub struct Gates {
    /// The connector.
    pub config: Arc<ConnectorConfig>,
    /// Loads modules.
    pub loader: Loader,
    /// Which modules may run.
    pub policy: Policy,
    /// Where time goes.
    pub metrics: SwapMetrics,
    /// Ends whatever a candidate is doing.
    pub stop: Stop,
}

/// A candidate that has passed.
#[derive(Debug)]
pub(super) struct Passed {
    pub(super) module: Module,
    pub(super) report: Report,
}

// === impl Gates ===

impl Gates {
    /// The module's file, if it is watched.
    pub fn watched(&self) -> Option<&Path> {
        match &self.config.transform.module {
            ModuleRef::Path(path) if self.config.transform.swap.watch => Some(path),
            _ => None,
        }
    }

    /// Policy, structure, compilation, world: what can be known without running it.
    ///
    /// # Errors
    ///
    /// The gate that it did not pass.
    pub fn load(&self, name: &str, bytes: &[u8], digest: &str, signature: Option<&[u8]>) -> Result<Module, Refused> {
        // What is part of this program may always run.
        if !builtin::is_shipped(bytes) {
            self.policy.check(digest, signature).map_err(|error| Refused::new(Gate::Policy, error.to_string()))?;
        }
        let loaded = self.loader.load(name, bytes).map_err(|error| Refused::new(Gate::Load, crate::trace(&error)))?;
        self.metrics.step(SwapStep::Structure, loaded.took.structure);
        self.metrics.step(SwapStep::Compile, loaded.took.compile);
        self.metrics.step(SwapStep::World, loaded.took.world);
        Ok(loaded.module)
    }

    /// `configure` with the connector's settings, on an instance that nobody gets.
    ///
    /// # Errors
    ///
    /// If it can't be started, or refuses the settings.
    pub fn configure(&self, module: &Module) -> Result<(), Refused> {
        let started = Instant::now();
        self.instance_to_try(module)?;
        self.metrics.step(SwapStep::Configure, started.elapsed());
        Ok(())
    }

    /// A configured instance.
    ///
    /// # Errors
    ///
    /// If it can't be started, or refuses the connector's settings.
    pub fn instance(&self, module: &Module) -> Result<Transform, Refused> {
        Transform::new(module.clone(), self.config.transform.settings.clone(), self.limits())
            .map_err(|error| Refused::new(Gate::Configure, error.to_string()))
    }

    /// One that ends when the connector stops, for the time in which nothing depends on it.
    fn instance_to_try(&self, module: &Module) -> Result<Transform, Refused> {
        Transform::until(module.clone(), self.config.transform.settings.clone(), self.limits(), self.stop.clone())
            .map_err(|error| Refused::new(Gate::Configure, error.to_string()))
    }

    fn limits(&self) -> Limits {
        let transform = &self.config.transform;
        Limits { memory_max_bytes: transform.memory_max_bytes, timeout: transform.timeout }
    }

    /// The last records of every task, by the running version and by the candidate.
    pub(super) fn warm_up(&self, module: Module, running: &Module, desks: &[ControlDesk]) -> Result<Passed, Refused> {
        let mut new = self.instance_to_try(&module)?;
        let sample = sample(desks, new.inputs(), &self.stop);
        let started = Instant::now();
        // A running version that can't be started any more has nothing to say.
        let report = match self.instance_to_try(running) {
            Ok(mut old) => shadow::compare(&mut old, &mut new, &sample, self.config.tiebreak, WARM_UP_BUDGET),
            Err(error) => {
                tracing::warn!(%error, "the running transform can't be started beside the candidate, nothing is compared");
                Report::default()
            }
        };
        self.metrics.step(SwapStep::WarmUp, started.elapsed());
        let refused = |gate, reason| Err(Refused { gate, reason, report: Some(Box::new(report.clone())) });
        if let Some(failure) = report.failure() {
            return refused(Gate::WarmUp, failure);
        }
        if let Some(difference) = report.refusal(self.config.transform.swap.shadow) {
            return refused(Gate::Shadow, difference);
        }
        Ok(Passed { module, report })
    }
}

/// The last records that have the columns `wanted`. If there are records but none with these columns, the tasks are asked to fill them, and
/// the next records are waited for; the tasks go on filling them until they are told otherwise.
fn sample(desks: &[ControlDesk], wanted: Inputs, stop: &Stop) -> Sample {
    desks.iter().for_each(|desk| desk.widen(wanted));
    let take = |wanted| desks.iter().flat_map(|desk| desk.sample(wanted)).collect::<Sample>();
    let until = Instant::now() + COLUMNS_PATIENCE;
    loop {
        let sample = take(wanted);
        if !sample.is_empty() || take(Inputs::default()).is_empty() || stop.is_set() || Instant::now() >= until {
            return sample;
        }
        thread::sleep(COLUMNS_POLL);
    }
}
