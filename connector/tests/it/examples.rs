//! Every folder of `examples/` does what its `expected.txt` says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::influx::Database;
use crate::support::kafka::Topic;
use crate::support::points::Record;
use crate::support::services;
use crate::support::sluice::{BINARY, Sluice};
use crate::support::wait::equal;

/// The time of every sample record, as the examples' READMEs say: milliseconds since 1970.
const SAMPLE_MS: i64 = 1_668_902_400_000;

fn folders() -> Vec<PathBuf> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let entries = fs::read_dir(&examples).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_dir()).collect()
}

fn lines(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.lines().map(str::to_owned).collect()
}

/// The settings of an example's connector, as they are written.
fn settings(file: &Path) -> BTreeMap<String, String> {
    let settings = lines(file).into_iter().filter(|line| !line.starts_with('#'));
    settings.filter_map(|line| line.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()))).collect()
}

fn run(folder: &Path) {
    let name = folder.file_name().unwrap().to_str().unwrap();
    let file = folder.join(format!("{name}.properties"));
    let settings = settings(&file);
    // The points' times depend on the topic's name, so here it is the example's own.
    let topic = Topic::create_named(&settings["topics"], 1);
    let database = Database::create_named(&settings["influx.database"]);
    let record = |value: &String| Record::other(0, SAMPLE_MS, Some(value));
    topic.produce(&lines(&folder.join("records.txt")).iter().map(record).collect::<Vec<_>>());
    let mut expected = lines(&folder.join("expected.txt"));
    expected.sort();

    let mut command = Command::new(BINARY);
    command.args(["--log-format", "json", "run", "--listeners", "http://127.0.0.1:0"]);
    command.args(["--bootstrap-servers", services::kafka()]).arg(&file).env("INFLUXDB_URL", &database.url);
    let mut sluice = Sluice::spawn(command, tempfile::tempdir().unwrap());
    sluice.until(&format!("the points of {name}"), |_| equal(database.lines(), &expected));
    sluice.stop();
    topic.group(&settings["name"]).at_end().unwrap();
}

#[test]
fn every_example_gives_its_expected_points() {
    let folders = folders();
    assert!(!folders.is_empty());
    folders.iter().for_each(|folder| run(folder));
}
