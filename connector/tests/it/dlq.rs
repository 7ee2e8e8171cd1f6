//! `sluice dlq`: letters are found, shown and replayed; a replay writes the points that the records would have become.

use std::fs;
use std::process::{Command, Output, Stdio};

use crate::sandbox;
use crate::support::dead_records::{self, Letter};
use crate::support::influx::Database;
use crate::support::kafka::Topic;
use crate::support::points::{LONG_AGO_MS, Points, Record};
use crate::support::scripted_influx::{Scripted, ScriptedInflux};
use crate::support::services;
use crate::support::sluice::{BINARY, Connector, Sluice};

/// A dead-letter topic and the connector that it belongs to.
struct Dead {
    topic: Topic,
    connector: Connector,
    folder: tempfile::TempDir,
}

impl Dead {
    fn new(test: &str, set: impl FnOnce(Connector) -> Connector) -> Self {
        let topic = Topic::create(test, 2);
        let connector = Connector::named(&format!("{}-c", topic.name), "prices")
            .set("errors.tolerance", "all")
            .set("errors.deadletterqueue.topic.name", &topic.name)
            .set("errors.deadletterqueue.context.headers.enable", "true");
        Self { topic, connector: set(connector), folder: tempfile::tempdir().unwrap() }
    }

    fn letter(&self, partition: i32, offset: i64, value: &str) -> Letter {
        let time = LONG_AGO_MS + offset / 10;
        let record = match value.split_once(',').filter(|(_, price)| price.parse::<f64>().is_ok()) {
            Some((symbol, price)) => Record::price(partition, time, symbol, price),
            None => Record::other(partition, time, Some(value)),
        };
        Letter::new(&self.connector.name, ("prices", offset), record)
    }

