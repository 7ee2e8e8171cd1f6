//! Hot swap over HTTP: what runs and what ran, a new version, back to the one before.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::ApiState;
use super::body;
use super::error::ApiError;
use crate::swap::service::{Candidate, CandidateModule, Done, Gate, Refused, SwapHandle};
use crate::swap::shown::TransformState;
use crate::transform::structure::BYTES_MAX;

/// Bodies that are read at the same time: each may have the size of the largest module, and its controller takes one after the other anyway.
static UPLOADS: Semaphore = Semaphore::const_new(2);

/// How long one may take to come: a client that stops in the middle must not keep others from their turn.
const UPLOAD_TIME: Duration = Duration::from_secs(60);

/// The content type of modules.
const WASM: &str = "application/wasm";

/// Carries the detached signature of an uploaded module's digest, in base64 or hexadecimal.
pub(crate) const SIGNATURE_HEADER: &str = "sluice-signature";

/// The longest body that names a module.
const JSON_MAX_BYTES: u64 = 4 * 1024;

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A module's bytes.
    Module,
    /// Its name.
    Json,
}

/// `{"module": "sha256:…"}`: one of those that are kept.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    module: String,
}

/// Connect's error body, with which gate refused the module and what differed.
#[derive(Debug, Serialize)]
struct Refusal {
    error_code: u16,
    message: String,
    gate: Gate,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<Box<crate::swap::shadow::Report>>,
}

/// `GET /sluice/connectors/{name}/transform`.
pub(super) async fn show(
    State(api): State<ApiState>,
    Path(name): Path<String>,
) -> Result<Json<TransformState>, ApiError> {
    Ok(Json(find(&api, &name)?.state()))
}

/// `PUT /sluice/connectors/{name}/transform`, with `?dry-run=true` everything but the switch.
pub(super) async fn put(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let (head, body) = request.into_parts();
    let (swap, kind, dry_run) = match asked(&api, &name, &head) {
        Ok(asked) => asked,
        // Nobody's bytes are kept who may not send them.
        Err(refused) => {
            body::discard(body).await;
            return Ok(*refused);
        }
    };
    let module = match kind {
        Kind::Module => CandidateModule::Bytes(upload(body).await?),
        Kind::Json => known(&body::read(body, JSON_MAX_BYTES, "the body").await?)?,
    };
    let signature = head.headers.get(SIGNATURE_HEADER).map(|value| value.as_bytes().to_vec());
    Ok(answer(swap.swap(Candidate { module, signature, dry_run }).await))
}

/// A module's bytes, when it is their turn.
async fn upload(body: Body) -> Result<Vec<u8>, ApiError> {
    // Never closed, so it always gives one.
    let _turn = UPLOADS.acquire().await;
    let read = tokio::time::timeout(UPLOAD_TIME, body::read(body, BYTES_MAX, "the module")).await;
    read.unwrap_or_else(|_| {
        let message = format!("the module did not come within {} s", UPLOAD_TIME.as_secs());
        Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, message))
    })
}

/// What can be told of a request before its body is read.
fn asked(api: &ApiState, name: &str, head: &request::Parts) -> Result<(SwapHandle, Kind, bool), Box<Response>> {
    let wrong = |error: ApiError| Box::new(error.into_response());
    let swap = find(api, name).map_err(wrong)?;
    let kind = kind(&head.headers).map_err(wrong)?;
    let dry_run = is_dry_run(head.uri.query().unwrap_or_default()).map_err(wrong)?;
    if kind == Kind::Module {
        swap.may_upload().map_err(|refused| Box::new(answer(Err(refused))))?;
    }
    Ok((swap, kind, dry_run))
}

/// `POST /sluice/connectors/{name}/transform/rollback`.
pub(super) async fn roll_back(State(api): State<ApiState>, Path(name): Path<String>) -> Result<Response, ApiError> {
    Ok(answer(find(&api, &name)?.roll_back().await))
}

