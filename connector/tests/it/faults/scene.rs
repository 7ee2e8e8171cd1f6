//! Services, load and checks of the fault matrix: a Kafka and an InfluxDB of its own, each behind a proxy, and a producer that goes on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::influx::Database;
use crate::support::kafka::Topic;
use crate::support::letters::LetterTopic;
use crate::support::own::{OwnInflux, OwnKafka};
use crate::support::points::{LONG_AGO_MS, Record, SYMBOLS, feed};
use crate::support::proxy::Proxy;
use crate::support::sluice::{Connector, Sluice};
use crate::support::wait::until;

const PARTITIONS: usize = 4;

/// Records that are produced at once, and the pause after them: enough for a request to be under way at any moment, few enough to
/// compare all of them often.
const BURST: usize = 80;
const PAUSE: Duration = Duration::from_millis(50);

/// Every so many-th record of a burst has to become a dead letter: the transform takes none of them, but the first is a price of
/// [`REFUSED`].
const BAD_EVERY: usize = 20;

/// InfluxDB refuses prices of this symbol, because its field is text there.
const REFUSED: &str = "NEAR-USD";

/// A whole system with load on it.
pub(super) struct Scene {
    // Dropped, and so ended, before the services behind them.
    pub(super) to_kafka: Proxy,
    pub(super) to_influx: Proxy,
    topic: Topic,
    letters: LetterTopic,
    database: Database,
    connector: Connector,
    pub(super) kafka: OwnKafka,
    pub(super) influx: OwnInflux,
}

/// Ends the load when dropped, also by a failure.
struct Loading<'a>(&'a AtomicBool);

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

// === impl Scene ===

impl Scene {
    pub(super) fn start(test: &str) -> Self {
        let to_kafka = Proxy::closed_for_kafka();
        // The group soon lets go of a member that was killed; Kafka's default would not allow less than 6 s.
        let kafka = OwnKafka::start_behind(&to_kafka, &[("group.min.session.timeout.ms", "1000")]);
        to_kafka.open(kafka.extra());
        let influx = OwnInflux::start(&[]);
        let to_influx = Proxy::to(influx.url().strip_prefix("http://").unwrap());
        let topic = Topic::create_on(kafka.address(), test, PARTITIONS as i32);
        let letters = LetterTopic::unmade_on(kafka.address(), test);
        let database = Database::create_on(influx.url(), test);
        database.write(&format!("cryptos {REFUSED}=\"text\" {}", LONG_AGO_MS * 1_000_000));
        let connector = Connector::new(&topic, "f")
            .into_database(&database)
            .set("influx.url", format!("http://{}", to_influx.address()))
            .set("influx.compression", "gzip")
            .set("influx.request.timeout.ms", "3000")
            // Bodies that are worth compressing.
            .set("linger.ms", "20")
            .with_letters(&letters)
            .set("consumer.override.session.timeout.ms", "3000")
            .set("consumer.override.heartbeat.interval.ms", "500");
        Self { to_kafka, to_influx, topic, letters, database, connector, kafka, influx }
    }

    /// A process of the connector.
    pub(super) fn sluice(&self) -> Sluice {
        Sluice::start_with(&[&self.connector], &["--bootstrap-servers", &self.to_kafka.address()])
    }

    /// Does `this` while records come.
    pub(super) fn under_load(&self, this: impl FnOnce()) {
        let loading = AtomicBool::new(true);
        thread::scope(|scope| {
            let _end_of_load = Loading(&loading);
            scope.spawn(|| {
                let mut burst = 0;
                while loading.load(Ordering::Relaxed) {
                    self.topic.produce(&records(burst));
                    burst += 1;
                    thread::sleep(PAUSE);
                }
            });
            this();
        });
    }

    /// Waits until something new was committed in every partition.
    pub(super) fn progress(&self, processes: &mut [Sluice]) {
        let group = self.topic.group(&self.connector.name);
        let before = group.committed();
        processes[0].until("every partition to go on", |_| {
            let now = group.committed();
            if before.iter().all(|(partition, offset)| now[partition] > *offset) {
                Ok(())
            } else {
                Err((before.clone(), now))
            }
        });
    }

    /// Whatever is committed is stored, or in the dead-letter topic (I1).
    pub(super) fn committed_is_acknowledged(&self) {
        // In this order: what comes in between only adds to what is stored.
        let committed = self.topic.group(&self.connector.name).committed();
        self.is_decided_below(&committed);
    }

    /// Waits until everything is committed; then nothing is missing, and nothing else is there.
    pub(super) fn arrives(&self, mut processes: Vec<Sluice>) {
        let group = self.topic.group(&self.connector.name);
        processes[0].until("everything to be committed", |_| group.at_end());
        processes.into_iter().for_each(Sluice::stop);
        self.is_decided_below(&self.topic.end_offsets_produced());
        self.database.points().assert_equal(&self.topic.expected());
        let (letters, bad) = (self.dead_letters(), self.topic.others_below(&self.topic.end_offsets_produced()));
        assert!(letters.keys().eq(&bad), "dead letters {:?} where {bad:?} are bad", letters.keys());
        let is_bad = |value: &Vec<u8>| value.starts_with(b"no price") || value.starts_with(REFUSED.as_bytes());
        assert!(letters.values().all(is_bad), "{letters:?}");
    }

    /// The values of the dead letters by where the records were. A letter may be there twice.
    fn dead_letters(&self) -> BTreeMap<(i32, i64), Vec<u8>> {
        let letters = self.letters.all().into_iter();
        letters.map(|letter| (letter.origin(), letter.value.unwrap_or_default())).collect()
    }

    fn is_decided_below(&self, offsets: &BTreeMap<i32, i64>) {
        let (stored, wanted) =
            (until("an answer of InfluxDB", || self.database.try_points()), self.topic.expected_below(offsets));
        let missing = stored.lacks(&wanted);
        assert!(missing.is_empty(), "below the offsets {offsets:?} {} points are missing: {missing:?}", missing.len());
        let (letters, bad) = (self.dead_letters(), self.topic.others_below(offsets));
        let missing: Vec<_> = bad.iter().filter(|at| !letters.contains_key(at)).collect();
        assert!(missing.is_empty(), "below the offsets {offsets:?} dead letters are missing of {missing:?}");
    }
}

/// A burst: each partition has a symbol of its own, so that equal times in two partitions are two points.
fn records(burst: usize) -> Vec<Record> {
    let mut records = feed(BURST, 20, |number| ((number % PARTITIONS) as i32, SYMBOLS[number % PARTITIONS]));
    for number in (burst % BAD_EVERY..BURST).step_by(BAD_EVERY) {
        let value =
            if number < BAD_EVERY { format!("{REFUSED},{burst}") } else { format!("no price {burst}/{number}") };
        records[number] = Record::other(records[number].partition, LONG_AGO_MS, Some(&value));
    }
    records
}
