#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use axum::routing::{get, post};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::Value;

use super::super::users::{self, Users};
use super::*;
use crate::config::WorkerConfig;
use crate::stage;

/// The API of these tests.
fn router() -> Router {
    Router::new()
        .route("/metrics", get(|| async { "metrics" }))
        .route("/health", get(|| async { "well" }))
        .route("/health/live", get(|| async { "alive" }))
        .route("/admin/loggers", get(|| async { "loggers" }).put(|| async { "set" }))
        .route("/connectors", get(|| async { "list" }).post(|_: String| async { "made" }))
        .route("/connectors/{name}", get(|| async { "one" }).delete(|| async { "gone" }).patch(|| async { "new" }))
        .route("/panic", get(panics))
        .route("/never", get(std::future::pending::<()>))
        .route("/busy", get(busy))
        .route("/sluice/never", post(std::future::pending::<()>))
        .fallback(|| async { ApiError::of(StatusCode::NOT_FOUND) })
        .method_not_allowed_fallback(|| async { ApiError::of(StatusCode::METHOD_NOT_ALLOWED) })
        .layer(axum::extract::DefaultBodyLimit::max(1024))
}

async fn busy() {
    stage::enter("doing something else");
    stage::enter(format!("waiting for {}", "prices"));
    std::future::pending().await
}

async fn panics() {
    panic!("a mistake");
}

fn gate(scope: Scope, settings: &[(&str, &str)], login: Option<Arc<Login>>) -> Gate {
    let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let config = WorkerConfig::check(&settings, [], &BTreeMap::new()).unwrap().config;
    Gate::new(scope, ([127, 0, 0, 1], 8083).into(), login, &config.listeners)
}

fn open(settings: &[(&str, &str)]) -> Gate {
    gate(Scope::Api { admin: true }, settings, None)
}

/// Ann is an admin, Bob a reader; each has `…'s word`.
fn guarded() -> Gate {
    let hash = |name: &str| users::hash(&format!("{name}'s word")).unwrap();
    let text = format!("ann admin {}\nbob reader {}\n", hash("ann"), hash("bob"));
    let login = Login::new(PathBuf::from("users"), Users::parse(&text).unwrap());
    gate(Scope::Api { admin: true }, &[], Some(Arc::new(login)))
}

async fn ask(gate: &Gate, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, HeaderMap, String) {
    let mut request = Request::builder().method(method).uri(path).header("host", "localhost:8083");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let answer = gate.answer(router(), ([127, 0, 0, 1], 1).into(), request).await;
    let (parts, body) = answer.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

async fn status(gate: &Gate, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
    ask(gate, method, path, headers, "").await.0
}

/// Asserts Connect's error body and gives back its message.
#[track_caller]
fn message((status, headers, body): &(u16, HeaderMap, String)) -> String {
    assert_eq!(headers["content-type"], "application/json");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["error_code"], *status);
    body["message"].as_str().unwrap().to_owned()
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{name}:{password}")))
}

