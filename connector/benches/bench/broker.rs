//! The broker and the topic: started and filled here, unless `SLUICE_TEST_KAFKA` names a broker.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::process::Child;

/// Symbols of the prices.
const SYMBOLS: [&str; 16] = [
    "BTC-USD", "ETH-USD", "SOL-USD", "XRP-USD", "ADA-USD", "DOT-USD", "LTC-USD", "BCH-USD", "XLM-USD", "UNI-USD",
    "AVA-USD", "ATM-USD", "ALG-USD", "FIL-USD", "TRX-USD", "EOS-USD",
];

/// A broker, ended with this value if it was started here.
pub(crate) struct Broker {
    pub(crate) address: String,
    _services: Option<Child>,
}

// === impl Broker ===

impl Broker {
    pub(crate) fn start() -> Self {
        if let Ok(address) = std::env::var("SLUICE_TEST_KAFKA") {
            return Self { address, _services: None };
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docker/local/services");
        let mut services = Child::spawn(script, &["run", "kafka"], Stdio::piped());
        let mut address = None;
        loop {
            let line = services.line();
            match line.strip_prefix("SLUICE_TEST_KAFKA=") {
                Some(given) => address = Some(given.to_owned()),
                None if line == "READY" => break,
                None => {}
            }
        }
        Self { address: address.expect("the services tell the broker's address"), _services: Some(services) }
    }

    /// Makes a topic and fills it.
    pub(crate) fn fill(&self, topic: &str, partitions: i32, records: u64) {
        self.create(topic, partitions);
        self.produce(topic, partitions, records);
    }

    /// Adds prices of 18 bytes, in lz4 as producers of such topics do.
    pub(crate) fn produce(&self, topic: &str, partitions: i32, records: u64) {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address);
        for (key, value) in [
            ("compression.type", "lz4"),
            ("linger.ms", "20"),
            ("batch.num.messages", "10000"),
            ("batch.size", "1000000"),
            ("queue.buffering.max.messages", "500000"),
        ] {
            config.set(key, value);
        }
        let producer: BaseProducer = config.create().unwrap();
        let mut random = fastrand::Rng::with_seed(7);
        for number in 0..records {
            let symbol = SYMBOLS[(number % 16) as usize];
            let value = format!("{symbol},{:05}.{:04}", random.u32(10_000..100_000), random.u32(0..10_000));
            debug_assert_eq!(value.len(), 18);
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
            let partition = (number / 16 % partitions as u64) as i32;
            let mut record = BaseRecord::<(), str>::to(topic).payload(&value).partition(partition).timestamp(now);
            while let Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) = producer.send(record)
            {
                record = refused;
                producer.poll(Duration::from_millis(10));
            }
            if number % 4096 == 0 {
                producer.poll(Duration::ZERO);
            }
        }
        producer.flush(Duration::from_secs(120)).unwrap();
    }

    /// Makes a topic.
    pub(crate) fn create(&self, topic: &str, partitions: i32) {
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", &self.address).create().unwrap();
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let results = runtime.block_on(admin.create_topics(&[new], &AdminOptions::new())).unwrap();
        results.into_iter().for_each(|result| assert!(result.is_ok(), "could not create the topic: {result:?}"));
    }
}
