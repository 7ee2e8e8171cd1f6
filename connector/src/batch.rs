//! A batch: records of one partition, copied once out of librdkafka's memory into an arena, as the columns that a
//! transform takes.

use crate::record::OffsetRange;

/// The most records in one batch: one call of the transform. More would let the arena fall out of the core's L2 cache,
/// fewer would show the fixed cost of a call (about 1 µs).
pub const BATCH_MAX_RECORDS: usize = 4096;

/// The bytes at which a batch is cut: those of values, and of keys and headers if they are wanted. One record may exceed it: Kafka bounds a record, not we.
pub const BATCH_MAX_BYTES: usize = 256 * 1024;

/// Byte strings laid end to end; string `i` ends at `ends[i]`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Column {
    /// All bytes.
    pub bytes: Vec<u8>,
    /// The end position of each string.
    pub ends: Vec<u32>,
}

/// A column whose strings may be null; a null is an empty string whose index is in `nulls`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct NullableColumn {
    /// The strings.
    pub column: Column,
    /// The indexes of nulls, ascending.
    pub nulls: Vec<u32>,
}

/// The headers of all records of a batch.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct HeaderColumns {
    /// Per record: how many headers it and all before it have.
    pub ends: Vec<u32>,
    /// The names.
    pub names: Column,
    /// The values.
    pub values: NullableColumn,
}

/// Which optional columns are filled, as the transform's `configure` answered.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Inputs {
    /// Fill `keys`.
    pub keys: bool,
    /// Fill `headers`.
    pub headers: bool,
    /// Hand `timestamps` to the transform (the host keeps them in any case).
    pub timestamps: bool,
    /// Hand `offsets` to the transform (the host keeps them in any case).
    pub offsets: bool,
}

/// One record, borrowed from wherever it is.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Its offset in the partition.
    pub offset: i64,
    /// Milliseconds since 1970, -1 if it has none.
    pub timestamp: i64,
    /// The key; null is `None`.
    pub key: Option<&'a [u8]>,
    /// The value; a tombstone is `None`.
    pub value: Option<&'a [u8]>,
}

/// Records of one partition in offset order.
#[derive(Debug, Default, Clone)]
pub struct Batch {
    /// The values.
    pub values: NullableColumn,
    /// The keys, empty unless wanted.
    pub keys: NullableColumn,
    /// The headers, empty unless wanted.
    pub headers: HeaderColumns,
    /// Milliseconds since 1970 of each record, -1 where a record has none.
    pub timestamps: Vec<i64>,
    /// The offset of each record, ascending.
    pub offsets: Vec<i64>,
}

// === impl Inputs ===

impl Inputs {
    /// What either of the two wants.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            keys: self.keys || other.keys,
            headers: self.headers || other.headers,
            timestamps: self.timestamps || other.timestamps,
            offsets: self.offsets || other.offsets,
        }
    }
}

// === impl Column ===

impl Column {
    /// Appends a string.
    ///
    /// # Panics
    ///
    /// Past 4 GiB of bytes; a batch is cut long before.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.ends.push(u32::try_from(self.bytes.len()).expect("a batch is cut long before 4 GiB"));
    }

    /// String `index`.
    pub fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        &self.bytes[start..self.ends[index] as usize]
    }

    /// Keeps the memory of an ordinary batch. That of a huge record would add up over partitions and spare batches.
    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(2 * BATCH_MAX_BYTES);
        self.ends.clear();
    }
}

// === impl NullableColumn ===

impl NullableColumn {
    /// Appends a string or a null.
    pub fn push(&mut self, bytes: Option<&[u8]>) {
        if bytes.is_none() {
            self.nulls.push(self.column.ends.len() as u32);
        }
        self.column.push(bytes.unwrap_or_default());
    }

    /// String `index`, `None` if it is null.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let null = self.nulls.binary_search(&(index as u32)).is_ok();
        (!null).then(|| self.column.get(index))
    }

    fn clear(&mut self) {
        self.column.clear();
        self.nulls.clear();
    }
}

// === impl Batch ===

