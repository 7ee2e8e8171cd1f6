//! `errors.budget.*`: too many refused records stop the task, though each alone is borne.

use crate::support::influx::Database;
use crate::support::kafka::Topic;
use crate::support::letters::{Letter, LetterTopic};
use crate::support::points::{LONG_AGO_MS, Record};
use crate::support::sluice::{Connector, Sluice};

fn bad(count: usize) -> Vec<Record> {
    (0..count).map(|_| Record::other(0, LONG_AGO_MS, Some("no price"))).collect()
}

#[test]
fn one_more_than_the_budget_stops_the_task_before_its_offset() {
    let topic = Topic::create("budget", 1);
    let letters = LetterTopic::unmade("budget");
    let database = Database::create("budget");
    let connector = Connector::new(&topic, "b")
        .into_database(&database)
        .with_letters(&letters)
        .set("errors.budget.max", "5")
        .set("errors.budget.window.ms", "3600000");
    topic.produce(&bad(5));
    let mut sluice = Sluice::start(&[&connector]);
    let group = topic.group(&connector.name);
    sluice.until("five to be borne", |_| group.at_end());
    topic.produce(&bad(1));
    assert_eq!(sluice.wait(), Some(1));
    let line = sluice.logged(&["\"message\":\"task failed\""]).unwrap();
    for told in ["errors.budget.max=5", "errors.budget.window.ms=3600000", &format!("{}-0 offset 5", topic.name)] {
        assert!(line.contains(told), "{told:?} is not told in: {line}");
    }
    assert_eq!(group.committed()[&0], 5);
    assert_eq!(letters.all().last().map(Letter::origin), Some((0, 5)), "it has its letter all the same");
}
