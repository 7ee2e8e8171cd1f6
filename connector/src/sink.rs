//! The sink stage: lines become request bodies, bodies become acknowledged writes.
//!
//! `assembler` merges the batches of all partitions into bodies (group commit, `body`), `lane` sends them and retries, `hunt` finds the lines
//! that are refused, `influx` is the HTTP client, `detect` finds out who answers, `verdict` says what an answer means.

pub mod assembler;
pub mod body;
pub mod detect;
pub mod hunt;
pub mod influx;
pub mod lane;
pub mod renew;
pub mod verdict;
