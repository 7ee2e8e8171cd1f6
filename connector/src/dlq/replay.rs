//! `sluice dlq replay`.
//!
//! The letters of one partition after the other are read in their order. Consecutive ones of the same original topic-partition, in
//! ascending offset order, are a batch, because a transform sees batches of one partition. Their lines are collected into request
//! bodies as the pipeline does, and what InfluxDB refuses is found line by line ([`crate::sink::hunt`]). One body at a time: a replay
//! is short, and what is done can be told after each.
//!
//! `gather` forms batches, `deliver` writes bodies, `progress` remembers what is done, `report` tells it.

mod deliver;
mod gather;
mod progress;
mod report;

use std::io::Write;

use rdkafka::message::{Message, Timestamp};

use self::deliver::{Body, Deliverer, Part};
use self::gather::{Gathered, Ticket};
use self::progress::{Notes, Progress};
use self::report::Report;
use super::filter::Filter;
use super::letter::{Letter, Origin};
use super::{DlqError, Source};
use crate::batch::Batch;
use crate::cli::dlq::ReplayArgs;
use crate::config::{BatchConfig, ConnectorConfig, Tiebreak};
use crate::points::{self, Stamper};
use crate::record::{OffsetRange, TopicPartition};
use crate::sink::influx::InfluxClient;
use crate::source::read::{Span, TopicReader};
use crate::transform::engine::Engine;
use crate::transform::{Limits, Output, Transform, TransformError};
use crate::validate;

/// A replay under way.
struct Replay<'a, W> {
    args: &'a ReplayArgs,
    filter: Filter,
    transform: Transform,
    tiebreak: Tiebreak,
    limits: BatchConfig,
    /// `None` in a dry run.
    deliverer: Option<Deliverer>,
    notes: Notes<'a>,
    body: Body,
    /// How many letters may still be taken.
    left: u64,
    report: Report<'a, W>,
}

/// Replays the letters of a connector. Gives back whether all that were taken are done.
pub(super) async fn run(args: &ReplayArgs, out: &mut impl Write) -> Result<bool, DlqError> {
    let worker = validate::read_client(&args.worker)?;
    let mut connector = validate::read_connector(&args.connector, &worker.plugin_path, &worker.rules)?.config;
    let path = || args.connector.clone();
    let source = Source::of(&worker, &connector).ok_or_else(|| DlqError::NoTopic { path: path() })?;
    let module = args.module.as_deref();
    validate::override_transform(&mut connector.transform, module, &args.config, &worker.plugin_path);
    let deliverer = if args.dry_run { None } else { Some(deliverer(&connector)?) };
    let reader = source.reader(&format!("sluice-dlq-{}", connector.name))?;
    let mut limits = connector.batch.clone();
    limits.max_lines = args.batch.unwrap_or(limits.max_lines);
    let mut replay = Replay {
        args,
        filter: Filter::new(&args.filter, source.connector.as_deref()),
        transform: transform(&connector)?,
        tiebreak: connector.tiebreak,
        limits,
        deliverer,
        notes: Notes::new(&reader),
        body: Body::default(),
        left: args.limit.unwrap_or(u64::MAX),
        report: Report::new(out, args.dry_run),
    };
    for span in reader.spans()? {
        replay.partition(&reader, span).await?;
    }
    replay.report.finish(reader.topic())
}

fn deliverer(connector: &ConnectorConfig) -> Result<Deliverer, DlqError> {
    let client = InfluxClient::new(&connector.influx, &connector.name)?;
    Ok(Deliverer::new(client, connector.influx.version))
}

fn transform(connector: &ConnectorConfig) -> Result<Transform, DlqError> {
    let config = &connector.transform;
    let limits = Limits { memory_max_bytes: config.memory_max_bytes, timeout: config.timeout };
    Ok(Transform::new(Engine::new().load(&config.module)?, config.settings.clone(), limits)?)
}

// === impl Replay ===

