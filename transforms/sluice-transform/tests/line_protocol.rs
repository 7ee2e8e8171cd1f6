//! What the line builder accepts, InfluxDB's own parser reads back as the same names and values.

use influxdb_line_protocol::{FieldValue, parse_lines};
use proptest::prelude::*;
use sluice_transform::testing::{Outcome, Record as TestRecord, run};
use sluice_transform::{Emitter, Fault, Key, Measurement, Part, Record, Refused, Reject, Settings, Transform};

/// A value of a field.
#[derive(Clone, Debug)]
enum Value {
    Text(String),
    Float(f64),
    FloatText(String),
    Integer(i64),
    Boolean(bool),
}

/// A line as an author asks for it.
#[derive(Clone, Debug)]
struct Point {
    measurement: String,
    tags: Vec<(String, String)>,
    fields: Vec<(String, Value)>,
    timestamp_ns: Option<i64>,
    /// Names are made beforehand rather than given as text.
    checked_beforehand: bool,
}

impl Point {
    fn emit(&self, out: &mut Emitter) -> Result<(), Refused> {
        let mut line = if self.checked_beforehand {
            out.line(&Measurement::try_new(&self.measurement)?)?
        } else {
            out.line(self.measurement.as_str())?
        };
        for (key, value) in &self.tags {
            line = if self.checked_beforehand {
                line.tag(&Key::try_tag(key)?, value)?
            } else {
                line.tag(key.as_str(), value)?
            };
        }
        let [(key, first), others @ ..] = self.fields.as_slice() else { return Ok(()) };
        let key = key.as_str();
        let mut line = match first {
            Value::Text(value) => line.field_str(key, value),
            Value::Float(value) => line.field_f64(key, *value),
            Value::FloatText(value) => line.field_float_text(key, value),
            Value::Integer(value) => line.field_i64(key, *value),
            Value::Boolean(value) => line.field_bool(key, *value),
        }?;
        for (key, value) in others {
            let key = Key::try_field(key)?;
            line = match value {
                Value::Text(value) => line.field_str(&key, value),
                Value::Float(value) => line.field_f64(&key, *value),
                Value::FloatText(value) => line.field_float_text(&key, value),
                Value::Integer(value) => line.field_i64(&key, *value),
                Value::Boolean(value) => line.field_bool(&key, *value),
            }?;
        }
        match self.timestamp_ns {
            Some(timestamp_ns) => line.end_at_ns(timestamp_ns),
            None => {
                line.end();
                Ok(())
            }
        }
    }
}

/// Emits the points of `POINTS`, each for the record whose value is its index.
struct Emit;

thread_local! {
    static POINTS: std::cell::RefCell<Vec<Point>> = const { std::cell::RefCell::new(Vec::new()) };
}

impl Transform for Emit {
    fn configure(_: &mut Settings) -> Result<Self, String> {
        Ok(Self)
    }

    fn transform(&mut self, record: &Record<'_>, out: &mut Emitter) -> Result<(), Reject> {
        let index = record.value().expect("an index")[0];
        POINTS.with_borrow(|points| points[usize::from(index)].emit(out)).map_err(Reject::from)
    }
}

fn emit(points: &[Point]) -> Outcome {
    POINTS.set(points.to_vec());
    let records: Vec<_> = (0..points.len()).map(|index| TestRecord::value([index as u8])).collect();
    run::<Emit>(&[], &records).expect("no settings")
}

/// Text in which what matters to line protocol is frequent.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-zA-Z0-9_.-]{1,20}",
        4 => r##"[ ,=\\"#aé€\t\n\r\x00\x7f{}'0-9]{0,8}"##,
        1 => prop_oneof![Just("time".to_owned()), Just("_field".to_owned()), Just("_measurement".to_owned())],
        1 => "\\PC{0,40}",
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Value::Text),
        any::<f64>().prop_map(Value::Float),
        prop_oneof!["-?[0-9]{1,12}(\\.[0-9]{1,12})?([eE][+-]?[0-9]{1,3})?", "[-+.eE0-9x]{0,6}"]
            .prop_map(Value::FloatText),
        any::<i64>().prop_map(Value::Integer),
        any::<bool>().prop_map(Value::Boolean),
    ]
}

