//! The whole demo with a stand-in for the connector: a consumer that turns prices into lines by itself and posts them.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rdkafka::ClientConfig;
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::testing::request;
use super::*;

/// Something the stand-in does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// Every tenth price is lost.
    Loses,
    /// All prices of a millisecond get its timestamp.
    Collapses,
    /// Every tenth price is another.
    Alters,
    /// It ends with an error.
    Fails,
}

struct StandIn {
    stop: Arc<AtomicBool>,
    fault: Fault,
    thread: JoinHandle<()>,
}

impl RunningConnector for StandIn {
    fn listener(&self) -> Option<SocketAddr> {
        None
    }

    async fn failed(&mut self) -> BoxError {
        if self.fault == Fault::Fails { "out of luck".into() } else { std::future::pending().await }
    }

    async fn stop(self) -> Result<(), BoxError> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the stand-in panicked".into())
    }
}

async fn connect(inputs: ConnectorInputs, fault: Fault) -> Result<StandIn, BoxError> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &inputs.bootstrap).set("group.id", "demo").set("auto.offset.reset", "earliest");
    for (key, value) in inputs.consumer_overrides {
        config.set(*key, *value);
    }
    let consumer: BaseConsumer = config.create()?;
    consumer.subscribe(&[&inputs.topic])?;
    let url = format!("{}/write?db={}&precision=ns", inputs.influx_url, inputs.database);
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let thread = std::thread::spawn(move || forward(&consumer, &url, fault, &stopped));
    Ok(StandIn { stop, fault, thread })
}

fn forward(consumer: &BaseConsumer, url: &str, fault: Fault, stop: &AtomicBool) {
    let mut number = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let mut body = String::new();
        while let Some(record) = consumer.poll(Duration::from_millis(if body.is_empty() { 20 } else { 0 })) {
            let record = record.unwrap();
            let (symbol, price) = std::str::from_utf8(record.payload().unwrap()).unwrap().split_once(',').unwrap();
            number += 1;
            if fault == Fault::Loses && number.is_multiple_of(10) {
                continue;
            }
            let price = if fault == Fault::Alters && number.is_multiple_of(10) { "1.5" } else { price };
            let within = if fault == Fault::Collapses { 0 } else { record.offset() % 1_000_000 };
            let timestamp = record.timestamp().to_millis().unwrap() * 1_000_000 + within;
            body.push_str(&format!("cryptos {symbol}={price} {timestamp}\n"));
        }
        if !body.is_empty() {
            assert_eq!(request("POST", url, "", body.as_bytes()).status, 204);
        }
    }
}

fn options(rate: u32) -> DemoOptions {
    DemoOptions { duration: None, rate: NonZeroU32::new(rate).unwrap(), seed: 7, live: false, log: LogTail::default() }
}

/// Runs the parts as [`run`] does, but without a view, until `prices` are sent.
async fn transfer(fault: Fault, rate: u32, prices: u64) -> Summary {
    let board = Arc::new(Board::new());
    let broker = Broker::start(TOPIC, PARTITIONS).unwrap();
    let receiver = Receiver::start(Arc::clone(&board)).await.unwrap();
    let inputs = ConnectorInputs {
        bootstrap: broker.bootstrap().to_owned(),
        topic: TOPIC.to_owned(),
        influx_url: receiver.url(),
        database: DATABASE.to_owned(),
        consumer_overrides: CONSUMER_OVERRIDES,
        extra_routes: page::router(Arc::clone(&board)),
    };
    let connector = connect(inputs, fault).await.unwrap();
    let rate = NonZeroU32::new(rate).unwrap();
    let walk = Walk::new(7, rate, SYMBOLS.len());
    let feed = Feed::start(broker.bootstrap(), TOPIC, PARTITIONS, walk, rate, Arc::clone(&board)).unwrap();
    board.arrived(prices).await;
    let sent = spawn_blocking(|| feed.stop()).await.unwrap().unwrap();
    // A faulty stand-in never brings all: then what it has read of the topic is what counts.
    let expected = if fault == Fault::None || fault == Fault::Alters { sent.prices } else { prices };
    board.arrived(expected).await;
    connector.stop().await.unwrap();
    Summary::of(&board, sent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_price_arrives_once_with_its_value() {
    let summary = transfer(Fault::None, 20_000, 20_000).await;
    assert!(summary.is_complete(), "{summary}");
    assert!(summary.sent.prices >= 20_000);
    assert!(summary.to_string().contains("complete: every price"), "{summary}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lossy_connector_is_found_out() {
    let summary = transfer(Fault::Loses, 20_000, 2_000).await;
    assert!(!summary.is_complete() && summary.to_string().contains("prices are missing"), "{summary}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collapsing_points_are_found_out() {
    let summary = transfer(Fault::Collapses, 5_000, 200).await;
    assert!(!summary.is_complete() && summary.received.points > summary.received.distinct, "{summary}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn altered_values_are_found_out() {
    let summary = transfer(Fault::Alters, 5_000, 2_000).await;
    assert!(!summary.is_complete() && summary.to_string().contains("differ in symbol or value"), "{summary}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_ends_when_told_and_returns_a_complete_summary() {
    let board = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&board);
    let stop = async move {
        // Stops at once: even then what was sent before has to arrive.
        asked.store(true, Ordering::Relaxed);
    };
    let summary = run(options(2_000), stop, |inputs| connect(inputs, Fault::None)).await.unwrap();
    assert!(board.load(Ordering::Relaxed));
    assert!(summary.is_complete(), "{summary}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_ends_after_its_duration() {
    let options = DemoOptions { duration: Some(Duration::from_millis(1_500)), ..options(2_000) };
    let summary = run(options, std::future::pending(), |inputs| connect(inputs, Fault::None)).await.unwrap();
    assert!(summary.is_complete() && summary.sent.prices > 16, "{summary}");
    assert!(summary.freshness.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_reports_a_connector_that_fails_or_does_not_start() {
    let error = run(options(100), std::future::pending(), |inputs| connect(inputs, Fault::Fails)).await.unwrap_err();
    assert!(matches!(&error, DemoError::Connector(reason) if reason.to_string() == "out of luck"), "{error:?}");
    let refuse = |_| async { Err::<StandIn, BoxError>(Box::new(io::Error::other("no module"))) };
    let error = run(options(100), std::future::pending(), refuse).await.unwrap_err();
    assert!(matches!(&error, DemoError::Connect(reason) if reason.to_string() == "no module"), "{error:?}");
}
