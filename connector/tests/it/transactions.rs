//! `isolation.level=read_committed`: a transaction's records count when it is committed, and never if it is not.

use crate::support::influx::Database;
use crate::support::kafka::{Topic, Transaction};
use crate::support::points::{Record, SYMBOLS, feed};
use crate::support::sluice::{Connector, Sluice};
use crate::support::wait::equal;

/// Prices, alternating between two partitions.
fn prices(num: usize) -> Vec<Record> {
    feed(num, 10, |number| ((number % 2) as i32, SYMBOLS[number % SYMBOLS.len()]))
}

fn lag(sluice: &Sluice) -> Option<f64> {
    sluice.metrics().find("sluice_lag_records", &[])
}

#[test]
fn records_of_an_aborted_transaction_never_reach_influxdb() {
    let topic = Topic::create("aborted", 2);
    let database = Database::create("aborted");
    topic.produce(&prices(100));
    Transaction::begin(&topic).produce(&prices(300)).abort();
    topic.produce(&prices(120));
    Transaction::begin(&topic).produce(&prices(200)).commit();
    Transaction::begin(&topic).produce(&prices(5_000)).abort();
    topic.produce(&prices(20));
    let expected = topic.expected();
    assert_eq!(expected.len(), 100 + 120 + 200 + 20, "a point for each that counts");

    let connector = Connector::new(&topic, "a").into_database(&database);
    let group = topic.group(&connector.name);
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("everything to be committed", |_| group.at_end());
    assert_eq!(sluice.metrics().sum("sluice_records_consumed_total", &[]), 440.0);

    // At the end of the partitions as well: what was aborted is no lag, to us or to whoever looks at the group.
    Transaction::begin(&topic).produce(&prices(400)).abort();
    sluice.until("the offsets to pass over the aborted records", |_| group.at_end());
    sluice.until("no lag", |sluice| equal(lag(sluice), &Some(0.0)));
    sluice.stop();
    database.points().assert_equal(&expected);
}

#[test]
fn an_open_transaction_is_waited_for_and_its_records_come_after_the_commit() {
    let topic = Topic::create("open", 2);
    let database = Database::create("open");
    topic.produce(&prices(100));
    let before = topic.expected();
    let open = Transaction::begin(&topic).produce(&prices(50));
    // These are committed, but behind records of which it is not known yet.
    topic.produce(&prices(80));

    let connector = Connector::new(&topic, "o").into_database(&database);
    let group = topic.group(&connector.name);
    let mut sluice = Sluice::start(&[&connector]);
    let at_transaction = [(0, 50), (1, 50)].into();
    sluice.until("what is before the transaction to be committed", |_| equal(group.committed(), &at_transaction));
    // What waits is lag: 50 records of the transaction, 80 behind it.
    sluice.until("the lag", |sluice| equal(lag(sluice), &Some(130.0)));
    assert_eq!(group.committed(), at_transaction);
    database.points().assert_equal(&before);

    open.commit();
    sluice.until("everything to be committed", |_| group.at_end());
    sluice.until("no lag", |sluice| equal(lag(sluice), &Some(0.0)));
    sluice.stop();
    assert_eq!(topic.expected().len(), 230);
    database.points().assert_equal(&topic.expected());
}
