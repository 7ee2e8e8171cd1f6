//! Which topics a connector's records came from, and workers that do not tell.

use serde_json::{Value, json};

use crate::support::kafka::Topic;
use crate::support::points::{LONG_AGO_MS, Record};
use crate::support::sluice::{Connector, Sluice};
use crate::support::wait::until;
use crate::support::worker::{Site, create, expect, path, until_states};

fn record() -> [Record; 1] {
    [Record::price(0, LONG_AGO_MS, "BTC-USD", "1.5")]
}

/// The topics in the order of their names, by the only key of the answer.
#[track_caller]
fn topics(sluice: &Sluice, connector: &Connector) -> Vec<String> {
    let answer = expect(sluice, 200, "GET", &path(connector, "/topics"), None);
    assert_eq!(answer.as_object().unwrap().len(), 1, "{answer}");
    let told = answer[&connector.name]["topics"].as_array().unwrap().iter();
    let mut names: Vec<String> = told.map(|name| name.as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[track_caller]
fn until_topics(sluice: &Sluice, connector: &Connector, wanted: &[&str]) {
    until("the topics to be told", || {
        let found = topics(sluice, connector);
        if found == wanted { Ok(()) } else { Err(found) }
    });
}

#[test]
fn only_topics_that_live_come_back_after_a_reset() {
    let site = Site::new("live-a", 1);
    let second = Topic::create("live-b", 1);
    let (sluice, a, b) = (&site.sluice, site.topic.name.as_str(), second.name.as_str());
    let both = site.connector("both").set("topics", format!("{a},{b}"));
    let only = site.connector("only");
    assert_eq!(topics(sluice, &both), [""; 0], "of a connector that is not there");
    expect(sluice, 202, "PUT", &path(&both, "/topics/reset"), None);
    create(sluice, &both, None);
    create(sluice, &only, None);
    site.topic.produce(&record());
    until_topics(sluice, &both, &[a]);
    second.produce(&record());
    until_topics(sluice, &both, &[a, b]);
    until_topics(sluice, &only, &[a]);
    expect(sluice, 202, "PUT", &path(&both, "/topics/reset"), None);
    assert_eq!(topics(sluice, &both), [""; 0]);
    assert_eq!(topics(sluice, &only), [a], "of another connector");
    second.produce(&record());
    until_topics(sluice, &both, &[b]);
    expect(sluice, 204, "DELETE", &path(&both, ""), None);
    assert_eq!(topics(sluice, &both), [""; 0]);
    site.sluice.stop();
}

#[track_caller]
fn forbidden(sluice: &Sluice, method: &str, path: &str, message: &str) {
    let error = expect(sluice, 403, method, path, None);
    assert_eq!(error, json!({ "error_code": 403, "message": message }));
}

#[test]
fn a_worker_may_be_told_not_to_reset() {
    let site = Site::with("no-reset", 1, &["--set", "topic.tracking.allow.reset=false"]);
    let (sluice, connector) = (&site.sluice, site.connector("no-reset"));
    create(sluice, &connector, None);
    site.topic.produce(&record());
    until_topics(sluice, &connector, &[&site.topic.name]);
    forbidden(sluice, "PUT", &path(&connector, "/topics/reset"), "Topic tracking reset is disabled.");
    assert_eq!(topics(sluice, &connector), [site.topic.name.as_str()]);
    site.sluice.stop();
}

#[test]
fn a_worker_may_be_told_not_to_tell() {
    let site = Site::with("no-topics", 1, &["--set", "topic.tracking.enable=false"]);
    let (sluice, connector) = (&site.sluice, site.connector("no-topics"));
    assert_ne!(create(sluice, &connector, Some("STOPPED")), Value::Null);
    forbidden(sluice, "GET", &path(&connector, "/topics"), "Topic tracking is disabled.");
    forbidden(sluice, "PUT", &path(&connector, "/topics/reset"), "Topic tracking is disabled.");
    site.sluice.stop();
}

#[test]
fn a_connector_whose_topics_are_still_to_come_runs() {
    let site = Site::new("to-come", 1);
    let name = format!("{}-waits", site.topic.name);
    let waits = Connector::named(&name, "").set("topics.regex", format!("{name}-.*")).into_scripted(&site.influx);
    create(&site.sluice, &waits, None);
    until_states(&site.sluice, &waits, "RUNNING: RUNNING");
    assert_eq!(topics(&site.sluice, &waits), [""; 0]);
    let cluster = expect(&site.sluice, 200, "GET", "/", None)["kafka_cluster_id"].clone();
    assert_ne!(cluster, json!("unknown"));
    site.sluice.stop();
}
