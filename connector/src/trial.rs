//! `sluice try`: a transform on given records. Writes nothing to InfluxDB, commits nothing to Kafka.

mod recent;

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::batch::{Batch, Inputs, Record};
use crate::cli::TryArgs;
use crate::config::{ConnectorRules, Tiebreak, TransformConfig};
use crate::points::{self, Stamper};
use crate::record::TopicPartition;
use crate::transform::engine::{Engine, LoadError};
use crate::transform::{Limits, Output, Transform, TransformError};
use crate::validate::{self, FileError, WorkerError};

pub use recent::RecentError;

/// How long the transform is repeated to tell what a record costs.
const MEASURE_FOR: Duration = Duration::from_millis(50);

/// Why a trial did not come about.
#[derive(Debug, Error)]
pub enum TrialError {
    /// Nothing to try it on.
    #[error("nothing to try the transform on; give --value TEXT, --file FILE or --topic TOPIC --last N")]
    NoRecords,
    /// The file with values can't be read.
    #[error("could not read values from {}", path.display())]
    Values {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The connector's file is no good.
    #[error(transparent)]
    Connector(#[from] FileError),
    /// The worker's settings are no good.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// The module can't be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The transform refused its settings or failed.
    #[error(transparent)]
    Transform(#[from] TransformError),
    /// The topic's records could not be read.
    #[error(transparent)]
    Recent(#[from] RecentError),
    /// The result can't be printed.
    #[error("could not write the result")]
    Print(#[from] io::Error),
}

/// Records to try, with where they come from.
#[derive(Debug)]
pub(crate) struct Sample {
    partition: TopicPartition,
    batch: Batch,
}

/// What became of the records of a trial.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    records: usize,
    lines: usize,
    rejected: usize,
    filtered: usize,
}

// === impl TrialError ===

impl TrialError {
    /// Whether the command line or a configuration has to be changed.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::NoRecords | Self::Values { .. } | Self::Connector(_) | Self::Worker(_) | Self::Load(_) => true,
            Self::Transform(error) => matches!(error, TransformError::Configure { .. }),
            Self::Recent(error) => error.is_usage(),
            Self::Print(_) => false,
        }
    }
}

/// Runs the trial and prints each line, each reject with its reason, and what a record costs.
///
/// # Errors
///
/// If there is nothing to try, the module can't be loaded, or the transform fails.
pub fn run(args: &TryArgs, out: &mut impl Write) -> Result<(), TrialError> {
    let config = transform_config(args)?;
    let limits = Limits { memory_max_bytes: config.memory_max_bytes, timeout: config.timeout };
    let module = Engine::new().load(&config.module)?;
    let mut transform = Transform::new(module, config.settings, limits)?;
    let samples = samples(args, transform.inputs())?;
    let mut counts = Counts::default();
    for sample in &samples {
        let output = transform.run(&sample.partition, &sample.batch)?;
        print(out, sample, &output, &mut counts)?;
    }
    let per_record = measure(&mut transform, &samples)?;
    writeln!(
        out,
        "{} records: {} lines, {} rejected, {} filtered; {per_record} ns per record",
        counts.records, counts.lines, counts.rejected, counts.filtered
    )?;
    Ok(())
}

/// Module, settings and limits: from the connector's file if one is given, and from the command line, which wins.
fn transform_config(args: &TryArgs) -> Result<TransformConfig, TrialError> {
    let plugin_path = validate::worker_plugin_path(&args.worker)?;
    let mut config = match &args.connector {
        Some(file) => validate::read_connector(file, &plugin_path, &ConnectorRules::default())?.config.transform,
        None => validate::bare_transform(),
    };
    validate::override_transform(&mut config, args.module.as_deref(), &args.config, &plugin_path);
    Ok(config)
}

fn samples(args: &TryArgs, wanted: Inputs) -> Result<Vec<Sample>, TrialError> {
    let mut values: Vec<Vec<u8>> = args.value.iter().map(|value| value.clone().into_bytes()).collect();
    if let Some(file) = &args.file {
        values.extend(read_values(file).map_err(|source| TrialError::Values { path: file.clone(), source })?);
    }
    let mut samples = from_values(&values, wanted);
    if let (Some(topic), Some(last)) = (&args.topic, args.last) {
        let worker = validate::read_client(&args.worker)?;
        samples.extend(recent::read(&worker.client, topic, last as usize, wanted)?);
    }
    if samples.is_empty() { Err(TrialError::NoRecords) } else { Ok(samples) }
}

fn read_values(file: &Path) -> io::Result<Vec<Vec<u8>>> {
    let reader: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(io::BufReader::new(std::fs::File::open(file)?))
    };
    reader.split(b'\n').collect()
}

/// Given values as records of a made-up partition, in batches as the pipeline makes them.
fn from_values(values: &[Vec<u8>], wanted: Inputs) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut batch = Batch::default();
    for (offset, value) in values.iter().enumerate() {
        batch.push(&Record { offset: offset as i64, timestamp: 0, key: None, value: Some(value) }, wanted);
        if wanted.headers {
            batch.end_headers();
        }
        if batch.is_full() || offset + 1 == values.len() {
            samples.push(Sample { partition: TopicPartition::new("try", 0), batch: std::mem::take(&mut batch) });
        }
    }
    samples
}

fn print(out: &mut impl Write, sample: &Sample, output: &Output, counts: &mut Counts) -> io::Result<()> {
    let mut stamper = Stamper::new(&sample.partition.topic, sample.partition.partition, Tiebreak::Offset);
    let mut checked = Vec::new();
    let mut index = 0;
    while let Some(&record) = output.records.get(index) {
        let end = index + output.records[index..].partition_point(|&other| other == record);
        let (lines, offset) = (index..end, sample.batch.offsets[record as usize]);
        checked.clear();
        // The time doesn't matter here, the line does: what the pipeline would refuse is told now. One bad line is enough, because a
        // record has one fate.
        let append = |line| points::append_line(&mut checked, output.lines.get(line), &mut stamper, 0, offset);
        match lines.clone().try_for_each(append) {
            Ok(()) => {
                counts.lines += lines.len();
                for line in lines {
                    out.write_all(output.lines.get(line))?;
                    writeln!(out)?;
                }
            }
            Err(error) => {
                counts.rejected += 1;
                writeln!(out, "rejected {} offset {offset}: {error}", sample.partition)?;
            }
        }
        index = end;
    }
    for reject in &output.rejects {
        counts.rejected += 1;
        let offset = sample.batch.offsets[reject.record as usize];
        writeln!(out, "rejected {} offset {offset}: {}", sample.partition, reject.reason)?;
    }
    counts.records += sample.batch.len();
    counts.filtered += sample.batch.len() - output.num_with_lines - output.rejects.len();
    Ok(())
}

/// Repeats the transform on the first batch for a while. A transform has no state, so this changes nothing.
fn measure(transform: &mut Transform, samples: &[Sample]) -> Result<u128, TransformError> {
    let Some(sample) = samples.first() else { return Ok(0) };
    let (started, mut records) = (Instant::now(), 0);
    while records == 0 || started.elapsed() < MEASURE_FOR {
        transform.run(&sample.partition, &sample.batch)?;
        records += sample.batch.len() as u128;
    }
    Ok(started.elapsed().as_nanos() / records.max(1))
}