fn point() -> impl Strategy<Value = Point> {
    let tags = prop::collection::vec((text(), text()), 0..4);
    let fields = prop::collection::vec((text(), value()), 1..4);
    (text(), tags, fields, any::<Option<i64>>(), any::<bool>()).prop_map(
        |(measurement, tags, fields, timestamp_ns, checked_beforehand)| Point {
            measurement,
            tags,
            fields,
            timestamp_ns,
            checked_beforehand,
        },
    )
}

fn assert_reads_back(point: &Point, line: &str) {
    let lines: Vec<_> = parse_lines(line).collect();
    let [Ok(parsed)] = lines.as_slice() else { panic!("{line:?} reads as {lines:?}") };
    assert_eq!(parsed.series.measurement.as_str(), point.measurement, "{line}");
    let tags: Vec<_> = parsed.series.tag_set.iter().flatten().collect();
    assert_eq!(tags.len(), point.tags.len(), "{line}");
    for ((key, value), (expected_key, expected_value)) in tags.into_iter().zip(&point.tags) {
        assert_eq!((key.as_str(), value.as_str()), (expected_key.as_str(), expected_value.as_str()), "{line}");
    }
    assert_eq!(parsed.field_set.len(), point.fields.len(), "{line}");
    for ((key, value), (expected_key, expected_value)) in parsed.field_set.iter().zip(&point.fields) {
        assert_eq!(key.as_str(), expected_key, "{line}");
        match (value, expected_value) {
            (FieldValue::String(value), Value::Text(expected)) => assert_eq!(value.as_str(), expected, "{line}"),
            (FieldValue::F64(value), Value::Float(expected)) => {
                assert_eq!(value.to_bits(), expected.to_bits(), "{line}")
            }
            (FieldValue::F64(value), Value::FloatText(expected)) => {
                assert!(value.is_finite() && expected.parse() == Ok(*value), "{line}");
                assert!(line.contains(expected), "the digits are kept: {line}");
            }
            (FieldValue::I64(value), Value::Integer(expected)) => assert_eq!(value, expected, "{line}"),
            (FieldValue::Boolean(value), Value::Boolean(expected)) => assert_eq!(value, expected, "{line}"),
            other => panic!("{line}: {other:?}"),
        }
    }
    assert_eq!(parsed.timestamp, point.timestamp_ns, "{line}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_is_accepted_reads_back_as_it_was(points in prop::collection::vec(point(), 1..6)) {
        let outcome = emit(&points);
        prop_assert_eq!(outcome.lines.len() + outcome.rejects.len(), points.len(), "each point has one fate");
        for (index, line) in &outcome.lines {
            assert_reads_back(&points[*index], line);
        }
    }

    #[test]
    fn plain_names_and_values_are_never_refused(
        measurement in "[a-zA-Z][a-zA-Z0-9 ,=.-]{0,30}[a-z]",
        symbol in "[A-Z€][A-Z0-9 ,=/-]{0,30}[A-Z]",
        price in "-?[0-9]{1,12}(\\.[0-9]{1,12})?",
        timestamp_ns in 0_i64..4_000_000_000_000_000_000,
    ) {
        let point = Point {
            measurement,
            tags: vec![("symbol".to_owned(), symbol)],
            fields: vec![("price".to_owned(), Value::FloatText(price))],
            timestamp_ns: Some(timestamp_ns),
            checked_beforehand: false,
        };
        let outcome = emit(std::slice::from_ref(&point));
        prop_assert_eq!(&outcome.rejects, &[]);
        assert_reads_back(&point, &outcome.lines[0].1);
    }
}

fn plain() -> Point {
    Point {
        measurement: "m".to_owned(),
        tags: vec![("t".to_owned(), "v".to_owned())],
        fields: vec![("f".to_owned(), Value::Integer(1))],
        timestamp_ns: None,
        checked_beforehand: false,
    }
}

fn tag(key: &str, value: &str) -> Point {
    Point { tags: vec![(key.to_owned(), value.to_owned())], ..plain() }
}

