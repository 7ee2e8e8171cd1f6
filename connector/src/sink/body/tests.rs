//! Whatever is appended comes out once, in order, in bodies within their limits, and the ledger hears of every offset.

use std::num::NonZeroUsize;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::batch::{Inputs, Record};
use crate::config::{RequestsInFlight, Tiebreak};

const GOOD: &str = "m f=1";
const BAD: &str = "not line protocol";
const TIME_MS: i64 = 1_668_902_400_000;

fn assembler(max_lines: usize, max_bytes: usize, linger: Duration) -> Assembler {
    Assembler::new(&BatchConfig {
        max_lines: NonZeroUsize::new(max_lines).unwrap(),
        max_bytes: NonZeroUsize::new(max_bytes).unwrap(),
        linger,
        requests_in_flight: RequestsInFlight::Auto,
    })
}

fn stamper(partition: i32) -> Stamper {
    Stamper::new("prices", partition, Tiebreak::Offset)
}

/// Batch and output of records from offset `first`, two offsets apart, with these lines.
fn batch(first: i64, records: &[Vec<String>]) -> (Batch, Output) {
    let (mut batch, mut output) = (Batch::default(), Output::default());
    for (index, lines) in records.iter().enumerate() {
        let offset = first + 2 * index as i64;
        let timestamp = TIME_MS + offset / 6;
        batch.push(&Record { offset, timestamp, key: None, value: Some(b"v") }, Inputs::default());
        for line in lines {
            output.lines.push(line.as_bytes());
            output.records.push(index as u32);
        }
        output.num_with_lines += usize::from(!lines.is_empty());
    }
    (batch, output)
}

/// Appends all of a batch of partition 0, from offset 0.
fn append(assembler: &mut Assembler, records: &[&[&str]]) -> (Ranges, Result<(), BadLine>) {
    let records: Vec<Vec<String>> =
        records.iter().map(|lines| lines.iter().map(|&line| line.to_owned()).collect()).collect();
    let (batch, output) = batch(0, &records);
    let partition = TopicPartition::new("prices", 0);
    let origin = Origin { partition: &partition, slot: 0, generation: 1 };
    let mut ranges = vec![Appended { range: OffsetRange { first: 77, last: 77 }, has_lines: true }];
    let result = assembler.append(origin, &batch, &output, records.len(), &mut stamper(0), &mut ranges);
    (ranges, result)
}

fn drain(assembler: &mut Assembler) -> Vec<Body> {
    std::iter::from_fn(|| assembler.next(Instant::now(), true)).map(|(body, _)| body).collect()
}

fn appended(first: i64, last: i64, has_lines: bool) -> Appended {
    Appended { range: OffsetRange { first, last }, has_lines }
}

#[test]
fn filtered_records_alone_are_one_range_without_lines() {
    let mut assembler = assembler(10, 1000, Duration::ZERO);
    let (ranges, result) = append(&mut assembler, &[&[], &[], &[]]);
    assert_eq!((ranges, result), (vec![appended(0, 4, false)], Ok(())));
    assert!(assembler.is_empty() && assembler.next(Instant::now(), true).is_none());
}

#[test]
fn no_record_is_no_range() {
    let mut assembler = assembler(10, 1000, Duration::ZERO);
    assert_eq!(append(&mut assembler, &[]), (vec![], Ok(())));
}

#[test]
fn a_line_that_cannot_be_written_leaves_the_records_before_it() {
    let mut assembler = assembler(10, 1000, Duration::ZERO);
    let (ranges, result) = append(&mut assembler, &[&[GOOD], &[], &[GOOD, BAD], &[GOOD]]);
    assert_eq!(ranges, [appended(0, 2, true)]);
    let bad = result.unwrap_err();
    assert_eq!(bad.record, 2);
    assert!(!bad.reason.is_empty());
    let bodies = drain(&mut assembler);
    assert_eq!(bodies.len(), 1);
    assert_eq!(bodies[0].offsets, [0], "no line of the bad record");
    assert_eq!(append(&mut assembler, &[&[BAD]]).0, [], "nothing is before the first record");
    assert!(assembler.is_empty());
}

