//! A transform that misbehaves, through the whole program: only the record at fault becomes a dead letter, and its neighbours are
//! written as if it were not there.

mod breaker;

use std::collections::BTreeMap;

use tempfile::TempDir;

use crate::sandbox;
use crate::support::kafka::Topic;
use crate::support::letters::{Letter, LetterTopic};
use crate::support::points::{LONG_AGO_MS, Record, nanoseconds};
use crate::support::scripted_influx::{ScriptedInflux, Value};
use crate::support::sluice::{Connector, Sluice};

/// The value that the guest misbehaves on. No other record's value is as long.
const POISON: &str = "poison";

/// Nanoseconds to the length of the value: what the hostile guest makes of a record.
type Points = BTreeMap<i64, i64>;

/// A topic of values, a scripted InfluxDB, a dead-letter topic, and the hostile guest between them.
struct Scene {
    topic: Topic,
    dead: LetterTopic,
    influx: ScriptedInflux,
    connector: Connector,
    values: Vec<String>,
    _folder: TempDir,
}

// === impl Scene ===

impl Scene {
    fn new(test: &str, mode: &str) -> Self {
        let (topic, dead) = (Topic::create(test, 1), LetterTopic::unmade(test));
        let influx = ScriptedInflux::v1("prices");
        let folder = tempfile::tempdir().unwrap();
        let module = folder.path().join("hostile.wasm");
        std::fs::write(&module, sandbox::core()).unwrap();
        let connector = Connector::new(&topic, "g")
            .into_scripted(&influx)
            .set("transform.module", module.to_str().unwrap())
            .set("transform.config.mode", mode)
            .with_letters(&dead);
        Self { topic, dead, influx, connector, values: Vec::new(), _folder: folder }
    }

    /// The guest misbehaves only on [`POISON`].
    fn on_poison(self) -> Self {
        self.set("transform.config.when", POISON)
    }

    fn set(mut self, key: &str, value: &str) -> Self {
        self.connector = self.connector.set(key, value);
        self
    }

    /// Produces values of many lengths, a hundred a millisecond, with [`POISON`] at these offsets.
    fn produce(mut self, records: usize, poison: &[usize]) -> Self {
        let value = |offset| match poison.contains(&offset) {
            true => POISON.to_owned(),
            false => "x".repeat(10 + offset % 89),
        };
        self.values = (0..records).map(value).collect();
        let record = |(offset, value): (usize, &String)| Record::other(0, timestamp(offset), Some(value));
        self.topic.produce(&self.values.iter().enumerate().map(record).collect::<Vec<_>>());
        self
    }

    /// Produces some more after what is there.
    fn produce_more(mut self, records: usize) -> Self {
        let first = self.values.len();
        self.values.extend((first..first + records).map(|offset| "x".repeat(10 + offset % 89)));
        let record = |offset: usize| Record::other(0, timestamp(offset), Some(&self.values[offset]));
        self.topic.produce(&(first..first + records).map(record).collect::<Vec<_>>());
        self
    }

    /// Runs the connector to the end of the topic: everything is committed then.
    fn run(&self) {
        let mut sluice = Sluice::start(&[&self.connector]);
        self.finish(&mut sluice);
        sluice.stop();
    }

    fn finish(&self, sluice: &mut Sluice) {
        let group = self.topic.group(&self.connector.name);
        sluice.until("everything to be committed", |_| group.at_end());
    }

    /// Every record but the poison is stored with the timestamp and the value that it has without it, each of them sent once; and gives
    /// back the letters.
    #[track_caller]
    fn only_poison_is_missing(&self) -> Vec<Letter> {
        let good = self.values.iter().enumerate().filter(|(_, value)| *value != POISON);
        let point = |(offset, value): (usize, &String)| {
            (nanoseconds(timestamp(offset), &self.topic.name, 0, offset as i64), value.len() as i64)
        };
        let expected: Points = good.map(point).collect();
        let stored = self.stored();
        let missing: Vec<_> = expected.iter().filter(|(time, value)| stored.get(time) != Some(value)).take(3).collect();
        assert!(stored == expected, "{} of {} points, missing: {missing:?}", stored.len(), expected.len());
        assert_eq!(self.influx.seen(|seen| seen.lines), expected.len(), "no line is sent twice");
        self.dead.all()
    }

    fn stored(&self) -> Points {
        let points = self.influx.points().remove("hostile").unwrap_or_default();
        let length = |fields: &BTreeMap<String, Value>| match fields["value_bytes"] {
            Value::Integer(length) => length,
            ref other => panic!("{other:?}"),
        };
        points.iter().map(|(&time, fields)| (time, length(fields))).collect()
    }
}

fn timestamp(offset: usize) -> i64 {
    LONG_AGO_MS + (offset / 100) as i64
}