fn fields(fields: &[(&str, Value)]) -> Point {
    let fields = fields.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    Point { fields, ..plain() }
}

fn refusals() -> Vec<(Point, Part, Fault)> {
    let measurement = |name: &str| Point { measurement: name.to_owned(), ..plain() };
    let at = |timestamp_ns| Point { timestamp_ns: Some(timestamp_ns), ..plain() };
    let one = || Value::Integer(1);
    vec![
        (measurement(""), Part::Measurement, Fault::Empty),
        (measurement("#m"), Part::Measurement, Fault::Comment),
        (measurement("a\nb"), Part::Measurement, Fault::Control),
        (measurement("a\0"), Part::Measurement, Fault::Control),
        (measurement("a\\"), Part::Measurement, Fault::Backslash),
        (tag("", "v"), Part::TagKey, Fault::Empty),
        (tag("t", ""), Part::TagValue, Fault::Empty),
        (tag("time", "v"), Part::TagKey, Fault::Reserved),
        (tag("_field", "v"), Part::TagKey, Fault::Reserved),
        (tag("_measurement", "v"), Part::TagKey, Fault::Reserved),
        (tag("t\t", "v"), Part::TagKey, Fault::Control),
        (tag("t", "a\nb"), Part::TagValue, Fault::Control),
        (tag("t", "a\\"), Part::TagValue, Fault::Backslash),
        (tag("t", "a\\,b"), Part::TagValue, Fault::Backslash),
        (tag("t", "a\\\\b"), Part::TagValue, Fault::Backslash),
        (fields(&[("time", one())]), Part::FieldKey, Fault::Reserved),
        (fields(&[("", one())]), Part::FieldKey, Fault::Empty),
        (fields(&[("f", one()), ("f", one())]), Part::FieldKey, Fault::Duplicate),
        (fields(&[("t", one())]), Part::FieldKey, Fault::Duplicate),
        (fields(&[("f", Value::Float(f64::NAN))]), Part::FieldValue, Fault::NotFinite),
        (fields(&[("f", Value::Float(f64::NEG_INFINITY))]), Part::FieldValue, Fault::NotFinite),
        (fields(&[("f", Value::FloatText("1e400".to_owned()))]), Part::FieldValue, Fault::NotFinite),
        (fields(&[("f", Value::FloatText(".5".to_owned()))]), Part::FieldValue, Fault::NotDecimal),
        (fields(&[("f", Value::Text("a\nb".to_owned()))]), Part::FieldValue, Fault::Control),
        (fields(&[("f", Value::Text("a".repeat(65_536)))]), Part::FieldValue, Fault::TooLong),
        (tag("t", &"a".repeat(65_536)), Part::TagValue, Fault::TooLong),
        (tag("t", &"a".repeat(65_531)), Part::FieldKey, Fault::TooLong),
        (at(i64::MIN), Part::Timestamp, Fault::OutOfRange),
        (at(i64::MIN + 1), Part::Timestamp, Fault::OutOfRange),
        (at(i64::MAX), Part::Timestamp, Fault::OutOfRange),
    ]
}

#[test]
fn what_line_protocol_cannot_carry_is_refused_and_leaves_nothing() {
    for (point, part, fault) in refusals() {
        for checked_beforehand in [false, true] {
            let refused = Point { checked_beforehand, ..point.clone() };
            let outcome = emit(&[plain(), refused, plain()]);
            let line = "m,t=v f=1i".to_owned();
            assert_eq!(outcome.lines, [(0, line.clone()), (2, line)], "{point:?}");
            let [(1, reason)] = outcome.rejects.as_slice() else { panic!("{:?}", outcome.rejects) };
            assert!(reason.starts_with(&Refused { part, fault }.to_string()), "{point:?}: {reason}");
        }
    }
}

#[test]
fn the_times_at_the_edge_are_taken() {
    for timestamp_ns in [i64::MIN + 2, -1, 0, i64::MAX - 1] {
        let outcome = emit(&[Point { timestamp_ns: Some(timestamp_ns), ..plain() }]);
        assert_eq!(outcome.lines, [(0, format!("m,t=v f=1i {timestamp_ns}"))]);
    }
}
