//! What every request passes before the API sees it, and every answer on its way back. From the outside in:
//!
//! 1. the log line (level debug) and the headers of `response.http.headers.config`;
//! 2. a panic becomes a 500, an answer that takes too long as well;
//! 3. paths that this listener does not serve: 404;
//! 4. pages of others: what a browser asks before (CORS), what it is told with an answer;
//! 5. who asks, and whether he may: 401, 403, 429;
//! 6. a changing call that a foreign page makes a browser send: 403;
//! 7. the API; `OPTIONS`, which its routes don't answer, becomes the list of their methods, and errors in plain text get the one shape.

use std::any::Any;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tower_service::Service;
use tracing::{debug, error};

use super::login::{Login, Refused};
use super::origin::Origins;
use super::users::Role;
use crate::api::ApiError;
use crate::config::{ListenerConfig, ResponseHeader};
use crate::stage::Stage;

/// Nobody is asked who he is: whoever looks whether a container lives has no password.
const HEALTH: [&str; 3] = ["/health", "/health/live", "/health/ready"];

/// The length up to which an error in plain text is read to be given the one shape.
const ERROR_BYTES_MAX: usize = 4096;

/// What a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Everything, `/admin` only if `admin`.
    Api {
        /// Whether `/admin` is part of it.
        admin: bool,
    },
    /// `/admin` and nothing else.
    Admin,
    /// Metrics and health.
    Metrics,
}

/// The gate of one listener.
#[derive(Debug)]
pub(crate) struct Gate {
    scope: Scope,
    login: Option<Arc<Login>>,
    origins: Origins,
    headers: Vec<ResponseHeader>,
    deadline: Duration,
    body_bytes: usize,
}

// === impl Scope ===

impl Scope {
    /// What it is called.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Api { .. } => "api",
            Self::Admin => "admin",
            Self::Metrics => "metrics",
        }
    }

    /// Whether a path (without a slash at its end) is served. Paths of the API are compared as they come, undecoded.
    fn serves(self, path: &str) -> bool {
        let is_admin = path == "/admin" || path.starts_with("/admin/");
        match self {
            Self::Api { admin } => admin || !is_admin,
            Self::Admin => is_admin,
            Self::Metrics => path == "/metrics" || HEALTH.contains(&path),
        }
    }
}

// === impl Gate ===

impl Gate {
    /// That of an address where everything is served to everybody.
    pub(crate) fn open(address: SocketAddr, config: &ListenerConfig) -> Self {
        Self::new(Scope::Api { admin: true }, address, None, config)
    }

    pub(super) fn new(scope: Scope, address: SocketAddr, login: Option<Arc<Login>>, config: &ListenerConfig) -> Self {
        // Without a password, being on this machine is all that a request has to show, and a page in a browser is on this machine, too.
        let only_local = login.is_none() && address.ip().is_loopback();
        Self {
            scope,
            login,
            origins: Origins::new(config.cross_origin.clone(), only_local),
            headers: config.headers.clone(),
            deadline: config.limits.request,
            body_bytes: config.limits.body_bytes,
        }
    }

