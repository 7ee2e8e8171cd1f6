//! Comparing what two versions made of one record, and finding what that is.

use std::num::NonZeroUsize;

use proptest::prelude::*;

use super::super::difference;
use super::super::fate::{self, Fate};
use super::*;
use crate::batch::Record;
use crate::config::{BatchConfig, RequestsInFlight};
use crate::sink::assembler::{Appended, Assembler, Origin};
use crate::transform::{RawColumn, RawOutput, RawRejects, check};

fn fate(lines: &[&str]) -> Fate {
    Fate::Lines(lines.iter().map(|&line| line.to_owned()).collect())
}

fn counts(old: &[&str], new: &[&str]) -> [u64; 4] {
    let Lines { equal, differing, added, gone } = difference::between(&fate(old), &fate(new)).lines;
    [equal, differing, added, gone]
}

#[test]
fn lines_of_a_record_are_matched_by_their_text() {
    assert_eq!(counts(&[], &[]), [0; 4]);
    assert_eq!(counts(&["a", "b"], &["a", "b"]), [2, 0, 0, 0]);
    assert_eq!(counts(&["a", "b"], &["a", "c"]), [1, 1, 0, 0]);
    assert_eq!(counts(&["a"], &["a", "a"]), [1, 0, 1, 0]);
    assert_eq!(counts(&["a", "a", "b"], &["b", "a"]), [2, 0, 0, 1]);
    assert_eq!(counts(&["a", "b", "c"], &["x", "c"]), [1, 1, 0, 1]);
    // The last of two lines for one point is the one that stays.
    assert_eq!(counts(&["a", "b", "c"], &["b", "a", "c"]), [1, 2, 0, 0]);
}

#[test]
fn lines_that_part_late_are_shown_where_they_do() {
    let shared = format!("m,tag={} ", "ä".repeat(400));
    let (old, new) = (fate(&[&format!("{shared}f=1")]), fate(&[&format!("{shared}f=2")]));
    let (old, new) = difference::between(&old, &new).shown();
    for (made, end) in [(&old, "ä f=1"), (&new, "ä f=2")] {
        let text = &made.texts[0];
        assert!(text.starts_with("…ä") && text.ends_with(end) && text.chars().count() < 60, "{text}");
    }
    let (old, new) = (fate(&[&"x".repeat(500)]), fate(&["y"]));
    let (old, new) = difference::between(&old, &new).shown();
    assert_eq!((old.texts[0].chars().count(), new.texts[0].as_str()), (difference::CHARS_MAX, "y"));
    assert!(old.texts[0].ends_with("x…"));
}

#[test]
fn what_is_shown_does_not_disturb_a_terminal() {
    let (old, new) = (fate(&["m s=\"\u{1b}[2J\u{202e}\"", "m\\ x f=1"]), Fate::Failed("\r\u{7}x".repeat(1000)));
    let (old, new) = difference::between(&old, &new).shown();
    assert_eq!(old.texts, ["m s=\"\\u{1b}[2J\\u{202e}\"", "m\\ x f=1"]);
    assert!(new.texts[0].starts_with("\\r\\u{7}x") && new.texts[0].chars().count() == difference::CHARS_MAX);
}

#[test]
fn of_many_lines_a_few_are_shown() {
    let many: Vec<String> = (0..100_000).map(|n| format!("m f={n}")).collect();
    let compared = Fate::Lines(many);
    let (old, new) = (fate(&["m f=7"]), compared);
    let compared = difference::between(&old, &new);
    assert_eq!(compared.lines, Lines { equal: 1, added: 99_999, ..Lines::default() });
    let (old, new) = compared.shown();
    assert_eq!((old.texts.len(), new.texts.len(), new.more), (0, 4, 99_995));
}

#[test]
fn lines_are_compared_as_they_would_be_written() {
    let sample = sample(&[&["a"]]);
    let stamped = |report: &Report| report.differences[0].old.texts[0].clone();
    let (mut bare, mut own) = (Double::new(|_| lines(&["m f=1"])), Double::new(|_| lines(&["m f=1 7"])));
    let report = run(&mut bare, &mut own, &sample);
    let text = stamped(&report);
    assert_eq!(report.lines.differing, 1);
    // A line that brings the very timestamp that it would get is no other line, nor is one with blanks around it.
    let mut same = Double::new(|_| lines(&[&format!("  {text} ")]));
    assert_eq!(run(&mut bare, &mut same, &sample).records_differing, 0);
}

fn bodies() -> BatchConfig {
    let many = NonZeroUsize::MAX;
    BatchConfig { max_lines: many, max_bytes: many, linger: Duration::ZERO, requests_in_flight: RequestsInFlight::Auto }
}

proptest! {
    /// Sound lines, unsound ones and rejects in any order: the fates are those that the assembler gives.
    #[test]
    fn fates_are_those_of_the_assembler(
        records in proptest::collection::vec((any::<bool>(), proptest::collection::vec(0usize..6, 0..4)), 0..8),
        timestamp in prop_oneof![Just(-1i64), Just(1_700_000_000_000)],
    ) {
        let texts: [&[u8]; 6] = [b"m f=1", b" m f=2 5 ", b"", b"m f=1,f=1", b"m,t=\xff f=1", b"m\\ x f=\"a\""];
        let (mut raw, mut batch) = (RawOutput { lines: RawColumn::default(), records: vec![], rejects: RawRejects::default() }, Batch::default());
        for (index, (rejected, lines)) in records.iter().enumerate() {
            batch.push(&Record { offset: index as i64, timestamp, key: None, value: None }, Inputs::default());
            if *rejected {
                raw.rejects.records.push(index as u32);
                raw.rejects.reasons.bytes.push(b'x');
                raw.rejects.reasons.ends.push(raw.rejects.records.len() as u32);
                continue;
            }
            for &line in lines {
                raw.lines.bytes.extend_from_slice(texts[line]);
                raw.lines.ends.push(raw.lines.bytes.len() as u32);
                raw.records.push(index as u32);
            }
        }
        let output = check(raw, batch.len()).unwrap();
        let fates = fate::of_records(&output, &batch, &mut Stamper::new("t", 0, Tiebreak::Offset));

        let partition = TopicPartition::new("t", 0);
        let version = Arc::new(crate::transform::Version::new("00ff", "test"));
        let origin = Origin { partition: &partition, slot: 0, generation: 0, version: &version, records: None };
        let mut assembler = Assembler::new(&bodies());
        let mut appended = Appended::default();
        let mut stamper = Stamper::new("t", 0, Tiebreak::Offset);
        assembler.append(origin, (&batch, &output), false, &mut stamper, &mut appended);

        prop_assert_eq!(fates.len(), batch.len());
        let refused = fates.iter().enumerate().filter_map(|(record, fate)| match fate {
            Fate::Rejected(reason) | Fate::Unwritable(reason) => Some((record, reason.clone())),
            _ => None,
        });
        let rejected = appended.rejected.iter().map(|rejected| (rejected.record, rejected.reason.clone()));
        prop_assert_eq!(refused.collect::<Vec<_>>(), rejected.collect::<Vec<_>>());
        let with_lines = fates.iter().filter(|fate| matches!(fate, Fate::Lines(lines) if !lines.is_empty())).count();
        prop_assert_eq!(with_lines, appended.with_lines);
    }
}
