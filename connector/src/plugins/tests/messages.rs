//! What a request for a connector is answered with, and what is never told.

use super::*;

#[test]
fn clients_can_take_the_message_apart() {
    let given = without(&["topics"], &[("tasks.max", Some("0"))]);
    let error = check(&given, &NOTHING).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Connector configuration is invalid and contains the following 3 error(s):\n\
         Invalid value 0 for configuration tasks.max: Value must be at least 1\n\
         Must configure one of topics or topics.regex\n\
         Must configure one of topics or topics.regex\n\
         You can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`"
    );
}

#[test]
fn classes() {
    for class in ALIASES {
        let given = with(&[("connector.class", Some(class))]);
        assert_eq!(check(&given, &NOTHING).unwrap().config.raw["connector.class"], class);
        assert_eq!(validate("Sink", &given, &NOTHING).unwrap().name, class, "the end of a name is enough");
        // The longer name is no end of the shorter.
        let by_full_name = validate(CLASS, &given, &NOTHING);
        assert_eq!(by_full_name.is_ok(), class == CLASS, "{by_full_name:?}");
    }
    let told = |plugin: &str, given: &Settings| validate(plugin, given, &NOTHING).unwrap_err().to_string();
    let given = with(&[]);
    assert_eq!(told("Other", &given), "Included connector type InfluxSink does not match request type Other");
    let missing = without(&["connector.class", "topics"], &[("influx.token", Some("hunter1")), ("x", None)]);
    assert_eq!(
        told("InfluxSink", &missing),
        "Connector config {influx.database=markets, influx.token=[hidden], influx.url=http://localhost:8086, name=prices, \
         transform.module=builtin:split-concat, x=null} contains no connector type"
    );
    let null = with(&[("connector.class", None)]);
    assert!(matches!(check(&null, &NOTHING), Err(Refused::Class(ClassError::Missing { .. }))));
    for class in ["NoSuch", "influxsink", "", " InfluxSink ", "Sink"] {
        let given = with(&[("connector.class", Some(class))]);
        let error = check(&given, &NOTHING).unwrap_err().to_string();
        let start = format!(
            "Failed to find any class that implements Connector and which name matches {class}, available connectors are: {CLASS}"
        );
        assert!(error.starts_with(&start), "{error}");
    }
}

#[test]
fn what_a_placeholder_stands_for_is_used_and_never_told() {
    let resolver = Fixed(&[
        ("TASKS", "3"),
        ("SECRET", "hunter1"),
        ("NAME", "hunter2\u{1}hunter2"),
        ("TOPIC", "hunter3"),
        ("CLASS", "InfluxSink"),
    ]);
    let given = with(&[("tasks.max", Some("${env:TASKS}")), ("connector.class", Some("${env:CLASS}"))]);
    assert_eq!(check(&given, &resolver).unwrap().config.tasks_max.get(), 3);
    let infos = validate("}", &given, &resolver).unwrap();
    assert_eq!(entry(&infos, "tasks.max").value.value.as_deref(), Some("${env:TASKS}"));
    let wrong: Settings = with(&[
        ("name", Some("${env:NAME}")),
        ("tasks.max", Some("${env:SECRET}")),
        ("errors.tolerance", Some("${env:SECRET}")),
        ("errors.log.enable", Some("x${env:SECRET}")),
        ("key.converter", Some("${env:SECRET}")),
        ("transforms", Some("t")),
        ("transforms.t.type", Some("${env:SECRET}")),
        ("connector.plugin.version", Some("${env:SECRET}")),
        ("topics", Some("${env:TOPIC}")),
        ("errors.deadletterqueue.topic.name", Some("${env:TOPIC}")),
        ("influx.url", Some("http://u:hunter4@h")),
        ("influx.version", Some("${env:SECRET}")),
        ("influx.token", Some("hunter5\n")),
        ("influx.pasword", Some("hunter6")),
        ("linger.ms", Some("${env:GONE}")),
        ("consumer.override.sasl.jaas.config", Some("hunter7")),
        ("consumer.override.sasl.pasword", Some("hunter8")),
        ("transform.config.api.token", Some("hunter9")),
    ]);
    let infos = validate("InfluxSink", &wrong, &resolver).unwrap();
    let told = format!("{infos:?} {}", check(&wrong, &resolver).unwrap_err());
    assert!(!told.contains("hunter"), "{told}");
    let expected = "Invalid value ${env:SECRET} for configuration tasks.max: Not a number of type INT";
    assert_eq!(entry(&infos, "tasks.max").value.errors[0], expected);
    assert_eq!(entry(&infos, "tasks.max").value.value.as_deref(), Some("${env:SECRET}"));
    let name = &entry(&infos, "name").value.errors;
    assert_eq!(
        name[..],
        ["Invalid value ${env:NAME} for configuration name: String may not contain control sequences"]
    );
    assert_eq!(entry(&infos, "linger.ms").value.errors.len(), 1, "it can't be looked up");
    assert!(entry(&infos, "topics").value.errors[0].contains("'${env:TOPIC}'"), "{infos:?}");
    for hidden in [
        "influx.token",
        "influx.pasword",
        "consumer.override.sasl.pasword",
        "transform.config.api.token",
        "consumer.override.sasl.jaas.config",
    ] {
        assert_eq!(entry(&infos, hidden).value.value.as_deref(), Some("[hidden]"), "{hidden}");
    }
}

/// A provider that a connector declares itself is none: Kafka Connect takes such settings away before it looks.
#[test]
fn providers_are_not_a_connectors_to_declare() {
    let given = with(&[
        ("config.providers", Some("own")),
        ("config.providers.own.class", Some("X")),
        ("influx.database", Some("${own:a}")),
    ]);
    let infos = look(&given);
    assert_eq!((infos.error_count, entry(&infos, "influx.database").value.value.as_deref()), (0, Some("${own:a}")));
}
