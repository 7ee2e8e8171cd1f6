//! Records per second, CPU and memory: librdkafka alone and Sluice into a server that answers at once, in turns on one topic.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::Options;
use crate::broker::Broker;
use crate::process::Child;
use crate::server::Server;

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

pub(crate) fn run(options: &Options) {
    let broker = Broker::start();
    println!("filling a topic with {} records of 18 bytes in {} partitions", options.records, options.partitions);
    broker.fill("bench", options.partitions, options.records);
    let (mut alone, mut sluice) = (Vec::new(), Vec::new());
    for round in 0..options.rounds {
        alone.push(measure_alone(&broker, options, round));
        sluice.push(measure_sluice(&broker, options, round));
        println!(
            "round {}: librdkafka alone {:.2} M/s, sluice {:.2} M/s",
            round + 1,
            alone[round].records_per_s / 1e6,
            sluice[round].records_per_s / 1e6
        );
    }
    print(&alone, &sluice);
    if options.json {
        print_json(options, &alone, &sluice);
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
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bench.properties");
    let settings = [
        format!("name=bench-{round}"),
        "topics=bench".to_owned(),
        "transform.module=builtin:split-concat".to_owned(),
        format!("influx.url=http://{}", server.address),
        "influx.database=bench".to_owned(),
    ];
    std::fs::write(&file, settings.join("\n")).unwrap();
    let before_us = server.seen().now_us;
    let started = Instant::now();
    let arguments =
        ["--log-level", "warn", "run", "--bootstrap-servers", &broker.address, "--listeners", "http://127.0.0.1:0"];
    let mut arguments = arguments.to_vec();
    arguments.push(file.to_str().unwrap());
    let child = Child::spawn(env!("CARGO_BIN_EXE_sluice").into(), &arguments, Stdio::null());
    let mut seen = server.seen();
    while seen.lines < options.records {
        assert!(started.elapsed() < PATIENCE, "only {} of {} lines came", seen.lines, options.records);
        std::thread::sleep(Duration::from_millis(5));
        seen = server.seen();
    }
    let usage = child.usage();
    child.terminate();
    assert_eq!(seen.lines, options.records, "every record is one line, once");
    Figures {
        records_per_s: options.records as f64 / ((seen.last_us - seen.first_us) as f64 / 1e6),
        cpu_s_per_million: usage.cpu_s / options.records as f64 * 1e6,
        peak_mb: usage.peak_mb,
        first_write_s: Some((seen.first_us - before_us) as f64 / 1e6),
    }
}

fn print(alone: &[Figures], sluice: &[Figures]) {
    println!(
        "\n{:<18} {:>22} {:>22} {:>18} {:>14}",
        "median (min-max)", "records/s, M", "CPU-s per million", "peak MB", "first write, s"
    );
    for (name, figures) in [("librdkafka alone", alone), ("sluice", sluice)] {
        println!(
            "{name:<18} {:>22} {:>22} {:>18} {:>14}",
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
    let ratio = |of: fn(&Figures) -> f64| median(sluice, of) / median(alone, of);
    println!("{:<18} {:>22.2} {:>22.2}", "sluice / alone", ratio(|f| f.records_per_s), ratio(|f| f.cpu_s_per_million));
}

fn cell(figures: &[Figures], digits: usize, of: impl Fn(&Figures) -> f64) -> String {
    let values = figures.iter().map(&of);
    let (min, max) = values.fold((f64::MAX, f64::MIN), |(min, max), value| (min.min(value), max.max(value)));
    format!("{:.digits$} ({min:.digits$}-{max:.digits$})", median(figures, of))
}

fn median(figures: &[Figures], of: impl Fn(&Figures) -> f64) -> f64 {
    let mut values: Vec<f64> = figures.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

fn print_json(options: &Options, alone: &[Figures], sluice: &[Figures]) {
    let rows = |figures: &[Figures]| -> Vec<serde_json::Value> {
        let row = |f: &Figures| {
            serde_json::json!({
                "records_per_s": f.records_per_s, "cpu_s_per_million": f.cpu_s_per_million,
                "peak_mb": f.peak_mb, "first_write_s": f.first_write_s,
            })
        };
        figures.iter().map(row).collect()
    };
    let record = serde_json::json!({
        "records": options.records, "partitions": options.partitions, "alone": rows(alone), "sluice": rows(sluice),
    });
    println!("{record}");
}
