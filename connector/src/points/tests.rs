#![allow(clippy::unwrap_used, reason = "tests")]

mod properties;

use std::collections::HashSet;

use super::*;
use crate::config::Tiebreak;

/// 2026-07-25T17:20:00Z, in milliseconds.
const MS: i64 = 1_785_000_000_000;

/// What becomes of `line` from a record of [`MS`], without a tie-break.
fn write(line: &[u8]) -> Result<String, LineError> {
    let mut out = b"before\n".to_vec();
    let mut stamper = Stamper::new("t", 0, Tiebreak::None);
    let result = append_line(&mut out, line, &mut stamper, MS, 0);
    let added = out.strip_prefix(b"before\n").unwrap();
    assert!(result.is_ok() != added.is_empty(), "an error appends nothing, a line something: {result:?} {added:?}");
    result.map(|()| String::from_utf8(added.to_vec()).unwrap())
}

fn reason(line: &str) -> String {
    write(line.as_bytes()).unwrap_err().to_string()
}

fn key(key: &str) -> String {
    key.to_owned()
}

#[test]
fn a_line_without_a_timestamp_gets_the_records() {
    for line in [
        "cryptos BTC-USD=19890.1212",
        "cryptos,symbol=BTC-USD price=100",
        "m f=1",
        "m f=1e5,g=-0.5,h=1.5e-05,i=2E+3",
        "m a=1i,b=-9223372036854775808i,c=01i,d=7u,e=18446744073709551615u",
        "m a=t,b=T,c=true,d=True,e=TRUE,f=f,g=F,h=false,i=False,j=FALSE",
        "m,b=2,a=1 g=1,f=2",
        "m,_leading=1 _leading=1",
        "a=b f=1",
        r"m\ x\,y,t\=k=v\ w,u=x\y f\ g=1",
        r"m,t=\\server\share f=1",
        r#"m f="""#,
        r#"m f="a, b=c \" \\ d",g=2"#,
        "m f=\"tab\tand\rreturn\"",
        r#"m "quoted"=1"#,
        "mésure,région=süd größe=1",
        "m  f=1",
        "m f=0.0000000000000000000000000000000000000000000000000000000000000000000000001",
        "m f=1e-400",
    ] {
        assert_eq!(write(line.as_bytes()), Ok(format!("{line} 1785000000000000000\n")), "{line}");
    }
}

#[test]
fn a_line_with_a_timestamp_is_kept() {
    for line in [
        "m f=1 1",
        "m f=1 0",
        "m f=1 -1",
        "m,t=a f=1,g=2 1785000000000000123",
        "m f=1 9223372036854775806",
        "m f=1 -9223372036854775806",
        r#"m f="a b 1" 12"#,
        "m f=1   12",
    ] {
        assert_eq!(write(line.as_bytes()), Ok(format!("{line}\n")), "{line}");
    }
}

#[test]
fn blanks_around_a_line_are_dropped() {
    assert_eq!(write(b"  m f=1  ").unwrap(), "m f=1 1785000000000000000\n");
    assert_eq!(write(b" m f=1 12 ").unwrap(), "m f=1 12\n");
}

