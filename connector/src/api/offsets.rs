//! `GET`, `PATCH` and `DELETE /connectors/{name}/offsets`: Kafka Connect's endpoints for the offsets of a connector's group.
//!
//! The group is asked on a thread that may block. At most [`AT_ONCE`] requests of one connector are under way, so that brokers that don't
//! answer cost no more threads and clients than that, and no other connector anything.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::sync::Semaphore;

use super::error::ApiError;
use super::{ApiState, body};
use crate::offsets::body::{Body as Changes, BodyError, ConnectorOffsets};
use crate::offsets::{self, Group, OffsetsError};
use crate::registry::Target;
use crate::stage;

/// Requests of one connector that ask Kafka at a time.
const AT_ONCE: usize = 2;

/// How long a request waits for its turn. With the time that asking may take it stays below the 90 s after which a client gives up.
const TURN_TIME: Duration = offsets::TIME;

/// A thousand topics with a hundred partitions each.
const BODY_MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Sees to it that each connector has few requests under way. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Turns {
    turns: Arc<Mutex<HashMap<String, Weak<Semaphore>>>>,
    time: Duration,
}

/// Connect's Message.
#[derive(Debug, Serialize)]
struct Message {
    message: &'static str,
}

/// Every path here.
pub(super) fn routes() -> Router<ApiState> {
    Router::new().route("/connectors/{name}/offsets", get(show).patch(alter).delete(reset))
}

async fn show(State(api): State<ApiState>, Path(name): Path<String>) -> Result<Json<ConnectorOffsets>, ApiError> {
    let group = group(&api, &name).await?;
    let committed = api.turns.blocking(name, move || group.read()).await?;
    Ok(Json(committed.into()))
}

async fn alter(State(api): State<ApiState>, Path(name): Path<String>, body: Body) -> Result<Json<Message>, ApiError> {
    // In Connect's order: what can't be read, what names nothing, who it is, whether it is stopped, what is no offset.
    let changes = Changes::parse(&body::read(body, BODY_MAX_BYTES, "the body").await?).map_err(wrong)?;
    check_stopped(&api, &name)?;
    let changes = changes.changes().map_err(wrong)?;
    let group = group(&api, &name).await?;
    api.turns.blocking(name, move || group.alter(&changes)).await?;
    Ok(Json(Message { message: "The offsets for this connector have been altered successfully" }))
}

async fn reset(State(api): State<ApiState>, Path(name): Path<String>) -> Result<Json<Message>, ApiError> {
    check_stopped(&api, &name)?;
    let group = group(&api, &name).await?;
    api.turns.blocking(name, move || group.reset()).await?;
    Ok(Json(Message { message: "The offsets for this connector have been reset successfully" }))
}

/// The connector's group, by its settings as they are now.
async fn group(api: &ApiState, name: &str) -> Result<Group, ApiError> {
    let config = api.registry.checked(name).await?;
    Ok(Group::new(api.registry.worker(), &config))
}

/// Offsets of a connector that may commit its own are not changed.
fn check_stopped(api: &ApiState, name: &str) -> Result<(), ApiError> {
    if api.registry.get(name)?.target == Target::Stopped {
        return Ok(());
    }
    let message = format!(
        "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by \
         issuing a 'PUT' request to the '/connectors/{name}/stop' endpoint"
    );
    Err(ApiError::new(StatusCode::BAD_REQUEST, message))
}

// === impl Turns ===

impl Default for Turns {
    fn default() -> Self {
        Self { turns: Arc::default(), time: TURN_TIME }
    }
}

impl Turns {
    /// Asks the connector's group when it is its turn. Goes on to the end even if nobody waits any more, and holds the turn until then.
    async fn blocking<T: Send + 'static>(
        &self,
        name: String,
        ask: impl FnOnce() -> Result<T, OffsetsError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let internal = |message: String| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, message);
        stage::enter(format!("asking Kafka about the offsets of connector {name}"));
        let turn = tokio::time::timeout(self.time, self.turns_of(&name).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            let waited = self.time.as_secs();
            return Err(internal(format!(
                "Request timed out. {AT_ONCE} requests for the offsets of connector {name} were under way for {waited} s; try again when its brokers answer"
            )));
        };
        let asked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            ask()
        });
        match asked.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                tracing::warn!(connector = name, %error, "offsets request failed");
                Err(internal(error.to_string()))
            }
            Err(error) => Err(internal(format!("Asking for the offsets of connector {name} ended by a bug: {error}"))),
        }
    }

    fn turns_of(&self, name: &str) -> Arc<Semaphore> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = turns.get(name).and_then(Weak::upgrade) {
            return own;
        }
        turns.retain(|_, turns| turns.strong_count() > 0);
        let own = Arc::new(Semaphore::new(AT_ONCE));
        turns.insert(name.to_owned(), Arc::downgrade(&own));
        own
    }
}

fn wrong(error: BodyError) -> ApiError {
    let status = if error.is_internal() { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::BAD_REQUEST };
    ApiError::new(status, error.to_string())
}

#[cfg(test)]
mod tests;
