//! Sensor readings in JSON:
//! `{"device":"a1","room":"attic","time":1668902400000,"temperature":21.5,"battery":{"volts":3.1}}` becomes, with
//! `tags=device,room`, `sensors,device=a1,room=attic battery.volts=3.1,temperature=21.5 1668902400000000000`.
//!
//! | setting | default | meaning |
//! | --- | --- | --- |
//! | `measurement` | `sensors` | where the points go |
//! | `tags` | none | keys that are tags, separated by commas; every reading must have all of them |
//! | `time` | `time` | the key of the time, milliseconds since 1970; a reading without it gets its record's time |
//!
//! Every other key is a field: a number is a float (also `21`, or the field's type would depend on the reading), `true`
//! and `false` are booleans, text is a string. A key within an object is named by its path, as in `battery.volts`. A
//! null is left out, an array is rejected. Fields stand in the order of their names.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sluice_transform::{Emitter, Key, Measurement, Record, Refused, Reject, Settings, Transform};

/// The transform, configured.
#[derive(Debug)]
pub struct JsonSensors {
    measurement: Measurement,
    tags: Vec<String>,
    time: String,
}

/// Path to value, without nulls, objects and arrays.
type Reading = BTreeMap<String, Value>;

/// Adds a field. A macro, because a line before its first field has another type than one after it.
macro_rules! field {
    ($line:expr, $path:expr, $value:expr) => {{
        let (line, path) = ($line, $path.as_str());
        match $value {
            Value::Bool(value) => line.field_bool(path, *value),
            Value::String(value) => line.field_str(path, value),
            // Every number of JSON has a float next to it.
            number => line.field_f64(path, number.as_f64().unwrap_or(f64::NAN)),
        }
        .map_err(|refused| at($path, refused))
    }};
}

impl Transform for JsonSensors {
    fn configure(settings: &mut Settings) -> Result<Self, String> {
        let measurement = settings.measurement("measurement", "sensors");
        let tags = settings.text("tags", "");
        let mut tags: Vec<_> = tags.split(',').map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect();
        // InfluxDB stores tags in this order, and takes lines that have it faster.
        tags.sort_unstable();
        for tag in &tags {
            if let Err(refused) = Key::try_tag(tag) {
                settings.problem("tags", format_args!("{tag:?}: {refused}"));
            }
        }
        Ok(Self { measurement, tags, time: settings.text("time", "time") })
    }

    fn transform(&mut self, record: &Record<'_>, out: &mut Emitter) -> Result<(), Reject> {
        let Some(value) = record.value() else { return Ok(()) };
        let object = serde_json::from_slice(value).map_err(|error| format!("value is not a JSON object: {error}"))?;
        let mut reading = Reading::new();
        flatten("", object, &mut reading)?;
        let time = reading.remove(&self.time).map(|time| self.nanoseconds(&time)).transpose()?;

        let mut line = out.line(&self.measurement)?;
        for tag in &self.tags {
            let value = match reading.remove(tag) {
                Some(Value::String(text)) => text,
                Some(other) => other.to_string(),
                None => return Err(format!("key {tag:?} is missing, which is a tag").into()),
            };
            line = line.tag(tag.as_str(), value).map_err(|refused| at(tag, refused))?;
        }
        let mut fields = reading.iter();
        let (path, value) = fields.next().ok_or("no key is left for a field")?;
        let mut line = field!(line, path, value)?;
        for (path, value) in fields {
            line = field!(line, path, value)?;
        }
        match time {
            Some(time) => line.end_at_ns(time)?,
            None => line.end(),
        }
        Ok(())
    }
}

impl JsonSensors {
    fn nanoseconds(&self, time: &Value) -> Result<i64, Reject> {
        let milliseconds = time.as_i64().and_then(|time| time.checked_mul(1_000_000));
        milliseconds.ok_or_else(|| format!("key {:?} is not a time in milliseconds: {time}", self.time).into())
    }
}

/// Takes the values out of an object and those within it.
fn flatten(prefix: &str, object: Map<String, Value>, reading: &mut Reading) -> Result<(), Reject> {
    for (key, value) in object {
        let path = format!("{prefix}{key}");
        match value {
            Value::Null => {}
            Value::Object(inner) => flatten(&format!("{path}."), inner, reading)?,
            Value::Array(_) => return Err(format!("key {path:?} is an array").into()),
            value => {
                if reading.insert(path.clone(), value).is_some() {
                    return Err(format!("key {path:?} is there twice, once within an object").into());
                }
            }
        }
    }
    Ok(())
}

/// The builder's refusal with the key at fault.
fn at(path: &str, refused: Refused) -> Reject {
    format!("key {path:?}: {refused}").into()
}

sluice_transform::export!(JsonSensors);
