//! The InfluxDB client against servers that behave like InfluxDB 1, 2 and 3, from detection to the points that are stored.

use std::time::Duration;

use sluice::config::{Compression, InfluxConfig, Product, Secret, VersionSetting};
use sluice::sink::influx::InfluxClient;
use sluice::sink::verdict::{RejectedLine, Verdict};

use crate::support::scripted_influx::{Scripted, ScriptedInflux, Value};

const LINES: &str = "cryptos BTC-USD=19890.1212 1000000000000000001\ncryptos ETH-USD=1e3 1000000000000000001\n\
                     trades,symbol=BTC-USD,desk=a size=2i,side=\"buy\" 1000000000000000002\n";

/// Settings that fit every one of the scripted servers.
fn config(server: &ScriptedInflux) -> InfluxConfig {
    InfluxConfig {
        url: server.url().to_owned(),
        version: VersionSetting::Auto,
        database: Some("prices".into()),
        retention_policy: None,
        username: None,
        password: None,
        org: Some("desk".into()),
        bucket: Some("prices".into()),
        token: Some(Secret::new("t0ken")),
        compression: Compression::Gzip,
        request_timeout: Duration::from_secs(20),
        connect_timeout: Duration::from_secs(5),
        tls_ca_location: None,
        tls_insecure: false,
    }
}

fn client(config: &InfluxConfig) -> InfluxClient {
    InfluxClient::new(config, "contract").unwrap()
}

fn servers() -> [(Product, ScriptedInflux); 3] {
    [
        (Product::V1, ScriptedInflux::v1("prices")),
        (Product::V2, ScriptedInflux::v2("desk", "prices", "t0ken")),
        (Product::V3, ScriptedInflux::v3("prices", "t0ken")),
    ]
}

async fn write(client: &InfluxClient, product: Product, lines: &str) -> Verdict {
    client.write(product, lines.to_owned().into()).await
}

#[tokio::test]
async fn every_product_is_recognised_and_stores_what_is_sent_once_however_often() {
    for (product, server) in servers() {
        let client = client(&config(&server));
        assert_eq!(client.detect().await.unwrap().product, product);
        let long = LINES.repeat(20);
        for _ in 0..3 {
            assert_eq!(write(&client, product, &long).await, Verdict::Done, "{product}");
        }
        server.wait_until(Duration::from_secs(10), |seen| seen.lines == 180);
        assert_eq!(server.seen(|seen| (seen.writes, seen.gzipped, seen.connections)), (3, 3, 1), "{product}");
        let points = server.points();
        assert_eq!(points.len(), 2);
        let prices = &points["cryptos"][&1_000_000_000_000_000_001];
        assert_eq!(prices["BTC-USD"], Value::Float(19_890.121_2));
        assert_eq!(prices["ETH-USD"], Value::Float(1_000.0));
        let trade = &points["trades,desk=a,symbol=BTC-USD"][&1_000_000_000_000_000_002];
        assert_eq!((&trade["size"], &trade["side"]), (&Value::Integer(2), &Value::Text("buy".into())));
    }
}

#[tokio::test]
async fn a_line_that_cannot_be_parsed_is_named() {
    let bad = "cryptos BTC-USD=1 1\ncryptos BTC-USD 2\ncryptos BTC-USD=3 3\n";
    for (product, server) in servers() {
        let verdict = write(&client(&config(&server)), product, bad).await;
        let Verdict::RejectedLines { stored_rest, lines, complete, reason } = verdict else { panic!("{verdict:?}") };
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(line.find_in(bad.as_bytes()), [1], "{product}: {line:?}");
        let (number, text) = match product {
            Product::V1 | Product::V2 => (None, "cryptos BTC-USD 2"),
            Product::V3 => (Some(2), "cryptos BTC-USD 2"),
        };
        assert_eq!((line.number, line.text.as_deref()), (number, Some(text)));
        assert_eq!(complete, product != Product::V2, "InfluxDB 1 names every line it could not parse");
        assert_eq!(stored_rest, product != Product::V2);
        assert_eq!(server.points().len(), usize::from(stored_rest), "{product}");
        assert!(reason.starts_with(&format!("POST {}", server.url())), "{reason}");
    }
}

