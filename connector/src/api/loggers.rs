//! `/admin/loggers`: log levels seen and changed while the worker runs, as in Kafka Connect. They last until the process ends.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Map, Value};

use super::error::ApiError;
use super::{ApiState, body};
use crate::telemetry::{LogLevel, LoggerLevel};

/// The longest body that says a level.
const BODY_MAX_BYTES: u64 = 64 * 1024;

/// Connect's LoggerLevel.
#[derive(Debug, Serialize)]
struct Shown {
    level: &'static str,
    last_modified: Option<u64>,
}

impl From<LoggerLevel> for Shown {
    fn from(logger: LoggerLevel) -> Self {
        Self { level: logger.level.label(), last_modified: logger.last_modified_ms }
    }
}

/// The paths of this file.
pub(super) fn routes() -> Router<ApiState> {
    Router::new().route("/admin/loggers", get(list)).route("/admin/loggers/{logger}", get(show).put(set))
}

/// `GET /admin/loggers`: all, by name.
async fn list(State(api): State<ApiState>) -> Json<BTreeMap<String, Shown>> {
    Json(api.loggers.all().into_iter().map(|(name, logger)| (name, logger.into())).collect())
}

/// `GET /admin/loggers/{logger}`.
async fn show(State(api): State<ApiState>, Path(name): Path<String>) -> Result<Json<Shown>, ApiError> {
    let found = api.loggers.get(&name).map(|logger| Json(logger.into()));
    found.ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, format!("Logger {name} not found.")))
}

/// `PUT /admin/loggers/{logger}`: 200 with the names that changed, or with `scope=cluster` 204, because there no worker waits for the others. This
/// worker is its own cluster.
async fn set(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let bytes = body::read(body, BODY_MAX_BYTES, "the body").await?;
    if !bytes.is_empty() && !is_json(&headers) {
        return Err(ApiError::of(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let level = level(&bytes)?;
    let bad = |error: crate::telemetry::LoggerError| ApiError::new(StatusCode::BAD_REQUEST, error.to_string());
    let changed = api.loggers.set(&name, level, now_ms()).map_err(bad)?;
    let cluster = is_cluster(query.as_deref().unwrap_or_default());
    Ok(if cluster { StatusCode::NO_CONTENT.into_response() } else { Json(changed).into_response() })
}

/// Whether a body may be taken for JSON: it says so, or nothing.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(given) = headers.get(header::CONTENT_TYPE) else { return true };
    let essence = given.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// The level that a body asks for. Connect takes a map of words, and answers 500 to what is none.
fn level(body: &[u8]) -> Result<LogLevel, ApiError> {
    let broken = |what: String| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, what);
    let map: Map<String, Value> = serde_json::from_slice(body).map_err(|error| {
        broken(format!("Cannot deserialize value: the body has to be like {{\"level\": \"DEBUG\"}}: {error}"))
    })?;
    let word = match map.get("level") {
        None | Some(Value::Null) => {
            let message = "Desired 'level' parameter was not specified in request.";
            return Err(ApiError::new(StatusCode::BAD_REQUEST, message));
        }
        Some(Value::String(word)) if word.is_empty() => {
            return Err(broken("Illegal null or empty Level name.".to_owned()));
        }
        Some(Value::String(word)) => word.clone(),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
        Some(_) => {
            return Err(broken("Cannot deserialize value of type `String`: `level` has to be a word".to_owned()));
        }
    };
    LogLevel::of(&word).ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, format!("invalid log level '{word}'.")))
}

/// Whether `scope=cluster` was asked for; `worker`, nothing and anything else are this worker.
fn is_cluster(query: &str) -> bool {
    let scope = query.split('&').filter_map(|pair| pair.strip_prefix("scope=")).next();
    scope.is_some_and(|scope| scope.eq_ignore_ascii_case("cluster"))
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_taken_from_a_map_of_words() {
        assert_eq!(level(br#"{"level": "debug", "more": "x"}"#), Ok(LogLevel::Debug));
        let of = |body: &str| level(body.as_bytes()).unwrap_err();
        let unspecified =
            ApiError::new(StatusCode::BAD_REQUEST, "Desired 'level' parameter was not specified in request.");
        for body in ["{}", r#"{"level": null}"#, r#"{"Level": "DEBUG"}"#] {
            assert_eq!(of(body), unspecified, "{body}");
        }
        for (body, word) in [(r#"{"level": "loud"}"#, "loud"), (r#"{"level": 5}"#, "5")] {
            let message = format!("invalid log level '{word}'.");
            assert_eq!(of(body), ApiError::new(StatusCode::NOT_FOUND, message), "{body}");
        }
        for body in ["", "null", "{", r#""DEBUG""#, "[]", r#"{"level": ""}"#, r#"{"level": ["DEBUG"]}"#] {
            let answer = of(body).into_response();
            assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR, "{body}");
        }
    }

    #[test]
    fn only_the_word_cluster_is_the_cluster() {
        let scopes = ["", "scope=worker", "scope=any", "scope=Cluster", "forward=true&scope=CLUSTER", "xscope=cluster"];
        assert_eq!(scopes.map(is_cluster), [false, false, false, true, true, false]);
    }

    #[test]
    fn a_body_is_json_unless_it_says_otherwise() {
        let with = |kind: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.extend(kind.map(|kind| (header::CONTENT_TYPE, header::HeaderValue::from_static(kind))));
            is_json(&headers)
        };
        assert!(with(None) && with(Some("application/json")) && with(Some("Application/JSON; charset=UTF-8")));
        assert!(!with(Some("text/plain")) && !with(Some("application/jsonp")));
    }
}
