//! Partitions change their owner under load.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::support::influx::Database;
use crate::support::kafka::Topic;
use crate::support::points::{Record, SYMBOLS, feed};
use crate::support::sluice::{Connector, Sluice};

const PARTITIONS: usize = 12;

/// Some prices for every partition, each of which has a symbol of its own.
fn prices(per_partition: usize) -> Vec<Record> {
    feed(per_partition * PARTITIONS, 500, |record| ((record % PARTITIONS) as i32, SYMBOLS[record % PARTITIONS]))
}

/// Ends the load when dropped, also by a failure.
struct Loading<'a>(&'a AtomicBool);

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

fn has_written(sluice: &Sluice) -> Result<(), Option<f64>> {
    match sluice.metrics().find("sluice_points_written_total", &[]) {
        Some(points) if points > 0.0 => Ok(()),
        points => Err(points),
    }
}

// Vector pull request 26438: dropping an old partition's queue silenced the partition when it came back to the same consumer.
// Redpanda Connect pull request 4009: what was half batched when a partition was revoked was lost.
#[test]
fn a_process_joins_and_leaves_under_load_and_no_record_is_lost_and_no_partition_forgotten() {
    let topic = Topic::create("rebalance", PARTITIONS as i32);
    let database = Database::create("rebalance");
    // Small requests, so that there is work under way at every moment.
    let connector = Connector::new(&topic, "r").into_database(&database).set("batch.max.lines", "100");
    let loading = AtomicBool::new(true);
    let mut first = thread::scope(|scope| {
        let end_of_load = Loading(&loading);
        scope.spawn(|| {
            while loading.load(Ordering::Relaxed) {
                topic.produce(&prices(50));
            }
        });
        let mut first = Sluice::start(&[&connector]);
        first.until("the first points", has_written);
        let mut second = Sluice::start(&[&connector]);
        second.until("half of the partitions to move", |second| second.has_partitions(6.0));
        second.until("the second process to write", has_written);
        second.stop();
        first.until("all partitions to come back", |first| first.has_partitions(12.0));
        drop(end_of_load);
        first
    });

    // Everything that is consumed now comes through queues that were there before.
    topic.produce(&prices(100));
    let group = topic.group(&connector.name);
    first.until("every partition to be consumed afterwards", |_| group.at_end());
    first.stop();
    database.points().assert_equal(&topic.expected());
}
