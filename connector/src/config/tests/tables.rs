//! The tables of keys, and whatever anybody may write.

use proptest::prelude::*;

use super::*;
use crate::config::keys::{CONNECTOR, Fallback, Kind, WORKER};

#[test]
fn tables_are_sound() {
    for table in [CONNECTOR, WORKER] {
        for (at, key) in table.iter().enumerate() {
            assert!(table[..at].iter().all(|other| other.name != key.name), "{} is there twice", key.name);
            assert!(!key.doc.is_empty() && key.doc.ends_with('.'), "{}", key.name);
            assert_eq!(key.kind == Kind::Password, is_secret(key.name), "{}", key.name);
            match key.fallback {
                Fallback::Value(value) if !value.is_empty() => {
                    assert_eq!(key.kind.check(value), Ok(()), "{}", key.name)
                }
                Fallback::Value(_) => assert!(matches!(key.kind, Kind::Text | Kind::List), "{}", key.name),
                Fallback::Absent => {
                    assert!(
                        !matches!(key.kind, Kind::Int(..) | Kind::Bool | Kind::Choice(_)),
                        "{} needs a default",
                        key.name
                    );
                }
                Fallback::Required => {}
            }
        }
        let text = keys::render(table);
        assert!(table.iter().all(|key| text.contains(key.name) && text.contains(key.doc)));
    }
}

proptest! {
    #[test]
    fn check_never_panics(pairs in proptest::collection::vec((any_key(), any_value()), 0..12)) {
        let map: BTreeMap<String, String> = with(&[]).into_iter().chain(pairs).collect();
        // Nothing of Debug or Display may panic either.
        let _ = format!("{:?}", ConnectorConfig::check_with(&map, &Fixed(&[("A", "b")])).map_err(|problems| problems.to_string()));
        let worker = WorkerConfig::check_with(&map, map.clone(), &map, &Fixed(&[("A", "b")]));
        let _ = format!("{:?}", worker.map_err(|problems| problems.to_string()));
    }
}

fn any_key() -> impl Strategy<Value = String> {
    let known = || prop::sample::select(CONNECTOR).prop_map(|key| key.name.to_owned());
    let client = prop::sample::select(kafka::client_properties().collect::<Vec<_>>());
    prop_oneof![
        known(),
        prop::sample::select(WORKER).prop_map(|key| key.name.to_owned()),
        client.prop_map(|name| format!("consumer.override.{name}")),
        (known(), "\\PC{0,3}").prop_map(|(key, more)| key + &more),
        "SLUICE_[A-Z_]{0,10}",
        "\\PC{0,20}",
    ]
}

fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,20}",
        "-?[0-9]{1,25}",
        "https?://[\\[\\]:/@a-z0-9]{0,12}",
        "[$\\{\\}env:A ]{0,12}",
        "[a-z=\"'; \\\\]{0,20}",
        Just("true".to_owned())
    ]
}
