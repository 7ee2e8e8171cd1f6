//! The work at which the stages of the data path are measured, by Criterion and by callgrind: prices of 18 bytes through split-concat.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice::batch::{Batch, Inputs, Record};
use sluice::config::{BatchConfig, ModuleRef, RequestsInFlight, Tiebreak};
use sluice::points::Stamper;
use sluice::record::TopicPartition;
use sluice::sink::assembler::{Appended, Assembler, Origin};
use sluice::transform::engine::Engine;
use sluice::transform::{Limits, Output, Transform, Version};

/// Milliseconds since 1970 of the first record.
const TIME_MS: i64 = 1_785_000_000_000;

/// So many records come in a millisecond.
const RECORDS_PER_MS: i64 = 100;

/// The headers of a record that has some.
const HEADERS: [(&[u8], &[u8]); 2] =
    [(b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-01"), (b"source", b"feed")];

/// The partition that all of it is from.
pub(crate) fn partition() -> TopicPartition {
    TopicPartition::new("prices", 3)
}

/// The values of so many records.
pub(crate) fn prices(records: usize) -> Vec<String> {
    (0..records).map(|n| format!("BTC-USD,{:05}.{:04}", 10_000 + n % 90_000, n % 10_000)).collect()
}

/// Puts records with these values into an empty batch, as the source does; with a key and headers if they are wanted.
pub(crate) fn fill(batch: &mut Batch, values: &[String], wanted: Inputs) {
    for (offset, value) in (0..).zip(values) {
        let timestamp = TIME_MS + offset / RECORDS_PER_MS;
        let record = Record { offset, timestamp, key: Some(b"BTC-USD"), value: Some(value.as_bytes()) };
        batch.push(&record, wanted);
        if wanted.headers {
            HEADERS.iter().for_each(|(name, value)| batch.push_header(name, Some(value)));
            batch.end_headers();
        }
        black_box(batch.is_full());
    }
}

/// A batch of so many records.
pub(crate) fn batch(records: usize) -> Batch {
    let mut batch = Batch::default();
    fill(&mut batch, &prices(records), Inputs::default());
    batch
}

/// An instance of split-concat in the sandbox.
pub(crate) fn split_concat() -> Transform {
    let module = Engine::new().load(&ModuleRef::Builtin("split-concat".to_owned())).unwrap();
    let limits = Limits { memory_max_bytes: 64 << 20, timeout: Duration::from_secs(60) };
    Transform::new(module, Vec::new(), limits).unwrap()
}

/// The points stage: a transform's output in, request bodies out.
pub(crate) struct Points {
    assembler: Assembler,
    stamper: Stamper,
    appended: Appended,
    partition: TopicPartition,
    version: Arc<Version>,
}

// === impl Points ===

impl Points {
    /// With bodies that no batch fills.
    pub(crate) fn new() -> Self {
        let config = BatchConfig {
            max_lines: NonZeroUsize::new(1_000_000).unwrap(),
            max_bytes: NonZeroUsize::new(100_000_000).unwrap(),
            linger: Duration::ZERO,
            requests_in_flight: RequestsInFlight::Auto,
        };
        let partition = partition();
        Self {
            assembler: Assembler::new(&config),
            stamper: Stamper::new(&partition.topic, partition.partition, Tiebreak::Offset),
            appended: Appended::default(),
            partition,
            version: Arc::new(Version::new("00ff", "bench")),
        }
    }

    /// Makes a body of a batch, and lets it go.
    pub(crate) fn append(&mut self, batch: &Batch, output: &Output) {
        let Self { partition, version, .. } = self;
        let origin = Origin { partition, slot: 0, generation: 1, version, records: None };
        self.assembler.append(origin, (batch, output), false, &mut self.stamper, &mut self.appended);
        let (body, _) = self.assembler.next(Instant::now(), false).expect("it has every line of the batch");
        assert_eq!(body.lines(), batch.len());
        black_box(body);
    }
}
