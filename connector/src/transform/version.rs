//! A module in service: which one it is, and how it fares.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use sha2::{Digest, Sha256};

/// Digits of a digest that a person needs to tell versions apart: what log lines show.
const SHORT: usize = 12;

/// The sha256 of a module's bytes in hexadecimal: what it is known by.
pub fn digest_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One loading of a module. Its counts are over all tasks that run it; the same bytes loaded again begin to count anew.
#[derive(Debug)]
pub struct Version {
    digest: Arc<str>,
    name: Arc<str>,
    records: AtomicU64,
    errors: AtomicU64,
}

/// How a version has fared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records that it was given.
    pub records: u64,
    /// Those of them that it rejected, or whose lines were refused. Failures are not counted: a version on probation is compared with the
    /// one before on the very records.
    pub errors: u64,
}

// === impl Version ===

impl Version {
    /// A module with this sha256, in hexadecimal, that goes by this name.
    pub fn new(digest: &str, name: &str) -> Self {
        Self { digest: digest.into(), name: name.into(), records: AtomicU64::new(0), errors: AtomicU64::new(0) }
    }

    /// The sha256 of the module's bytes as they were given, in hexadecimal.
    pub fn digest(&self) -> &Arc<str> {
        &self.digest
    }

    /// The beginning of the digest.
    pub fn short_digest(&self) -> &str {
        self.digest.get(..SHORT).unwrap_or(&self.digest)
    }

    /// Where it came from: `builtin:<name>`, a path, or `sha256:<digest>`.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Counts records that it was given, and those that came to nothing in the transform or in the points stage.
    pub fn note(&self, records: u64, errors: u64) {
        self.records.fetch_add(records, Relaxed);
        self.note_errors(errors);
    }

    /// Counts records that were counted before and came to nothing later, as when InfluxDB refuses their lines.
    pub fn note_errors(&self, errors: u64) {
        if errors > 0 {
            self.errors.fetch_add(errors, Relaxed);
        }
    }

    /// What was counted so far.
    pub fn tally(&self) -> Tally {
        Tally { records: self.records.load(Relaxed), errors: self.errors.load(Relaxed) }
    }
}

// === impl Tally ===

impl Tally {
    /// The share of records that came to nothing; 0 of none.
    pub fn error_rate(self) -> f64 {
        if self.records == 0 { 0.0 } else { self.errors as f64 / self.records as f64 }
    }
}
