//! Loading a module: cold, by a child that compiles it, and warm, out of the cache of machine code.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice::config::{CompileLimits, ModuleRef};
use sluice::transform::code_cache::CodeCache;
use sluice::transform::compile::Compiler;
use sluice::transform::engine::Engine;
use sluice::transform::loader::{self, Loaded, Loader};

use crate::figures::median;

/// How often each is measured, in turns. The median is printed.
const ROUNDS: usize = 15;

/// One load and how long it took.
struct Load {
    total: Duration,
    loaded: Loaded,
}

pub(crate) fn run() -> Value {
    let (name, module) = loader::read(&ModuleRef::Builtin("split-concat".to_owned())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let compiler = Compiler::Child { program: env!("CARGO_BIN_EXE_sluice").into(), limits: CompileLimits::default() };
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    let engine = Engine::new();
    for round in 0..ROUNDS {
        let cache = CodeCache::open(&folder.path().join(round.to_string())).unwrap();
        let loader = Loader::new(engine.clone(), compiler.clone(), Some(cache));
        for loads in [&mut cold, &mut warm] {
            let started = Instant::now();
            let loaded = loader.load(&name, &module).unwrap();
            loads.push(Load { total: started.elapsed(), loaded });
        }
    }
    assert!(cold.iter().all(|load| !load.loaded.cached) && warm.iter().all(|load| load.loaded.cached));
    println!("\nloading {name} ({} bytes), median of {ROUNDS} rounds, ms:", module.len());
    println!("{:<28} {:>9} {:>9} {:>9} {:>9}", "", "structure", "compile", "world", "total");
    for (name, loads) in [("cold, compiled by a child", &cold), ("warm, from the cache", &warm)] {
        let step = |step: fn(&Load) -> Duration| median_ms(loads, step);
        println!(
            "{name:<28} {:>9.2} {:>9.2} {:>9.2} {:>9.2}",
            step(|load| load.loaded.took.structure),
            step(|load| load.loaded.took.compile),
            step(|load| load.loaded.took.world),
            step(|load| load.total),
        );
    }
    let total = |loads| median_ms(loads, |load| load.total);
    println!("cold / warm: {:.1}", total(&cold) / total(&warm));
    json!({ "cold_ms": total(&cold), "warm_ms": total(&warm) })
}

fn median_ms(loads: &[Load], of: fn(&Load) -> Duration) -> f64 {
    median(loads.iter().map(|load| of(load).as_secs_f64() * 1e3))
}
