//! Runs what a document shows at a terminal: ` ```console ` blocks, one after the other, in a folder and a shell of the document's own.
//!
//! A line that begins with `$ ` is a command; what follows, up to the next one, is what it prints, and `…` stands for anything in it (whole lines, where it
//! stands alone). A command with `<<EOF` or `<<'EOF'` goes on to the line `EOF`. A block with `file=NAME` after its language is put into that file.
//! Commands find `sluice` on their path, and Kafka and InfluxDB by `$KAFKA` and `$INFLUXDB`.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use regex_lite::Regex;
use tempfile::TempDir;

use super::markdown::{Block, Document};
use crate::support::own::{OwnInflux, OwnKafka};
use crate::support::sluice::BINARY;

/// How long a whole document may take, compiling included.
const LIMIT_S: &str = "240";

/// The worker's port as documents have it; the test takes another, which is free.
const PORT: &str = "8083";

/// A folder, and servers of its own, so that names of topics and databases may be those of the document.
pub(super) struct Session {
    folder: TempDir,
    kafka: OwnKafka,
    influx: OwnInflux,
    port: String,
}

/// A command and what it prints.
#[derive(Debug, PartialEq)]
struct Typed {
    command: String,
    prints: String,
}

// === impl Session ===

impl Session {
    pub(super) fn start() -> Self {
        let port = free_port().to_string();
        let (kafka, influx) = (OwnKafka::start(&[]), OwnInflux::start(&[]));
        Self { folder: tempfile::tempdir().unwrap(), kafka, influx, port }
    }

    /// Runs all of it; fails at the first command that does not end well or prints something else.
    pub(super) fn run(&self, document: &Document) {
        let typed = self.execute(&document.blocks);
        assert!(!typed.is_empty(), "{} shows no terminal", document.path.display());
        for (at, Typed { command, prints }) in typed.iter().enumerate() {
            let path = |kind: &str| self.folder.path().join(format!("{at}.{kind}"));
            let said =
                fs::read_to_string(path("out")).unwrap_or_else(|_| format!("nothing: {command:?} was not reached"));
            let code = fs::read_to_string(path("code")).unwrap_or_default();
            let name = document.path.file_name().unwrap().to_string_lossy();
            assert_eq!(code.trim(), "0", "{name}: `{command}` says:\n{said}");
            let said = said.replace(&self.port, PORT);
            assert!(fits(prints, &said), "{name}: `{command}` says:\n{said}\nand not:\n{prints}");
        }
    }

    fn execute(&self, blocks: &[Block]) -> Vec<Typed> {
        let mut script = String::from("trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n");
        let mut all = Vec::new();
        for block in blocks {
            if let Some(file) = &block.file {
                let _ = writeln!(script, "cat >{file} <<'END OF FILE'\n{}END OF FILE", block.text);
            }
            if block.language != "console" {
                continue;
            }
            for typed in read(&block.text) {
                let command = typed.command.replace(PORT, &self.port);
                let out = self.folder.path().join(all.len().to_string());
                let out = out.display();
                let _ = writeln!(
                    script,
                    "{{ {command}\n}} >{out}.out 2>&1 </dev/null\ncode=$?; echo $code >{out}.code; [ $code = 0 ] || exit 1"
                );
                all.push(typed);
            }
        }
        let work = self.folder.path().join("work");
        fs::create_dir(&work).unwrap();
        let mut bash = Command::new("timeout");
        bash.args(["--kill-after=5", LIMIT_S, "bash", "-c", &script]).current_dir(&work);
        // What cargo and rustup set for the test that they run would be taken for the reader's own.
        let of_test = ["SLUICE_", "CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_TARGET_", "CARGO_BIN_", "RUSTUP_TOOLCHAIN"];
        for (name, _) in std::env::vars().filter(|(name, _)| of_test.iter().any(|begin| name.starts_with(begin))) {
            bash.env_remove(name);
        }
        bash.env("KAFKA", self.kafka.address()).env("INFLUXDB", self.influx.url());
        let path = std::env::var("PATH").unwrap();
        bash.env("PATH", format!("{}:{path}", Path::new(BINARY).parent().unwrap().display()));
        bash.env("SLUICE_LISTENERS", format!("http://127.0.0.1:{}", self.port));
        bash.env("SLUICE_URL", format!("http://127.0.0.1:{}", self.port));
        let status = bash.status().unwrap();
        assert_ne!(status.code(), Some(124), "the limit of {LIMIT_S} s for all of the document is over");
        all
    }
}

/// A port that the system does not hand out by itself: it has to stay free until the document's worker listens, and while that is killed.
fn free_port() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let first: u16 = range.split_whitespace().next().unwrap().parse().unwrap();
    let mut candidates = std::iter::repeat_with(|| fastrand::u16(10_000..first.max(12_000)));
    candidates.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

/// Commands and what they print.
fn read(text: &str) -> Vec<Typed> {
    let mut all: Vec<Typed> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(first) = line.strip_prefix("$ ") else {
            let last = all.last_mut().unwrap_or_else(|| panic!("no command before {line:?}"));
            last.prints.push_str(line);
            last.prints.push('\n');
            continue;
        };
        let mut command = first.to_owned();
        let end = first.split_once("<<").map(|(_, end)| end.trim_matches(['\'', '"', ' ']).to_owned());
        let goes_on = |last: &str| last.ends_with('\\');
        while end.is_some() || goes_on(&command) {
            let Some(next) = lines.next() else { break };
            let next = if end.is_none() { next.strip_prefix("> ").unwrap_or(next) } else { next };
            command.push('\n');
            command.push_str(next);
            if end.as_deref() == Some(next) {
                break;
            }
        }
        all.push(Typed { command, prints: String::new() });
    }
    all
}

/// Whether what was said is what is shown. Nothing shown: anything may be said.
fn fits(shown: &str, said: &str) -> bool {
    if shown.trim().is_empty() {
        return true;
    }
    let line = |line: &str| {
        let escaped = line.trim_end().chars().map(|c| match c {
            '…' => ".*".to_owned(),
            c if c.is_alphanumeric() || c == ' ' => c.to_string(),
            c if c.is_ascii() => format!("\\{c}"),
            c => c.to_string(),
        });
        escaped.collect::<String>()
    };
    let mut pattern = String::from("^");
    for shown in shown.trim_end().lines() {
        if shown.trim() == "…" {
            pattern.push_str("(?:.*\n)*");
        } else {
            pattern.push_str(&line(shown));
            pattern.push_str(" *\n");
        }
    }
    pattern.push('$');
    let said: String = said.trim_end().lines().map(|line| format!("{}\n", line.trim_end())).collect();
    Regex::new(&pattern).unwrap().is_match(&said)
}

#[test]
fn a_terminal_is_read() {
    let text = "$ a | b\nx\ny…\n$ cat >f <<'EOF'\n1\nEOF\n$ c \\\n>   d\n";
    let all = read(text);
    let commands: Vec<_> = all.iter().map(|typed| typed.command.as_str()).collect();
    assert_eq!(commands, ["a | b", "cat >f <<'EOF'\n1\nEOF", "c \\\n  d"]);
    assert_eq!(all[0].prints, "x\ny…\n");
}

#[test]
fn what_is_shown_is_compared() {
    assert!(fits("a (1)\n…\nz in … ms\n", "a (1)\nb\nc\nz in 7 ms\n"));
    assert!(fits("a\n…\n", "a\n") && fits("", "anything"));
    assert!(!fits("a\n", "a\nb\n") && !fits("a.c\n", "abc\n") && !fits("a … b\n", "a\nb\n"));
}
