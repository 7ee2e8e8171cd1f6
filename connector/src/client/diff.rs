//! What differs between the settings that a worker has and those of a file, and what of it may be shown.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::config::{is_secret, shown};
use crate::dlq::text::escaped;

/// What is printed in the place of a secret.
const HIDDEN: &str = "***";

/// A setting that differs. Values are as they may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    key: String,
    /// What the worker has.
    old: Option<String>,
    /// What the file says.
    new: Option<String>,
}

/// Every setting that differs, by its name.
pub(super) fn changes(old: &BTreeMap<String, Option<String>>, new: &BTreeMap<String, String>) -> Vec<Change> {
    let keys: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let differs = |key: &&String| match (old.get(*key), new.get(*key)) {
        (Some(Some(old)), Some(new)) => old != new,
        _ => true,
    };
    let change = |key: &String| Change {
        key: key.clone(),
        // A null is a value as well, though nobody can have put it there.
        old: old.get(key).map(|value| value.as_deref().map_or_else(|| "null".to_owned(), |value| fit(key, value))),
        new: new.get(key).map(|value| fit(key, value)),
    };
    keys.into_iter().filter(differs).map(change).collect()
}

/// A value as it may be shown: a secret only if a placeholder is all there is of it.
fn fit(key: &str, value: &str) -> String {
    if is_secret(key) && is_placeholder(value) {
        return value.to_owned();
    }
    shown(key, value).unwrap_or_else(|| HIDDEN.to_owned())
}

/// `${provider:…}`, and nothing before or behind it.
fn is_placeholder(value: &str) -> bool {
    let inner = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|inner| inner.contains(':') && !inner.contains(['$', '{', '}']))
}

// === impl Change ===

impl Change {
    /// `+ key = new`, `- key = old` or `~ key: old -> new`, on one line.
    pub(super) fn line(&self) -> String {
        let key = escaped(&self.key);
        match (&self.old, &self.new) {
            (None, Some(new)) => format!("+ {key} = {}", escaped(new)),
            (Some(old), None) => format!("- {key} = {}", escaped(old)),
            (Some(old), Some(new)) if old == new => {
                format!("~ {key}: {} -> another value, which is not shown", escaped(old))
            }
            (old, new) => {
                let [old, new] = [old, new].map(|value| escaped(value.as_deref().unwrap_or_default()));
                format!("~ {key}: {old} -> {new}")
            }
        }
    }

    pub(super) fn json(&self) -> Value {
        json!({ "key": self.key, "old": self.old, "new": self.new })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(old: &[(&str, &str)], new: &[(&str, &str)]) -> Vec<String> {
        let old = old.iter().map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned()))).collect();
        let new = new.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        changes(&old, &new).iter().map(Change::line).collect()
    }

    #[test]
    fn only_what_differs_is_told() {
        let old = [("a", "1"), ("b", "2"), ("c", "3")];
        assert_eq!(lines(&old, &old), [""; 0]);
        assert_eq!(lines(&old, &[("a", "1"), ("b", "two\n"), ("d", "")]), [r"~ b: 2 -> two\n", "- c = 3", "+ d = "]);
        assert_eq!(changes(&[("a".to_owned(), None)].into(), &BTreeMap::new())[0].line(), "- a = null");
    }

    #[test]
    fn no_secret_is_shown_and_a_placeholder_is() {
        let told = lines(
            &[("influx.token", "old-secret"), ("p.password", "${env:P}"), ("influx.url", "http://u:pass1@h/?u=a&p=q1")],
            &[
                ("influx.token", "new-secret"),
                ("p.password", "x${env:P}"),
                ("influx.url", "http://u:pass2@h/?u=a&p=q2"),
            ],
        );
        assert_eq!(
            told,
            [
                "~ influx.token: *** -> another value, which is not shown",
                "~ influx.url: http://***@h/?*** -> another value, which is not shown",
                "~ p.password: ${env:P} -> ***",
            ]
        );
        for (value, is) in
            [("${file:/a b:K}", true), ("${env:A}${env:B}", false), ("${}", false), ("${plain}", false), ("$x", false)]
        {
            assert_eq!(is_placeholder(value), is, "{value}");
        }
        let all = changes(&BTreeMap::new(), &[("my.secret".to_owned(), "s3cret".to_owned())].into());
        assert_eq!(all[0].json(), json!({"key": "my.secret", "old": null, "new": "***"}));
    }
}
