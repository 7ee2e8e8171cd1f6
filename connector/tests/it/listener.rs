//! The listener of the real program: HTTPS, users, what is open to whom. Needs no service.

mod cli;
mod https;
mod users;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::Value;

use crate::support::http::{self, Answer};
use crate::support::sluice::{BINARY, Sluice};

/// A worker without connectors, with these settings.
fn start(settings: &[(&str, &str)]) -> Sluice {
    let mut arguments = vec!["--bootstrap-servers".to_owned(), "127.0.0.1:1".to_owned()];
    for (key, value) in settings {
        match *key {
            "listeners" => arguments.extend(["--listeners".to_owned(), (*value).to_owned()]),
            key => arguments.extend(["--set".to_owned(), format!("{key}={value}")]),
        }
    }
    Sluice::start_with(&[], &arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Where it listens for `serves`.
fn address(sluice: &mut Sluice, serves: &str) -> String {
    let serves = format!("\"serves\":\"{serves}\"");
    let line = sluice.until("a listener", |sluice| sluice.logged(&["\"message\":\"listening\"", &serves]));
    let line: Value = serde_json::from_str(&line).unwrap();
    line["address"].as_str().unwrap().to_owned()
}

/// `sluice passwd`, with a password on standard input.
fn passwd(file: &Path, arguments: &[&str], password: &str) {
    let mut command = Command::new(BINARY);
    command.arg("passwd").arg(file).args(arguments).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut process = command.spawn().unwrap();
    process.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
    assert!(process.wait().unwrap().success(), "{arguments:?}");
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{name}:{password}")))
}

/// `method path` as this user.
fn send(sluice: &Sluice, method: &str, path: &str, (name, password): (&str, &str)) -> Answer {
    http::send(method, &sluice.url(path), &[("Authorization", &basic(name, password))], b"").unwrap()
}

/// A file with Ann, an admin, and Bob, a reader.
fn people(folder: &Path) -> PathBuf {
    let file = folder.join("users");
    passwd(&file, &["ann", "--role", "admin"], ANN.1);
    passwd(&file, &["bob"], BOB.1);
    file
}

const ANN: (&str, &str) = ("ann", "ann's word");
const BOB: (&str, &str) = ("bob", "bob's word");

#[test]
fn metrics_and_health_have_a_listener_of_their_own_without_users() {
    let folder = tempfile::tempdir().unwrap();
    let file = people(folder.path());
    let mut sluice =
        start(&[("rest.auth.users.file", file.to_str().unwrap()), ("metrics.listeners", "http://127.0.0.1:0")]);
    let (api, metrics) = (address(&mut sluice, "api"), address(&mut sluice, "metrics"));
    let status = |at: &str, path: &str| http::get(&format!("http://{at}{path}")).unwrap().status;
    let paths = ["/metrics", "/health", "/health/live", "/health/ready", "/connectors", "/", "/sluice/connectors"];
    let seen = |at: &str| paths.map(|path| status(at, path));
    assert_eq!(seen(&metrics), [200, 200, 200, 200, 404, 404, 404]);
    assert_eq!(seen(&api), [401, 200, 200, 200, 401, 401, 401]);
    assert!(http::get(&format!("http://{metrics}/metrics")).unwrap().body.contains("sluice_build_info"));
    sluice.stop();
}

#[test]
fn a_page_of_another_origin_can_not_change_anything_and_headers_are_set() {
    let sluice = start(&[("response.http.headers.config", "set X-Frame-Options: DENY")]);
    let foreign = [("Origin", "http://evil.example"), ("Content-Type", "application/json")];
    let refused = http::send("POST", &sluice.url("/connectors"), &foreign, b"{}").unwrap();
    assert_eq!(refused.status, 403, "{refused:?}");
    let own = [("Origin", sluice.url("")), ("Content-Type", "application/json".to_owned())];
    let own = own.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_ne!(http::send("POST", &sluice.url("/connectors"), &own, b"{}").unwrap().status, 403);
    let options = http::send("OPTIONS", &sluice.url("/connectors/"), &[], b"").unwrap();
    assert_eq!((options.status, options.body.as_str()), (200, "GET, HEAD, POST, OPTIONS"));
    sluice.stop();
}

#[test]
fn files_that_can_not_be_used_are_named_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users");
    fs::write(&file, "# people\nann admin ann's-word\n").unwrap();
    let named = file.to_str().unwrap();
    let mut sluice = start(&[("rest.auth.users.file", named)]);
    let code = sluice.wait();
    let log = sluice.log();
    assert!(code == Some(2) && log.contains(named) && log.contains("line 2") && !log.contains("ann's-word"), "{log}");
    let missing = folder.path().join("missing.pem");
    let missing = missing.to_str().unwrap();
    let mut sluice = start(&[
        ("listeners", "https://127.0.0.1:0"),
        ("listeners.https.certificate.location", missing),
        ("listeners.https.key.location", missing),
    ]);
    let code = sluice.wait();
    assert!(code == Some(2) && sluice.log().contains(missing), "{}", sluice.log());
}
