//! The columnar side: what `export!` hands to the host, and what a native benchmark of a transform calls.

use crate::bindings::sluice::transform::types::{self, Batch, Column, Output, Rejects, Setting};
use crate::{Emitter, Record, Settings, Transform};

/// Bytes of output per record for which the first batch gets room.
const LINE_BYTES_FIRST: usize = 48;

/// Bytes of output per record for which a batch gets room at most. Longer lines let the buffer grow: one batch of
/// them must not make the next one, which may have a thousand times the records, ask for all of the memory.
const LINE_BYTES_MAX: usize = 256;

/// A configured transform.
#[derive(Debug)]
pub struct Instance<T> {
    transform: T,
    /// Bytes of output per record for which the next batch gets room: a little more than the last one gave, so that
    /// the buffer hardly ever grows. Forgotten with the instance, and never seen in the output.
    line_bytes: usize,
}

impl<T: Transform> Instance<T> {
    /// Configures a transform, and says which columns it wants.
    ///
    /// # Errors
    /// The settings are refused: every one that is bad, and every one that is unknown with those that are known.
    pub fn configure(settings: Vec<Setting>) -> Result<(Self, types::Inputs), String> {
        let mut settings = Settings::new(settings.into_iter().map(|setting| (setting.key, setting.value)));
        let configured = T::configure(&mut settings);
        let transform = settings.finish(configured)?;
        let inputs = transform.inputs();
        let inputs = types::Inputs {
            keys: inputs.keys,
            headers: inputs.headers,
            timestamps: inputs.timestamps,
            offsets: inputs.offsets,
        };
        Ok((Self { transform, line_bytes: LINE_BYTES_FIRST }, inputs))
    }

    /// Transforms one batch.
    pub fn transform(&mut self, batch: &Batch) -> Output {
        let Column { bytes, ends } = &batch.values.column;
        let mut nulls = batch.values.nulls.iter().map(|&index| index as usize);
        let mut null = nulls.next();
        let mut out = Emitter::new(ends.len(), self.line_bytes);
        let mut rejects = Rejects { records: Vec::new(), reasons: Column { bytes: Vec::new(), ends: Vec::new() } };
        let mut start = 0;
        for (index, &end) in ends.iter().enumerate() {
            let end = end as usize;
            let mut value = Some(&bytes[start..end]);
            start = end;
            if null == Some(index) {
                (null, value) = (nulls.next(), None);
            }
            out.begin(index);
            if let Err(reject) = self.transform.transform(&Record::new(batch, index, value), &mut out) {
                out.take_back();
                rejects.records.push(index as u32);
                rejects.reasons.bytes.extend_from_slice(reject.with_value(value).as_bytes());
                rejects.reasons.ends.push(rejects.reasons.bytes.len() as u32);
            }
        }
        let (lines, records) = out.finish();
        if let Some(average) = lines.bytes.len().checked_div(ends.len()) {
            self.line_bytes = (average + average / 8 + 1).min(LINE_BYTES_MAX);
        }
        Output { lines, records, rejects }
    }
}
