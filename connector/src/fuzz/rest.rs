//! The REST API: whatever is asked, the answer is one that clients can read, and what it says is what has come of it.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header, request, response};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::api::{ApiState, router};
use crate::config::WorkerConfig;
use crate::registry::{Record, Registry};
use crate::server::gate::Gate;
use crate::services::Services;
use crate::status::Board;
use crate::telemetry::Loggers;

/// Requests of one input: as many as it takes to make a connector, change it and delete it.
const REQUESTS_MAX: usize = 8;

/// A module that is there. A connector that finds one starts threads and a consumer, for which an input has no time.
const MODULE: &[u8] = b"builtin";

/// A worker without brokers, on which one input follows the other.
static WORKER: LazyLock<Mutex<Worker>> = LazyLock::new(|| Mutex::new(Worker::new()));

struct Worker {
    runtime: Runtime,
    registry: Registry,
    gate: Gate,
}

/// A request.
struct Asked {
    head: request::Parts,
    body: Vec<u8>,
}

/// Its answer.
struct Answer {
    head: response::Parts,
    body: Bytes,
}

/// The bytes are requests with a zero byte between them. Each is `METHOD TARGET`, lines of `header: value`, an empty line, and the body.
pub fn rest(data: &[u8]) {
    if data.windows(MODULE.len()).any(|window| window == MODULE) {
        return;
    }
    let worker = WORKER.lock().unwrap_or_else(PoisonError::into_inner);
    worker.runtime.block_on(async {
        let router = worker.router();
        for request in data.split(|&byte| byte == 0).take(REQUESTS_MAX) {
            if let Some(asked) = Asked::parse(request) {
                worker.ask(&router, asked).await;
            }
        }
        worker.clear(&router).await;
    });
}

// === impl Worker ===

impl Worker {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("threads can be started");
        let nothing = std::collections::BTreeMap::new();
        let config = WorkerConfig::check(&nothing, [], &nothing).expect("nothing has to be set").config;
        let gate = Gate::open(([127, 0, 0, 1], 8083).into(), &config.listeners);
        let registry = {
            let _entered = runtime.enter();
            Registry::new(Arc::new(config), Services::bare(), Board::new(), None, false)
        };
        Self { runtime, registry, gate }
    }

    /// The API, with log levels that are nobody else's.
    fn router(&self) -> Router {
        router(ApiState::new(self.registry.clone(), "here:8083").with_loggers(Loggers::default()), Router::new())
    }

    async fn ask(&self, router: &Router, asked: Asked) {
        let before = self.registry.all();
        // Brokers that are not there take half a minute not to answer.
        if asked.path().ends_with("/offsets") && !before.is_empty() {
            return;
        }
        let Asked { head, body } = asked;
        let (method, uri) = (head.method.clone(), head.uri.clone());
        let answer = self.answer(router, Request::from_parts(head, Body::from(body))).await;
        let what = format!("{method} {uri}: {} {}", answer.head.status, String::from_utf8_lossy(&answer.body));
        answer.can_be_read(&method, uri.path(), &what);
        self.is_consistent(&what);
        answer.tells(&method, &before, &self.registry.all(), &what);
    }

    async fn answer(&self, router: &Router, request: Request) -> Answer {
        let answer = self.gate.answer(router.clone(), ([127, 0, 0, 1], 1).into(), request).await;
        let (head, body) = answer.into_parts();
        Answer { head, body: to_bytes(body, usize::MAX).await.expect("an answer that is no stream comes whole") }
    }

    /// What is shown of the connectors is what there is of them.
    fn is_consistent(&self, what: &str) {
        let records = self.registry.all();
        for record in &records {
            let own = record.config.get("name").map(|name| name.trim());
            assert_eq!(own, Some(record.name.as_str()), "a connector has another name than its settings after {what}");
            assert!(self.registry.status(&record.name).is_ok(), "a connector has no status after {what}");
        }
        let shown = self.registry.board().snapshot().connectors;
        let shown: BTreeSet<_> = shown.iter().map(|connector| connector.name.as_str()).collect();
        assert_eq!(shown, names(&records), "others are shown than there are after {what}");
    }

    /// Leaves nothing to the next input.
    async fn clear(&self, router: &Router) {
        for record in self.registry.all() {
            self.registry.delete(&record.name).await.expect("what is kept nowhere can be deleted");
        }
        let request = Request::get("/connectors").body(Body::empty()).expect("it is a request");
        assert_eq!(&self.answer(router, request).await.body[..], b"[]", "a connector is left");
        // Whoever looked after them comes to his end meanwhile.
        tokio::task::yield_now().await;
        self.is_consistent("everything was deleted");
    }
}

