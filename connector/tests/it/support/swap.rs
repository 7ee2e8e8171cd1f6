//! A connector whose transform is replaced while it runs: topic, InfluxDB, module file, and which version made each point.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::http::{self, Answer};
use super::influx::Database;
use super::kafka::Topic;
use super::load;
use super::points::{LONG_AGO_MS, Record, nanoseconds};
use super::sluice::{Connector, Sluice};
use super::wait::equal;
use crate::sandbox;

/// The hostile guest as version `number`, in `mode` (`variant.rs` of the guest has them): a module of its own bytes.
pub(crate) fn variant(number: u32, mode: &str) -> Vec<u8> {
    let from = format!("variant:{:08}:{:16};", 0, "");
    let to = format!("variant:{number:08}:{mode:16};");
    sandbox::replaced(sandbox::core(), &from, &to)
}

/// As a module is known.
pub(crate) fn digest(module: &[u8]) -> String {
    Sha256::digest(module).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A topic, a database, and a connector whose module is a file.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) topic: Topic,
    pub(crate) database: Database,
    pub(crate) connector: Connector,
    folder: TempDir,
    partitions: i32,
}

/// Which versions made the points of each record: partition, offset, versions in rising order.
pub(crate) type Made = BTreeMap<(i32, i64), Vec<u32>>;

// === impl Stage ===

