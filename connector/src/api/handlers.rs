//! One function per endpoint: look up, convert, answer. What things mean is decided elsewhere.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::health::{self, WorkerHealth};
use super::types::{self, Connector, Health, ServerInfo, WorkerStatus};
use super::{ApiState, CONNECT_VERSION, page};
use crate::metrics::TEXT_FORMAT;
use crate::status;

/// `GET /`: who is there; a page for people where a browser asks.
pub(super) async fn root(State(api): State<ApiState>, headers: HeaderMap) -> Response {
    if page::wants_html(&headers) {
        return page::answer();
    }
    let info = ServerInfo {
        version: CONNECT_VERSION,
        commit: status::COMMIT,
        kafka_cluster_id: api.registry.board().snapshot().kafka_cluster_id.unwrap_or_else(|| "unknown".to_owned()),
        sluice_version: status::VERSION,
    };
    Json(info).into_response()
}

/// `GET /metrics`, for Prometheus.
pub(super) async fn metrics(State(api): State<ApiState>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, TEXT_FORMAT)], api.registry.services().metrics().render())
}

/// `GET /health`, Connect's: 200, 503 while starting, 500 when stuck; the body is never the error body.
pub(super) async fn health(State(api): State<ApiState>) -> (StatusCode, Json<WorkerStatus>) {
    let (health, body) = health::worker(&api.registry.board().snapshot(), api.stall_after);
    let status = match health {
        WorkerHealth::Healthy => StatusCode::OK,
        WorkerHealth::Starting => StatusCode::SERVICE_UNAVAILABLE,
        WorkerHealth::Unhealthy => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, Json(body))
}

/// `GET /health/live`: 503 asks for a restart.
pub(super) async fn live(State(api): State<ApiState>) -> (StatusCode, Json<Health>) {
    answer(health::live(&api.registry.board().snapshot(), api.stall_after))
}

/// `GET /health/ready`: 503 names the tasks that don't run.
pub(super) async fn ready(State(api): State<ApiState>) -> (StatusCode, Json<Health>) {
    answer(health::ready(&api.registry.board().snapshot()))
}

/// `GET /sluice/connectors`: the whole board.
pub(super) async fn connectors(State(api): State<ApiState>) -> Json<Vec<Connector>> {
    Json(types::connectors(&api.registry))
}

fn answer((good, body): (bool, Health)) -> (StatusCode, Json<Health>) {
    (if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(body))
}
