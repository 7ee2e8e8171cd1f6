//! What becomes of each kind of value, and of each setting.

use sluice_transform::testing::{Outcome, Record, run};
use split_concat::SplitConcat;

const TAG: &[(&str, &str)] = &[("symbol.as", "tag")];

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

#[test]
fn a_price_becomes_a_line_with_its_digits() {
    for (value, expected) in [
        ("BTC-USD,19890.1212", "cryptos BTC-USD=19890.1212"),
        (" BTC-USD , 19890.1212\r\n", "cryptos BTC-USD=19890.1212"),
        ("\tBTC-USD\t,\t19890.1212\t\n", "cryptos BTC-USD=19890.1212"),
        ("BTC-USD,19890.1212,more,columns", "cryptos BTC-USD=19890.1212"),
        ("BTC-USD,19890.1212,", "cryptos BTC-USD=19890.1212"),
        ("BTC-USD,100", "cryptos BTC-USD=100"),
        ("BTC-USD,1e5", "cryptos BTC-USD=1e5"),
        ("BTC-USD,-0.5", "cryptos BTC-USD=-0.5"),
        ("BTC-USD,0.10000000000000000000", "cryptos BTC-USD=0.10000000000000000000"),
        ("BTC USD,1", r"cryptos BTC\ USD=1"),
        ("A=B,1", r"cryptos A\=B=1"),
        ("é,1", "cryptos é=1"),
        (r"A\B,1", r"cryptos A\B=1"),
        ("#1,1", "cryptos #1=1"),
        ("A,1", "cryptos A=1"),
    ] {
        assert_eq!(line(&[], value), expected, "{value:?}");
    }
    let [long, digits] = ["S".repeat(300), "9".repeat(250)];
    assert_eq!(line(&[], format!("{long},{digits}")), format!("cryptos {long}={digits}"));
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
fn the_symbol_can_be_a_tag() {
    assert_eq!(line(TAG, "BTC-USD,19890.1212"), "cryptos,symbol=BTC-USD price=19890.1212");
    assert_eq!(line(TAG, "BTC USD, 1 "), r"cryptos,symbol=BTC\ USD price=1");
    assert_eq!(line(TAG, "time,1"), "cryptos,symbol=time price=1");
    let settings = [("symbol.as", "tag"), ("symbol.tag", "a pair"), ("price.field", "usd"), ("measurement", "a,b c=d")];
    assert_eq!(line(&settings, "BTC,1"), r"a\,b\ c=d,a\ pair=BTC usd=1");
}

#[test]
fn the_separator_is_a_setting() {
    assert_eq!(line(&[("separator", ";")], "A,B;1"), r"cryptos A\,B=1");
    assert_eq!(line(&[("separator", "\t")], "A\t1"), "cryptos A=1");
}

#[test]
fn a_tombstone_is_filtered() {
    let outcome = run::<SplitConcat>(&[], &[Record::tombstone()]).unwrap();
    assert_eq!(outcome, Outcome::default());
}

#[test]
fn a_bad_value_is_rejected_with_the_reason_and_the_value() {
    let control = "symbol contains a line end or another control character";
    let backslash = "symbol has a backslash at its end or before a comma, an equals sign, a blank or a backslash";
    for (value, expected) in [
        ("", r#"value is empty: value """#),
        ("BTC-USD", r#"value has no separator ',': value "BTC-USD""#),
        (",1", r#"symbol is empty: value ",1""#),
        (" \t,1", r#"symbol is empty: value " \t,1""#),
        ("BTC-USD,", r#"price is empty: value "BTC-USD,""#),
        ("BTC-USD, \r\n", r#"price is empty: value "BTC-USD, \r\n""#),
        ("BTC-USD,,1", r#"price is empty: value "BTC-USD,,1""#),
        ("BTC-USD,abc", r#"price is not a decimal number: value "BTC-USD,abc""#),
        ("BTC-USD,NaN", r#"price is not a decimal number: value "BTC-USD,NaN""#),
        ("BTC-USD,inf", r#"price is not a decimal number: value "BTC-USD,inf""#),
        ("BTC-USD,0x10", r#"price is not a decimal number: value "BTC-USD,0x10""#),
        ("BTC-USD,1 2", r#"price is not a decimal number: value "BTC-USD,1 2""#),
        ("BTC-USD,1i", r#"price is not a decimal number: value "BTC-USD,1i""#),
        ("BTC-USD,1e999", r#"price is not a finite number: value "BTC-USD,1e999""#),
        ("BTC\nUSD,1", &format!(r#"{control}: value "BTC\nUSD,1""#)),
        ("BTC\u{7f}USD,1", &format!(r#"{control}: value "BTC\u{{7f}}USD,1""#)),
        (r"BTC\,1", &format!(r#"{backslash}: value "BTC\\,1""#)),
        (r"BTC\ USD,1", &format!(r#"{backslash}: value "BTC\\ USD,1""#)),
    ] {
        assert_eq!(reason(&[], value), expected, "{value:?}");
        assert_eq!(reason(TAG, value), expected, "{value:?} as tag");
    }
    assert_eq!(reason(&[], b"B\xffC,1"), r#"symbol is not UTF-8: value "B\xffC,1""#);
    assert_eq!(reason(&[], b"BTC,1\xff"), r#"price is not UTF-8: value "BTC,1\xff""#);
    assert!(reason(&[], "time,1").starts_with("symbol is a name that InfluxDB keeps for itself"));
    let long = format!("{},x", "a".repeat(100));
    assert_eq!(
        reason(&[], long),
        format!("price is not a decimal number: value {:?} (the first 64 of 102 bytes)", "a".repeat(64))
    );
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
