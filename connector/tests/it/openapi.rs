//! The description of the REST API is true: schemathesis, a tool of others, sends what it says may be sent and compares what comes back.

use std::process::Command;

use crate::support::kafka::unique;
use crate::support::sluice::Connector;
use crate::support::worker::{Site, create, expect, until_states};

/// Requests of each kind for an endpoint.
const EXAMPLES: &str = "40";

/// `make openapi-test`: it needs Python, and some minutes.
#[test]
#[ignore = "needs Python and schemathesis, which `make openapi-test` fetches"]
fn description_is_true() {
    // Groups that are nobody else's, whatever the connectors are called.
    let groups = format!("connect.group.prefix={}-", unique("openapi"));
    let site = Site::with("openapi", 1, &["--set", &groups]);
    // One that the description's examples name, and one that scripts/schemathesis.toml does.
    for name in ["prices", "running"] {
        let connector = Connector::named(name, &site.topic.name).into_scripted(&site.influx);
        create(&site.sluice, &connector, None);
        until_states(&site.sluice, &connector, "RUNNING: RUNNING");
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/schemathesis");
    let options = ["--max-examples", EXAMPLES, "--seed", "1"];
    let status = Command::new(script).arg(site.sluice.url("")).args(options).status().unwrap();
    assert!(status.success(), "the description and the answers differ, see above");
    // Whatever was sent, the worker is well.
    expect(&site.sluice, 200, "GET", "/connectors", None);
    assert_eq!(site.sluice.log().matches("made the program panic").count(), 0);
    site.sluice.stop();
}
