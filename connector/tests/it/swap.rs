//! Hot swap: a new version of the transform takes over in a running connector, and every record is one version's.

mod barrier;
mod by_file;
mod canary;
mod cli;
mod hundred;
mod kill;
mod letters;
mod logs;
mod look;
mod on_request;
mod probation;
mod promotion;
mod rest;
mod restart;
mod signals;
mod stage;
mod superseding;
mod takes_over;

use crate::support::swap::{Stage, digest, variant};
