//! `docs/SETTINGS.md`: every setting, from the tables.

use std::fmt::Write as _;

use crate::config::keys::{CONNECTOR, Effect, Fallback, Key, WORKER};
use crate::docs;

const HEAD: &str = "\
# Settings

Every setting of a connector and of the worker. `sluice validate --keys` prints the same; a test writes this page from the code
(`SLUICE_WRITE_DOCS=1 cargo test -p sluice --lib tests::doc`) and fails when they differ.

Settings are a flat map of strings, as in Kafka Connect: a `.properties` file, flat JSON, or the body of a request to the REST API. Sizes and times are plain
numbers, the unit stands in the name. A setting that is not known and begins like one of Sluice's own is an error, with the nearest name; any other is taken with a
warning, because Connect's clients send some of their own. Secrets come from outside: `${env:NAME}`, `${file:PATH:KEY}`, `${dir:PATH:FILE}`
([which of them a worker allows](WORKER.md)).

Environment variables stand for settings too: `SLUICE_BOOTSTRAP_SERVERS` is the worker's `bootstrap.servers`, and `SLUICE_CONNECTOR_INFLUX_URL` is `influx.url` of a
connector that the environment alone describes. `_` is a dot, and for a connector `__` an underscore and `___` a hyphen. `sluice validate --env` checks such a connector.
";

/// Sections of a connector's settings, and how the names in them begin. What fits none is in the first.
const SECTIONS: &[(&str, &[&str])] = &[
    ("Connector", &[]),
    ("Transform", &["transform."]),
    ("InfluxDB", &["influx."]),
    ("Request bodies and timestamps", &["batch.", "linger.", "requests.", "timestamp."]),
    ("Errors and dead letters", &["errors."]),
    ("Kafka clients of a connector", &["consumer.", "producer.", "admin."]),
];

/// The section of a connector's setting.
fn section(key: &Key) -> &'static str {
    let fits = |(_, begins): &&(&str, &[&str])| begins.iter().any(|begin| key.name.starts_with(begin));
    SECTIONS.iter().find(fits).unwrap_or(&SECTIONS[0]).0
}

fn row(text: &mut String, key: &Key) {
    let fallback = match key.fallback {
        Fallback::Required => "required".to_owned(),
        Fallback::Absent | Fallback::Value("") => "–".to_owned(),
        Fallback::Value(value) => format!("`{value}`"),
    };
    let only = match key.effect {
        Effect::Only { value, why } => format!(" Only `{value}`: {why}."),
        Effect::Full | Effect::Framework => String::new(),
    };
    let allowed = key.kind.allowed().replace('|', "\\|");
    let doc = key.doc.replace('|', "\\|").replace('<', "&lt;");
    writeln!(text, "| `{}` | {allowed} | {fallback} | {doc}{only} |", key.name).unwrap();
}

fn table<'k>(text: &mut String, title: &str, keys: impl Iterator<Item = &'k Key>) {
    write!(text, "\n## {title}\n\n| setting | value | default | meaning |\n| --- | --- | --- | --- |\n").unwrap();
    keys.for_each(|key| row(text, key));
}

fn document() -> String {
    let mut text = HEAD.to_owned();
    let (framework, own): (Vec<_>, Vec<_>) =
        CONNECTOR.iter().chain(WORKER).partition(|key| key.effect == Effect::Framework);
    let of_connector = |key: &&Key| CONNECTOR.iter().any(|other| std::ptr::eq(other, *key));
    for (title, _) in SECTIONS {
        let keys = own.iter().copied().filter(of_connector).filter(|key| section(key) == *title);
        table(&mut text, title, keys);
    }
    table(&mut text, "Worker", own.iter().copied().filter(|key| !of_connector(key)));
    text.push_str("\n## Taken for the sake of Kafka Connect's clients, without effect\n\n");
    let mut names: Vec<_> = framework.iter().map(|key| format!("`{}`", key.name)).collect();
    names.dedup();
    writeln!(text, "{}.", names.join(", ")).unwrap();
    text
}

#[test]
fn the_document_lists_every_setting() {
    let text = document();
    for key in CONNECTOR.iter().chain(WORKER) {
        assert!(text.contains(&format!("`{}`", key.name)), "{}", key.name);
    }
    docs::is_what_the_code_says("SETTINGS.md", &text);
}
