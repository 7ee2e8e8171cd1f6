//! What is merely away is waited for, what is wrong holds the data: nothing is lost, and it goes on by itself.

use crate::support::influx::Database;
use crate::support::kafka::{Topic, unique};
use crate::support::own::OwnKafka;
use crate::support::points::{Points, feed};
use crate::support::proxy::Proxy;
use crate::support::scripted_influx::{Scripted, ScriptedInflux};
use crate::support::sluice::{Connector, Sluice};

const NUM_PRICES: usize = 10_000;

fn topic_with_prices(test: &str) -> Topic {
    let topic = Topic::create(test, 2);
    topic.produce(&feed(NUM_PRICES, 100, |number| ((number % 2) as i32, "BTC-USD")));
    topic
}

/// Waits until everything is committed, stops, and checks that each line came once.
fn arrives_once(mut sluice: Sluice, topic: &Topic, connector: &Connector, influx: &ScriptedInflux) {
    let group = topic.group(&connector.name);
    sluice.until("everything to be committed", |_| group.at_end());
    sluice.until("readiness", Sluice::ready);
    sluice.stop();
    Points::stored_in(influx).assert_equal(&topic.expected());
    assert_eq!(influx.seen(|seen| seen.lines), topic.expected().len(), "each line once");
}

#[test]
fn an_influxdb_that_starts_later_gets_everything() {
    let topic = topic_with_prices("later");
    let database = Database::create("later");
    let port = Proxy::closed();
    let url = format!("http://{}", port.address());
    let connector = Connector::new(&topic, "l").set("influx.url", &url).set("influx.database", &database.name);
    let mut sluice = Sluice::start(&[&connector]);
    let health = sluice.until("the outage to show", |sluice| match sluice.get_json("/health/ready") {
        (503, health) if health["tasks"][0]["state"] == "retrying" => Ok(health),
        other => Err(other),
    });
    let reason = health["tasks"][0]["reason"].as_str().unwrap();
    assert!(reason.contains(&url), "the reason says where nobody is: {reason}");
    assert_eq!(sluice.get("/health/live").status, 200, "a restart would not help");
    let group = topic.group(&connector.name);
    assert_eq!(group.committed().values().sum::<i64>(), 0);

    port.open(database.url.strip_prefix("http://").unwrap());
    sluice.until("everything to be committed", |_| group.at_end());
    sluice.until("readiness", Sluice::ready);
    sluice.stop();
    database.points().assert_equal(&topic.expected());
}

#[test]
fn an_overloaded_influxdb_is_tried_again_while_partitions_are_paused() {
    let topic = topic_with_prices("overload");
    let influx = ScriptedInflux::v1("prices");
    let connector = Connector::new(&topic, "o").into_scripted(&influx);
    influx.answer_always(Some(Scripted::new(503, "{\"error\":\"timeout\"}")));
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("three refusals", |_| match influx.seen(|seen| seen.writes) {
        3.. => Ok(()),
        fewer => Err(fewer),
    });
    sluice.until("the pause", |sluice| sluice.logged(&["partitions paused or resumed", "\"paused\":true"]));
    let metrics = sluice.metrics();
    assert!(metrics.sum("sluice_retries_total", &[]) >= 2.0, "{metrics:?}");
    assert!(metrics.sum("sluice_write_requests_total", &["outcome=\"transient\""]) >= 2.0, "{metrics:?}");
    assert_eq!(metrics.sum("sluice_points_written_total", &[]), 0.0);
    assert_eq!(topic.group(&connector.name).committed().values().sum::<i64>(), 0);

    // What comes meanwhile is fetched afterwards, without a gap.
    topic.produce(&feed(NUM_PRICES, 100, |number| ((number % 2) as i32, "ETH-USD")));
    influx.answer_always(None);
    sluice.until("the end of the pause", |sluice| sluice.logged(&["partitions paused or resumed", "\"paused\":false"]));
    arrives_once(sluice, &topic, &connector, &influx);
}

#[test]
fn an_influxdb_that_stands_still_is_waited_for_without_fetching() {
    let topic = topic_with_prices("still");
    let influx = ScriptedInflux::v1("prices");
    let connector = Connector::new(&topic, "s")
        .into_scripted(&influx)
        .set("batch.max.lines", "50")
        .set("influx.request.timeout.ms", "3600000");
    influx.answer_next([Scripted::hang().but_store()]);
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("the pause", |sluice| sluice.logged(&["partitions paused or resumed", "\"paused\":true"]));
    sluice.until("readiness", Sluice::ready);

    influx.release();
    sluice.until("the end of the pause", |sluice| sluice.logged(&["partitions paused or resumed", "\"paused\":false"]));
    let group = topic.group(&connector.name);
    sluice.until("everything to be committed", |_| group.at_end());
    sluice.stop();
    Points::stored_in(&influx).assert_equal(&topic.expected());
    // The server counts no lines of an answer that hung.
    assert_eq!(influx.seen(|seen| seen.lines), topic.expected().len() - 50, "each line once");
}

