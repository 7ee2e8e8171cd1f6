//! What the settings promise: everything wrong is told at once, nothing is taken and ignored, secrets stay where they are.

#![allow(clippy::unwrap_used, reason = "tests")]

mod connector;
mod doc;
mod files;
mod kafka_properties;
mod listeners;
mod overrides;
mod tables;
mod worker;

use std::collections::BTreeMap;

use super::resolve::{Reference, Resolve};
use super::*;

/// Resolves `${env:NAME}` from a list, and nothing else.
struct Fixed(&'static [(&'static str, &'static str)]);

impl Rules for Fixed {
    fn overrides(&self) -> &OverridePolicy {
        &OverridePolicy::All
    }
}

impl Resolve for Fixed {
    fn value(&self, reference: &Reference<'_>) -> Result<String, String> {
        let found = self.0.iter().find(|(name, _)| *name == reference.key);
        found.map(|(_, value)| (*value).to_owned()).ok_or_else(|| format!("{} is not there", reference.key))
    }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The smallest connector there is, with these settings changed or added.
fn with(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut least = map(&[
        ("name", "prices"),
        ("topics", "crypto"),
        ("transform.module", "builtin:split-concat"),
        ("influx.url", "http://localhost:8086"),
        ("influx.database", "markets"),
    ]);
    least.extend(map(pairs));
    least
}

fn check(pairs: &[(&str, &str)]) -> Result<Checked<ConnectorConfig>, Problems> {
    ConnectorConfig::check_with(&with(pairs), &Fixed(&[]))
}

/// The keys of the problems, each once for every problem.
fn wrong<T: fmt::Debug>(result: Result<Checked<T>, Problems>) -> Vec<String> {
    result.unwrap_err().problems.into_iter().map(|problem| problem.key).collect()
}

fn warned<T: fmt::Debug>(result: Result<Checked<T>, Problems>) -> Vec<String> {
    result.unwrap().warnings.into_iter().map(|warning| warning.key).collect()
}
