//! The model test: what decides about records (assignment, ledger, assembler, verdict, hunt, claims, back-off) runs for real, against a
//! model of Kafka and InfluxDB and a random schedule of what can happen to a task.
//!
//! Answers come late, out of order, wrong, or not at all although the lines were stored; partitions are revoked with and without time to
//! finish, lost, worked on by somebody else and given back; commits are refused; dead letters arrive in any order, twice, or not yet; the
//! process dies. The invariants are checked at every step, where they could break:
//!
//! - I1 at each commit: every record below it is decided (`world`);
//! - I2 and I5 by the ledger, which refuses what is received or completed twice; and no good record ever gets a dead letter, no record
//!   that is rejected before the sink is ever written, no record gets two letters in one assignment;
//! - I3 at each commit: the partition is owned;
//! - I4 at each request: bodies keep to their limits, requests and letters to theirs (`task`);
//! - the hunt keeps to its bounds on requests and on how often a line is sent.
//!
//! After a schedule everything works again for a while, and then every record has to be decided and committed.
//!
//! A failure prints its seed, the command that runs it alone, and the steps. `SLUICE_MODEL_SCHEDULES` sets another number of schedules.
//! What is not here: the transform's own failures (`salvage`), and librdkafka; both are tested against real parts.

mod influx;
mod schedule;
mod task;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use schedule::Schedule;

/// Schedules of each test in `make test`: a third of a millisecond each without optimisation.
const SCHEDULES: u64 = 100_000;

#[test]
fn with_a_dead_letter_topic_every_record_has_one_fate_whatever_happens() {
    run_all(true);
}

#[test]
fn with_discarding_every_record_has_one_fate_whatever_happens() {
    run_all(false);
}

fn run_all(letters: bool) {
    let variable = |name| std::env::var(name).ok().map(|text: String| text.parse::<u64>().unwrap());
    if let Some(seed) = variable("SLUICE_MODEL_SEED") {
        return Schedule::new(seed, letters, true).run();
    }
    for seed in 0..variable("SLUICE_MODEL_SCHEDULES").unwrap_or(SCHEDULES) {
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| Schedule::new(seed, letters, false).run())) else { continue };
        eprintln!("model: schedule {seed} failed; its steps:");
        let _ = catch_unwind(AssertUnwindSafe(|| Schedule::new(seed, letters, true).run()));
        eprintln!("replay it: SLUICE_MODEL_SEED={seed} cargo test -p sluice --lib model -- --nocapture");
        resume_unwind(panic);
    }
}
