//! Values that are line protocol already, as Telegraf writes them to Kafka: `cpu,host=a usage_idle=91.5
//! 1668902400000000000` passes.
//!
//! | setting | default | meaning |
//! | --- | --- | --- |
//! | `measurements` | all | the measurements to keep, separated by commas |
//!
//! A value may have any number of lines; those of other measurements, empty lines and comments are left out, and a
//! record of which nothing is left is filtered. Tags, fields with their types and the timestamp (nanoseconds) stay as
//! they are; a line without a timestamp gets its record's. If one line of a record can't be read, the record is
//! rejected with all of its lines: a replay after the mistake is mended writes them together.

use influxdb_line_protocol::{FieldValue, ParsedLine, parse_lines, split_lines};
use sluice_transform::{Emitter, Record, Refused, Reject, Settings, Transform};

/// The transform, configured.
#[derive(Debug)]
pub struct HostMetrics {
    /// Empty for all.
    measurements: Vec<String>,
}

/// Adds a field. A macro, because a line before its first field has another type than one after it.
macro_rules! field {
    ($line:expr, $key:expr, $value:expr) => {{
        let (line, key) = ($line, $key.as_str());
        match $value {
            FieldValue::I64(value) => line.field_i64(key, *value),
            FieldValue::F64(value) => line.field_f64(key, *value),
            FieldValue::Boolean(value) => line.field_bool(key, *value),
            FieldValue::String(value) => line.field_str(key, value.as_str()),
            FieldValue::U64(_) => {
                return Err(format!("field {key:?} is unsigned, which InfluxDB 1 does not take").into());
            }
        }
        .map_err(|refused| at(key, refused))?
    }};
}

impl Transform for HostMetrics {
    fn configure(settings: &mut Settings) -> Result<Self, String> {
        let measurements = settings.text("measurements", "");
        let measurements = measurements.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        Ok(Self { measurements: measurements.collect() })
    }

    fn transform(&mut self, record: &Record<'_>, out: &mut Emitter) -> Result<(), Reject> {
        let Some(value) = record.value() else { return Ok(()) };
        let text = std::str::from_utf8(value).map_err(|_| "value is not UTF-8")?;
        for (number, text) in (1..).zip(split_lines(text)) {
            // One line, or none if it is empty or a comment.
            for line in parse_lines(text.trim_end()) {
                let line = line.map_err(|error| format!("line {number} of the value: {error}"))?;
                if self.keeps(line.series.measurement.as_str()) {
                    pass(&line, out).map_err(|reject| format!("line {number} of the value: {}", reject.reason()))?;
                }
            }
        }
        Ok(())
    }
}

impl HostMetrics {
    fn keeps(&self, measurement: &str) -> bool {
        self.measurements.is_empty() || self.measurements.iter().any(|kept| kept == measurement)
    }
}

/// Writes a line anew: what one InfluxDB would misread is refused here, before it is sent.
fn pass(parsed: &ParsedLine<'_>, out: &mut Emitter) -> Result<(), Reject> {
    let mut line = out.line(parsed.series.measurement.as_str())?;
    for (key, value) in parsed.series.tag_set.iter().flatten() {
        line = line.tag(key.as_str(), value.as_str()).map_err(|refused| at(key, refused))?;
    }
    let mut fields = parsed.field_set.iter();
    let (key, value) = fields.next().ok_or("no field")?;
    let mut line = field!(line, key, value);
    for (key, value) in fields {
        line = field!(line, key, value);
    }
    match parsed.timestamp {
        Some(timestamp_ns) => line.end_at_ns(timestamp_ns)?,
        None => line.end(),
    }
    Ok(())
}

/// The builder's refusal with the tag or field at fault.
fn at(key: &str, refused: Refused) -> Reject {
    format!("{key:?}: {refused}").into()
}

sluice_transform::export!(HostMetrics);

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_transform::testing::{self, Record};

    // A file of sample values, one on a line, can't show these.
    #[test]
    fn a_record_has_many_lines_or_none() {
        let values = ["cpu a=1i 7\nmem a=2 8\r\n\n# x\ncpu,h=b a=true 9\n", "mem a=1", "cpu a=1\ncpu a="];
        let records: Vec<_> = values.iter().map(Record::value).collect();
        let outcome = testing::run::<HostMetrics>(&[("measurements", "cpu, disk")], &records).unwrap();
        assert_eq!(outcome.lines, [(0, "cpu a=1i 7".to_owned()), (0, "cpu,h=b a=true 9".to_owned())]);
        let [(2, reason)] = outcome.rejects.as_slice() else { panic!("{outcome:?}") };
        assert!(reason.starts_with("line 2 of the value: "), "{reason}");
    }
}
