//! What a transform sees of a record, and what becomes of its answer.

use sluice_transform::testing::{Record as TestRecord, run};
use sluice_transform::{Emitter, Inputs, Record, Reject, Settings, Transform, log};

/// One line for each record that shows all of it.
struct Show(Inputs);

impl Transform for Show {
    fn configure(settings: &mut Settings) -> Result<Self, String> {
        let all = settings.flag("all", true);
        Ok(Self(Inputs { keys: all, headers: all, timestamps: all, offsets: all }))
    }

    fn inputs(&self) -> Inputs {
        self.0
    }

    fn transform(&mut self, record: &Record<'_>, out: &mut Emitter) -> Result<(), Reject> {
        let headers: Vec<_> = record
            .headers()
            .map(|header| format!("{}:{:?}", header.name.escape_ascii(), header.value.map(<[u8]>::to_vec)))
            .collect();
        let shown = format!(
            "{:?} {:?} {:?} {:?} {} {} {}",
            record.value(),
            record.key(),
            record.timestamp_ms(),
            record.offset(),
            record.topic(),
            record.partition(),
            headers.join(" ")
        );
        out.line("m")?.field_str("shown", &shown)?.end();
        Ok(())
    }
}

#[test]
fn a_record_shows_what_was_sent_and_null_is_not_empty() {
    let records = [
        TestRecord::value("a").topic("prices").partition(3).key("k").timestamp_ms(1_700_000_000_000).offset(42),
        TestRecord::tombstone().key("").header("h", Some(b"")).header("h", None),
        TestRecord::value("").header("last", Some(b"z")),
    ];
    let outcome = run::<Show>(&[], &records).unwrap();
    assert_eq!(
        outcome.lines,
        [
            (0, "m shown=\"Some([97]) Some([107]) Some(1700000000000) Some(42) prices 3 \"".to_owned()),
            (1, "m shown=\"None Some([]) None Some(1) prices 3 h:Some([]) h:None\"".to_owned()),
            (2, "m shown=\"Some([]) None None Some(2) prices 3 last:Some([122])\"".to_owned()),
        ]
    );
}

#[test]
fn a_column_that_is_not_wanted_is_absent() {
    let record = TestRecord::value("a").topic("t").key("k").timestamp_ms(1).header("h", None);
    let outcome = run::<Show>(&[("all", "false")], &[record]).unwrap();
    assert_eq!(outcome.lines, [(0, "m shown=\"Some([97]) None None None t 0 \"".to_owned())]);
}

/// Emits as many lines as the value says, then rejects if it ends in `!`; starts one that it does not end.
struct Many;

impl Transform for Many {
    fn configure(_: &mut Settings) -> Result<Self, String> {
        Ok(Self)
    }

    fn transform(&mut self, record: &Record<'_>, out: &mut Emitter) -> Result<(), Reject> {
        let value = std::str::from_utf8(record.value().unwrap_or_default()).map_err(|_| "not UTF-8")?;
        let count: i64 = value.trim_end_matches('!').parse().map_err(|_| format!("{value} is not a count"))?;
        for number in 0..count {
            out.line("a_long_measurement_that_makes_the_buffer_grow")?.field_i64("number", number)?.end();
        }
        let _forgotten = out.line("forgotten")?.field_bool("ended", false)?;
        log::debug(value);
        if value.ends_with('!') { Err("as asked".into()) } else { Ok(()) }
    }
}

#[test]
fn a_reject_takes_back_the_lines_of_its_record_only() {
    let outcome = run::<Many>(&[], &["2", "3!", "0", "x", "1"].map(TestRecord::value)).unwrap();
    let line = |number| format!("a_long_measurement_that_makes_the_buffer_grow number={number}i");
    assert_eq!(outcome.lines, [(0, line(0)), (0, line(1)), (4, line(0))]);
    assert_eq!(
        outcome.rejects,
        [(1, "as asked: value \"3!\"".to_owned()), (3, "x is not a count: value \"x\"".to_owned())]
    );
    assert_eq!(outcome.logs, ["debug: 2", "debug: 3!", "debug: 0", "debug: 1"]);
}

#[test]
fn the_output_grows_as_needed() {
    let outcome = run::<Many>(&[], &[TestRecord::value("100000")]).unwrap();
    assert_eq!(outcome.lines.len(), 100_000);
    assert_eq!(outcome.lines[99_999].1, "a_long_measurement_that_makes_the_buffer_grow number=99999i");
}

/// Asks for a setting of each type.
#[derive(Debug, PartialEq)]
struct Typed(String, u8, bool, u32, f64);

impl Transform for Typed {
    fn configure(settings: &mut Settings) -> Result<Self, String> {
        let text = settings.text("text", "a");
        if text == "odd" {
            settings.problem("text", "is odd");
        }
        let typed = Self(
            text,
            settings.ascii("ascii", b';'),
            settings.flag("flag", false),
            settings.number("count", 7, 1..=10),
            settings.number("ratio", 0.5, 0.0..=1.0),
        );
        if typed.2 { Err("flag can't be had today".to_owned()) } else { Ok(typed) }
    }

    fn transform(&mut self, _: &Record<'_>, out: &mut Emitter) -> Result<(), Reject> {
        out.line("m")?.field_str("settings", &format!("{self:?}"))?.end();
        Ok(())
    }
}

#[test]
fn a_setting_has_its_default_or_its_value() {
    let settings =
        |settings: &[(&str, &str)]| run::<Typed>(settings, &[TestRecord::tombstone()]).unwrap().lines[0].1.clone();
    assert_eq!(settings(&[]), r#"m settings="Typed(\"a\", 59, false, 7, 0.5)""#);
    let given = [("text", "b"), ("ascii", " "), ("flag", "false"), ("count", "10"), ("ratio", "1")];
    assert_eq!(settings(&given), r#"m settings="Typed(\"b\", 32, false, 10, 1.0)""#);
}

#[test]
fn all_that_is_wrong_with_the_settings_is_said_at_once() {
    let given = [("text", "odd"), ("flag", "yes"), ("count", "11"), ("ratio", "NaN"), ("other", "1"), ("more", "2")];
    assert_eq!(
        run::<Typed>(&given, &[]).unwrap_err(),
        "text: is odd; flag: \"yes\" is not true or false; count: \"11\" is not a number from 1 to 10; \
         ratio: \"NaN\" is not a number from 0 to 1; other: unknown setting; more: unknown setting; \
         known settings: text (text; default \"a\"), ascii (one ASCII character; default \";\"), \
         flag (true or false; default \"false\"), count (a number from 1 to 10; default \"7\"), \
         ratio (a number from 0 to 1; default \"0.5\")"
    );
    assert!(
        run::<Typed>(&[("flag", "true")], &[]).unwrap_err().starts_with("flag can't be had today; known settings: ")
    );
}
