//! The content of a record decides about its measurement: with `routes=order=orders,login=logins`
//! `{"type":"order","shop":"berlin","amount":25.5}` becomes `orders,shop=berlin amount=25.5`, and a login goes to
//! `logins`.
//!
//! | setting | default | meaning |
//! | --- | --- | --- |
//! | `by` | `type` | the key whose text decides |
//! | `routes` | required | `text=measurement`, separated by commas |
//! | `otherwise` | none | the measurement of all others; without it they are filtered |
//!
//! Of the other keys texts are tags, numbers and booleans are fields. A transform chooses no more than the measurement:
//! the database is the connector's. For two databases let two connectors read the topic, each with the routes of its
//! own, and without `otherwise`.

use serde_json::{Map, Value};
use sluice_transform::{Emitter, Measurement, Record, Refused, Reject, Settings, Transform};

/// The transform, configured.
#[derive(Debug)]
pub struct ContentRouting {
    by: String,
    routes: Vec<(String, Measurement)>,
    otherwise: Option<Measurement>,
}

/// Adds a field. A macro, because a line before its first field has another type than one after it.
macro_rules! field {
    ($line:expr, $key:expr, $value:expr) => {
        match $value {
            Value::Bool(value) => $line.field_bool($key.as_str(), *value),
            // Every number of JSON has a float next to it.
            number => $line.field_f64($key.as_str(), number.as_f64().unwrap_or(f64::NAN)),
        }
        .map_err(|refused| at($key, refused))?
    };
}

impl Transform for ContentRouting {
    fn configure(settings: &mut Settings) -> Result<Self, String> {
        let by = settings.text("by", "type");
        let mut routes = Vec::new();
        for route in settings.text("routes", "").split(',') {
            let (text, name) = route.split_once('=').unwrap_or((route, ""));
            match Measurement::try_new(name.trim()) {
                Ok(measurement) => routes.push((text.trim().to_owned(), measurement)),
                Err(refused) => {
                    settings.problem("routes", format_args!("{route:?} is not text=measurement: {refused}"))
                }
            }
        }
        let otherwise = match settings.text("otherwise", "") {
            none if none.is_empty() => None,
            name => Measurement::try_new(&name).map_err(|refused| settings.problem("otherwise", refused)).ok(),
        };
        Ok(Self { by, routes, otherwise })
    }

    fn transform(&mut self, record: &Record<'_>, out: &mut Emitter) -> Result<(), Reject> {
        let Some(value) = record.value() else { return Ok(()) };
        let mut event: Map<String, Value> =
            serde_json::from_slice(value).map_err(|error| format!("value is not a JSON object: {error}"))?;
        let Some(Value::String(text)) = event.remove(&self.by) else {
            return Err(format!("key {:?} is missing or not a text", self.by).into());
        };
        let route = self.routes.iter().find(|(from, _)| *from == text).map(|(_, measurement)| measurement);
        let Some(measurement) = route.or(self.otherwise.as_ref()) else { return Ok(()) };

        let mut line = out.line(measurement)?;
        for (key, value) in &event {
            if let Value::String(text) = value {
                line = line.tag(key.as_str(), text).map_err(|refused| at(key, refused))?;
            }
        }
        let mut fields = event.iter().filter(|(_, value)| value.is_number() || value.is_boolean());
        let (key, value) = fields.next().ok_or("no key is a number or a boolean, which would be a field")?;
        let mut line = field!(line, key, value);
        for (key, value) in fields {
            line = field!(line, key, value);
        }
        line.end();
        Ok(())
    }
}

/// The builder's refusal with the key at fault.
fn at(key: &str, refused: Refused) -> Reject {
    format!("key {key:?}: {refused}").into()
}

sluice_transform::export!(ContentRouting);
