//! Hot swap: a new version of the transform takes over in a running connector, and every record is one version's.

mod by_file;
mod hundred;
mod rest;
mod stage;

use crate::support::swap::{Stage, digest, variant};
