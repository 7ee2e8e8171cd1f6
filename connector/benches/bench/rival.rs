//! Kafka Connect 4.1 with the leanest sink that one can write by hand (`benches/rival`): what Sluice is compared with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::broker::Broker;
use crate::process::Child;
use crate::services;

/// Its sources.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/rival");

/// Kafka Connect with the sink compiled into a plugin.
pub(crate) struct Rival {
    libraries: PathBuf,
    folder: tempfile::TempDir,
}

// === impl Rival ===

impl Rival {
    /// Fetches Kafka Connect if it is not there, and compiles the sink.
    pub(crate) fn prepare() -> Self {
        let found =
            Command::new(services::script()).args(["where", "connect"]).stderr(Stdio::inherit()).output().unwrap();
        assert!(found.status.success(), "Kafka Connect is not to be had, see above");
        let libraries = Path::new(String::from_utf8(found.stdout).unwrap().trim_end()).join("lib");
        let folder = tempfile::tempdir().unwrap();
        let plugin = folder.path().join("plugins/lean");
        let services = Path::new("META-INF/services/org.apache.kafka.connect.sink.SinkConnector");
        fs::create_dir_all(plugin.join(services).parent().unwrap()).unwrap();
        fs::copy(Path::new(FOLDER).join(services), plugin.join(services)).unwrap();
        let compiled = Command::new("javac")
            .arg("-cp")
            .arg(format!("{}/*", libraries.display()))
            .arg("-d")
            .arg(&plugin)
            .arg(Path::new(FOLDER).join("LeanSink.java"))
            .status()
            .expect("javac is on the PATH: the bench needs a JDK");
        assert!(compiled.success(), "the rival's sink does not compile, see above");
        Self { libraries, folder }
    }

    /// Starts a worker with a connector of this name that reads the topic and writes to this port.
    pub(crate) fn start(&self, broker: &Broker, topic: &str, name: &str, port: u16) -> Child {
        let folder = self.folder.path();
        let worker = [
            format!("bootstrap.servers={}", broker.address),
            "key.converter=org.apache.kafka.connect.converters.ByteArrayConverter".to_owned(),
            "value.converter=org.apache.kafka.connect.converters.ByteArrayConverter".to_owned(),
            "header.converter=org.apache.kafka.connect.converters.ByteArrayConverter".to_owned(),
            format!("offset.storage.file.filename={}", folder.join(format!("{name}.offsets")).display()),
            format!("plugin.path={}", folder.join("plugins").display()),
            "plugin.discovery=service_load".to_owned(),
            "listeners=http://127.0.0.1:0".to_owned(),
            // Large batches, as whoever tunes it would have them.
            "consumer.max.poll.records=10000".to_owned(),
            "consumer.fetch.max.wait.ms=100".to_owned(),
        ];
        let connector = [
            format!("name={name}"),
            "connector.class=LeanSink".to_owned(),
            "tasks.max=1".to_owned(),
            format!("topics={topic}"),
            "host=127.0.0.1".to_owned(),
            format!("port={port}"),
        ];
        let log = "rootLogger.level=error\nrootLogger.appenderRef.e.ref=E\nappender.e.type=Console\nappender.e.name=E\nappender.e.target=SYSTEM_ERR\n";
        let file = |kind: &str, content: String| {
            let path = folder.join(format!("{name}.{kind}"));
            fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let worker = file("worker.properties", worker.join("\n"));
        let connector = file("connector.properties", connector.join("\n"));
        let log = format!("-Dlog4j2.configurationFile={}", file("log4j2.properties", log.to_owned()));
        let path = format!("{}/*", self.libraries.display());
        let main = "org.apache.kafka.connect.cli.ConnectStandalone";
        Child::spawn("java".into(), &["-Xmx1g", &log, "-cp", &path, main, &worker, &connector], Stdio::null())
    }
}
