#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::mpsc;

use axum::response::IntoResponse;
use serde_json::Value;

use super::*;
use crate::config::{ConnectorConfig, WorkerConfig};
use crate::metrics::Metrics;
use crate::status::Board;
use crate::swap::service::SwapHandles;

/// A connector's group at a broker that nobody asks here.
fn group() -> Group {
    let map = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
    };
    let worker = WorkerConfig::check(&map(&[("bootstrap.servers", "localhost:1")]), [], &BTreeMap::new());
    let connector = [
        ("name", "prices"),
        ("connector.class", "InfluxSink"),
        ("topics", "prices"),
        ("transform.module", "builtin:split-concat"),
        ("influx.url", "http://localhost:8086"),
        ("influx.database", "prices"),
    ];
    Group::new(&worker.unwrap().config, &ConnectorConfig::check(&map(&connector)).unwrap().config)
}

/// With the connectors `running` and `stopped`.
fn api() -> ApiState {
    let find = |name: &str| match name {
        "running" | "stopped" => Some(OffsetsOf { group: group(), stopped: name == "stopped" }),
        _ => None,
    };
    ApiState::new(Metrics::new(), Board::new(), SwapHandles::default()).with_offsets(find)
}

/// Status and message of an error.
async fn seen<T>(result: Result<T, ApiError>) -> (u16, String) {
    let Err(error) = result else { panic!("no error") };
    let answer = error.into_response();
    let status = answer.status().as_u16();
    let body = body::read(answer.into_body(), 1024 * 1024, "the answer").await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["error_code"], status);
    (status, body["message"].as_str().unwrap().to_owned())
}

async fn patch(name: &str, kind: Option<&'static str>, body: &'static str) -> (u16, String) {
    let mut headers = HeaderMap::new();
    if let Some(kind) = kind {
        headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
    }
    seen(alter(State(api()), Path(name.to_owned()), headers, Body::from(body)).await).await
}

const JSON: Option<&str> = Some("application/json");
const UNPARSABLE: &str = "[]";
const EMPTY: &str = r#"{"offsets": []}"#;
const NO_OFFSET: &str = r#"{"offsets": [{"partition": null}]}"#;

// Each body is wrong in all the ways that come later in the order, too.
#[tokio::test]
async fn what_is_wrong_with_an_alteration_is_said_in_connects_order() {
    for name in ["unknown", "running", "stopped"] {
        assert_eq!(patch(name, JSON, UNPARSABLE).await.0, 500);
        assert_eq!(patch(name, JSON, EMPTY).await.0, 400);
    }
    assert_eq!(patch("unknown", JSON, NO_OFFSET).await, (404, "Connector unknown not found".to_owned()));
    let (status, message) = patch("running", JSON, NO_OFFSET).await;
    assert_eq!(status, 400);
    assert!(message.starts_with("Connectors must be in the STOPPED state before their offsets can be modified"));
    assert!(message.contains("'/connectors/running/stop'"), "{message}");
    let (status, message) = patch("stopped", JSON, NO_OFFSET).await;
    assert_eq!((status, message.contains("cannot be null or missing")), (400, true), "{message}");
}

#[tokio::test]
async fn only_json_is_read() {
    for kind in [None, Some("text/plain"), Some("application/vnd.x+json")] {
        assert_eq!(patch("stopped", kind, NO_OFFSET).await.0, 415, "{kind:?}");
    }
    assert_eq!(patch("stopped", Some("Application/JSON; charset=utf-8"), NO_OFFSET).await.0, 400);
}

#[tokio::test]
async fn offsets_are_reset_and_shown_of_known_connectors_and_reset_of_stopped_ones() {
    let path = |name: &str| Path(name.to_owned());
    assert_eq!(seen(show(State(api()), path("unknown")).await).await.0, 404);
    assert_eq!(seen(reset(State(api()), path("unknown")).await).await.0, 404);
    let (status, message) = seen(reset(State(api()), path("running")).await).await;
    assert!(status == 400 && message.contains("STOPPED"), "{message}");
}

#[tokio::test]
async fn a_connector_whose_brokers_do_not_answer_holds_few_threads_and_no_other_connector() {
    let mut desk = Desk::new(|_| None);
    let mut held = Vec::new();
    for _ in 0..AT_ONCE {
        let (release, released) = mpsc::sync_channel::<()>(1);
        let (begun_tx, begun) = tokio::sync::oneshot::channel();
        let desk = desk.clone();
        let asked = tokio::spawn(async move {
            let ask = move || {
                begun_tx.send(()).unwrap();
                // Until the other end is dropped.
                let _ = released.recv();
                Ok(1)
            };
            desk.blocking("slow".to_owned(), ask).await
        });
        begun.await.unwrap();
        held.push((release, asked));
    }
    desk.turn_time = Duration::from_millis(1);
    let (status, message) = seen(desk.blocking("slow".to_owned(), || Ok(2)).await).await;
    assert_eq!(status, 500);
    assert!(message.starts_with("Request timed out") && message.contains("slow"), "{message}");
    assert_eq!(desk.blocking("other".to_owned(), || Ok(3)).await, Ok(3));

    for (release, asked) in held {
        drop(release);
        assert_eq!(asked.await.unwrap(), Ok(1));
    }
    assert_eq!(desk.blocking("slow".to_owned(), || Ok(4)).await, Ok(4), "their turns are over");
}

#[tokio::test]
async fn a_connector_that_nobody_asks_after_leaves_nothing_behind() {
    let desk = Desk::new(|_| None);
    for number in 0..100 {
        desk.blocking(format!("prices-{number}"), || Ok(())).await.unwrap();
    }
    assert!(desk.turns.lock().unwrap().len() <= 1);
}
