//! Dead letters as a connector writes them.

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer};

use super::kafka::Topic;
use super::points::{Points, Record};
use super::wait::DEADLINE;

/// A dead letter of a record that was at `offset` of its partition in `topic`.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) record: Record,
    pub(crate) topic: String,
    pub(crate) offset: i64,
    pub(crate) connector: String,
    pub(crate) stage: &'static str,
    pub(crate) reason: String,
    pub(crate) line: Option<&'static str>,
    pub(crate) omitted: Option<&'static str>,
    /// `errors.deadletterqueue.context.headers.enable`.
    pub(crate) context: bool,
}

// === impl Letter ===

impl Letter {
    pub(crate) fn new(connector: &str, (topic, offset): (&str, i64), record: Record) -> Self {
        Self {
            record,
            topic: topic.to_owned(),
            offset,
            connector: connector.to_owned(),
            stage: "transform",
            reason: "as asked".to_owned(),
            line: None,
            omitted: None,
            context: true,
        }
    }

    /// The point that the record would have become.
    pub(crate) fn point(&self) -> Option<((String, i64), f64)> {
        self.record.point(&self.topic, self.offset)
    }

    fn headers(&self) -> OwnedHeaders {
        // Of its own the record has these, of which one is named like ours.
        let mut headers = vec![("trace", "abc".to_owned()), ("sluice.line", "the record's own".to_owned())];
        if self.context {
            headers.extend([
                ("__connect.errors.topic", self.topic.clone()),
                ("__connect.errors.partition", self.record.partition.to_string()),
                ("__connect.errors.offset", self.offset.to_string()),
                ("__connect.errors.connector.name", self.connector.clone()),
                ("__connect.errors.task.id", "0".to_owned()),
                ("__connect.errors.stage", if self.stage == "sink" { "TASK_PUT" } else { "TRANSFORMATION" }.to_owned()),
                ("__connect.errors.class.name", format!("sluice::{}", self.stage)),
                ("__connect.errors.exception.class.name", "Rejected".to_owned()),
                ("__connect.errors.exception.message", self.reason.clone()),
                ("__connect.errors.exception.stacktrace", format!("Rejected: {}", self.reason)),
                ("sluice.stage", self.stage.to_owned()),
                ("sluice.module.digest", "00ff".to_owned()),
                ("sluice.reason", self.reason.clone()),
            ]);
            headers.extend(self.line.map(|line| ("sluice.line", line.to_owned())));
            headers.extend(self.omitted.map(|omitted| ("sluice.omitted", omitted.to_owned())));
        }
        headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(value) }))
    }
}

/// Puts letters into a partition of a dead-letter topic, in their order.
pub(crate) fn produce(dead: &Topic, partition: i32, letters: &[Letter]) {
    let producer = dead.producer();
    for letter in letters {
        let mut record = BaseRecord::<str, str>::to(&dead.name)
            .partition(partition)
            .timestamp(letter.record.timestamp_ms)
            .key("the key")
            .headers(letter.headers());
        record.payload = letter.record.value.as_deref();
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.poll(std::time::Duration::ZERO);
    }
    producer.flush(DEADLINE).unwrap();
}

/// What their records would have become.
pub(crate) fn expected(letters: &[Letter]) -> Points {
    let mut points = Points::default();
    points.extend(letters.iter().filter_map(Letter::point));
    points
}
