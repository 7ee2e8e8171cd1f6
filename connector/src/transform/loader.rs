//! Loading a module by all its gates: structure, compiler, world. Also where its bytes come from.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use super::code_cache::{CodeCache, Key};
use super::compile::{self, Compiler};
use super::engine::{Engine, Module};
use super::load_error::{LoadError, Refusal};
use super::loads::{Begin, Linked, Loads};
use super::structure::{self, Structure, StructureError};
use super::{builtin, world};
use crate::config::ModuleRef;
use crate::stop::Stop;

/// Loads modules. Cheap to clone, and may be shared between threads.
#[derive(Debug, Clone)]
pub struct Loader {
    engine: Engine,
    compiler: Arc<Compiler>,
    cache: Option<CodeCache>,
    loads: Option<Loads>,
    stop: Stop,
}

/// A module that has passed, and what that took.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The module.
    pub module: Module,
    /// What it is made of.
    pub structure: Structure,
    /// Whether its machine code came from the cache.
    pub cached: bool,
    /// How long each step took.
    pub took: Steps,
}

/// The steps of loading.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Steps {
    /// Counting what it is made of.
    pub structure: Duration,
    /// Compiling, or finding the machine code in the cache and checking it.
    pub compile: Duration,
    /// Checking imports and exports, and linking.
    pub world: Duration,
}

// === impl Loader ===

impl Loader {
    /// A loader that compiles with `compiler` and keeps machine code in `cache`, if there is one.
    pub fn new(engine: Engine, compiler: Compiler, cache: Option<CodeCache>) -> Self {
        Self { engine, compiler: Arc::new(compiler), cache, loads: None, stop: Stop::default() }
    }

    /// The same, sharing machine code with the other loaders of `loads`, and waiting for its turn to start a compiler. All of them have to be of
    /// one engine.
    #[must_use]
    pub fn among(mut self, loads: Loads) -> Self {
        self.loads = Some(loads);
        self
    }

