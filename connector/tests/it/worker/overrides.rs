//! Client properties that the worker does not let connectors set, whichever way a connector comes (Kafka Connect's
//! ConnectorClientPolicyIntegrationTest, and files and kept connectors beyond it).

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::sluice::{BINARY, Connector, Sluice};
use crate::support::worker::{Site, create, expect, path, start_with, states, until_states};

const POLICY: &str = "connector.client.config.override.policy";
const SECURE: &str = "consumer.override.security.protocol";
const FETCH: &str = "consumer.override.fetch.min.bytes";

/// What a refusal begins with.
fn words(policy: &str, property: &str) -> String {
    format!("The '{policy}' policy does not allow '{property}' to be overridden in the connector configuration.")
}

/// Another worker, with these settings.
fn with_policy(site: &Site, settings: &[&str]) -> Sluice {
    let arguments: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    start_with(&site.folder.path().join("limited"), &arguments)
}

fn validated(sluice: &Sluice, connector: &Connector) -> Value {
    let settings = json!(connector.settings());
    expect(sluice, 200, "PUT", "/connector-plugins/InfluxSink/config/validate", Some(&settings))
}

/// It is refused wherever somebody asks for it, in the policy's words, and what there was stays.
#[track_caller]
fn assert_refused(sluice: &Sluice, connector: &Connector, key: &str, policy: &str) {
    let words = words(policy, key.strip_prefix("consumer.override.").unwrap());
    let infos = validated(sluice, connector);
    assert_eq!(infos["error_count"], 1, "{infos}");
    let wrong = infos["configs"].as_array().unwrap().iter().find(|config| config["value"]["name"] == key).unwrap();
    assert!(wrong["value"]["errors"][0].as_str().unwrap().starts_with(&words), "{wrong}");

    let config = json!(connector.settings());
    let made = json!({ "name": connector.name, "config": config });
    for (method, path, body) in
        [("POST", "/connectors".to_owned(), &made), ("PUT", path(connector, "/config"), &config)]
    {
        let error = expect(sluice, 400, method, &path, Some(body));
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("contains the following 1 error(s)") && message.contains(&words), "{error}");
    }
    assert_eq!(states(sluice, connector), "none");
}

#[test]
fn connectors_override_what_the_policy_allows_and_nothing_else() {
    let site = Site::new("overrides", 1);
    let secure = site.connector("secure").set(SECURE, "PLAINTEXT");
    let fetch = site.connector("fetch").set(FETCH, "5");
    let policy = |name: &str| format!("{POLICY}={name}");
    let list = "connector.client.config.override.allowlist=fetch.min.bytes,group.id".to_owned();
    let principal = "org.apache.kafka.connect.connector.policy.PrincipalConnectorClientConfigOverridePolicy";
    for (settings, policy, may_secure, may_fetch) in [
        (vec![], "All", true, true),
        (vec![policy("All")], "All", true, true),
        (vec![policy("None")], "None", false, false),
        (vec![policy(principal)], "Principal", true, false),
        (vec![policy("Allowlist"), list], "Allowlist", false, true),
    ] {
        let sluice = with_policy(&site, &settings.iter().map(String::as_str).collect::<Vec<_>>());
        for (connector, key, may) in [(&secure, SECURE, may_secure), (&fetch, FETCH, may_fetch)] {
            if may {
                create(&sluice, connector, None);
                until_states(&sluice, connector, "RUNNING: RUNNING");
                expect(&sluice, 204, "DELETE", &path(connector, ""), None);
            } else {
                assert_refused(&sluice, connector, key, policy);
            }
        }
        sluice.stop();
    }
    site.sluice.stop();
}

