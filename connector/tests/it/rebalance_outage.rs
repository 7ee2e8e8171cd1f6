//! Partitions change their owner while the store is away.

use crate::support::kafka::Topic;
use crate::support::points::{Points, Record, SYMBOLS, feed};
use crate::support::scripted_influx::{Scripted, ScriptedInflux};
use crate::support::services;
use crate::support::sluice::{Connector, Sluice};

const PARTITIONS: usize = 4;

/// Some prices for every partition, each of which has a symbol of its own.
fn prices(per_partition: usize) -> Vec<Record> {
    feed(per_partition * PARTITIONS, 100, |record| ((record % PARTITIONS) as i32, SYMBOLS[record % PARTITIONS]))
}

/// A process that gives partitions back soon, although what is under way can't be written.
fn start(connector: &Connector) -> Sluice {
    let arguments = ["--bootstrap-servers", services::kafka(), "--set", "task.shutdown.graceful.timeout.ms=500"];
    Sluice::start_with(&[connector], &arguments)
}

// librdkafka keeps a partition's pause when the partition goes to another consumer: it came back paused, and nobody resumed it.
#[test]
fn a_partition_revoked_during_an_outage_is_read_again_when_it_comes_back() {
    let topic = Topic::create("revoked", PARTITIONS as i32);
    let influx = ScriptedInflux::v1("prices");
    let connector = Connector::new(&topic, "r").into_scripted(&influx);
    let group = topic.group(&connector.name);
    let mut first = start(&connector);
    first.until("all partitions", |first| first.has_partitions(4.0));

    influx.answer_always(Some(Scripted::new(503, "{\"error\":\"timeout\"}")));
    topic.produce(&prices(500));
    first.until("the pause", |first| first.logged(&["partitions paused or resumed", "\"paused\":true"]));
    let mut second = start(&connector);
    second.until("half of the partitions to move", |second| second.has_partitions(2.0));
    first.until("half of the partitions to stay", |first| first.has_partitions(2.0));

    influx.answer_always(None);
    first.until("the end of the pause", |first| {
        first.logged(&["partitions paused or resumed", "\"paused\":false"]) //
    });
    first.until("the records of the outage to be committed", |_| group.at_end());
    second.stop();
    first.until("all partitions to come back", |first| first.has_partitions(4.0));

    topic.produce(&prices(700));
    first.until("every partition to be consumed again", |_| group.at_end());
    first.stop();
    Points::stored_in(&influx).assert_equal(&topic.expected());
}
