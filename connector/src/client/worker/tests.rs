//! Addresses, users, authorities, and what an answer means.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Write as _;

use serde_json::json;
use tempfile::NamedTempFile;

use super::*;
use crate::client::testing::Scripted;

fn target(url: &str) -> TargetArgs {
    TargetArgs { url: url.to_owned(), user: None, password_file: None, ca_file: None }
}

fn worker(url: &str) -> Worker {
    Worker::new(&target(url), Some(ANSWER_TIMEOUT)).unwrap()
}

fn file(text: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text).unwrap();
    file
}

fn message(text: &str) -> Value {
    json!({ "error_code": 409, "message": text })
}

#[tokio::test]
async fn a_name_is_one_segment_of_the_path_whatever_is_in_it() {
    let scripted = Scripted::start(|_, _| (200, json!({}))).await;
    let worker = worker(&format!("{}/proxy/connect/", scripted.url));
    assert!(worker.url().ends_with("/proxy/connect"));
    for (name, segment) in [
        ("a/b ü.x", "a%2Fb%20%C3%BC.x"),
        ("100%?#&=+;", "100%25%3F%23&=+;"),
        ("a\\b", "a%5Cb"),
        ("...", "..."),
        ("<\">", "%3C%22%3E"),
    ] {
        let _: Value = worker.get(&["connectors", name, "status"]).await.unwrap();
        let asked = scripted.lines().pop().unwrap();
        assert_eq!(asked, format!("GET /proxy/connect/connectors/{segment}/status"), "{name}");
    }
    let before = scripted.lines().len();
    for name in ["", ".", "..", "a\nb", "a\tb", "\u{0}"] {
        let refused = worker.change(Method::DELETE, &["connectors", name], None).await.unwrap_err();
        assert!(matches!(refused, ClientError::Name { .. }) && refused.is_usage(), "{name:?}: {refused}");
    }
    assert_eq!(scripted.lines().len(), before, "nothing was asked about another connector");
}