#[tokio::test]
async fn roles() {
    let gate = guarded();
    let (ann, bob) = (basic("ann", "ann's word"), basic("bob", "bob's word"));
    let table: [(&str, &str, [u16; 4]); 10] = [
        // Method and path, and what Ann, Bob, somebody with a wrong password and somebody without one get.
        ("GET", "/connectors", [200, 200, 401, 401]),
        ("HEAD", "/connectors", [200, 200, 401, 401]),
        ("OPTIONS", "/connectors", [200, 200, 401, 401]),
        ("GET", "/metrics", [200, 200, 401, 401]),
        ("POST", "/connectors", [200, 403, 401, 401]),
        ("DELETE", "/connectors/a", [200, 403, 401, 401]),
        ("PATCH", "/connectors/a", [200, 403, 401, 401]),
        ("PUT", "/admin/loggers", [200, 403, 401, 401]),
        ("TRACE", "/connectors", [405, 403, 401, 401]),
        ("GET", "/unknown", [404, 404, 401, 401]),
    ];
    for (row, (method, path, expected)) in table.into_iter().enumerate() {
        // A name of its own for each row: nobody has to wait for having guessed.
        let wrong = basic(&format!("mallory {row}"), "ann's word");
        let mut found = Vec::new();
        for who in [&ann, &bob, &wrong] {
            found.push(status(&gate, method, path, &[("authorization", who)]).await);
        }
        found.push(status(&gate, method, path, &[]).await);
        assert_eq!(found, expected, "{method} {path}");
    }
    for path in ["/health", "/health/", "/health/live"] {
        assert_ne!(status(&gate, "GET", path, &[]).await, 401, "{path}");
        assert_eq!(status(&gate, "POST", path, &[]).await, 401, "{path}");
    }
    for path in ["/healthy", "/health/live/x", "//health"] {
        assert_eq!(status(&gate, "GET", path, &[]).await, 401, "{path}");
    }
    let refused = ask(&gate, "GET", "/connectors", &[], "").await;
    assert!(refused.1["www-authenticate"].to_str().unwrap().starts_with("Basic realm="));
    assert!(message(&refused).contains("user"));
    assert!(message(&ask(&gate, "POST", "/connectors", &[("authorization", &bob)], "").await).contains("reader"));
}

#[tokio::test]
async fn without_users_an_authorization_is_passed_over() {
    let gate = open(&[]);
    for given in ["Basic garbage", "Basic Og==", "Bearer x"] {
        assert_eq!(status(&gate, "POST", "/connectors", &[("authorization", given)]).await, 200, "{given}");
    }
}

