//! `examples/hot-swap`, step by step as its README has them.

use std::fs;

use serde_json::Value;

use crate::support::sluice::Sluice;
use crate::support::swap::digest;
use crate::support::wait::equal;

use super::scene::{Scene, module};

/// What the connector's transform is.
fn transform(sluice: &Sluice) -> Value {
    let (status, state) = sluice.get_json("/sluice/connectors/hot-swap-example/transform");
    assert_eq!(status, 200, "{state}");
    state
}

/// For use in `until`: `Ok` once this digest runs and the state is this.
fn is(sluice: &Sluice, digest: &str, state: &str) -> Result<Value, String> {
    let transform = transform(sluice);
    let is_it = transform["current"]["digest"] == digest && transform["state"] == state;
    if is_it { Ok(transform) } else { Err(transform.to_string()) }
}

#[test]
fn version_2_takes_the_place_of_version_1() {
    let scene = Scene::new("hot-swap");
    let (one, two) = (fs::read(module("hot-swap-1")).unwrap(), fs::read(module("hot-swap-2")).unwrap());
    let file = scene.target_file("hot-swap.wasm");
    fs::write(&file, &one).unwrap();
    scene.produce("records.txt");
    let mut sluice = scene.start();
    scene.gives(&mut sluice);
    let (one, two_digest) = (digest(&one), digest(&two));
    sluice.until("version 1 to be shown", |sluice| is(sluice, &one, "stable"));

    let next = scene.target_file("hot-swap.wasm.next");
    fs::write(&next, &two).unwrap();
    fs::rename(next, file).unwrap();
    let transform = sluice.until("version 2 to run", |sluice| is(sluice, &two_digest, "on_probation"));
    assert_eq!(transform["previous"], *one, "{transform}");
    // What the README shows: version 2 was tried on the three records before it took over.
    let entry = transform["history"].as_array().unwrap().last().unwrap();
    assert_eq!(entry["report"]["lines"]["differing"], 3, "{transform}");

    scene.produce("records-after.txt");
    sluice.until("the points of version 2", |_| scene.has(&["expected.txt", "expected-after.txt"]));
    let transform = sluice.until("the end of the probation", |sluice| is(sluice, &two_digest, "stable"));
    let outcome = transform["history"].as_array().unwrap().last().unwrap()["outcome"].clone();
    equal(outcome, &Value::from("promoted")).unwrap();
    sluice.stop();
    assert_eq!(scene.at_end(), Ok(()));
}
