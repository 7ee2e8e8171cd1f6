//! The boundary: the types of `wit/transform.wit` as wasmtime sees them, the log import, limits of a store.
//!
//! Columns go in borrowed (one copy into guest memory each) and come out as plain vectors (one bulk copy each); nothing
//! here costs anything per record.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;
use wasmtime::component::{
    ComponentType, Func, Instance as ComponentInstance, Lift, Linker, Lower, TypedFunc, WasmStr,
};
use wasmtime::{ResourceLimiter, Store, StoreContextMut};

use crate::batch::{self, Batch, Inputs};
use crate::record::TopicPartition;

/// The most bytes of one guest message that are kept.
const LOG_MAX_BYTES: usize = 1024;

/// The most guest messages in one second; the others are counted and told of.
const LOG_MAX_PER_SECOND: u32 = 10;

/// Table elements that a guest may have: far more than any toolchain emits.
const TABLE_MAX_ELEMENTS: usize = 20_000;

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(super) struct Setting<'a> {
    key: &'a str,
    value: &'a str,
}

#[derive(ComponentType, Lift, Clone, Copy)]
#[component(record)]
pub(super) struct WantedInputs {
    keys: bool,
    headers: bool,
    timestamps: bool,
    offsets: bool,
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(super) struct ColumnIn<'a> {
    bytes: &'a [u8],
    ends: &'a [u32],
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(super) struct NullableColumnIn<'a> {
    column: ColumnIn<'a>,
    nulls: &'a [u32],
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(super) struct HeaderColumnsIn<'a> {
    ends: &'a [u32],
    names: ColumnIn<'a>,
    values: NullableColumnIn<'a>,
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(super) struct BatchColumns<'a> {
    topic: &'a str,
    partition: i32,
    values: NullableColumnIn<'a>,
    keys: NullableColumnIn<'a>,
    headers: HeaderColumnsIn<'a>,
    timestamps: &'a [i64],
    offsets: &'a [i64],
}

/// A column as a guest gave it back: nothing about it is known yet.
#[derive(ComponentType, Lift, Debug, Default)]
#[component(record)]
pub(crate) struct RawColumn {
    pub(crate) bytes: Vec<u8>,
    pub(crate) ends: Vec<u32>,
}

#[derive(ComponentType, Lift, Debug, Default)]
#[component(record)]
pub(crate) struct RawRejects {
    pub(crate) records: Vec<u32>,
    pub(crate) reasons: RawColumn,
}

/// A result as a guest gave it back; `check` turns it into an `Output`.
#[derive(ComponentType, Lift, Debug, Default)]
#[component(record)]
pub(crate) struct RawOutput {
    pub(crate) lines: RawColumn,
    pub(crate) records: Vec<u32>,
    pub(crate) rejects: RawRejects,
}

#[derive(ComponentType, Lift, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "guests make the values")]
enum Level {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

/// Parameters and results of the two exports, for calls and for the check of a module's world.
pub(super) type ConfigureParams<'a> = (&'a [Setting<'a>],);
pub(super) type ConfigureResult = (Result<WantedInputs, String>,);
pub(super) type TransformParams<'a> = (BatchColumns<'a>,);
pub(super) type TransformResult = (RawOutput,);

/// What a store holds besides the guest: its limits and its log.
#[derive(Debug)]
pub(super) struct HostState {
    memory_max_bytes: usize,
    memory_bytes: usize,
    log: Arc<Mutex<GuestLog>>,
}

/// An instance with its exports looked up. The functions are kept untyped: parameters are borrowed, so their type is
/// another one at each call, and the check that it fits the guest's costs less than a microsecond.
#[derive(Debug)]
pub(super) struct Instance {
    configure: Func,
    transform: Func,
}

/// The guest asked for more linear memory than it may have.
#[derive(Debug, Error)]
#[error("linear memory limit of {0} bytes")]
struct MemoryLimit(usize);

/// Rate limit of a transform's messages. It outlives the instance.
#[derive(Debug)]
pub(super) struct GuestLog {
    digest: String,
    window: Instant,
    written: u32,
    dropped: u64,
}

// === impl BatchColumns ===

impl<'a> BatchColumns<'a> {
    pub(super) fn new(source: &'a TopicPartition, batch: &'a Batch, inputs: Inputs) -> Self {
        Self {
            topic: &source.topic,
            partition: source.partition,
            values: (&batch.values).into(),
            keys: (&batch.keys).into(),
            headers: HeaderColumnsIn {
                ends: &batch.headers.ends,
                names: (&batch.headers.names).into(),
                values: (&batch.headers.values).into(),
            },
            timestamps: if inputs.timestamps { &batch.timestamps } else { &[] },
            offsets: if inputs.offsets { &batch.offsets } else { &[] },
        }
    }
}

impl<'a> From<&'a batch::Column> for ColumnIn<'a> {
    fn from(column: &'a batch::Column) -> Self {
        Self { bytes: &column.bytes, ends: &column.ends }
    }
}

