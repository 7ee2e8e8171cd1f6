//! Connect's endpoints for connectors and their tasks.

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::ApiState;
use super::config_map;
use super::connect::{ConnectorInfo, ConnectorStateInfo, TaskInfo, TaskPart, tasks};
use super::error::ApiError;
use super::query::Query;
use crate::plugins::Settings;
use crate::registry::{Record, RegistryError, Restart, Target};

/// What was done, in one line, as Connect's clients expect it.
type Answer<T = Response> = Result<T, ApiError>;

/// The fields of CreateConnectorRequest. Another is an error, as in Connect, so that a misspelt `initial_state` starts nothing.
const CREATE_FIELDS: [&str; 3] = ["name", "config", "initial_state"];

/// An entry of `GET /connectors?expand=…`.
#[derive(Debug, Default, Serialize)]
struct Expanded {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<ConnectorStateInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<ConnectorInfo>,
}

/// Every path, and who answers it.
pub(super) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/connectors", get(list).post(create))
        .route("/connectors/{name}", get(info).delete(delete))
        .route("/connectors/{name}/config", get(config).put(put_config).patch(patch_config))
        .route("/connectors/{name}/status", get(status))
        .route("/connectors/{name}/tasks", get(task_list))
        .route("/connectors/{name}/tasks/{task}/status", get(task_status))
        .route("/connectors/{name}/tasks/{task}/restart", post(restart_task))
        .route("/connectors/{name}/restart", post(restart))
        .route("/connectors/{name}/pause", put(pause))
        .route("/connectors/{name}/resume", put(resume))
        .route("/connectors/{name}/stop", put(stop))
        .route("/connectors/{name}/topics", get(topics))
        .route("/connectors/{name}/topics/reset", put(reset_topics))
}

/// `GET /connectors`: the names, or with `expand` what is asked for of each.
async fn list(State(api): State<ApiState>, RawQuery(query): RawQuery) -> Response {
    let query = Query::new(query.as_deref());
    let records = api.registry.all();
    if query.first("expand").is_none() {
        return Json(records.iter().map(|record| record.name.clone()).collect::<Vec<_>>()).into_response();
    }
    let mut answer = BTreeMap::new();
    for record in records {
        let mut expanded = Expanded::default();
        for what in query.all("expand") {
            match what {
                // Deleted in this moment: left out, as clients take both parts for granted.
                "status" => match api.registry.status(&record.name) {
                    Ok(status) => expanded.status = Some(ConnectorStateInfo::new(&status, &api.worker_id)),
                    Err(_) => continue,
                },
                "info" => expanded.info = Some(ConnectorInfo::new(&record, api.registry.tasks(&record))),
                _ => {}
            }
        }
        answer.insert(record.name.clone(), expanded);
    }
    Json(answer).into_response()
}

/// `POST /connectors`.
async fn create(State(api): State<ApiState>, body: Bytes) -> Answer {
    let mut fields = config_map::object(config_map::json(&body)?, &CREATE_FIELDS)?;
    let mut field = |name: &str| fields.remove(name).unwrap_or_default();
    let name = config_map::text(field("name"), "name")?.unwrap_or_default().trim().to_owned();
    let target = match config_map::text(field("initial_state"), "initial_state")? {
        None => Target::Running,
        Some(word) => Target::from_str(&word).map_err(|what| {
            config_map::malformed(format!("Cannot construct instance of initial_state from `{word}`: {what}"))
        })?,
    };
    let config = config_map::flat(field("config"), "config")?;
    check_name(&name, &config)?;
    let record = api.registry.create(&name, config, target).await?;
    Ok(created(&record))
}

/// `GET /connectors/{name}`.
async fn info(State(api): State<ApiState>, Path(name): Path<String>) -> Answer<Json<ConnectorInfo>> {
    let record = api.registry.get(&name)?;
    Ok(Json(ConnectorInfo::new(&record, api.registry.tasks(&record))))
}