#[test]
fn lines_of_one_record_stay_together() {
    let mut assembler = assembler(3, 1000, Duration::ZERO);
    let (ranges, _) = append(&mut assembler, &[&[GOOD; 2], &[], &[GOOD; 2], &[GOOD; 5], &[GOOD]]);
    assert_eq!(ranges, [appended(0, 2, true), appended(4, 4, true), appended(6, 6, true), appended(8, 8, true)]);
    let offsets: Vec<_> = drain(&mut assembler).into_iter().map(|body| body.offsets).collect();
    assert_eq!(offsets, [vec![0; 2], vec![4; 2], vec![6; 5], vec![8]]);
}

#[test]
fn a_body_leaves_for_the_reason_that_is_true() {
    let now = Instant::now;
    let mut by_lines = assembler(2, 1000, Duration::from_secs(3600));
    append(&mut by_lines, &[&[GOOD], &[GOOD], &[GOOD]]).1.unwrap();
    assert!(by_lines.is_full());
    assert_eq!(by_lines.next(now(), false).map(|(body, cut_by)| (body.lines(), cut_by)), Some((2, CutBy::Lines)));
    assert!(!by_lines.is_full() && !by_lines.is_empty());
    assert!(by_lines.next(now(), false).is_none(), "the third line lingers");
    let deadline = by_lines.deadline().unwrap();
    assert!(by_lines.next(deadline - Duration::from_nanos(1), false).is_none());
    assert_eq!(by_lines.next(deadline, false).map(|(body, cut_by)| (body.lines(), cut_by)), Some((1, CutBy::Linger)));
    assert_eq!(by_lines.deadline(), None);

    let mut by_bytes = assembler(100, 60, Duration::from_secs(3600));
    append(&mut by_bytes, &[&[GOOD], &[GOOD], &[GOOD]]).1.unwrap();
    assert_eq!(by_bytes.next(now(), false).map(|(body, cut_by)| (body.lines(), cut_by)), Some((2, CutBy::Bytes)));
    assert_eq!(by_bytes.next(now(), true).map(|(body, cut_by)| (body.lines(), cut_by)), Some((1, CutBy::Stop)));

    let mut idle = assembler(100, 1000, Duration::ZERO);
    append(&mut idle, &[&[GOOD]]).1.unwrap();
    assert_eq!(idle.next(now(), false).map(|(body, cut_by)| (body.lines(), cut_by)), Some((1, CutBy::Idle)));
    assert!(idle.is_empty() && idle.next(now(), true).is_none());
}

/// One batch of the property: its partition, what its records have, and where the transform's first reject is.
#[derive(Debug, Clone)]
struct Given {
    partition: i32,
    records: Vec<Vec<String>>,
    until: usize,
}

fn given() -> impl Strategy<Value = Given> {
    let line = prop_oneof![
        60 => (1..40_usize).prop_map(|length| format!("m f{}=1", "x".repeat(length))),
        1 => Just(BAD.to_owned()),
    ];
    let records = vec(prop_oneof![2 => Just(Vec::new()), 5 => vec(line, 1..4)], 1..12);
    (0..3, records, any::<prop::sample::Index>(), any::<bool>()).prop_map(|(partition, records, until, all)| {
        let until = if all { records.len() } else { until.index(records.len() + 1) };
        Given { partition, records, until }
    })
}

/// What is to come out: of each line its text and where it is from.
#[derive(Debug, Default)]
struct Expected {
    bytes: Vec<u8>,
    origins: Vec<(i32, i64)>,
}

/// Checks what one append tells the ledger; gives back the records that were appended.
fn check_ranges(given: &Given, batch: &Batch, ranges: &Ranges, result: Result<(), BadLine>) -> usize {
    let bad = given.records[..given.until].iter().position(|lines| lines.iter().any(|line| line == BAD));
    assert_eq!(result.err().map(|bad| bad.record), bad);
    let taken = bad.unwrap_or(given.until);
    let mut next = 0;
    for Appended { range, has_lines } in ranges {
        assert_eq!(range.first, batch.offsets[next], "the ranges chain");
        let last = batch.offsets.iter().position(|&offset| offset == range.last).unwrap();
        assert!(last >= next);
        assert_eq!(*has_lines, given.records[next..=last].iter().any(|lines| !lines.is_empty()));
        next = last + 1;
    }
    assert_eq!(next, taken, "every offset is covered");
    if given.records[..taken].iter().all(Vec::is_empty) {
        assert!(ranges.len() <= 1, "filtered records alone are one range");
    }
    taken
}

