//! The alert rules that ship: each is seen to fire for a fault that is made, and to clear once it is mended. Prometheus, Kafka and InfluxDB are real.

use std::fs;

use tempfile::TempDir;

use crate::secured::{CERTIFICATE, EXPIRED, EXPIRED_KEY, KEY};
use crate::support::influx::Database;
use crate::support::kafka::{Topic, unique};
use crate::support::letters::LetterTopic;
use crate::support::load;
use crate::support::points::{LONG_AGO_MS, Record, feed};
use crate::support::prometheus::{Prometheus, RULES, names, promtool};
use crate::support::proxy::Proxy;
use crate::support::root;
use crate::support::scripted_influx::{Scripted, ScriptedInflux};
use crate::support::services;
use crate::support::sluice::{Connector, Sluice};
use crate::support::swap::{Stage, variant};
use crate::support::wait::until;
use crate::support::worker::{tell, until_states};

#[test]
fn the_rules_pass_their_unit_tests_and_each_has_its_section_in_the_runbook() {
    let folder = root().join("docker/prometheus");
    promtool(&folder, &["check", "rules", "rules/sluice.yaml"]).unwrap_or_else(|said| panic!("{said}"));
    promtool(&folder, &["test", "rules", "tests/sluice.yaml"]).unwrap_or_else(|said| panic!("{said}"));
    let runbook = fs::read_to_string(root().join("docs/runbook.md")).unwrap();
    let tests = fs::read_to_string(folder.join("tests/sluice.yaml")).unwrap();
    for name in names() {
        assert!(runbook.contains(&format!("\n## {name}\n")), "{name} has no section in docs/runbook.md");
        assert!(tests.contains(&format!("alertname: {name}\n")), "{name} has no case in docker/prometheus/tests");
        let link = format!("docs/runbook.md#{}\n", name.to_lowercase());
        assert!(RULES.contains(&link), "{name} does not lead to its section");
    }
    let sections = runbook.lines().filter(|line| line.starts_with("## Sluice")).count();
    assert_eq!(sections, names().len(), "a section of the runbook has no alert");
}

/// A worker with everything wrong that an alert tells of.
struct Scene {
    prometheus: Prometheus,
    failed: (Topic, Database, Connector),
    held: (Topic, Database, Connector),
    away: (Topic, Database, Proxy, Connector),
    letters: (Topic, Database, Connector),
    discarded: (Topic, Database, Connector),
    behind: (Topic, ScriptedInflux, Connector),
    late: (Topic, Database, Connector),
    cut_off: (Topic, Database, Connector),
    swapped: Stage,
    certificates: TempDir,
}

fn bad() -> [Record; 1] {
    [Record::other(0, LONG_AGO_MS, Some("bad"))]
}

fn price() -> [Record; 1] {
    [Record::price(0, LONG_AGO_MS, "BTC-USD", "1")]
}

/// A topic, a database, and a connector between them.
fn plain(test: &str) -> (Topic, Database, Connector) {
    let (topic, database) = (Topic::create(test, 1), Database::create(test));
    let connector = Connector::new(&topic, "a").into_database(&database);
    (topic, database, connector)
}

impl Scene {
    fn new() -> Self {
        let held = {
            let (topic, database) = (Topic::create("alert-held", 1), Database::unmade(&unique("alert-held")));
            let connector = Connector::new(&topic, "a").into_database(&database);
            (topic, database, connector)
        };
        let away = {
            let (topic, database, connector) = plain("alert-away");
            let port = Proxy::closed();
            let url = format!("http://{}", port.address());
            (topic, database, port, connector.set("influx.url", url))
        };
        let letters = {
            let (topic, database, connector) = plain("alert-letters");
            let connector = connector.with_letters(&LetterTopic::unmade("alert-letters"));
            (topic, database, connector)
        };
        let discarded = {
            let (topic, database, connector) = plain("alert-discarded");
            (topic, database, connector.set("errors.tolerance", "all"))
        };
        let behind = {
            let (topic, influx) = (Topic::create("alert-behind", 1), ScriptedInflux::v1("prices"));
            influx.answer_always(Some(Scripted::hang()));
            let connector = Connector::new(&topic, "a").into_scripted(&influx);
            // Requests that hang are not to end by themselves while they are looked at.
            (topic, influx, connector.set("influx.request.timeout.ms", "600000"))
        };
        Self {
            prometheus: Prometheus::start(),
            failed: plain("alert-failed"),
            held,
            away,
            letters,
            discarded,
            behind,
            late: plain("alert-late"),
            cut_off: plain("alert-cut-off"),
            swapped: Stage::new("alert-swapped", 1),
            certificates: tempfile::tempdir().unwrap(),
        }
    }

    /// Starts the worker and has Prometheus read it.
    fn start(&self) -> Sluice {
        let connectors = [
            &self.failed.2,
            &self.held.2,
            &self.away.3,
            &self.letters.2,
            &self.discarded.2,
            &self.behind.2,
            &self.late.2,
            &self.cut_off.2,
            &self.swapped.connector,
        ];
        let file = |name: &str| self.certificates.path().join(name).to_str().unwrap().to_owned();
        let certificate = format!("listeners.https.certificate.location={}", file("tls.crt"));
        let key = format!("listeners.https.key.location={}", file("tls.key"));
        let state = self.swapped.state();
        let arguments = [
            "--bootstrap-servers",
            services::kafka(),
            "--state-dir",
            state.to_str().unwrap(),
            "--listeners",
            "http://127.0.0.1:0,https://127.0.0.1:0",
            "--set",
            &certificate,
            "--set",
            &key,
        ];
        let sluice = Sluice::start_with(&connectors, &arguments);
        self.prometheus.read(sluice.url("").trim_start_matches("http://"));
        sluice
    }

