//! Hot swap: a new version of the transform takes over in a running connector, and every record is one version's.

mod by_file;
mod cli;
mod kill;
mod rest;
mod restart;
mod signals;
mod stage;

use crate::support::swap::{Stage, digest, variant};
