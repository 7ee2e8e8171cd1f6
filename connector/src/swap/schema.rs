//! What lines write where: measurements, their tags, their fields with types; and how that changes from one version of a
//! transform to the next.
//!
//! InfluxDB fixes the type of a field with its first point and refuses every later point of another type, so a change of
//! type that goes unnoticed loses data. The other changes are allowed and often wanted; an operator wants to know of them.

mod changes;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use influxdb_line_protocol::{FieldValue, ParsedLine, parse_lines};
use serde::{Deserialize, Serialize};

pub use changes::{Change, SchemaChanges};

/// The most measurements, the most tags and the most fields of one schema. A transform that makes a name of each record's value
/// costs this much memory and no more.
const NAMES_MAX: usize = 1000;

/// The most bytes of a name that are kept: two longer ones that begin alike pass for one.
const NAME_MAX_BYTES: usize = 200;

/// The most changes that are told one by one. They go into the history, which a person reads.
const CHANGES_MAX: usize = 20;

/// What a set of lines writes. Bounded: once there are 1,000 measurements, tags or fields, further ones are only known to exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema {
    measurements: BTreeMap<String, Columns>,
    tags: usize,
    fields: usize,
    more: bool,
}

/// The tags and fields of one measurement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Columns {
    tags: BTreeSet<String>,
    fields: BTreeMap<String, BTreeSet<FieldType>>,
}

/// The type of a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// `1` or `1.5`
    Float,
    /// `1i`
    Integer,
    /// `1u`
    Unsigned,
    /// `"text"`
    String,
    /// `true`
    Boolean,
}

/// Compares two schemas.
struct Comparison<'a> {
    old: &'a Schema,
    new: &'a Schema,
    changes: Vec<Change>,
}

// === impl Schema ===

impl Schema {
    /// Takes in what is written by `text`: one or more lines that the points stage has let pass. Whatever does not parse is passed
    /// over.
    pub fn add(&mut self, text: &str) {
        for line in parse_lines(text).flatten() {
            self.add_line(&line);
        }
    }

    /// Whether there were more names than are kept.
    pub fn has_more(&self) -> bool {
        self.more
    }

    fn add_line(&mut self, line: &ParsedLine<'_>) {
        let measurement = kept(line.series.measurement.as_str());
        if !self.measurements.contains_key(measurement) {
            if self.measurements.len() >= NAMES_MAX {
                self.more = true;
                return;
            }
            self.measurements.insert(measurement.to_owned(), Columns::default());
        }
        let Some(columns) = self.measurements.get_mut(measurement) else { return };
        for (tag, _) in line.series.tag_set.iter().flatten() {
            let tag = kept(tag.as_str());
            if columns.tags.contains(tag) {
                continue;
            }
            if self.tags >= NAMES_MAX {
                self.more = true;
                continue;
            }
            columns.tags.insert(tag.to_owned());
            self.tags += 1;
        }
        for (field, value) in &line.field_set {
            let field = kept(field.as_str());
            if let Some(types) = columns.fields.get_mut(field) {
                types.insert(value.into());
                continue;
            }
            if self.fields >= NAMES_MAX {
                self.more = true;
                continue;
            }
            columns.fields.insert(field.to_owned(), BTreeSet::from([value.into()]));
            self.fields += 1;
        }
    }

    /// What is different in `new`.
    ///
    /// A name counts as gone only if all names of `new` are known, and as added only if all of this one are.
    pub fn changes_to(&self, new: &Self) -> SchemaChanges {
        let mut comparison = Comparison { old: self, new, changes: Vec::new() };
        comparison.measurements();
        let mut changes = comparison.changes;
        changes.sort_unstable();
        let more = changes.len().saturating_sub(CHANGES_MAX) as u64;
        changes.truncate(CHANGES_MAX);
        SchemaChanges { changes, more, incomplete: self.more || new.more }
    }
}

// === impl Comparison ===

impl Comparison<'_> {
    fn measurements(&mut self) {
        let (old, new) = (&self.old.measurements, &self.new.measurements);
        for (measurement, columns) in old {
            match new.get(measurement) {
                Some(other) => self.columns(measurement, columns, other),
                None if self.new.more => {}
                None => self.changes.push(Change::MeasurementGone { measurement: measurement.clone() }),
            }
        }
        if self.old.more {
            return;
        }
        let added = new.keys().filter(|&measurement| !old.contains_key(measurement));
        self.changes.extend(added.map(|measurement| Change::MeasurementAdded { measurement: measurement.clone() }));
    }

    fn columns(&mut self, measurement: &str, old: &Columns, new: &Columns) {
        let at = || measurement.to_owned();
        let became_field = |name: &str| old.tags.contains(name) && !old.fields.contains_key(name);
        let became_tag = |name: &str| old.fields.contains_key(name) && !old.tags.contains(name);
        for (field, types) in &new.fields {
            match old.fields.get(field) {
                Some(before) if types.is_subset(before) => {}
                Some(before) => self.changes.push(Change::FieldType {
                    measurement: at(),
                    field: field.clone(),
                    old: before.iter().copied().collect(),
                    new: types.iter().copied().collect(),
                }),
                None if became_field(field) => {
                    self.changes.push(Change::TagBecameField { measurement: at(), name: field.clone() });
                }
                None if self.old.more => {}
                None => self.changes.push(Change::FieldAdded { measurement: at(), field: field.clone() }),
            }
        }
        for tag in new.tags.difference(&old.tags) {
            if became_tag(tag) {
                self.changes.push(Change::FieldBecameTag { measurement: at(), name: tag.clone() });
            } else if !self.old.more {
                self.changes.push(Change::TagAdded { measurement: at(), tag: tag.clone() });
            }
        }
        if self.new.more {
            return;
        }
        // What went over to the other kind has been told.
        let gone = old.tags.difference(&new.tags).filter(|&tag| !new.fields.contains_key(tag));
        self.changes.extend(gone.map(|tag| Change::TagGone { measurement: at(), tag: tag.clone() }));
        let gone = old.fields.keys().filter(|&field| !new.fields.contains_key(field) && !new.tags.contains(field));
        self.changes.extend(gone.map(|field| Change::FieldGone { measurement: at(), field: field.clone() }));
    }
}

// === impl FieldType ===

impl From<&FieldValue<'_>> for FieldType {
    fn from(value: &FieldValue<'_>) -> Self {
        match value {
            FieldValue::F64(_) => Self::Float,
            FieldValue::I64(_) => Self::Integer,
            FieldValue::U64(_) => Self::Unsigned,
            FieldValue::String(_) => Self::String,
            FieldValue::Boolean(_) => Self::Boolean,
        }
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Float => "float",
            Self::Integer => "integer",
            Self::Unsigned => "unsigned",
            Self::String => "string",
            Self::Boolean => "boolean",
        })
    }
}

/// The part of a name that is kept.
fn kept(name: &str) -> &str {
    &name[..name.floor_char_boundary(NAME_MAX_BYTES)]
}
