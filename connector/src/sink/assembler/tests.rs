//! Whatever is appended comes out once, in order, in bodies within their limits, and the ledger hears of every offset.

use std::num::NonZeroUsize;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::batch::{Inputs, Record};
use crate::config::{RequestsInFlight, Tiebreak};
use crate::transform::Reject;

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

/// Appends all of a batch of partition 0, from offset 0; `rejects` are the records that the transform rejected.
fn append_with(assembler: &mut Assembler, records: &[&[&str]], rejects: &[u32], stop_at_rejected: bool) -> Appended {
    let records: Vec<Vec<String>> =
        records.iter().map(|lines| lines.iter().map(|&line| line.to_owned()).collect()).collect();
    let (batch, mut output) = batch(0, &records);
    output.rejects = rejects.iter().map(|&record| Reject { record, reason: "no".to_owned() }).collect();
    let partition = TopicPartition::new("prices", 0);
    let origin = Origin { partition: &partition, slot: 0, generation: 1, version: &version(), records: None };
    let mut appended = Appended { ranges: vec![fated(77, 77, Fate::Lines)], rejected: Vec::new(), with_lines: 9 };
    assembler.append(origin, (&batch, &output), stop_at_rejected, &mut stamper(0), &mut appended);
    appended
}

fn append(assembler: &mut Assembler, records: &[&[&str]]) -> Appended {
    append_with(assembler, records, &[], false)
}

fn drain(assembler: &mut Assembler) -> Vec<Body> {
    std::iter::from_fn(|| assembler.next(Instant::now(), true)).map(|(body, _)| body).collect()
}

fn fated(first: i64, last: i64, fate: Fate) -> Fated {
    Fated { range: OffsetRange { first, last }, fate }
}

fn records(appended: &Appended) -> Vec<usize> {
    appended.rejected.iter().map(|rejected| rejected.record).collect()
}

fn version() -> Arc<Version> {
    Arc::new(Version::new("00ff", "test"))
}

#[test]
fn filtered_records_alone_are_one_range_without_lines() {
    let mut assembler = assembler(10, 1000, Duration::ZERO);
    let appended = append(&mut assembler, &[&[], &[], &[]]);
    assert_eq!((appended.ranges, appended.with_lines), (vec![fated(0, 4, Fate::Filtered)], 0));
    assert!(assembler.is_empty() && assembler.next(Instant::now(), true).is_none());
}

#[test]
fn no_record_is_no_range() {
    let mut assembler = assembler(10, 1000, Duration::ZERO);
    assert_eq!(append(&mut assembler, &[]).ranges, []);
}

#[test]
fn a_line_that_cannot_be_written_takes_its_record_out_and_leaves_the_others() {
    let mut assembler = assembler(10, 1000, Duration::ZERO);
    let appended = append(&mut assembler, &[&[GOOD], &[], &[GOOD, BAD, GOOD], &[GOOD]]);
    assert_eq!(appended.ranges, [fated(0, 2, Fate::Lines), fated(4, 4, Fate::Rejected), fated(6, 6, Fate::Lines)]);
    assert_eq!((records(&appended), appended.with_lines), (vec![2], 2));
    assert!(!appended.rejected[0].reason.is_empty());
    assert_eq!(appended.rejected[0].line.as_deref(), Some(BAD.as_bytes()));
    let bodies = drain(&mut assembler);
    assert_eq!(bodies.len(), 1);
    assert_eq!(bodies[0].offsets, [0, 6], "no line of the bad record");
    assert_eq!(append(&mut assembler, &[&[BAD]]).ranges, [fated(0, 0, Fate::Rejected)]);
    assert!(assembler.is_empty());
}

#[test]
fn rejected_records_side_by_side_are_one_range_and_between_others_their_own() {
    let mut assembler = assembler(10, 1000, Duration::ZERO);
    let lines: [&[&str]; 7] = [&[], &[BAD], &[], &[GOOD], &[], &[], &[]];
    let appended = append_with(&mut assembler, &lines, &[0, 2, 5], false);
    assert_eq!(
        appended.ranges,
        [
            fated(0, 4, Fate::Rejected),
            fated(6, 8, Fate::Lines),
            fated(10, 10, Fate::Rejected),
            fated(12, 12, Fate::Filtered)
        ]
    );
    assert_eq!(records(&appended), [0, 1, 2, 5]);
    assert_eq!(appended.rejected.iter().map(|one| one.line.is_some()).collect::<Vec<_>>(), [false, true, false, false]);
}

