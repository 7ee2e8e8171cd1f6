//! The transform stage: a batch through the user's WebAssembly, out come lines and rejects.
//!
//! Only the files of this folder import wasmtime. A module is loaded by `loader`, through `structure` (limits on what it is made of),
//! `compile` (here or in a child process; `code_cache` keeps the machine code) and `world` (imports and exports), and is then one of
//! `engine`, whose `ticker` counts the time of calls. `host` is the boundary (types, imports), `check` trusts nothing that comes back, `builtin` holds the transforms inside
//! the binary.

pub mod builtin;
mod check;
pub mod code_cache;
pub mod compile;
pub mod engine;
mod host;
mod load_error;
pub mod loader;
pub mod loads;
pub mod structure;
mod ticker;
mod version;
mod world;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustc_demangle::demangle;
use thiserror::Error;
use wasmtime::{Store, Trap, UpdateDeadline};

use crate::batch::{Batch, Inputs};
use crate::record::TopicPartition;
use crate::stop::Stop;
use engine::Module;
use host::{BatchColumns, GuestLog, HostState, Instance};

pub(crate) use check::check;
pub use check::{Output, Reject};
pub(crate) use host::{RawColumn, RawOutput, RawRejects};
pub use version::{Tally, Version, digest_of};

/// What one instance may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory (`transform.memory.max.bytes`).
    pub memory_max_bytes: usize,
    /// Time for one call (`transform.timeout.ms`), to the next tick of [`engine::TICK`].
    pub timeout: Duration,
}

/// Why a call of a transform gave no result.
#[derive(Debug, Error)]
pub enum TransformError {
    /// The module can't be instantiated under these limits.
    #[error("could not start an instance of transform {module}: {reason}; see transform.memory.max.bytes")]
    Instantiate {
        /// The module's name.
        module: String,
        /// wasmtime's words.
        reason: String,
    },
    /// `configure` refused the settings.
    #[error("transform {module} refused its settings (transform.config.*): {reason}")]
    Configure {
        /// The module's name.
        module: String,
        /// The transform's own words.
        reason: String,
    },
    /// The guest trapped, or exceeded a limit.
    #[error("transform {module} failed in `{function}`: {reason}")]
    Trap {
        /// The module's name.
        module: String,
        /// The export that was called.
        function: &'static str,
        /// What happened, and the limit's setting where one was exceeded.
        reason: String,
    },
    /// The guest gave back something that breaks a rule of `wit/transform.wit`.
    #[error(
        "transform {module} gave back a result that breaks the interface: {reason}; this is a bug of the transform"
    )]
    Output {
        /// The module's name.
        module: String,
        /// The rule.
        reason: String,
    },
}

/// A running transform. It belongs to one thread; after a failed call its instance is thrown away and the next call
/// starts a fresh one.
#[derive(Debug)]
pub struct Transform {
    module: Module,
    settings: Vec<(String, String)>,
    limits: Limits,
    live: Option<(Store<HostState>, Instance)>,
    /// Of all instances together: one that traps on every batch must not begin its allowance anew each time.
    log: Arc<Mutex<GuestLog>>,
    inputs: Inputs,
    /// Ends a call that is under way.
    stop: Option<Stop>,
}

/// An instance that is not needed any more, to be dropped where time does not matter.
#[derive(Debug, Default)]
pub struct Remains {
    _instance: Option<(Store<HostState>, Instance)>,
}

// === impl Transform ===

impl Transform {
    /// Starts an instance of `module` and hands it `settings`.
    ///
    /// # Errors
    ///
    /// If it can't be instantiated, or `configure` refuses the settings or traps.
    pub fn new(module: Module, settings: Vec<(String, String)>, limits: Limits) -> Result<Self, TransformError> {
        Self::make(module, settings, limits, None)
    }

    /// The same off the data path: a call under way fails as soon as `stop` is said, and every later one at once.
    ///
    /// # Errors
    ///
    /// As [`Transform::new`], or if `stop` is said.
    pub fn until(
        module: Module,
        settings: Vec<(String, String)>,
        limits: Limits,
        stop: Stop,
    ) -> Result<Self, TransformError> {
        Self::make(module, settings, limits, Some(stop))
    }

    fn make(
        module: Module,
        settings: Vec<(String, String)>,
        limits: Limits,
        stop: Option<Stop>,
    ) -> Result<Self, TransformError> {
        let log = Arc::new(Mutex::new(GuestLog::new(module.digest())));
        let mut this = Self { module, settings, limits, live: None, log, inputs: Inputs::default(), stop };
        this.start()?;
        Ok(this)
    }

    /// The module that runs.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// Puts the instance away; the next call starts a fresh one. Freeing what is given back takes longer than this: milliseconds for a guest
    /// of many megabytes.
    #[must_use = "dropping it frees the instance's memory, which takes time"]
    pub fn rest(&mut self) -> Remains {
        Remains { _instance: self.live.take() }
    }

    /// Which columns it wants.
    pub fn inputs(&self) -> Inputs {
        self.inputs
    }

    /// Whether there is an instance; a fresh one is made for the next call if not.
    pub fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// Bytes of linear memory that the instance holds, 0 if there is none.
    pub fn memory_bytes(&self) -> usize {
        self.live.as_ref().map_or(0, |(store, _)| store.data().memory_bytes())
    }

