//! Processes under measurement, and what they used.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child as StdChild, ChildStdout, Command, Stdio};

/// A child that ends with this value.
pub(crate) struct Child {
    child: StdChild,
    stdout: BufReader<ChildStdout>,
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Seconds of CPU time, user and system.
    pub(crate) cpu_s: f64,
    /// Peak resident memory in megabytes (10⁶ bytes).
    pub(crate) peak_mb: f64,
    /// Resident memory now, likewise.
    pub(crate) resident_mb: f64,
}

// === impl Child ===

impl Child {
    /// Starts a program; its standard input stays open as long as the value lives.
    pub(crate) fn spawn(program: PathBuf, arguments: &[&str], stdin: Stdio) -> Self {
        let mut command = Command::new(&program);
        command.args(arguments).stdin(stdin).stdout(Stdio::piped());
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("could not start {}: {error}", program.display()));
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    /// The next line of its standard output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the process ended before it said anything");
        line.trim_end().to_owned()
    }

    /// What it has used so far.
    pub(crate) fn usage(&self) -> Usage {
        let process = procfs::process::Process::new(i32::try_from(self.child.id()).unwrap()).unwrap();
        usage(&process)
    }

    /// Ends it by SIGTERM and waits; panics if it does not end well.
    pub(crate) fn terminate(mut self) {
        let killed = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "the process ended with {status}");
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What this process has used so far.
pub(crate) fn own_usage() -> Usage {
    usage(&procfs::process::Process::myself().unwrap())
}

fn usage(process: &procfs::process::Process) -> Usage {
    let (stat, status) = (process.stat().unwrap(), process.status().unwrap());
    Usage {
        cpu_s: (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64,
        peak_mb: status.vmhwm.unwrap() as f64 * 1024.0 / 1e6,
        resident_mb: status.vmrss.unwrap() as f64 * 1024.0 / 1e6,
    }
}