impl Batch {
    /// Appends a record. Headers, if wanted, are pushed right after it with [`Batch::push_header`], then
    /// [`Batch::end_headers`].
    pub fn push(&mut self, record: &Record<'_>, wanted: Inputs) {
        self.values.push(record.value);
        if wanted.keys {
            self.keys.push(record.key);
        }
        self.timestamps.push(record.timestamp);
        self.offsets.push(record.offset);
    }

    /// Appends a header of the record pushed last.
    pub fn push_header(&mut self, name: &[u8], value: Option<&[u8]>) {
        self.headers.names.push(name);
        self.headers.values.push(value);
    }

    /// Ends the headers of the record pushed last.
    pub fn end_headers(&mut self) {
        self.headers.ends.push(self.headers.names.ends.len() as u32);
    }

    /// The number of records.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Whether it has to be handed on before another record is added.
    pub fn is_full(&self) -> bool {
        self.len() >= BATCH_MAX_RECORDS || self.payload_bytes() >= BATCH_MAX_BYTES
    }

    /// Asked for each record, so without what the columns themselves take.
    fn payload_bytes(&self) -> usize {
        let HeaderColumns { names, values, .. } = &self.headers;
        [&self.values.column, &self.keys.column, names, &values.column].iter().map(|column| column.bytes.len()).sum()
    }

    /// The offsets from the first record to the last, `None` without a record.
    pub fn range(&self) -> Option<OffsetRange> {
        Some(OffsetRange { first: *self.offsets.first()?, last: *self.offsets.last()? })
    }

    /// Bytes that the records take.
    pub fn bytes(&self) -> usize {
        let column = |column: &Column| column.bytes.len() + 4 * column.ends.len();
        let nullable = |nullable: &NullableColumn| column(&nullable.column) + 4 * nullable.nulls.len();
        let headers = column(&self.headers.names) + nullable(&self.headers.values) + 4 * self.headers.ends.len();
        nullable(&self.values) + nullable(&self.keys) + headers + 16 * self.len()
    }

    /// Whether every column of `wanted` is filled. Timestamps and offsets always are.
    pub fn holds(&self, wanted: Inputs) -> bool {
        let filled = |ends: &[u32]| ends.len() == self.len();
        (!wanted.keys || filled(&self.keys.column.ends)) && (!wanted.headers || filled(&self.headers.ends))
    }

    /// The index of the record with this offset.
    pub fn index_of(&self, offset: i64) -> Option<usize> {
        self.offsets.binary_search(&offset).ok()
    }