#[test]
fn nothing_follows_the_first_rejected_record_if_it_stops_the_task() {
    for (rejects, lines) in [(&[2][..], [&[GOOD][..], &[], &[], &[GOOD]]), (&[], [&[GOOD], &[], &[BAD], &[GOOD]])] {
        let mut assembler = assembler(10, 1000, Duration::ZERO);
        let appended = append_with(&mut assembler, &lines, rejects, true);
        assert_eq!(appended.ranges, [fated(0, 2, Fate::Lines), fated(4, 4, Fate::Rejected)]);
        assert_eq!(records(&appended), [2]);
        assert_eq!(drain(&mut assembler)[0].offsets, [0]);
    }
}

#[test]
fn records_that_are_kept_cut_the_body_before_they_take_more_than_it() {
    let mut assembler = assembler(1000, 4096, Duration::from_secs(3600));
    let partition = TopicPartition::new("prices", 0);
    let (batch, output) = {
        let (mut batch, output) = batch(0, &[vec![GOOD.to_owned()]]);
        batch.push(&Record { offset: 2, timestamp: TIME_MS, key: None, value: Some(&[b'x'; 1000]) }, Inputs::default());
        (Arc::new(batch), output)
    };
    let mut appended = Appended::default();
    for slot in 0..20 {
        let origin = Origin { partition: &partition, slot, generation: 1, version: &version(), records: Some(&batch) };
        assembler.append(origin, (&batch, &output), false, &mut stamper(0), &mut appended);
    }
    let bodies = drain(&mut assembler);
    assert!(bodies.len() >= 5, "{} bodies hold 20 batches of a kilobyte", bodies.len());
    assert!(bodies.iter().all(|body| body.parts.len() <= 4), "no body keeps more than its limit");
    assert!(bodies.iter().flat_map(|body| &body.parts).all(|part| part.records.is_some()));
}

#[test]
fn lines_of_one_record_stay_together() {
    let mut assembler = assembler(3, 1000, Duration::ZERO);
    let ranges = append(&mut assembler, &[&[GOOD; 2], &[], &[GOOD; 2], &[GOOD; 5], &[GOOD]]).ranges;
    assert_eq!(ranges, [(0, 2), (4, 4), (6, 6), (8, 8)].map(|(first, last)| fated(first, last, Fate::Lines)));
    let offsets: Vec<_> = drain(&mut assembler).into_iter().map(|body| body.offsets).collect();
    assert_eq!(offsets, [vec![0; 2], vec![4; 2], vec![6; 5], vec![8]]);
}

#[test]
fn a_body_leaves_for_the_reason_that_is_true() {
    let now = Instant::now;
    let mut by_lines = assembler(2, 1000, Duration::from_secs(3600));
    append(&mut by_lines, &[&[GOOD], &[GOOD], &[GOOD]]);
    assert!(by_lines.is_full());
    assert_eq!(by_lines.next(now(), false).map(|(body, cut_by)| (body.lines(), cut_by)), Some((2, CutBy::Lines)));
    assert!(!by_lines.is_full() && !by_lines.is_empty());
    assert!(by_lines.next(now(), false).is_none(), "the third line lingers");
    let deadline = by_lines.deadline().unwrap();
    assert!(by_lines.next(deadline - Duration::from_nanos(1), false).is_none());
    assert_eq!(by_lines.next(deadline, false).map(|(body, cut_by)| (body.lines(), cut_by)), Some((1, CutBy::Linger)));
    assert_eq!(by_lines.deadline(), None);

    let mut by_bytes = assembler(100, 60, Duration::from_secs(3600));
    append(&mut by_bytes, &[&[GOOD], &[GOOD], &[GOOD]]);
    assert_eq!(by_bytes.next(now(), false).map(|(body, cut_by)| (body.lines(), cut_by)), Some((2, CutBy::Bytes)));
    assert_eq!(by_bytes.next(now(), true).map(|(body, cut_by)| (body.lines(), cut_by)), Some((1, CutBy::Stop)));

    let mut idle = assembler(100, 1000, Duration::ZERO);
    append(&mut idle, &[&[GOOD]]);
    assert_eq!(idle.next(now(), false).map(|(body, cut_by)| (body.lines(), cut_by)), Some((1, CutBy::Idle)));
    assert!(idle.is_empty() && idle.next(now(), true).is_none());
}

