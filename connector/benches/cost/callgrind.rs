//! Counting by valgrind's tool callgrind, see its manual for the format of what it writes.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::process::Command;

/// The functions by which C and, through them, Rust allocate: jemalloc's.
const ALLOCATORS: [&str; 8] =
    ["malloc", "calloc", "realloc", "aligned_alloc", "posix_memalign", "mallocx", "rallocx", "xallocx"];

/// What was counted within a function and all that it calls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) instructions: u64,
    pub(crate) allocations: u64,
}

/// Runs this program with these arguments and counts what happens within a function of that name.
pub(crate) fn count(function: &str, arguments: &[&str]) -> Counted {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("callgrind.out");
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--toggle-collect=*{function}*"))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe().unwrap())
        .args(arguments)
        .status();
    match run {
        Ok(status) => assert!(status.success(), "valgrind ended with {status}, see above"),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("valgrind is not on the PATH: install it (Debian: apt-get install valgrind)")
        }
        Err(error) => panic!("could not start valgrind: {error}"),
    }
    read(&fs::read_to_string(out).unwrap())
}

/// A name is written out where it comes first, as `(12) malloc`, and is `(12)` after that.
fn read(text: &str) -> Counted {
    let (mut names, mut called) = (HashMap::new(), "");
    let mut counted = Counted { instructions: 0, allocations: 0 };
    for line in text.lines() {
        let Some((key, value)) = line.split_once(['=', ':']) else { continue };
        match key {
            "fn" | "cfn" => {
                let (number, name) = value.split_once(' ').unwrap_or((value, ""));
                let name = *names.entry(number).or_insert(name);
                called = if key == "cfn" { name } else { called };
            }
            "calls" if ALLOCATORS.contains(&called) => {
                counted.allocations += value.split(' ').next().unwrap().parse::<u64>().unwrap();
            }
            "summary" => counted.instructions = value.trim().parse().unwrap(),
            _ => {}
        }
    }
    assert!(counted.instructions > 0, "nothing was counted: is the function still there by its name?");
    counted
}
