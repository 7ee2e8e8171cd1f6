//! What a process costs while there is nothing to do: with one partition and with many, with a sink that takes nothing, and with one that is not there.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::broker::Broker;
use crate::process::Child;
use crate::rest::free_port;
use crate::server::{Server, Stall};
use crate::sluice_process;

/// The share of a core that is asked for.
const CORE: f64 = 0.005;

/// A pause in which the start comes to rest, and how long is looked.
const REST: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_secs(30);

/// Records that lie before a sink which takes none: more than are held at once.
const RECORDS: u64 = 1_000_000;

pub(crate) fn run() -> Value {
    let broker = Broker::start();
    let (server, stalled) = (Server::start(), Server::stalled(Stall::Hang));
    let (one, many, full) = ("idle-1", "idle-200", "idle-full");
    broker.create(one, 1);
    broker.create(many, 200);
    broker.fill(full, 4, RECORDS);
    println!("\nCPU time in {} s of doing nothing, each alone:\n", LOOK.as_secs());
    println!("| | % of a core | |\n| --- | --- | --- |");
    let mut all = Map::new();
    for (name, topic, port) in [
        ("1 partition without records", one, server.address.port()),
        ("200 partitions without records", many, server.address.port()),
        ("a sink that never answers", full, stalled.address.port()),
        ("a sink that is not there", full, free_port()),
    ] {
        let (core, resident_mb) = look(&broker, topic, port);
        let verdict = if core <= CORE { "within" } else { "beyond" };
        println!("| {name} | {:.2} | {verdict} {} % |", core * 100.0, CORE * 100.0);
        all.insert(name.to_owned(), json!({ "core": core, "resident_mb": resident_mb }));
    }
    all.into()
}

/// The share of a core that a process takes once it has come to rest, and its memory.
fn look(broker: &Broker, topic: &str, port: u16) -> (f64, f64) {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("{topic}-{port}");
    let settings = sluice_process::settings(topic, port, &[("influx.request.timeout.ms", "86400000")]);
    let child: Child = sluice_process::start(broker, (&name, &settings), folder.path(), (0, &[]));
    std::thread::sleep(REST);
    let before = child.usage();
    std::thread::sleep(LOOK);
    let after = child.usage();
    ((after.cpu_s - before.cpu_s) / LOOK.as_secs_f64(), after.resident_mb)
}
