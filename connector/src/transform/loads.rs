//! What the connectors of a process have loaded, and whose turn it is to compile: a hundred connectors that start at once with one module
//! compile it once and hold its machine code once, and no more compilers run at a time than there are cores.
//!
//! A turn counts for a while only. A module that keeps its compiler busy for a minute goes on being compiled, within its own limits, but
//! whoever comes behind does not wait for that.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use wasmtime::component::InstancePre;

use super::host::HostState;
use crate::stop::Stop;

/// How long a compiler counts. An ordinary module takes a tenth of it.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often it is asked whether whoever waits is to stop.
const STOP_POLL: Duration = Duration::from_millis(20);

/// A module's machine code, linked: an instance is microseconds away.
pub(super) type Linked = InstancePre<HostState>;

/// The loads of a process. Clones are the same.
#[derive(Clone)]
pub struct Loads {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    changed: Condvar,
    compilers_max: usize,
    patience: Duration,
}

#[derive(Default)]
struct State {
    turns: Vec<Arc<Begun>>,
    /// What somebody holds, by the module's digest.
    loaded: HashMap<String, Weak<Linked>>,
}

/// A compiler at work.
#[derive(Debug)]
struct Begun {
    digest: String,
    since: Instant,
}

/// How a load goes on.
pub(super) enum Begin<'a> {
    /// Somebody has loaded it meanwhile.
    There(Arc<Linked>),
    /// Compile it. The turn ends when this is dropped.
    Turn(Turn<'a>),
}

/// Somebody's turn to compile.
pub(super) struct Turn<'a> {
    loads: &'a Loads,
    begun: Arc<Begun>,
}

// === impl Loads ===

impl Default for Loads {
    fn default() -> Self {
        Self::new()
    }
}

impl Loads {
    /// Of an engine: what one has linked another can't run.
    pub fn new() -> Self {
        Self::with(thread::available_parallelism().map_or(1, usize::from), PATIENCE)
    }

    fn with(compilers_max: usize, patience: Duration) -> Self {
        let inner = Inner { state: Mutex::default(), changed: Condvar::new(), compilers_max, patience };
        Self { inner: Arc::new(inner) }
    }

    /// The module of this digest, if somebody holds it.
    pub(super) fn find(&self, digest: &str) -> Option<Arc<Linked>> {
        self.lock().find(digest)
    }

    /// Waits until it is the caller's turn to compile, or somebody else has done it. `None` if `stop` is said before.
    pub(super) fn begin(&self, digest: &str, stop: &Stop) -> Option<Begin<'_>> {
        let mut state = self.lock();
        loop {
            if let Some(linked) = state.find(digest) {
                return Some(Begin::There(linked));
            }
            let now = Instant::now();
            if may_begin(&state.turns, digest, now, (self.inner.compilers_max, self.inner.patience)) {
                let begun = Arc::new(Begun { digest: digest.to_owned(), since: now });
                state.turns.push(Arc::clone(&begun));
                return Some(Begin::Turn(Turn { loads: self, begun }));
            }
            if stop.is_set() {
                return None;
            }
            let waited = self.inner.changed.wait_timeout(state, STOP_POLL);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Lets others have what was loaded. Gives back what is to be used: that of whoever was first.
    pub(super) fn share(&self, digest: &str, linked: Linked) -> Arc<Linked> {
        let mut state = self.lock();
        if let Some(first) = state.find(digest) {
            return first;
        }
        let linked = Arc::new(linked);
        state.loaded.retain(|_, held| held.strong_count() > 0);
        state.loaded.insert(digest.to_owned(), Arc::downgrade(&linked));
        drop(state);
        self.inner.changed.notify_all();
        linked
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Loads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loads").field("compilers_max", &self.inner.compilers_max).finish_non_exhaustive()
    }
}

/// Whether a module may be compiled now, beside those that are. One that takes long counts no more.
fn may_begin(turns: &[Arc<Begun>], digest: &str, now: Instant, (max, patience): (usize, Duration)) -> bool {
    let mut counting = turns.iter().filter(|begun| now.saturating_duration_since(begun.since) < patience);
    let same = counting.clone().any(|begun| begun.digest == digest);
    !same && counting.nth(max.saturating_sub(1)).is_none()
}

// === impl State ===

impl State {
    fn find(&self, digest: &str) -> Option<Arc<Linked>> {
        self.loaded.get(digest)?.upgrade()
    }
}

// === impl Turn ===

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.loads.lock().turns.retain(|begun| !Arc::ptr_eq(begun, &self.begun));
        self.loads.inner.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::compile::Compiler;
    use crate::transform::engine::Engine;
    use crate::transform::load_error::LoadError;
    use crate::transform::loader::Loader;
    use crate::transform::{builtin, loader};

