//! One record, borrowed from the columns of its batch.

use crate::bindings::sluice::transform::types::{Batch, Column, NullableColumn};

/// A Kafka record. What is not in [`Transform::inputs`](crate::Transform::inputs) is absent.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    batch: &'a Batch,
    index: usize,
    value: Option<&'a [u8]>,
}

impl<'a> Record<'a> {
    #[inline]
    pub(crate) fn new(batch: &'a Batch, index: usize, value: Option<&'a [u8]>) -> Self {
        Self { batch, index, value }
    }

    /// The value; none for a tombstone.
    #[inline]
    pub fn value(&self) -> Option<&'a [u8]> {
        self.value
    }

    /// The key; none if it is null or keys are not in the inputs.
    pub fn key(&self) -> Option<&'a [u8]> {
        nullable(&self.batch.keys, self.index)
    }

    /// The headers in their order; none at all if headers are not in the inputs. A name may occur more than once.
    pub fn headers(&self) -> Headers<'a> {
        let ends = &self.batch.headers.ends;
        let end = ends.get(self.index).map_or(0, |&end| end as usize);
        let next = if self.index == 0 || end == 0 { 0 } else { ends[self.index - 1] as usize };
        Headers { batch: self.batch, next, end }
    }

    /// Kafka's record timestamp in milliseconds since 1970; none if the record has none or timestamps are not in the
    /// inputs.
    pub fn timestamp_ms(&self) -> Option<i64> {
        self.batch.timestamps.get(self.index).copied().filter(|&timestamp_ms| timestamp_ms != -1)
    }

    /// The record's offset; none if offsets are not in the inputs.
    pub fn offset(&self) -> Option<i64> {
        self.batch.offsets.get(self.index).copied()
    }

    /// The topic.
    pub fn topic(&self) -> &'a str {
        &self.batch.topic
    }

    /// The partition.
    pub fn partition(&self) -> i32 {
        self.batch.partition
    }
}

/// A header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its name. The host sends UTF-8.
    pub name: &'a [u8],
    /// Its value, which may be null.
    pub value: Option<&'a [u8]>,
}

/// The headers of a record, in order.
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    batch: &'a Batch,
    next: usize,
    end: usize,
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        if self.next == self.end {
            return None;
        }
        let name = entry(&self.batch.headers.names, self.next).unwrap_or_default();
        let value = nullable(&self.batch.headers.values, self.next);
        self.next += 1;
        Some(Header { name, value })
    }
}

fn nullable(column: &NullableColumn, index: usize) -> Option<&[u8]> {
    let is_null = column.nulls.binary_search(&u32::try_from(index).ok()?).is_ok();
    if is_null { None } else { entry(&column.column, index) }
}

fn entry(column: &Column, index: usize) -> Option<&[u8]> {
    let end = *column.ends.get(index)? as usize;
    let start = if index == 0 { 0 } else { column.ends[index - 1] as usize };
    Some(&column.bytes[start..end])
}
