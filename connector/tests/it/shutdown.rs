//! However the process ends, what is committed is stored, and what is not committed comes again.

use std::collections::BTreeMap;

use crate::support::influx::Database;
use crate::support::kafka::Topic;
use crate::support::points::{Points, Record, feed};
use crate::support::scripted_influx::{Scripted, ScriptedInflux};
use crate::support::sluice::{Connector, Sluice};

/// The symbol tells the partition, so that points can be counted for each.
const SYMBOLS: [&str; 4] = ["P0", "P1", "P2", "P3"];

/// More than can be written before the stop, as each request holds 50 lines.
const NUM_PRICES: usize = 100_000;

fn load() -> Vec<Record> {
    feed(NUM_PRICES, 5_000, |number| ((number % 4) as i32, SYMBOLS[number % 4]))
}

/// Points by partition.
fn per_partition(points: &Points) -> BTreeMap<i32, i64> {
    let counts = points.per_field();
    SYMBOLS.iter().zip(0..).map(|(symbol, partition)| (partition, counts.get(symbol).copied().unwrap_or(0))).collect()
}

fn has_writes(influx: &ScriptedInflux) -> Result<(), &'static str> {
    if influx.seen(|seen| seen.writes) > 0 { Ok(()) } else { Err("no write") }
}

#[test]
fn sigterm_under_load_commits_exactly_what_influxdb_has() {
    let topic = Topic::create("sigterm", 4);
    let database = Database::create("sigterm");
    topic.produce(&load());
    let connector = Connector::new(&topic, "s").into_database(&database).set("batch.max.lines", "50");
    let group = topic.group(&connector.name);

    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("the first points", |_| if database.count() > 0 { Ok(()) } else { Err("none") });
    sluice.stop();
    let stored = database.points();
    assert!(stored.len() < NUM_PRICES, "it should have been stopped under way");
    assert_eq!(group.committed(), per_partition(&stored));

    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("the rest to be committed", |_| group.at_end());
    // What was written by the second run is exactly what the first one left: no gap, and nothing twice.
    assert_eq!(sluice.metrics().sum("sluice_points_written_total", &[]), (NUM_PRICES - stored.len()) as f64);
    sluice.stop();
    database.points().assert_equal(&topic.expected());
}

#[test]
fn a_restart_after_sigterm_sends_no_line_twice() {
    let topic = Topic::create("restart", 4);
    let influx = ScriptedInflux::v1("prices");
    topic.produce(&load());
    let connector = Connector::new(&topic, "s").into_scripted(&influx).set("batch.max.lines", "50");
    let group = topic.group(&connector.name);

    let mut stopped_at = Vec::new();
    for _ in 0..3 {
        let before = influx.seen(|seen| seen.lines);
        let mut sluice = Sluice::start(&[&connector]);
        sluice.until("more lines", |_| if influx.seen(|seen| seen.lines) > before { Ok(()) } else { Err(before) });
        sluice.stop();
        stopped_at.push(influx.seen(|seen| seen.lines));
        assert_eq!(group.committed().values().sum::<i64>(), influx.seen(|seen| seen.lines) as i64);
    }
    assert!(stopped_at[0] < NUM_PRICES, "it should have been stopped under way: {stopped_at:?}");
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("the rest to be committed", |_| group.at_end());
    sluice.stop();

    Points::stored_in(&influx).assert_equal(&topic.expected());
    assert_eq!(influx.seen(|seen| seen.lines), NUM_PRICES, "a line was sent twice");
}

#[test]
fn kill_9_between_store_and_answer_loses_nothing_and_writes_the_same_points_again() {
    let topic = Topic::create("kill", 4);
    let influx = ScriptedInflux::v1("prices");
    topic.produce(&feed(20_000, 5_000, |number| ((number % 4) as i32, SYMBOLS[number % 4])));
    // The group waits so long for the dead member: not the default 45 s.
    let connector = Connector::new(&topic, "k")
        .into_scripted(&influx)
        .set("batch.max.lines", "500")
        .set("consumer.override.session.timeout.ms", "6000");
    let group = topic.group(&connector.name);

    influx.answer_always(Some(Scripted::hang().but_store()));
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("a request that is stored and not answered", |_| has_writes(&influx));
    sluice.kill();
    let unanswered = Points::stored_in(&influx);
    assert!(unanswered.len() > 0);
    assert_eq!(group.committed().values().sum::<i64>(), 0, "nothing was acknowledged");

    influx.answer_always(None);
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("everything to be committed", |_| group.at_end());
    sluice.stop();
    assert_eq!(influx.seen(|seen| seen.lines), 20_000, "what was not answered was sent again");
    // The store overwrote each of them with itself.
    Points::stored_in(&influx).assert_equal(&topic.expected());
}

#[test]
fn a_second_sigterm_ends_at_once_and_commits_nothing_unacknowledged() {
    let topic = Topic::create("second", 1);
    let influx = ScriptedInflux::v1("prices");
    topic.produce(&feed(1_000, 100, |_| (0, "P0")));
    let connector = Connector::new(&topic, "s").into_scripted(&influx);

    influx.answer_always(Some(Scripted::hang()));
    let an_hour = [
        "--set",
        "task.shutdown.graceful.timeout.ms=3600000",
        "--bootstrap-servers",
        crate::support::services::kafka(),
    ];
    let mut sluice = Sluice::start_with(&[&connector], &an_hour);
    sluice.until("a request in flight", |_| has_writes(&influx));
    sluice.terminate();
    sluice.until("the first signal to be heard", |sluice| sluice.logged(&["a second signal ends at once"]));
    sluice.terminate();
    assert_eq!(sluice.wait(), Some(1));
    assert_eq!(topic.group(&connector.name).committed()[&0], 0);
}
