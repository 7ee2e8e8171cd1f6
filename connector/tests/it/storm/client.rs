//! One client: what it asks, and what it may be answered.

use std::collections::BTreeMap;
use std::sync::Mutex;

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::idle;
use super::link::{Answer, Link};
use crate::support::http;
use crate::support::sluice::Connector;

/// Connectors of one client.
const OWN: usize = 2;

/// Heads that are no HTTP.
const GARBAGE: [&str; 4] = [
    "GET\r\n\r\n",
    "GET /connectors HTTP/9.9\r\n\r\n",
    "POST /connectors HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
    "GET / HTTP/1.1\r\nno colon\r\n\r\n",
];

/// Bodies that can't be read.
const MALFORMED: [&str; 8] =
    ["", "{", "[]", "null", "{\"name\": {}}", "{\"nome\": \"x\"}", "{\"a\": NaN}", "{\"config\": {\"a\": [1]}}"];

/// What is only read.
const READS: [&str; 9] = [
    "/",
    "/health",
    "/connectors",
    "/connectors/",
    "/connector-plugins",
    "/admin/loggers",
    "/sluice/openapi.json",
    "/metrics",
    "/connectors?expand=status&expand=info",
];

/// What all clients have seen together.
#[derive(Debug, Default)]
pub(super) struct Fates {
    made: usize,
    refused: usize,
}

/// A client.
#[derive(Debug)]
pub(super) struct Client {
    link: Link,
    rng: Rng,
    round: usize,
    sent: usize,
    /// What a connector of its own is set to, but for the name.
    config: Map<String, Value>,
    stirred: String,
    /// The settings of each connector that it may make, if that is there.
    own: BTreeMap<String, Option<Value>>,
}

// === impl Fates ===

impl Fates {
    /// The connector that every client tries to make.
    pub(super) fn contested(round: usize) -> String {
        format!("contested-{round}")
    }

    pub(super) fn assert_one_of_all_made_the_contested(&self) {
        assert_eq!((self.made, self.refused), (1, super::CLIENTS - 1), "one makes it, all others are told of it");
    }
}

// === impl Client ===

impl Client {
    pub(super) fn new(address: &str, round: usize, id: usize, live: &Connector, stirred: &Connector) -> Self {
        let mut config = idle(live).as_object().cloned().unwrap_or_default();
        config.remove("name");
        Self {
            link: Link::new(address),
            rng: Rng::with_seed((round * super::CLIENTS + id) as u64),
            round,
            sent: 0,
            config,
            stirred: format!("/connectors/{}", http::encode(&stirred.name)),
            own: (0..OWN).map(|own| (format!("storm-{round}-{id}-{own}"), None)).collect(),
        }
    }

    /// Requests that were sent.
    pub(super) fn sent(&self) -> usize {
        self.sent
    }

