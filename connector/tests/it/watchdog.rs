//! A consumer that stands still although there is something to read is told of and replaced.

use crate::support::influx::Database;
use crate::support::kafka::{Topic, Transaction};
use crate::support::own::OwnKafka;
use crate::support::points::feed;
use crate::support::proxy::{Fault, Proxy};
use crate::support::sluice::{Connector, Sluice};

/// Kafka's api key of a request for records.
const FETCH: &[i16] = &[1];

// Redpanda Connect issue 4648, Vector issue 26438, Telegraf issue 9856: «it silently stopped».
#[test]
fn a_partition_that_stands_still_is_told_of_and_its_consumer_replaced() {
    let proxy = Proxy::closed_for_kafka();
    stands_still(&proxy, &proxy.address(), |connector| connector);
}

#[test]
fn the_brokers_asked_are_those_that_the_connector_reads_from() {
    let proxy = Proxy::closed_for_kafka();
    let others = Proxy::closed();
    stands_still(&proxy, &others.address(), |connector| {
        connector.set("consumer.override.bootstrap.servers", proxy.address())
    });
}

/// Keeps records from a connector that reads through `proxy`, of a worker whose own brokers are these.
fn stands_still(proxy: &Proxy, brokers: &str, set: impl FnOnce(Connector) -> Connector) {
    let kafka = OwnKafka::start_behind(proxy, &[]);
    proxy.open(kafka.extra());
    let topic = Topic::create_on(kafka.address(), "stall", 2);
    let database = Database::create("stall");
    let connector = set(Connector::new(&topic, "s").into_database(&database).set("stall.timeout.ms", "1500"));
    topic.produce(&feed(100, 10, |number| ((number % 2) as i32, "BTC-USD")));
    let mut sluice = Sluice::start_with(&[&connector], &["--bootstrap-servers", brokers]);
    let group = topic.group(&connector.name);
    sluice.until("the first records to be read", |_| group.at_end());

    // The member stays in its group, its heartbeats are answered; only records never come.
    proxy.fault(Fault::SwallowKafka(FETCH));
    topic.produce(&feed(100, 10, |number| ((number % 2) as i32, "ETH-USD")));
    let health = sluice.until("the alarm", |sluice| match sluice.get_json("/health/ready") {
        (503, health) if health["tasks"][0]["reason"].as_str().is_some_and(|why| why.contains("stall.timeout.ms")) => {
            Ok(health)
        }
        other => Err(other),
    });
    assert!(health["tasks"][0]["reason"].as_str().unwrap().contains(&topic.name), "{health}");
    let line = sluice.logged(&["partition stands still", "\"level\":\"WARN\""]).unwrap();
    assert!(line.contains(&topic.name) && line.contains("\"end\":100"), "{line}");
    assert!(sluice.metrics().sum("sluice_stalls_total", &[]) >= 1.0);

    proxy.fault(Fault::None);
    sluice.until("everything to be read", |_| group.at_end());
    sluice.until("readiness", Sluice::ready);
    sluice.stop();
    database.points().assert_equal(&topic.expected());
}

/// Runs a connector until its watchdog has looked several times, and expects that it finds nothing.
fn finds_nothing(connector: &Connector) {
    let mut sluice = Sluice::start(&[connector]);
    let looks = |sluice: &Sluice| sluice.log().matches("watchdog asks").count();
    sluice.until("some looks of the watchdog", |sluice| if looks(sluice) >= 5 { Ok(()) } else { Err(looks(sluice)) });
    assert_eq!(sluice.metrics().sum("sluice_stalls_total", &[]), 0.0, "{}", sluice.log());
    sluice.stop();
}

fn impatient(topic: &Topic, database: &Database) -> Connector {
    Connector::new(topic, "q").into_database(database).set("stall.timeout.ms", "1500")
}

#[test]
fn a_reader_of_what_is_new_that_finds_nothing_new_is_no_stall() {
    let topic = Topic::create("latest", 1);
    let database = Database::create("latest");
    topic.produce(&feed(100, 10, |_| (0, "BTC-USD")));
    finds_nothing(&impatient(&topic, &database).set("consumer.override.auto.offset.reset", "latest"));
}

#[test]
fn a_partition_whose_rest_was_cut_off_is_no_stall() {
    let topic = Topic::create("rest", 1);
    let database = Database::create("rest");
    let connector = impatient(&topic, &database);
    topic.produce(&feed(100, 10, |_| (0, "BTC-USD")));
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("the first records to be read", |_| topic.group(&connector.name).at_end());
    sluice.stop();
    topic.produce(&feed(50, 10, |_| (0, "ETH-USD")));
    topic.cut_off(150);
    finds_nothing(&connector);
}

#[test]
fn a_partition_that_ends_in_what_is_no_record_is_no_stall() {
    let topic = Topic::create("noend", 1);
    let database = Database::create("noend");
    let connector = impatient(&topic, &database);
    topic.produce(&feed(100, 10, |_| (0, "BTC-USD")));
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("the first records to be read", |_| topic.group(&connector.name).at_end());
    sluice.stop();
    Transaction::begin(&topic).produce(&feed(50, 10, |_| (0, "ETH-USD"))).abort();
    finds_nothing(&connector);
}

#[test]
fn a_topic_that_is_read_to_its_end_is_no_stall() {
    let topic = Topic::create("quiet", 2);
    let database = Database::create("quiet");
    let connector = Connector::new(&topic, "q").into_database(&database).set("stall.timeout.ms", "3000");
    topic.produce(&feed(100, 10, |_| (0, "BTC-USD")));
    let group = topic.group(&connector.name);
    // The second start has read nothing itself: what is committed counts.
    for _ in 0..2 {
        let mut sluice = Sluice::start(&[&connector]);
        sluice.until("everything to be committed", |_| group.at_end());
        let looks = |sluice: &Sluice| sluice.log().matches("watchdog asks").count();
        sluice
            .until("some looks of the watchdog", |sluice| if looks(sluice) >= 4 { Ok(()) } else { Err(looks(sluice)) });
        assert_eq!(sluice.metrics().sum("sluice_stalls_total", &[]), 0.0);
        sluice.stop();
    }
}
