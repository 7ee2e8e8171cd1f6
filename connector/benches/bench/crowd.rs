//! A hundred connectors in one process: how long they take to start, what they cost while nothing happens, and whether one that is hostile
//! keeps the others from their work. Each reads the same topic in a group of its own, so that a record is a line of every one of them.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::Options;
use crate::broker::Broker;
use crate::figures::{median, quantile};
use crate::process::Child;
use crate::server::{Server, Stall};
use crate::wait::{LOOK, PATIENCE, until};
use crate::{guests, rest, sluice_process};

const TOPIC: &str = "crowd";

/// What is asked: to start all, and of each CPU of a core while idle, and memory.
const START: Duration = Duration::from_secs(10);
const IDLE_CORE: f64 = 0.01;
const MEMORY_MB: f64 = 3.0;

/// How long nothing happens while it is looked at what that costs, after a pause in which the start comes to rest.
const IDLE: Duration = Duration::from_secs(20);
const REST: Duration = Duration::from_secs(5);

/// Records of one round. Every connector writes each of them.
const RECORDS: u64 = 100_000;

/// The worker, and what it needs.
struct Crowd<'a> {
    broker: &'a Broker,
    sluice: Child,
    port: u16,
    server: Server,
    size: u32,
    _folder: tempfile::TempDir,
}

/// One round: the crowd reads what was produced while somebody asks how they fare.
struct Round {
    lines_per_s: f64,
    /// Of each answer to a question about one connector, in order.
    answers: Vec<Duration>,
}

pub(crate) fn run(options: &Options) -> Value {
    let broker = Broker::start();
    broker.create(TOPIC, 1);
    let crowd = Crowd::start(&broker, options.connectors);
    let mut all = Map::from_iter([("at rest".to_owned(), crowd.look_at_rest())]);
    let stalled = Server::stalled(Stall::Hang);
    println!(
        "\nlines/s of the others, and answers to `GET /connectors/NAME/status` meanwhile, without and with one that is hostile:"
    );
    println!(
        "{:<34} {:>9} {:>9} {:>7} {:>11} {:>11}",
        "hostile by", "M without", "M with", "ratio", "p50, ms", "p99, ms"
    );
    for (name, settings) in [
        (
            "a guest that spins",
            json!({ "transform.module": guests::hostile(), "transform.config.mode": "loop", "transform.timeout.ms": "300000" }),
        ),
        ("a sink that never answers", json!({ "influx.url": format!("http://{}", stalled.address) })),
        (
            "a broker that is not there",
            json!({ "consumer.override.bootstrap.servers": format!("127.0.0.1:{}", rest::free_port()) }),
        ),
    ] {
        all.insert(name.to_owned(), crowd.compare(options, name, &settings));
    }
    all.into()
}

// === impl Crowd ===

