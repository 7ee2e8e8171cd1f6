//! Ends the processes of a test run that was itself killed: a shell that knows them reads a pipe which only this process writes.

use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;

use super::BINARY;

/// Reads process ids; when the pipe closes it kills those that still run our program (an id may have gone to another one).
const SCRIPT: &str = r#"
while read -r pid; do pids="$pids $pid"; done
for pid in $pids; do [ "$(readlink "/proc/$pid/exe")" = "$0" ] && kill -KILL "$pid"; done
"#;

static GUARD: Mutex<Option<(Child, ChildStdin)>> = Mutex::new(None);

/// Sees to it that process `pid` does not outlive this one.
pub(super) fn watch(pid: u32) {
    let mut guard = GUARD.lock().unwrap();
    let (_, pipe) = guard.get_or_insert_with(|| {
        let mut shell = Command::new("setsid");
        let mut shell =
            shell.args(["sh", "-c", SCRIPT, BINARY]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let pipe = shell.stdin.take().unwrap();
        (shell, pipe)
    });
    writeln!(pipe, "{pid}").unwrap();
}