    /// Answers a request; never fails and never panics.
    pub(crate) async fn answer(&self, router: Router, client: SocketAddr, request: Request) -> Response {
        let started = Instant::now();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let mut answer = match caught(self.in_time(router, client, request)).await {
            Ok(answer) => answer,
            Err(panic) => {
                error!(%method, path, panic = words(&*panic), "a request made the program panic, please report it");
                let message = "this request met a mistake in the program, which is in the worker's log";
                ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, message).into_response()
            }
        };
        let now = SystemTime::now();
        self.headers.iter().for_each(|rule| rule.apply(answer.headers_mut(), now));
        let (status, took_ms) = (answer.status().as_u16(), started.elapsed().as_millis() as u64);
        debug!(%client, %method, path, status, took_ms, "answered");
        answer
    }

    /// Paths under `/sluice` have time limits of their own: to compile a module and to try it may take minutes.
    async fn in_time(&self, router: Router, client: SocketAddr, request: Request) -> Response {
        if request.uri().path().starts_with("/sluice/") {
            return self.within_scope(router, client, request).await;
        }
        let stage = Stage::default();
        match tokio::time::timeout(self.deadline, stage.follow(self.within_scope(router, client, request))).await {
            Ok(answer) => answer,
            Err(_) => ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, stage.timed_out()).into_response(),
        }
    }

    async fn within_scope(&self, router: Router, client: SocketAddr, request: Request) -> Response {
        let path = request.uri().path().trim_end_matches('/');
        if !self.scope.serves(path) {
            return ApiError::of(StatusCode::NOT_FOUND).into_response();
        }
        if let Some(preflight) = self.origins.preflight(request.method(), request.headers()) {
            return preflight;
        }
        let cross_origin = self.origins.allowance(request.headers());
        let (parts, body) = request.into_parts();
        let mut answer = match self.admit(client, &parts).await {
            Ok(()) => self.ask(router, Request::from_parts(parts, body)).await,
            Err(refused) => refused,
        };
        answer.headers_mut().extend(cross_origin);
        answer
    }

    /// Whether the request may be made.
    async fn admit(&self, client: SocketAddr, request: &Parts) -> Result<(), Response> {
        let (method, headers) = (&request.method, &request.headers);
        let changes = ![Method::GET, Method::HEAD, Method::OPTIONS].contains(method);
        let path = request.uri.path().trim_end_matches('/');
        if let Some(login) = &self.login
            && (changes || !HEALTH.contains(&path))
        {
            let role = login.check(client.ip(), headers).await.map_err(refusal)?;
            if changes && role != Role::Admin {
                let message = "this user may look and change nothing: its role is reader, an admin has to do it";
                return Err(ApiError::new(StatusCode::FORBIDDEN, message).into_response());
            }
        }
        if changes && self.origins.is_foreign(headers, &request.uri) {
            let message = "a page of another origin made the browser send this; if it may, name its origin in the worker's \
                access.control.allow.origin";
            return Err(ApiError::new(StatusCode::FORBIDDEN, message).into_response());
        }
        Ok(())
    }

    async fn ask(&self, mut router: Router, request: Request) -> Response {
        let is_options = request.method() == Method::OPTIONS;
        let answer = match router.call(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        match methods(&answer) {
            Some(methods) if is_options => options(methods),
            _ => self.shaped(answer).await,
        }
    }

    /// Errors of the library that reads requests, which are plain text, in the shape of all others.
    async fn shaped(&self, answer: Response) -> Response {
        let status = answer.status();
        let is_error = status.is_client_error() || status.is_server_error();
        let is_text =
            answer.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
        if !is_error || !is_text {
            return answer;
        }
        let message = if status == StatusCode::PAYLOAD_TOO_LARGE {
            format!(
                "the request has more than {} bytes, which is the limit (listeners.request.body.max.bytes)",
                self.body_bytes
            )
        } else {
            let text = axum::body::to_bytes(answer.into_body(), ERROR_BYTES_MAX).await.unwrap_or_default();
            String::from_utf8_lossy(&text).into_owned()
        };
        if message.is_empty() { ApiError::of(status) } else { ApiError::new(status, message) }.into_response()
    }
}

fn refusal(refused: Refused) -> Response {
    let (status, message) = match &refused {
        Refused::Missing => (StatusCode::UNAUTHORIZED, "this needs a user and a password (HTTP Basic)".to_owned()),
        Refused::Wrong => (StatusCode::UNAUTHORIZED, "user or password is wrong".to_owned()),
        Refused::Later(wait) => {
            let message =
                format!("too many wrong passwords for this user from this address: try again in {} s", seconds(*wait));
            (StatusCode::TOO_MANY_REQUESTS, message)
        }
        Refused::Busy => {
            let message = "too many passwords are being checked at the moment: try again".to_owned();
            (StatusCode::SERVICE_UNAVAILABLE, message)
        }
    };
    let mut answer = ApiError::new(status, message).into_response();
    let headers = answer.headers_mut();
    match refused {
        Refused::Missing | Refused::Wrong => {
            headers
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(r#"Basic realm="sluice", charset="UTF-8""#));
        }
        Refused::Later(wait) => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds(wait)));
        }
        Refused::Busy => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(1));
        }
    }
    answer
}

/// Whole seconds, at least one: a client that comes back after them is not too early.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + 1
}

/// The methods of a route that has others than the one asked for.
fn methods(answer: &Response) -> Option<String> {
    let allow = answer.headers().get(header::ALLOW).filter(|_| answer.status() == StatusCode::METHOD_NOT_ALLOWED)?;
    Some(allow.to_str().ok()?.to_owned())
}

/// As Connect answers.
fn options(methods: String) -> Response {
    let methods = format!("{methods},OPTIONS");
    let text = methods.replace(',', ", ");
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    if let Ok(allow) = HeaderValue::try_from(methods) {
        headers.insert(header::ALLOW, allow);
    }
    (headers, Body::from(text)).into_response()
}

/// Runs `work` and gives back its panic, if it has one.
async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Box<dyn Any + Send>> {
    let mut work = pin!(work);
    std::future::poll_fn(|context| {
        // After a panic nothing of it is used any more.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(Poll::Ready(done)) => Poll::Ready(Ok(done)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

fn words(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("?")
}

#[cfg(test)]
mod tests;
