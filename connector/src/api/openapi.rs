//! `GET /sluice/openapi.json`: a description of every path, for tools that make clients, documentation or tests of one.
//!
//! The description is `api/openapi.json`, word for word. The tests below hold its paths and methods against those of the router;
//! `make openapi-test` has a tool send what it promises to take, and compare the answers with it.

use axum::http::header;
use axum::response::IntoResponse;

/// OpenAPI 3.1.
const DESCRIPTION: &str = include_str!("openapi.json");

/// `GET /sluice/openapi.json`.
pub(super) async fn show() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DESCRIPTION)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::collections::{BTreeMap, BTreeSet};

    use axum::body::Body;
    use axum::extract::Request;
    use axum::http::StatusCode;
    use serde_json::Value;
    use tower_service::Service;

    use super::*;
    use crate::api::{CONNECT_VERSION, routes, tests};
    use crate::status::Board;

    fn description() -> Value {
        serde_json::from_str(DESCRIPTION).unwrap()
    }

    /// The methods of each path, as described.
    fn described() -> BTreeMap<String, BTreeSet<String>> {
        let paths = description()["paths"].as_object().unwrap().clone();
        let methods = |item: Value| item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        paths.into_iter().map(|(path, item)| (path, methods(item))).collect()
    }

    /// The paths that the router knows. It tells them only to whoever debugs it.
    fn routed() -> BTreeSet<String> {
        let shown = format!("{:?}", routes());
        let quoted = shown.split('"').skip(1).step_by(2);
        // The last one is that of everything else.
        quoted.filter(|text| text.starts_with('/') && !text.starts_with("/{*")).map(str::to_owned).collect()
    }

    /// Every reference, wherever it stands.
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_path_is_described_and_no_other() {
        assert_eq!(described().into_keys().collect::<BTreeSet<_>>(), routed());
    }

    #[tokio::test]
    async fn every_method_of_a_path_is_described_and_no_other() {
        let mut router = tests::router_of(&Board::new());
        for (path, methods) in described() {
            let request = Request::builder().method("NONE").uri(path.replace(['{', '}'], "")).body(Body::empty());
            let answer = router.call(request.unwrap()).await.unwrap();
            assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
            let allowed = answer.headers()[header::ALLOW].to_str().unwrap();
            // Routes answer it wherever they answer GET.
            let allowed = allowed.split(',').filter(|method| *method != "HEAD").map(str::to_owned);
            assert_eq!(allowed.collect::<BTreeSet<_>>(), methods, "{path}");
        }
    }

    #[test]
    fn parameters_of_a_path_are_described_and_references_lead_somewhere() {
        let description = description();
        assert_eq!(description["info"]["version"], CONNECT_VERSION);
        let mut references_found = BTreeSet::new();
        references(&description, &mut references_found);
        for reference in &references_found {
            assert!(description.pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
        }
        for (kind, parts) in description["components"].as_object().unwrap() {
            for name in parts.as_object().unwrap().keys().filter(|_| kind != "securitySchemes") {
                let reference = format!("#/components/{kind}/{name}");
                assert!(references_found.contains(&reference), "nobody refers to {reference}");
            }
        }
        for (path, item) in description["paths"].as_object().unwrap() {
            let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
            let in_path: BTreeSet<_> = in_path.collect();
            for (method, operation) in item.as_object().unwrap() {
                let given = operation["parameters"].as_array().into_iter().flatten();
                let given = given.map(|given| description.pointer(&given["$ref"].as_str().unwrap()[1..]).unwrap());
                let given = given.filter(|given| given["in"] == "path").map(|given| given["name"].as_str().unwrap());
                assert_eq!(given.collect::<BTreeSet<_>>(), in_path, "{method} {path}");
            }
        }
    }
}
