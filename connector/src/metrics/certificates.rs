//! Until when the certificates are valid that the worker's settings name. The files are read when Prometheus asks: they may be
//! replaced while the worker runs, and what counts is what is there now.

use std::path::PathBuf;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::family::{Described, Family, Samples};
use crate::{certificate, files};

const EXPIRY: Family = Family::gauge(
    "sluice_certificate_expiry_timestamp_seconds",
    "When the certificate in a file that the worker's settings name ends, in seconds since 1970; of authorities the last one.",
);

/// The largest file that is read.
const BYTES_MAX: u64 = 1 << 20;

/// A file with certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFile {
    /// The worker's setting that names it.
    pub setting: &'static str,
    /// Where it is.
    pub path: PathBuf,
    /// Whether it holds authorities, instead of a chain whose first certificate is the worker's own.
    pub authorities: bool,
}

/// Shows them.
pub(super) struct CertificateCollector {
    desc: Desc,
    files: Vec<CertificateFile>,
}

/// What the collector shows.
pub(super) fn families() -> Vec<Described> {
    vec![Described::new(EXPIRY, &["path", "setting"])]
}

// === impl CertificateFile ===

impl CertificateFile {
    /// What can't be read has no end that could be told; whoever uses the file says what is wrong with it.
    fn not_after(&self) -> Option<u64> {
        let pem = files::read_regular(&self.path, BYTES_MAX).ok()?;
        if self.authorities { certificate::last_not_after(&pem) } else { certificate::first_not_after(&pem) }
    }
}

// === impl CertificateCollector ===

impl CertificateCollector {
    pub(super) fn new(files: Vec<CertificateFile>) -> Self {
        Self { desc: families()[0].desc(), files }
    }
}

impl Collector for CertificateCollector {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut samples = Samples::new(EXPIRY);
        for file in &self.files {
            if let Some(not_after) = file.not_after() {
                let path = file.path.to_string_lossy();
                samples.value(&[("path", path.as_ref()), ("setting", file.setting)], not_after as f64);
            }
        }
        vec![samples.into_family()]
    }
}