impl<'a> Crowd<'a> {
    /// Starts the worker and then the connectors, and prints how long that took.
    fn start(broker: &'a Broker, size: u32) -> Self {
        let (server, folder, port) = (Server::start(), tempfile::tempdir().unwrap(), rest::free_port());
        let state = folder.path().join("state");
        let sluice = sluice_process::spawn(broker, port, &["--state-dir", state.to_str().unwrap()]);
        let crowd = Self { broker, sluice, port, server, size, _folder: folder };
        until("the worker to listen", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        let alone = crowd.sluice.usage();
        println!("a worker without connectors: {:.0} MB", alone.resident_mb);
        let started = Instant::now();
        (0..size).for_each(|number| crowd.create(&format!("quiet-{number}"), &json!({})));
        let posted = started.elapsed();
        until("all of them to run", || crowd.running() == size);
        let running = started.elapsed();
        println!(
            "{size} connectors: made in {:.1} s, running after {:.1} s: {}",
            posted.as_secs_f64(),
            running.as_secs_f64(),
            verdict(running <= START, &format!("{} s", START.as_secs()))
        );
        crowd
    }

    fn create(&self, name: &str, settings: &Value) {
        let mut config =
            json!(sluice_process::settings(TOPIC, self.server.address.port(), &[("connector.class", "InfluxSink")]));
        config.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let (status, body) =
            rest::ask(self.port, "POST", "/connectors", Some(&json!({ "name": name, "config": config })));
        assert_eq!(status, 201, "{name}: {body}");
    }

    /// How many connectors run with their task.
    fn running(&self) -> u32 {
        let (_, body) = rest::ask(self.port, "GET", "/connectors?expand=status", None);
        let all: Value = serde_json::from_str(&body).unwrap();
        let runs = |one: &&Value| one["status"]["tasks"][0]["state"] == "RUNNING";
        u32::try_from(all.as_object().unwrap().values().filter(runs).count()).unwrap()
    }

    /// CPU time and memory while nothing happens.
    fn look_at_rest(&self) -> Value {
        std::thread::sleep(REST);
        let before = self.sluice.usage();
        std::thread::sleep(IDLE);
        let after = self.sluice.usage();
        let core = (after.cpu_s - before.cpu_s) / IDLE.as_secs_f64();
        let each_mb = after.resident_mb / f64::from(self.size);
        let each = core / f64::from(self.size);
        println!(
            "while nothing happens: {:.2} % of a core in all, {:.3} % each: {}",
            core * 100.0,
            each * 100.0,
            verdict(each <= IDLE_CORE, &format!("{} % each", IDLE_CORE * 100.0))
        );
        println!(
            "memory: {:.0} MB in all, {each_mb:.2} MB each: {}",
            after.resident_mb,
            verdict(each_mb <= MEMORY_MB, &format!("{MEMORY_MB} MB each"))
        );
        json!({ "connectors": self.size, "core": core, "resident_mb": after.resident_mb })
    }

    /// Rounds without and with the hostile one, in turns.
    fn compare(&self, options: &Options, name: &str, settings: &Value) -> Value {
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            without.push(self.round());
            self.create("hostile", settings);
            // It has to have begun what it does.
            std::thread::sleep(REST);
            with.push(self.round());
            let (status, body) = rest::ask(self.port, "DELETE", "/connectors/hostile", None);
            assert_eq!(status, 204, "{body}");
            std::thread::sleep(REST);
        }
        let rate = |rounds: &[Round]| median(rounds.iter().map(|round| round.lines_per_s / 1e6));
        let answers = |rounds: &[Round], share: f64| {
            let mut all: Vec<_> = rounds.iter().flat_map(|round| &round.answers).map(Duration::as_secs_f64).collect();
            all.sort_by(f64::total_cmp);
            quantile(&all, share) * 1e3
        };
        let pair = |share| format!("{:.1} → {:.1}", answers(&without, share), answers(&with, share));
        let (before, after) = (rate(&without), rate(&with));
        println!("{name:<34} {before:>9.2} {after:>9.2} {:>7.2} {:>11} {:>11}", after / before, pair(0.5), pair(0.99));
        json!({ "lines_per_s": { "without": before * 1e6, "with": after * 1e6 } })
    }

    fn round(&self) -> Round {
        let before = self.server.seen().lines;
        let wanted = before + RECORDS * u64::from(self.size);
        let (mut answers, mut number) = (Vec::new(), 0);
        // They read while it is produced.
        let started = Instant::now();
        self.broker.produce(TOPIC, 1, RECORDS);
        while self.server.seen().lines < wanted {
            assert!(started.elapsed() < PATIENCE, "{} of {wanted} lines came", self.server.seen().lines);
            let asked = Instant::now();
            let (status, _) = rest::ask(self.port, "GET", &format!("/connectors/quiet-{number}/status"), None);
            answers.push(asked.elapsed());
            assert_eq!(status, 200);
            number = (number + 1) % self.size;
            std::thread::sleep(LOOK);
        }
        let lines = self.server.seen().lines - before;
        Round { lines_per_s: lines as f64 / started.elapsed().as_secs_f64(), answers }
    }
}

fn verdict(good: bool, bound: &str) -> String {
    format!("{} {bound}", if good { "within" } else { "beyond" })
}