fn find(api: &ApiState, name: &str) -> Result<SwapHandle, ApiError> {
    api.registry.swaps().get(name).ok_or_else(|| {
        let message = match api.registry.get(name) {
            Ok(_) => format!(
                "Connector {name} does not run, so its transform can neither be shown nor changed; resume it first"
            ),
            Err(error) => error.to_string(),
        };
        ApiError::new(StatusCode::NOT_FOUND, message)
    })
}

fn kind(headers: &HeaderMap) -> Result<Kind, ApiError> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        WASM => Ok(Kind::Module),
        "application/json" => Ok(Kind::Json),
        _ => {
            let message =
                format!("send the module's bytes as {WASM}, or {{\"module\": \"sha256:…\"}} as application/json");
            Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
        }
    }
}

/// One of those that are kept, by its digest.
fn known(body: &[u8]) -> Result<CandidateModule, ApiError> {
    let bad = |what: String| {
        ApiError::new(StatusCode::BAD_REQUEST, format!("the body has to be {{\"module\": \"sha256:…\"}}: {what}"))
    };
    let known: Known = serde_json::from_slice(body).map_err(|error| bad(error.to_string()))?;
    let digest = known.module.strip_prefix("sha256:").unwrap_or(&known.module).to_ascii_lowercase();
    let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_digest { Ok(CandidateModule::Digest(digest)) } else { Err(bad("that is no sha256".to_owned())) }
}

/// Anything but a clear answer is refused: a dry run that is none changes what is written.
fn is_dry_run(query: &str) -> Result<bool, ApiError> {
    let mut values = query.split('&').filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == "dry-run").then_some(value)
    });
    match values.next() {
        None => Ok(false),
        Some(value) if value.is_empty() || value.eq_ignore_ascii_case("true") => Ok(true),
        Some(value) if value.eq_ignore_ascii_case("false") => Ok(false),
        Some(_) => Err(ApiError::new(StatusCode::BAD_REQUEST, "dry-run has to be true or false")),
    }
}

fn answer(result: Result<Done, Refused>) -> Response {
    match result {
        Ok(done) => Json(done).into_response(),
        Err(Refused { gate, reason, report }) => {
            let status = match gate {
                Gate::Upload => StatusCode::FORBIDDEN,
                Gate::Unknown => StatusCode::NOT_FOUND,
                Gate::Busy => StatusCode::SERVICE_UNAVAILABLE,
                Gate::Quarantine => StatusCode::CONFLICT,
                Gate::State => StatusCode::INTERNAL_SERVER_ERROR,
                Gate::Policy | Gate::Load | Gate::Configure | Gate::WarmUp | Gate::Shadow => {
                    StatusCode::UNPROCESSABLE_ENTITY
                }
            };
            (status, Json(Refusal { error_code: status.as_u16(), message: reason, gate, report })).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_is_asked_for_clearly() {
        let asked = ["", "x=1", "dry-run", "dry-run=true", "a=b&dry-run=TRUE", "dry-run=false"].map(is_dry_run);
        assert_eq!(asked.map(Result::unwrap), [false, false, true, true, true, false]);
        assert!(is_dry_run("dry-run=yes").is_err());
    }

    #[test]
    fn a_module_comes_as_bytes_or_by_its_digest() {
        let kind = |kind: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
            super::kind(&headers)
        };
        assert_eq!(kind("application/wasm"), Ok(Kind::Module));
        assert_eq!(kind("application/json; charset=utf-8"), Ok(Kind::Json));
        assert!(kind("text/plain").is_err() && super::kind(&HeaderMap::new()).is_err());
        let digest = "0A".repeat(32);
        let kept = known(format!(r#"{{"module": "sha256:{digest}"}}"#).as_bytes());
        assert!(matches!(kept, Ok(CandidateModule::Digest(kept)) if kept == digest.to_ascii_lowercase()));
        for body in [r#"{"module": "sha256:00"}"#, "{}", "", r#"{"module": "sha256:00", "dry_run": true}"#] {
            assert!(known(body.as_bytes()).is_err());
        }
    }
}
