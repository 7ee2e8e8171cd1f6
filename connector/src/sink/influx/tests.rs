//! The client against a small real HTTP server on a port of the system's choice.

use std::collections::VecDeque;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::serve::ListenerExt as _;

use super::*;
use crate::config::{Secret, VersionSetting};

mod tls;

/// A line longer than what is left uncompressed, so that one body of it shows compression.
fn long_body() -> Bytes {
    Bytes::from(format!("m f=\"{}\" 1\n", "x".repeat(2 * GZIP_MIN)))
}

fn config(url: &str) -> InfluxConfig {
    InfluxConfig {
        url: url.to_owned(),
        version: VersionSetting::Auto,
        database: None,
        retention_policy: None,
        username: None,
        password: None,
        org: None,
        bucket: None,
        token: None,
        compression: Compression::Auto,
        request_timeout: Duration::from_secs(20),
        connect_timeout: Duration::from_secs(5),
        tls_ca_location: None,
        tls_insecure: false,
    }
}

fn v1(url: &str) -> InfluxConfig {
    InfluxConfig { database: Some("prices".into()), ..config(url) }
}

fn client(config: &InfluxConfig) -> InfluxClient {
    InfluxClient::new(config, "prices").unwrap()
}

/// A request as it arrived.
struct Seen {
    target: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn unzipped(&self) -> Vec<u8> {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&self.body[..]).read_to_end(&mut plain).unwrap();
        plain
    }
}

/// An answer to give: status, headers, body. Status 0 stands for none, ever.
type Canned = (u16, &'static [(&'static str, &'static str)], &'static str);

const STORED: Canned = (204, &[], "");
const NEVER: Canned = (0, &[], "");

/// Gives the answers in their order, and 204 when there are no more.
struct Server {
    url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    answers: Mutex<VecDeque<Canned>>,
    seen: Mutex<Vec<Seen>>,
    connections: Mutex<usize>,
}

impl Server {
    async fn start(answers: &[Canned]) -> Self {
        let shared = Arc::new(Shared { answers: Mutex::new(answers.iter().copied().collect()), ..Shared::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let counted = Arc::clone(&shared);
        let listener = listener.tap_io(move |_| *counted.connections.lock().unwrap() += 1);
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, shared }
    }

    fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.shared.seen.lock().unwrap())
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
    let seen = Seen { target: format!("{} {}", parts.method, parts.uri), headers: parts.headers, body };
    shared.seen.lock().unwrap().push(seen);
    let (status, headers, text) = shared.answers.lock().unwrap().pop_front().unwrap_or(STORED);
    if status == 0 {
        std::future::pending::<()>().await;
    }
    let response =
        headers.iter().fold(Response::builder().status(status), |built, (name, value)| built.header(*name, *value));
    response.body(Body::from(text)).unwrap()
}

#[tokio::test]
async fn influxdb_1_is_written_by_write_with_the_user_in_the_header() {
    let server = Server::start(&[]).await;
    let client = client(&InfluxConfig {
        retention_policy: Some("one week".into()),
        username: Some("w".into()),
        password: Some(Secret::new("s:cret&")),
        ..v1(&server.url)
    });
    assert_eq!(client.write(Product::V1, Bytes::from("m f=1 1\n")).await, Verdict::Done);
    let seen = server.seen();
    assert_eq!(seen[0].target, "POST /write?db=prices&rp=one+week&precision=ns");
    assert_eq!(seen[0].header("authorization"), Some("Basic dzpzOmNyZXQm"));
    assert_eq!(seen[0].header("user-agent"), Some(concat!("sluice/", env!("CARGO_PKG_VERSION"), " (prices)")));
    assert_eq!(seen[0].header("content-encoding"), None);
    assert_eq!(seen[0].header("content-length"), Some("8"));
    assert_eq!(seen[0].body, b"m f=1 1\n");
}