/// The table of reference for what servers do with each: Go is 1.x and 2.x, Rust is the parser and 3.x.
#[test]
fn what_a_server_would_lose_or_refuse_is_refused() {
    let cases: &[(&[u8], LineError)] = &[
        (b"", LineError::Empty),
        (b"   ", LineError::Empty),
        (b"#m f=1", LineError::Comment),
        (b"  # comment", LineError::Comment),
        (b"m f=1\n", LineError::Newline { at: 5 }),
        (b"m,t=a\nb f=1", LineError::Newline { at: 5 }),
        (b"m f=\"a\nb\"", LineError::Newline { at: 6 }),
        (b"m f=1\r", LineError::CarriageReturn),
        (b"m f=1 12\r", LineError::CarriageReturn),
        (b"m f=\"x\"\r", LineError::CarriageReturn),
        (b"m,t=\xff f=1", LineError::NotUtf8 { at: 4 }),
        (b"m f=\"\xc3\"", LineError::NotUtf8 { at: 5 }),
        (b"\xef\xbb\xbfm f=1", LineError::ByteOrderMark),
        (b"m f=1\\", LineError::TrailingBackslash),
        (br#"m f="a\"#, LineError::TrailingBackslash),
        (b"m\tx f=1", LineError::Control { byte: b'\t', at: 1 }),
        (b"m,t=a\tb f=1", LineError::Control { byte: b'\t', at: 5 }),
        (b"m\0 f=1", LineError::Control { byte: 0, at: 1 }),
        (b"m,t=\0 f=1", LineError::Control { byte: 0, at: 4 }),
        (b"m f\x7f=1", LineError::Control { byte: 0x7f, at: 3 }),
        (b"m,t=a=b f=1", LineError::BareEquals { key: key("t") }),
        (b"m,t==b f=1", LineError::BareEquals { key: key("t") }),
        (b"m a,b=1", LineError::BareComma { key: key("a,b") }),
        (b"m,a,b=1 f=1", LineError::BareComma { key: key("a,b") }),
        (b"m,,a=b f=1", LineError::BareComma { key: key(",a") }),
        (b"m f=1,,g=2", LineError::BareComma { key: key(",g") }),
        (b"m f=1,", LineError::DanglingComma { at: 5 }),
        (b"m f=1, 12", LineError::DanglingComma { at: 5 }),
        (b"m f=1, g=2", LineError::DanglingComma { at: 5 }),
        (b"m,t=1,t=1 f=1", LineError::DuplicateTag { key: key("t") }),
        (b"m,b=1,a=2,b=3 f=1", LineError::DuplicateTag { key: key("b") }),
        (br"m,a\ b=1,a\ b=2 f=1", LineError::DuplicateTag { key: key("a b") }),
        (b"m f=1,f=2", LineError::DuplicateField { key: key("f") }),
        (b"m long_name=1,b=2,long_name=t", LineError::DuplicateField { key: key("long_name") }),
        (b"m,time=1 f=1", LineError::ReservedTag { key: key("time") }),
        (b"m,a=1,_field=1 f=1", LineError::ReservedTag { key: key("_field") }),
        (b"m,_measurement=1 f=1", LineError::ReservedTag { key: key("_measurement") }),
        (b"m time=1", LineError::ReservedField),
        (b"m f=1,time=1", LineError::ReservedField),
        (b"m f=1e400", LineError::NotFinite { key: key("f") }),
        (b"m f=1,g=-1e309", LineError::NotFinite { key: key("g") }),
        (b"m f=1 9223372036854775807", LineError::LineTime { ns: i64::MAX }),
        (b"m f=1 -9223372036854775807", LineError::LineTime { ns: i64::MIN + 1 }),
        (b"m f=1 -9223372036854775808", LineError::LineTime { ns: i64::MIN }),
    ];
    for (line, error) in cases {
        assert_eq!(write(line).as_ref(), Err(error), "{}", line.escape_ascii());
    }
    let digits = format!("m f={}", "9".repeat(400));
    assert_eq!(write(digits.as_bytes()), Err(LineError::NotFinite { key: key("f") }));
}

#[test]
fn keys_are_limited_as_in_influxdb() {
    // "m,t=" + value + 4 + "f"
    let line = |value: usize| format!("m,t={} f=1", "x".repeat(value));
    assert!(write(line(65_535 - 9).as_bytes()).is_ok());
    assert_eq!(write(line(65_535 - 8).as_bytes()), Err(LineError::KeyTooLong { len: 65_536 }));
}

#[test]
fn what_the_parser_refuses_gets_a_reason_that_names_it() {
    let field = |key, value| {
        format!(
            "not line protocol: field {key:?} has the value {value:?}; a value is a finite number, an integer of 64 bits \
             followed by i or u, a boolean, or a string in double quotes"
        )
    };
    for value in [
        "NaN",
        "nan",
        "inf",
        "-Inf",
        "+1",
        ".5",
        "1.",
        "-",
        "1e",
        "0x10",
        "1_000",
        "tRUE",
        "yes",
        "null",
        "-1u",
        "1ii",
        "9223372036854775808i",
        "18446744073709551616u",
        "1.5i",
        "1.1.1",
        "--1",
        "'a'",
    ] {
        assert_eq!(reason(&format!("m a=1,f={value}")), field("f", value));
    }
    for (line, wanted) in [
        (",t=a f=1", "the measurement is missing"),
        ("m", "no field: a blank and field=value are missing"),
        ("m,t=a", "no field: a blank and field=value are missing"),
        ("m,t= f=1", "tag \"t\" has no value: leave the tag out"),
        ("m,t f=1", "tag \"t\" has no '=' and no value"),
        ("m,=a f=1", "the key of a tag is missing at byte 2"),
        ("m, t=a f=1", "the key of a tag is missing at byte 2"),
        ("m,t=a, f=1", "the key of a tag is missing at byte 6"),
        ("m f", "field \"f\" has no '=' and no value"),
        ("m =1", "the key of a field is missing at byte 2"),
        ("m f=\"a", "the string of field \"f\" has no closing quote"),
        ("m f=\"a\"b", "text follows the closing quote of field \"f\""),
        ("m f=1 1.5", "the timestamp \"1.5\" is not a whole number of nanoseconds in 64 bits"),
        ("m f=1 1 2", "the timestamp \"1 2\" is not a whole number of nanoseconds in 64 bits"),
        (
            "m f=1 92233720368547758080",
            "the timestamp \"92233720368547758080\" is not a whole number of nanoseconds in 64 bits",
        ),
        (r"m,t=a\\ f=1", "Measurements, tag keys and values, and field keys may not end with a backslash"),
    ] {
        assert_eq!(reason(line), format!("not line protocol: {wanted}"), "{line}");
    }
    assert!(reason(&format!("m f={}", "x".repeat(10_000))).len() < 300, "a reason is short");
}

#[test]
fn lines_of_any_length_are_read_alike() {
    // Every place of every part relative to the scanner's steps of 16 and blocks of 64 bytes.
    for tag in 1..200 {
        let line = format!("m,t={} field=12345.678,other=17i", "x".repeat(tag));
        assert_eq!(scan::scan(line.as_bytes()), Scan::Bare, "{line}");
        assert_eq!(scan::scan(format!("{line} 1785000000000000000").as_bytes()), Scan::Stamped, "{line}");
        for bad in ["\"", "\\", "\t", "é", "=", "  ", "\x7f", ","] {
            let mut spoilt = line.clone();
            spoilt.insert_str(4 + tag / 2, bad);
            assert_eq!(scan::scan(spoilt.as_bytes()), Scan::Unusual, "{spoilt}");
        }
        assert_eq!(scan::scan(line.replace("678", "6x8").as_bytes()), Scan::Unusual, "{line}");
        assert_eq!(scan::scan(line.replace("17i", "").as_bytes()), Scan::Unusual, "{line}");
    }
}

// === timestamps ===

/// The timestamp that a record of partition and offset gets.
fn stamp(topic: &str, partition: i32, tiebreak: Tiebreak, ms: i64, offset: i64) -> Result<i64, LineError> {
    let mut out = Vec::new();
    append_line(&mut out, b"m f=1", &mut Stamper::new(topic, partition, tiebreak), ms, offset)?;
    let text = std::str::from_utf8(&out).unwrap();
    Ok(text.strip_prefix("m f=1 ").unwrap().strip_suffix('\n').unwrap().parse().unwrap())
}

#[test]
fn records_of_one_millisecond_stay_apart() {
    let mut seen = HashSet::new();
    for partition in 0..4 {
        let mut stamper = Stamper::new("prices", partition, Tiebreak::Offset);
        for offset in 0..10_000 {
            let mut out = Vec::new();
            append_line(&mut out, b"cryptos BTC-USD=1", &mut stamper, MS, offset).unwrap();
            assert!(out.starts_with(b"cryptos BTC-USD=1 1785000000000"), "the millisecond is kept");
            assert!(seen.insert(out), "partition {partition}, offset {offset} collides");
        }
    }
}

#[test]
fn a_replay_gets_the_same_timestamp() {
    // Literals: a change of the formula would write doubles on every replay after an upgrade.
    assert_eq!(stamp("", 0, Tiebreak::Offset, MS, 0), Ok(1_785_000_000_000_656_037));
    assert_eq!(stamp("foobar", 0, Tiebreak::Offset, MS, 0), Ok(1_785_000_000_000_436_968));
    assert_eq!(stamp("prices", 3, Tiebreak::Offset, MS, 123_456_789), Ok(1_785_000_000_000_097_830));
    assert_eq!(stamp("prices", 3, Tiebreak::None, MS, 123_456_789), Ok(MS * 1_000_000));
}

#[test]
fn times_that_nanoseconds_cannot_hold_are_refused() {
    let last = i64::MAX / 1_000_000;
    for ms in [0, 1, 999, -2, -1_000, 999_999_999_999, 1_000_000_000_000, last - 1, last, -last] {
        assert_eq!(stamp("t", 0, Tiebreak::None, ms, 5), Ok(ms * 1_000_000), "{ms}");
    }
    assert_eq!(stamp("t", 0, Tiebreak::None, -1, 5), Err(LineError::NoTimestamp));
    for ms in [last + 1, -last - 1, i64::MAX, i64::MIN] {
        assert_eq!(stamp("t", 0, Tiebreak::None, ms, 5), Err(LineError::RecordTime { ms }), "{ms}");
    }
}

#[test]
fn a_line_with_a_timestamp_needs_none_of_its_record() {
    let mut out = Vec::new();
    append_line(&mut out, b"m f=1 12", &mut Stamper::new("t", 0, Tiebreak::Offset), -1, 0).unwrap();
    assert_eq!(out, b"m f=1 12\n");
}
