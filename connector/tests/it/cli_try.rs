//! `sluice try`: where its values come from, what it prints, how it ends.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::sandbox;
use crate::support::kafka::{Topic, unique};
use crate::support::points::{LONG_AGO_MS, Record};
use crate::support::services;
use crate::support::sluice::{BINARY, Connector};
use crate::support::wait::DEADLINE;

const SPLIT_CONCAT: &str = "builtin:split-concat";

/// Runs `sluice try` to its end with `stdin` on its standard input.
fn try_with(arguments: &[&str], stdin: &[u8]) -> Output {
    let mut command = Command::new(BINARY);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SLUICE_")) {
        command.env_remove(name);
    }
    command.arg("try").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    process.stdin.take().unwrap().write_all(stdin).unwrap();
    process.wait_with_output().unwrap()
}

/// What it prints but for the last line, which tells the cost; that one begins with `summary`.
#[track_caller]
fn prints_with(arguments: &[&str], stdin: &[u8], expected: &[&str], summary: &str) {
    let output = try_with(arguments, stdin);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<_> = text.lines().collect();
    let last = lines.pop().unwrap();
    assert_eq!(lines, expected);
    let cost = last.strip_prefix(&format!("{summary}; ")).and_then(|rest| rest.strip_suffix(" ns per record"));
    assert!(cost.is_some_and(|cost| cost.parse::<u64>().is_ok()), "{last}");
}

#[track_caller]
fn prints(arguments: &[&str], expected: &[&str], summary: &str) {
    prints_with(arguments, b"", expected, summary);
}

/// It prints no line, ends with `code` and says all of `words`.
#[track_caller]
fn fails(arguments: &[&str], code: i32, words: &[&str]) {
    let output = try_with(arguments, b"");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(words.iter().all(|word| told.contains(word)), "{words:?} are not all in: {told}");
    assert!(output.stdout.is_empty(), "{output:?}");
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn values_come_from_the_command_line_a_file_or_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    prints(
        &[SPLIT_CONCAT, "--value", "A,1", "--value", "-B,-2", "--config", "symbol.as=tag"],
        &["cryptos,symbol=A price=1", "cryptos,symbol=-B price=-2"],
        "2 records: 2 lines, 0 rejected, 0 filtered",
    );
    // Windows' line ends, and no line end at the end.
    let file = write(folder.path(), "values.txt", "A,1\r\nB,2");
    let both = ["cryptos C=3", "cryptos A=1", "cryptos B=2"];
    prints(&[SPLIT_CONCAT, "--file", &file, "--value", "C,3"], &both, "3 records: 3 lines, 0 rejected, 0 filtered");
    prints_with(
        &[SPLIT_CONCAT, "--file", "-"],
        b"A,1\nB,2\n",
        &both[1..],
        "2 records: 2 lines, 0 rejected, 0 filtered",
    );
}

#[test]
fn many_values_are_many_batches() {
    let values: String = (0..10_000).map(|number| format!("A,{number}\n")).collect();
    let expected: Vec<_> = (0..10_000).map(|number| format!("cryptos A={number}")).collect();
    let expected: Vec<_> = expected.iter().map(String::as_str).collect();
    let summary = "10000 records: 10000 lines, 0 rejected, 0 filtered";
    prints_with(&[SPLIT_CONCAT, "--file", "-"], values.as_bytes(), &expected, summary);
}

#[test]
fn rejects_are_told_with_their_reasons() {
    prints(
        &[SPLIT_CONCAT, "--value", "A,1", "--value", "A", "--value", "", "--value", "A,x"],
        &[
            "cryptos A=1",
            r#"rejected try-0 offset 1: value has no separator ',': value "A""#,
            r#"rejected try-0 offset 2: value is empty: value """#,
            r#"rejected try-0 offset 3: price is not a decimal number: value "A,x""#,
        ],
        "4 records: 1 lines, 3 rejected, 0 filtered",
    );
}

#[test]
fn a_line_that_is_no_line_protocol_rejects_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let module = write(folder.path(), "hostile.wasm", sandbox::core());
    let output = try_with(&[&module, "--config", "mode=not-line-protocol", "--value", "A"], b"");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.starts_with("rejected try-0 offset 0: "), "{output:?}");
    assert!(text.contains("1 records: 0 lines, 1 rejected, 0 filtered"), "{output:?}");
    prints(
        &[&module, "--config", "mode=echo-inputs", "--value", "A"],
        &[r#"hostile key="null",headers="",timestamp=0i,offset=0i"#],
        "1 records: 1 lines, 0 rejected, 0 filtered",
    );
}

#[test]
fn a_transform_that_fails_is_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let module = write(folder.path(), "hostile.wasm", sandbox::core());
    fails(&[&module, "--config", "mode=panic", "--value", "A"], 1, &[&module, "failed in `transform`", "unreachable"]);
    fails(&[&module, "--config", "mode=configure-trap", "--value", "A"], 1, &[&module, "failed in `configure`"]);
    fails(&[&module, "--config", "mode=reject-and-line", "--value", "A"], 1, &["record 0 has both"]);
}

