#![allow(clippy::unwrap_used, reason = "tests")]

mod plugins;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::config::WorkerConfig;
use crate::services::Services;
use crate::status::{Board, TaskState};

/// A served API on a port of the system's.
struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<io::Result<()>>,
}

/// An answer as it came over the wire.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        assert!(self.head.contains("content-type: application/json"), "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Server {
    async fn start(board: &Board, stall_after: Duration, extra: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop_tx, stop_rx) = oneshot::channel();
        // Other tests start logging in this process.
        let state = ApiState::new(registry(board), "here:8083").with_loggers(Loggers::default());
        let state = state.with_stall_after(stall_after);
        let stop = async {
            let _ = stop_rx.await;
        };
        let served = tokio::spawn(serve(listener, state, extra, stop));
        Self { address, stop: Some(stop_tx), served }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path).await
    }

    async fn ask(&self, method: &str, path: &str) -> Answer {
        self.send(method, path, "").await
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        let kind = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
        let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{kind}");
        let (address, request) = (self.address, format!("{head}content-length: {}\r\n\r\n{body}", body.len()));
        let exchange = move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            text
        };
        let text = tokio::task::spawn_blocking(exchange).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }
}

/// A registry without connectors that shows this board.
fn registry(board: &Board) -> Registry {
    let worker = WorkerConfig::check(&BTreeMap::new(), [], &BTreeMap::new()).unwrap().config;
    Registry::new(Arc::new(worker), Services::bare(), board.clone(), None, false)
}

/// The API of such a registry, without a listener.
pub(super) fn router_of(board: &Board) -> Router {
    router(ApiState::new(registry(board), "here:8083"), Router::new())
}

