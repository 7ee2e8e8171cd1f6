//! A database of one test in a real InfluxDB 1.

use std::collections::BTreeMap;
use std::io;

use serde_json::Value;

use super::http::{self, Answer};
use super::kafka::unique;
use super::points::Points;
use super::services;

/// A database, dropped with the test.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) name: String,
}

// === impl Database ===

impl Database {
    /// A new database with a name of its own.
    pub(crate) fn create(test: &str) -> Self {
        Self::create_named(&unique(test))
    }

    /// A new database with exactly this name; one that an earlier run has left is dropped.
    pub(crate) fn create_named(name: &str) -> Self {
        let database = Self::unmade(name);
        database.command("DROP DATABASE");
        database.make();
        database
    }

    /// A new database in the InfluxDB at `url`.
    pub(crate) fn create_on(url: &str, test: &str) -> Self {
        let database = Self { url: url.to_owned(), name: unique(test) };
        database.make();
        database
    }

    /// A database that is not there yet.
    pub(crate) fn unmade(name: &str) -> Self {
        Self { url: services::influxdb().to_owned(), name: name.to_owned() }
    }

    /// Makes it.
    pub(crate) fn make(&self) {
        self.command("CREATE DATABASE");
    }

    /// Every point of `cryptos` that is a number, with its field.
    pub(crate) fn points(&self) -> Points {
        self.try_points().unwrap()
    }

    /// The same of a server that may be away.
    pub(crate) fn try_points(&self) -> io::Result<Points> {
        let mut points = Points::default();
        let result = self.try_query("SELECT * FROM \"cryptos\"")?;
        let Some(series) = result.get("series") else { return Ok(points) };
        let columns: Vec<_> =
            series[0]["columns"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        for row in series[0]["values"].as_array().unwrap() {
            let time = row[0].as_i64().unwrap();
            let fields = columns.iter().zip(row.as_array().unwrap()).skip(1).filter(|(_, value)| !value.is_null());
            points.extend(fields.filter_map(|(field, value)| Some((((*field).to_owned(), time), value.as_f64()?))));
        }
        Ok(points)
    }

    /// Everything that is stored, as lines of line protocol in the order of their text. Numbers are floats, shortest form.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let result = self.query("SELECT * FROM /.*/ GROUP BY *");
        for series in result["series"].as_array().into_iter().flatten() {
            // The tags of all measurements; one that a series does not have is empty.
            let tags = series["tags"].as_object().into_iter().flatten().filter(|(_, value)| *value != "");
            let tags: String = tags.map(|(tag, value)| format!(",{tag}={}", value.as_str().unwrap())).collect();
            let head = format!("{}{tags}", series["name"].as_str().unwrap());
            let columns = series["columns"].as_array().unwrap();
            for row in series["values"].as_array().unwrap() {
                let fields = columns.iter().zip(row.as_array().unwrap()).skip(1).filter(|(_, value)| !value.is_null());
                let field =
                    |(field, value): (&Value, &Value)| format!("{}={}", field.as_str().unwrap(), field_text(value));
                let fields: Vec<_> = fields.map(field).collect();
                lines.push(format!("{head} {} {}", fields.join(","), row[0]));
            }
        }
        lines.sort();
        lines
    }

    /// Every point of `measurement`, as its columns, tags among them, in the order of time.
    pub(crate) fn rows(&self, measurement: &str) -> Vec<BTreeMap<String, Value>> {
        let result = self.query(&format!("SELECT * FROM \"{measurement}\""));
        let Some(series) = result.get("series") else { return Vec::new() };
        let columns: Vec<_> =
            series[0]["columns"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        let row = |row: &Value| {
            columns.iter().map(|name| (*name).to_owned()).zip(row.as_array().unwrap().iter().cloned()).collect()
        };
        series[0]["values"].as_array().unwrap().iter().map(row).collect()
    }

    /// How many points `cryptos` has.
    pub(crate) fn count(&self) -> i64 {
        let result = self.query("SELECT COUNT(*) FROM \"cryptos\"");
        let Some(series) = result.get("series") else { return 0 };
        series[0]["values"][0].as_array().unwrap().iter().skip(1).filter_map(Value::as_i64).sum()
    }

    /// Writes lines.
    pub(crate) fn write(&self, lines: &str) {
        let answer = http::post(&format!("{}/write?db={}&precision=ns", self.url, self.name), lines).unwrap();
        assert_eq!(answer.status, 204, "{}", answer.body);
    }

    fn query(&self, query: &str) -> Value {
        self.try_query(query).unwrap()
    }

    fn try_query(&self, query: &str) -> io::Result<Value> {
        let query = http::encode(query);
        let answer = http::get(&format!("{}/query?db={}&epoch=ns&q={query}", self.url, self.name))?;
        let result = serde_json::from_str::<Value>(&answer.body)?["results"][0].take();
        assert!(answer.status == 200 && result.get("error").is_none(), "{}", answer.body);
        Ok(result)
    }

    fn command(&self, command: &str) {
        let answer = self.try_command(command).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    fn try_command(&self, command: &str) -> io::Result<Answer> {
        let query = http::encode(&format!("{command} \"{}\"", self.name));
        http::post(&format!("{}/query?q={query}", self.url), "")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Best effort: its server may be one that the test has killed.
        let _ = self.try_command("DROP DATABASE");
    }
}

/// A field's value as line protocol has it. JSON escapes what line protocol does in a string, and in the same way.
fn field_text(value: &Value) -> String {
    value.as_f64().map_or_else(|| value.to_string(), |number| number.to_string())
}