    /// Longer than any test.
    const LONG: Duration = Duration::from_secs(3600);

    fn begun(turns: &[(&str, u64)], start: Instant) -> Vec<Arc<Begun>> {
        let begun =
            |&(digest, at): &(&str, u64)| Begun { digest: digest.to_owned(), since: start + Duration::from_secs(at) };
        turns.iter().map(|turn| Arc::new(begun(turn))).collect()
    }

    #[test]
    fn as_many_compile_as_may_each_module_once_and_slow_ones_count_no_more() {
        let start = Instant::now();
        for (turns, digest, may) in [
            (&[][..], "a", true),
            (&[("a", 9)], "b", true),
            (&[("a", 9)], "a", false),
            (&[("a", 9), ("b", 9)], "c", false),
            (&[("a", 0), ("b", 9)], "c", true),
            (&[("a", 0), ("b", 0), ("c", 0)], "a", true),
            (&[("a", 0), ("b", 8), ("c", 9)], "d", false),
        ] {
            let now = start + Duration::from_secs(10);
            let found = may_begin(&begun(turns, start), digest, now, (2, Duration::from_secs(5)));
            assert_eq!(found, may, "{digest} beside {turns:?}");
        }
    }

    #[test]
    fn a_turn_that_ends_makes_room_for_one_that_waits() {
        let loads = Loads::with(1, LONG);
        let Some(Begin::Turn(turn)) = loads.begin("a", &Stop::default()) else { panic!("nobody is before it") };
        thread::scope(|scope| {
            let others: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| matches!(loads.begin("b", &Stop::default()), Some(Begin::Turn(_)))))
                .collect();
            assert_eq!(loads.lock().turns.len(), 1, "the others wait");
            drop(turn);
            assert!(others.into_iter().all(|other| other.join().unwrap()));
        });
        assert!(loads.lock().turns.is_empty());
    }

    #[test]
    fn who_is_told_to_stop_waits_no_more() {
        let (loads, stop) = (Loads::with(1, LONG), Stop::default());
        let _turn = loads.begin("a", &stop);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| loads.begin("a", &stop).is_none());
            stop.set();
            assert!(waiting.join().unwrap());
        });
    }

    /// A loader whose compiler is not there.
    fn helpless(engine: &Engine, loads: &Loads) -> Loader {
        let program = "/nonexistent/compiler".into();
        Loader::new(engine.clone(), Compiler::Child { program, limits: crate::config::CompileLimits::default() }, None)
            .among(loads.clone())
    }

    #[test]
    fn what_one_has_compiled_the_others_have_as_long_as_somebody_holds_it() {
        let (engine, loads) = (Engine::new(), Loads::with(1, LONG));
        let bytes = builtin::find("split-concat").unwrap();
        let compiles = Loader::new(engine.clone(), Compiler::InProcess, None).among(loads.clone());
        let Some(Begin::Turn(turn)) = loads.begin(&loader::digest(bytes), &Stop::default()) else {
            panic!("it is first")
        };
        thread::scope(|scope| {
            let others: Vec<_> = (0..4).map(|_| scope.spawn(|| helpless(&engine, &loads).load("x", bytes))).collect();
            let first = compiles.load("builtin:split-concat", bytes).unwrap();
            drop(turn);
            for other in others {
                let other = other.join().unwrap().unwrap();
                assert!(other.cached && !first.cached);
                assert_eq!((other.module.name(), other.module.digest()), ("x", first.module.digest()));
                assert!(!Arc::ptr_eq(other.module.version(), first.module.version()), "each counts its own records");
            }
        });
        let gone = helpless(&engine, &loads).load("x", bytes);
        assert!(matches!(gone, Err(LoadError::Compiler { .. })), "{gone:?}");
    }
}