/// `DELETE /connectors/{name}`.
async fn delete(State(api): State<ApiState>, Path(name): Path<String>) -> Answer<StatusCode> {
    api.registry.delete(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /connectors/{name}/config`: what was put, word for word.
async fn config(State(api): State<ApiState>, Path(name): Path<String>) -> Answer<Json<BTreeMap<String, String>>> {
    Ok(Json(api.registry.get(&name)?.config.clone()))
}

/// `PUT /connectors/{name}/config`.
async fn put_config(State(api): State<ApiState>, Path(name): Path<String>, body: Bytes) -> Answer {
    let config = config_map::parse(&body)?;
    check_name(&name, &config)?;
    let changed = api.registry.put(&name, config).await?;
    if changed.created {
        Ok(created(&changed.record))
    } else {
        Ok(Json(ConnectorInfo::new(&changed.record, changed.record.tasks)).into_response())
    }
}

/// `PATCH /connectors/{name}/config`: `null` takes a setting away.
async fn patch_config(State(api): State<ApiState>, Path(name): Path<String>, body: Bytes) -> Answer {
    let patch = config_map::parse(&body)?;
    // Connect takes another name, and has a connector from then on whose configuration says that it is another one.
    if let Some(Some(other)) = patch.get("name")
        && *other != name
    {
        api.registry.get(&name)?;
        return Err(other_name(other, &name));
    }
    let changed = api.registry.patch(&name, &patch).await?;
    Ok(Json(ConnectorInfo::new(&changed.record, changed.record.tasks)).into_response())
}

/// `GET /connectors/{name}/status`.
async fn status(State(api): State<ApiState>, Path(name): Path<String>) -> Answer<Json<ConnectorStateInfo>> {
    let status = api.registry.status(&name).map_err(|_| not_found(format!("No status found for connector {name}")))?;
    Ok(Json(ConnectorStateInfo::new(&status, &api.worker_id)))
}

/// `GET /connectors/{name}/tasks`.
async fn task_list(State(api): State<ApiState>, Path(name): Path<String>) -> Answer<Json<Vec<TaskInfo>>> {
    let record = api.registry.get(&name)?;
    Ok(Json(tasks(&record, api.registry.tasks(&record))))
}

/// `GET /connectors/{name}/tasks/{task}/status`.
async fn task_status(
    State(api): State<ApiState>,
    Path((name, task)): Path<(String, String)>,
) -> Answer<Json<TaskPart>> {
    let id = task_number(&task)?;
    let status = api.registry.status(&name).ok();
    let found = status.iter().flat_map(|status| &status.tasks).find(|task| task.id == id);
    let part = found.and_then(|task| TaskPart::new(task, &api.worker_id));
    part.map(Json).ok_or_else(|| not_found(format!("No status found for task {name}-{id}")))
}

/// `POST /connectors/{name}/tasks/{task}/restart`.
async fn restart_task(State(api): State<ApiState>, Path((name, task)): Path<(String, String)>) -> Answer<StatusCode> {
    let id = task_number(&task)?;
    api.registry.restart_task(&name, id).map_err(unknown(": "))?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /connectors/{name}/restart`: 204 for the connector alone, otherwise 202 and the plan.
async fn restart(State(api): State<ApiState>, Path(name): Path<String>, RawQuery(query): RawQuery) -> Answer {
    let query = Query::new(query.as_deref());
    let restart =
        Restart { include_tasks: query.flag("includeTasks", false), only_failed: query.flag("onlyFailed", false) };
    let plan = api.registry.restart(&name, restart).map_err(unknown(": "))?;
    if restart == Restart::default() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok((StatusCode::ACCEPTED, Json(ConnectorStateInfo::of_plan(&plan, &api.worker_id))).into_response())
}

/// `PUT /connectors/{name}/pause`.
async fn pause(State(api): State<ApiState>, Path(name): Path<String>) -> Answer<StatusCode> {
    set_target(&api, &name, Target::Paused, StatusCode::ACCEPTED).await
}

/// `PUT /connectors/{name}/resume`.
async fn resume(State(api): State<ApiState>, Path(name): Path<String>) -> Answer<StatusCode> {
    set_target(&api, &name, Target::Running, StatusCode::ACCEPTED).await
}

/// `PUT /connectors/{name}/stop`.
async fn stop(State(api): State<ApiState>, Path(name): Path<String>) -> Answer<StatusCode> {
    set_target(&api, &name, Target::Stopped, StatusCode::NO_CONTENT).await
}

async fn set_target(api: &ApiState, name: &str, target: Target, done: StatusCode) -> Answer<StatusCode> {
    api.registry.set_target(name, target).await.map_err(unknown(" "))?;
    Ok(done)
}

/// `GET /connectors/{name}/topics`: those that records were read from. A connector that is not there has none.
async fn topics(State(api): State<ApiState>, Path(name): Path<String>) -> Answer<Json<Map<String, Value>>> {
    if !api.registry.worker().topic_tracking {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "Topic tracking is disabled."));
    }
    let topics = api.registry.board().topics(&name);
    Ok(Json(Map::from_iter([(name, json!({ "topics": topics }))])))
}

/// `PUT /connectors/{name}/topics/reset`.
async fn reset_topics(State(api): State<ApiState>, Path(name): Path<String>) -> Answer<StatusCode> {
    let worker = api.registry.worker();
    let forbidden = |message| Err(ApiError::new(StatusCode::FORBIDDEN, message));
    match (worker.topic_tracking, worker.topic_tracking_reset) {
        (false, _) => forbidden("Topic tracking is disabled."),
        (_, false) => forbidden("Topic tracking reset is disabled."),
        _ => {
            api.registry.board().reset_topics(&name);
            Ok(StatusCode::ACCEPTED)
        }
    }
}

/// 201, and where the connector is.
fn created(record: &Record) -> Response {
    let mut headers = HeaderMap::new();
    if let Ok(location) = format!("/connectors/{}", encoded(&record.name)).parse() {
        headers.insert(header::LOCATION, location);
    }
    (StatusCode::CREATED, headers, Json(ConnectorInfo::new(record, record.tasks))).into_response()
}

/// A path segment, percent-encoded but for what needs no encoding anywhere (RFC 3986, unreserved).
fn encoded(segment: &str) -> String {
    let mut encoded = String::new();
    for byte in segment.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// The name among the settings, if it is there, has to be the connector's.
fn check_name(name: &str, config: &Settings) -> Answer<()> {
    match config.get("name") {
        Some(Some(other)) if other != name => Err(other_name(other, name)),
        _ => Ok(()),
    }
}

fn other_name(other: &str, name: &str) -> ApiError {
    RegistryError::OtherName { given: other.to_owned(), name: name.to_owned() }.into()
}

fn task_number(task: &str) -> Answer<u32> {
    task.parse().map_err(|_| ApiError::of(StatusCode::NOT_FOUND))
}

fn not_found(message: String) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, message)
}

/// Some of Connect's endpoints call a connector that is not there unknown, with or without a colon.
fn unknown(separator: &'static str) -> impl Fn(RegistryError) -> ApiError {
    move |error| match error {
        RegistryError::Unknown(name) => not_found(format!("Unknown connector{separator}{name}")),
        error => error.into(),
    }
}