async fn server(board: &Board) -> Server {
    Server::start(board, STALL_AFTER, Router::new()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn root_is_connects_server_info() {
    let board = Board::new();
    let server = server(&board).await;
    let info = server.get("/").await.json();
    assert_eq!(info["kafka_cluster_id"], "unknown", "a string even before a broker has told it");
    board.set_kafka_cluster_id("4L6g3nShT-eMCtK--X86sw");
    let info = server.get("/").await;
    assert_eq!(info.status, 200);
    let info = info.json();
    assert_eq!(info["kafka_cluster_id"], "4L6g3nShT-eMCtK--X86sw");
    assert_eq!(info["sluice_version"], env!("CARGO_PKG_VERSION"));
    assert!(info["commit"].is_string());
    let version = info["version"].as_str().unwrap();
    let numbers: Vec<u32> = version.split('.').map(|number| number.parse().unwrap()).collect();
    assert!(numbers >= vec![4, 0], "kcctl switches features on by this: {version}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_text_for_prometheus_and_show_the_board() {
    let board = Board::new();
    let _connector = board.connector("prices", 1);
    let answer = server(&board).await.get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
    assert!(answer.body.contains("sluice_build_info{"), "{}", answer.body);
    assert!(
        answer.body.contains(r#"kafka_connect_connector_status{connector="prices",status="running"} 1"#),
        "{}",
        answer.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_names_who_is_at_fault_and_why() {
    let board = Board::new();
    let server = server(&board).await;
    let connector = board.connector("prices", 2);
    board.connector("trades", 1).task(0).set(TaskState::Running);
    connector.task(0).set(TaskState::Running);
    connector.task(1).set(TaskState::Running);

    let early = server.get("/health/ready").await;
    assert_eq!((early.status, &early.json()["status"]), (503, &json!("not ready")), "not before all were started");
    board.set_started();
    let good = server.get("/health/ready").await;
    assert_eq!(
        (good.status, good.json()),
        (200, json!({"status": "ready", "message": "every task runs", "tasks": []}))
    );

    let reason = "database \"cryptos\" does not exist";
    for (state, label, expected) in [
        (TaskState::held(reason), "held", Some(reason)),
        (TaskState::retrying("connection refused"), "retrying", Some("connection refused")),
        (TaskState::failed("transform trapped"), "failed", Some("transform trapped")),
        (TaskState::Starting, "starting", None),
        (TaskState::Stopped, "stopped", None),
    ] {
        connector.task(1).set(state);
        let bad = server.get("/health/ready").await;
        let body = bad.json();
        assert_eq!((bad.status, &body["status"]), (503, &json!("not ready")));
        assert_eq!(body["message"], format!("not running: prices task 1 ({label})"));
        let at_fault = body["tasks"].as_array().unwrap();
        assert_eq!(at_fault.len(), 1, "{body}");
        assert_eq!(at_fault[0]["connector"], "prices");
        assert_eq!((&at_fault[0]["task"], &at_fault[0]["state"]), (&json!(1), &json!(label)));
        assert_eq!(at_fault[0].get("reason").and_then(Value::as_str), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_does_not_turn_is_neither_live_nor_healthy() {
    let board = Board::new();
    board.set_started();
    let task = board.connector("prices", 1).task(0);
    // With no patience at all every beat is too old by the time it is looked at.
    let strict = Server::start(&board, Duration::ZERO, Router::new()).await;
    let patient = server(&board).await;
    assert_eq!(strict.get("/health/live").await.status, 200, "a task that never turned is starting, not stuck");

    task.set(TaskState::Running);
    task.beat();
    let stuck = strict.get("/health/live").await;
    assert_eq!((stuck.status, &stuck.json()["status"]), (503, &json!("stuck")));
    assert_eq!(stuck.json()["tasks"][0]["connector"], "prices");
    let unhealthy = strict.get("/health").await;
    assert_eq!((unhealthy.status, &unhealthy.json()["status"]), (500, &json!("unhealthy")));
    assert!(unhealthy.json()["message"].as_str().unwrap().contains("prices task 0"), "{unhealthy:?}");
    assert_eq!(patient.get("/health/live").await.status, 200);
    assert_eq!(patient.get("/health").await.status, 200);

    task.set(TaskState::failed("boom"));
    assert_eq!(strict.get("/health/live").await.status, 200, "a restart for ever would not mend a failed task");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_connects() {
    let board = Board::new();
    let server = server(&board).await;
    let starting = server.get("/health").await;
    let body = json!({"status": "starting", "message": "Worker is still starting up."});
    assert_eq!((starting.status, starting.json()), (503, body));
    board.set_started();
    board.connector("prices", 1).task(0).set(TaskState::failed("boom"));
    let healthy = server.get("/health").await;
    let message = "Worker has completed startup and is ready to handle requests.";
    assert_eq!((healthy.status, healthy.json()), (200, json!({"status": "healthy", "message": message})));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_board_is_told_as_it_is() {
    let board = Board::new();
    let server = server(&board).await;
    assert_eq!(server.get("/sluice/connectors").await.json(), json!([]));
    let connector = board.connector("prices", 2);
    let since = std::time::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
    connector.task(1).set(TaskState::Held { reason: "no such database".to_owned(), since });
    let expected = json!([{"name": "prices", "state": "running", "tasks": [
        {"task": 0, "state": "starting"},
        {"task": 1, "state": "held", "reason": "no such database", "since_ms": 1_700_000_000_123_u64},
    ]}]);
    assert_eq!(server.get("/sluice/connectors").await.json(), expected);
    connector.task(0).beat();
    assert!(server.get("/sluice/connectors").await.json()[0]["tasks"][0]["beat_age_ms"].is_u64());
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_connects_body_and_slashes_at_the_end_do_not_matter() {
    let board = Board::new();
    let server = server(&board).await;
    let missing = server.get("/nothing/here").await;
    assert_eq!((missing.status, missing.json()), (404, json!({"error_code": 404, "message": "HTTP 404 Not Found"})));
    let wrong = server.ask("DELETE", "/metrics").await;
    assert_eq!(
        (wrong.status, wrong.json()),
        (405, json!({"error_code": 405, "message": "HTTP 405 Method Not Allowed"}))
    );
    assert_eq!(server.get("/sluice/connectors/?a=b").await.status, 200);
    assert_eq!(server.get("/health/live//").await.status, 200);
    let head = server.ask("HEAD", "/").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn log_levels_are_seen_and_changed() {
    let server = server(&Board::new()).await;
    let list = server.get("/admin/loggers/").await;
    assert_eq!(list.status, 200);
    let names: Vec<String> = list.json().as_object().unwrap().keys().cloned().collect();
    assert!(names.iter().any(|name| name == "root") && names.iter().any(|name| name == "sluice"), "{names:?}");
    assert_eq!(list.json()["root"], json!({"level": "INFO", "last_modified": null}));

    let missing = server.get("/admin/loggers/no.such%2Flogger").await;
    let message = "Logger no.such/logger not found.";
    assert_eq!((missing.status, missing.json()), (404, json!({"error_code": 404, "message": message})));
    for (body, status) in [("", 500), ("{}", 400), (r#"{"level": "LOUD"}"#, 404), ("{", 500)] {
        let refused = server.send("PUT", "/admin/loggers/sluice.sink", body).await;
        assert_eq!((refused.status, &refused.json()["error_code"]), (status, &json!(status)), "{body}");
    }

    let before = now_ms();
    let set =
        server.send("PUT", "/admin/loggers/sluice.sink?scope=worker&forward=false", r#"{"level": "debug"}"#).await;
    assert_eq!((set.status, set.json()), (200, json!(["sluice.sink"])));
    let shown = server.get("/admin/loggers/sluice::sink").await.json();
    assert_eq!(shown["level"], "DEBUG");
    assert!(shown["last_modified"].as_u64().unwrap() >= before, "{shown}");
    let again = server.send("PUT", "/admin/loggers/sluice.sink", r#"{"level": "DEBUG"}"#).await;
    assert_eq!((again.status, again.json()), (200, json!([])));
    assert_eq!(server.get("/admin/loggers/sluice.sink").await.json(), shown, "the same request moves nothing");
    let cluster = server.send("PUT", "/admin/loggers/root?scope=CLUSTER", r#"{"level": "WARN"}"#).await;
    assert_eq!((cluster.status, cluster.body.as_str()), (204, ""));
    let all = server.get("/admin/loggers").await.json();
    assert!(all.as_object().unwrap().values().all(|logger| logger["level"] == "WARN"), "{all}");
}

fn now_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn other_peoples_routes_are_served_too_and_a_stop_is_bounded() {
    let extra =
        Router::new().route("/demo", get(|| async { "prices" })).route("/never", get(std::future::pending::<String>));
    let mut server = Server::start(&Board::new(), STALL_AFTER, extra).await;
    assert_eq!(server.get("/demo").await.body, "prices");
    assert_eq!(server.get("/").await.status, 200);

    // An answer that never comes must not hold up the stop.
    let mut open = TcpStream::connect(server.address).unwrap();
    open.write_all(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    server.stop.take().unwrap().send(()).unwrap();
    server.served.await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).is_err(), "the port is free again");
}