#[test]
fn what_has_to_be_written_anew_is_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let value = ["--value", "A,1"];
    let text = write(folder.path(), "module.wasm", "#!/bin/sh");
    let empty = write(folder.path(), "empty.txt", "");
    fails(&["/no/such.wasm", value[0], value[1]], 2, &["/no/such.wasm", "No such file"]);
    fails(&["builtin:split-conact", value[0], value[1]], 2, &["split-conact", "split-concat"]);
    fails(&[&text, value[0], value[1]], 2, &[&text, "not WebAssembly"]);
    fails(&[SPLIT_CONCAT, "--config", "seperator=;", value[0], value[1]], 2, &["seperator", "separator"]);
    fails(&[SPLIT_CONCAT, "--config", "separator", value[0], value[1]], 2, &["KEY=VALUE"]);
    fails(&[SPLIT_CONCAT], 2, &["--value", "--file", "--topic"]);
    fails(&[SPLIT_CONCAT, "--file", &empty], 2, &["--value", "--file", "--topic"]);
    fails(&[SPLIT_CONCAT, "--file", "/no/such.txt"], 2, &["/no/such.txt", "No such file"]);
    fails(&[SPLIT_CONCAT, "--topic", "prices"], 2, &["--last"]);
    fails(&[SPLIT_CONCAT, "--topic", "prices", "--last", "0"], 2, &["--last", "1..=1000000"]);
    fails(&[SPLIT_CONCAT, "--topic", "prices", "--last", "1"], 2, &["bootstrap.servers"]);
    fails(&[value[0], value[1]], 2, &["MODULE"]);
}

#[test]
fn module_and_settings_come_from_a_connectors_file_and_flags_win() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "hostile.wasm", sandbox::core());
    let connector = Connector::named("try", "prices")
        .set("influx.url", "http://127.0.0.1:1")
        .set("influx.database", "prices")
        .set("transform.config.symbol.as", "tag")
        .set("transform.config.price.field", "usd");
    let file = write(folder.path(), "try.properties", connector.properties());
    let one = "1 records: 1 lines, 0 rejected, 0 filtered";
    prints(&["--connector", &file, "--value", "A,1"], &["cryptos,symbol=A usd=1"], one);
    prints(&["--connector", &file, "--config", "price.field=eur", "--value", "A,1"], &["cryptos,symbol=A eur=1"], one);

    // The limits are the file's too, and a module is looked for in `plugin.path`.
    let limited = connector
        .set("transform.module", "hostile.wasm")
        .set("transform.timeout.ms", "30")
        .set("transform.config.mode", "loop");
    let file = write(folder.path(), "limited.properties", limited.properties());
    let plugins = folder.path().to_str().unwrap();
    let arguments = ["--connector", &file, "--plugin-path", plugins, "--value", "A"];
    fails(&arguments, 1, &["hostile.wasm", "transform.timeout.ms=30"]);
    fails(&["--connector", "/no/such.properties", "--value", "A"], 2, &["/no/such.properties", "No such file"]);
    let wrong = write(folder.path(), "wrong.properties", limited.set("linger.ms", "-1").properties());
    fails(&["--connector", &wrong, "--value", "A"], 2, &[&wrong, "linger.ms=-1"]);
}

#[test]
fn the_newest_records_of_a_topic_are_those_of_the_latest_time() {
    let topic = Topic::create("newest", 3);
    let price =
        |partition, seconds: i64, price: &str| Record::price(partition, LONG_AGO_MS + 1000 * seconds, "A", price);
    topic.produce(&[price(0, 1, "1"), price(0, 4, "4"), price(0, 6, "6")]);
    topic.produce(&[price(1, 2, "2"), price(1, 3, "3"), price(1, 5, "5")]);
    let prints = |last: &str, expected: &[&str]| {
        let arguments =
            [SPLIT_CONCAT, "--bootstrap-servers", services::kafka(), "--topic", &topic.name, "--last", last];
        let summary = format!("{0} records: {0} lines, 0 rejected, 0 filtered", expected.len());
        self::prints(&arguments, expected, &summary);
    };
    // Partition by partition, as batches are.
    prints("3", &["cryptos A=4", "cryptos A=6", "cryptos A=5"]);
    prints("1", &["cryptos A=6"]);
    prints("100", &["cryptos A=1", "cryptos A=4", "cryptos A=6", "cryptos A=2", "cryptos A=3", "cryptos A=5"]);

    let observer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", services::kafka()).create().unwrap();
    let groups = observer.fetch_group_list(None, DEADLINE).unwrap();
    let left: Vec<_> =
        groups.groups().iter().map(|group| group.name()).filter(|name| name.starts_with("sluice-try")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_topic_without_records_is_told_from_one_that_is_missing() {
    let (empty, missing) = (Topic::create("empty", 2), unique("missing"));
    let kafka = services::kafka();
    let on = |topic: &str, words: &[&str]| {
        let arguments = [SPLIT_CONCAT, "--bootstrap-servers", kafka, "--topic", topic, "--last", "1"];
        fails(&arguments, 2, &[&[topic, kafka], words].concat());
    };
    on(&empty.name, &["has no records"]);
    on(&missing, &["does not exist"]);
}