impl<W: Write> Replay<'_, W> {
    /// The letters of one partition of the dead-letter topic, from the first that is not done.
    async fn partition(&mut self, reader: &TopicReader, span: Span) -> Result<(), DlqError> {
        let mut progress = self.notes.read(span)?;
        if self.args.from_start {
            progress = Progress::new(span.from);
            if !self.args.dry_run {
                self.notes.write(span.partition, &progress)?;
            }
        }
        let mut reading = reader.read(&[Span { from: progress.next(), ..span }])?;
        let mut gathered = Gathered::default();
        let (mut next, mut is_cut) = (progress.next(), false);
        while let Some(message) = reading.next()? {
            // What is missing before a letter (markers of transactions, what compaction took) is done with it.
            let covers = OffsetRange { first: next, last: message.offset() };
            next = message.offset() + 1;
            let letter = Letter::parse(&message);
            let Some(origin) = self.origin(&letter, &message, &progress)? else { continue };
            if self.left == 0 {
                is_cut = true;
                break;
            }
            self.left -= 1;
            if !gathered.takes(&origin) {
                self.convert(&mut gathered, &mut progress).await?;
            }
            gathered.push(&message, Ticket { position: letter.position, covers, origin }, self.transform.inputs());
        }
        self.convert(&mut gathered, &mut progress).await?;
        self.flush(&mut progress).await?;
        if self.args.dry_run {
            return Ok(());
        }
        if !is_cut && next < span.end {
            progress.done(OffsetRange { first: next, last: span.end - 1 });
        }
        Ok(self.notes.write(span.partition, &progress)?)
    }

    /// Where the letter's record was, if the letter is to be replayed and can be.
    fn origin(
        &mut self,
        letter: &Letter,
        message: &impl Message,
        progress: &Progress,
    ) -> Result<Option<Origin>, DlqError> {
        if progress.is_done(letter.position.offset) {
            return Ok(None);
        }
        if !self.filter.takes(letter) {
            self.report.passed_over += 1;
            return Ok(None);
        }
        let own = || Origin {
            partition: TopicPartition::new(message.topic(), message.partition()),
            offset: message.offset(),
        };
        let why = match (&letter.omitted, &letter.origin, letter.time) {
            (Some(what), ..) => format!("it was too large and is without its {what}; read the record itself"),
            (None, Some(origin), Timestamp::CreateTime(_)) => return Ok(Some(origin.clone())),
            (None, origin, _) if self.args.without_coordinates => return Ok(Some(origin.clone().unwrap_or_else(own))),
            (None, Some(_), _) => {
                "its time is the dead-letter topic's own (message.timestamp.type=LogAppendTime), not its record's: \
                 --without-coordinates takes it all the same"
                    .to_owned()
            }
            (None, None, _) => {
                "its headers do not tell where its record was (errors.deadletterqueue.context.headers.enable): \
                 --without-coordinates lets its own place stand for that"
                    .to_owned()
            }
        };
        self.report.not_replayable(letter, &why)?;
        Ok(None)
    }

    /// Transforms a batch. Every letter of it is decided then, or has its lines in the body.
    async fn convert(&mut self, gathered: &mut Gathered, progress: &mut Progress) -> Result<(), DlqError> {
        let Gathered { partition: Some(partition), batch, tickets } = std::mem::take(gathered) else { return Ok(()) };
        let mut tickets = tickets.into_iter();
        // Pieces of a batch that the transform failed on, the next one last: a letter is at fault only if it fails alone, in a fresh
        // instance.
        let mut pieces = Vec::from_iter(std::iter::once(0..batch.len()));
        while let Some(piece) = pieces.pop() {
            let fresh = !self.transform.is_live();
            let part = batch.slice(piece.clone());
            match self.transform.run(&partition, &part) {
                Ok(output) => self.absorb(&partition, &part, &output, &mut tickets, progress).await?,
                Err(error) if error.is_start() => return Err(error.into()),
                Err(_) if piece.len() > 1 => {
                    let middle = piece.start + piece.len() / 2;
                    pieces.extend([middle..piece.end, piece.start..middle]);
                }
                Err(_) if !fresh => pieces.push(piece),
                Err(error) => self.trapped(&tickets.next().expect("a ticket for each record"), &error)?,
            }
        }
        Ok(())
    }

    fn trapped(&mut self, ticket: &Ticket, error: &TransformError) -> Result<(), DlqError> {
        Ok(self.report.fails(ticket, "transform", &error.to_string())?)
    }

    async fn absorb(
        &mut self,
        partition: &TopicPartition,
        batch: &Batch,
        output: &Output,
        tickets: &mut impl Iterator<Item = Ticket>,
        progress: &mut Progress,
    ) -> Result<(), DlqError> {
        let mut stamper = Stamper::new(&partition.topic, partition.partition, self.tiebreak);
        let (mut line, mut rejects) = (0, output.rejects.iter().peekable());
        for index in 0..batch.len() {
            let ticket = tickets.next().expect("a ticket for each record");
            if let Some(reject) = rejects.next_if(|reject| reject.record as usize == index) {
                self.report.fails(&ticket, "transform", &reject.reason)?;
                continue;
            }
            let first = line;
            line += output.records[line..].partition_point(|&record| record as usize == index);
            if first == line {
                self.report.filtered += 1;
                progress.done(ticket.covers);
                continue;
            }
            let (mut lines, time) = (Vec::new(), batch.timestamps[index]);
            let offset = batch.offsets[index];
            let append = |at| points::append_line(&mut lines, output.lines.get(at), &mut stamper, time, offset);
            match (first..line).try_for_each(append) {
                Ok(()) => self.add(Part { ticket, lines: line - first }, &lines, progress).await?,
                Err(error) => self.report.fails(&ticket, "points", &error.to_string())?,
            }
        }
        Ok(())
    }

    /// Lays a letter's lines into the body; before it grows too large it is written.
    async fn add(&mut self, part: Part, lines: &[u8], progress: &mut Progress) -> Result<(), DlqError> {
        if self.deliverer.is_none() {
            return Ok(self.report.would_write(lines, part.lines)?);
        }
        let too_many = self.body.lines + part.lines > self.limits.max_lines.get();
        if too_many || self.body.bytes.len() + lines.len() > self.limits.max_bytes.get() {
            self.flush(progress).await?;
        }
        self.body.push(part, lines);
        Ok(())
    }

    /// Writes the body, and notes which letters are done.
    async fn flush(&mut self, progress: &mut Progress) -> Result<(), DlqError> {
        let Some(deliverer) = &mut self.deliverer else { return Ok(()) };
        if self.body.parts.is_empty() {
            return Ok(());
        }
        let position = self.body.parts[0].ticket.position;
        for (part, refused) in deliverer.deliver(std::mem::take(&mut self.body)).await {
            match refused {
                Some(reason) => self.report.fails(&part.ticket, "sink", &reason)?,
                None => {
                    self.report.written(part.lines);
                    progress.done(part.ticket.covers);
                }
            }
        }
        Ok(self.notes.write(position.partition, progress)?)
    }
}