    /// Name and value of each header of record `index`; none if headers were not wanted.
    pub fn headers_of(&self, index: usize) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let ends = &self.headers.ends;
        let start = index.checked_sub(1).and_then(|before| ends.get(before)).map_or(0, |&end| end as usize);
        let end = ends.get(index).map_or(start, |&end| end as usize);
        (start..end).map(|header| (self.headers.names.get(header), self.headers.values.get(header)))
    }

    /// A copy of the records `range` alone: for the search after a record that a transform fails on.
    #[must_use]
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        let mut part = Self::default();
        let (keys, headers) = (!self.keys.column.ends.is_empty(), !self.headers.ends.is_empty());
        for index in range {
            part.values.push(self.values.get(index));
            if keys {
                part.keys.push(self.keys.get(index));
            }
            if headers {
                self.headers_of(index).for_each(|(name, value)| part.push_header(name, value));
                part.end_headers();
            }
            part.timestamps.push(self.timestamps[index]);
            part.offsets.push(self.offsets[index]);
        }
        part
    }

    /// Whether it has held a record and so has memory for others.
    pub fn keeps_memory(&self) -> bool {
        self.offsets.capacity() > 0
    }

    /// Bytes that it keeps for records, whether there are any or not.
    pub fn kept_bytes(&self) -> usize {
        let column = |column: &Column| column.bytes.capacity() + 4 * column.ends.capacity();
        let nullable = |nullable: &NullableColumn| column(&nullable.column) + 4 * nullable.nulls.capacity();
        let headers = column(&self.headers.names) + nullable(&self.headers.values) + 4 * self.headers.ends.capacity();
        let fixed = 8 * (self.timestamps.capacity() + self.offsets.capacity());
        nullable(&self.values) + nullable(&self.keys) + headers + fixed
    }

    /// Forgets the records and keeps the memory.
    pub fn clear(&mut self) {
        self.values.clear();
        self.keys.clear();
        self.headers.ends.clear();
        self.headers.names.clear();
        self.headers.values.clear();
        self.timestamps.clear();
        self.offsets.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: i64, value: Option<&[u8]>) -> Record<'_> {
        Record { offset, timestamp: 7, key: Some(b"k"), value }
    }

    #[test]
    fn null_and_empty_values_differ() {
        let mut batch = Batch::default();
        for (offset, value) in [(3, Some(&b"a"[..])), (5, None), (9, Some(&b""[..]))] {
            batch.push(&record(offset, value), Inputs::default());
        }
        assert_eq!(batch.values.get(0), Some(&b"a"[..]));
        assert_eq!(batch.values.get(1), None);
        assert_eq!(batch.values.get(2), Some(&b""[..]));
        assert_eq!(batch.range(), Some(OffsetRange { first: 3, last: 9 }));
        assert!(batch.keys.column.ends.is_empty(), "a column that is not wanted is not copied");
        assert!(batch.holds(Inputs { offsets: true, timestamps: true, ..Inputs::default() }));
        assert!(!batch.holds(Inputs { keys: true, ..Inputs::default() }));
    }

    #[test]
    fn a_slice_holds_its_records_whole() {
        let mut batch = Batch::default();
        let wanted = Inputs { keys: true, headers: true, ..Inputs::default() };
        for (offset, value) in [(3, Some(&b"a"[..])), (5, None), (9, Some(&b"ccc"[..]))] {
            batch.push(&record(offset, value), wanted);
            (0..offset).for_each(|n| batch.push_header(format!("h{n}").as_bytes(), (n > 0).then_some(b"v")));
            batch.end_headers();
        }
        assert_eq!(batch.bytes(), batch.clone().bytes());
        assert!(batch.holds(wanted));
        let part = batch.slice(1..3);
        assert_eq!((part.len(), part.index_of(9), part.index_of(3)), (2, Some(1), None));
        for (index, whole) in [(0, 1), (1, 2)] {
            assert_eq!(part.values.get(index), batch.values.get(whole));
            assert_eq!(part.keys.get(index), Some(&b"k"[..]));
            assert!(part.headers_of(index).eq(batch.headers_of(whole)));
            assert_eq!(part.headers_of(index).count() as i64, part.offsets[index]);
            assert_eq!(part.timestamps[index], 7);
        }
        assert!(batch.slice(0..1).bytes() < part.bytes());
    }

    #[test]
    fn a_batch_is_cut_by_records_and_by_bytes() {
        let mut batch = Batch::default();
        while !batch.is_full() {
            batch.push(&record(batch.len() as i64, Some(b"x")), Inputs::default());
        }
        assert_eq!(batch.len(), BATCH_MAX_RECORDS);
        batch.clear();
        assert!(batch.is_empty() && batch.range().is_none());
        batch.push(&record(0, Some(&vec![0; BATCH_MAX_BYTES])), Inputs::default());
        assert!(batch.is_full());
    }

    #[test]
    fn headers_fill_a_batch_too() {
        let mut batch = Batch::default();
        let wanted = Inputs { headers: true, ..Inputs::default() };
        batch.push(&record(0, None), wanted);
        batch.push_header(b"name", Some(&vec![0; BATCH_MAX_BYTES]));
        batch.end_headers();
        assert!(batch.is_full());
    }

    #[test]
    fn the_memory_of_a_huge_record_is_given_back() {
        let mut batch = Batch::default();
        batch.push(&record(0, Some(&vec![0; 40 * BATCH_MAX_BYTES])), Inputs::default());
        batch.clear();
        assert!(batch.values.column.bytes.capacity() <= 2 * BATCH_MAX_BYTES);
    }
}
