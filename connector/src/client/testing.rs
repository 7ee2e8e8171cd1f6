//! A scripted worker for the tests of the commands: it answers what a closure says, and keeps what it was asked.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use clap::Parser as _;
use serde_json::Value;

use super::{ClientError, Screen, run};
use crate::cli::rest::RestCommand;
use crate::cli::{Cli, Command};

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// `GET /connectors?expand=status`, percent-encoded.
    pub(super) line: String,
    pub(super) authorization: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) body: String,
}

/// A worker on a port of the system's.
#[derive(Debug)]
pub(super) struct Scripted {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    server: tokio::task::JoinHandle<()>,
}

/// How a command ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) result: Result<bool, ClientError>,
    pub(super) out: String,
    pub(super) err: String,
}

// === impl Scripted ===

impl Scripted {
    /// Answers each request with the status and body (empty if null) that `script` gives for it; also told how many it is given before.
    pub(super) async fn start(script: impl Fn(&str, usize) -> (u16, Value) + Clone + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        let handler = move |request: Request| async move {
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            let asked = Asked {
                line: format!("{} {}", head.method, head.uri),
                authorization: header("authorization"),
                content_type: header("content-type"),
                body: String::from_utf8(body.to_vec()).unwrap(),
            };
            let before = {
                let mut kept = kept.lock().unwrap();
                kept.push(asked.clone());
                kept.len() - 1
            };
            answer(script(&asked.line, before))
        };
        let server = tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await.unwrap() });
        Self { url, asked, server }
    }

    /// What it was asked.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The first lines of what it was asked.
    pub(super) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }

    /// Runs a command against it, as if typed somewhere without a terminal.
    pub(super) async fn run(&self, line: &[&str]) -> Ended {
        run_line(&[line, &["--url", &self.url]].concat()).await
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Runs a command.
pub(super) async fn run_line(line: &[&str]) -> Ended {
    let command = parse(line);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let result = run(&command, &mut Screen::test(&mut out, &mut err, false)).await;
    let [out, err] = [out, err].map(|text| String::from_utf8(text).unwrap());
    Ended { result, out, err }
}

/// A command as it is typed.
pub(super) fn parse(line: &[&str]) -> RestCommand {
    match Cli::try_parse_from([&["sluice"], line].concat()).unwrap().command {
        Command::Rest(command) => command,
        other => panic!("not a command over REST: {other:?}"),
    }
}

// === impl Ended ===

impl Ended {
    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(super) fn failure(&self) -> String {
        self.result.as_ref().expect_err("it failed").to_string()
    }
}

fn answer((status, body): (u16, Value)) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    match body {
        Value::Null => status.into_response(),
        // Text stands for a body that is not JSON.
        Value::String(text) => (status, text).into_response(),
        body => (status, [("content-type", "application/json")], Bytes::from(body.to_string())).into_response(),
    }
}
