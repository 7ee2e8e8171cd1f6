//! What tests of REST, commands and restarts need of a stage beside the rest.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use serde_json::Value;

use super::{Stage, digest};
use crate::support::http::{self, Answer};
use crate::support::sluice::Sluice;

/// A module that takes hours to compile, and is within the limits of its structure.
pub(super) fn slow() -> Vec<u8> {
    crate::gates::wasm::bomb(900, 900)
}

impl Stage {
    /// A stage of one partition whose connector has these settings.
    pub(super) fn with(test: &str, settings: &[(&str, &str)]) -> Self {
        settings.iter().fold(Self::new(test, 1), |stage, (key, value)| stage.set(key, value))
    }

    /// Starts the connector; it has transformed records, so that candidates are warmed up, and is ready.
    pub(super) fn started(&self) -> Sluice {
        let mut sluice = self.start();
        sluice.until("the connector to be ready", Sluice::ready);
        self.produce(100);
        self.finish(&mut sluice);
        sluice
    }

    /// `PUT` with this content type, headers and body.
    pub(super) fn put(&self, sluice: &Sluice, kind: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        http::send("PUT", &self.url(sluice, ""), &[&[("content-type", kind)], headers].concat(), body).unwrap()
    }

    /// `PUT {"module": "sha256:…"}`.
    pub(super) fn put_known(&self, sluice: &Sluice, module: &[u8]) -> Answer {
        let body = format!(r#"{{"module": "sha256:{}"}}"#, digest(module));
        self.put(sluice, "application/json", &[], body.as_bytes())
    }

    /// Sends a module and does not wait for the answer, which comes to whoever reads the connection.
    pub(super) fn send(&self, sluice: &Sluice, module: &[u8]) -> TcpStream {
        let url = self.url(sluice, "");
        let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        let length = module.len();
        write!(
            stream,
            "PUT /{path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/wasm\r\nContent-Length: {length}\r\n\r\n"
        )
        .unwrap();
        stream.write_all(module).unwrap();
        stream
    }

    /// The history in the state folder, empty before there is one.
    pub(super) fn history(&self) -> Value {
        let text = fs::read_to_string(self.shelf().join("history.json")).unwrap_or_else(|_| "{}".to_owned());
        serde_json::from_str(&text).unwrap()
    }

    /// The connector's folder in the state folder.
    pub(super) fn shelf(&self) -> PathBuf {
        let mut folders = fs::read_dir(self.state().join("transforms")).unwrap();
        folders.next().unwrap().unwrap().path()
    }

    /// For use in `until`: `Ok` once the history on the disk says that this module is at this step.
    pub(super) fn is_at(&self, module: &[u8], step: &str) -> Result<(), String> {
        let history = self.history();
        let slots = [&history["pending"], &history["probation"]];
        let is_it = slots.iter().any(|slot| slot["digest"] == digest(module) && slot["step"] == step);
        if is_it { Ok(()) } else { Err(format!("{} {}", slots[0], slots[1])) }
    }

    /// Outcomes of this module, oldest first, by what the API says.
    pub(super) fn outcomes(&self, sluice: &Sluice, module: &[u8]) -> Vec<String> {
        let state = self.transform(sluice);
        let entries = state["history"].as_array().unwrap().iter().filter(|entry| entry["digest"] == digest(module));
        entries.map(|entry| entry["outcome"].as_str().unwrap().to_owned()).collect()
    }

    /// For use in `until`: the first warning on the board with all of `words` in it.
    pub(super) fn warned(&self, sluice: &Sluice, words: &[&str]) -> Result<String, String> {
        let warnings = self.warnings(sluice);
        let found = warnings.iter().find(|warning| words.iter().all(|word| warning.contains(word)));
        found.cloned().ok_or_else(|| format!("{warnings:?}"))
    }

    /// What `/sluice/connectors` warns of.
    pub(super) fn warnings(&self, sluice: &Sluice) -> Vec<String> {
        let (_, connectors) = sluice.get_json("/sluice/connectors");
        let warnings = connectors[0]["warnings"].as_array().into_iter().flatten();
        warnings.map(|warning| warning.as_str().unwrap().to_owned()).collect()
    }
}

/// The answer on a connection, as it is.
pub(super) fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The body of an answer.
#[track_caller]
pub(super) fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}
