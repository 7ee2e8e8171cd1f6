//! The hostile guest, built once a process, and batches for it.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use sluice::batch::{Batch, Inputs, Record};
use sluice::record::TopicPartition;
use sluice::transform::engine::{Engine, Module};
use sluice::transform::{Limits, Output, Transform, TransformError};
use wit_component::ComponentEncoder;

use crate::support::guests;

/// Small, but enough for a transform that behaves.
pub(crate) const LIMITS: Limits = Limits { memory_max_bytes: 4 << 20, timeout: Duration::from_secs(20) };

/// The value that makes a guest of [`striking`] break its rule.
pub(crate) const STRIKE: &str = "strike";

/// The hostile guest as cargo leaves it: a core module.
pub(crate) fn core() -> &'static [u8] {
    static CORE: OnceLock<Vec<u8>> = OnceLock::new();
    CORE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests/hostile");
        std::fs::read(guests::build(&folder, "hostile")).unwrap()
    })
}

/// The same as a component.
pub(crate) fn component() -> &'static [u8] {
    static COMPONENT: OnceLock<Vec<u8>> = OnceLock::new();
    COMPONENT.get_or_init(|| ComponentEncoder::default().validate(true).module(core()).unwrap().encode().unwrap())
}

pub(crate) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(Engine::new)
}

/// Loads a module that is a transform.
pub(crate) fn load(module: &[u8]) -> Module {
    engine().load_bytes("hostile", module).unwrap_or_else(|error| panic!("{error}"))
}

/// The hostile guest, from its core module and from its component.
pub(crate) fn both() -> &'static [Module; 2] {
    static BOTH: OnceLock<[Module; 2]> = OnceLock::new();
    BOTH.get_or_init(|| [core(), component()].map(load))
}

/// Starts a module with these settings.
pub(crate) fn start(module: &Module, settings: &[(&str, &str)], limits: Limits) -> Result<Transform, TransformError> {
    let settings = settings.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
    Transform::new(module.clone(), settings, limits)
}

/// Starts the hostile guest with these settings.
pub(crate) fn configured(settings: &[(&str, &str)], limits: Limits) -> Result<Transform, TransformError> {
    start(&both()[0], settings, limits)
}

/// A guest that is always in `mode`.
pub(crate) fn hostile(mode: &str) -> Transform {
    configured(&[("mode", mode)], LIMITS).unwrap()
}

/// A guest that is in `mode` for batches with [`STRIKE`] among their values.
pub(crate) fn striking(mode: &str, limits: Limits) -> Transform {
    configured(&[("mode", mode), ("when", STRIKE)], limits).unwrap()
}

/// Records with these values.
pub(crate) fn values<V: AsRef<[u8]>>(values: impl IntoIterator<Item = V>) -> Batch {
    let mut batch = Batch::default();
    for (offset, value) in (0..).zip(values) {
        let record = Record { offset, timestamp: 0, key: None, value: Some(value.as_ref()) };
        batch.push(&record, Inputs::default());
    }
    batch
}

pub(crate) fn run(transform: &mut Transform, batch: &Batch) -> Result<Output, TransformError> {
    transform.run(&TopicPartition::new("prices", 3), batch)
}

/// The lines as text, each with the index of its record.
pub(crate) fn lines(output: &Output) -> Vec<(u32, String)> {
    let line = |index| String::from_utf8(output.lines.get(index).to_vec()).unwrap();
    output.records.iter().enumerate().map(|(index, &record)| (record, line(index))).collect()
}

/// `module` with one text in place of another of equal length: so a module differs in nothing else.
pub(crate) fn replaced(module: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut module = module.to_vec();
    let found: Vec<_> =
        module.windows(from.len()).enumerate().filter(|(_, text)| *text == from.as_bytes()).map(|(at, _)| at).collect();
    assert!(!found.is_empty(), "{from:?} is not in the module");
    found.iter().for_each(|&at| module[at..at + to.len()].copy_from_slice(to.as_bytes()));
    module
}
