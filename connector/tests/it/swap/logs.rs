//! What the log says of swaps: one line of each thing that happened, with the version it is about.

use serde_json::Value;

use super::stage::json;
use super::{Stage, digest, variant};
use crate::support::sluice::Sluice;
use crate::support::wait::equal;

/// Level, message, digest and where it came from of each line about swaps, without the debugging ones.
fn told(sluice: &Sluice) -> Vec<[String; 4]> {
    let log = sluice.log();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let swaps = lines.filter(|line| {
        line["level"] != "DEBUG"
            && (line["span"]["name"] == "swap"
                || line["message"].as_str().unwrap().contains("version of the transform"))
    });
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    swaps.map(|line| ["level", "message", "digest", "source"].map(|field| text(&line[field]))).collect()
}

#[test]
fn each_step_has_one_line() {
    let stage = Stage::with("logs", &[]);
    let mut sluice = stage.started();
    let modules = [variant(2, "stamp"), variant(3, "configure-error"), variant(4, "trap-at-10000")];
    let [two, broken, bad] = modules.each_ref();
    stage.upload(&sluice, two, "?dry-run");
    stage.upload(&sluice, two, "");
    stage.upload(&sluice, broken, "?dry-run");
    stage.upload(&sluice, broken, "");
    stage.roll_back(&sluice);
    stage.replace(bad);
    sluice.until("the file to run", |sluice| stage.runs(sluice, bad));
    stage.produce(12_000);
    sluice.until("the way back", |sluice| stage.last_entry(sluice, bad, "rolled_back"));
    stage.finish(&mut sluice);
    let [two, broken, bad] = modules.each_ref().map(|module| digest(module));
    let line = |line: [&str; 4]| line.map(str::to_owned);
    assert_eq!(
        told(&sluice),
        [
            ["INFO", "new version of the transform would be taken", &two, "upload"],
            ["INFO", "transform switched", &two, "upload"],
            ["INFO", "new version of the transform would be refused", &broken, "upload"],
            ["WARN", "new version of the transform refused", &broken, "upload"],
            ["INFO", "new version of the transform taken back on request", &two, ""],
            ["INFO", "transform switched", &bad, "file"],
            ["WARN", "new version of the transform taken back", &bad, ""],
        ]
        .map(line)
    );
    assert!(sluice.logged(&["WARN", "new version of the transform refused", "configure-error refuses"]).is_ok());
    assert!(sluice.logged(&["WARN", "new version of the transform taken back", "unreachable"]).is_ok());
}

#[test]
fn a_promotion_and_the_way_back_have_one_line_each() {
    let stage = Stage::with("logs-promoted", &[("transform.probation.ms", "1")]);
    let mut sluice = stage.started();
    let two = digest(&variant(2, "stamp"));
    stage.upload(&sluice, &variant(2, "stamp"), "");
    stage.produce(1);
    sluice.until("the promotion", |sluice| equal(stage.transform(sluice)["state"].clone(), &"stable".into()));
    let back = json(&stage.roll_back(&sluice))["digest"].as_str().unwrap().to_owned();
    let line = |line: [&str; 4]| line.map(str::to_owned);
    assert_eq!(
        told(&sluice),
        [
            ["INFO", "transform switched", &two, "upload"],
            ["INFO", "new version of the transform promoted, its probation is over", &two, ""],
            ["INFO", "transform rolled back on request", &back, ""],
        ]
        .map(line)
    );
}

#[test]
fn lines_of_a_task_say_which_version_runs() {
    let stage = Stage::with("logs-module", &[]);
    let mut sluice = stage.started();
    // What a task says now and then, by the version that ran then.
    let modules = |sluice: &Sluice| -> Vec<String> {
        let log = sluice.log();
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let sent = lines.filter(|line| line["message"] == "offsets sent");
        let mut modules: Vec<_> = sent.map(|line| line["span"]["module"].as_str().unwrap().to_owned()).collect();
        modules.dedup();
        modules
    };
    let short = |number| digest(&variant(number, "stamp"))[..12].to_owned();
    assert_eq!(modules(&sluice), [short(1)]);
    stage.upload(&sluice, &variant(2, "stamp"), "");
    stage.produce(10);
    stage.finish(&mut sluice);
    assert_eq!(modules(&sluice), [short(1), short(2)]);
    stage.roll_back(&sluice);
    stage.produce(10);
    stage.finish(&mut sluice);
    assert_eq!(modules(&sluice), [short(1), short(2), short(1)]);
}
