//! Records per second, CPU and memory: librdkafka alone, Kafka Connect with the leanest sink, and Sluice into a server that answers at once, in turns
//! on one topic.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::Options;
use crate::broker::Broker;
use crate::figures::median;
use crate::process::Child;
use crate::rival::Rival;
use crate::server::Server;
use crate::sluice_process;

/// After this without the last line the bench gives up.
const PATIENCE: Duration = Duration::from_secs(300);

/// One measurement.
#[derive(Debug, Clone, Copy)]
struct Figures {
    records_per_s: f64,
    cpu_s_per_million: f64,
    peak_mb: f64,
    /// From the start of the process to its first write, where there is one.
    first_write_s: Option<f64>,
}

/// When a process was started, by our clock and by the server's.
struct Started {
    at: Instant,
    server_us: u64,
}

pub(crate) fn run(options: &Options) {
    let broker = Broker::start();
    println!("filling a topic with {} records of 18 bytes in {} partitions", options.records, options.partitions);
    broker.fill("bench", options.partitions, options.records);
    let rival = Rival::prepare();
    let (mut alone, mut connect, mut sluice) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..options.rounds {
        alone.push(measure_alone(&broker, options, round));
        connect.push(measure_rival(&rival, &broker, options, round));
        sluice.push(measure_sluice(&broker, options, round));
        println!(
            "round {}, M/s: librdkafka alone {:.2}, Kafka Connect {:.2}, Sluice {:.2}",
            round + 1,
            alone[round].records_per_s / 1e6,
            connect[round].records_per_s / 1e6,
            sluice[round].records_per_s / 1e6
        );
    }
    let rows = [("librdkafka alone", &alone[..]), ("Kafka Connect", &connect), ("Sluice", &sluice)];
    print(&rows);
    if options.json {
        print_json(options, &rows);
    }
}

fn measure_alone(broker: &Broker, options: &Options, round: usize) -> Figures {
    let group = format!("alone-{round}");
    let arguments = ["consume", &broker.address, "bench", &group, &options.records.to_string()];
    let mut child = Child::spawn(std::env::current_exe().unwrap(), &arguments, Stdio::null());
    let line = child.line();
    let figures: Vec<f64> = line.split(' ').map(|figure| figure.parse().unwrap()).collect();
    Figures {
        records_per_s: figures[0],
        cpu_s_per_million: figures[1] / options.records as f64 * 1e6,
        peak_mb: figures[2],
        first_write_s: None,
    }
}

fn measure_sluice(broker: &Broker, options: &Options, round: usize) -> Figures {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let started = Started::now(&server);
    let name = format!("bench-{round}");
    let settings = sluice_process::settings("bench", &server, &options.settings);
    let child = sluice_process::start(broker, (&name, &settings), folder.path(), (0, &[]));
    let figures = started.follow(&child, &server, options.records, false);
    child.terminate();
    figures
}

/// Its CPU time counts from its first write on: a virtual machine that starts and compiles is not what is compared.
fn measure_rival(rival: &Rival, broker: &Broker, options: &Options, round: usize) -> Figures {
    let server = Server::start();
    let started = Started::now(&server);
    let child = rival.start(broker, "bench", &format!("rival-{round}"), &server);
    started.follow(&child, &server, options.records, true)
}

// === impl Started ===

impl Started {
    fn now(server: &Server) -> Self {
        Self { at: Instant::now(), server_us: server.seen().now_us }
    }

    /// Waits until the server has every line. With `warm` the process's CPU time counts from its first write on.
    fn follow(self, child: &Child, server: &Server, records: u64, warm: bool) -> Figures {
        let (mut seen, mut spent_before) = (server.seen(), None);
        while seen.lines < records {
            assert!(self.at.elapsed() < PATIENCE, "only {} of {records} lines came", seen.lines);
            std::thread::sleep(Duration::from_millis(5));
            if seen.lines == 0 {
                spent_before = Some(child.usage().cpu_s).filter(|_| warm);
            }
            seen = server.seen();
        }
        let usage = child.usage();
        assert_eq!(seen.lines, records, "every record is one line, once");
        Figures {
            records_per_s: records as f64 / ((seen.last_us - seen.first_us) as f64 / 1e6),
            cpu_s_per_million: (usage.cpu_s - spent_before.unwrap_or(0.0)) / records as f64 * 1e6,
            peak_mb: usage.peak_mb,
            first_write_s: Some((seen.first_us - self.server_us) as f64 / 1e6),
        }
    }
}

/// A row's name, and its rounds.
type Row<'a> = (&'static str, &'a [Figures]);

fn print(rows: &[Row<'_>; 3]) {
    println!(
        "\n{:<18} {:>22} {:>22} {:>18} {:>18}",
        "median (min-max)", "records/s, M", "CPU-s per million", "peak MB", "first write, s"
    );
    for (name, figures) in rows {
        println!(
            "{name:<18} {:>22} {:>22} {:>18} {:>18}",
            cell(figures, 2, |f| f.records_per_s / 1e6),
            cell(figures, 3, |f| f.cpu_s_per_million),
            cell(figures, 0, |f| f.peak_mb),
            if figures[0].first_write_s.is_some() {
                cell(figures, 2, |f| f.first_write_s.unwrap())
            } else {
                "-".to_owned()
            },
        );
    }
    let [(_, alone), (_, connect), (_, sluice)] = rows;
    for (name, other) in [("Sluice to alone", alone), ("Sluice to Connect", connect)] {
        let ratio = |of: fn(&Figures) -> f64| median(sluice.iter().map(of)) / median(other.iter().map(of));
        println!(
            "{name:<18} {:>22.2} {:>22.2} {:>18.2}",
            ratio(|f| f.records_per_s),
            ratio(|f| f.cpu_s_per_million),
            ratio(|f| f.peak_mb)
        );
    }
}

fn cell(figures: &[Figures], digits: usize, of: impl Fn(&Figures) -> f64) -> String {
    let values = figures.iter().map(&of);
    let (min, max) = values.fold((f64::MAX, f64::MIN), |(min, max), value| (min.min(value), max.max(value)));
    format!("{:.digits$} ({min:.digits$}-{max:.digits$})", median(figures.iter().map(&of)))
}

fn print_json(options: &Options, rows: &[Row<'_>; 3]) {
    let rounds = |figures: &[Figures]| -> Vec<serde_json::Value> {
        let row = |f: &Figures| {
            serde_json::json!({
                "records_per_s": f.records_per_s, "cpu_s_per_million": f.cpu_s_per_million,
                "peak_mb": f.peak_mb, "first_write_s": f.first_write_s,
            })
        };
        figures.iter().map(row).collect()
    };
    let rows: serde_json::Map<_, _> =
        rows.iter().map(|(name, figures)| ((*name).to_owned(), rounds(figures).into())).collect();
    println!("{}", serde_json::json!({ "records": options.records, "partitions": options.partitions, "rows": rows }));
}
