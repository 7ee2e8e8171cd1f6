//! What a letter is made of, and which letters decide which records. Sending is tested against a real Kafka.

use std::collections::BTreeMap;

use rdkafka::message::Headers;

use super::*;
use crate::batch::{Batch, Inputs, Record};
use crate::record::TopicPartition;

fn letter(value: Option<&[u8]>) -> Letter {
    let mut records = Batch::default();
    let wanted = Inputs { keys: true, headers: true, ..Inputs::default() };
    for (offset, value) in [(40, Some(&b"other"[..])), (42, value)] {
        records.push(&Record { offset, timestamp: -1, key: Some(b"k\xff"), value }, wanted);
        records.push_header(b"own", Some(b"\0\xff"));
        records.push_header(headers::REASON.as_bytes(), None);
        records.end_headers();
    }
    let line = Some(vec![b'x'; 20_000]);
    let place = TopicPartition::new("prices", 3);
    let at = (&place, &Arc::from("d1"));
    Letter::new(at, (Arc::new(records), 1), (RejectStage::Sink, "Refused"), "400: no".into(), line)
}

fn sent(letter: &Letter, context_headers: bool) -> Vec<(String, Option<Vec<u8>>)> {
    let config = DeadLettersConfig { topic: "dlq".into(), replication_factor: 1, context_headers };
    let headers = letter.headers(&config, &Sender { connector: "c".into(), task: 2 });
    headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
}

#[test]
fn a_letter_is_the_record_byte_for_byte_and_nothing_else_unless_asked_for() {
    let letter = letter(Some(b"v\0"));
    assert_eq!((letter.key(), letter.value(), letter.timestamp()), (Some(&b"k\xff"[..]), Some(&b"v\0"[..]), -1));
    let own = vec![("own".to_owned(), Some(b"\0\xff".to_vec())), (headers::REASON.to_owned(), None)];
    assert_eq!(sent(&letter, false), own);
}

#[test]
fn context_comes_after_the_records_own_headers() {
    let all = sent(&letter(None), true);
    assert_eq!(all[0].0, "own");
    let last = |name: &str| all.iter().rev().find(|(key, _)| key == name).and_then(|(_, value)| value.clone()).unwrap();
    for (name, value) in [
        (headers::TOPIC, "prices"),
        (headers::PARTITION, "3"),
        (headers::OFFSET, "42"),
        (headers::CONNECTOR, "c"),
        (headers::TASK, "2"),
        (headers::CONNECT_STAGE, "TASK_PUT"),
        (headers::CLASS, "sluice::sink"),
        (headers::EXCEPTION, "Refused"),
        (headers::MESSAGE, "400: no"),
        (headers::STACKTRACE, "Refused at prices-3 offset 42 in sluice::sink: 400: no"),
        (headers::STAGE, "sink"),
        (headers::DIGEST, "d1"),
        (headers::REASON, "400: no"),
    ] {
        assert_eq!(String::from_utf8(last(name)).unwrap(), value, "{name}");
    }
    assert_eq!(last(headers::LINE).len(), 16 * 1024);
    assert!(all.iter().all(|(name, _)| name != headers::OMITTED));
}

#[test]
fn a_letter_that_is_too_large_goes_without_its_value_then_without_all_but_its_position() {
    let mut smaller = letter(Some(b"v"));
    assert!(smaller.leave_out());
    assert_eq!((smaller.key(), smaller.value()), (Some(&b"k\xff"[..]), None));
    let headers = sent(&smaller, false);
    assert_eq!(headers.last().unwrap(), &(headers::OMITTED.to_owned(), Some(b"value".to_vec())));
    assert!(headers.iter().any(|(name, value)| name == headers::OFFSET && value.as_deref() == Some(b"42")));
    assert!(smaller.leave_out());
    assert_eq!((smaller.key(), smaller.value()), (None, None));
    assert!(sent(&smaller, true).iter().all(|(name, _)| name != "own"));
    assert!(!smaller.leave_out(), "there is nothing left");
    // Nothing is won by leaving out what is not there.
    let mut tombstone = letter(None);
    assert!(tombstone.leave_out());
    assert_eq!(tombstone.omitted(), "key,value,headers");
}

#[test]
fn a_claim_is_decided_by_its_last_letter_and_a_forgotten_one_by_none() {
    let mut claims = Claims::default();
    let claim = |slot| Claim { slot, generation: 1, range: OffsetRange { first: 5, last: 9 } };
    let (first, second) = (claims.open(claim(0), 2), claims.open(claim(1), 1));
    assert_eq!(claims.settle(first), Some(Acknowledged { claim: claim(0), decided: false }));
    claims.forget(|claim| claim.slot == 1);
    assert_eq!(claims.settle(second), None);
    assert_eq!(claims.settle(first), Some(Acknowledged { claim: claim(0), decided: true }));
    assert_eq!(claims.settle(first), None);
    assert_eq!(claims.settle(claims::NONE), None, "the task has failed: the letter decides nothing");
}

#[test]
fn letters_that_wait_are_bounded_in_bytes_and_keep_no_more_than_their_record() {
    // Nobody listens there.
    let settings = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
    };
    let worker = settings(&[("bootstrap.servers", "127.0.0.1:1")]);
    let worker = WorkerConfig::check(&worker, [], &BTreeMap::new()).unwrap().config;
    let connector = settings(&[
        ("name", "c"),
        ("topics", "t"),
        ("transform.module", "builtin:split-concat"),
        ("influx.url", "http://127.0.0.1:1"),
        ("influx.database", "d"),
        ("errors.tolerance", "all"),
        ("errors.deadletterqueue.topic.name", "dlq"),
    ]);
    let connector = ConnectorConfig::check(&connector).unwrap().config;
    let board = crate::status::Board::new().connector("c", 1).task(0);
    let metrics = crate::metrics::Metrics::new().task("c", 0);
    let wake = std::thread::current();
    let mut letters = DeadLetters::open(&worker, &connector, 0, wake, (metrics, board)).unwrap().unwrap();

    let large = vec![b'x'; 1 << 20];
    let (one, beside) = (letter(Some(&large)), letter(None));
    assert!(one.bytes() > large.len() && beside.bytes() < 30_000, "{} and {}", one.bytes(), beside.bytes());
    let claim = Claim { slot: 0, generation: 1, range: OffsetRange { first: 42, last: 42 } };
    letters.submit(Some(claim), vec![one.clone(); 15]);
    assert!(!letters.is_full());
    letters.submit(Some(Claim { generation: 2, ..claim }), vec![one]);
    assert!(letters.is_full(), "{} bytes", letters.bytes);
    letters.forget(|claim| claim.generation == 1);
    assert!(!letters.is_full());
    letters.forget(|_| true);
    assert_eq!(letters.bytes, 0);
}
