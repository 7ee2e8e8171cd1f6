//! Which letters are done, exactly, kept where nothing else has to be set up: in the offsets of a group that nobody joins.
//!
//! The committed offset is that of the first letter that is not done, so the group's lag says whether something is left, and every tool
//! shows it. What is done after it stands in the offset's metadata as run lengths: `sluice-dlq-1:3,1200,1,5` is three letters to do,
//! 1,200 done, one to do, five done. Offset and metadata change in one step. A broker takes 4,096 bytes of it
//! (`offset.metadata.max.bytes`), a thousand runs and more; what does not fit counts as to do. So does everything if the metadata is
//! lost: a letter is replayed again then, and writes the points that it has written before. A file would be lost with its machine, a
//! topic of our own would have to be made; a bare offset could not pass over a letter that still fails.

use std::collections::BTreeMap;

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::record::OffsetRange;
use crate::source::read::{ReadError, Span, TIMEOUT, TopicReader};

/// What the metadata begins with. Another number, another form.
const FORM: &str = "sluice-dlq-1:";

/// The most bytes of metadata: a broker's default limit.
const METADATA_MAX: usize = 4096;

/// What is done of one partition of the dead-letter topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Progress {
    /// Everything before is done.
    next: i64,
    /// Runs of offsets that are done after it: first offset to the one after the last. They neither touch nor overlap.
    runs: BTreeMap<i64, i64>,
}

/// Reads and writes progress.
pub(super) struct Notes<'a> {
    reader: &'a TopicReader,
}

// === impl Progress ===

impl Progress {
    /// Nothing is done from `next` on.
    pub(super) fn new(next: i64) -> Self {
        Self { next, runs: BTreeMap::new() }
    }

    /// The first offset that is not done.
    pub(super) fn next(&self) -> i64 {
        self.next
    }

    pub(super) fn is_done(&self, offset: i64) -> bool {
        offset < self.next || self.runs.range(..=offset).next_back().is_some_and(|(_, &end)| offset < end)
    }

    /// Notes that these offsets are done.
    pub(super) fn done(&mut self, range: OffsetRange) {
        let (mut first, mut end) = (range.first, range.last + 1);
        while let Some((&start, &stop)) = self.runs.range(..=end).next_back() {
            if stop < first {
                break;
            }
            self.runs.remove(&start);
            (first, end) = (first.min(start), end.max(stop));
        }
        if first > self.next {
            self.runs.insert(first, end);
        } else {
            self.next = self.next.max(end);
            // A run that begins exactly there was joined above.
        }
    }

    /// The metadata; what does not fit is left out, and so counts as to do.
    fn metadata(&self) -> String {
        let (mut text, mut at) = (String::new(), self.next);
        for (&first, &end) in &self.runs {
            let separator = if text.is_empty() { FORM } else { "," };
            let run = format!("{separator}{},{}", first - at, end - first);
            if text.len() + run.len() > METADATA_MAX {
                break;
            }
            text.push_str(&run);
            at = end;
        }
        text
    }

    /// What a commit says. Metadata in no known form, or that makes no sense, is passed over.
    fn parse(next: i64, metadata: &str) -> Self {
        let nothing = Self::new(next);
        let Some(runs) = metadata.strip_prefix(FORM) else { return nothing };
        let Ok(lengths) = runs.split(',').map(str::parse::<i64>).collect::<Result<Vec<_>, _>>() else { return nothing };
        let (mut parsed, mut at) = (nothing.clone(), next);
        for pair in lengths.chunks(2) {
            let &[to_do, done] = pair else { return nothing };
            let first = at.checked_add(to_do).filter(|_| to_do > 0 && done > 0);
            let Some((first, end)) = first.and_then(|first| Some((first, first.checked_add(done)?))) else {
                return nothing;
            };
            parsed.runs.insert(first, end);
            at = end;
        }
        parsed
    }

    /// The same, with what is not in the topic any more done, and nothing else if it can't belong to this topic.
    fn within(mut self, span: Span) -> Self {
        let last = self.runs.last_key_value().map_or(self.next, |(_, &end)| end);
        if last > span.end {
            // Offsets that the topic does not have: it was deleted and made again.
            return Self::new(span.from);
        }
        if self.next < span.from {
            self.done(OffsetRange { first: self.next, last: span.from - 1 });
        }
        self
    }
}

// === impl Notes ===

impl<'a> Notes<'a> {
    pub(super) fn new(reader: &'a TopicReader) -> Self {
        Self { reader }
    }