impl<'a> From<&'a batch::NullableColumn> for NullableColumnIn<'a> {
    fn from(column: &'a batch::NullableColumn) -> Self {
        Self { column: (&column.column).into(), nulls: &column.nulls }
    }
}

// === impl HostState ===

impl HostState {
    pub(super) fn new(memory_max_bytes: usize, log: Arc<Mutex<GuestLog>>) -> Self {
        Self { memory_max_bytes, memory_bytes: 0, log }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }
}

impl ResourceLimiter for HostState {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory_bytes.saturating_sub(current).saturating_add(desired);
        if total > self.memory_max_bytes {
            // A refused growth ends in an `unreachable` of the guest's allocator, which tells nobody why.
            return Err(MemoryLimit(self.memory_max_bytes).into());
        }
        self.memory_bytes = total;
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_MAX_ELEMENTS)
    }
}

/// Whether a call failed because of `transform.memory.max.bytes`.
pub(super) fn is_memory_limit(error: &wasmtime::Error) -> bool {
    error.downcast_ref::<MemoryLimit>().is_some()
}

/// Whether a call failed because the guest handed over too much. wasmtime's error for it has no public type, so its words
/// decide; a test holds them.
pub(super) fn is_result_limit(error: &wasmtime::Error) -> bool {
    error.root_cause().to_string().contains("fuel allocated for hostcalls has been exhausted")
}

// === impl Instance ===

impl Instance {
    /// Looks the exports up; the module's world was checked when it was loaded.
    pub(super) fn new(store: &mut Store<HostState>, instance: &ComponentInstance) -> wasmtime::Result<Self> {
        let mut export = |name: &str| {
            instance.get_func(&mut *store, name).ok_or_else(|| wasmtime::Error::msg(format!("no export `{name}`")))
        };
        Ok(Self { configure: export("configure")?, transform: export("transform")? })
    }

    pub(super) fn configure(
        &mut self,
        store: &mut Store<HostState>,
        settings: &[(String, String)],
    ) -> wasmtime::Result<Result<Inputs, String>> {
        let settings: Vec<_> = settings.iter().map(|(key, value)| Setting { key, value }).collect();
        let configure: TypedFunc<ConfigureParams<'_>, ConfigureResult> = self.configure.typed(&*store)?;
        let (result,) = configure.call(store, (settings.as_slice(),))?;
        Ok(result.map(|wanted| Inputs {
            keys: wanted.keys,
            headers: wanted.headers,
            timestamps: wanted.timestamps,
            offsets: wanted.offsets,
        }))
    }

    pub(super) fn transform(
        &mut self,
        store: &mut Store<HostState>,
        batch: BatchColumns<'_>,
    ) -> wasmtime::Result<RawOutput> {
        let transform: TypedFunc<TransformParams<'_>, TransformResult> = self.transform.typed(&*store)?;
        let (output,) = transform.call(store, (batch,))?;
        Ok(output)
    }
}

// === impl GuestLog ===

/// Defines the one import of our own.
pub(super) fn link_log(linker: &mut Linker<HostState>, interface: &str) -> wasmtime::Result<()> {
    linker.instance(interface)?.func_wrap(
        "write",
        |store: StoreContextMut<'_, HostState>, (level, message): (Level, WasmStr)| {
            // Of one thread, so it is free; a panic in between would leave nothing half done.
            let log = Arc::clone(&store.data().log);
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            if log.admits() {
                log.write(level, &message.to_str(&store)?);
            }
            Ok(())
        },
    )
}

impl GuestLog {
    pub(super) fn new(digest: &str) -> Self {
        Self { digest: digest.to_owned(), window: Instant::now(), written: 0, dropped: 0 }
    }

    /// Whether one more message may be written in this second.
    fn admits(&mut self) -> bool {
        if self.window.elapsed() >= Duration::from_secs(1) {
            if self.dropped > 0 {
                tracing::warn!(
                    module = self.digest,
                    dropped = self.dropped,
                    "transform logs too much, messages dropped"
                );
            }
            (self.window, self.written, self.dropped) = (Instant::now(), 0, 0);
        }
        let admitted = self.written < LOG_MAX_PER_SECOND;
        if admitted {
            self.written += 1
        } else {
            self.dropped += 1
        }
        admitted
    }

    fn write(&self, level: Level, text: &str) {
        let text = printable(text);
        match level {
            Level::Debug => tracing::debug!(module = self.digest, text, "transform says"),
            Level::Info => tracing::info!(module = self.digest, text, "transform says"),
            Level::Warn => tracing::warn!(module = self.digest, text, "transform says"),
            Level::Error => tracing::error!(module = self.digest, text, "transform says"),
        }
    }
}

/// Cuts a guest's text and escapes what could disturb a terminal or fake a log line.
pub(super) fn printable(text: &str) -> String {
    let cut = text.floor_char_boundary(LOG_MAX_BYTES);
    text[..cut].chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}
