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
    let providers = api.registry.worker().providers.clone();
    let looked = tokio::task::spawn_blocking(move || plugins::validate(&plugin, &given, &providers)).await;
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
    use super::*;

    #[test]
    fn escapes_of_a_query_are_undone() {
        for (written, meant) in
            [("%5B1,2%29", "[1,2)"), ("a+b", "a b"), ("%zz%", "%zz%"), ("%+1", "% 1"), ("%C3%A4", "ä")]
        {
            assert_eq!(decoded(written), meant);
        }
    }
}
