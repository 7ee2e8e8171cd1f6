//! Many connectors in one process, three of them hostile at the same time: the others deliver everything, are told what to do and answer. How long
//! it takes, and with a hundred, is printed by the bench (`--only crowd`).

use serde_json::{Value, json};

use crate::sandbox;
use crate::support::points::{Points, SYMBOLS, feed};
use crate::support::proxy::Proxy;
use crate::support::scripted_influx::{Scripted, ScriptedInflux};
use crate::support::sluice::Connector;
use crate::support::wait::until;
use crate::support::worker::{Site, create, expect, path, tell, until_states};

const OTHERS: usize = 17;
const RECORDS: usize = 100;

#[test]
fn three_hostile_ones_keep_nobody_of_a_crowd_from_work() {
    let mut site = Site::with("crowd", 1, &["--set", "task.shutdown.graceful.timeout.ms=100"]);
    let prices = |num| feed(num, 100, |number| (0, SYMBOLS[number % SYMBOLS.len()]));
    site.topic.produce(&prices(1));

    let (hole, nowhere) = (ScriptedInflux::v1("prices"), Proxy::closed());
    hole.answer_always(Some(Scripted::hang()));
    let module = site.file("hostile.wasm", sandbox::core());
    let spins = site
        .connector("spins")
        .set("transform.module", module)
        .set("transform.config.mode", "loop")
        // Longer than any test.
        .set("transform.timeout.ms", "300000");
    let hangs = site.connector("hangs").into_scripted(&hole);
    let waits = site.connector("waits").set("consumer.override.bootstrap.servers", nowhere.address());
    for hostile in [&spins, &hangs, &waits] {
        create(&site.sluice, hostile, None);
    }
    until_states(&site.sluice, &spins, "RUNNING: RUNNING");
    until("a write to hang", || hole.seen(|seen| if seen.writes > 0 { Ok(()) } else { Err(seen.writes) }));

    // Each into an InfluxDB of its own, so that nobody's points hide that somebody else's are missing.
    let others: Vec<(Connector, ScriptedInflux)> = (0..OTHERS)
        .map(|number| {
            let influx = ScriptedInflux::v1("prices");
            (site.connector(&format!("other-{number}")).into_scripted(&influx), influx)
        })
        .collect();
    for (other, _) in &others {
        create(&site.sluice, other, None);
    }
    site.topic.produce(&prices(RECORDS));
    for (other, influx) in &others {
        site.until_committed(other);
        Points::stored_in(influx).assert_equal(&site.topic.expected());
    }
    let (changed, _) = &others[0];
    tell(&site.sluice, changed, "pause");
    until_states(&site.sluice, changed, "PAUSED: PAUSED");
    tell(&site.sluice, changed, "resume");
    expect(&site.sluice, 200, "PATCH", &path(changed, "/config"), Some(&json!({ "tasks.max": "2" })));
    until_states(&site.sluice, changed, "RUNNING: RUNNING RUNNING");
    for hostile in [&spins, &hangs, &waits] {
        expect(&site.sluice, 200, "GET", &path(hostile, "/status"), None);
    }
    let committed = expect(&site.sluice, 200, "GET", &path(&spins, "/offsets"), None);
    assert_eq!(committed["offsets"], json!([]), "it spins on its first record");
    assert_eq!(hole.seen(|seen| seen.lines), 0, "nothing was acknowledged");
    site.sluice.until("the one without a Kafka to say so", |sluice| {
        let (_, health) = sluice.get_json("/health/ready");
        let mut tasks = health["tasks"].as_array().unwrap().iter();
        let says_so = |task: &&Value| {
            let reason = task["reason"].as_str().unwrap_or_default();
            task["connector"] == waits.name && task["state"] == "retrying" && reason.contains("can't be reached")
        };
        if tasks.any(|task| says_so(&task)) { Ok(()) } else { Err(health.to_string()) }
    });

    // A thread spins on; the process does not wait for it.
    let mut sluice = site.sluice;
    sluice.terminate();
    assert!(sluice.wait().is_some(), "it ends by itself");
}