    /// `sluice dlq …` with the connector's file.
    fn command(&self, arguments: &[&str]) -> Command {
        let file = self.folder.path().join("connector.properties");
        fs::write(&file, self.connector.properties()).unwrap();
        let mut command = Command::new(BINARY);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SLUICE_")) {
            command.env_remove(name);
        }
        command.args(["dlq", arguments[0], "--connector", file.to_str().unwrap()]).args(&arguments[1..]);
        command.args(["--bootstrap-servers", services::kafka()]);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// What it prints, having ended with `code`.
    #[track_caller]
    fn prints(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn tells(&self, arguments: &[&str], code: i32, words: &[&str]) {
        let told = self.prints(arguments, code);
        assert!(words.iter().all(|word| told.contains(word)), "{words:?} are not all in: {told}");
    }
}

fn into(database: &Database) -> impl FnOnce(Connector) -> Connector {
    |connector| connector.into_database(database)
}

fn nowhere(connector: Connector) -> Connector {
    connector.set("influx.url", "http://127.0.0.1:1").set("influx.database", "prices")
}

#[test]
fn letters_are_listed_by_reason_stage_topic_and_time() {
    let dead = Dead::new("list", nowhere);
    let mut letters: Vec<_> = (0..4).map(|number| dead.letter(0, 10_000 * number, "A")).collect();
    letters[1].stage = "sink";
    letters[1].reason = "field type conflict on \"A\u{1b}[2J\"".to_owned();
    letters[2].topic = "others".to_owned();
    letters[3].connector = "somebody".to_owned();
    dead_records::produce(&dead.topic, 0, &letters[..2]);
    dead_records::produce(&dead.topic, 1, &letters[2..]);

    let all = dead.prints(&["list"], 0);
    let lines: Vec<_> = all.lines().collect();
    assert!(lines[0].starts_with("0:0  2023-11-14T22:13:20.000Z  prices-0@0 "), "{all}");
    assert!(lines[1].contains("prices-0@10000") && lines[1].contains("sink"), "{all}");
    assert!(lines[1].ends_with("field type conflict on \"A\\u{1b}[2J\""), "{all}");
    assert!(lines[2].starts_with("1:0") && lines[2].contains("others-0@20000"), "{all}");
    assert_eq!(lines[3], format!("3 letters in {}: 1 sink, 2 transform", dead.topic.name));
    assert_eq!(lines[4..6], ["       2 × as asked", "       1 × field type conflict on \"…\""]);
    assert!(lines[6].starts_with("1 others"), "{all}");

    let shows = |filter: &[&str], positions: &[&str]| {
        let listed = dead.prints(&[&["list", "--format", "json"], filter].concat(), 0);
        let rows: Vec<serde_json::Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (summary, rows) = rows.split_last().unwrap();
        assert!(summary["summary"]["letters"].is_number());
        let found: Vec<_> = rows.iter().map(|row| format!("{}:{}", row["partition"], row["offset"])).collect();
        assert_eq!(found, positions, "{filter:?}");
    };
    shows(&["--reason", "TYPE conflict"], &["0:1"]);
    shows(&["--stage", "transform"], &["0:0", "1:0"]);
    shows(&["--from-topic", "others"], &["1:0"]);
    shows(&["--from-connector", "somebody"], &["1:1"]);
    shows(&["--since", "2023-11-14T22:13:21Z"], &["0:1", "1:0"]);
    shows(&["--until", &(LONG_AGO_MS + 1000).to_string()], &["0:0"]);
    shows(&["--since", "2h"], &[]);
    shows(&["--limit", "1"], &["1:0"]);
    assert_eq!(dead.run(&["list", "--since", "yesterday"]).status.code(), Some(2));
}

#[test]
fn a_letter_is_shown_whole_and_harmless() {
    let dead = Dead::new("show", nowhere);
    let mut letter = dead.letter(3, 120, "BTC\u{1b}[31m\n");
    (letter.stage, letter.line) = ("sink", Some("cryptos BTC=1 17"));
    dead_records::produce(&dead.topic, 1, &[letter]);
    let shown = dead.prints(&["show", "1:0"], 0);
    for told in [
        "prices-3@120",
        "2023-11-14T22:13:20.012Z",
        "sink",
        "as asked",
        "Rejected: as asked",
        "00ff",
        "cryptos BTC=1 17",
        "the key",
        "trace: abc",
        "sluice.line: the record's own",
        "BTC\\u{1b}[31m\\n",
    ] {
        assert!(shown.contains(told), "{told:?} is not in: {shown}");
    }
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    assert_eq!(dead.prints(&["show", "1:0", "--raw"], 0), "BTC\u{1b}[31m\n");
    for nowhere in ["1:1", "7:0", "x"] {
        assert_eq!(dead.run(&["show", nowhere]).status.code(), Some(2), "{nowhere}");
    }
}

#[test]
fn a_replay_writes_the_very_points_and_a_second_one_changes_nothing() {
    let database = Database::create("replay");
    let dead = Dead::new("replay", into(&database));
    // Partitions in turns, offsets that go back, and a topic of another name.
    let mut letters: Vec<_> = (0..300)
        .map(|number| dead.letter(number % 3, i64::from(number * 7 % 100), &format!("S{number},{number}.5")))
        .collect();
    letters[7].topic = "others".to_owned();
    dead_records::produce(&dead.topic, 0, &letters[..200]);
    dead_records::produce(&dead.topic, 1, &letters[200..]);

    let dry = dead.prints(&["replay", "--dry-run"], 0);
    let ((symbol, time), price) = letters[7].point().unwrap();
    assert!(dry.contains(&format!("cryptos {symbol}={price} {time}\n")), "{dry}");
    assert!(dry.contains("300 letters would be written (300 lines)"), "{dry}");
    assert_eq!(database.count(), 0, "a dry run writes nothing");

    dead.tells(&["replay"], 0, &["300 letters written (300 lines)"]);
    database.points().assert_equal(&dead_records::expected(&letters));
    dead.tells(&["replay"], 0, &["0 letters written", "0 still fail"]);
    dead.tells(&["replay", "--from-start", "--batch", "7"], 0, &["300 letters written (300 lines)"]);
    database.points().assert_equal(&dead_records::expected(&letters));
}

#[test]
fn an_interrupted_replay_goes_on_where_it_was() {
    let influx = ScriptedInflux::v1("prices");
    let dead = Dead::new("interrupted", |connector| connector.into_scripted(&influx));
    let letters: Vec<_> = (0..30).map(|number| dead.letter(0, number, &format!("S{number},1"))).collect();
    dead_records::produce(&dead.topic, 0, &letters);
    influx.answer_next([Scripted::new(204, "").but_store(), Scripted::new(204, "").but_store(), Scripted::hang()]);
    let mut command = dead.command(&["replay", "--batch", "10"]);
    command.args(["--log-format", "json"]);
    let mut sluice = Sluice::spawn(command, tempfile::tempdir().unwrap());
    sluice.until("the third request", |_| match influx.seen(|seen| seen.writes) {
        3 => Ok(()),
        fewer => Err(fewer),
    });
    sluice.kill();

    let before = influx.seen(|seen| seen.lines);
    dead.tells(&["replay"], 0, &["10 letters written (10 lines)"]);
    assert_eq!(influx.seen(|seen| seen.lines) - before, 10, "only what was not acknowledged");
    Points::stored_in(&influx).assert_equal(&dead_records::expected(&letters));
}

#[test]
fn what_still_fails_is_tried_again_and_what_is_done_is_not() {
    let database = Database::create("mended");
    let dead = Dead::new("mended", into(&database));
    let letters = ["A,1", "B;2", "C,3", "D;4", "E,5"];
    let letters: Vec<_> = (0..).zip(letters).map(|(offset, value)| dead.letter(0, offset, value)).collect();
    dead_records::produce(&dead.topic, 0, &letters);
    dead.tells(
        &["replay"],
        1,
        &["still fails 0:1 prices-0@1 transform: value has no separator", "3 letters written", "2 still fail"],
    );
    database.points().assert_equal(&dead_records::expected(&letters));
    // A filter leaves alone what it passes over.
    dead.tells(&["replay", "--until", "2000"], 0, &["0 letters written", "2 passed over"]);
    let mended = ["replay", "--module", "builtin:split-concat", "--config", "separator=;"];
    dead.tells(&mended, 0, &["2 letters written", "0 still fail"]);
    let wanted = [dead.letter(0, 1, "B,2"), dead.letter(0, 3, "D,4")];
    let all = letters.iter().chain(&wanted).cloned().collect::<Vec<_>>();
    database.points().assert_equal(&dead_records::expected(&all));
    dead.tells(&["replay"], 0, &["0 letters written", "0 still fail"]);
}

#[test]
fn one_poisonous_letter_costs_no_other() {
    let dead = Dead::new("poison", nowhere);
    let letters: Vec<_> = (0..9).map(|at| dead.letter(0, at, if at == 5 { "poison" } else { "x" })).collect();
    dead_records::produce(&dead.topic, 0, &letters);
    let module = dead.folder.path().join("hostile.wasm");
    fs::write(&module, sandbox::core()).unwrap();
    let module = ["--module", module.to_str().unwrap(), "--config"];
    let trap = [&["replay", "--dry-run"], &module[..], &["mode=trap-on-value"]].concat();
    dead.tells(&trap, 1, &["still fails 0:5 prices-0@5 transform", "8 letters would be written", "1 still fail"]);
    let bad = [&["replay", "--dry-run", "--limit", "2"], &module[..], &["mode=not-line-protocol"]].concat();
    dead.tells(&bad, 1, &["still fails 0:0 prices-0@0 points", "2 still fail"]);
    // The transform sees the record as it was: without what made a letter of it.
    let echo = [&["replay", "--dry-run", "--limit", "1"], &module[..], &["mode=echo-inputs"]].concat();
    let seen = format!(
        "key=\"the key\",headers=\"trace=abc;sluice.line=the record's own\",timestamp={LONG_AGO_MS}i,offset=0i "
    );
    dead.tells(&echo, 0, &[&seen]);
}

#[test]
fn what_influxdb_refuses_stays_and_its_neighbours_are_written() {
    let database = Database::create("refused");
    database.write(&format!("cryptos XRP-USD=\"text\" {}", LONG_AGO_MS * 1_000_000));
    let dead = Dead::new("refused", into(&database));
    let values = ["A,1", "XRP-USD,2", "B,3", "C,4"];
    let letters: Vec<_> = (0..).zip(values).map(|(offset, value)| dead.letter(0, offset, value)).collect();
    dead_records::produce(&dead.topic, 0, &letters);
    dead.tells(
        &["replay"],
        1,
        &["still fails 0:1 prices-0@1 sink: ", "field type conflict", "3 letters written", "1 still fail"],
    );
    dead.tells(&["replay"], 1, &["still fails 0:1", "0 letters written", "1 still fail"]);
}

#[test]
fn letters_without_coordinates_or_value_are_told_and_left_alone() {
    let database = Database::create("bare");
    let dead = Dead::new("bare", into(&database));
    let mut letters = [dead.letter(0, 7, "A,1"), dead.letter(0, 8, "B,2")];
    letters[0].context = false;
    letters[1].omitted = Some("value");
    letters[1].record.value = None;
    dead_records::produce(&dead.topic, 0, &letters);
    dead.tells(&["list"], 0, &["0:0", "?", "[without value]"]);
    let omitted = "can't be replayed 0:1 prices-0@8: it was too large";
    dead.tells(&["replay"], 1, &["can't be replayed 0:0 ?", "--without-coordinates", omitted, "2 can't be replayed"]);
    assert_eq!(database.count(), 0);
    dead.tells(&["replay", "--without-coordinates"], 1, &["1 letters written", "1 can't be replayed"]);
    let own = Letter { topic: dead.topic.name.clone(), offset: 0, ..letters[0].clone() };
    database.points().assert_equal(&dead_records::expected(&[own]));
}

#[test]
fn an_influxdb_that_is_away_is_waited_for() {
    let influx = ScriptedInflux::v1("prices");
    let dead = Dead::new("away", |connector| connector.into_scripted(&influx));
    let letters = [dead.letter(0, 0, "A,1")];
    dead_records::produce(&dead.topic, 0, &letters);
    influx.answer_next([Scripted::new(503, "busy"), Scripted::new(401, "who?")]);
    let output = dead.run(&["replay"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("503") && told.contains("401"), "{output:?}");
    Points::stored_in(&influx).assert_equal(&dead_records::expected(&letters));
}

#[test]
fn letters_that_a_connector_wrote_become_the_points_that_it_would_have_written() {
    let (database, topic) = (Database::create("whole"), Topic::create("whole", 3));
    let dead = Dead::new("whole", into(&database));
    let dead = Dead { connector: dead.connector.clone().set("topics", &topic.name), ..dead };
    let price = |number: i32| Record::price(number % 3, LONG_AGO_MS, &format!("S{number}"), "1.5");
    let records: Vec<_> = (0..60).map(price).collect();
    // Every fifth one has another separator.
    let spoilt = |(at, record): (usize, &Record)| {
        let mut record = record.clone();
        record.value = record.value.map(|value| if at % 5 == 0 { value.replace(',', ";") } else { value });
        record
    };
    topic.produce(&records.iter().enumerate().map(spoilt).collect::<Vec<_>>());
    let group = topic.group(&dead.connector.name);
    let mut sluice = Sluice::start(&[&dead.connector]);
    sluice.until("everything to be committed", |_| group.at_end());
    sluice.stop();
    assert_eq!(database.count(), 48);

    dead.tells(&["list"], 0, &["12 letters", "12 × value has no separator ','"]);
    dead.tells(&["replay", "--config", "separator=;"], 0, &["12 letters written (12 lines)", "0 still fail"]);
    database.points().assert_equal(&topic.expected());
}
