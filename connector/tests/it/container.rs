//! The container's root file system, put together by `docker/rootfs` as the Dockerfile does it, and entered as the container is: read-only, as user 65532,
//! with nothing of this machine but Kafka and InfluxDB at its addresses. A container engine adds a network and limits to that, and nothing that Sluice sees.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::influx::Database;
use crate::support::kafka::Topic;
use crate::support::points::feed;
use crate::support::root;
use crate::support::services;
use crate::support::sluice::{BINARY, Sluice};

/// Enters the root file system `$0` and runs the rest of the line in it. What is mounted is gone with the process. Only whoever is root already can become
/// user 65532; in a name space of his own one is root there.
const ENTER: &str = r#"
    mount --bind "$0" "$0"
    mount -t proc proc "$0/proc" 2>/dev/null || mount --rbind /proc "$0/proc"
    for folder in tmp var/lib/sluice; do mount -t tmpfs -o mode=1777 tmpfs "$0/$folder"; done
    mount -o remount,bind,ro "$0"
    exec chroot $AS "$0" "$@"
"#;

/// A root file system made of the binary under test.
struct Image {
    folder: TempDir,
}

impl Image {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let output =
            Command::new(root().join("docker/rootfs")).arg(BINARY).arg(folder.path().join("root")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        fs::create_dir(folder.path().join("root/proc")).unwrap();
        Self { folder }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// `sluice` in there, with nothing in its environment but this.
    fn command(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Command {
        let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        let own = if is_root { &["--mount"][..] } else { &["--user", "--map-root-user", "--mount"] };
        let may = Command::new("unshare").args(own).arg("true").output().unwrap();
        assert!(
            may.status.success(),
            "this machine lets nobody but root have mounts of his own (unshare {own:?}: {}): run this test as root, or allow it by \
             sysctl kernel.apparmor_restrict_unprivileged_userns=0",
            String::from_utf8_lossy(&may.stderr)
        );
        let mut command = Command::new("unshare");
        command.args(own).args(["bash", "-ec", ENTER]).arg(self.root());
        command.args(["/usr/bin/sluice"]).args(arguments);
        command.env_clear().env("PATH", std::env::var("PATH").unwrap());
        command.env("AS", if is_root { "--userspec=65532:65532" } else { "" }).envs(variables.iter().copied());
        command
    }

    fn run(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
        self.command(variables, arguments).output().unwrap()
    }
}

/// Every file in a folder, by its path.
fn files(folder: &Path, into: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), into)
        } else {
            into.insert(entry.path());
        }
    }
}

#[test]
fn the_root_file_system_of_the_container_is_enough_to_run() {
    let image = Image::new();
    let mut all = BTreeSet::new();
    files(&image.root(), &mut all);
    assert!(all.len() < 15 && all.contains(&image.root().join("usr/bin/sluice")), "{all:?}");

    let topic = Topic::create("container", 1);
    let database = Database::create("container");
    topic.produce(&feed(100, 10, |_| (0, "BTC-USD")));
    let name = format!("{}-c", topic.name);
    // As the image has them; the port is the system's.
    let variables = [
        ("SLUICE_LISTENERS", "http://127.0.0.1:0"),
        ("SLUICE_STATE_DIR", "/var/lib/sluice"),
        ("SLUICE_PLUGIN_PATH", "/transforms"),
        ("SLUICE_BOOTSTRAP_SERVERS", services::kafka()),
        ("SLUICE_CONNECTOR_NAME", &name),
        ("SLUICE_CONNECTOR_TOPICS", &topic.name),
        ("SLUICE_CONNECTOR_TRANSFORM_MODULE", "builtin:split-concat"),
        ("SLUICE_CONNECTOR_INFLUX_URL", &database.url),
        ("SLUICE_CONNECTOR_INFLUX_DATABASE", &database.name),
        ("SLUICE_LOG_FORMAT", "json"),
    ];
    let mut sluice = Sluice::spawn(image.command(&variables, &["run"]), tempfile::tempdir().unwrap());
    sluice.until("everything to be committed", |_| topic.group(&name).at_end());
    database.points().assert_equal(&topic.expected());
    let health = image.run(&[], &["health", "--url", &sluice.url("")]);
    assert!(health.status.success(), "{health:?}");
    sluice.stop();
    let health = image.run(&[], &["health", "--url", "http://127.0.0.1:1"]);
    assert_eq!(health.status.code(), Some(1), "{health:?}");
    let written = fs::write(image.root().join("etc/sluice/probe"), "");
    assert!(written.is_ok(), "the mounts ended with their processes");
}