/// Thousands of records, two of them poison: each gets a letter that says what happened.
#[track_caller]
fn costs_only_the_poison(mode: &str, settings: &[(&str, &str)], reason: &str) {
    let (records, poison) = (3_000, [1_234, 2_999]);
    let scene = Scene::new(&format!("guest-{mode}"), mode).on_poison();
    let scene = settings.iter().fold(scene, |scene, (key, value)| scene.set(key, value)).produce(records, &poison);
    scene.run();
    let letters = scene.only_poison_is_missing();
    let offsets: Vec<_> = letters.iter().map(|letter| letter.header("__connect.errors.offset")).collect();
    assert_eq!(offsets, ["1234", "2999"], "{mode}");
    for (letter, offset) in letters.iter().zip(poison) {
        assert_eq!(letter.value.as_deref(), Some(POISON.as_bytes()));
        assert_eq!(letter.timestamp_ms, Some(timestamp(offset)));
        assert_eq!(letter.header("__connect.errors.topic"), scene.topic.name);
        assert_eq!(letter.header("__connect.errors.partition"), "0");
        assert_eq!(letter.header("__connect.errors.exception.class.name"), "Trap");
        assert_eq!(letter.header("sluice.stage"), "transform");
        let told = letter.header("sluice.reason");
        assert!(told.contains(reason), "{mode}: {reason:?} is not in: {told}");
    }
}

#[test]
fn a_trap_costs_only_the_record_it_is_on() {
    costs_only_the_poison("panic", &[], "trap: wasm `unreachable` instruction executed");
}

#[test]
fn an_endless_loop_costs_only_the_record_it_is_on() {
    costs_only_the_poison("loop", &[("transform.timeout.ms", "100")], "longer than transform.timeout.ms=100");
}

#[test]
fn a_memory_hog_costs_only_the_record_it_is_on() {
    let limit = ("transform.memory.max.bytes", "8388608");
    costs_only_the_poison("memory", &[limit], "more memory than transform.memory.max.bytes=8388608");
}

#[test]
fn a_stack_overflow_costs_only_the_record_it_is_on() {
    costs_only_the_poison("stack", &[], "it overflowed its stack of 512 KiB");
}

#[test]
fn a_stack_overflow_in_linear_memory_costs_only_the_record_it_is_on() {
    costs_only_the_poison("stack-in-memory", &[], "out of bounds memory access in hostile::recurse_in_memory");
}

#[test]
fn an_output_out_of_bounds_costs_only_the_record_it_is_on() {
    costs_only_the_poison("ends-past-bytes", &[], "the ends of `lines` stop at");
    costs_only_the_poison("record-index-out-of-range", &[], "a line of record 1, but the batch has 1 records");
}

#[test]
fn a_wrong_count_costs_only_the_record_it_is_on() {
    costs_only_the_poison("count-mismatch", &[], "1 lines, but 0 record indexes for them");
}

#[test]
fn a_gigabyte_of_lines_costs_only_the_record_it_is_on() {
    let limit = ("transform.memory.max.bytes", "2147483648");
    costs_only_the_poison("gigabyte", &[limit], "more than the 64 MiB that one call may");
}

#[test]
fn a_flood_of_messages_before_each_trap_stays_limited_and_costs_only_the_record_it_is_on() {
    let scene = Scene::new("guest-flood", "flood-logs-and-panic").on_poison().produce(3_000, &[1_234]);
    let started = std::time::Instant::now();
    let mut sluice = Sluice::start(&[&scene.connector]);
    scene.finish(&mut sluice);
    let (told, most) =
        (sluice.log().matches("\"transform says\"").count(), 10 * (started.elapsed().as_secs() as usize + 2));
    sluice.stop();
    assert_eq!(scene.only_poison_is_missing().len(), 1);
    assert!((1..=most).contains(&told), "{told} messages of 10,000 in each failed call, {most} may be");
}

// A single record is at fault only if a fresh instance fails on it.
#[test]
fn a_trap_on_every_second_call_costs_nothing_beside_a_poisonous_record() {
    let scene = Scene::new("guest-second", "trap-every-second-call-and-on-value").produce(64, &[5]);
    scene.run();
    assert_eq!(scene.only_poison_is_missing().len(), 1);
}

#[test]
fn a_trap_on_every_tenth_call_costs_nothing() {
    let scene = Scene::new("guest-tenth", "trap-every-tenth-call").produce(100, &[]);
    let mut sluice = Sluice::start(&[&scene.connector]);
    let mut scene = scene;
    for round in 1..40 {
        // Batches of their own: each has to be a call.
        scene = scene.produce_more(20);
        let wanted = scene.values.len();
        sluice.until(&format!("round {round}"), |_| match scene.influx.seen(|seen| seen.lines) {
            lines if lines >= wanted => Ok(()),
            lines => Err(lines),
        });
    }
    scene.finish(&mut sluice);
    assert!(sluice.log().contains("transform failed on a batch"), "the guest never trapped");
    sluice.stop();
    assert_eq!(scene.only_poison_is_missing(), []);
}

#[test]
fn a_leak_that_reaches_the_limit_again_and_again_costs_nothing() {
    let limit = ("transform.memory.max.bytes", "8388608");
    let scene = Scene::new("guest-leak", "leak").set(limit.0, limit.1).produce(3_000, &[]);
    let mut sluice = Sluice::start(&[&scene.connector]);
    scene.finish(&mut sluice);
    let told = sluice.log();
    sluice.stop();
    assert!(told.matches("more memory than transform.memory.max.bytes").count() > 20, "the limit was not reached");
    assert_eq!(scene.only_poison_is_missing(), []);
}
