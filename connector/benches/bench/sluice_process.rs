//! Sluice under measurement: one connector, from its file.

use std::path::Path;
use std::process::Stdio;

use crate::broker::Broker;
use crate::process::Child;
use crate::server::Server;

/// Starts a process with a connector of this name that reads the topic into the server, with more `settings` if need be. Its file goes into `folder`.
pub(crate) fn start(
    broker: &Broker,
    (name, topic): (&str, &str),
    server: &Server,
    settings: &[String],
    folder: &Path,
) -> Child {
    let mut lines = vec![
        format!("name={name}"),
        format!("topics={topic}"),
        "transform.module=builtin:split-concat".to_owned(),
        format!("influx.url=http://{}", server.address),
        "influx.database=bench".to_owned(),
    ];
    lines.extend_from_slice(settings);
    let file = folder.join(format!("{name}.properties"));
    std::fs::write(&file, lines.join("\n")).unwrap();
    let arguments = [
        "--log-level",
        "error",
        "run",
        "--bootstrap-servers",
        &broker.address,
        "--listeners",
        "http://127.0.0.1:0",
        file.to_str().unwrap(),
    ];
    Child::spawn(env!("CARGO_BIN_EXE_sluice").into(), &arguments, Stdio::null())
}