#[test]
fn an_address_that_is_none_is_refused_without_its_password() {
    for (url, words) in [
        ("localhost:8083", "neither http nor https"),
        ("nowhere", "relative URL"),
        ("ftp://h", "neither http nor https"),
        ("http://me:hunter2@h:1", "--user"),
        ("http://h:1/?a=b", "leave the part from ?"),
    ] {
        let error = Worker::new(&target(url), None).unwrap_err();
        let text = error.to_string();
        assert!(error.is_usage() && text.contains(words) && text.contains("http://127.0.0.1:8083"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn the_password_is_taken_from_its_file_or_the_environment() {
    let with = |user: &str, file: Option<&Path>, variable: Option<&str>| {
        let file = file.map(Path::to_owned);
        let target = TargetArgs { user: Some(user.to_owned()), password_file: file, ..target("http://h") };
        user_of(&target, variable.map(str::to_owned))
    };
    let good = file(b" pass word: \nsecond line\n");
    let (user, password) = with("me", Some(good.path()), Some("other")).unwrap().unwrap();
    assert_eq!((user.as_str(), password.reveal()), ("me", " pass word: "));
    assert_eq!(with("me", None, Some("p")).unwrap().unwrap().1.reveal(), "p");
    assert!(user_of(&target("http://h"), Some("p".to_owned())).unwrap().is_none());
    let said = |result: Result<_, ClientError>| result.map(|_: Option<(String, Secret)>| ()).unwrap_err().to_string();
    assert!(said(with("me", None, None)).contains("SLUICE_PASSWORD"));
    for wrong in ["", "a:b", "a\nb"] {
        assert!(said(with(wrong, None, Some("p"))).contains("user"), "{wrong:?}");
    }
    for bad in [file(b""), file(b"\nx"), file(&[b'x'; 5000])] {
        assert!(said(with("me", Some(bad.path()), None)).contains("--password-file"));
    }
    let missing = said(with("me", Some(Path::new("no/such/file")), None));
    assert!(missing.contains("no/such/file"), "{missing}");
}

#[tokio::test]
async fn the_user_is_told_by_the_basic_scheme_and_to_nobody_else() {
    let scripted = Scripted::start(|_, _| (200, json!({}))).await;
    let password = file("pä:ss\n".as_bytes());
    let target = TargetArgs {
        user: Some("me".to_owned()),
        password_file: Some(password.path().to_owned()),
        ..target(&scripted.url)
    };
    let known = Worker::new(&target, None).unwrap();
    assert!(!format!("{known:?}").contains("pä"), "{known:?}");
    let _: Value = known.get(&["connectors"]).await.unwrap();
    let _: Value = worker(&scripted.url).get(&["connectors"]).await.unwrap();
    // base64 of `me:pä:ss`.
    let authorizations: Vec<_> = scripted.asked().into_iter().map(|asked| asked.authorization).collect();
    assert_eq!(authorizations, [Some("Basic bWU6cMOkOnNz".to_owned()), None]);
}

#[tokio::test]
async fn a_rebalance_is_waited_for_and_nothing_else_is() {
    let passing = [
        (
            409,
            message(
                "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway.",
            ),
        ),
        (409, message("Cannot complete request because of a conflicting operation (e.g. worker rebalance)")),
        (500, message("Request cannot be completed because a rebalance is expected")),
    ];
    let count = passing.len();
    let script = move |_: &str, before: usize| passing.get(before).cloned().unwrap_or((202, Value::Null));
    let scripted = Scripted::start(script).await;
    worker(&scripted.url).change(Method::PUT, &["connectors", "c", "pause"], None).await.unwrap();
    assert_eq!(scripted.lines(), vec!["PUT /connectors/c/pause"; count + 1]);

    for (status, text) in [(409, "Connector c already exists"), (500, "boom"), (503, "a rebalance")] {
        let scripted = Scripted::start(move |_, _| (status, message(text))).await;
        let refused = worker(&scripted.url).change(Method::POST, &["connectors"], Some(&json!({}))).await.unwrap_err();
        assert!(refused.to_string().contains(text), "{refused}");
        assert_eq!(scripted.lines().len(), 1);
    }
}

#[tokio::test]
async fn a_rebalance_without_an_end_is_told() {
    let scripted = Scripted::start(|_, _| (409, message("a rebalance was underway"))).await;
    let refused = worker(&scripted.url).change(Method::PUT, &["connectors", "c", "stop"], None).await.unwrap_err();
    assert!(matches!(refused, ClientError::Refused { status: 409, .. }), "{refused}");
    assert_eq!(scripted.lines().len(), PAUSES_MS.len() + 1);
}

#[tokio::test]
async fn an_answer_says_what_is_wrong() {
    let script = |line: &str, _: usize| match line {
        "GET /404" => (404, json!({"error_code": 404, "message": "Connector c not found\u{1b}"})),
        "GET /401" => (401, json!({"error_code": 401, "message": "no"})),
        "GET /html" => (502, json!("<html>\u{1b}[31mBad Gateway</html>")),
        "GET /null" => (500, json!({"error_code": 500, "message": null})),
        _ => (200, json!("not JSON")),
    };
    let scripted = Scripted::start(script).await;
    let worker = worker(&scripted.url);
    let said = |path: &'static str| {
        let (worker, url) = (&worker, &scripted.url);
        async move {
            let error = worker.get::<Value>(&[path]).await.unwrap_err();
            assert!(!error.is_usage() && error.to_string().contains(&format!("GET {url}/{path}")), "{error}");
            assert_eq!(error.is_missing(), path == "404");
            error.to_string()
        }
    };
    let missing = said("404").await;
    assert!(missing.starts_with(r"Connector c not found\u{1b}") && missing.contains("sluice list"), "{missing}");
    assert!(said("401").await.contains("SLUICE_PASSWORD"));
    let html = said("html").await;
    assert!(html.contains("502") && html.contains(r"\u{1b}[31mBad Gateway") && html.contains("--url"), "{html}");
    assert!(said("null").await.contains("500"));
    assert!(said("text").await.contains("not JSON"));
}

#[tokio::test]
async fn who_does_not_answer_is_told() {
    // Bound, and nobody listens: nobody else gets the port meanwhile.
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    let said = worker(&format!("http://{address}")).get::<Value>(&["connectors"]).await.unwrap_err().to_string();
    for word in [&address.to_string(), "is it running?", "--url", "SLUICE_URL"] {
        assert!(said.contains(word), "{said}");
    }
    // Whoever speaks no TLS.
    let scripted = Scripted::start(|_, _| (200, json!({}))).await;
    let https = scripted.url.replace("http://", "https://");
    let authority = file(AUTHORITY);
    let target = TargetArgs { ca_file: Some(authority.path().to_owned()), ..target(&https) };
    let said = Worker::new(&target, None).unwrap().get::<Value>(&["connectors"]).await.unwrap_err().to_string();
    assert!(said.contains("should --url begin with http://?"), "{said}");
}

const AUTHORITY: &[u8] = include_bytes!("../../sink/influx/tests/authority.pem");

#[tokio::test]
async fn https_needs_an_authority_that_is_trusted() {
    let port = crate::http::testing::serve_tls();
    let authority = file(AUTHORITY);
    let with = |url: String, ca: &NamedTempFile| TargetArgs { ca_file: Some(ca.path().to_owned()), ..target(&url) };
    let trusted = Worker::new(&with(format!("https://localhost:{port}"), &authority), None).unwrap();
    trusted.change(Method::PUT, &["connectors", "c", "pause"], None).await.unwrap();
    let host = Worker::new(&with(format!("https://127.0.0.1:{port}"), &authority), None).unwrap();
    let said = host.change(Method::PUT, &["connectors", "c", "pause"], None).await.unwrap_err().to_string();
    assert!(said.contains("certificate is not accepted") && said.contains("--ca-file"), "{said}");
    for (bad, words) in [(file(b"no certificate"), "no PEM file"), (file(b""), "no PEM file")] {
        let error = Worker::new(&with(format!("https://localhost:{port}"), &bad), None).unwrap_err();
        assert!(error.is_usage() && error.to_string().contains(words), "{error}");
    }
    let gone = TargetArgs { ca_file: Some("no/such/ca.pem".into()), ..target("https://h") };
    assert!(matches!(Worker::new(&gone, None), Err(ClientError::CaUnreadable { .. })));
}
