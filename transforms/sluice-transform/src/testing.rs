//! Runs a transform natively, through the same columns as in the host: for the tests of a transform.

use std::cell::RefCell;

use crate::Transform;
use crate::bindings::sluice::transform::log::Level;
use crate::bindings::sluice::transform::types::{Batch, Column, HeaderColumns, NullableColumn, Setting};
use crate::columns::Instance;

/// A record to be transformed. Make one with [`Record::value`] or [`Record::tombstone`] and add what matters.
#[derive(Clone, Debug, Default)]
pub struct Record {
    value: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    timestamp_ms: Option<i64>,
    offset: Option<i64>,
    topic: String,
    partition: i32,
}

impl Record {
    /// A record with a value.
    pub fn value(value: impl AsRef<[u8]>) -> Self {
        Self { value: Some(value.as_ref().to_vec()), ..Self::default() }
    }

    /// A record whose value is null.
    pub fn tombstone() -> Self {
        Self::default()
    }

    /// With a key; without one the key is null.
    #[must_use]
    pub fn key(mut self, key: impl AsRef<[u8]>) -> Self {
        self.key = Some(key.as_ref().to_vec());
        self
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: Option<&[u8]>) -> Self {
        self.headers.push((name.as_bytes().to_vec(), value.map(<[u8]>::to_vec)));
        self
    }

    /// With a timestamp in milliseconds.
    #[must_use]
    pub fn timestamp_ms(mut self, timestamp_ms: i64) -> Self {
        self.timestamp_ms = Some(timestamp_ms);
        self
    }

    /// With an offset; without one it is the record's index in the batch.
    #[must_use]
    pub fn offset(mut self, offset: i64) -> Self {
        self.offset = Some(offset);
        self
    }

    /// Of a topic. The first record's counts for the batch.
    #[must_use]
    pub fn topic(mut self, topic: &str) -> Self {
        topic.clone_into(&mut self.topic);
        self
    }

    /// Of a partition. The first record's counts for the batch.
    #[must_use]
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = partition;
        self
    }
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Each line, with the index of its record.
    pub lines: Vec<(usize, String)>,
    /// Each reject: the index of its record and the reason, as the host gets it.
    pub rejects: Vec<(usize, String)>,
    /// What was logged.
    pub logs: Vec<String>,
}

thread_local! {
    static LOGS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn record_log(level: Level, message: &str) {
    let level = match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    };
    LOGS.with_borrow_mut(|logs| logs.push(format!("{level}: {message}")));
}

/// Configures a transform and gives it one batch.
///
/// # Errors
/// The settings are refused.
///
/// # Panics
/// A line is not UTF-8, which the line builder does not let through.
pub fn run<T: Transform>(settings: &[(&str, &str)], records: &[Record]) -> Result<Outcome, String> {
    LOGS.take();
    let (mut instance, inputs) = Instance::<T>::configure(self::settings(settings))?;
    let mut batch = batch(records);
    if !inputs.keys {
        batch.keys = NullableColumn { column: column([]), nulls: Vec::new() };
    }
    if !inputs.headers {
        batch.headers = headers(&[]);
    }
    if !inputs.timestamps {
        batch.timestamps.clear();
    }
    if !inputs.offsets {
        batch.offsets.clear();
    }
    let output = instance.transform(&batch);
    assert_eq!(output.lines.ends.len(), output.records.len(), "a record for each line");
    Ok(Outcome {
        lines: strings(&output.lines, &output.records),
        rejects: strings(&output.rejects.reasons, &output.rejects.records),
        logs: LOGS.take(),
    })
}

/// Settings as the host sends them.
pub fn settings(settings: &[(&str, &str)]) -> Vec<Setting> {
    settings.iter().map(|&(key, value)| Setting { key: key.to_owned(), value: value.to_owned() }).collect()
}

/// Records as the host sends them, with every optional column.
pub fn batch(records: &[Record]) -> Batch {
    Batch {
        topic: records.first().map(|record| record.topic.clone()).unwrap_or_default(),
        partition: records.first().map_or(0, |record| record.partition),
        values: nullable(records.iter().map(|record| record.value.as_deref())),
        keys: nullable(records.iter().map(|record| record.key.as_deref())),
        headers: headers(records),
        timestamps: records.iter().map(|record| record.timestamp_ms.unwrap_or(-1)).collect(),
        offsets: (0..).zip(records).map(|(index, record)| record.offset.unwrap_or(index)).collect(),
    }
}

fn headers(records: &[Record]) -> HeaderColumns {
    let all = || records.iter().flat_map(|record| &record.headers);
    let mut count = 0;
    HeaderColumns {
        ends: records
            .iter()
            .map(|record| {
                count += record.headers.len() as u32;
                count
            })
            .collect(),
        names: column(all().map(|(name, _)| name.as_slice())),
        values: nullable(all().map(|(_, value)| value.as_deref())),
    }
}

fn nullable<'a>(strings: impl Iterator<Item = Option<&'a [u8]>> + Clone) -> NullableColumn {
    let nulls = (0..).zip(strings.clone()).filter(|(_, string)| string.is_none()).map(|(index, _)| index).collect();
    NullableColumn { column: column(strings.map(Option::unwrap_or_default)), nulls }
}

fn column<'a>(strings: impl IntoIterator<Item = &'a [u8]>) -> Column {
    let mut column = Column { bytes: Vec::new(), ends: Vec::new() };
    for string in strings {
        column.bytes.extend_from_slice(string);
        column.ends.push(column.bytes.len() as u32);
    }
    column
}

fn strings(column: &Column, records: &[u32]) -> Vec<(usize, String)> {
    let mut start = 0;
    let strings = column.ends.iter().map(|&end| {
        let string = &column.bytes[start..end as usize];
        start = end as usize;
        std::str::from_utf8(string).expect("the line builder lets only UTF-8 through").to_owned()
    });
    records.iter().map(|&record| record as usize).zip(strings).collect()
}