    /// Runs one batch. The result has passed every check: indexes, positions and counts are in range.
    ///
    /// # Errors
    ///
    /// If the guest traps, exceeds a limit or breaks the interface. The instance is gone then; the next call works with a
    /// fresh one.
    pub fn run(&mut self, source: &TopicPartition, batch: &Batch) -> Result<Output, TransformError> {
        if self.is_stopped() {
            return Err(self.trap("transform", &Trap::Interrupt.into(), Duration::ZERO));
        }
        if self.live.is_none() {
            self.start()?;
        }
        let result = self.call(source, batch);
        if result.is_err() {
            self.live = None;
        }
        result
    }

    fn call(&mut self, source: &TopicPartition, batch: &Batch) -> Result<Output, TransformError> {
        let (store, instance) = self.live.as_mut().expect("started by `run`");
        let _call = self.module.begin_call();
        limit_time(store, self.limits, self.stop.as_ref());
        let columns = BatchColumns::new(source, batch, self.inputs);
        let called = Instant::now();
        match instance.transform(&mut *store, columns) {
            Ok(raw) => check::check(raw, batch.len())
                .map_err(|reason| TransformError::Output { module: self.module.name().to_owned(), reason }),
            Err(error) => Err(self.trap("transform", &error, called.elapsed())),
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(Stop::is_set)
    }

    fn start(&mut self) -> Result<(), TransformError> {
        let mut store = self.module.store(self.limits, Arc::clone(&self.log));
        let _call = self.module.begin_call();
        limit_time(&mut store, self.limits, self.stop.as_ref());
        let mut instance = self.module.instantiate(&mut store).map_err(|error| TransformError::Instantiate {
            module: self.module.name().to_owned(),
            reason: format!("{error:#}"),
        })?;
        let called = Instant::now();
        let configured = instance.configure(&mut store, &self.settings);
        self.inputs = match configured {
            Ok(Ok(inputs)) => inputs,
            Ok(Err(reason)) => {
                return Err(TransformError::Configure { module: self.module.name().to_owned(), reason });
            }
            Err(error) => return Err(self.trap("configure", &error, called.elapsed())),
        };
        self.live = Some((store, instance));
        Ok(())
    }

    /// Names the limit that was exceeded, where one was: the person who reads it wants to know what to change.
    fn trap(&self, function: &'static str, error: &wasmtime::Error, took: Duration) -> TransformError {
        let reason = match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) if self.is_stopped() => "the program stops".to_owned(),
            Some(Trap::Interrupt) => format!(
                "it ran for {} ms, longer than transform.timeout.ms={}",
                took.as_millis(),
                self.limits.timeout.as_millis()
            ),
            Some(Trap::StackOverflow) => format!("it overflowed its stack of {} KiB", engine::STACK_BYTES / 1024),
            Some(trap) => {
                let trap = trap.to_string();
                format!("trap: {}{}", trap.strip_prefix("wasm trap: ").unwrap_or(&trap), frame(error))
            }
            None if host::is_memory_limit(error) => format!(
                "it asked for more memory than transform.memory.max.bytes={}{}",
                self.limits.memory_max_bytes,
                frame(error)
            ),
            None if host::is_result_limit(error) => format!(
                "it handed over more than the {} MiB that one call may{}",
                engine::RESULT_MAX_BYTES / (1024 * 1024),
                frame(error)
            ),
            None => format!("{:#}", error.root_cause()),
        };
        TransformError::Trap { module: self.module.name().to_owned(), function, reason }
    }
}

/// Begins the time of one call: it traps when that is over, or when `stop` is said.
fn limit_time(store: &mut Store<HostState>, limits: Limits, stop: Option<&Stop>) {
    let Some(stop) = stop.cloned() else { return store.set_epoch_deadline(limits.ticks()) };
    let mut left = limits.ticks();
    store.epoch_deadline_callback(move |_| {
        left = left.saturating_sub(1);
        if left == 0 || stop.is_set() { Err(Trap::Interrupt.into()) } else { Ok(UpdateDeadline::Continue(1)) }
    });
    store.set_epoch_deadline(1);
}

/// The innermost guest function by name, if the module has names; Rust's are shown as they are written.
fn frame(error: &wasmtime::Error) -> String {
    let Some(backtrace) = error.downcast_ref::<wasmtime::WasmBacktrace>() else { return String::new() };
    backtrace
        .frames()
        .iter()
        .find_map(|frame| frame.func_name())
        .map(|name| format!(" in {:#}", demangle(name)))
        .unwrap_or_default()
}

// === impl TransformError ===

impl TransformError {
    /// Whether there could be no instance at all: no record is the cause.
    pub fn is_start(&self) -> bool {
        match self {
            Self::Instantiate { .. } | Self::Configure { .. } => true,
            Self::Trap { function, .. } => *function == "configure",
            Self::Output { .. } => false,
        }
    }
}

// === impl Limits ===

impl Limits {
    /// The timeout in ticks, at least one whole tick.
    fn ticks(&self) -> u64 {
        (self.timeout.as_nanos().div_ceil(engine::TICK.as_nanos()) as u64).saturating_add(1)
    }
}
