//! Every fuzz target on a fixed number of inputs: the seeds of `fuzz/seeds`, and what random changes make of them. The same inputs on
//! every run, so a failure is one of the change that brought it.
//!
//! `SLUICE_FUZZ_INPUTS` sets another number, `SLUICE_FUZZ_SEED` other inputs, and `SLUICE_FUZZ_INPUT`, hexadecimal or the path of a file
//! that libFuzzer left, runs that one alone.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use fastrand::Rng;

use super::*;

/// Seeds are short, and so is what grows from them: bytes far from the beginning are changed as seldom as the first ones.
const INPUT_BYTES_MAX: usize = 2_048;

/// Changes to one input: enough to get past a check that the seed fails, few enough to leave most of it sound.
const CHANGES_MAX: usize = 6;

/// A target, and the words that mean something to it.
struct Target {
    name: &'static str,
    run: fn(&[u8]),
    words: &'static [&'static [u8]],
    /// Inputs in `make test`: about three seconds' worth.
    inputs: u64,
}

#[test]
fn points_hold_for_any_line() {
    let words: &[&[u8]] = &[
        b",",
        b"=",
        b" ",
        b"\"",
        b"\\",
        b"\\ ",
        b"\\,",
        b"\\=",
        b"\n",
        b"\r",
        b"\t",
        b"\0",
        b"#",
        b"i",
        b"u",
        b"t",
        b"T",
        b"true",
        b"False",
        b"NaN",
        b"inf",
        b"1e400",
        b"-0",
        b"-",
        b"+",
        b".",
        b"1e",
        b"9223372036854775807",
        b"-9223372036854775808",
        b"18446744073709551615u",
        b"1785000000000000000",
        b"\xc3\xa9",
        b"\xff",
        b"\xe2\x80\xa8",
        b",a=b",
        b" f=1",
        b" f=\"x\"",
        b" 7",
        b"time",
        b"_field",
        b"_measurement",
    ];
    Target { name: "points", run: points, words, inputs: 100_000 }.test();
}

#[test]
fn a_guest_output_passes_if_and_only_if_it_obeys_the_rules() {
    let words: &[&[u8]] = &[b"\0", b"\x01", b"\x02", b"\x03", b"\x10", b"\xff", b"\xfe", b"\x00\x04\x02\x01\x01"];
    Target { name: "output", run: output, words, inputs: 200_000 }.test();
}

#[test]
fn a_configuration_never_shows_a_secret() {
    let words: &[&[u8]] = &[
        b"=",
        b":",
        b"\n",
        b"\\",
        b"\\u00e9",
        b"\\ud83d",
        b"\\ud83d\\ude00",
        b"#",
        b"!",
        b" ",
        b"\"",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b"null",
        b"1e999",
        b"-1",
        b"0",
        b"99999999999999999999",
        b"${env:A}",
        b"${env:=8}",
        b"${file:/p:k}",
        b"${dir:/p:f}",
        b"${x:y}",
        b"${",
        b"}",
        b"://",
        b"@",
        b"?",
        b"\0",
        b"\x7f",
        b"password",
        b"token",
        b"influx.",
        b"transform.config.",
        b"consumer.override.",
        b"bootstrap.servers=",
        b"sasl.jaas.config=",
        b"ssl.",
        b"a,b",
        b"builtin:",
        b"sha256:",
        b"true",
        b"auto",
        b"influx.url=",
        b"topics.regex=",
        b"[(",
        b"\xc2\xa0",
    ];
    Target { name: "config", run: config, words, inputs: 8_000 }.test();
}

#[test]
fn no_error_becomes_an_acknowledgement() {
    let words: &[&[u8]] = &[
        b"{\"error\":\"",
        b"{\"code\":\"",
        b"\",\"message\":\"",
        b"\"}",
        b"unable to parse '",
        b"': ",
        b"\nunable to parse '",
        b"partial write",
        b" dropped=1",
        b"incoming write was empty",
        b"hinted handoff queue not empty",
        b"data size",
        b"too big",
        b"\",\"data\":[",
        b"{\"line_number\":",
        b",\"original_line\":\"",
        b"\",\"error_message\":\"",
        b"},",
        b"]",
        b"}",
        b"<html>",
        b"\\u",
        b"\\\"",
        b"\\n",
        b"not supported",
        b"EOF",
        b"database not found",
        b"retention policy not found",
        b"\0",
        b"\n",
        b"200",
        b"204",
        b"400",
        b"422",
        b"500",
        b"1e400",
        b"18446744073709551615",
        b"-1",
        b"0",
        b"Fri, 31 Dec 9999 23:59:59 GMT",
        b"line\":",
        b"\xff",
        b"\x1b[2J",
        b"\xe2\x80\xa8",
    ];
    Target { name: "answers", run: answers, words, inputs: 40_000 }.test();
}