/// One batch of the property: its partition, what its records have, and which the transform rejected (those have no lines).
#[derive(Debug, Clone)]
struct Given {
    partition: i32,
    records: Vec<Vec<String>>,
    rejects: Vec<u32>,
}

fn given() -> impl Strategy<Value = Given> {
    let line = prop_oneof![
        60 => (1..40_usize).prop_map(|length| format!("m f{}=1", "x".repeat(length))),
        1 => Just(BAD.to_owned()),
    ];
    let records = vec(prop_oneof![2 => Just(Vec::new()), 5 => vec(line, 1..4)], 1..12);
    (0..3, records, any::<u16>()).prop_map(|(partition, mut records, rejected)| {
        let rejects: Vec<u32> = (0..records.len() as u32).filter(|record| rejected & (1 << record) != 0).collect();
        rejects.iter().for_each(|&record| records[record as usize].clear());
        Given { partition, records, rejects }
    })
}

/// What is to come out: of each line its text and where it is from.
#[derive(Debug, Default)]
struct Expected {
    bytes: Vec<u8>,
    origins: Vec<(i32, i64)>,
}

impl Given {
    fn fate(&self, record: usize) -> Fate {
        let lines = &self.records[record];
        match () {
            () if self.rejects.contains(&(record as u32)) || lines.iter().any(|line| line == BAD) => Fate::Rejected,
            () if lines.is_empty() => Fate::Filtered,
            () => Fate::Lines,
        }
    }
}

/// Checks what one append tells the ledger: every record once, in order, with its fate.
fn check_ranges(given: &Given, batch: &Batch, appended: &Appended) {
    let mut next = 0;
    for Fated { range, fate } in &appended.ranges {
        assert_eq!(range.first, batch.offsets[next], "the ranges chain");
        let last = batch.index_of(range.last).unwrap();
        assert!(last >= next);
        let fates: Vec<Fate> = (next..=last).map(|record| given.fate(record)).collect();
        match fate {
            Fate::Rejected => assert!(fates.iter().all(|fate| *fate == Fate::Rejected)),
            Fate::Filtered => assert!(fates.iter().all(|fate| *fate == Fate::Filtered)),
            Fate::Lines => assert!(fates.contains(&Fate::Lines) && !fates.contains(&Fate::Rejected)),
        }
        next = last + 1;
    }
    assert_eq!(next, given.records.len(), "every offset is covered");
    let all = 0..given.records.len();
    assert_eq!(
        records(appended),
        all.clone().filter(|&record| given.fate(record) == Fate::Rejected).collect::<Vec<_>>()
    );
    assert_eq!(appended.with_lines, all.filter(|&record| given.fate(record) == Fate::Lines).count());
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
            let origin = Origin { partition: &partition, slot: given.partition as usize, generation: 1, version: &version(), records: None };
            let (mut appended, mut stamper) = (Appended::default(), stamper(given.partition));
            let mut output = output;
            output.rejects = given.rejects.iter().map(|&record| Reject { record, reason: "no".to_owned() }).collect();
            assembler.append(origin, (&batch, &output), false, &mut stamper, &mut appended);
            check_ranges(given, &batch, &appended);
            let with_lines = appended.ranges.iter().filter(|fated| fated.fate == Fate::Lines);
            in_flight.extend(with_lines.map(|fated| (given.partition, fated.range)));
            for (index, lines) in given.records.iter().enumerate().filter(|(index, _)| given.fate(*index) == Fate::Lines) {
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
            (0..body.lines()).map(|line| body.origin_of(line).map(|(part, offset)| (part.partition.partition, offset)).unwrap())
        });
        prop_assert_eq!(origins.collect::<Vec<_>>(), expected.origins);
        prop_assert_eq!(bodies.iter().flat_map(|body| &body.bytes).copied().collect::<Vec<_>>(), expected.bytes);
    }
}