#[tokio::test]
async fn influxdb_2_is_written_by_its_own_endpoint_with_a_token() {
    let server = Server::start(&[]).await;
    let client = client(&InfluxConfig {
        org: Some("Ünits & co".into()),
        bucket: Some("a/b".into()),
        token: Some(Secret::new("T==")),
        ..config(&server.url)
    });
    assert_eq!(client.write(Product::V2, Bytes::from("m f=1 1\n")).await, Verdict::Done);
    let seen = server.seen();
    assert_eq!(seen[0].target, "POST /api/v2/write?org=%C3%9Cnits+%26+co&bucket=a%2Fb&precision=ns");
    assert_eq!(seen[0].header("authorization"), Some("Token T=="));
}

#[tokio::test]
async fn influxdb_3_is_written_by_write_lp_with_a_bearer_token_below_a_prefix() {
    let server = Server::start(&[]).await;
    let url = format!("{}/influx/", server.url);
    let client = client(&InfluxConfig { token: Some(Secret::new("apiv3_x")), ..v1(&url) });
    assert_eq!(client.write(Product::V3, Bytes::from("m f=1 1\n")).await, Verdict::Done);
    let seen = server.seen();
    assert_eq!(seen[0].target, "POST /influx/api/v3/write_lp?db=prices&precision=nanosecond");
    assert_eq!(seen[0].header("authorization"), Some("Bearer apiv3_x"));
}

#[tokio::test]
async fn long_bodies_are_compressed_off_this_machine_or_if_asked_for() {
    let server = Server::start(&[]).await;
    for (compression, body, expected) in [
        (Compression::Gzip, long_body(), Some("gzip")),
        (Compression::Gzip, Bytes::from("m f=1 1\n"), None),
        (Compression::Auto, long_body(), None),
        (Compression::None, long_body(), None),
    ] {
        let client = client(&InfluxConfig { compression, ..v1(&server.url) });
        assert_eq!(client.write(Product::V1, body.clone()).await, Verdict::Done);
        let seen = server.seen();
        assert_eq!(seen[0].header("content-encoding"), expected, "{compression:?}");
        let plain = if expected.is_some() { seen[0].unzipped() } else { seen[0].body.clone() };
        assert_eq!(plain, body);
    }
    for (url, compresses) in [
        ("http://localhost:1", false),
        ("http://127.3.2.1:1", false),
        ("http://[::1]:1", false),
        ("http://[::ffff:127.0.0.1]:1", false),
        ("http://10.0.0.1:1", true),
        ("http://influx.example:1", true),
    ] {
        assert_eq!(client(&v1(url)).compress, compresses, "{url}");
    }
}

