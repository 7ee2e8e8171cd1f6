//! What clients are told of the plugin, against what the tables and the checks say.

#![allow(clippy::unwrap_used, reason = "tests")]

mod definitions;
mod messages;
mod overrides;
mod properties;
mod validation;

use super::*;
use crate::config::OverridePolicy;
use crate::config::resolve::{Reference, Resolve};

/// Resolves `${env:NAME}` from a list, and nothing else.
struct Fixed(&'static [(&'static str, &'static str)]);

impl Resolve for Fixed {
    fn value(&self, reference: &Reference<'_>) -> Result<String, String> {
        let found = self.0.iter().find(|(name, _)| *name == reference.key);
        found.map(|(_, value)| (*value).to_owned()).ok_or_else(|| format!("{} is not there", reference.key))
    }
}

impl Rules for Fixed {
    fn overrides(&self) -> &OverridePolicy {
        &OverridePolicy::All
    }
}

const NOTHING: Fixed = Fixed(&[]);

type Given<'a> = &'a [(&'a str, Option<&'a str>)];

/// The smallest connector there is, with these settings changed or added.
fn with(pairs: Given<'_>) -> Settings {
    let least = [
        ("name", "prices"),
        ("connector.class", "InfluxSink"),
        ("topics", "crypto"),
        ("transform.module", "builtin:split-concat"),
        ("influx.url", "http://localhost:8086"),
        ("influx.database", "markets"),
    ];
    let least = least.into_iter().map(|(key, value)| (key, Some(value)));
    let all = least.chain(pairs.iter().copied());
    all.map(|(key, value)| (key.to_owned(), value.map(str::to_owned))).collect()
}

/// The same without some of them.
fn without(keys: &[&str], pairs: Given<'_>) -> Settings {
    let mut settings = with(&[]);
    keys.iter().for_each(|key| _ = settings.remove(*key));
    let more = pairs.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned)));
    settings.extend(more);
    settings
}

fn look(given: &Settings) -> ConfigInfos {
    validate("InfluxSink", given, &NOTHING).unwrap()
}

fn entry<'a>(infos: &'a ConfigInfos, name: &str) -> &'a ConfigInfo {
    infos.configs.iter().find(|config| config.value.name == name).unwrap_or_else(|| panic!("no entry of {name}"))
}

/// What is wrong, in order: the setting, and the error.
fn wrong(given: &Settings) -> Vec<(String, String)> {
    let infos = look(given);
    let errors = infos.configs.into_iter().map(|config| config.value);
    let errors: Vec<_> =
        errors.flat_map(|value| value.errors.into_iter().map(move |error| (value.name.clone(), error))).collect();
    assert_eq!(errors.len(), infos.error_count);
    errors
}

#[track_caller]
fn assert_wrong(given: &Settings, expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(key, error)| ((*key).to_owned(), (*error).to_owned())).collect();
    assert_eq!(wrong(given), expected, "{given:?}");
}
