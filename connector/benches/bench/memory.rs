//! Resident memory while the sink stalls: twelve partitions full of records, and a server that takes nothing. It has to be flat.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::Options;
use crate::broker::Broker;
use crate::process::Child;
use crate::server::{Server, Stall};
use crate::sluice_process;

/// As DESIGN's ceiling is measured.
const PARTITIONS: i32 = 12;

/// The ceiling, in megabytes.
const CEILING_MB: f64 = 80.0;

/// How many looks are printed.
const LOOKS: u32 = 10;

/// A process with its stalled server.
struct Stalled {
    name: &'static str,
    sluice: Child,
    resident_mb: Vec<f64>,
    _server: Server,
    _folder: tempfile::TempDir,
}

pub(crate) fn run(options: &Options) -> Value {
    let broker = Broker::start();
    println!("\nfilling a topic with {} records of 18 bytes in {PARTITIONS} partitions", options.records);
    broker.fill("memory", PARTITIONS, options.records);
    let mut stalled = [
        Stalled::start(&broker, "no answer", Stall::Hang, false),
        Stalled::start(&broker, "503", Stall::Unavailable, false),
        Stalled::start(&broker, "no answer, letters", Stall::Hang, true),
    ];
    let (started, total) = (Instant::now(), Duration::from_secs(options.memory_s));
    println!("resident memory in MB over {} s with a sink that stalls:", options.memory_s);
    for look in 1..=LOOKS {
        std::thread::sleep((started + total * look / LOOKS).saturating_duration_since(Instant::now()));
        stalled.iter_mut().for_each(Stalled::look);
    }
    println!("{:<20} {:>8} {:>18}  each tenth of the time", "sink", "peak", "last / 2nd tenth");
    let mut all = Map::new();
    for one in stalled {
        let (peak_mb, resident) = (one.sluice.usage().peak_mb, &one.resident_mb);
        let looks: Vec<String> = resident.iter().map(|mb| format!("{mb:.0}")).collect();
        let ratio = resident[resident.len() - 1] / resident[1];
        println!("{:<20} {peak_mb:>8.0} {ratio:>18.2}  {}", one.name, looks.join(" "));
        let verdict = if peak_mb <= CEILING_MB { "within" } else { "beyond" };
        println!("{:<20} {verdict} the ceiling of {CEILING_MB:.0} MB", "");
        all.insert(one.name.to_owned(), json!({ "peak_mb": peak_mb, "resident_mb": resident }));
    }
    all.into()
}

// === impl Stalled ===

impl Stalled {
    fn start(broker: &Broker, name: &'static str, stall: Stall, letters: bool) -> Self {
        let server = Server::stalled(stall);
        let folder = tempfile::tempdir().unwrap();
        let connector = name.replace([' ', ','], "-");
        let topic = format!("letters-{connector}");
        let mut more = vec![("influx.request.timeout.ms", "86400000")];
        if letters {
            more.extend([
                ("errors.tolerance", "all"),
                ("errors.deadletterqueue.topic.name", &topic),
                ("errors.deadletterqueue.topic.replication.factor", "1"),
                ("errors.deadletterqueue.context.headers.enable", "true"),
            ]);
        }
        let settings = sluice_process::settings("memory", server.address.port(), &more);
        let one = format!("memory-{connector}");
        let sluice = sluice_process::start(broker, (&one, &settings), folder.path(), (0, &[]));
        Self { name, sluice, resident_mb: Vec::new(), _server: server, _folder: folder }
    }

    fn look(&mut self) {
        self.resident_mb.push(self.sluice.usage().resident_mb);
    }
}
