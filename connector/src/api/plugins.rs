//! Connect's endpoints for plugins: which there are, what their settings are, and what is wrong with a configuration.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::routing::{get, put};
use axum::{Json, Router};

use super::ApiState;
use super::config_map;
use super::error::ApiError;
use super::query::Query;
use crate::plugins::{self, ClassError, ConfigInfos, ConfigKeyInfo, PluginError, PluginInfo};
use crate::stage;

/// Every path, and who answers it.
pub(super) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/connector-plugins", get(list))
        .route("/connector-plugins/{plugin}/config", get(definitions))
        .route("/connector-plugins/{plugin}/config/validate", put(validate))
}

/// `GET /connector-plugins`. Whatever `connectorsOnly` says, there are no other plugins.
async fn list() -> Json<[PluginInfo; 1]> {
    Json(plugins::catalogue())
}

/// `GET /connector-plugins/{plugin}/config`.
async fn definitions(
    Path(plugin): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<ConfigKeyInfo>>, ApiError> {
    let version = Query::new(query.as_deref()).first("version").map_or_else(|| "latest".to_owned(), decoded);
    plugins::definitions(&plugin, &version).map(Json).map_err(|error| {
        let status = match error {
            PluginError::Unknown(_) => StatusCode::NOT_FOUND,
            PluginError::Version(_) | PluginError::NoVersion(_) => StatusCode::BAD_REQUEST,
        };
        ApiError::new(status, error.to_string())
    })
}

/// `PUT /connector-plugins/{plugin}/config/validate`: 200 whatever is wrong with the settings. Connect answers 500 where it can't find the class, by
/// accident; the same mistake is 400 where a connector is made, and so it is here.
async fn validate(
    State(api): State<ApiState>,
    Path(plugin): Path<String>,
    body: Bytes,
) -> Result<Json<ConfigInfos>, ApiError> {
    let given = config_map::parse(&body)?;
    // Off the async threads: placeholders are looked up in files.
    let rules = api.registry.worker().rules.clone();
    stage::enter("checking the settings of a connector");
    let looked = tokio::task::spawn_blocking(move || plugins::validate(&plugin, &given, &rules)).await;
    match looked {
        Ok(Ok(infos)) => Ok(Json(infos)),
        Ok(Err(error)) => Err(wrong_class(&error)),
        Err(_) => Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "the worker is stopping")),
    }
}

fn wrong_class(error: &ClassError) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, error.to_string())
}

/// A query parameter's value without its escapes. `+` is a blank there, and what is no escape stays as it is.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| byte == b'%').and_then(|digits| {
            let digits = std::str::from_utf8(digits)
                .ok()
                .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
            u8::from_str_radix(digits, 16).ok()
        });
        rest = if escaped.is_some() { &after[2..] } else { after };
        bytes.push(escaped.unwrap_or(if byte == b'+' { b' ' } else { byte }));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::config::WorkerConfig;
    use crate::registry::{Registry, Target};
    use crate::services::Services;
    use crate::status::Board;

    #[test]
    fn escapes_of_a_query_are_undone() {
        for (written, meant) in
            [("%5B1,2%29", "[1,2)"), ("a+b", "a b"), ("%zz%", "%zz%"), ("%+1", "% 1"), ("%C3%A4", "ä")]
        {
            assert_eq!(decoded(written), meant);
        }
    }

    #[tokio::test]
    async fn placeholders_are_looked_up_only_where_the_worker_allows() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = folder.path().join("secrets.properties");
        std::fs::write(&secrets, "ms=5").unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        for (allowed, may) in [(folder.path(), true), (elsewhere.path(), false)] {
            let allowed = allowed.to_str().unwrap().to_owned();
            let worker = BTreeMap::from([("config.providers.allowed.paths".to_owned(), allowed)]);
            let worker = Arc::new(WorkerConfig::check(&worker, [], &BTreeMap::new()).unwrap().config);
            let registry = Registry::new(worker, Services::bare(), Board::new(), None, false);
            let config = serde_json::json!({
                "connector.class": "InfluxSink",
                "name": "n",
                "topics": "prices",
                "transform.module": "builtin:split-concat",
                "transform.timeout.ms": format!("${{file:{}:ms}}", secrets.display()),
                "influx.url": "http://localhost:8086",
                "influx.database": "prices",
            });
            let body = config.to_string();
            let api = ApiState::new(registry.clone(), "here:8083");
            let answer = validate(State(api), Path("InfluxSink".to_owned()), Bytes::from(body.clone())).await;
            let Ok(Json(infos)) = answer else { panic!("not looked at") };
            assert_eq!(infos.error_count == 0, may, "{infos:?}");
            let given = config_map::parse(body.as_bytes()).unwrap();
            assert_eq!(registry.create("n", given, Target::Stopped).await.is_ok(), may);
        }
    }
}