impl Stage {
    /// The file holds version 1, which stamps; probation lasts longer than any test.
    pub(crate) fn new(test: &str, partitions: i32) -> Self {
        let (topic, database) = (Topic::create(test, partitions), Database::create(test));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("modules/transform.wasm");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, variant(1, "stamp")).unwrap();
        let connector = Connector::new(&topic, "swap")
            .into_database(&database)
            .set("transform.module", file.to_str().unwrap())
            .set("transform.probation.ms", "3600000")
            .set("transform.upload.enable", "true");
        Self { topic, database, connector, folder, partitions }
    }

    pub(crate) fn set(mut self, key: &str, value: &str) -> Self {
        self.connector = self.connector.set(key, value);
        self
    }

    /// The module's file.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("modules/transform.wasm")
    }

    /// The state folder.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// A folder of the test's own, on the same file system as the module.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the connector with its state folder.
    pub(crate) fn start(&self) -> Sluice {
        self.start_with(&[])
    }

    /// The same with more arguments.
    pub(crate) fn start_with(&self, more: &[&str]) -> Sluice {
        let state = self.state();
        let arguments = ["--bootstrap-servers", super::services::kafka(), "--state-dir", state.to_str().unwrap()];
        Sluice::start_with(&[&self.connector], &[&arguments, more].concat())
    }

    /// Puts a module in the place of the file, by rename.
    pub(crate) fn replace(&self, module: &[u8]) {
        let temporary = self.folder.path().join("modules/.next");
        fs::write(&temporary, module).unwrap();
        fs::rename(temporary, self.file()).unwrap();
    }

    /// Produces so many records into each partition.
    pub(crate) fn produce(&self, records: usize) {
        let ends = self.topic.end_offsets_produced();
        let record = |partition: i32, nth: usize| {
            let offset = ends[&partition] + nth as i64;
            Record::other(partition, timestamp(offset), Some(&"x".repeat(10 + offset as usize % 50)))
        };
        let records = (0..records).flat_map(|nth| (0..self.partitions).map(move |partition| record(partition, nth)));
        self.topic.produce(&records.collect::<Vec<_>>());
    }

    /// Produces one record with this value.
    pub(crate) fn produce_value(&self, partition: i32, value: &str) {
        let offset = self.topic.end_offsets_produced()[&partition];
        self.topic.produce(&[Record::other(partition, timestamp(offset), Some(value))]);
    }

    /// Produces so many records into one partition.
    pub(crate) fn produce_into(&self, partition: i32, records: i64) {
        let end = self.topic.end_offsets_produced()[&partition];
        let record = |offset| Record::other(partition, timestamp(offset), Some("some value"));
        self.topic.produce(&(end..end + records).map(record).collect::<Vec<_>>());
    }

    /// Produces without a break while `during` runs.
    pub(crate) fn under_load<T>(&self, during: impl FnOnce() -> T) -> T {
        load::under(|| self.produce(500), during)
    }

    /// Waits until everything produced so far is committed.
    pub(crate) fn finish(&self, sluice: &mut Sluice) {
        let group = self.topic.group(&self.connector.name);
        sluice.until("everything to be committed", |_| group.at_end());
    }

    /// Which versions made the points of each record that was produced; one that has none has an empty list.
    pub(crate) fn made(&self) -> Made {
        let ends = self.topic.end_offsets_produced();
        let records = ends.iter().flat_map(|(&partition, &end)| (0..end).map(move |offset| (partition, offset)));
        let mut made: Made = records.map(|record| (record, Vec::new())).collect();
        let places: BTreeMap<i64, (i32, i64)> = made
            .keys()
            .map(|&(partition, offset)| {
                (nanoseconds(timestamp(offset), &self.topic.name, partition, offset), (partition, offset))
            })
            .collect();
        for row in self.database.rows("hostile") {
            let place = places[&row["time"].as_i64().unwrap()];
            made.get_mut(&place).unwrap().push(row["version"].as_str().unwrap().parse().unwrap());
        }
        made.values_mut().for_each(|versions| versions.sort_unstable());
        made
    }

    /// Every record has exactly one point; gives back the versions of each partition in the order of its records, each once for as long
    /// as it ran.
    #[track_caller]
    pub(crate) fn one_version_each(&self) -> BTreeMap<i32, Vec<u32>> {
        let mut courses: BTreeMap<i32, Vec<u32>> = BTreeMap::new();
        let made = self.made();
        let wrong: Vec<_> = made.iter().filter(|(_, versions)| versions.len() != 1).take(5).collect();
        assert!(wrong.is_empty(), "records without exactly one point: {wrong:?}");
        for ((partition, _), versions) in made {
            let course = courses.entry(partition).or_default();
            if course.last() != versions.last() {
                course.extend(versions);
            }
        }
        courses
    }

    /// `/sluice/connectors/{name}/transform`, with `rest` behind it.
    pub(crate) fn url(&self, sluice: &Sluice, rest: &str) -> String {
        sluice.url(&format!("/sluice/connectors/{}/transform{rest}", http::encode(&self.connector.name)))
    }

    /// What runs and what ran.
    pub(crate) fn transform(&self, sluice: &Sluice) -> Value {
        let answer = http::get(&self.url(sluice, "")).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Uploads a module; `query` begins with a question mark.
    pub(crate) fn upload(&self, sluice: &Sluice, module: &[u8], query: &str) -> Answer {
        http::send("PUT", &self.url(sluice, query), &[("content-type", "application/wasm")], module).unwrap()
    }

    /// Goes back to the version before.
    pub(crate) fn roll_back(&self, sluice: &Sluice) -> Answer {
        http::post(&self.url(sluice, "/rollback"), "").unwrap()
    }

    /// For use in `until`: `Ok` once the module with this digest runs.
    pub(crate) fn runs(&self, sluice: &Sluice, module: &[u8]) -> Result<String, String> {
        let state = self.transform(sluice);
        equal(state["current"]["digest"].as_str().unwrap().to_owned(), &digest(module)).map_err(|_| state.to_string())
    }

    /// For use in `until`: `Ok` once a point that version `number` has made is stored.
    pub(crate) fn has_written(&self, number: u32) -> Result<(), usize> {
        let rows = self.database.rows("hostile");
        let number = Value::from(number.to_string());
        if rows.iter().any(|row| row["version"] == number) { Ok(()) } else { Err(rows.len()) }
    }

    /// For use in `until`: `Ok` once the newest entry of the history is of this module and has this outcome.
    pub(crate) fn last_entry(&self, sluice: &Sluice, module: &[u8], outcome: &str) -> Result<Value, String> {
        let state = self.transform(sluice);
        let entry = state["history"].as_array().unwrap().last().unwrap().clone();
        let is_it = entry["digest"] == digest(module) && entry["outcome"] == outcome;
        if is_it { Ok(entry) } else { Err(state.to_string()) }
    }
}

/// Of the record at this offset: a hundred share a millisecond.
fn timestamp(offset: i64) -> i64 {
    LONG_AGO_MS + offset / 100
}
