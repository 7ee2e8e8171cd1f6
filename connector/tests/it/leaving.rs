//! A task that is stopped while it joins its group leaves it, however slowly brokers answer: otherwise the group would wait for it, and
//! everybody who joins with it, until its session is over.

use std::thread;
use std::time::Duration;

use crate::support::influx::Database;
use crate::support::kafka::Topic;
use crate::support::own::OwnKafka;
use crate::support::points::feed;
use crate::support::proxy::{Fault, Proxy};
use crate::support::sluice::{Connector, Sluice};
use crate::support::worker::{expect, path};

/// Kafka's api keys of the two requests of a member that joins.
const JOIN_GROUP: &[i16] = &[11];
const SYNC_GROUP: &[i16] = &[14];

/// How long brokers take for an answer: less than `task.shutdown.graceful.timeout.ms`, and more than librdkafka's own patience.
const SLOWNESS: Duration = Duration::from_secs(3);

/// Starts tasks whose requests of this kind are held, restarts them meanwhile, and waits until the next ones read.
fn is_restarted_while_held(kafka: &OwnKafka, proxy: &Proxy, api_keys: &'static [i16]) {
    let topic = Topic::create_on(kafka.address(), "leaving", 2);
    let database = Database::create("leaving");
    // A session lasts longer than the test waits for anything. One task alone would not wait for one whose place is only promised to it.
    let connector = Connector::new(&topic, "l")
        .into_database(&database)
        .set("tasks.max", "2")
        .set("consumer.override.session.timeout.ms", "300000");
    topic.produce(&feed(100, 10, |number| ((number % 2) as i32, "BTC-USD")));
    let held = proxy.held();
    proxy.fault(Fault::HoldKafka(api_keys));
    let mut sluice = Sluice::start_with(&[&connector], &["--bootstrap-servers", &proxy.address()]);
    sluice.until("the request to be held", |_| if proxy.held() > held { Ok(()) } else { Err(()) });
    expect(&sluice, 202, "POST", &path(&connector, "/restart?includeTasks=true"), None);
    // Not a wait for something, but what the brokers do.
    thread::sleep(SLOWNESS);
    proxy.fault(Fault::None);

    let group = topic.group(&connector.name);
    sluice.until("the next tasks to read everything", |_| group.at_end());
    sluice.stop();
    database.points().assert_equal(&topic.expected());
}

#[test]
fn a_task_restarted_while_it_joins_keeps_nobody_waiting() {
    let proxy = Proxy::closed_for_kafka();
    let kafka = OwnKafka::start_behind(&proxy, &[]);
    proxy.open(kafka.extra());
    is_restarted_while_held(&kafka, &proxy, JOIN_GROUP);
    is_restarted_while_held(&kafka, &proxy, SYNC_GROUP);
}
