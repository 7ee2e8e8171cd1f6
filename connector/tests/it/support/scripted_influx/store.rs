//! What the scripted server has stored: points by series and timestamp, with the fields of repeated writes merged, as InfluxDB does.

use std::collections::BTreeMap;

use influxdb_line_protocol::{FieldValue, ParsedLine, parse_lines};

/// Series (`measurement,tag=value`, tags sorted) → timestamp in nanoseconds → field → value.
pub(crate) type Points = BTreeMap<String, BTreeMap<i64, BTreeMap<String, Value>>>;

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// `1.5`
    Float(f64),
    /// `1i`
    Integer(i64),
    /// `1u`
    Unsigned(u64),
    /// `"text"`
    Text(String),
    /// `true`
    Boolean(bool),
}

/// Every database or bucket, by name.
#[derive(Debug, Default)]
pub(super) struct Store {
    places: BTreeMap<String, Place>,
}

#[derive(Debug, Default)]
struct Place {
    points: Points,
    /// The type each field of a measurement has got by its first value.
    types: BTreeMap<(String, String), &'static str>,
}

/// A line that cannot be stored.
#[derive(Debug)]
pub(super) struct Conflict {
    pub(super) measurement: String,
    pub(super) field: String,
    pub(super) is: &'static str,
    pub(super) already: &'static str,
}

/// One line, parsed.
pub(super) struct Point {
    measurement: String,
    series: String,
    timestamp: i64,
    fields: BTreeMap<String, Value>,
}

impl Store {
    pub(super) fn points(&self, place: &str) -> Points {
        self.places.get(place).map(|place| place.points.clone()).unwrap_or_default()
    }

    /// Stores a point, or says which field has another type already.
    pub(super) fn upsert(&mut self, place: &str, point: Point) -> Result<(), Conflict> {
        let place = self.places.entry(place.to_owned()).or_default();
        let key = |field: &str| (point.measurement.clone(), field.to_owned());
        for (field, value) in &point.fields {
            let (is, already) = (value.type_name(), place.types.get(&key(field)).copied());
            if let Some(already) = already.filter(|already| *already != is) {
                return Err(Conflict { measurement: point.measurement, field: field.clone(), is, already });
            }
        }
        for (field, value) in &point.fields {
            place.types.insert(key(field), value.type_name());
        }
        place.points.entry(point.series).or_default().entry(point.timestamp).or_default().extend(point.fields);
        Ok(())
    }
}

impl Point {
    /// Parses one line, whose timestamp counts in units of `unit` nanoseconds.
    pub(super) fn parse(line: &str, unit: i64) -> Result<Self, String> {
        let parsed = parse_lines(line).next().ok_or("no line")?.map_err(|error| error.to_string())?;
        // A real server would take its own clock, so that a replay would write other points: never what we want.
        let timestamp = parsed.timestamp.ok_or("the scripted server wants a timestamp on every line")?;
        let fields = parsed.field_set.iter().map(|(name, value)| (name.to_string(), Value::from(value))).collect();
        let timestamp = timestamp.checked_mul(unit).ok_or("timestamp out of range")?;
        Ok(Self { measurement: parsed.series.measurement.to_string(), series: series(&parsed), timestamp, fields })
    }
}

fn series(line: &ParsedLine<'_>) -> String {
    let mut tags: Vec<String> =
        line.series.tag_set.iter().flatten().map(|(key, value)| format!(",{key}={value}")).collect();
    tags.sort();
    format!("{}{}", line.series.measurement, tags.concat())
}

impl Value {
    /// As InfluxDB 2 names it.
    fn type_name(&self) -> &'static str {
        match self {
            Self::Float(_) => "float",
            Self::Integer(_) => "integer",
            Self::Unsigned(_) => "unsigned",
            Self::Text(_) => "string",
            Self::Boolean(_) => "boolean",
        }
    }
}

impl From<&FieldValue<'_>> for Value {
    fn from(value: &FieldValue<'_>) -> Self {
        match value {
            FieldValue::F64(value) => Self::Float(*value),
            FieldValue::I64(value) => Self::Integer(*value),
            FieldValue::U64(value) => Self::Unsigned(*value),
            FieldValue::String(value) => Self::Text(value.to_string()),
            FieldValue::Boolean(value) => Self::Boolean(*value),
        }
    }
}
