//! Client properties that a worker does not let its connectors set, and configurations that are too large to be looked at.

use super::*;
use crate::config::ConnectorRules;

fn rules() -> ConnectorRules {
    ConnectorRules { overrides: OverridePolicy::Principal, ..ConnectorRules::default() }
}

#[test]
fn an_override_that_is_refused_is_an_error_of_its_setting_in_connects_words() {
    let given = with(&[
        ("consumer.override.max.poll.records", Some("5")),
        ("consumer.override.sasl.mechanism", Some("PLAIN")),
        ("consumer.override.fetch.min.bytes", Some("no number")),
        ("consumer.override.sasl.pasword", Some("hunter2")),
        ("admin.override.retries", Some("5")),
    ]);
    let infos = validate("InfluxSink", &given, &rules()).unwrap();
    let refused = ["max.poll.records", "fetch.min.bytes", "sasl.pasword"];
    assert_eq!(
        infos.error_count,
        refused.len(),
        "once each, whatever else is wrong, and not what is for dead letters: {infos:?}"
    );
    for name in refused {
        let [error] = entry(&infos, &format!("consumer.override.{name}")).value.errors.as_slice() else {
            panic!("not one error of {name}: {infos:?}")
        };
        let words =
            format!("The 'Principal' policy does not allow '{name}' to be overridden in the connector configuration.");
        assert!(error.starts_with(&words), "{error}");
    }
    assert_eq!(entry(&infos, "consumer.override.max.poll.records").value.value.as_deref(), Some("5"));
    assert!(!format!("{infos:?}").contains("hunter2"), "{infos:?}");
    let Err(Refused::Invalid(invalid)) = check(&given, &rules()) else { panic!("not refused as invalid") };
    assert!(invalid.to_string().contains("contains the following 3 error(s)"), "{invalid}");
}

#[test]
fn what_is_for_dead_letters_is_refused_once_there_are_some() {
    let given = [("admin.override.retries", Some("5")), ("producer.override.linger.ms", Some("5"))];
    let letters = [("errors.tolerance", Some("all")), ("errors.deadletterqueue.topic.name", Some("letters"))];
    let looked = |pairs: Given<'_>| validate("InfluxSink", &with(pairs), &rules()).unwrap();
    assert_eq!(looked(&given).error_count, 0);
    let infos = looked(&[given, letters].concat());
    assert_eq!(infos.error_count, 2, "{infos:?}");
    assert!(given.iter().all(|(key, _)| entry(&infos, key).value.errors.len() == 1), "{infos:?}");
}

#[test]
fn more_settings_than_anybody_needs_are_not_looked_at() {
    let mut given = with(&[]);
    let missing = 2000 - given.len();
    given.extend((0..missing).map(|at| (format!("transform.config.{at}"), Some("x".to_owned()))));
    assert!(check(&given, &NOTHING).is_ok());
    // Those that are null are settings, too.
    given.insert("transform.config.more".to_owned(), None);
    assert!(matches!(validate("InfluxSink", &given, &NOTHING), Err(ClassError::TooMany(_))));
    let told = check(&given, &NOTHING).unwrap_err().to_string();
    assert!(told.contains("2001 settings are more than the 2000"), "{told}");
}