#[test]
fn a_patch_does_not_bring_in_what_is_refused() {
    let site = Site::new("override-patch", 1);
    let sluice = with_policy(&site, &["connector.client.config.override.policy=None"]);
    let connector = site.connector("plain");
    create(&sluice, &connector, None);
    until_states(&sluice, &connector, "RUNNING: RUNNING");
    let before = expect(&sluice, 200, "GET", &path(&connector, "/config"), None);
    let error = expect(&sluice, 400, "PATCH", &path(&connector, "/config"), Some(&json!({ FETCH: "5" })));
    assert!(error["message"].as_str().unwrap().contains(&words("None", "fetch.min.bytes")), "{error}");
    assert_eq!(expect(&sluice, 200, "GET", &path(&connector, "/config"), None), before);
    until_states(&sluice, &connector, "RUNNING: RUNNING");
    sluice.stop();
    site.sluice.stop();
}

#[test]
fn a_kept_connector_whose_override_is_refused_by_now_fails_alone() {
    let site = Site::new("override-kept", 1);
    let state = site.folder.path().join("limited");
    let (fetch, plain) = (site.connector("fetch").set(FETCH, "5"), site.connector("plain"));
    let sluice = start_with(&state, &[]);
    create(&sluice, &fetch, None);
    create(&sluice, &plain, None);
    sluice.stop();

    let sluice = with_policy(&site, &["connector.client.config.override.policy=None"]);
    until_states(&sluice, &plain, "RUNNING: RUNNING");
    until_states(&sluice, &fetch, "FAILED:");
    let status = expect(&sluice, 200, "GET", &path(&fetch, "/status"), None);
    let trace = status["connector"]["trace"].as_str().unwrap();
    assert!(trace.contains(&words("None", "fetch.min.bytes")) && trace.contains(POLICY), "{trace}");
    // Without it, it runs.
    expect(&sluice, 200, "PATCH", &path(&fetch, "/config"), Some(&json!({ FETCH: null })));
    until_states(&sluice, &fetch, "RUNNING: RUNNING");
    sluice.stop();
    site.sluice.stop();
}

#[test]
fn a_start_ends_with_2_if_a_file_or_the_policy_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let connector = folder.path().join("connector.properties");
    let settings = "name=files\ntopics=prices\ntransform.module=builtin:split-concat\ninflux.url=http://127.0.0.1:1\n\
                    influx.database=prices\nconsumer.override.fetch.min.bytes=5\n";
    fs::write(&connector, settings).unwrap();
    let told = |policy: &str| {
        let worker = folder.path().join("worker.properties");
        fs::write(&worker, format!("{POLICY}={policy}\n")).unwrap();
        let mut command = Command::new(BINARY);
        command.args(["run", "--bootstrap-servers", "127.0.0.1:1", "--listeners", "http://127.0.0.1:0", "--worker"]);
        let output = command.arg(worker).arg(&connector).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        told
    };
    let refused = told("None");
    assert!(
        refused.contains(&words("None", "fetch.min.bytes")) && refused.contains("connector.properties"),
        "{refused}"
    );
    assert!(told("Some").contains(&format!("{POLICY}=Some: is no policy that there is")));
}

#[test]
fn a_configuration_of_too_many_settings_is_not_looked_at() {
    let site = Site::new("too-many", 1);
    let (sluice, connector) = (&site.sluice, site.connector("large"));
    create(sluice, &connector, None);
    // Near to names that there are: each would be compared with them.
    let unknown = |count: usize| (0..count).map(|at| (format!("consumer.overide.{at}.ms"), json!("x"))).collect();
    let many: serde_json::Map<String, Value> = unknown(2001);
    let many = Value::Object(many);
    let post = json!({ "name": "other", "config": many });
    for (method, path, body) in [
        ("POST", "/connectors".to_owned(), &post),
        ("PUT", path(&connector, "/config"), &many),
        ("PATCH", path(&connector, "/config"), &many),
        ("PUT", "/connector-plugins/InfluxSink/config/validate".to_owned(), &many),
    ] {
        let error = expect(sluice, 400, method, &path, Some(body));
        assert!(error["message"].as_str().unwrap().contains("are more than the 2000"), "{method} {path}: {error}");
    }
    until_states(sluice, &connector, "RUNNING: RUNNING");
    site.sluice.stop();
}