#[tokio::test]
async fn a_server_without_gzip_is_told_once_and_remembered() {
    let refusals: [Canned; 2] = [
        (415, &[], r#"{"code":"not supported","message":"gzip encoding is not supported"}"#),
        (400, &[], "unacceptable content-encoding: gzip"),
    ];
    for refusal in refusals {
        let server = Server::start(&[refusal]).await;
        let client = client(&InfluxConfig { compression: Compression::Gzip, ..v1(&server.url) });
        for _ in 0..2 {
            assert_eq!(client.write(Product::V1, long_body()).await, Verdict::Done);
        }
        let seen = server.seen();
        let encodings: Vec<_> = seen.iter().map(|seen| seen.header("content-encoding")).collect();
        assert_eq!(encodings, [Some("gzip"), None, None]);
        assert_eq!(seen[1].body, long_body());
    }
}

#[tokio::test]
async fn connections_are_kept_whatever_the_answer() {
    let server = Server::start(&[STORED, (400, &[], "x"), (503, &[], "busy"), (401, &[], "{}"), STORED]).await;
    let client = client(&v1(&server.url));
    for _ in 0..10 {
        client.write(Product::V1, Bytes::from("m f=1 1\n")).await;
    }
    assert_eq!(server.seen().len(), 10);
    assert_eq!(*server.shared.connections.lock().unwrap(), 1);
}

#[tokio::test]
async fn verdicts_name_the_attempt_and_carry_the_wait_but_no_secret() {
    let server = Server::start(&[
        (503, &[("retry-after", "1.5")], "busy\n"),
        (401, &[], r#"{"error":"authorization failed"}"#),
        (307, &[("location", "http://elsewhere/")], ""),
    ])
    .await;
    let client = client(&InfluxConfig { token: Some(Secret::new("hidden")), ..v1(&server.url) });
    let attempted = format!("POST {}/write?db=prices&precision=ns", server.url);
    let write = || client.write(Product::V1, Bytes::from("m f=1 1\n"));
    let reason = format!("{attempted}: 503: busy");
    assert_eq!(
        write().await,
        Verdict::Transient { reason, retry_after: Some(Duration::from_millis(1_500)), suspicious: false }
    );
    let reason = format!("{attempted}: 401: authorization failed; check influx.username and influx.password");
    assert_eq!(write().await, Verdict::Configuration { reason });
    let Verdict::Configuration { reason } = write().await else { panic!() };
    assert!(reason.contains("http://elsewhere/"), "{reason}");
    assert_eq!(server.seen().len(), 3, "redirects are not followed");
    assert!(!format!("{client:?}").contains("hidden"));
}

#[tokio::test]
async fn of_a_long_answer_only_the_beginning_is_read() {
    let long: &'static str = Box::leak("z".repeat(3 * ANSWER_MAX).into_boxed_str());
    let server = Server::start(&[(400, &[], long)]).await;
    let client = client(&v1(&server.url));
    let answer = client.post(Product::V1, Bytes::from("m f=1 1\n"), false).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (400, ANSWER_MAX));
    assert_eq!(client.write(Product::V1, Bytes::from("m f=1 1\n")).await, Verdict::Done);
}

#[tokio::test]
async fn no_answer_in_time_is_transient() {
    let server = Server::start(&[NEVER]).await;
    let client = client(&InfluxConfig { request_timeout: Duration::from_millis(50), ..v1(&server.url) });
    let verdict = client.write(Product::V1, Bytes::from("m f=1 1\n")).await;
    let reason =
        format!("POST {}/write?db=prices&precision=ns: no answer within 50 ms (influx.request.timeout.ms)", server.url);
    assert_eq!(verdict, Verdict::Transient { reason, retry_after: None, suspicious: false });
    assert_eq!(
        client.write(Product::V1, Bytes::from("m f=1 1\n")).await,
        Verdict::Done,
        "and the next one goes through"
    );
}

#[tokio::test]
async fn nobody_there_and_no_such_host_are_transient() {
    // A port that was free a moment ago.
    let address: SocketAddr = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, expected) in [
        (format!("http://{address}"), "cannot connect: Connection refused"),
        // A label longer than DNS allows: refused without a name server being asked.
        (format!("http://{}.invalid:8086", "x".repeat(64)), "the host's name does not resolve"),
    ] {
        let client = client(&v1(&url));
        let Verdict::Transient { reason, .. } = client.write(Product::V1, Bytes::from("m f=1 1\n")).await else {
            panic!()
        };
        assert!(reason.starts_with(&format!("POST {url}/write?db=prices&precision=ns: {expected}")), "{reason}");
        let Err(DetectError::Transient { reason, .. }) = client.detect().await else { panic!() };
        assert!(reason.starts_with(&format!("GET {url}/ping: {expected}")), "{reason}");
    }
}

#[tokio::test]
async fn a_connection_cut_before_the_answer_is_transient() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.readable().await.unwrap();
        }
    });
    let verdict = client(&v1(&url)).write(Product::V1, Bytes::from("m f=1 1\n")).await;
    let Verdict::Transient { reason, .. } = verdict else { panic!("{verdict:?}") };
    assert!(reason.contains("the connection broke before the answer"), "{reason}");
}

