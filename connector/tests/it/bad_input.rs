//! Whatever is wrong is told once, clearly, with the right exit code: 2 for what has to be written anew, 1 for what failed.

use std::fs;
use std::net::TcpListener;

use crate::support::kafka::{Topic, unique};
use crate::support::services;
use crate::support::sluice::{Connector, Sluice};

/// Nothing here gets as far as to ask it.
const NO_KAFKA: [&str; 2] = ["--bootstrap-servers", "127.0.0.1:1"];

fn connector() -> Connector {
    Connector::named("bad-input", "prices").set("influx.url", "http://127.0.0.1:1").set("influx.database", "prices")
}

/// Starts a process that has to end by itself with `code`, and to say all of `words`.
#[track_caller]
fn ends(connectors: &[&Connector], arguments: &[&str], code: i32, words: &[&str]) {
    let mut sluice = Sluice::start_with(connectors, arguments);
    let ended = sluice.wait();
    let log = sluice.log();
    assert_eq!(ended, Some(code), "{log}");
    for word in words {
        assert!(log.contains(word), "{word:?} is not said in: {log}");
    }
}

/// The same for a module with these bytes.
#[track_caller]
fn module_ends(bytes: &[u8], words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("transform.wasm");
    fs::write(&path, bytes).unwrap();
    let path = path.to_str().unwrap();
    ends(&[&connector().set("transform.module", path)], &NO_KAFKA, 2, &[&[path], words].concat());
}

#[test]
fn a_module_that_is_not_there_is_named() {
    let module = connector().set("transform.module", "/no/such/transform.wasm");
    ends(&[&module], &NO_KAFKA, 2, &["transform.module", "there is no file /no/such/transform.wasm"]);
    let builtin = connector().set("transform.module", "builtin:split-conact");
    ends(&[&builtin], &NO_KAFKA, 2, &["split-conact", "split-concat"]);
}

#[test]
fn a_module_that_is_not_webassembly_is_told_by_its_beginning() {
    module_ends(b"#!/bin/sh\nexit 0\n", &["not WebAssembly", "#!/bin/sh"]);
    module_ends(b"", &["is empty"]);
}

#[test]
fn a_module_without_our_interface_is_refused() {
    // An empty core module, and an empty component.
    module_ends(b"\0asm\x01\0\0\0", &["wit/transform.wit"]);
    module_ends(b"\0asm\x0d\0\x01\0", &["not a transform", "wit/transform.wit"]);
}

#[test]
fn every_mistake_of_a_configuration_is_told_at_once() {
    let wrong = connector()
        .set("tasks.max", "many")
        .set("influx.url", "influx:8086")
        .set("influx.version", "4")
        .set("batch.max.line", "10")
        .set("linger.ms", "-1");
    let told =
        ["tasks.max=many", "influx.url", "influx.version=4", "batch.max.line", "batch.max.lines", "linger.ms=-1"];
    ends(&[&wrong], &NO_KAFKA, 2, &told);
}

#[test]
fn a_setting_that_the_transform_does_not_know_is_refused_with_those_it_knows() {
    let wrong = connector().set("transform.config.seperator", ";");
    ends(&[&wrong], &NO_KAFKA, 2, &["seperator", "separator", "measurement", "symbol.as"]);
}

#[test]
fn two_connectors_of_one_name_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.properties");
    fs::write(&copy, connector().properties()).unwrap();
    let arguments = [NO_KAFKA[0], NO_KAFKA[1], copy.to_str().unwrap()];
    ends(&[&connector()], &arguments, 2, &["bad-input", "name of its own"]);
}

#[test]
fn a_missing_broker_address_and_a_missing_file_are_wrong_usage() {
    ends(&[&connector()], &[], 2, &["bootstrap.servers"]);
    ends(
        &[&connector()],
        &[NO_KAFKA[0], NO_KAFKA[1], "/no/such.properties"],
        2,
        &["/no/such.properties", "No such file"],
    );
}

#[test]
fn a_state_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let state = file.join("state");
    let state = state.to_str().unwrap();
    ends(&[&connector()], &[NO_KAFKA[0], NO_KAFKA[1], "--state-dir", state], 1, &[state, "state.dir"]);
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let listeners = format!("http://{address}");
    ends(&[&connector()], &[NO_KAFKA[0], NO_KAFKA[1], "--listeners", &listeners], 1, &[&address, "listeners"]);
}

#[test]
fn a_topic_that_does_not_exist_is_named() {
    let topic = unique("missing");
    let missing =
        Connector::named(&topic, &topic).set("influx.url", "http://127.0.0.1:1").set("influx.database", "prices");
    let kafka = services::kafka();
    ends(&[&missing], &["--bootstrap-servers", kafka], 1, &[&topic, "does not exist", kafka, "create it"]);
}

#[test]
fn a_server_that_is_no_influxdb_holds_the_data_and_says_so() {
    let topic = Topic::create("wrongport", 1);
    // VictoriaMetrics' own page answers there, as any web service might on a wrong port.
    let url = format!("{}/vmui", services::victoria_metrics());
    let connector = Connector::new(&topic, "w").set("influx.url", &url).set("influx.database", "prices");
    let mut sluice = Sluice::start(&[&connector]);
    let reason = sluice.until("the alarm", |sluice| match sluice.get_json("/health/ready") {
        (503, health) if health["tasks"][0]["state"] == "held" => Ok(health["tasks"][0]["reason"].to_string()),
        other => Err(other),
    });
    assert!(reason.contains(&url) && reason.contains("no InfluxDB") && reason.contains("influx.url"), "{reason}");
    sluice.stop();
}

#[test]
fn a_listener_that_is_open_to_everybody_is_refused_unless_that_is_said() {
    let arguments = [NO_KAFKA[0], NO_KAFKA[1], "--listeners", "http://0.0.0.0:0"];
    ends(&[&connector()], &arguments, 2, &["listeners", "sluice passwd", "rest.auth.allow.anonymous=true"]);
    let said = [arguments.as_slice(), &["--set", "rest.auth.allow.anonymous=true"]].concat();
    let mut sluice = Sluice::start_with(&[&connector()], &said);
    sluice.until("it to listen", |sluice| sluice.logged(&["\"message\":\"listening\""]));
    sluice.stop();
}
