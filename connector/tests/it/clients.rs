//! Clients that others have written for Kafka Connect do all that they can do on a live connector: `tests/clients` has what each does, in its own
//! language. They come from PyPI, in the versions of `tests/clients/requirements.txt`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::json;

use crate::support::points::feed;
use crate::support::services;
use crate::support::worker::Site;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

/// The folder of the environment that has them all.
static VENV: LazyLock<PathBuf> = LazyLock::new(|| {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/venv");
    let requirements = Path::new(FOLDER).join("requirements.txt");
    let made = Command::new(script).args(["clients", "-r"]).arg(requirements).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    PathBuf::from(String::from_utf8(made.stdout).unwrap().trim_end())
});

/// Runs a script on a worker of its own whose topic has records.
fn drive(script: &str) {
    let site = Site::new("client", 1);
    site.topic.produce(&feed(100, 10, |_| (0, "BTC-USD")));
    let connector = site.connector("driven").set("connector.class", "io.sluice.InfluxSinkConnector");
    let done = Command::new(VENV.join("bin/python"))
        .arg("-B")
        .arg(Path::new(FOLDER).join(script))
        .env("CLIENT_URL", site.sluice.url(""))
        .env("CLIENT_BROKERS", services::kafka())
        .env("CLIENT_CONNECTOR", &connector.name)
        .env("CLIENT_CONFIG", json!(connector.settings()).to_string())
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{script} failed:\n{out}\n{err}");
    site.sluice.stop();
}

#[test]
fn kafka_connect_py() {
    drive("use_kafka_connect_py.py");
}

#[test]
fn kafka_connect_api() {
    drive("use_kafka_connect_api.py");
}

#[test]
fn kafkaconnect() {
    drive("use_kafkaconnect.py");
}
