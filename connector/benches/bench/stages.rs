//! Criterion on single stages: the columnar call of the transform, the points stage.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use sluice::batch::{Batch, Inputs, Record};
use sluice::config::ModuleRef;
use sluice::record::TopicPartition;
use sluice::transform::engine::Engine;
use sluice::transform::{Limits, Transform};

use crate::points;

/// Records per call: what a busy pipeline hands over, and what an idle one does.
const BATCHES: [usize; 3] = [10, 1_000, 4_096];

pub(crate) fn run() {
    let mut criterion = Criterion::default();
    points::bench(&mut criterion);
    transform(&mut criterion);
    criterion.final_summary();
}

fn transform(criterion: &mut Criterion) {
    let module = Engine::new().load(&ModuleRef::Builtin("split-concat".to_owned())).unwrap();
    let limits = Limits { memory_max_bytes: 64 << 20, timeout: Duration::from_secs(1) };
    let mut transform = Transform::new(module, Vec::new(), limits).unwrap();
    let partition = TopicPartition::new("prices", 0);
    let mut group = criterion.benchmark_group("transform/split-concat");
    for records in BATCHES {
        let mut batch = Batch::default();
        for offset in 0..records as i64 {
            let value = format!("BTC-USD,{:05}.{:04}", 10_000 + offset % 90_000, offset % 10_000);
            let record = Record { offset, timestamp: 1_700_000_000_000, key: None, value: Some(value.as_bytes()) };
            batch.push(&record, Inputs::default());
        }
        group.throughput(Throughput::Elements(records as u64));
        group.bench_function(format!("{records} records"), |bencher| {
            bencher.iter(|| transform.run(black_box(&partition), black_box(&batch)).unwrap());
        });
    }
    group.finish();
}
