//! What changes in measurements, tags and fields, as data and in words.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::FieldType;

/// What two schemas differ in.
///
/// In JSON: `changes` is a list of objects, each with its kind in `change` (see [`Change`]), the gravest first and at most 20;
/// `more` is how many others there are; `incomplete` is true if a schema had more names than are kept, so that there may be changes
/// that nobody saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SchemaChanges {
    /// The gravest first, at most 20.
    pub changes: Vec<Change>,
    /// How many others there are.
    pub more: u64,
    /// Whether one of the schemas had more than 1,000 measurements, tags or fields: there may be changes that nobody saw.
    pub incomplete: bool,
}

/// One change. The order of the kinds is that of how grave they are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// The new version gives a field a type that the old one did not: InfluxDB refuses such points.
    FieldType {
        /// The measurement.
        measurement: String,
        /// The field's key.
        field: String,
        /// The types that the old version gave it.
        old: Vec<FieldType>,
        /// The types that the new version gives it.
        new: Vec<FieldType>,
    },
    /// A tag of the old version is a field of the new one: InfluxDB 3 refuses such points.
    TagBecameField {
        /// The measurement.
        measurement: String,
        /// The key.
        name: String,
    },
    /// A field of the old version is a tag of the new one: InfluxDB 3 refuses such points.
    FieldBecameTag {
        /// The measurement.
        measurement: String,
        /// The key.
        name: String,
    },
    /// A measurement that is written no more.
    MeasurementGone {
        /// The measurement.
        measurement: String,
    },
    /// A measurement that was not written before.
    MeasurementAdded {
        /// The measurement.
        measurement: String,
    },
    /// A tag that a measurement has no more.
    TagGone {
        /// The measurement.
        measurement: String,
        /// The tag's key.
        tag: String,
    },
    /// A tag that a measurement did not have before.
    TagAdded {
        /// The measurement.
        measurement: String,
        /// The tag's key.
        tag: String,
    },
    /// A field that a measurement has no more.
    FieldGone {
        /// The measurement.
        measurement: String,
        /// The field's key.
        field: String,
    },
    /// A field that a measurement did not have before.
    FieldAdded {
        /// The measurement.
        measurement: String,
        /// The field's key.
        field: String,
    },
}

// === impl SchemaChanges ===

impl SchemaChanges {
    /// Whether nothing changed, as far as could be seen.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

// === impl Change ===

impl Change {
    /// Whether an InfluxDB refuses what the new version writes.
    pub fn is_refused_by_influx(&self) -> bool {
        matches!(self, Self::FieldType { .. } | Self::TagBecameField { .. } | Self::FieldBecameTag { .. })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FieldType { measurement, field, old, new } => {
                let (old, new) = (Types(old), Types(new));
                write!(f, "field {field:?} of measurement {measurement:?} changes its type from {old} to {new}")
            }
            Self::TagBecameField { measurement, name } => {
                write!(f, "tag {name:?} of measurement {measurement:?} becomes a field")
            }
            Self::FieldBecameTag { measurement, name } => {
                write!(f, "field {name:?} of measurement {measurement:?} becomes a tag")
            }
            Self::MeasurementGone { measurement } => write!(f, "measurement {measurement:?} is written no more"),
            Self::MeasurementAdded { measurement } => write!(f, "measurement {measurement:?} is new"),
            Self::TagGone { measurement, tag } => {
                write!(f, "measurement {measurement:?} loses tag {tag:?}, so its points go to other series")
            }
            Self::TagAdded { measurement, tag } => {
                write!(f, "measurement {measurement:?} gets tag {tag:?}, so its points go to other series")
            }
            Self::FieldGone { measurement, field } => write!(f, "measurement {measurement:?} loses field {field:?}"),
            Self::FieldAdded { measurement, field } => write!(f, "measurement {measurement:?} gets field {field:?}"),
        }
    }
}

/// `float`, or `float and integer`.
struct Types<'a>(&'a [FieldType]);

impl fmt::Display for Types<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, ty) in self.0.iter().enumerate() {
            let between = if index == 0 { "" } else { " and " };
            write!(f, "{between}{ty}")?;
        }
        Ok(())
    }
}
