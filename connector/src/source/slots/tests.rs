use super::*;
use crate::commit::{Ledger, LedgerError};
use crate::record::OffsetRange;

const HEADERS: Inputs = Inputs { keys: false, headers: true, timestamps: false, offsets: false };

fn partition(number: i32) -> TopicPartition {
    TopicPartition::new("prices", number)
}

/// Slots with the first `num` partitions open.
fn opened(num: i32) -> Slots {
    let mut slots = Slots::default();
    for number in 0..num {
        assert_eq!(slots.open(partition(number)), number as usize);
    }
    slots
}

/// Pushes records as one drain, and gives back the offsets that were taken, by slot.
fn drain(slots: &mut Slots, records: &[(usize, i64)]) -> Vec<(usize, i64)> {
    slots.drains += 1;
    for &(slot, offset) in records {
        let record = Record { offset, timestamp: 7, key: None, value: Some(b"v") };
        slots.push(slot, &record, Inputs::default());
    }
    slots.close_open();
    let taken = slots.filled.drain(..);
    taken.flat_map(|filled| filled.batch.offsets.into_iter().map(move |offset| (filled.slot, offset))).collect()
}

fn of_slot(slot: usize, offsets: impl IntoIterator<Item = i64>) -> Vec<(usize, i64)> {
    offsets.into_iter().map(|offset| (slot, offset)).collect()
}

#[test]
fn records_that_come_again_within_a_drain_are_passed_over() {
    let mut slots = opened(1);
    let again: Vec<i64> = (10..20).chain(10..25).collect();
    assert_eq!(drain(&mut slots, &of_slot(0, again)), of_slot(0, 10..25));
}

#[test]
fn the_latest_drain_that_comes_again_is_passed_over() {
    let mut slots = opened(1);
    drain(&mut slots, &of_slot(0, 0..10));
    drain(&mut slots, &of_slot(0, 10..20));
    assert_eq!(drain(&mut slots, &of_slot(0, 10..20)), []);
    assert_eq!(drain(&mut slots, &of_slot(0, 20..25)), of_slot(0, 20..25), "afterwards nothing is missing");
}

#[test]
fn of_a_drain_that_comes_again_only_the_rest_is_new() {
    let mut slots = opened(1);
    drain(&mut slots, &of_slot(0, 10..20));
    // What repeats may begin in the middle, and new records may follow at once.
    assert_eq!(drain(&mut slots, &of_slot(0, 15..30)), of_slot(0, 20..30));
}

#[test]
fn holes_do_not_end_what_is_passed_over() {
    let mut slots = opened(1);
    drain(&mut slots, &of_slot(0, [10, 13, 17]));
    assert_eq!(drain(&mut slots, &of_slot(0, [13, 17, 21])), of_slot(0, [21]));
}

#[test]
fn another_partitions_records_in_between_change_nothing() {
    let mut slots = opened(2);
    let both = [of_slot(0, 10..20), of_slot(1, 10..15)].concat();
    assert_eq!(drain(&mut slots, &both), both, "the same offsets of another partition are other records");
    // A drain without the partition is not its latest one.
    assert_eq!(drain(&mut slots, &of_slot(1, 15..20)), of_slot(1, 15..20));
    let again = [of_slot(0, 10..22), of_slot(1, 15..23)].concat();
    assert_eq!(drain(&mut slots, &again), [of_slot(0, 20..22), of_slot(1, 20..23)].concat());
}

#[test]
fn what_is_older_than_the_latest_drain_is_left_for_the_ledger_to_refuse() {
    let mut slots = opened(1);
    let mut ledger = Ledger::default();
    drain(&mut slots, &of_slot(0, 0..10));
    drain(&mut slots, &of_slot(0, 10..20));
    ledger.receive(OffsetRange { first: 0, last: 19 }).unwrap();

    assert_eq!(drain(&mut slots, &of_slot(0, [9])), of_slot(0, [9]));
    let range = OffsetRange { first: 9, last: 9 };
    assert_eq!(ledger.receive(range), Err(LedgerError::NotAscending { range, next: 20 }));
}