fn check_body(body: &Body, max_lines: usize, max_bytes: usize) {
    let one_record = body.parts.len() == 1 && body.offsets.iter().all(|&offset| offset == body.offsets[0]);
    assert!(body.lines() > 0);
    assert!(one_record || body.lines() <= max_lines, "{} lines", body.lines());
    assert!(one_record || body.bytes.len() <= max_bytes, "{} bytes", body.bytes.len());
    assert_eq!(body.bytes.iter().filter(|&&byte| byte == b'\n').count(), body.lines());
    for (index, part) in body.parts.iter().enumerate() {
        let end = body.parts.get(index + 1).map_or(body.lines(), |next| next.first_line);
        let mut offsets = body.offsets[part.first_line..end].to_vec();
        assert!(offsets.iter().all(|offset| (part.range.first..=part.range.last).contains(offset)));
        offsets.dedup();
        let mut times: Vec<(i64, u64)> = Vec::new();
        for offset in offsets {
            match times.last_mut() {
                Some((time, count)) if *time == TIME_MS + offset / 6 => *count += 1,
                _ => times.push((TIME_MS + offset / 6, 1)),
            }
        }
        assert_eq!(part.times, times);
    }
}

proptest! {
    #[test]
    fn everything_comes_out_once_in_order_and_within_limits(
        batches in vec(given(), 1..6), max_lines in 1..12_usize, max_bytes in 30..400_usize, eager: bool,
    ) {
        let mut assembler = assembler(max_lines, max_bytes, Duration::ZERO);
        let (mut expected, mut in_flight, mut bodies) = (Expected::default(), Vec::new(), Vec::new());
        let mut next_offset = [0, 1000, 2000];
        for given in &batches {
            let (batch, output) = batch(next_offset[given.partition as usize], &given.records);
            next_offset[given.partition as usize] += 2 * given.records.len() as i64;
            let partition = TopicPartition::new("prices", given.partition);
            let origin = Origin { partition: &partition, slot: given.partition as usize, generation: 1 };
            let (mut ranges, mut stamper) = (Ranges::new(), stamper(given.partition));
            let result =
                assembler.append(origin, &batch, &output, given.until, &mut stamper, &mut ranges);
            let taken = check_ranges(given, &batch, &ranges, result);
            in_flight.extend(ranges.iter().filter(|range| range.has_lines).map(|range| (given.partition, range.range)));
            for (index, lines) in given.records[..taken].iter().enumerate() {
                for line in lines {
                    let (time, offset) = (batch.timestamps[index], batch.offsets[index]);
                    points::append_line(&mut expected.bytes, line.as_bytes(), &mut stamper, time, offset).unwrap();
                    expected.origins.push((given.partition, offset));
                }
            }
            if eager {
                bodies.extend(assembler.next(Instant::now(), false).map(|(body, _)| body));
            }
        }
        bodies.extend(drain(&mut assembler));
        prop_assert!(assembler.is_empty());

        bodies.iter().for_each(|body| check_body(body, max_lines, max_bytes));
        let parts = bodies.iter().flat_map(|body| &body.parts);
        prop_assert_eq!(parts.map(|part| (part.partition.partition, part.range)).collect::<Vec<_>>(), in_flight);
        let origins = bodies.iter().flat_map(|body| {
            assert!(body.origin_of(body.lines()).is_none());
            (0..body.lines()).map(|line| body.origin_of(line).map(|(partition, offset)| (partition.partition, offset)).unwrap())
        });
        prop_assert_eq!(origins.collect::<Vec<_>>(), expected.origins);
        prop_assert_eq!(bodies.iter().flat_map(|body| &body.bytes).copied().collect::<Vec<_>>(), expected.bytes);
    }
}
