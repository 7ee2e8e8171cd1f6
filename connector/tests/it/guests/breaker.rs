//! A module that fails on everything, and one that is tried again on a record.

use super::Scene;
use crate::support::sluice::Sluice;

/// `pipeline/breaker.rs`: so many records are condemned before the module is.
const FAILURES_MAX: i64 = 16;

#[test]
fn a_module_that_fails_on_everything_rests_and_fails_the_task_with_few_letters() {
    let scene = Scene::new("guest-broken", "panic").produce(1_000, &[]);
    let mut sluice = Sluice::start(&[&scene.connector]);
    let reason = sluice.until("the rest", |sluice| match sluice.get_json("/health/ready") {
        (503, health) if health["tasks"][0]["state"] == "retrying" => Ok(health["tasks"][0]["reason"].to_string()),
        other => Err(other),
    });
    let place = format!("{}-0 offset {FAILURES_MAX}", scene.topic.name);
    for told in ["wasm `unreachable`", "on everything from record", &place, "change transform.module"] {
        assert!(reason.contains(told), "{told:?} is not told in: {reason}");
    }
    assert_eq!(sluice.wait(), Some(1));
    let line = sluice.logged(&["\"message\":\"task failed\""]).unwrap();
    for told in ["the transform fails on everything", "wasm `unreachable`", &place] {
        assert!(line.contains(told), "{told:?} is not told in: {line}");
    }
    let offsets: Vec<_> = scene
        .dead
        .all()
        .iter()
        .map(|letter| letter.header("__connect.errors.offset").parse::<i64>().unwrap())
        .collect();
    assert_eq!(offsets, (0..FAILURES_MAX).collect::<Vec<_>>());
    assert_eq!(scene.topic.group(&scene.connector.name).committed()[&0], FAILURES_MAX);
    assert!(scene.stored().is_empty());
}

#[test]
fn a_record_is_tried_again_for_as_long_as_asked_and_then_all_is_well() {
    let scene = Scene::new("guest-again", "panic")
        .on_poison()
        .set("errors.retry.timeout", "3000")
        .set("errors.retry.delay.max.ms", "600")
        .produce(1_000, &[500]);
    let mut sluice = Sluice::start(&[&scene.connector]);
    sluice.until("the state while it is tried", |sluice| match sluice.get_json("/health/ready") {
        (503, health) if health["tasks"][0]["state"] == "retrying" => Ok(()),
        other => Err(other),
    });
    scene.finish(&mut sluice);
    sluice.until("the state after it", Sluice::ready);
    let tries = sluice.metrics().sum("kafka_connect_task_error_total_retries", &[]);
    sluice.stop();
    assert!(tries >= 2.0, "{tries}");
    let letters = scene.only_poison_is_missing();
    assert_eq!(letters.iter().map(|letter| letter.header("__connect.errors.offset")).collect::<Vec<_>>(), ["500"]);
}

#[test]
fn many_poisonous_records_in_a_row_do_not_condemn_a_module_that_is_well() {
    let poison: Vec<_> = (500..540).collect();
    let scene = Scene::new("guest-row", "panic").on_poison().produce(1_000, &poison);
    let mut sluice = Sluice::start(&[&scene.connector]);
    scene.finish(&mut sluice);
    sluice.until("readiness", Sluice::ready);
    sluice.stop();
    assert_eq!(scene.only_poison_is_missing().len(), poison.len());
}
