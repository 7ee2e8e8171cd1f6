//! The list of settings.

use std::collections::BTreeSet;

use super::*;
use crate::config::keys::{CONNECTOR, Fallback};

/// Connect's settings of a sink, as its system test lists them.
const CONNECTS: [&str; 24] = [
    "name",
    "connector.class",
    "connector.plugin.version",
    "tasks.max",
    "tasks.max.enforce",
    "key.converter",
    "key.converter.plugin.version",
    "value.converter",
    "value.converter.plugin.version",
    "header.converter",
    "header.converter.plugin.version",
    "transforms",
    "predicates",
    "config.action.reload",
    "errors.retry.timeout",
    "errors.retry.delay.max.ms",
    "errors.tolerance",
    "errors.log.enable",
    "errors.log.include.messages",
    "topics",
    "topics.regex",
    "errors.deadletterqueue.topic.name",
    "errors.deadletterqueue.topic.replication.factor",
    "errors.deadletterqueue.context.headers.enable",
];

#[test]
fn every_setting_is_defined_once_and_no_other() {
    let defined = definitions(CLASS, "latest").unwrap();
    let names: BTreeSet<&str> = defined.iter().map(|definition| definition.name.as_str()).collect();
    let known = CONNECTOR.iter().map(|key| key.name).filter(|name| !name.ends_with('*'));
    assert_eq!(names, CONNECTS.into_iter().chain(known).collect());
    assert_eq!(names.len(), defined.len(), "none of them twice");
    let at = defined.iter().position(|definition| definition.name == "name").unwrap();
    let connects: Vec<&str> = defined[at..].iter().map(|definition| definition.name.as_str()).collect();
    assert_eq!(connects, CONNECTS, "ours come first, then Connect's in Connect's order");
    let infos = look(&with(&[]));
    assert_eq!(infos.configs.len(), defined.len());
    for definition in defined {
        assert_eq!(entry(&infos, &definition.name).definition, definition);
    }
}

#[test]
fn forms_find_every_setting_in_its_place() {
    let defined = definitions("InfluxSink", VERSION).unwrap();
    let groups = look(&with(&[])).groups;
    assert_eq!(
        groups,
        ["Common", "Transforms", "Predicates", "Error Handling", "InfluxDB", "Transform", "Batching", "Delivery"]
    );
    let mut places = BTreeSet::new();
    for definition in &defined {
        assert!(groups.contains(&definition.group), "{definition:?}");
        assert!(!definition.documentation.is_empty() && !definition.display_name.is_empty(), "{definition:?}");
        assert_eq!(definition.order, definition.order_in_group);
        let is_new = places.insert((&definition.group, definition.order));
        // Connect has three settings in one place.
        assert!(is_new || definition.name.starts_with("topics"), "{definition:?}");
        let dependents = definition.dependents.iter();
        assert!(dependents.clone().all(|name| defined.iter().any(|other| other.name == *name)), "{definition:?}");
    }
    let place = |name: &str| {
        let definition = defined.iter().find(|definition| definition.name == name).unwrap();
        (definition.group.as_str(), definition.order, definition.display_name.as_str())
    };
    assert_eq!(place("influx.request.timeout.ms").2, "InfluxDB request timeout (ms)");
    assert_eq!(place("influx.url"), ("InfluxDB", 1, "InfluxDB URL"));
    assert_eq!(place("errors.budget.max").0, "Error Handling");
    assert!(place("errors.budget.max").1 > 8, "after Connect's");
    assert_eq!(place("linger.ms").0, "Batching");
    assert_eq!(place("stall.timeout.ms").0, "Delivery");
    assert_eq!(place("transform.module").0, "Transform");
}

#[test]
fn defaults_are_those_that_hold() {
    let defined = definitions(CLASS, "latest").unwrap();
    for key in CONNECTOR {
        let Some(definition) = defined.iter().find(|definition| definition.name == key.name) else { continue };
        match key.fallback {
            // Over REST it has to be given.
            _ if key.name == "connector.class" => assert!(definition.required),
            Fallback::Required => assert!(definition.required && definition.default_value.is_none(), "{key:?}"),
            Fallback::Value(value) => assert_eq!(definition.default_value.as_deref(), Some(value), "{key:?}"),
            // Connect's clients expect something there.
            Fallback::Absent => {}
        }
    }
    assert_eq!(entry(&look(&with(&[])), "influx.version").value.recommended_values, ["auto", "1", "2", "3"]);
    assert_eq!(entry(&look(&with(&[])), "errors.tolerance").value.recommended_values, [""; 0], "as in Connect");
    let infos = look(&with(&[]));
    let version = &entry(&infos, "connector.plugin.version").value;
    assert_eq!((version.value.as_deref(), &*version.recommended_values), (Some(VERSION), &[VERSION.to_owned()][..]));
}

#[test]
fn types_are_kafkas() {
    let defined = definitions(CLASS, "latest").unwrap();
    for (name, wanted) in [
        ("influx.token", Type::Password),
        ("influx.tls.insecure", Type::Boolean),
        ("influx.connect.timeout.ms", Type::Int),
        ("transform.memory.max.bytes", Type::Long),
        ("transform.probation.max.error.rate", Type::Double),
        ("transform.require.digest", Type::List),
        ("requests.in.flight", Type::String),
        ("errors.deadletterqueue.topic.replication.factor", Type::Short),
        ("key.converter", Type::Class),
    ] {
        assert_eq!(defined.iter().find(|definition| definition.name == name).unwrap().r#type, wanted, "{name}");
    }
}

#[test]
fn json_is_connects() {
    let defined = definitions(CLASS, "latest").unwrap();
    let name = defined.iter().find(|definition| definition.name == "name").unwrap();
    let mut expected = serde_json::json!({
        "name": "name", "type": "STRING", "required": true, "default_value": null, "importance": "HIGH", "group": "Common",
        "width": "MEDIUM", "display_name": "Connector name", "dependents": [], "order": 1, "order_in_group": 1,
    });
    expected["documentation"] = name.documentation.clone().into();
    assert_eq!(serde_json::to_value(name).unwrap(), expected);
    let plugin = serde_json::to_value(catalogue()).unwrap();
    assert_eq!(plugin, serde_json::json!([{"class": CLASS, "type": "sink", "version": VERSION}]));
    let value = serde_json::to_value(look(&without(&["name"], &[]))).unwrap();
    let of_name = value["configs"].as_array().unwrap().iter().find(|config| config["value"]["name"] == "name").unwrap();
    assert_eq!(
        of_name["value"],
        serde_json::json!({
            "name": "name", "value": null, "recommended_values": [], "visible": true,
            "errors": ["Missing required configuration \"name\" which has no default value."],
        })
    );
    assert_eq!((&value["name"], &value["error_count"]), (&"InfluxSink".into(), &1.into()));
}

#[test]
fn a_plugin_has_three_names_and_one_version() {
    for name in ["io.sluice.InfluxSinkConnector", "InfluxSinkConnector", "InfluxSink"] {
        for version in ["latest", VERSION, "[0,)"] {
            assert!(definitions(name, version).is_ok(), "{name} {version}");
        }
    }
    let told = |name, version| definitions(name, version).unwrap_err().to_string();
    assert_eq!(told("influxsink", "latest"), "Unknown plugin influxsink.");
    assert_eq!(told("InfluxSink", "["), "Invalid version specification: [");
    assert_eq!(
        told("InfluxSink", "99"),
        format!("Plugin {CLASS} not found that matches the version range [99,99], available versions: [{VERSION}]")
    );
}
