//! Life in a group by each of Kafka's ways of sharing partitions.

use crate::support::influx::Database;
use crate::support::kafka::Topic;
use crate::support::points::{Record, SYMBOLS, feed};
use crate::support::sluice::{Connector, Sluice};

const PARTITIONS: usize = 6;

/// Some prices for every partition, each of which has a symbol of its own.
fn prices(per_partition: usize) -> Vec<Record> {
    feed(per_partition * PARTITIONS, 100, |record| ((record % PARTITIONS) as i32, SYMBOLS[record % PARTITIONS]))
}

/// How a process leaves the group.
#[derive(Clone, Copy)]
enum Leaving {
    Stopped,
    Killed,
}

/// Two processes with `first` and `second` join, share, one leaves, and the other takes all over: nothing is lost, nothing forgotten.
fn share_and_take_over(test: &str, [first, second]: [&[(&str, &str)]; 2], leaving: Leaving) {
    let topic = Topic::create(test, PARTITIONS as i32);
    let database = Database::create(test);
    let plain = Connector::new(&topic, "g").into_database(&database).set("batch.max.lines", "50");
    let with = |settings: &[(&str, &str)]| {
        settings.iter().fold(plain.clone(), |connector, (key, value)| {
            connector.set(&format!("consumer.override.{key}"), *value) //
        })
    };
    let group = topic.group(&plain.name);
    topic.produce(&prices(200));
    let mut first = Sluice::start(&[&with(first)]);
    first.until("all partitions", |first| first.has_partitions(6.0));
    let mut second = Sluice::start(&[&with(second)]);
    second.until("half of the partitions to move", |second| second.has_partitions(3.0));
    first.until("half of the partitions to stay", |first| first.has_partitions(3.0));
    topic.produce(&prices(300));
    first.until("everything to be committed by both", |_| group.at_end());

    topic.produce(&prices(300));
    match leaving {
        Leaving::Stopped => second.stop(),
        Leaving::Killed => second.kill(),
    }
    first.until("all partitions to come back", |first| first.has_partitions(6.0));
    topic.produce(&prices(100));
    first.until("every partition to be consumed afterwards", |_| group.at_end());
    first.stop();
    database.points().assert_equal(&topic.expected());
}

const SHORT_SESSION: (&str, &str) = ("session.timeout.ms", "6000");
const COOPERATIVE: (&str, &str) = ("partition.assignment.strategy", "cooperative-sticky");
const EAGER: (&str, &str) = ("partition.assignment.strategy", "range");

/// Coming from another consumer under the same group is when this happens.
#[test]
fn a_group_that_shares_in_another_way_is_told_of_and_joined_once_it_is_empty() {
    let topic = Topic::create("otherway", 1);
    let database = Database::create("otherway");
    let connector = Connector::new(&topic, "g").into_database(&database);
    let other = connector.clone().set("consumer.override.partition.assignment.strategy", "range");
    let mut first = Sluice::start(&[&other]);
    first.until("the partition", |first| first.has_partitions(1.0));
    let mut second = Sluice::start(&[&connector]);
    second.until("the alarm", |second| match second.ready() {
        Err(said) if said.contains("\"state\":\"held\"") && said.contains("partition.assignment.strategy") => Ok(()),
        seen => Err(seen),
    });
    first.stop();
    second.until("the partition to come", |second| second.has_partitions(1.0));
    second.until("readiness", Sluice::ready);
    topic.produce(&feed(100, 10, |_| (0, "BTC-USD")));
    let group = topic.group(&connector.name);
    second.until("everything to be committed", |_| group.at_end());
    second.stop();
}

#[test]
fn a_cooperative_group_takes_over_from_a_killed_process() {
    share_and_take_over("coop", [&[SHORT_SESSION, COOPERATIVE]; 2], Leaving::Killed);
}

#[test]
fn an_eager_group_takes_over_from_a_stopped_process() {
    share_and_take_over("eager", [&[EAGER]; 2], Leaving::Stopped);
}

#[test]
fn an_eager_group_takes_over_from_a_killed_process() {
    share_and_take_over("eagerkill", [&[SHORT_SESSION, EAGER]; 2], Leaving::Killed);
}

#[test]
fn a_static_group_takes_over_from_a_process_that_stays_away() {
    let [first, second] = [("group.instance.id", "one"), ("group.instance.id", "two")];
    // A static member does not say good-bye: stopped or killed, the group waits for its session.
    let [first, second] = [[SHORT_SESSION, first], [SHORT_SESSION, second]];
    share_and_take_over("static", [&first, &second], Leaving::Stopped);
}

// KIP-848: the brokers assign.
#[test]
fn a_group_of_the_consumer_protocol_takes_over_from_a_stopped_process() {
    share_and_take_over("kip848", [&[("group.protocol", "consumer")]; 2], Leaving::Stopped);
}

#[test]
fn a_static_member_that_restarts_in_time_leaves_the_other_alone() {
    let topic = Topic::create("instance", PARTITIONS as i32);
    let database = Database::create("instance");
    // Two tasks share one id in the settings.
    let connector = |id: &str| {
        let connector = Connector::new(&topic, "i").into_database(&database).set("tasks.max", "2");
        connector.set("consumer.override.group.instance.id", id)
    };
    let group = topic.group(&connector("one").name);
    topic.produce(&prices(100));
    let mut first = Sluice::start(&[&connector("one")]);
    let mut second = Sluice::start(&[&connector("two")]);
    let count = |sluice: &Sluice| {
        let metrics = sluice.metrics();
        let of = |task| metrics.find("kafka_connect_sink_task_partition_count", &[task]).unwrap_or_default();
        [of("task=\"0\""), of("task=\"1\"")]
    };
    // A task without partitions has only just come: the group would share them anew, also without a restart.
    let shared = |first: &Sluice, second: &Sluice| {
        let all = [count(first), count(second)].concat();
        if all.iter().all(|&of_task| of_task >= 1.0) && all.iter().sum::<f64>() == 6.0 { Ok(()) } else { Err(all) }
    };
    first.until("four tasks to share the partitions", |first| shared(first, &second));
    first.until("everything to be committed", |_| group.at_end());
    first.until("every task of the one to run", Sluice::ready);
    second.until("every task of the other to run", Sluice::ready);
    let before = first.assignments();

    let had = count(&second);
    second.stop();
    let mut second = Sluice::start(&[&connector("two")]);
    second.until("its partitions again", |second| if count(second) == had { Ok(()) } else { Err(count(second)) });
    topic.produce(&prices(100));
    second.until("everything to be committed", |_| group.at_end());
    assert_eq!(first.assignments(), before, "no partition of the other process was moved");
    first.stop();
    second.stop();
    database.points().assert_equal(&topic.expected());
}

#[test]
fn a_process_whose_static_id_is_taken_fails_and_says_so() {
    let topic = Topic::create("fenced", 2);
    let database = Database::create("fenced");
    let connector = Connector::new(&topic, "f").into_database(&database);
    let connector = connector.set("consumer.override.group.instance.id", "same");
    let mut first = Sluice::start(&[&connector]);
    first.until("all partitions", |first| first.has_partitions(2.0));
    let second = Sluice::start(&[&connector]);
    assert_eq!(first.wait(), Some(1));
    first.logged(&["task failed", "group.instance.id=same-0", "${env:HOSTNAME}"]).unwrap();
    second.stop();
}
