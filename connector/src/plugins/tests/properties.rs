//! What holds whatever anybody sends.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::config::keys::CONNECTOR;

proptest! {
    /// A connector is made exactly if a form shows no error, and the error tells what the form shows.
    #[test]
    fn form_and_request_agree(
        changes in proptest::collection::vec((any_key(), proptest::option::weighted(0.9, any_value())), 0..6),
        gone in proptest::collection::vec(proptest::sample::select(with(&[]).into_keys().collect::<Vec<_>>()), 0..2),
    ) {
        let mut given = with(&[]);
        gone.iter().for_each(|key| _ = given.remove(key));
        given.extend(changes);
        let resolver = Fixed(&[("A", "b")]);
        let checked = check(&given, &resolver);
        // `{p}` is the end of the class, whatever it is.
        let plugin = given.get("connector.class").cloned().flatten().unwrap_or_default();
        match validate(&plugin, &given, &resolver) {
            Err(class) => prop_assert_eq!(checked.err(), Some(Refused::Class(class))),
            Ok(infos) => {
                let shown: Vec<String> = infos.configs.iter().flat_map(|config| config.value.errors.clone()).collect();
                prop_assert_eq!(shown.len(), infos.error_count);
                match checked {
                    Ok(checked) => {
                        prop_assert_eq!(shown, Vec::<String>::new());
                        let written = given.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?)));
                        prop_assert_eq!(checked.config.raw, written.collect::<BTreeMap<_, _>>());
                        // What a file may say is no less than what a request may.
                        prop_assert!(given.values().all(Option::is_some));
                    }
                    Err(Refused::Invalid(invalid)) => {
                        prop_assert!(!shown.is_empty());
                        prop_assert_eq!(invalid.errors, shown);
                    }
                    Err(other) => prop_assert!(false, "{}", other),
                }
                let names: BTreeSet<&str> = infos.configs.iter().map(|config| &*config.value.name).collect();
                prop_assert_eq!(names.len(), infos.configs.len(), "a setting is there twice");
                prop_assert!(infos.configs.iter().all(|config| infos.groups.contains(&config.definition.group)));
            }
        }
    }

    /// Versions and their ranges may be anything.
    #[test]
    fn any_version_is_answered(version in "[\\[\\](),.0-9a-z é-]{0,12}") {
        let _ = definitions(CLASS, &version).map_err(|error| error.to_string());
    }
}

fn any_key() -> impl Strategy<Value = String> {
    let known = || prop::sample::select(CONNECTOR).prop_map(|key| key.name.to_owned());
    prop_oneof![
        4 => known(),
        1 => (known(), "\\PC{0,3}").prop_map(|(key, more)| key + &more),
        1 => prop::sample::select(vec!["transforms.a.type", "predicates.a.type", "consumer.override.group.id", "topics"]).prop_map(str::to_owned),
        1 => "\\PC{0,20}",
    ]
}

fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,20}",
        "-?[0-9]{1,12}",
        "[a,b ]{0,5}",
        "[$\\{\\}env:A ]{0,12}",
        "\\PC?[\u{0}-\u{20}\u{a0}]{0,3}",
        prop::sample::select(vec![
            "true",
            "InfluxSink",
            "all",
            "${env:A}",
            "${env:GONE}",
            "none",
            "crypto",
            "StringConverter",
            "c.*",
            "gzip"
        ])
        .prop_map(str::to_owned),
    ]
}