#[tokio::test]
async fn who_guessed_too_often_is_told_when_to_come_back() {
    let gate = guarded();
    let mut last = (0, HeaderMap::new(), String::new());
    for number in 0..7 {
        let guess = basic("ann", &format!("guess {number}"));
        last = ask(&gate, "GET", "/connectors", &[("authorization", &guess)], "").await;
    }
    assert_eq!(last.0, 429);
    assert!(last.1["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    assert!(message(&last).contains("try again in"));
}

#[tokio::test]
async fn listeners_serve_what_they_are_for() {
    let paths = ["/connectors", "/metrics", "/health", "/health/live", "/admin/loggers"];
    let served = async |scope| {
        let gate = gate(scope, &[], None);
        let mut served = Vec::new();
        for path in paths {
            served.push(status(&gate, "GET", path, &[]).await);
        }
        served
    };
    assert_eq!(served(Scope::Api { admin: true }).await, [200, 200, 200, 200, 200]);
    assert_eq!(served(Scope::Api { admin: false }).await, [200, 200, 200, 200, 404]);
    assert_eq!(served(Scope::Admin).await, [404, 404, 404, 404, 200]);
    assert_eq!(served(Scope::Metrics).await, [404, 200, 200, 200, 404]);
}

#[tokio::test]
async fn a_panic_is_a_500_and_so_is_an_answer_that_takes_too_long() {
    let gate = open(&[("listeners.request.timeout.ms", "100")]);
    let panicked = ask(&gate, "GET", "/panic", &[], "").await;
    assert_eq!(panicked.0, 500);
    assert!(message(&panicked).contains("log"));
    let late = tokio::time::timeout(Duration::from_secs(30), ask(&gate, "GET", "/never", &[], "")).await.unwrap();
    assert_eq!((late.0, message(&late).as_str()), (500, "Request timed out"));
    let busy = tokio::time::timeout(Duration::from_secs(30), ask(&gate, "GET", "/busy", &[], "")).await.unwrap();
    let words = "Request timed out. The worker is currently waiting for prices, which began ";
    assert!(busy.0 == 500 && message(&busy).starts_with(words), "{busy:?}");
    // That of a swap is its own.
    let own = tokio::time::timeout(Duration::from_millis(300), status(&gate, "POST", "/sluice/never", &[])).await;
    assert!(own.is_err());
}

#[tokio::test]
async fn a_page_of_another_origin_changes_nothing() {
    let gate = open(&[("access.control.allow.origin", "http://friend.example")]);
    let foreign = [("origin", "http://evil.example")];
    for (method, path) in
        [("POST", "/connectors"), ("DELETE", "/connectors/a"), ("PATCH", "/connectors/a"), ("PUT", "/admin/loggers")]
    {
        let refused = ask(&gate, method, path, &foreign, "").await;
        assert_eq!(refused.0, 403, "{method}");
        assert!(message(&refused).contains("access.control.allow.origin"));
        for own in ["http://friend.example", "http://localhost:8083"] {
            assert_eq!(status(&gate, method, path, &[("origin", own)]).await, 200, "{method} {own}");
        }
    }
    let looked = ask(&gate, "GET", "/connectors", &foreign, "").await;
    assert!(looked.0 == 200 && !looked.1.contains_key("access-control-allow-origin"), "as Connect");
    let looked = ask(&gate, "GET", "/connectors", &[("origin", "http://friend.example")], "").await;
    assert_eq!(looked.1["access-control-allow-origin"], "http://friend.example");
}

#[tokio::test]
async fn a_browsers_question_needs_no_password() {
    let mut gate = guarded();
    gate.origins = open(&[("access.control.allow.origin", "*"), ("access.control.allow.methods", "PUT")]).origins;
    let asked = [("origin", "http://bar.example"), ("access-control-request-method", "PUT")];
    let answer = ask(&gate, "OPTIONS", "/connectors/a/config", &asked, "").await;
    assert_eq!((answer.0, answer.1["access-control-allow-methods"].to_str().unwrap()), (200, "PUT"));
    let refused = ask(&gate, "PUT", "/admin/loggers", &asked, "").await;
    assert_eq!((refused.0, refused.1["access-control-allow-origin"].to_str().unwrap()), (401, "http://bar.example"));
}

#[tokio::test]
async fn options_lists_the_methods() {
    let gate = open(&[]);
    let answer = ask(&gate, "OPTIONS", "/connectors", &[], "").await;
    assert_eq!((answer.0, answer.1["content-type"].to_str().unwrap()), (200, "text/plain"));
    assert_eq!(
        (answer.1["allow"].to_str().unwrap(), answer.2.as_str()),
        ("GET,HEAD,POST,OPTIONS", "GET, HEAD, POST, OPTIONS")
    );
    assert_eq!(status(&gate, "OPTIONS", "/unknown", &[]).await, 404);
    assert_eq!(status(&gate, "PUT", "/connectors", &[]).await, 405);
}

#[tokio::test]
async fn errors_of_the_reader_of_requests_have_the_one_shape() {
    let gate = open(&[]);
    let large = ask(&gate, "POST", "/connectors", &[], &"x".repeat(1025)).await;
    assert_eq!(large.0, 413);
    assert!(message(&large).contains("listeners.request.body.max.bytes"));
    assert_eq!(ask(&gate, "POST", "/connectors", &[], &"x".repeat(1024)).await.0, 200);
    let fine = ask(&gate, "GET", "/connectors", &[], "").await;
    assert_eq!(fine.2, "list", "what is no error is left alone");
}

#[tokio::test]
async fn every_answer_carries_the_headers_of_the_settings() {
    let gate = open(&[("response.http.headers.config", "set X-Frame-Options: DENY, add X-A: b")]);
    for path in ["/connectors", "/unknown", "/panic"] {
        let (_, headers, _) = ask(&gate, "GET", path, &[], "").await;
        assert_eq!(
            (&headers["x-frame-options"], &headers["x-a"]),
            (&"DENY".parse().unwrap(), &"b".parse().unwrap()),
            "{path}"
        );
    }
}
