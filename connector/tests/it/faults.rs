//! Whatever is killed or cut off, every record is stored, and nothing is committed before it is.

use crate::support::forward::ClosedPort;
use crate::support::influx::Database;
use crate::support::kafka::Topic;
use crate::support::own::{OwnInflux, OwnKafka};
use crate::support::points::feed;
use crate::support::sluice::{Connector, Sluice};

#[test]
fn own_services_keep_their_data_over_a_kill_9() {
    let door = ClosedPort::choose();
    let (kafka, influx) = (OwnKafka::start_behind(&door), OwnInflux::start(&[]));
    let proxied = door.address();
    door.open(kafka.extra());
    let topic = Topic::create_on(kafka.address(), "own", 2);
    let database = Database::create_on(influx.url(), "own");
    topic.produce(&feed(1_000, 100, |number| ((number % 2) as i32, "BTC-USD")));
    kafka.kill();
    influx.kill();
    kafka.restart();
    influx.restart();
    let connector = Connector::new(&topic, "o").into_database(&database);
    let mut sluice = Sluice::start_with(&[&connector], &["--bootstrap-servers", &proxied]);
    let group = topic.group(&connector.name);
    sluice.until("everything to be committed", |_| group.at_end());
    sluice.stop();
    database.points().assert_equal(&topic.expected());
}
