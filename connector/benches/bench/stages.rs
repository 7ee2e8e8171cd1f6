//! Criterion on single stages: the columnar call of the transform beside the same code compiled natively, and the points stage.

use std::fs;
use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput};
use serde_json::{Map, Value};
use sluice_transform::columns::Instance;
use sluice_transform::testing;
use split_concat::SplitConcat;

use crate::{points, work};

/// Records per call: what a busy pipeline hands over, and what an idle one does.
const BATCHES: [usize; 3] = [10, 1_000, 4_096];

/// A full batch, of which sandbox and native are compared.
const COMPARED: usize = 4_096;

/// Runs all of them, and gives nanoseconds per record or line.
pub(crate) fn run() -> Value {
    let folder = tempfile::tempdir().unwrap();
    let mut criterion = Criterion::default().output_directory(folder.path());
    points::bench(&mut criterion);
    assembler(&mut criterion);
    transform(&mut criterion);
    criterion.final_summary();
    let all = estimates(folder.path());
    println!("\n| stage | ns per record |\n| --- | --- |");
    all.iter().for_each(|(name, ns)| println!("| {name} | {:.1} |", ns.as_f64().unwrap()));
    let of = |kind: &str| all[&format!("transform/split-concat {kind}/{COMPARED} records")].as_f64().unwrap();
    println!("| sandboxed to native | {:.2} |", of("sandboxed") / of("native"));
    all.into()
}

/// The points stage as the pipeline has it: a whole batch into a body.
fn assembler(criterion: &mut Criterion) {
    let batch = work::batch(COMPARED);
    let output = work::split_concat().run(&work::partition(), &batch).unwrap();
    let mut points = work::Points::new();
    let mut group = criterion.benchmark_group("points/batch to body");
    group.throughput(Throughput::Elements(COMPARED as u64));
    group.bench_function(format!("{COMPARED} records"), |bencher| {
        bencher.iter(|| points.append(black_box(&batch), black_box(&output)));
    });
    group.finish();
}

fn transform(criterion: &mut Criterion) {
    let (mut transform, partition) = (work::split_concat(), work::partition());
    let mut group = criterion.benchmark_group("transform/split-concat sandboxed");
    for records in BATCHES {
        let batch = work::batch(records);
        group.throughput(Throughput::Elements(records as u64));
        group.bench_function(format!("{records} records"), |bencher| {
            bencher.iter(|| transform.run(black_box(&partition), black_box(&batch)).unwrap());
        });
    }
    group.finish();
    let (mut native, _) = Instance::<SplitConcat>::configure(Vec::new()).unwrap();
    let mut group = criterion.benchmark_group("transform/split-concat native");
    for records in BATCHES {
        let prices: Vec<_> = work::prices(records).into_iter().map(testing::Record::value).collect();
        let batch = testing::batch(&prices);
        group.throughput(Throughput::Elements(records as u64));
        group.bench_function(format!("{records} records"), |bencher| {
            bencher.iter(|| native.transform(black_box(&batch)));
        });
    }
    group.finish();
}

/// What Criterion has left in its folder: nanoseconds of an iteration by the elements of it.
fn estimates(folder: &Path) -> Map<String, Value> {
    let read = |file: &Path| -> Value { serde_json::from_slice(&fs::read(file).unwrap()).unwrap() };
    let folders = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().join("new"));
    let mut all = Map::new();
    for group in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        for one in folders(&group).filter(|one| one.is_dir()) {
            let (about, estimates) = (read(&one.join("benchmark.json")), read(&one.join("estimates.json")));
            let elements = about["throughput"]["Elements"].as_f64().unwrap();
            let ns = estimates["median"]["point_estimate"].as_f64().unwrap() / elements;
            all.insert(about["full_id"].as_str().unwrap().to_owned(), ns.into());
        }
    }
    all
}
