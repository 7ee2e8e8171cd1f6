//! Hot swap: a new version of the transform takes over in a running connector, tested before, and taken back if it turns out bad.
//!
//! A version is known by the sha256 of its bytes. New bytes come from the module's file (`watch`) or over REST. One thread a connector
//! (`controller`) takes them through the gates: policy (`policy`), structure and compilation (`transform::engine`), `configure`, and a
//! warm-up on the last records, compared with what the running version makes of them (`shadow`). Then each task changes at its own next
//! batch (`desk`), and the new version is on probation (`trial`). What has run is kept in the state folder (`history`, `store`).
//!
//! Nothing here runs on the data path but a look at the desk between two batches.

pub mod client;
pub mod controller;
pub mod desk;
pub mod gates;
pub mod history;
pub mod policy;
pub(crate) mod ring;
pub mod schema;
pub mod service;
pub mod shadow;
pub mod shelf;
pub mod shown;
pub mod start;
pub mod store;
pub mod trial;
pub mod watch;

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
