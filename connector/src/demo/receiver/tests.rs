//! The receiver as the connector's sink meets it, over HTTP.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::super::testing::{Answer, request};
use super::*;

async fn started() -> (Arc<Board>, Receiver) {
    let board = Arc::new(Board::new());
    let receiver = Receiver::start(Arc::clone(&board)).await.unwrap();
    (board, receiver)
}

fn post(receiver: &Receiver, query: &str, headers: &str, body: &[u8]) -> Answer {
    let answer = request("POST", &format!("{}/write?{query}", receiver.url()), headers, body);
    assert!(answer.status == 413 || answer.headers.contains("x-influxdb-version: 1.8.10"), "{answer:?}");
    answer
}

const QUERY: &str = "db=demo&precision=ns";
const GZIP: &str = "content-encoding: gzip\r\n";

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ping_says_influxdb_1() {
    let (_board, receiver) = started().await;
    for method in ["GET", "HEAD"] {
        let got = request(method, &format!("{}/ping", receiver.url()), "", b"");
        assert!(got.headers.contains("x-influxdb-version: 1.8.10"), "{got:?}");
        assert_eq!((got.status, got.body.as_str()), (204, ""));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn write_keeps_the_latest_price_of_each_symbol() {
    let (board, receiver) = started().await;
    let now = unix_ns();
    let body = format!(
        "cryptos BTC-USD=2 {}\ncryptos BTC-USD=1.5 {now}\ncryptos A\\ B\\=C=0.25 {now}\n# a comment\n",
        now + 1
    );
    assert_eq!(post(&receiver, QUERY, "", body.as_bytes()).status, 204);
    let snapshot = board.snapshot();
    let prices: Vec<_> = snapshot.symbols.iter().map(|symbol| (symbol.symbol.as_str(), symbol.price)).collect();
    assert_eq!(prices, [("BTC-USD", 2.0), ("A B=C", 0.25)]);
    assert_eq!((snapshot.points, snapshot.repeats), (3, 0));
    assert!(snapshot.freshness.unwrap().p99_ms < 10_000.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn write_reads_gzip_and_lines_without_a_timestamp() {
    let (board, receiver) = started().await;
    assert_eq!(post(&receiver, "db=demo", GZIP, &gzip(b"cryptos SOL-USD=151.25\n")).status, 204);
    let symbols = board.snapshot().symbols;
    assert_eq!((symbols[0].symbol.as_str(), symbols[0].price), ("SOL-USD", 151.25));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faulty_lines_are_400_and_the_others_are_kept() {
    let (board, receiver) = started().await;
    for (line, why) in [
        ("cryptos", "unable to parse 'cryptos': "),
        ("cryptos BTC-USD=", "unable to parse 'cryptos BTC-USD=': "),
        ("cryptos BTC-USD=abc 1", "unable to parse"),
        ("cryptos BTC-USD=\"1\" 1", "is not a number"),
    ] {
        let got = post(&receiver, QUERY, "", line.as_bytes());
        let error = serde_json::from_str::<serde_json::Value>(&got.body).unwrap();
        let error = error["error"].as_str().unwrap();
        assert!(got.status == 400 && error.contains(why), "{line}: {} {error}", got.status);
        assert!(!error.starts_with("partial write"), "{error}");
    }
    assert_eq!(board.account().points, 0);

    let got = post(&receiver, QUERY, "", b"cryptos BTC-USD=1 1\ncryptos x\ncryptos BTC-USD=2 2");
    assert_eq!(got.status, 400);
    assert!(got.body.contains("partial write: unable to parse 'cryptos x'"), "{}", got.body);
    assert_eq!(board.account().points, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_requests_are_refused_with_the_reason() {
    let (board, receiver) = started().await;
    let line = b"cryptos BTC-USD=1 1";
    for (query, why) in
        [("", "database is required"), ("db=", "database is required"), ("db=x&precision=ms", "invalid precision")]
    {
        let got = post(&receiver, query, "", line);
        assert!(got.status == 400 && got.body.contains(why), "{query}: {} {}", got.status, got.body);
    }
    let got = post(&receiver, QUERY, GZIP, line);
    assert_eq!(got.status, 400, "{}", got.body);
    let bomb = gzip(&vec![b'#'; BODY_BYTES_MAX + 1]);
    let got = post(&receiver, QUERY, GZIP, &bomb);
    assert_eq!(got.status, 413, "{}", got.body);
    let got = post(&receiver, QUERY, "", &[0xff, 0xfe]);
    assert!(got.status == 400 && got.body.contains("not UTF-8"), "{}", got.body);
    assert_eq!(board.account().points, 0);
}

#[test]
fn answers_to_hopeless_bodies_stay_short() {
    let body = format!("cryptos {}\n", "x".repeat(5_000)).repeat(1_000);
    let (points, faults) = read_points(&body, 0);
    let refusal = judge(&points, &faults, 0).unwrap_err();
    assert!(refusal.message.len() < 8_000 * FAULTS_NAMED_MAX, "{}", refusal.message.len());
    assert_eq!(faults.len(), FAULTS_NAMED_MAX);
}