#[tokio::test]
async fn a_value_of_another_type_is_refused_alone() {
    let bad = "m f=1 1\nm f=\"x\" 2\nm f=3 3\n";
    for (product, server) in servers() {
        let verdict = write(&client(&config(&server)), product, bad).await;
        let Verdict::RejectedLines { stored_rest: true, lines, .. } = verdict else { panic!("{verdict:?}") };
        let numbers: Vec<_> = lines.iter().map(|line: &RejectedLine| line.number).collect();
        assert_eq!(numbers, if product == Product::V3 { vec![Some(2)] } else { vec![] });
        assert_eq!(server.points()["m"].keys().collect::<Vec<_>>(), [&1, &3], "{product}");
    }
}

#[tokio::test]
async fn wrong_settings_are_told_with_what_to_do() {
    for (product, server) in servers() {
        let wrong = InfluxConfig {
            database: Some("-other".into()),
            bucket: Some("other".into()),
            token: Some(Secret::new("t0ken")),
            ..config(&server)
        };
        let verdict = write(&client(&wrong), product, LINES).await;
        let Verdict::Configuration { reason } = verdict else { panic!("{verdict:?}") };
        let expected = match product {
            Product::V1 => "404: database not found: \"-other\"; create the database or correct influx.database",
            Product::V2 => "404: bucket \"other\" not found; create the bucket or correct influx.org and influx.bucket",
            Product::V3 => "400: db name did not start with a number or letter; correct influx.database",
        };
        assert!(reason.ends_with(expected), "{reason}");
        if product != Product::V1 {
            let stranger = InfluxConfig { token: Some(Secret::new("other")), ..config(&server) };
            let verdict = write(&client(&stranger), product, LINES).await;
            let Verdict::Configuration { reason } = verdict else { panic!("{verdict:?}") };
            assert!(reason.ends_with("; check influx.token") && reason.contains(": 401: "), "{reason}");
            assert_eq!(client(&stranger).detect().await.unwrap().product, product, "known without a right token");
        }
        assert!(server.points().is_empty());
    }
    let server = ScriptedInflux::v1("prices");
    let wrong = InfluxConfig { retention_policy: Some("week".into()), ..config(&server) };
    let verdict = write(&client(&wrong), Product::V1, LINES).await;
    let Verdict::Configuration { reason } = verdict else { panic!("{verdict:?}") };
    assert!(reason.contains("500: retention policy not found: week"), "{reason}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_too_large_and_an_empty_one_needs_no_storing() {
    let server = ScriptedInflux::v3("prices", "t0ken");
    let client = client(&config(&server));
    let verdict = write(&client, Product::V3, &LINES.repeat(10_485_760 / LINES.len() + 1)).await;
    assert!(matches!(verdict, Verdict::TooLarge { .. }), "{verdict:?}");
    assert_eq!(write(&client, Product::V3, "").await, Verdict::Done);
    assert_eq!(server.seen(|seen| seen.statuses.clone()), [413, 400]);
}

#[tokio::test]
async fn scripted_answers_come_first_in_their_order() {
    let server = ScriptedInflux::v2("desk", "prices", "t0ken");
    server.answer_next([
        Scripted::new(503, "").header("Retry-After", "3"),
        Scripted::new(500, "lost").but_store(),
        Scripted::hang(),
    ]);
    server.answer_always(Some(Scripted::new(401, "")));
    let client = client(&InfluxConfig { request_timeout: Duration::from_millis(300), ..config(&server) });
    let verdict = write(&client, Product::V2, LINES).await;
    assert!(matches!(verdict, Verdict::Transient { retry_after: Some(wait), .. } if wait == Duration::from_secs(3)));
    assert!(server.points().is_empty());
    assert!(matches!(write(&client, Product::V2, LINES).await, Verdict::Transient { .. }));
    assert_eq!(server.points().len(), 2, "stored, although the answer said otherwise");
    assert!(matches!(write(&client, Product::V2, LINES).await, Verdict::Transient { .. }));
    for _ in 0..2 {
        assert!(matches!(write(&client, Product::V2, LINES).await, Verdict::Configuration { .. }));
    }
    server.answer_always(None);
    assert_eq!(write(&client, Product::V2, LINES).await, Verdict::Done);
}
