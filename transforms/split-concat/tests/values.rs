//! What becomes of each kind of value, and of each setting.

use sluice_transform::testing::{Outcome, Record, run};
use split_concat::SplitConcat;
use table::{Becomes, Tally};

#[path = "values/table.rs"]
mod table;

fn transform(settings: &[(&str, &str)], value: impl AsRef<[u8]>) -> Outcome {
    run::<SplitConcat>(settings, &[Record::value(value)]).expect("the settings are good")
}

/// The only line of a value that is accepted.
fn line(settings: &[(&str, &str)], value: impl AsRef<[u8]>) -> String {
    let outcome = transform(settings, value);
    assert_eq!(outcome.rejects, []);
    let [(0, line)] = outcome.lines.as_slice() else { panic!("not one line: {:?}", outcome.lines) };
    assert_eq!(influxdb_line_protocol::parse_lines(line).filter(Result::is_ok).count(), 1, "{line}");
    line.clone()
}

/// The reason of a value that is rejected.
fn reason(settings: &[(&str, &str)], value: impl AsRef<[u8]>) -> String {
    let outcome = transform(settings, value);
    assert_eq!(outcome.lines, []);
    let [(0, reason)] = outcome.rejects.as_slice() else { panic!("not one reject: {:?}", outcome.rejects) };
    reason.clone()
}

/// The one record's fate.
fn becomes(outcome: &Outcome) -> Becomes {
    match (outcome.lines.as_slice(), outcome.rejects.as_slice()) {
        ([(0, line)], []) => Becomes::Line(line.clone()),
        ([], [(0, reason)]) => Becomes::Rejected(reason.clone()),
        ([], []) => Becomes::Filtered,
        _ => panic!("more than one fate: {outcome:?}"),
    }
}

fn record(value: Option<Vec<u8>>) -> Record {
    value.map_or_else(Record::tombstone, Record::value)
}

#[test]
fn every_kind_of_value_has_its_fate() {
    for (settings, value, expected) in table::cases() {
        let outcome = run::<SplitConcat>(settings, &[record(value.clone())]).unwrap();
        assert_eq!(
            becomes(&outcome),
            expected,
            "{:?} with {settings:?}",
            value.map(|value| value.escape_ascii().to_string())
        );
    }
}

#[test]
fn random_values_have_the_same_fate_as_in_the_module() {
    let records: Vec<_> = table::random_values().into_iter().map(record).collect();
    let outcome = run::<SplitConcat>(&[], &records).unwrap();
    let lines = outcome.lines.iter().map(|(record, line)| (*record, Becomes::Line(line.clone())));
    let rejects = outcome.rejects.iter().map(|(record, reason)| (*record, Becomes::Rejected(reason.clone())));
    let mut fates: Vec<_> = lines.chain(rejects).collect();
    fates.sort_by_key(|&(record, _)| record);
    let mut tally = Tally::EMPTY;
    fates.iter().for_each(|(record, fate)| tally.add(*record, fate));
    assert_eq!(tally, table::RANDOM);
}

#[test]
fn the_price_is_a_float_to_every_server() {
    for value in ["BTC-USD,100", "BTC-USD,1e5", "BTC-USD,-0.5", "BTC-USD,007"] {
        let line = line(&[], value);
        let parsed = influxdb_line_protocol::parse_lines(&line).next().unwrap().unwrap();
        let (_, field) = &parsed.field_set[0];
        assert!(matches!(field, influxdb_line_protocol::FieldValue::F64(_)), "{line}");
    }
}

#[test]
fn a_symbol_that_influxdb_keeps_or_cannot_hold_is_rejected() {
    assert!(reason(&[], "time,1").starts_with("symbol is a name that InfluxDB keeps for itself"));
    assert!(reason(&[], format!("{},1", "a".repeat(70_000))).starts_with("symbol is longer than the 65535 bytes"));
}

#[test]
fn a_bad_record_leaves_its_neighbours_alone() {
    let records = ["A,1", "B\n,x", "C\nD,2", "E,3"].map(Record::value);
    let outcome = run::<SplitConcat>(&[], &records).unwrap();
    assert_eq!(outcome.lines, [(0, "cryptos A=1".to_owned()), (3, "cryptos E=3".to_owned())]);
    assert_eq!(outcome.rejects.iter().map(|&(record, _)| record).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_bad_setting_is_refused_with_the_known_ones() {
    let error =
        run::<SplitConcat>(&[("seperator", ";"), ("symbol.as", "row"), ("measurement", "#x")], &[]).unwrap_err();
    assert_eq!(
        error,
        "symbol.as: \"row\" is not field or tag; \
         measurement: \"#x\": measurement starts with '#', which makes the line a comment; \
         seperator: unknown setting; \
         known settings: symbol.as (field or tag; default \"field\"), \
         symbol.tag (the name of a tag; default \"symbol\"), \
         price.field (the name of a field; default \"price\"), \
         measurement (the name of a measurement; default \"cryptos\"), \
         separator (one ASCII character; default \",\")"
    );
    for (key, value) in [
        ("separator", ""),
        ("separator", ",,"),
        ("separator", "é"),
        ("symbol.tag", "time"),
        ("price.field", ""),
        ("measurement", "a\nb"),
        ("measurement", "a\\"),
    ] {
        let error = run::<SplitConcat>(&[(key, value)], &[]).unwrap_err();
        assert!(error.starts_with(&format!("{key}: ")) && error.contains("known settings: "), "{error}");
    }
}