    fn put_certificate(&self, [certificate, key]: [&str; 2]) {
        fs::write(self.certificates.path().join("tls.crt"), certificate).unwrap();
        fs::write(self.certificates.path().join("tls.key"), key).unwrap();
    }

    /// Waits until the alert fires for the connector.
    fn fires(&self, sluice: &mut Sluice, alert: &str, connector: &Connector) {
        sluice.until(&format!("{alert} to fire for {}", connector.name), |_| {
            let firing = self.prometheus.firing_for(&connector.name);
            if firing.contains(alert) { Ok(()) } else { Err((firing, self.prometheus.faults())) }
        });
    }

    /// Makes every fault there is while the process lives, and sees its alert fire.
    fn break_everything(&self, sluice: &mut Sluice) {
        for (topic, alert, connector) in [
            (&self.failed.0, "SluiceConnectorFailed", &self.failed.2),
            (&self.letters.0, "SluiceDeadLetters", &self.letters.2),
            (&self.discarded.0, "SluiceRecordsDiscarded", &self.discarded.2),
        ] {
            topic.produce(&bad());
            self.fires(sluice, alert, connector);
        }
        self.fires(sluice, "SluiceConfigurationHeld", &self.held.2);
        self.fires(sluice, "SluiceWritesFailing", &self.away.3);
        self.fires(sluice, "SluiceCertificateExpiring", &self.held.2);
        self.cut_off(sluice);
        self.swap(sluice, 2, "configure-error", "SluiceTransformRefused");
        self.swap(sluice, 3, "trap-at-10000", "SluiceTransformRolledBack");
        // Records go on coming while these two are waited for.
        self.under_load(|| {
            self.fires(sluice, "SluiceNotFresh", &self.late.2);
            self.fires(sluice, "SluiceLagGrowing", &self.behind.2);
        });
        self.fires(sluice, "SluicePartitionStalled", &self.behind.2);
    }

    /// Retention is faster than a connector that is paused.
    fn cut_off(&self, sluice: &mut Sluice) {
        let (topic, _, connector) = &self.cut_off;
        sluice.until("the first records to be read", |_| topic.group(&connector.name).at_end());
        tell(sluice, connector, "pause");
        until_states(sluice, connector, "PAUSED: PAUSED");
        topic.produce(&feed(100, 10, |_| (0, "BTC-USD")));
        topic.cut_off(150);
        tell(sluice, connector, "resume");
        self.fires(sluice, "SluiceOffsetsReset", connector);
    }

    fn swap(&self, sluice: &mut Sluice, number: u32, mode: &str, alert: &str) {
        let module = variant(number, mode);
        self.swapped.under_load(|| {
            sluice.until("version 1 to write", |_| self.swapped.has_written(1));
            self.swapped.replace(&module);
            self.fires(sluice, alert, &self.swapped.connector);
        });
    }

    fn under_load(&self, during: impl FnOnce()) {
        let again = || {
            self.late.0.produce(&feed(100, 10, |_| (0, "BTC-USD")));
            self.behind.0.produce(&feed(500, 10, |_| (0, "BTC-USD")));
        };
        load::under(again, during);
    }

    fn mend_everything(&self, sluice: &Sluice) {
        tell(sluice, &self.failed.2, "stop");
        self.held.1.make();
        self.away.2.open(services::influxdb().trim_start_matches("http://"));
        self.behind.1.answer_always(None);
        self.behind.1.release();
        self.put_certificate([CERTIFICATE, KEY]);
    }

    /// Waits until no alert fires at all.
    fn all_clear(&self, sluice: &mut Sluice) {
        sluice.until("every alert to clear", |_| match self.prometheus.firing() {
            firing if firing.is_empty() => Ok(()),
            firing => Err(firing),
        });
    }
}

#[test]
fn every_alert_fires_for_its_fault_and_clears_once_it_is_mended() {
    let scene = Scene::new();
    scene.put_certificate([EXPIRED, EXPIRED_KEY]);
    scene.held.0.produce(&price());
    scene.away.0.produce(&price());
    scene.cut_off.0.produce(&feed(100, 10, |_| (0, "BTC-USD")));
    let mut sluice = scene.start();
    scene.break_everything(&mut sluice);

    scene.mend_everything(&sluice);
    scene.all_clear(&mut sluice);
    assert_eq!(scene.prometheus.faults(), []);

    sluice.kill();
    until("SluiceDown to fire", || {
        let firing = scene.prometheus.firing_for("");
        if firing.contains("SluiceDown") { Ok(()) } else { Err(firing) }
    });
    let mut sluice = scene.start();
    scene.all_clear(&mut sluice);
    // Its groups still wait for the sessions of the one that was killed, so it could not leave them in time.
    sluice.kill();
}

#[test]
fn the_test_above_makes_a_fault_for_each_alert() {
    let source = include_str!("alerts.rs");
    for name in names() {
        assert!(source.contains(&format!("\"{name}\"")), "nobody sees {name} fire");
    }
}
