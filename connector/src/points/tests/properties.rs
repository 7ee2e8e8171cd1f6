//! The scanner, the full check and the crate's parser on lines that nobody thought of.

use influxdb_line_protocol::parse_lines;
use proptest::{collection::vec, prelude::*, sample::select, string::string_regex};

use super::*;

fn regex(pattern: &str) -> impl Strategy<Value = String> + use<> {
    string_regex(pattern).unwrap()
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(texts).prop_map(str::to_owned)
}

/// A name that the scanner reads.
fn plain_name() -> impl Strategy<Value = String> {
    regex("[A-Za-z0-9_.:/-]{1,20}")
        .prop_filter("reserved", |name| !matches!(&name[..], "time" | "_field" | "_measurement"))
}

/// A value that the scanner reads.
fn plain_value() -> impl Strategy<Value = String> {
    prop_oneof![
        regex("-?[0-9]{1,8}\\.[0-9]{1,12}"),
        regex("-?[0-9]{1,16}i?"),
        regex("-?[0-9]{1,3}(\\.[0-9]{1,9})?[eE][+-]?[0-9]{1,2}"),
        one_of(&["t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE"]),
    ]
}

/// Different names with values.
fn plain_pairs(
    value: impl Strategy<Value = String>,
    count: impl Into<proptest::collection::SizeRange>,
) -> impl Strategy<Value = String> {
    proptest::collection::btree_map(plain_name(), value, count).prop_map(|pairs| {
        pairs.into_iter().rev().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
    })
}

prop_compose! {
    /// A line that the scanner reads, and whether it has a timestamp.
    fn plain_line()(
        measurement in plain_name(),
        tags in plain_pairs(plain_name(), 0..6),
        fields in plain_pairs(plain_value(), 1..8),
        timestamp in proptest::option::of(0_i64..9_000_000_000_000_000_000),
    ) -> (String, bool) {
        let comma = if tags.is_empty() { "" } else { "," };
        let time = timestamp.map_or(String::new(), |ns| format!(" {ns}"));
        (format!("{measurement}{comma}{tags} {fields}{time}"), timestamp.is_some())
    }
}

/// Pieces of which wrong lines are made, and sound ones that need the parser.
fn odd_line() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => regex("[a-z]{1,9}"),
        4 => one_of(&["m", "t", "f", ",", "=", " ", "m f=1", ",t=a", " f=", "f=1", "f=1,g=2", "m,a=b c=d"]),
        1 => one_of(&["time", "_field", "\\", "\\\\", "\\ ", "\\,", "\\=", "\"", "\"a\"", "#", "  "]),
        1 => one_of(&["é", "\u{feff}", "\0", "\t", "\r", "\n", "\x7f"]),
        2 => regex("[+-]?[0-9]{0,21}(\\.[0-9]{0,20})?([eE][+-]?[0-9]{0,4})?[iu]?"),
        1 => regex("-?[0-9]{17,20}"),
        1 => one_of(&["t", "tRUE", "NaN", "-inf", "1e400", "9223372036854775807", "9223372036854775807i"]),
        1 => plain_value(),
    ];
    vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

/// Changes a few places of a plain line.
fn mutated_line() -> impl Strategy<Value = String> {
    let change =
        (any::<proptest::sample::Index>(), 0..3_u8, odd_line().prop_map(|odd| odd.chars().take(2).collect::<String>()));
    (plain_line(), vec(change, 1..4)).prop_map(|((line, _), changes)| {
        let mut chars: Vec<char> = line.chars().collect();
        for (place, kind, odd) in changes {
            let at = place.index(chars.len() + 1);
            let end = (at + usize::from(kind)).min(chars.len());
            chars.splice(at..end, odd.chars());
        }
        chars.into_iter().collect()
    })
}

fn any_line() -> impl Strategy<Value = String> {
    prop_oneof![odd_line(), mutated_line(), plain_line().prop_map(|(line, _)| line)]
}

/// What the crate alone says of a line: `None` if it is not exactly one sound line, else whether it has a timestamp.
fn crate_says(line: &str) -> Option<bool> {
    let mut lines = parse_lines(line);
    match (lines.next(), lines.next()) {
        (Some(Ok(parsed)), None) => Some(parsed.timestamp.is_some()),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn plain_lines_never_meet_the_parser((line, has_timestamp) in plain_line()) {
        let wanted = if has_timestamp { Scan::Stamped } else { Scan::Bare };
        prop_assert_eq!(scan::scan(line.as_bytes()), wanted, "{}", line);
    }

    #[test]
    fn what_the_scanner_accepts_the_parser_accepts(line in any_line()) {
        match scan::scan(line.as_bytes()) {
            Scan::Bare => prop_assert_eq!(crate_says(&line), Some(false), "{}", line),
            Scan::Stamped => prop_assert_eq!(crate_says(&line), Some(true), "{}", line),
            Scan::Unusual => {}
        }
        prop_assert!(agree(line.as_bytes()), "{}", line);
    }

    #[test]
    fn what_is_accepted_is_one_line_for_the_parser(line in any_line()) {
        let Ok(written) = write(line.as_bytes()) else { return Ok(()) };
        // A line behind it must come out unharmed: nothing swallows a line end.
        let body = format!("{written}after g=2 7\n");
        let lines: Vec<_> = parse_lines(&body).collect();
        prop_assert_eq!(lines.len(), 2, "{}", body);
        prop_assert!(lines[0].as_ref().is_ok_and(|first| first.timestamp.is_some()), "{}", body);
        prop_assert!(lines[1].as_ref().is_ok_and(|last| last.series.measurement == "after"), "{}", body);
    }

    #[test]
    fn what_is_called_malformed_the_parser_refuses(line in any_line()) {
        if let Err(LineError::Malformed { reason }) = write(line.as_bytes()) {
            prop_assert_eq!(crate_says(line.trim_matches(' ')), None, "{}: {}", line, reason);
        }
    }

    #[test]
    fn arbitrary_bytes_are_judged_without_a_panic(line in vec(any::<u8>(), 0..80)) {
        let _ = write(&line);
        prop_assert!(agree(&line));
    }

    #[test]
    fn timestamps_follow_the_formula(
        ms in prop_oneof![
            any::<i64>(),
            -10_000_000_000_000_i64..10_000_000_000_000,
            9_223_372_036_850_i64..9_223_372_036_860,
        ],
        offset in prop_oneof![any::<i64>(), 0..10_000_000_i64],
        partition in any::<i32>(),
        topic in regex("[a-z.]{1,12}"),
    ) {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in topic.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        let tie = (i128::from(offset) + 618_034 * i128::from(partition) + i128::from(hash)).rem_euclid(1_000_000);
        let ns = i128::from(ms) * 1_000_000 + tie;
        let wanted = match i64::try_from(ns) {
            _ if ms == -1 => Err(LineError::NoTimestamp),
            Ok(ns) if (i64::MIN + 2..i64::MAX).contains(&ns) => Ok(ns),
            _ => Err(LineError::RecordTime { ms }),
        };
        prop_assert_eq!(stamp(&topic, partition, Tiebreak::Offset, ms, offset), wanted);
    }
}
