//! Connect's endpoints for plugins, and what is answered to settings that are wrong.

use super::*;

fn least() -> Value {
    json!({
        "connector.class": "InfluxSink",
        "topics": "prices",
        "transform.module": "builtin:split-concat",
        "influx.url": "http://localhost:8086",
        "influx.database": "prices",
    })
}

fn changed(changes: &Value) -> Value {
    let mut config = least();
    let (all, changes) = (config.as_object_mut().unwrap(), changes.as_object().unwrap());
    all.extend(changes.clone());
    config
}

/// An API with the connector `stopped`.
async fn api() -> Server {
    let server = server(&Board::new()).await;
    let request = json!({"name": "stopped", "config": least(), "initial_state": "STOPPED"});
    assert_eq!(ask(&server, "POST", "/connectors", request).await.0, 201);
    server
}

async fn ask(api: &Server, method: &str, path: &str, body: impl ToString) -> (u16, Value) {
    let answer = api.send(method, path, &body.to_string()).await;
    (answer.status, answer.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_and_their_settings_are_listed() {
    let api = api().await;
    for query in ["", "?connectorsOnly=true", "?connectorsOnly=False", "?connectorsOnly=x"] {
        let (status, plugins) = ask(&api, "GET", &format!("/connector-plugins{query}"), "").await;
        let plugin =
            json!([{"class": "io.sluice.InfluxSinkConnector", "type": "sink", "version": env!("CARGO_PKG_VERSION")}]);
        assert_eq!((status, plugins), (200, plugin), "{query}");
    }
    let config = |plugin: &str| format!("/connector-plugins/{plugin}/config");
    let (status, all) = ask(&api, "GET", &config("InfluxSink"), "").await;
    assert!(status == 200 && all.as_array().unwrap().iter().any(|key| key["name"] == "influx.url"), "{all}");
    let message = |(status, answer): (u16, Value)| {
        assert_eq!(answer["error_code"], status);
        (status, answer["message"].as_str().unwrap().to_owned())
    };
    let unknown = message(ask(&api, "GET", &config("Nope"), "").await);
    assert_eq!(unknown, (404, "Unknown plugin Nope.".to_owned()));
    let broken = message(ask(&api, "GET", &(config("InfluxSink") + "?version=%5B"), "").await);
    assert_eq!(broken, (400, "Invalid version specification: [".to_owned()));
    let other = message(ask(&api, "GET", &(config("InfluxSink") + "?version=99"), "").await);
    assert!(other.0 == 400 && other.1.contains("not found that matches the version range [99,99]"), "{other:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_is_looked_at_whatever_is_wrong_with_it() {
    let api = api().await;
    let path = "/connector-plugins/InfluxSinkConnector/config/validate";
    let (status, infos) = ask(&api, "PUT", path, changed(&json!({"name": "n", "tasks.max": 2}))).await;
    assert_eq!((status, &infos["error_count"], &infos["name"]), (200, &json!(0), &json!("InfluxSink")));
    let (status, infos) = ask(&api, "PUT", path, changed(&json!({"tasks.max": "x", "topics": null}))).await;
    assert_eq!((status, &infos["error_count"]), (200, &json!(6)), "{infos}");
    for (body, wanted, words) in [
        ("{}".to_owned(), 400, "contains no connector type"),
        (json!({"connector.class": "Nope"}).to_string(), 400, "does not match request type"),
        (
            json!({"connector.class": "x.InfluxSink"}).to_string(),
            400,
            "Failed to find any class that implements Connector",
        ),
        (json!({"a": {"b": 1}}).to_string(), 500, "Cannot deserialize value"),
        ("{".to_owned(), 500, "not valid JSON"),
    ] {
        let (status, error) = ask(&api, "PUT", path, &body).await;
        assert!(status == wanted && error["message"].as_str().unwrap().contains(words), "{body}: {status} {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connectors_are_refused_in_the_words_of_the_form() {
    let api = api().await;
    let wrong = json!({"tasks.max": "0", "x": null});
    let ways = [
        ("POST", "/connectors", json!({"name": "new", "config": changed(&wrong)})),
        ("PUT", "/connectors/new/config", changed(&wrong)),
        ("PUT", "/connectors/stopped/config", changed(&wrong)),
        ("PATCH", "/connectors/stopped/config", json!({"tasks.max": 0, "errors.tolerance": "some"})),
    ];
    for (method, path, body) in ways {
        let (status, error) = ask(&api, method, path, &body).await;
        let message = error["message"].as_str().unwrap();
        assert_eq!(status, 400, "{message}");
        let start = "Connector configuration is invalid and contains the following 2 error(s):\nInvalid value 0 for configuration tasks.max: ";
        assert!(message.starts_with(start), "{method} {path}: {message}");
    }
    let (status, config) = ask(&api, "GET", "/connectors/stopped/config", "").await;
    assert_eq!((status, config), (200, changed(&json!({"name": "stopped"}))), "nothing was changed");
    assert_eq!(ask(&api, "GET", "/connectors/new", "").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_keeps_its_name() {
    let api = api().await;
    let (status, error) = ask(&api, "PATCH", "/connectors/stopped/config", json!({"name": null})).await;
    let missing = "Missing required configuration \"name\" which has no default value.";
    assert!(status == 400 && error["message"].as_str().unwrap().contains(missing), "{error}");
    // Blanks around a name do not count, so this would be written over the other.
    let (status, error) = ask(&api, "PUT", "/connectors/%20stopped/config", least()).await;
    let mismatch = "Connector name configuration (stopped) doesn't match connector name in the URL ( stopped)";
    assert_eq!((status, &error["message"]), (400, &json!(mismatch)));
    let (status, error) = ask(&api, "PATCH", "/connectors/stopped/config", json!({"name": "other"})).await;
    let mismatch = "Connector name configuration (other) doesn't match connector name in the URL (stopped)";
    assert_eq!((status, &error["message"]), (400, &json!(mismatch)));
    // A name of nothing is as good as none.
    let (status, info) = ask(&api, "PUT", "/connectors/stopped/config", changed(&json!({"name": null}))).await;
    assert_eq!((status, &info["config"]["name"]), (200, &json!("stopped")), "{info}");
}