#[test]
fn rest_answers_say_what_has_come_of_a_request() {
    let words: &[&[u8]] = &[
        b"GET ",
        b"HEAD ",
        b"POST ",
        b"PUT ",
        b"PATCH ",
        b"DELETE ",
        b"OPTIONS ",
        b"/connectors",
        b"/connectors/a",
        b"/config",
        b"/status",
        b"/tasks/0",
        b"/restart",
        b"/pause",
        b"/stop",
        b"/topics",
        b"/topics/reset",
        b"/offsets",
        b"/validate",
        b"/admin/loggers/",
        b"/sluice",
        b"/health",
        b"?",
        b"&",
        b"=",
        b"includeTasks=true",
        b"%",
        b"%2F",
        b"%00",
        b"%FF",
        b"%C3%A4",
        b"/",
        b"//",
        b"..",
        b"\n",
        b"\n\n",
        b"\0",
        b"content-type: application/json\n",
        b"content-type: text/plain\n",
        b"accept: text/html\n",
        b"origin: http://evil\n",
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b",",
        b"\"",
        b"null",
        b"true",
        b"1e400",
        b"-0",
        b"\"name\":",
        b"\"config\":",
        b"\"initial_state\":",
        b"\"STOPPED\"",
        b"\"PAUSED\"",
        b"\\u0000",
        b"\\ud83d",
        b"${env:A}",
        b"${file:/p:k}",
        b"\x01",
        b"\xef\xbb\xbf",
        b"{\"tasks.max\":\"2\"}",
        b"NaN",
    ];
    Target { name: "rest", run: rest, words, inputs: 3_000 }.test();
}

impl Target {
    fn test(&self) {
        if let Ok(input) = std::env::var("SLUICE_FUZZ_INPUT") {
            let file = fs::read(&input);
            return (self.run)(&file.unwrap_or_else(|_| bytes(&input)));
        }
        let seeds = self.seeds();
        let number =
            |variable, fallback| std::env::var(variable).map_or(fallback, |text: String| text.parse().unwrap());
        let start: u64 = number("SLUICE_FUZZ_SEED", 1);
        for seed in &seeds {
            self.run(seed, "a seed");
        }
        for nth in 0..number("SLUICE_FUZZ_INPUTS", self.inputs) {
            let mut rng = Rng::with_seed(start << 32 | nth);
            self.run(&self.grow(&seeds, &mut rng), &format!("input {nth} of SLUICE_FUZZ_SEED={start}"));
        }
    }

    fn run(&self, input: &[u8], what: &str) {
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| (self.run)(input))) else { return };
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        eprintln!(
            "fuzz target {} failed on {what}:\n{}\nreplay it: SLUICE_FUZZ_INPUT={hex} cargo test -p sluice --lib fuzz::tests::{}",
            self.name,
            String::from_utf8_lossy(input),
            std::thread::current().name().unwrap_or_default().rsplit("::").next().unwrap_or_default(),
        );
        resume_unwind(panic);
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(self.name);
        let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        assert!(!paths.is_empty(), "no seeds in {}", folder.display());
        paths.iter().map(|path| fs::read(path).unwrap()).collect()
    }

    /// A seed, changed a few times.
    fn grow(&self, seeds: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
        let mut input = rng.choice(seeds).unwrap().clone();
        for _ in 0..rng.usize(1..=CHANGES_MAX) {
            let at = rng.usize(..=input.len());
            let end = rng.usize(at..=input.len().min(at + 40));
            match rng.u8(..8) {
                0 => drop(input.splice(at..at, rng.choice(self.words).unwrap().iter().copied())),
                1 => drop(input.splice(at..end, rng.choice(self.words).unwrap().iter().copied())),
                2 => drop(input.drain(at..end)),
                3 => input.extend_from_within(at..end),
                4 => {
                    let copy = input[at..end].to_vec();
                    let to = rng.usize(..=input.len());
                    drop(input.splice(to..to, copy));
                }
                5 if at < input.len() => input[at] ^= 1 << rng.u8(..8),
                6 if at < input.len() => input[at] = rng.u8(..),
                _ => {
                    let other = rng.choice(seeds).unwrap();
                    let from = rng.usize(..=other.len());
                    drop(input.splice(at..end, other[from..].iter().take(60).copied()));
                }
            }
        }
        input.truncate(INPUT_BYTES_MAX);
        input
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hex.chars().map(|digit| digit.to_digit(16).expect("a file or hexadecimal digits") as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0)).collect()
}