// Vector issue 24543: a token refused for a minute cost the data of that minute, and a restart.
#[test]
fn a_refused_token_holds_the_data_until_it_is_taken_again() {
    let topic = topic_with_prices("token");
    let influx = ScriptedInflux::v1("prices");
    let connector = Connector::new(&topic, "t").into_scripted(&influx);
    influx.answer_always(Some(Scripted::new(401, "{\"error\":\"authorization failed\"}")));
    let mut sluice = Sluice::start(&[&connector]);
    let health = sluice.until("the alarm", |sluice| match sluice.get_json("/health/ready") {
        (503, health) if health["tasks"][0]["state"] == "held" => Ok(health),
        other => Err(other),
    });
    let task = &health["tasks"][0];
    assert_eq!(task["connector"], connector.name);
    let reason = task["reason"].as_str().unwrap();
    assert!(reason.contains("401") && reason.contains("authorization failed"), "{reason}");
    let metrics = sluice.metrics();
    assert_eq!(metrics.sum("sluice_task_state", &["state=\"held\""]), 1.0);
    assert!(metrics.sum("sluice_write_requests_total", &["outcome=\"configuration\""]) >= 1.0);

    influx.answer_always(None);
    arrives_once(sluice, &topic, &connector, &influx);
}

#[test]
fn a_database_that_is_made_later_gets_everything() {
    let topic = topic_with_prices("nodb");
    let database = Database::unmade(&unique("nodb"));
    let connector = Connector::new(&topic, "d").into_database(&database);
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("the alarm", |sluice| match sluice.get_json("/health/ready") {
        (503, health)
            if health["tasks"][0]["reason"].as_str().is_some_and(|reason| reason.contains("database not found")) =>
        {
            Ok(())
        }
        other => Err(other),
    });
    database.make();
    let group = topic.group(&connector.name);
    sluice.until("everything to be committed", |_| group.at_end());
    sluice.stop();
    database.points().assert_equal(&topic.expected());
}

#[test]
fn a_kafka_that_goes_away_shows_in_the_state_until_it_is_back() {
    let kafka = OwnKafka::start(&[]);
    let topic = Topic::create_on(kafka.address(), "gone", 1);
    let influx = ScriptedInflux::v1("prices");
    let connector = Connector::new(&topic, "g").into_scripted(&influx);
    topic.produce(&feed(100, 10, |_| (0, "BTC-USD")));
    let mut sluice = Sluice::start_with(&[&connector], &["--bootstrap-servers", kafka.address()]);
    let group = topic.group(&connector.name);
    sluice.until("everything to be committed", |_| group.at_end());
    sluice.until("readiness", Sluice::ready);
    kafka.kill();
    sluice.until("the outage to show", |sluice| match sluice.get_json("/health/ready") {
        (503, health) if health["tasks"][0]["state"] == "retrying" => Ok(health),
        other => Err(other),
    });
    let reason = sluice.get_json("/health/ready").1["tasks"][0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains(kafka.address()) && reason.contains("can't be reached"), "{reason}");
    kafka.restart();
    sluice.until("readiness", Sluice::ready);
    topic.produce(&feed(100, 10, |_| (0, "ETH-USD")));
    arrives_once(sluice, &topic, &connector, &influx);
}

#[test]
fn a_kafka_that_is_not_there_is_waited_for_and_told_of() {
    let topic = Topic::create("nobroker", 1);
    let influx = ScriptedInflux::v1("prices");
    let connector = Connector::new(&topic, "b").into_scripted(&influx);
    let brokers = Proxy::closed().address();
    let mut sluice = Sluice::start_with(&[&connector], &["--bootstrap-servers", &brokers]);
    let warning = sluice.until("a warning", |sluice| sluice.logged(&["no answer from kafka", &brokers]));
    assert!(warning.contains("\"level\":\"WARN\"") && warning.contains("bootstrap.servers"), "{warning}");
    assert_eq!(sluice.get("/health/ready").status, 503);
    assert_eq!(sluice.get("/health/live").status, 200);
    sluice.stop();
}
