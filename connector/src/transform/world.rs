//! The last gate of loading: whether a component is a transform, and its imports linked.

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre, Linker};

use super::host::{self, ConfigureParams, ConfigureResult, HostState, TransformParams, TransformResult};

/// The interface, as its names stand in a component.
pub(super) const PACKAGE: &str = "sluice:transform";

/// The log import, of any version that [`check`] lets through.
const LOG_INTERFACE: &str = "sluice:transform/log@";

/// The major version of the interface that this host accepts.
const ACCEPTED_MAJOR: &str = "1";

/// How many exports a message names.
const NAMED_MAX: usize = 5;

/// Checks that `component` imports only what we give and exports what we call, and links it.
///
/// # Errors
///
/// The import or export at fault, in words.
pub(super) fn link(engine: &wasmtime::Engine, component: &Component) -> Result<InstancePre<HostState>, String> {
    check(engine, component)?;
    linked(engine, component).map_err(|error| format!("{error:#}"))
}

/// Imports only what we give, exports what we call, of an interface version that we speak.
fn check(engine: &wasmtime::Engine, component: &Component) -> Result<(), String> {
    let ty = component.component_type();
    for (import, _) in ty.imports(engine) {
        let (interface, version) = import.split_once('@').unwrap_or((import, ""));
        let ours = interface.strip_prefix(PACKAGE).is_some_and(|rest| rest.starts_with('/'));
        if ours && version.split('.').next() != Some(ACCEPTED_MAJOR) {
            return Err(format!("it was built for {PACKAGE}@{version}, this Sluice accepts {ACCEPTED_MAJOR}.x"));
        }
        if !ours && !interface.starts_with("wasi:") {
            return Err(format!("it imports `{import}`, and a transform may import nothing but {PACKAGE}/log"));
        }
    }
    let function = |name: &str| match ty.get_export(engine, name).map(|export| export.ty) {
        Some(ComponentItem::ComponentFunc(function)) => Ok(function),
        Some(_) => Err(format!("its export `{name}` is not a function")),
        None => Err(format!("it has no export `{name}`, {}", exports(engine, component))),
    };
    let wrong = |name: &str, error: wasmtime::Error| format!("its export `{name}` has another type: {error:#}");
    let types = ty.instance_type();
    (function("configure")?.typecheck::<ConfigureParams<'_>, ConfigureResult>(&types))
        .map_err(|error| wrong("configure", error))?;
    (function("transform")?.typecheck::<TransformParams<'_>, TransformResult>(&types))
        .map_err(|error| wrong("transform", error))
}

/// What is exported instead of what was looked for.
fn exports(engine: &wasmtime::Engine, component: &Component) -> String {
    let ty = component.component_type();
    let names: Vec<String> = ty.exports(engine).take(NAMED_MAX + 1).map(|(name, _)| format!("`{name}`")).collect();
    match names.len() {
        0 => "nor any other".to_owned(),
        1..=NAMED_MAX => format!("but {}", names.join(", ")),
        _ => format!("but {} and others", names[..NAMED_MAX].join(", ")),
    }
}

/// WASI may be linked, because some toolchains can't leave it out, and has nothing in it: whoever calls it traps.
fn linked(engine: &wasmtime::Engine, component: &Component) -> wasmtime::Result<InstancePre<HostState>> {
    let mut linker = Linker::new(engine);
    let ty = component.component_type();
    for (import, _) in ty.imports(engine).filter(|(import, _)| import.starts_with(LOG_INTERFACE)) {
        // Under the very name that the guest has for it: a trap defined below would win over a similar one.
        host::link_log(&mut linker, import)?;
    }
    linker.allow_shadowing(true);
    linker.define_unknown_imports_as_traps(component)?;
    linker.instantiate_pre(component)
}