#[tokio::test]
async fn the_server_is_asked_who_it_is() {
    let three = r#"{"version":"3.10.2","revision":"x","process_id":"y"}"#;
    let cases: [(&[Canned], Product, &str); 5] = [
        (&[(204, &[("X-Influxdb-Version", "1.6.7~rc0")], "")], Product::V1, "1.6.7~rc0"),
        (&[(204, &[("X-Influxdb-Version", "v2.7.1")], "")], Product::V2, "2.7.1"),
        (&[(200, &[("cluster-uuid", "u"), ("x-influxdb-version", "3.10.2")], three)], Product::V3, "3.10.2"),
        (&[(401, &[("cluster-uuid", "u")], r#"{"error": "the request was not authenticated"}"#)], Product::V3, "3"),
        // VictoriaMetrics 1.79.5, as seen.
        (&[STORED, (204, &[("X-Influxdb-Version", "1.8.0")], "")], Product::V1, "1.8.0"),
    ];
    for (answers, product, version) in cases {
        let server = Server::start(answers).await;
        let config = InfluxConfig {
            org: Some("o".into()),
            bucket: Some("b".into()),
            token: Some(Secret::new("T")),
            ..v1(&server.url)
        };
        let detected = client(&config).detect().await.unwrap();
        assert_eq!(detected, Detected { product, version: version.to_owned() });
        let seen = server.seen();
        assert_eq!((seen[0].target.as_str(), seen[0].header("authorization")), ("GET /ping", Some("Bearer T")));
        if let Some(second) = seen.get(1) {
            assert_eq!((second.target.as_str(), second.body.len()), ("POST /write?db=prices", 0));
        }
    }
}

#[tokio::test]
async fn what_is_no_influxdb_or_not_ready_is_told() {
    let page = "<html>welcome</html>";
    let server = Server::start(&[(200, &[], page), (404, &[], page), (503, &[("Retry-After", "2")], "starting")]).await;
    let client = client(&v1(&server.url));
    let Err(DetectError::Configuration { reason }) = client.detect().await else { panic!() };
    let expected = "/ping: 200: <html>welcome</html>; that is no InfluxDB: check influx.url, or set influx.version";
    assert!(reason.contains(expected), "{reason}");
    let reason = format!("GET {}/ping: 503: starting", server.url);
    let retry_after = Some(Duration::from_secs(2));
    assert_eq!(client.detect().await, Err(DetectError::Transient { reason, retry_after }));
}

#[tokio::test]
async fn a_product_whose_settings_are_missing_is_a_matter_of_configuration() {
    let server = Server::start(&[(204, &[("X-Influxdb-Version", "v2.7.1")], "")]).await;
    let client = client(&v1(&server.url));
    let expected = "InfluxDB 2 (version 2.7.1), which needs influx.org and influx.bucket";
    let Err(DetectError::Configuration { reason }) = client.detect().await else { panic!() };
    assert_eq!(reason, format!("{} is {expected}", server.url));
    let verdict = client.write(Product::V2, Bytes::from("m f=1 1\n")).await;
    let reason = "InfluxDB 2 needs influx.org and influx.bucket".to_owned();
    assert_eq!(verdict, Verdict::Configuration { reason });
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let fixed = |product| InfluxConfig { version: VersionSetting::Fixed(product), ..config("http://h") };
    let token = InfluxConfig { token: Some(Secret::new("T\n")), ..v1("http://h") };
    let missing = InfluxConfig { tls_ca_location: Some("/no/such/file".into()), ..v1("https://h") };
    for (config, expected) in [
        (config("influx:8086"), "influx.url: \"influx:8086\" is not http(s)://host[:port][/prefix]: the scheme"),
        (config("http://u:p@h"), "influx.url: \"…@h\" is not http(s)://host[:port][/prefix]: put user and password"),
        (config("http://h?db=x"), "influx.url: \"http://h?db=x\" is not http(s)://host[:port][/prefix]: leave"),
        (config("h"), "influx.url: \"h\" is not http(s)://host[:port][/prefix]: relative URL without a base"),
        (fixed(Product::V1), "InfluxDB 1 needs influx.database: set it"),
        (fixed(Product::V2), "InfluxDB 2 needs influx.org and influx.bucket: set them"),
        (token, "influx.token: it holds a character"),
        (missing, "influx.tls.ca.location: cannot read /no/such/file"),
    ] {
        let error = InfluxClient::new(&config, "c").unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}
