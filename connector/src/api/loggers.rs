//! `/admin/loggers`: log levels seen and changed while the worker runs, as in Kafka Connect. They last until the process ends.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use super::error::ApiError;
use super::query::Query;
use super::{ApiState, config_map};
use crate::telemetry::{LogLevel, LoggerError, LoggerLevel};

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
    body: Bytes,
) -> Result<Response, ApiError> {
    let level = level(&body)?;
    let bad = |error: LoggerError| ApiError::new(StatusCode::BAD_REQUEST, error.to_string());
    let changed = api.loggers.set(&name, level, now_ms()).map_err(bad)?;
    let cluster = is_cluster(Query::new(query.as_deref()));
    Ok(if cluster { StatusCode::NO_CONTENT.into_response() } else { Json(changed).into_response() })
}

/// The level that a body asks for.
fn level(body: &[u8]) -> Result<LogLevel, ApiError> {
    let mut map = config_map::parse(body)?;
    let Some(word) = map.remove("level").flatten() else {
        let message = "Desired 'level' parameter was not specified in request.";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, message));
    };
    if word.is_empty() {
        return Err(config_map::malformed("Illegal null or empty Level name."));
    }
    LogLevel::of(&word).ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, format!("invalid log level '{word}'.")))
}

/// Whether `scope=cluster` was asked for; `worker`, nothing and anything else are this worker.
fn is_cluster(query: Query<'_>) -> bool {
    query.first("scope").is_some_and(|scope| scope.eq_ignore_ascii_case("cluster"))
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
        assert_eq!(scopes.map(|query| is_cluster(Query::new(Some(query)))), [false, false, false, true, true, false]);
    }
}
