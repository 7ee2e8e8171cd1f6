//! The program `sluice`: parse, build, announce, wait, drain, exit code.

use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;
use sluice::app::{AppError, Connectors, Kept, Worker};
use sluice::cli::feed::FeedArgs;
use sluice::cli::rest::RestCommand;
use sluice::cli::{Cli, Command, DemoArgs, RunArgs};
use sluice::config::WorkerConfig;
use sluice::feed::FeedError;
use sluice::server::Listening;
use sluice::services::Services;
use sluice::swap;
use sluice::transform::compile;
use sluice::{client, demo, dlq, feed, passwd, scaffold, telemetry, trial, validate};
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Something failed while running.
const FAILED: u8 = 1;

/// The command line or a configuration has to be changed.
const USAGE: u8 = 2;

/// Threads for requests and the API. The data path has its own; more would only take memory on large machines.
const RUNTIME_THREADS_MAX: usize = 4;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let quiet = !matches!(cli.command, Command::Run(_));
    let level = cli.log_level.as_deref().unwrap_or(if quiet { "warn" } else { "info" });
    let log = demo::LogTail::default();
    let writer = {
        let log = log.clone();
        move || log.clone()
    };
    if let Err(error) = telemetry::init(cli.log_format.into(), level, writer) {
        return fail(USAGE, &error);
    }
    match cli.command {
        Command::Run(args) => run(&args),
        Command::Compile(args) => compile::child::run(&args),
        Command::Validate(args) => match validate::run(&args, &mut io::stdout().lock()) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(USAGE),
            Err(error) => fail(FAILED, &error),
        },
        Command::Try(args) => match trial::run(&args, &mut io::stdout().lock()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(if error.is_usage() { USAGE } else { FAILED }, &error),
        },
        Command::Feed(args) => match on_runtime(feed(args)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(if error.is_usage() { USAGE } else { FAILED }, &error),
        },
        Command::New(args) => match scaffold::run(&args, &mut io::stdout().lock()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(if error.is_usage() { USAGE } else { FAILED }, &error),
        },
        Command::Dlq(args) => match on_runtime(dlq::run(&args, &mut io::stdout().lock())) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(FAILED),
            Err(error) => fail(if error.is_usage() { USAGE } else { FAILED }, &error),
        },
        Command::Swap(args) => match on_runtime(swap::client::swap(&args, &mut io::stdout().lock())) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(FAILED, &error),
        },
        Command::Rollback(args) => match on_runtime(swap::client::roll_back(&args, &mut io::stdout().lock())) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(FAILED, &error),
        },
        Command::Rest(command) => ask(&command),
        Command::Passwd(args) => match passwd::run(&args, &mut io::stdout().lock()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(if error.is_usage() { USAGE } else { FAILED }, &error),
        },
        Command::Demo(args) => match on_runtime(show(&args, log)) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(FAILED),
            Err(error) => fail(FAILED, &*error),
        },
    }
}

fn run(args: &RunArgs) -> ExitCode {
    let worker = match validate::read_worker(&args.worker) {
        Ok(worker) => worker,
        Err(error) => return fail(USAGE, &error),
    };
    let services = match Services::of_worker(&worker) {
        Ok(services) => services,
        Err(error) => return fail(FAILED, &error),
    };
    let kept = match Kept::load(services.state_dir()) {
        Ok(kept) => kept,
        Err(error) => return fail(FAILED, &error),
    };
    let files = match validate::prepare(&services, &args.connectors, &worker, (&kept, args.adopt)) {
        Ok(files) => files,
        Err(error) => return fail(USAGE, &error),
    };
    if args.adopt && worker.state_dir.is_none() {
        return fail(USAGE, &AppError::AdoptNowhere);
    }
    if worker.state_dir.is_none() {
        tracing::info!("without state.dir, connectors made over the REST API are gone after a restart");
    }
    on_runtime(serve(worker, &services, Connectors { files, kept, adopt: args.adopt }))
}

/// From start to stop. The first signal stops in an orderly way, the second at once.
async fn serve(worker: WorkerConfig, services: &Services, connectors: Connectors) -> ExitCode {
    let (mut signals, mut hang_up) =
        match Signals::new().and_then(|signals| Ok((signals, signal(SignalKind::hangup())?))) {
            Ok(signals) => signals,
            Err(error) => return fail(FAILED, &error),
        };
    let worker = match Worker::start(worker, services, connectors, axum::Router::new()).await {
        Ok(worker) => worker,
        Err(error) => return fail(if error.is_usage() { USAGE } else { FAILED }, &error),
    };
    for Listening { address, serves, https } in worker.listening() {
        tracing::info!(%address, serves, https, "listening");
    }
    let failed = loop {
        tokio::select! {
            () = signals.next() => break false,
            _ = hang_up.recv() => {
                tracing::info!("SIGHUP: looking at the files of the transforms");
                worker.look_now();
            }
            traces = worker.all_failed() => {
                tracing::error!(tasks = traces.len(), "every task has failed, ending");
                break true;
            }
        }
    };
    if !failed {
        tracing::info!("stopping; a second signal ends at once");
    }
    let in_time = tokio::select! {
        in_time = worker.stop() => in_time,
        () = signals.next() => std::process::exit(i32::from(FAILED)),
    };
    if failed || !in_time { ExitCode::from(FAILED) } else { ExitCode::SUCCESS }
}

/// A command that asks a running worker.
fn ask(command: &RestCommand) -> ExitCode {
    let (mut out, mut err) = (io::stdout().lock(), io::stderr());
    let mut screen = client::Screen::standard(&mut out, &mut err);
    match on_runtime(client::run(command, &mut screen)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(error) => fail(if error.is_usage() { USAGE } else { FAILED }, &error),
    }
}

/// Ends at the first signal, with what is under way acknowledged.
async fn feed(args: FeedArgs) -> Result<(), FeedError> {
    let mut signals = Signals::new().map_err(FeedError::Signals)?;
    let stop = Arc::new(AtomicBool::new(false));
    let (asked, runtime) = (Arc::clone(&stop), Handle::current());
    let mut work = tokio::task::spawn_blocking(move || feed::run(&args, &runtime, &asked, &mut io::stdout()));
    let ended = tokio::select! {
        ended = &mut work => ended,
        () = signals.next() => {
            stop.store(true, Ordering::Relaxed);
            tokio::select! {
                ended = work => ended,
                () = signals.next() => std::process::exit(i32::from(FAILED)),
            }
        }
    };
    ended.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
}

async fn show(args: &DemoArgs, log: demo::LogTail) -> Result<bool, Box<dyn Error>> {
    let mut signals = Signals::new()?;
    Ok(demo::command(args, log, signals.next()).await?)
}

/// SIGTERM and Ctrl-C.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn on_runtime<T>(work: impl Future<Output = T>) -> T {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.min(RUNTIME_THREADS_MAX))
        .enable_all()
        .build()
        .expect("the system gives threads");
    let result = runtime.block_on(work);
    // Not dropped: that would wait for name look-ups under way, without a limit.
    runtime.shutdown_background();
    result
}

fn fail(code: u8, error: &dyn Error) -> ExitCode {
    // Standard error, and not the log: this is the answer to the person who typed the command.
    eprintln!("sluice: {}", sluice::trace(error));
    ExitCode::from(code)
}
