//! What the tests share.

use std::path::Path;

pub(crate) mod dead_records;
pub(crate) mod guests;
pub(crate) mod http;
pub(crate) mod influx;
pub(crate) mod kafka;
pub(crate) mod letters;
pub(crate) mod load;
pub(crate) mod metrics;
pub(crate) mod own;
pub(crate) mod points;
pub(crate) mod prometheus;
pub(crate) mod proxy;
pub(crate) mod scripted_influx;
pub(crate) mod services;
pub(crate) mod sluice;
pub(crate) mod swap;
pub(crate) mod victoria;
pub(crate) mod wait;
pub(crate) mod worker;

/// Where the repository is.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
