//! The broker and the topic: started and filled here, unless `SLUICE_TEST_KAFKA` names a broker.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::services::Services;

/// Symbols of the prices.
const SYMBOLS: [&str; 16] = [
    "BTC-USD", "ETH-USD", "SOL-USD", "XRP-USD", "ADA-USD", "DOT-USD", "LTC-USD", "BCH-USD", "XLM-USD", "UNI-USD",
    "AVA-USD", "ATM-USD", "ALG-USD", "FIL-USD", "TRX-USD", "EOS-USD",
];

/// A broker, ended with this value if it was started here.
pub(crate) struct Broker {
    pub(crate) address: String,
    /// Records that topics were filled with here.
    filled: RefCell<BTreeMap<String, u64>>,
    _services: Option<Services>,
}

/// Records to produce.
#[derive(Clone, Copy)]
pub(crate) struct Load<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partitions: i32,
    pub(crate) records: u64,
    /// Whether each has a key and a header.
    pub(crate) keys: bool,
    /// Writes the value of a record of this number into an empty string.
    pub(crate) value: &'a dyn Fn(u64, &mut fastrand::Rng, &mut String),
}

/// A price of 18 bytes, one of sixteen symbols in turn.
pub(crate) fn price(number: u64, random: &mut fastrand::Rng, value: &mut String) {
    let symbol = SYMBOLS[(number % 16) as usize];
    write!(value, "{symbol},{:05}.{:04}", random.u32(10_000..100_000), random.u32(0..10_000)).unwrap();
}

/// Text that hardly compresses, of which values take their length from a random place on.
pub(crate) struct Filler(String);

impl Filler {
    /// For values of up to so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(11);
        Self((0..2 * bytes).map(|_| random.alphanumeric()).collect())
    }

    /// Makes a value as long as this by another part at its end, which `split-concat` ignores.
    pub(crate) fn pad(&self, value: &mut String, bytes: usize, random: &mut fastrand::Rng) {
        let Some(missing) = bytes.checked_sub(value.len() + 1).filter(|&missing| missing > 0) else { return };
        value.push(',');
        let start = random.usize(..self.0.len() - missing);
        value.push_str(&self.0[start..start + missing]);
    }
}

// === impl Broker ===

impl Broker {
    pub(crate) fn start() -> Self {
        if let Ok(address) = std::env::var("SLUICE_TEST_KAFKA") {
            return Self { address, filled: RefCell::default(), _services: None };
        }
        let services = Services::start(&["kafka"]);
        let address = services.at("SLUICE_TEST_KAFKA").to_owned();
        Self { address, filled: RefCell::default(), _services: Some(services) }
    }

    /// Makes a topic and fills it with prices of 18 bytes.
    pub(crate) fn fill(&self, topic: &str, partitions: i32, records: u64) {
        self.fill_with(&Load { topic, partitions, records, keys: false, value: &price });
    }

    /// Makes a topic, unless that was done before, and adds what is missing of the records.
    pub(crate) fn fill_with(&self, load: &Load<'_>) {
        let there = self.filled.borrow_mut().insert(load.topic.to_owned(), load.records);
        if there.is_none() {
            self.create(load.topic, load.partitions);
        }
        self.load(&Load { records: load.records - there.unwrap_or(0), ..*load });
    }

    /// Adds prices of 18 bytes.
    pub(crate) fn produce(&self, topic: &str, partitions: i32, records: u64) {
        self.load(&Load { topic, partitions, records, keys: false, value: &price });
    }

    /// Adds records, in lz4 as producers of such topics do, and sixteen in turn to a partition.
    fn load(&self, load: &Load<'_>) {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address);
        for (key, value) in [
            ("compression.type", "lz4"),
            ("linger.ms", "20"),
            ("batch.num.messages", "10000"),
            ("batch.size", "1000000"),
            ("message.max.bytes", "1048576"),
            ("queue.buffering.max.messages", "500000"),
        ] {
            config.set(key, value);
        }
        let producer: BaseProducer = config.create().unwrap();
        let (mut random, mut value) = (fastrand::Rng::with_seed(7), String::new());
        for number in 0..load.records {
            value.clear();
            (load.value)(number, &mut random, &mut value);
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
            let partition = (number / 16 % load.partitions as u64) as i32;
            let mut record = BaseRecord::<str, str>::to(load.topic).payload(&value).partition(partition).timestamp(now);
            if load.keys {
                let header = Header { key: "traceparent", value: Some("00-0af7651916cd43dd8448eb211c80319c-01") };
                record = record.key("BTC-USD").headers(OwnedHeaders::new().insert(header));
            }
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
