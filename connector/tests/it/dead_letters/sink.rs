//! Lines that InfluxDB refuses: found, sent to the dead-letter topic, and nothing else with them.

use crate::support::influx::Database;
use crate::support::kafka::Topic;
use crate::support::letters::{Letter, LetterTopic};
use crate::support::points::{LONG_AGO_MS, Points, Record, feed};
use crate::support::scripted_influx::{Scripted, ScriptedInflux};
use crate::support::sluice::{Connector, Sluice};

/// A thousand prices in one body, and one line of another type at offset 637.
fn a_thousand_and_one(topic: &Topic) {
    topic.produce(&feed(637, 100, |_| (0, "BTC-USD")));
    topic.produce(&[Record::other(0, LONG_AGO_MS, Some("XRP-USD,0.5"))]);
    topic.produce(&feed(363, 100, |_| (0, "ETH-USD")));
}

/// The letter of that line, and the bound on the requests that found it.
fn check_letter(letters: &LetterTopic, sluice: &Sluice, most_requests: f64) {
    let all = letters.wait_for(1);
    assert_eq!((all[0].origin(), all[0].value.as_deref()), ((0, 637), Some(&b"XRP-USD,0.5"[..])));
    assert_eq!(all[0].header("sluice.stage"), "sink");
    assert_eq!(all[0].header("__connect.errors.stage"), "TASK_PUT");
    assert!(all[0].header("sluice.line").starts_with("cryptos XRP-USD=0.5 17000000000"), "{:?}", all[0]);
    let reason = all[0].header("sluice.reason");
    assert!(["conflict", "column type"].iter().any(|word| reason.contains(word)), "{reason}");
    let metrics = sluice.metrics();
    let requests = metrics.sum("sluice_bisect_requests_total", &[]);
    assert!(requests <= most_requests, "{requests} requests to find a line");
    assert_eq!(metrics.sum("sluice_points_written_total", &[]), 1_000.0);
}

// KIP-610; Telegraf drops the whole batch on InfluxDB 2 and the line's neighbours on others.
#[test]
fn one_bad_line_in_a_thousand_is_the_only_one_missing_in_a_real_influxdb() {
    let topic = Topic::create("onebad", 1);
    let letters = LetterTopic::unmade("onebad");
    let database = Database::create("onebad");
    // In the shard of the prices this field holds text, so a number is refused.
    database.write(&format!("cryptos XRP-USD=\"text\" {}", LONG_AGO_MS * 1_000_000));
    let connector = Connector::new(&topic, "o").into_database(&database).with_letters(&letters);
    a_thousand_and_one(&topic);
    let mut sluice = Sluice::start(&[&connector]);
    let group = topic.group(&connector.name);
    sluice.until("everything to be committed", |_| group.at_end());
    // 2·log₂ 1001, whatever the bodies were.
    check_letter(&letters, &sluice, 20.0);
    sluice.stop();
    let mut points = database.points();
    points.0.retain(|(field, _), _| field != "XRP-USD");
    points.assert_equal(&topic.expected());
}

#[test]
fn one_bad_line_in_a_thousand_is_the_only_one_missing_in_influxdb_2_and_3() {
    for version in ["2", "3"] {
        let influx = match version {
            "2" => ScriptedInflux::v2("org", "prices", "secret"),
            _ => ScriptedInflux::v3("prices", "secret"),
        };
        let topic = Topic::create("onebad23", 1);
        let letters = LetterTopic::unmade("onebad23");
        influx.store(&format!("cryptos XRP-USD=\"text\" {}\n", LONG_AGO_MS * 1_000_000));
        let connector = Connector::new(&topic, "o")
            .into_scripted(&influx)
            .set("influx.org", "org")
            .set("influx.bucket", "prices")
            .set("influx.token", "secret")
            .with_letters(&letters);
        a_thousand_and_one(&topic);
        let mut sluice = Sluice::start(&[&connector]);
        let group = topic.group(&connector.name);
        sluice.until("everything to be committed", |_| group.at_end());
        check_letter(&letters, &sluice, if version == "3" { 0.0 } else { 20.0 });
        sluice.stop();
        let mut stored = influx.points();
        for fields in stored.get_mut("cryptos").unwrap().values_mut() {
            fields.remove("XRP-USD");
        }
        let points = Points::of(stored);
        points.assert_equal(&topic.expected());
    }
}

#[test]
fn lines_that_one_body_cannot_hold_are_sent_in_halves() {
    let topic = Topic::create("large", 1);
    let letters = LetterTopic::unmade("large");
    let influx = ScriptedInflux::v1("prices");
    influx.refuse_larger_than(4_000);
    let connector = Connector::new(&topic, "l").into_scripted(&influx).with_letters(&letters);
    topic.produce(&feed(5_000, 100, |_| (0, "BTC-USD")));
    topic.produce(&[Record::other(0, LONG_AGO_MS, Some(&format!("{},1", "X".repeat(5_000))))]);
    topic.produce(&feed(500, 100, |_| (0, "ETH-USD")));
    let mut sluice = Sluice::start(&[&connector]);
    let group = topic.group(&connector.name);
    sluice.until("everything to be committed", |_| group.at_end());
    let refused = influx.seen(|seen| seen.statuses.iter().filter(|&&status| status == 413).count());
    assert!(refused < 40, "{refused} requests were too large: what is too large should be known after the first");
    sluice.stop();
    Points::stored_in(&influx).assert_equal(&topic.expected());
    let all = letters.all();
    assert_eq!(all.iter().map(Letter::origin).collect::<Vec<_>>(), [(0, 5_000)]);
    assert_eq!(all[0].header("__connect.errors.exception.class.name"), "TooLarge");
}

// InfluxDB 3.6 to 3.9 drops the connection over some refused lines, however often they are sent.
#[test]
fn a_line_that_breaks_the_server_is_found_and_its_neighbours_are_stored() {
    let topic = Topic::create("breaks", 1);
    let letters = LetterTopic::unmade("breaks");
    let influx = ScriptedInflux::v1("prices");
    influx.answer_when("XRP-USD", Scripted::new(500, "{\"error\":\"panic in the handler\"}"));
    let connector = Connector::new(&topic, "b").into_scripted(&influx).with_letters(&letters);
    topic.produce(&feed(20, 100, |_| (0, "BTC-USD")));
    topic.produce(&[Record::other(0, LONG_AGO_MS, Some("XRP-USD,0.5"))]);
    topic.produce(&feed(20, 100, |_| (0, "ETH-USD")));
    let mut sluice = Sluice::start(&[&connector]);
    let group = topic.group(&connector.name);
    sluice.until("everything to be committed", |_| {
        group.at_end().map_err(|found| (found, influx.seen(|seen| seen.statuses.clone())))
    });
    sluice.stop();
    assert_eq!(letters.all().iter().map(Letter::origin).collect::<Vec<_>>(), [(0, 20)]);
    Points::stored_in(&influx).assert_equal(&topic.expected());
}
