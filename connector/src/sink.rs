//! The sink stage: lines become request bodies, bodies become acknowledged writes.
//!
//! `body` merges the batches of all partitions into bodies (group commit), `lane` sends them and retries, `influx` is the
//! HTTP client, `detect` finds out who answers, `verdict` says what an answer means.

pub mod body;
pub mod detect;
pub mod influx;
pub mod lane;
pub mod verdict;
