//! Levels that are set over REST decide what is logged from then on (KIP-495, KIP-976).

use serde_json::{Value, json};

use crate::support::sluice::Sluice;
use crate::support::worker::{Site, create, expect, until_states};

#[track_caller]
fn set(sluice: &Sluice, path: &str, level: &str) -> Value {
    expect(sluice, 200, "PUT", &format!("/admin/loggers/{path}"), Some(&json!({ "level": level })))
}

#[test]
fn levels_decide_what_is_logged_and_only_below_the_name() {
    let site = Site::new("levels", 1);
    let sluice = &site.sluice;
    let [before, quiet, after] = ["before", "quiet", "after"].map(|suffix| site.connector(suffix));
    let start = |connector| {
        create(sluice, connector, None);
        until_states(sluice, connector, "RUNNING: RUNNING");
    };
    start(&before);
    for query in ["", "?scope=worker", "?scope=anything"] {
        let changed = set(sluice, &format!("sluice.registry{query}"), if query.is_empty() { "ERROR" } else { "error" });
        let wanted = query.is_empty();
        let names: Vec<_> = changed.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(names.contains(&"sluice.registry"), wanted, "the same level again changes nothing: {changed}");
        assert!(names.iter().all(|name| name.starts_with("sluice.registry")), "{changed}");
    }
    start(&quiet);
    let error = Some(json!({ "level": "INFO" }));
    let cluster = expect(sluice, 204, "PUT", "/admin/loggers/sluice.registry?scope=cluster", error.as_ref());
    assert_eq!(cluster, Value::Null);
    start(&after);
    let started = |connector: &str| sluice.logged(&["starting connector", connector]).is_ok();
    let told = [&before, &quiet, &after].map(|connector| started(&connector.name));
    assert_eq!(told, [true, false, true]);
    // Another logger goes on all the time.
    assert!(sluice.logged(&["task running", &quiet.name]).is_ok());
    let listed = expect(sluice, 200, "GET", "/admin/loggers", None);
    assert!(listed["root"]["level"].is_string() && listed["sluice.registry"]["last_modified"].is_u64(), "{listed}");
    site.sluice.stop();
}
