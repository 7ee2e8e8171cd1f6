#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::mpsc;

use axum::response::IntoResponse;
use serde_json::Value;

use super::*;
use crate::config::WorkerConfig;
use crate::registry::Registry;
use crate::services::Services;
use crate::status::Board;

/// With the connectors `paused` and `stopped`, at a broker that nobody asks here.
async fn api() -> ApiState {
    let map = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
    };
    let worker = WorkerConfig::check(&map(&[("bootstrap.servers", "localhost:1")]), [], &BTreeMap::new());
    let worker = Arc::new(worker.unwrap().config);
    let registry = Registry::new(worker, Services::bare(), Board::new(), None, false);
    let config = map(&[
        ("connector.class", "InfluxSink"),
        ("topics", "prices"),
        ("transform.module", "builtin:split-concat"),
        ("influx.url", "http://localhost:8086"),
        ("influx.database", "prices"),
    ]);
    for (name, target) in [("paused", Target::Paused), ("stopped", Target::Stopped)] {
        registry
            .create(name, config.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect(), target)
            .await
            .unwrap();
    }
    ApiState::new(registry, "here:8083")
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

async fn patch(name: &str, body: &'static str) -> (u16, String) {
    seen(alter(State(api().await), Path(name.to_owned()), Body::from(body)).await).await
}

const UNPARSABLE: &str = "[]";
const EMPTY: &str = r#"{"offsets": []}"#;
const NO_OFFSET: &str = r#"{"offsets": [{"partition": null}]}"#;

// Each body is wrong in all the ways that come later in the order, too.
#[tokio::test]
async fn what_is_wrong_with_an_alteration_is_said_in_connects_order() {
    for name in ["unknown", "paused", "stopped"] {
        assert_eq!(patch(name, UNPARSABLE).await.0, 500);
        assert_eq!(patch(name, EMPTY).await.0, 400);
    }
    assert_eq!(patch("unknown", NO_OFFSET).await, (404, "Connector unknown not found".to_owned()));
    let (status, message) = patch("paused", NO_OFFSET).await;
    assert_eq!(status, 400);
    assert!(message.starts_with("Connectors must be in the STOPPED state before their offsets can be modified"));
    assert!(message.contains("'/connectors/paused/stop'"), "{message}");
    let (status, message) = patch("stopped", NO_OFFSET).await;
    assert_eq!((status, message.contains("cannot be null or missing")), (400, true), "{message}");
}

#[tokio::test]
async fn offsets_are_reset_and_shown_of_known_connectors_and_reset_of_stopped_ones() {
    let path = |name: &str| Path(name.to_owned());
    assert_eq!(seen(show(State(api().await), path("unknown")).await).await.0, 404);
    assert_eq!(seen(reset(State(api().await), path("unknown")).await).await.0, 404);
    let (status, message) = seen(reset(State(api().await), path("paused")).await).await;
    assert!(status == 400 && message.contains("STOPPED"), "{message}");
}

#[tokio::test]
async fn a_connector_whose_brokers_do_not_answer_holds_few_threads_and_no_other_connector() {
    let mut turns = Turns::default();
    let mut held = Vec::new();
    for _ in 0..AT_ONCE {
        let (release, released) = mpsc::sync_channel::<()>(1);
        let (begun_tx, begun) = tokio::sync::oneshot::channel();
        let turns = turns.clone();
        let asked = tokio::spawn(async move {
            let ask = move || {
                begun_tx.send(()).unwrap();
                // Until the other end is dropped.
                let _ = released.recv();
                Ok(1)
            };
            turns.blocking("slow".to_owned(), ask).await
        });
        begun.await.unwrap();
        held.push((release, asked));
    }
    turns.time = Duration::from_millis(1);
    let (status, message) = seen(turns.blocking("slow".to_owned(), || Ok(2)).await).await;
    assert_eq!(status, 500);
    assert!(message.starts_with("Request timed out") && message.contains("slow"), "{message}");
    assert_eq!(turns.blocking("other".to_owned(), || Ok(3)).await, Ok(3));

    for (release, asked) in held {
        drop(release);
        assert_eq!(asked.await.unwrap(), Ok(1));
    }
    assert_eq!(turns.blocking("slow".to_owned(), || Ok(4)).await, Ok(4), "their turns are over");
}

#[tokio::test]
async fn a_connector_that_nobody_asks_after_leaves_nothing_behind() {
    let turns = Turns::default();
    for number in 0..100 {
        turns.blocking(format!("prices-{number}"), || Ok(())).await.unwrap();
    }
    assert!(turns.turns.lock().unwrap().len() <= 1);
}