// === impl Asked ===

impl Asked {
    /// `None` for what no HTTP library would hand on.
    fn parse(data: &[u8]) -> Option<Self> {
        let (head, body) = match data.windows(2).position(|pair| pair == b"\n\n") {
            Some(end) => (&data[..end], &data[end + 2..]),
            None => (data, &b""[..]),
        };
        let mut lines = head.split(|&byte| byte == b'\n');
        let (method, target) = split(lines.next()?, b' ')?;
        let request = Request::builder().method(Method::from_bytes(method).ok()?).uri(Uri::try_from(target).ok()?);
        let (mut head, ()) = request.body(()).ok()?.into_parts();
        head.headers.insert(header::HOST, HeaderValue::from_static("here:8083"));
        for line in lines {
            let (name, value) = split(line, b':')?;
            let (name, value) = (HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value.trim_ascii()).ok()?);
            head.headers.append(name, value);
        }
        // As long as it is, whatever is said.
        head.headers.remove(header::TRANSFER_ENCODING);
        head.headers.insert(header::CONTENT_LENGTH, body.len().into());
        Some(Self { head, body: body.to_vec() })
    }

    fn path(&self) -> &str {
        self.head.uri.path().trim_end_matches('/')
    }
}

// === impl Answer ===

impl Answer {
    /// A success in JSON, or in what else its type says, or an error in the one shape that clients know.
    fn can_be_read(&self, method: &Method, path: &str, what: &str) {
        let status = self.head.status;
        assert!((200..600).contains(&status.as_u16()), "no client knows what to do with {what}");
        let kind = self.head.headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        let is_json = kind.starts_with(b"application/json");
        assert!(status.is_success() || is_json, "an error is not JSON: {what}");
        // A body that is announced to HEAD and not sent.
        if !is_json || *method == Method::HEAD {
            return;
        }
        let body = serde_json::from_slice(&self.body);
        let body: Value = body.unwrap_or_else(|error| panic!("not the JSON that it is said to be ({error}): {what}"));
        let message = body["message"].as_str().unwrap_or_default();
        assert!(!message.contains("a mistake in the program"), "the program panicked: {what}");
        if !status.is_success() && !path.starts_with("/health") {
            assert_eq!(body["error_code"], status.as_u16(), "another code than the status: {what}");
            assert!(!message.is_empty(), "an error that says nothing: {what}");
        }
    }

    /// What has changed is what the answer says.
    fn tells(&self, method: &Method, before: &[Arc<Record>], after: &[Arc<Record>], what: &str) {
        let (was, is) = (names(before), names(after));
        let may_change =
            self.head.status.is_success() && ![Method::GET, Method::HEAD, Method::OPTIONS].contains(method);
        assert!(may_change || before == after, "nothing should have changed: {what}");
        let (gone, new) = (was.difference(&is).count(), is.difference(&was).count());
        let is_made = self.head.status == StatusCode::CREATED;
        let is_deleted = *method == Method::DELETE && self.head.status == StatusCode::NO_CONTENT;
        assert_eq!((gone, new), (usize::from(is_deleted), usize::from(is_made)), "other connectors: {what}");
        let body = serde_json::from_slice::<Value>(&self.body).unwrap_or_default();
        let (Some(name), Some(config)) = (body["name"].as_str(), body["config"].as_object()) else { return };
        let Some(record) = after.iter().find(|record| record.name == name) else {
            panic!("there is no such connector: {what}");
        };
        let told: Vec<_> =
            config.iter().map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default())).collect();
        let kept: Vec<_> = record.config.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(told, kept, "other settings are kept: {what}");
    }
}

fn names(records: &[Arc<Record>]) -> BTreeSet<&str> {
    records.iter().map(|record| record.name.as_str()).collect()
}

fn split(line: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let end = line.iter().position(|&byte| byte == at)?;
    Some((&line[..end], &line[end + 1..]))
}
