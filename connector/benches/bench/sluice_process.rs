//! Sluice under measurement.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use crate::broker::Broker;
use crate::process::Child;
use crate::store::DATABASE;

/// A connector's settings but for its name.
pub(crate) type Settings = BTreeMap<String, String>;

/// `split-concat` from a topic to a sink at this port, with more settings, or others in the place of these.
pub(crate) fn settings<S: AsRef<str>>(topic: &str, port: u16, more: &[(S, S)]) -> Settings {
    let url = format!("http://127.0.0.1:{port}");
    let usual = [
        ("topics", topic),
        ("transform.module", "builtin:split-concat"),
        ("influx.url", &url),
        ("influx.database", DATABASE),
    ];
    let more = more.iter().map(|(key, value)| (key.as_ref(), value.as_ref()));
    usual.into_iter().chain(more).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Starts a process with a connector of this name from a file, which goes into `folder`; with a listener at this port, 0 for any, and more arguments.
pub(crate) fn start(
    broker: &Broker,
    (name, settings): (&str, &Settings),
    folder: &Path,
    (port, more): (u16, &[&str]),
) -> Child {
    let file = folder.join(format!("{name}.properties"));
    let lines: Vec<String> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
    std::fs::write(&file, format!("name={name}\n{}", lines.join("\n"))).unwrap();
    spawn(broker, port, &[more, &[file.to_str().unwrap()]].concat())
}

/// Starts a process with a listener at this port, 0 for any, and more arguments.
pub(crate) fn spawn(broker: &Broker, port: u16, more: &[&str]) -> Child {
    let listeners = format!("http://127.0.0.1:{port}");
    let usual =
        ["--log-level", "error", "run", "--bootstrap-servers", &broker.address, "--listeners", listeners.as_str()];
    Child::spawn(env!("CARGO_BIN_EXE_sluice").into(), &[&usual[..], more].concat(), Stdio::null())
}