    /// Those of its connectors that are there.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.own.iter().filter(|(_, config)| config.is_some()).map(|(name, _)| name.clone())
    }

    /// So many requests of every kind.
    pub(super) fn storm(&mut self, requests: usize, fates: &Mutex<Fates>) {
        self.contest(fates);
        while self.sent < requests {
            match self.rng.u8(..100) {
                0..8 => self.make(),
                8..14 => self.put(),
                14..20 => self.patch(),
                20..24 => self.delete(),
                24..36 => self.look_at_one(),
                36..40 => self.target(),
                40..42 => self.stir(),
                42..52 => self.malformed(),
                52..58 => self.garbage(),
                58..64 => self.cut(),
                _ => self.read(),
            }
        }
    }

    /// What its connectors are set to is what they were last set to.
    pub(super) fn look_again(&mut self) {
        for name in self.own.keys().cloned().collect::<Vec<_>>() {
            self.check(&name);
        }
    }

    fn contest(&mut self, fates: &Mutex<Fates>) {
        let name = Fates::contested(self.round);
        let body = json!({ "name": name, "config": self.config, "initial_state": "STOPPED" });
        let status = self.ask("POST", "/connectors", Some(&body)).status;
        let mut fates = fates.lock().unwrap();
        match status {
            201 => fates.made += 1,
            409 => fates.refused += 1,
            other => panic!("{other} for a connector that others make, too"),
        }
    }

    fn make(&mut self) {
        let name = self.one();
        let mut body = json!({ "name": name, "config": self.config, "initial_state": "stopped" });
        body["config"]["linger.ms"] = self.rng.u16(..60_000).to_string().into();
        let is_slow = self.rng.u8(..4) == 0;
        let answer = if is_slow {
            self.sent += 1;
            self.link.ask_slowly("POST", "/connectors", body.to_string().as_bytes())
        } else {
            self.ask("POST", "/connectors", Some(&body))
        };
        match &self.own[&name] {
            Some(_) => expect(&answer, 409),
            None => self.note(&name, &answer, 201, body["config"].take()),
        }
    }

    fn put(&mut self) {
        let name = self.one();
        // One that is not there would be made to run.
        if self.own[&name].is_none() {
            return self.make();
        }
        let mut config = Value::Object(self.config.clone());
        config["batch.max.lines"] = self.rng.u16(1..).to_string().into();
        let answer = self.ask("PUT", &format!("/connectors/{name}/config"), Some(&config));
        self.note(&name, &answer, 200, config);
    }

    fn patch(&mut self) {
        let name = self.one();
        let value = self.rng.u16(..60_000).to_string();
        let patch = json!({ "linger.ms": value, "batch.max.lines": null });
        let answer = self.ask("PATCH", &format!("/connectors/{name}/config"), Some(&patch));
        let Some(mut config) = self.own[&name].clone() else { return expect(&answer, 404) };
        config["linger.ms"] = value.into();
        config.as_object_mut().unwrap().remove("batch.max.lines");
        self.note(&name, &answer, 200, config);
    }

    fn delete(&mut self) {
        let name = self.one();
        let answer = self.ask("DELETE", &format!("/connectors/{name}"), None);
        let before = self.own.insert(name, None).flatten();
        expect(&answer, if before.is_some() { 204 } else { 404 });
    }

    fn look_at_one(&mut self) {
        let name = self.one();
        self.check(&name);
        let answer = self.ask("GET", &format!("/connectors/{name}/status"), None);
        match &self.own[&name] {
            None => expect(&answer, 404),
            Some(_) => assert_eq!(answer.json()["tasks"], json!([]), "it never ran"),
        }
    }

    /// The word that is said of a connector that is not to run.
    fn target(&mut self) {
        let name = self.one();
        let (word, done) = if self.rng.bool() { ("pause", 202) } else { ("stop", 204) };
        let answer = self.ask("PUT", &format!("/connectors/{name}/{word}"), None);
        expect(&answer, if self.own[&name].is_some() { done } else { 404 });
    }

    /// Disturbs the connector that is there for it.
    fn stir(&mut self) {
        let stirred = self.stirred.clone();
        let (method, rest, body, status) = match self.rng.u8(..4) {
            0 => ("PUT", "/pause", None, 202),
            1 => ("PUT", "/resume", None, 202),
            2 => ("POST", "/restart?includeTasks=true", None, 202),
            _ => ("PATCH", "/config", Some(json!({ "linger.ms": self.rng.u8(..5).to_string() })), 200),
        };
        expect(&self.ask(method, &format!("{stirred}{rest}"), body.as_ref()), status);
    }

    fn malformed(&mut self) {
        self.sent += 1;
        let body = *self.rng.choice(&MALFORMED).expect("there are some");
        let name = self.one();
        let config = format!("/connectors/{name}/config");
        let answer = match self.rng.u8(..4) {
            0 => self.link.ask("POST", "/connectors", Some(body.as_bytes())),
            1 => self.link.ask("PUT", "/connector-plugins/InfluxSink/config/validate", Some(b"[1]")),
            2 => return expect(&self.link.ask_as("PUT", &config, "text/plain", b"{}"), 415),
            _ => {
                let answer = self.link.ask("PUT", &config, Some(br#"{"connector.class": "Nope", "tasks.max": "0"}"#));
                return expect(&answer, 400);
            }
        };
        expect(&answer, 500);
    }

    fn garbage(&mut self) {
        self.sent += 1;
        let head = *self.rng.choice(&GARBAGE).expect("there are some");
        let status = self.link.garbage(head.as_bytes());
        assert!(matches!(status, 400 | 505), "{status} for {head:?}");
    }

    /// What comes by half has no effect.
    fn cut(&mut self) {
        self.sent += 1;
        let name = self.one();
        let body = match self.own[&name] {
            None => json!({ "name": name, "config": self.config, "initial_state": "STOPPED" }),
            Some(_) => json!(self.config),
        };
        let (method, path) = match self.own[&name] {
            None => ("POST", "/connectors".to_owned()),
            Some(_) => ("PUT", format!("/connectors/{name}/config")),
        };
        self.link.cut(method, &path, body.to_string().as_bytes());
    }

    fn read(&mut self) {
        // The last ones are long.
        let path = READS[self.rng.usize(..READS.len()).min(self.rng.usize(..READS.len()))];
        let answer = self.ask("GET", path, None);
        expect(&answer, 200);
        if path == "/connectors" {
            let listed = answer.json();
            for (name, config) in &self.own {
                let is_listed = listed.as_array().unwrap().iter().any(|listed| listed == name.as_str());
                assert_eq!(is_listed, config.is_some(), "{name} after its last answer");
            }
        }
    }

    fn check(&mut self, name: &str) {
        let answer = self.ask("GET", &format!("/connectors/{name}/config"), None);
        match &self.own[name] {
            Some(config) => assert_eq!(answer.json(), *config, "{name} is not what it was set to"),
            None => expect(&answer, 404),
        }
    }

    /// A change that was answered with what it is to be answered with has been made.
    fn note(&mut self, name: &str, answer: &Answer, status: u16, mut config: Value) {
        expect(answer, status);
        config["name"] = name.into();
        assert_eq!(answer.json()["config"], config, "the answer tells of other settings");
        self.own.insert(name.to_owned(), Some(config));
    }

    fn one(&mut self) -> String {
        let nth = self.rng.usize(..OWN);
        self.own.keys().nth(nth).cloned().expect("there are as many")
    }

    fn ask(&mut self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.sent += 1;
        let body = body.map(Value::to_string);
        self.link.ask(method, path, body.as_ref().map(String::as_bytes))
    }
}

#[track_caller]
fn expect(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(&answer.body));
}
