//! An example as the tests run it: its own files, on a topic and databases of the names that these say.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::guests::{self, target};
use crate::support::influx::Database;
use crate::support::kafka::Topic;
use crate::support::points::Record;
use crate::support::root;
use crate::support::services;
use crate::support::sluice::{BINARY, Sluice};
use crate::support::wait::equal;

/// The time of every sample record, as the examples' READMEs say: milliseconds since 1970.
const SAMPLE_MS: i64 = 1_668_902_400_000;

/// An example, ready to be started.
#[derive(Debug)]
pub(super) struct Scene {
    folder: PathBuf,
    topic: Topic,
    sinks: Vec<Sink>,
    work: TempDir,
}

/// One of its connectors.
#[derive(Debug)]
struct Sink {
    name: String,
    /// Its file as it runs here.
    file: PathBuf,
    database: Database,
    /// The file with its points.
    expected: String,
}

fn lines(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.lines().map(str::to_owned).collect()
}

/// The settings of a connector, as they are written.
fn settings(file: &Path) -> BTreeMap<String, String> {
    let settings = lines(file).into_iter().filter(|line| !line.starts_with('#'));
    settings.filter_map(|line| line.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()))).collect()
}

/// The files in a folder whose names end so, in the order of their names.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.to_str().unwrap().ends_with(ending)).collect();
    paths.sort();
    paths
}

// === impl Scene ===

impl Scene {
    /// The example of this name, its modules built.
    pub(super) fn new(name: &str) -> Self {
        let folder = root().join("examples").join(name);
        build_modules(&folder);
        let work = tempfile::tempdir().unwrap();
        let properties = files(&folder, ".properties");
        assert!(properties.contains(&folder.join(format!("{name}.properties"))), "{properties:?}");
        // The points' times depend on the topic's name, so here it is the example's own.
        let topic = Topic::create_named(&settings(&properties[0])["topics"], 1);
        let sinks = properties.iter().map(|file| Sink::new(name, file, work.path())).collect();
        Self { folder, topic, sinks, work }
    }

    /// Produces the lines of a file, each as a record.
    pub(super) fn produce(&self, file: &str) {
        let record = |value: &String| Record::other(0, SAMPLE_MS, Some(value));
        self.topic.produce(&lines(&self.folder.join(file)).iter().map(record).collect::<Vec<_>>());
    }

    /// Starts `sluice run` with the example's connectors.
    pub(super) fn start(&self) -> Sluice {
        let mut command = self.command(&["--log-format", "json", "run", "--listeners", "http://127.0.0.1:0"]);
        command.args(self.sinks.iter().map(|sink| &sink.file));
        Sluice::spawn(command, tempfile::tempdir().unwrap())
    }

    /// `sluice` with these arguments, where and with what the examples' properties need.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.current_dir(root()).env("INFLUXDB_URL", services::influxdb());
        command.args(arguments).args(["--bootstrap-servers", services::kafka()]);
        command
    }

    /// The connector's file, where there is one connector.
    pub(super) fn file(&self) -> &str {
        self.sinks[0].file.to_str().unwrap()
    }

    /// Where `target/{name}` of the properties is here.
    pub(super) fn target_file(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    /// Waits until every database has its points and no others.
    pub(super) fn gives(&self, sluice: &mut Sluice) {
        for sink in &self.sinks {
            let expected = self.expected(&[&sink.expected]);
            sluice.until(&format!("the points of {}", sink.name), |_| equal(sink.database.lines(), &expected));
        }
    }

    /// For use in `until`: `Ok` once the only connector's database has what these files say.
    pub(super) fn has(&self, files: &[&str]) -> Result<(), Vec<String>> {
        equal(self.sinks[0].database.lines(), &self.expected(files)).map(drop)
    }

    /// For use in `until`: `Ok` once every record is committed by every connector.
    pub(super) fn at_end(&self) -> Result<(), String> {
        self.sinks.iter().try_for_each(|sink| self.topic.group(&sink.name).at_end())
    }

    fn expected(&self, files: &[&str]) -> Vec<String> {
        let mut expected: Vec<_> = files.iter().flat_map(|file| lines(&self.folder.join(file))).collect();
        expected.sort();
        expected
    }
}

// === impl Sink ===

impl Sink {
    /// Of the example `name`, in whose folder the file is.
    fn new(name: &str, file: &Path, work: &Path) -> Self {
        let settings = settings(file);
        // `NAME-x.properties` has `expected-x.txt`.
        let part = file.file_stem().unwrap().to_str().unwrap().strip_prefix(name).unwrap();
        let text = fs::read_to_string(file).unwrap();
        let text = text.replace("=target/guests/", &format!("={}/", target().display()));
        let text = text.replace("=target/", &format!("={}/", work.display()));
        let copy = work.join(file.file_name().unwrap());
        fs::write(&copy, text).unwrap();
        Self {
            name: settings["name"].clone(),
            file: copy,
            database: Database::create_named(&settings["influx.database"]),
            expected: format!("expected{part}.txt"),
        }
    }
}

/// Where the module of an example's crate is, once it is built.
pub(super) fn module(package: &str) -> PathBuf {
    target().join(format!("wasm32-unknown-unknown/release/{}.wasm", package.replace('-', "_")))
}

/// Builds the crates in the folder of an example.
fn build_modules(folder: &Path) {
    let manifests = files(folder, "").into_iter().map(|path| path.join("Cargo.toml")).filter(|path| path.exists());
    for manifest in manifests {
        let package = lines(&manifest).into_iter().find_map(|line| Some(line.strip_prefix("name = \"")?.to_owned()));
        let package = package.unwrap();
        guests::build(&root().join("examples"), package.trim_end_matches('"'));
    }
}
