//! `sluice feed`: prices and files into a real topic, none lost, none twice.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::commands::run;
use crate::support::kafka::{Raw, Topic, unique};
use crate::support::services;
use crate::support::sluice::{BINARY, Sluice};
use crate::support::wait::{equal, until};

/// Everything in a topic: partition, key, value, timestamp.
fn records(topic: &Topic) -> Vec<(i32, Option<String>, String, i64)> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let sent = |record: Raw| (record.partition, record.key.map(text), text(record.value.unwrap()), record.timestamp_ms);
    topic.read().into_iter().map(sent).collect()
}

#[test]
fn prices_are_sent_to_a_topic_that_it_makes_and_a_symbol_stays_in_its_partition() {
    let name = unique("feed-prices");
    let arguments = ["feed", "--bootstrap-servers", services::kafka(), "--topic", &name, "--partitions", "3"];
    let topic = Topic::named(&name, 3);
    let walk = ["--rate", "100000", "--symbols", "4", "--seed", "7", "--count", "5000"];
    for round in 1..=2 {
        let ended = run(&[&arguments[..], &walk].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stdout.contains("sent 5000 records in"), "{ended:?}");
        let all = records(&topic);
        assert_eq!(all.len(), 5000 * round);
        for (_, key, value, _) in &all {
            assert_eq!(value.split_once(',').map(|(symbol, _)| symbol), key.as_deref());
        }
        let symbols: BTreeSet<_> = all.iter().map(|(partition, key, ..)| (partition, key)).collect();
        assert_eq!(symbols.len(), 4, "a symbol is in two partitions: {symbols:?}");
        // The same seed gives the same prices.
        let halves = (0..topic.partitions).filter(|_| round == 2).all(|partition| {
            let values: Vec<_> = all.iter().filter(|sent| sent.0 == partition).map(|sent| &sent.2).collect();
            let (first, second) = values.split_at(values.len() / 2);
            first == second
        });
        assert!(halves);
    }
}

#[test]
fn the_lines_of_a_file_are_sent_in_their_order() {
    let topic = Topic::create("feed-file", 1);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.csv");
    fs::write(&file, "a,1\nb,2\n\nc\n").unwrap();
    let feed = |more: &[&str]| {
        let kafka = services::kafka();
        let arguments =
            ["feed", "--bootstrap-servers", kafka, "--topic", &topic.name, "--file", file.to_str().unwrap()];
        let ended = run(&[&arguments[..], more].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
    };
    feed(&["--key-separator", ",", "--timestamp-ms", "1668902400000"]);
    feed(&["--repeat", "--count", "6"]);
    let all = records(&topic);
    let expected = [("a", "a,1"), ("b", "b,2"), ("", ""), ("c", "c")];
    let with_keys: Vec<_> =
        all[..4].iter().map(|(_, key, value, _)| (key.as_deref().unwrap(), value.as_str())).collect();
    assert_eq!(with_keys, expected);
    assert!(all[..4].iter().all(|(.., time)| *time == 1_668_902_400_000));
    let repeated: Vec<_> = all[4..].iter().map(|(_, key, value, _)| (key.as_deref(), value.as_str())).collect();
    assert_eq!(repeated, ["a,1", "b,2", "", "c", "a,1", "b,2"].map(|value| (None, value)));
}

#[test]
fn what_is_typed_is_sent_and_silence_does_not_keep_it_from_ending() {
    let topic = Topic::create("feed-typed", 1);
    let arguments = ["feed", "--bootstrap-servers", services::kafka(), "--topic", &topic.name, "--file", "-"];
    let mut command = Command::new(BINARY);
    command.args(arguments).args(["--duration-s", "2"]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut feed = command.spawn().unwrap();
    // It stays open; should this test fail, it closes, which ends the feed as well.
    let mut typed = feed.stdin.take().unwrap();
    typed.write_all(b"a,1\nb,2\n").unwrap();
    until("both lines", || equal(topic.end_offsets()[&0], &2));
    let status = until("the end", || feed.try_wait().unwrap().ok_or("it runs"));
    assert_eq!(status.code(), Some(0));
    drop(typed);
}

#[test]
fn a_feed_without_end_ends_well_when_it_is_asked_to() {
    let topic = Topic::create("feed-stop", 1);
    let mut command = Command::new(BINARY);
    command.args(["feed", "--bootstrap-servers", services::kafka(), "--topic", &topic.name, "--rate", "1000"]);
    let mut feed = Sluice::spawn(command, tempfile::tempdir().unwrap());
    feed.until("prices", |_| if topic.end_offsets()[&0] > 100 { Ok(()) } else { Err(topic.end_offsets()) });
    feed.terminate();
    assert_eq!(feed.wait(), Some(0), "{}", feed.log());
}

#[test]
fn what_can_not_be_sent_is_told() {
    let kafka = services::kafka();
    let missing = run(&["feed", "--bootstrap-servers", kafka, "--topic", "t", "--file", "no-such-file"]);
    assert!(
        missing.code == Some(2) && missing.stderr.contains("could not read records from no-such-file"),
        "{missing:?}"
    );
    let again = run(&["feed", "--bootstrap-servers", kafka, "--topic", "t", "--file", "-", "--repeat"]);
    assert!(again.code == Some(2) && again.stderr.contains("--repeat"), "{again:?}");
    let nowhere = run(&["feed", "--topic", "t"]);
    assert!(nowhere.code == Some(2) && nowhere.stderr.contains("bootstrap.servers"), "{nowhere:?}");
    let topic = Topic::create_with("feed-large", 1, &[("max.message.bytes", "1000")]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large");
    fs::write(&file, "x".repeat(5_000)).unwrap();
    let large = run(&["feed", "--bootstrap-servers", kafka, "--topic", &topic.name, "--file", file.to_str().unwrap()]);
    assert_eq!(large.code, Some(1), "{large:?}");
    assert!(large.stderr.contains(&topic.name) && large.stderr.contains("did not take"), "{large:?}");
    equal(topic.end_offsets()[&0], &0).unwrap();
}