    /// What is done of a partition.
    pub(super) fn read(&self, span: Span) -> Result<Progress, ReadError> {
        let mut list = TopicPartitionList::new();
        list.add_partition(self.reader.topic(), span.partition);
        let asked = self.reader.consumer().committed_offsets(list, TIMEOUT);
        let committed = asked.map_err(|error| self.reader.failed("ask for the progress on", error))?;
        let element = committed.find_partition(self.reader.topic(), span.partition);
        let progress = element.and_then(|element| match element.offset() {
            Offset::Offset(next) => Some(Progress::parse(next, element.metadata())),
            _ => None,
        });
        Ok(progress.map_or_else(|| Progress::new(span.from), |progress| progress.within(span)))
    }

    /// Notes what is done of a partition.
    pub(super) fn write(&self, partition: i32, progress: &Progress) -> Result<(), ReadError> {
        match self.commit(partition, progress.next, &progress.metadata()) {
            Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::OffsetMetadataTooLarge)) => {
                tracing::warn!(
                    "offset.metadata.max.bytes of the broker is too small to note every letter that is done"
                );
                self.commit(partition, progress.next, "")
            }
            committed => committed,
        }
        .map_err(|error| self.reader.failed("note the progress on", error))
    }

    fn commit(&self, partition: i32, next: i64, metadata: &str) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::new();
        let mut element = list.add_partition(self.reader.topic(), partition);
        element.set_offset(Offset::Offset(next))?;
        element.set_metadata(metadata);
        self.reader.consumer().commit(&list, CommitMode::Sync)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(first: i64, last: i64) -> OffsetRange {
        OffsetRange { first, last }
    }

    fn read_back(progress: &Progress) -> Progress {
        Progress::parse(progress.next, &progress.metadata())
    }

    #[test]
    fn the_offset_stays_at_the_first_letter_that_is_not_done() {
        let mut progress = Progress::new(10);
        progress.done(range(12, 14));
        assert_eq!((progress.next(), progress.metadata().as_str()), (10, "sluice-dlq-1:2,3"));
        progress.done(range(16, 16));
        assert_eq!(progress.metadata(), "sluice-dlq-1:2,3,1,1");
        let done: Vec<_> = (8..18).filter(|&offset| read_back(&progress).is_done(offset)).collect();
        assert_eq!(done, [8, 9, 12, 13, 14, 16]);
        progress.done(range(10, 11));
        assert_eq!((progress.next(), progress.metadata().as_str()), (15, "sluice-dlq-1:1,1"));
        progress.done(range(15, 15));
        assert_eq!((progress.next(), progress.metadata().as_str()), (17, ""));
    }

    #[test]
    fn what_does_not_fit_counts_as_to_do() {
        let mut progress = Progress::new(0);
        (0..5000).for_each(|number| progress.done(range(2 * number + 1, 2 * number + 1)));
        let read = read_back(&progress);
        assert!(progress.metadata().len() <= METADATA_MAX && read.runs.len() > 1000, "{}", read.runs.len());
        assert!(read.runs.iter().all(|(first, end)| progress.runs.get(first) == Some(end)));
    }

    #[test]
    fn metadata_that_is_not_ours_is_passed_over() {
        for metadata in [
            "",
            "theirs",
            "sluice-dlq-1:",
            "sluice-dlq-1:3",
            "sluice-dlq-1:0,1",
            "sluice-dlq-1:1,-5",
            "sluice-dlq-2:1,1",
        ] {
            assert_eq!(Progress::parse(7, metadata), Progress::new(7), "{metadata}");
        }
        let far = format!("{FORM}1,{}", i64::MAX);
        assert_eq!(Progress::parse(7, &far), Progress::new(7));
    }

    #[test]
    fn progress_follows_the_topic() {
        let span = Span { partition: 0, from: 10, end: 20 };
        let mut progress = Progress::new(5);
        progress.done(range(8, 11));
        assert_eq!(progress.clone().within(span), Progress::new(12), "what retention took is done");
        progress.done(range(25, 25));
        assert_eq!(progress.within(span), Progress::new(10), "the topic is another one");
    }

    proptest! {
        /// Whatever is noted in whatever order, exactly that is done, also after it was written down and read.
        #[test]
        fn exactly_what_was_noted_is_done(ranges in proptest::collection::vec((0i64..60, 0i64..6), 0..30)) {
            let mut progress = Progress::new(5);
            let mut wanted: Vec<bool> = (0..70).map(|offset| offset < 5).collect();
            for (first, more) in ranges {
                progress.done(range(first, first + more));
                (first..=first + more).for_each(|offset| wanted[offset as usize] = true);
            }
            for progress in [read_back(&progress), progress] {
                for (offset, done) in wanted.iter().enumerate() {
                    prop_assert_eq!(progress.is_done(offset as i64), *done, "{} in {:?}", offset, progress);
                }
                prop_assert!(!progress.is_done(progress.next()));
            }
        }
    }
}
