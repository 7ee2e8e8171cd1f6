//! `sluice compile`: the child that makes machine code. Module on standard input, machine code on standard output.
//!
//! It confines itself before it reads a byte of the module, and does not outlive the process that waits for it.

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{
    Pid, Resource, Rlimit, Signal, getppid, getrlimit, nice, set_parent_process_death_signal, setrlimit,
};

use super::super::engine;
use super::super::load_error::Refusal;
use super::super::structure;
use super::{CODE_FAILED, CODE_NOT_ENCODABLE, CODE_REFUSED, component_of};
use crate::cli::CompileArgs;

/// How much this steps back behind the data path where they want the same core. Much more, and a busy machine would starve it.
const NICE: i32 = 2;

/// Compiles what standard input gives. Errors go to standard error, for the parent.
pub fn run(args: &CompileArgs) -> ExitCode {
    match confine(args).and_then(|()| compile()) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(Refusal::NotEncodable(reason))) => end(CODE_NOT_ENCODABLE, &reason),
        Ok(Err(Refusal::Compile(reason))) => end(CODE_REFUSED, &reason),
        Err(error) => end(CODE_FAILED, &error.to_string()),
    }
}

fn end(code: u8, reason: &str) -> ExitCode {
    eprintln!("{reason}");
    ExitCode::from(code)
}

/// Takes every limit, for this process and for good.
fn confine(args: &CompileArgs) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before that, and then no signal comes.
    let parent = args.parent.and_then(|parent| Pid::from_raw(parent.cast_signed()));
    if parent.is_some() && getppid() != parent {
        return Err(io::Error::other("the process that wanted this compiled has ended"));
    }
    let seconds = Duration::from_millis(args.timeout_ms).as_millis().div_ceil(1000) as u64;
    // A signal at the first limit, which says what happened; the end at the second.
    limit(Resource::Cpu, seconds, seconds.saturating_add(1))?;
    limit(Resource::As, args.memory_max_bytes, args.memory_max_bytes)?;
    limit(Resource::Core, 0, 0)?;
    // A matter of manners only.
    let _ = nice(NICE);
    Ok(())
}

/// Lowers a limit; one that is lower already stays.
fn limit(resource: Resource, current: u64, maximum: u64) -> io::Result<()> {
    let ceiling = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let (current, maximum) = (Some(current.min(ceiling)), Some(maximum.min(ceiling)));
    Ok(setrlimit(resource, Rlimit { current, maximum })?)
}

fn compile() -> io::Result<Result<(), Refusal>> {
    let mut module = Vec::new();
    io::stdin().lock().take(structure::BYTES_MAX + 1).read_to_end(&mut module)?;
    let engine = engine::compiler();
    // The parent has looked as well: this holds if somebody else calls.
    let code = structure::check(&module)
        .map_err(|error| Refusal::Compile(error.to_string()))
        .and_then(|_| component_of(&engine, &module))
        .and_then(|component| {
            engine.precompile_component(&component).map_err(|error| Refusal::Compile(format!("{error:#}")))
        });
    match code {
        Ok(code) => io::stdout().lock().write_all(&code).map(Ok),
        Err(refusal) => Ok(Err(refusal)),
    }
}