    /// The same, giving up what a child compiles as soon as `stop` is said.
    #[must_use]
    pub fn until(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// The engine for which it loads.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Loads a component, or a core module that carries wit-bindgen's component type, from its bytes. `name` is for messages.
    ///
    /// # Errors
    ///
    /// If it is not WebAssembly, has too much of something, does not compile within the compiler's limits or is no transform; the
    /// message says which, and what to do. A cache that can't be used is no error: it is warned of.
    pub fn load(&self, name: &str, bytes: &[u8]) -> Result<Loaded, LoadError> {
        let mut clock = Instant::now();
        let mut lap = || {
            let now = Instant::now();
            now - std::mem::replace(&mut clock, now)
        };
        let structure = gate(name, bytes)?;
        let structure_took = lap();
        let digest = digest(bytes);
        let (linked, cached, world_took) = self.linked(name, &digest, bytes)?;
        let compile_took = lap().saturating_sub(world_took);
        let module = Module::new(self.engine.clone(), name, &digest, linked);
        let took = Steps { structure: structure_took, compile: compile_took, world: world_took };
        Ok(Loaded { module, structure, cached, took })
    }

    /// Loads what `transform.module` names.
    ///
    /// # Errors
    ///
    /// As [`Loader::load`], or if the bytes can't be had.
    pub fn load_ref(&self, module: &ModuleRef) -> Result<Loaded, LoadError> {
        let (name, bytes) = read(module)?;
        self.load(&name, &bytes)
    }

    /// The module's machine code, linked; whether it was there, and how long linking took.
    fn linked(&self, name: &str, digest: &str, bytes: &[u8]) -> Result<(Arc<Linked>, bool, Duration), LoadError> {
        let there = |linked| Ok((linked, true, Duration::ZERO));
        let Some(loads) = &self.loads else {
            let (component, cached) = self.component(name, digest, bytes)?;
            let (linked, took) = self.link(name, &component)?;
            return Ok((Arc::new(linked), cached, took));
        };
        if let Some(linked) = loads.find(digest) {
            return there(linked);
        }
        // What is kept needs no compiler, and so no turn.
        let (component, cached, turn) = match self.kept(digest) {
            Some(component) => (component, true, None),
            None if *self.compiler == Compiler::InProcess => (self.compile(name, digest, bytes)?, false, None),
            None => match loads.begin(digest, &self.stop) {
                None => return Err(LoadError::Stopped { name: name.to_owned() }),
                Some(Begin::There(linked)) => return there(linked),
                Some(Begin::Turn(turn)) => {
                    let (component, cached) = self.component(name, digest, bytes)?;
                    (component, cached, Some(turn))
                }
            },
        };
        let (linked, took) = self.link(name, &component)?;
        let linked = loads.share(digest, linked);
        // Not before it is shared: who waits is to find it.
        drop(turn);
        Ok((linked, cached, took))
    }

    fn link(&self, name: &str, component: &Component) -> Result<(Linked, Duration), LoadError> {
        let started = Instant::now();
        let linked = world::link(self.engine.wasmtime(), component)
            .map_err(|reason| LoadError::World { name: name.to_owned(), reason: super::host::printable(&reason) })?;
        Ok((linked, started.elapsed()))
    }

    /// The compiled module, and whether the cache had it.
    fn component(&self, name: &str, digest: &str, bytes: &[u8]) -> Result<(Component, bool), LoadError> {
        match self.kept(digest) {
            Some(component) => Ok((component, true)),
            None => Ok((self.compile(name, digest, bytes)?, false)),
        }
    }

    /// What the cache has.
    fn kept(&self, digest: &str) -> Option<Component> {
        let engine = self.engine.wasmtime();
        self.cache.as_ref().and_then(|cache| cache.component(engine, &Key::new(digest, engine)))
    }

    /// Compiles a module, and keeps its machine code.
    fn compile(&self, name: &str, digest: &str, bytes: &[u8]) -> Result<Component, LoadError> {
        let engine = self.engine.wasmtime();
        let key = Key::new(digest, engine);
        let failed = |error: wasmtime::Error| Refusal::Compile(format!("{error:#}")).of(name);
        let component = match &*self.compiler {
            Compiler::InProcess => {
                let component = compile::component_of(engine, bytes).map_err(|refusal| refusal.of(name))?;
                let component = Component::from_binary(engine, &component).map_err(failed)?;
                if let Some(cache) = &self.cache {
                    cache.keep(&key, &component.serialize().map_err(failed)?);
                }
                component
            }
            Compiler::Child { program, limits } => {
                let code = compile::in_child(program, limits, &self.stop, name, bytes)?;
                let component = deserialize(engine, &code).map_err(failed)?;
                if let Some(cache) = &self.cache {
                    cache.keep(&key, &code);
                }
                component
            }
        };
        Ok(component)
    }
}

/// The name and the bytes of what `transform.module` names.
///
/// # Errors
///
/// If there is no such transform or file, or the file can't be read or is too large.
pub fn read(module: &ModuleRef) -> Result<(String, Cow<'static, [u8]>), LoadError> {
    match module {
        ModuleRef::Builtin(name) => {
            let bytes = builtin::find(name)
                .ok_or_else(|| LoadError::UnknownBuiltin { name: name.clone(), known: builtin::names() })?;
            Ok((format!("builtin:{name}"), Cow::Borrowed(bytes)))
        }
        ModuleRef::Path(path) => Ok((path.display().to_string(), Cow::Owned(read_file(path)?))),
        ModuleRef::Digest(digest) => Err(LoadError::UnknownDigest { digest: digest.clone() }),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let mut bytes = Vec::new();
    // It may grow meanwhile.
    file.take(structure::BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    let bytes_read = bytes.len() as u64;
    if bytes_read > structure::BYTES_MAX {
        return Err(LoadError::TooLarge { path: path.to_owned(), bytes: size.max(bytes_read) });
    }
    Ok(bytes)
}

/// Everything that is looked at before a compiler is asked.
fn gate(name: &str, bytes: &[u8]) -> Result<Structure, LoadError> {
    let name = || name.to_owned();
    if !wasmparser::Parser::is_component(bytes) && !wasmparser::Parser::is_core_wasm(bytes) {
        return Err(LoadError::NotWasm { name: name(), start: start_of(bytes) });
    }
    structure::check(bytes).map_err(|error| match error {
        StructureError::TooMany { .. } => LoadError::Structure { name: name(), excess: Box::new(error) },
        StructureError::Malformed { .. } => {
            LoadError::Compile { name: name(), reason: super::host::printable(&error.to_string()) }
        }
    })
}

/// The sha256 of a module's bytes, by which it is known, in lower-case hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first bytes of a file, for a message.
fn start_of(bytes: &[u8]) -> String {
    match bytes.get(..bytes.len().min(16)) {
        None | Some([]) => "nothing (it is empty)".to_owned(),
        Some(start) => format!("\"{}\"", start.escape_ascii()),
    }
}

/// Makes a component of machine code. `code` must come from our own compiler: there are two callers, for what a child has just
/// written to our pipe, and for what the cache has verified.
///
/// # Errors
///
/// If it was compiled for another engine.
#[expect(unsafe_code, reason = "wasmtime can't check machine code; where ours comes from is argued below")]
pub(super) fn deserialize(engine: &wasmtime::Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the code was made by `precompile_component` or `serialize` of this program: it came over the pipe of a child that is
    // this program, or out of a file in a folder that only this user may look into or change, opened without following links, with the
    // checksum that we wrote (`code_cache`). No bytes that somebody gave us as a module, or that lie where others may write, come
    // here. Whether it fits the engine (wasmtime's version, processor, settings) is checked by `deserialize` itself.
    unsafe { Component::deserialize(engine, code) }
}
