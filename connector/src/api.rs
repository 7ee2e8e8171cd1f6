//! The HTTP server: Kafka Connect's REST API as far as it is built, health, metrics, and our own additions under
//! `/sluice`.
//!
//! `api/handlers.rs` has one function per endpoint, `api/connectors.rs` those of connectors, `api/transform.rs` those of hot swap, `api/offsets.rs` those of
//! committed offsets, `api/loggers.rs` those of log levels, `api/health.rs` what "healthy", "live" and "ready" mean, `api/types.rs` the bodies, `api/body.rs` reads large ones, `api/error.rs` the one
//! shape of every error. A new endpoint is a line in `routes`, a function in `handlers` and its description in `api/openapi.json`.

mod body;
mod config_map;
mod connect;
mod connectors;
mod error;
mod handlers;
mod health;
mod loggers;
mod negotiate;
mod offsets;
mod openapi;
mod page;
mod plugins;
mod query;
#[cfg(test)]
mod tests;
mod transform;
mod types;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::uri::PathAndQuery;
use axum::http::{StatusCode, Uri};
use axum::middleware::{from_fn, map_request};
use axum::routing::{get, post};
use tokio::net::TcpListener;

use crate::registry::Registry;
use crate::server::Server;
use crate::telemetry::Loggers;
pub(crate) use error::ApiError;
pub(crate) use transform::SIGNATURE_HEADER;

/// The version of Kafka Connect whose API is spoken. Clients read it as dotted numbers and switch features on by it
/// (kcctl: pausing, offsets, PATCH), so it can't be our own version.
pub const CONNECT_VERSION: &str = "4.1.0";

/// A task whose thread has not turned for this long is stuck. A round takes at most one transform call
/// (`transform.timeout.ms`, one second) or one poll, except when a trap makes it look for the poison record, which
/// takes a few tens of calls: much less would restart a healthy worker at that moment; much more would leave a hung
/// one alone.
pub const STALL_AFTER: Duration = Duration::from_secs(60);

/// What the endpoints show.
#[derive(Debug, Clone)]
pub struct ApiState {
    registry: Registry,
    /// `host:port` of this worker, as others reach it.
    worker_id: Arc<str>,
    /// Whose turn it is to ask Kafka for offsets.
    turns: offsets::Turns,
    stall_after: Duration,
    loggers: Loggers,
}

impl ApiState {
    /// The state of this worker's API; shows the board in the metrics, too. `worker_id`: `host:port` of this worker, as others reach it.
    pub fn new(registry: Registry, worker_id: &str) -> Self {
        registry.services().metrics().show_board(registry.board());
        Self {
            registry,
            worker_id: worker_id.into(),
            turns: offsets::Turns::default(),
            stall_after: STALL_AFTER,
            loggers: Loggers::of_process(),
        }
    }

    /// Calls a task stuck after another time than [`STALL_AFTER`].
    #[must_use]
    pub fn with_stall_after(mut self, stall_after: Duration) -> Self {
        self.stall_after = stall_after;
        self
    }

    /// Shows and changes other log levels than those of this process.
    #[must_use]
    pub(crate) fn with_loggers(mut self, loggers: Loggers) -> Self {
        self.loggers = loggers;
        self
    }
}

/// Serves on a listener of the caller's, with the limits that hold when nothing is written and without users, until `stop` is done; answers
/// under way are given half a second to finish. For `extra` see [`router`].
///
/// # Errors
/// If the listener has no address.
///
/// # Panics
/// If `extra` has a route that is taken, or a fallback.
pub async fn serve(
    listener: TcpListener,
    state: ApiState,
    extra: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    Server::over(listener)?.serve(router(state, extra), stop).await;
    Ok(())
}

/// Every path, and who answers it.
fn routes() -> Router<ApiState> {
    let connect = connectors::routes().merge(offsets::routes()).merge(plugins::routes()).merge(loggers::routes());
    connect
        .route("/health", get(handlers::health))
        .layer(from_fn(negotiate::json_only))
        .route("/", get(handlers::root))
        .route("/health/live", get(handlers::live))
        .route("/health/ready", get(handlers::ready))
        .route("/metrics", get(handlers::metrics))
        .route("/sluice/openapi.json", get(openapi::show))
        .route("/sluice/connectors", get(handlers::connectors))
        .route("/sluice/connectors/{name}/transform", get(transform::show).put(transform::put))
        .route("/sluice/connectors/{name}/transform/rollback", post(transform::roll_back))
}

/// The API, for a [`Server`]. `extra` adds routes of somebody else's (the demo's page), written without a slash at the end, because that is
/// cut off before routing.
///
/// # Panics
/// If `extra` has a route that is taken, or a fallback.
pub fn router(state: ApiState, extra: Router) -> Router {
    let routes = routes().with_state(state).merge(extra).fallback(not_found).method_not_allowed_fallback(wrong_method);
    // Outside of the routes, because a layer on them would run after the path was matched.
    Router::new().fallback_service(routes).layer(map_request(trim_slash))
}

async fn not_found() -> ApiError {
    ApiError::of(StatusCode::NOT_FOUND)
}

async fn wrong_method() -> ApiError {
    ApiError::of(StatusCode::METHOD_NOT_ALLOWED)
}

/// Cuts slashes off the end of the path: kcctl, Strimzi and others write them, and Connect doesn't mind.
async fn trim_slash(mut request: Request) -> Request {
    let uri = request.uri();
    let trimmed = uri.path().trim_end_matches('/');
    if trimmed.len() < uri.path().len() && !trimmed.is_empty() {
        let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = PathAndQuery::try_from(format!("{trimmed}{query}")).ok();
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}