#[test]
fn a_partition_that_comes_back_starts_afresh() {
    let mut slots = opened(2);
    drain(&mut slots, &of_slot(0, 10..20));
    slots.close(&partition(0));
    assert_eq!(slots.find(1, 0, || "prices"), None);
    assert_eq!(slots.open(partition(0)), 0, "the slot is taken again");
    assert_eq!(slots.find(1, 0, || "prices"), Some(0));
    // Nothing was committed, so the records come again, and now they are wanted.
    assert_eq!(drain(&mut slots, &of_slot(0, 10..20)), of_slot(0, 10..20));
}

#[test]
fn a_slot_remembers_nothing_of_its_former_partition() {
    let mut slots = opened(2);
    drain(&mut slots, &of_slot(0, 10..20));
    slots.close(&partition(0));
    assert_eq!(slots.open(partition(7)), 0);
    assert_eq!(drain(&mut slots, &of_slot(0, 10..20)), of_slot(0, 10..20));
}

#[test]
fn a_closed_partition_takes_its_batches_along_and_no_others() {
    let mut slots = opened(2);
    slots.drains += 1;
    for slot in [0, 1] {
        slots.push(slot, &Record { offset: 10, timestamp: 7, key: None, value: None }, Inputs::default());
    }
    slots.close_open();
    slots.push(0, &Record { offset: 11, timestamp: 7, key: None, value: None }, Inputs::default());
    slots.close(&partition(0));
    slots.close_open();
    assert_eq!(slots.filled.iter().map(|filled| filled.slot).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_record_passed_over_leaves_its_headers_out_too() {
    let mut slots = opened(1);
    // As `KafkaSource::take` does it: headers follow the record that was taken.
    let push = |slots: &mut Slots, offset| {
        let record = Record { offset, timestamp: 7, key: None, value: None };
        let taken = slots.push(0, &record, HEADERS);
        if taken && HEADERS.headers {
            slots.open[0].push_header(b"offset", Some(offset.to_string().as_bytes()));
            slots.open[0].end_headers();
        }
        taken
    };
    slots.drains += 1;
    let taken = [3, 4, 3, 4, 5].map(|offset| push(&mut slots, offset));
    assert_eq!(taken, [true, true, false, false, true]);

    let headers = &slots.open[0].headers;
    assert_eq!(slots.open[0].offsets, [3, 4, 5]);
    assert_eq!(headers.ends, [1, 2, 3], "one header for each record");
    let values: Vec<_> = (0..3).map(|index| headers.values.get(index)).collect();
    assert_eq!(values, [Some(&b"3"[..]), Some(b"4"), Some(b"5")]);
}

#[test]
fn partitions_without_records_and_spare_batches_keep_little_memory() {
    let mut slots = opened(200);
    for _ in 0..3 {
        slots.drains += 1;
        for slot in 0..200 {
            for offset in 0..crate::batch::BATCH_MAX_RECORDS as i64 {
                let offset = slots.latest[slot].next.max(offset);
                let record = Record { offset, timestamp: 7, key: None, value: Some(b"BTC-USD,19890.1212") };
                assert!(slots.push(slot, &record, Inputs::default()));
            }
        }
        slots.close_open();
        let filled: Vec<_> = slots.filled.drain(..).collect();
        assert_eq!(filled.len(), 200);
        filled.into_iter().for_each(|filled| slots.recycle(filled.batch));
        let open: usize = slots.open.iter().map(Batch::kept_bytes).sum();
        let spare: usize = slots.spare.batches.iter().map(Batch::kept_bytes).sum();
        assert_eq!((open, spare), (0, slots.spare.bytes));
        assert!((SPARE_BYTES_MAX / 2..=SPARE_BYTES_MAX).contains(&spare), "{spare} bytes are kept");
    }
}
