//! `make cost`: what the stages of the data path take per record in instructions and allocations, compared with `benches/cost.json`.
//!
//! Instructions, unlike time, are the same on a busy machine: a change that makes a stage dearer by more than [`TOLERANCE`] fails here. One that
//! makes it cheaper fails as well, until `make cost ARGS=--write` keeps the new counts, so that what was won is not lost again unseen.
//! The program runs itself under callgrind, once for each stage.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a check of the project's own: it stops at the first surprise and prints its table"
)]

#[path = "cost/callgrind.rs"]
mod callgrind;
#[path = "work.rs"]
mod work;

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use serde::{Deserialize, Serialize};
use sluice::batch::{BATCH_MAX_RECORDS, Batch, Inputs};

/// The counts that hold.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/cost.json");

/// Its name, for messages.
const SHOWN: &str = "cost.json";

/// How far instructions may be from what the file says.
const TOLERANCE: f64 = 0.05;

/// How far allocations may be: growing a buffer in one step more is nothing, one for each record would be thousands.
const ALLOCATIONS: f64 = 5.0;

/// Full batches that go through a stage before it is counted, and while it is.
const BATCHES: usize = 8;

/// Instructions and allocations of the data path's stages.
#[derive(Debug, Parser)]
struct Options {
    /// Keep what was counted as what holds from now on.
    #[arg(long)]
    write: bool,
    /// Run one stage, to be counted.
    #[arg(long, hide = true)]
    stage: Option<Stage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// Records into the columns of a batch.
    Batch,
    /// The same with keys and headers.
    KeysAndHeaders,
    /// The columnar call of split-concat, and the checks of what comes back.
    Transform,
    /// Its lines with timestamps into a request body.
    Points,
}

/// What a stage takes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Cost {
    instructions_per_record: f64,
    /// Of the host; a guest's own allocator is among its instructions.
    allocations_per_batch: f64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(stage) = options.stage {
        run(stage);
        return ExitCode::SUCCESS;
    }
    if !is_machine_of_the_file() {
        println!("cost: the counts are those of x86-64 with AVX2, which this machine is not: nothing to compare");
        return ExitCode::SUCCESS;
    }
    let names = Stage::value_variants().iter().map(|stage| name(*stage));
    let now: BTreeMap<_, _> = names.map(|name| (name.clone(), count(&name))).collect();
    if options.write {
        fs::write(FILE, serde_json::to_string_pretty(&now).unwrap() + "\n").unwrap();
    }
    compare(&serde_json::from_slice(&fs::read(FILE).unwrap()).unwrap(), &now)
}

/// The scanner and the machine code of guests are chosen by what the processor can do.
fn is_machine_of_the_file() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

fn name(stage: Stage) -> String {
    stage.to_possible_value().expect("no stage is hidden").get_name().to_owned()
}

fn count(stage: &str) -> Cost {
    let counted = callgrind::count("cost::measured", &["--stage", stage]);
    let tenths = |value: f64| (value * 10.0).round() / 10.0;
    Cost {
        instructions_per_record: tenths(counted.instructions as f64 / (BATCHES * BATCH_MAX_RECORDS) as f64),
        allocations_per_batch: tenths(counted.allocations as f64 / BATCHES as f64),
    }
}

fn compare(kept: &BTreeMap<String, Cost>, now: &BTreeMap<String, Cost>) -> ExitCode {
    let mut differs = kept.len() != now.len();
    println!("{:<18} {:>26} {:>26}", "stage", "instructions per record", "allocations per batch");
    for (stage, cost) in now {
        let Some(before) = kept.get(stage) else {
            println!("{stage}: not in {}", SHOWN);
            differs = true;
            continue;
        };
        let ratio = cost.instructions_per_record / before.instructions_per_record;
        let more = cost.allocations_per_batch - before.allocations_per_batch;
        let same = (ratio - 1.0).abs() <= TOLERANCE && more.abs() <= ALLOCATIONS;
        differs |= !same;
        println!(
            "{stage:<18} {:>26} {:>26}{}",
            format!("{:.1} → {:.1}", before.instructions_per_record, cost.instructions_per_record),
            format!("{:.1} → {:.1}", before.allocations_per_batch, cost.allocations_per_batch),
            if same { "" } else { "  differs" }
        );
    }
    if differs {
        println!(
            "cost: a stage takes more than {:.0} % more or fewer instructions than {} says, or differs by more than {ALLOCATIONS:.0} allocations.\n\
             If that is meant, keep the new counts by `make cost ARGS=--write` and say in the commit what they are for.",
            TOLERANCE * 100.0,
            SHOWN
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// A stage with all that it needs, warmed up, so that buffers have the size that they keep.
fn run(stage: Stage) {
    let prices = work::prices(BATCH_MAX_RECORDS);
    let with_keys = Inputs { keys: true, headers: true, ..Inputs::default() };
    let (full, partition) = (work::batch(BATCH_MAX_RECORDS), work::partition());
    let mut batch = Batch::default();
    let mut fill = |wanted| {
        batch.clear();
        work::fill(&mut batch, black_box(&prices), wanted);
    };
    let twice = |work: &mut dyn FnMut()| {
        (0..BATCHES).for_each(|_| work());
        measured(work);
    };
    match stage {
        Stage::Batch => twice(&mut || fill(Inputs::default())),
        Stage::KeysAndHeaders => twice(&mut || fill(with_keys)),
        Stage::Transform => {
            let mut transform = work::split_concat();
            twice(&mut || drop(black_box(transform.run(&partition, black_box(&full)).unwrap())));
        }
        Stage::Points => {
            let output = work::split_concat().run(&partition, &full).unwrap();
            let mut points = work::Points::new();
            twice(&mut || points.append(black_box(&full), black_box(&output)));
        }
    }
}

/// What is counted, by its name.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    (0..BATCHES).for_each(|_| work());
}
