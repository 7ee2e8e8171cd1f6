//! A report as JSON, as warnings and on a terminal.

use super::*;

fn many_differences() -> Report {
    let values: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let long = "ä".repeat(3000);
    let make = |value: &str, version: usize| -> doubles::Play {
        let line = |n: usize| format!("{long}{n}{value}{version},t{value}{version}=1 f{value}=\"{long}\"");
        doubles::Play::Lines((0..20).map(line).collect())
    };
    let (mut old, mut new) = (Double::new(|value| make(value, 1)), Double::new(|value| make(value, 2)));
    run(&mut old, &mut new, &sample(&[&values]))
}

#[test]
fn a_report_is_small_whatever_the_lines() {
    let report = many_differences();
    assert_eq!((report.records_differing, report.lines.differing, report.differences.len()), (40, 800, 10));
    assert_eq!(report.differences[0].old.more, 16);
    let json = serde_json::to_string(&report).unwrap();
    assert!(json.len() < 64 * 1024, "{} bytes", json.len());
    let text = report.to_string();
    // Ten differences of eleven lines, and what comes before them.
    assert!(text.lines().count() < 125 && text.lines().all(|line| line.chars().count() < 700));
    assert!(text.contains("warning: 75 more measurements, tags or fields change"));
    assert!(text.contains("the first 10 of 40 differences:") && text.contains("(and 16 more lines)"));
    assert!(report.refusal(Equal).unwrap().chars().count() < 1000);
}

#[test]
fn json_is_stable_and_is_read_back() {
    let sample = sample(&[&["a", "b", "c", "d"]]);
    let mut old = Double::new(|value| if value == "d" { fail("old") } else { lines(&["m f=1 7"]) });
    let mut new = Double::new(|value| match value {
        "a" => lines(&["m f=2 7", "m f=1 7"]),
        "b" => reject("why"),
        "c" => fail("trap"),
        _ => lines(&[]),
    });
    let mut report = run(&mut old, &mut new, &sample);
    report.old.ns_per_record = Some(120);
    let json = serde_json::to_value(&report).unwrap();
    let failed = "transform played failed in `transform`: trap";
    let side = |fate: &str, texts: &[&str]| json!({ "fate": fate, "texts": texts, "more": 0 });
    let expected = json!({
        "records": 4, "records_in_sample": 4, "records_without_inputs": 0, "stopped": null, "records_differing": 4,
        "lines": { "equal": 1, "differing": 0, "added": 1, "gone": 2 },
        "old": { "rejected": 0, "unwritable": 0, "failed": 1, "failed_together": 0, "ns_per_record": 120 },
        "new": { "rejected": 1, "unwritable": 0, "failed": 1, "failed_together": 0, "ns_per_record": null },
        "newly_rejected": { "count": 1, "first": { "record": "t-0@1", "reason": "why" } },
        "newly_failed": { "count": 1, "first": { "record": "t-0@2", "reason": failed } },
        "schema": { "changes": [], "more": 0, "incomplete": false },
        "differences": [
            { "record": "t-0@0", "old": side("lines", &[]), "new": side("lines", &["m f=2 7"]) },
            { "record": "t-0@1", "old": side("lines", &["m f=1 7"]), "new": side("rejected", &["why"]) },
            { "record": "t-0@2", "old": side("lines", &["m f=1 7"]), "new": side("failed", &[failed]) },
            {
                "record": "t-0@3",
                "old": side("failed", &["transform played failed in `transform`: old"]),
                "new": side("filtered", &[]),
            },
        ],
    });
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_value::<Report>(json).unwrap(), report);
    // What an older version wrote has fewer fields.
    assert_eq!(serde_json::from_value::<Report>(json!({ "records": 3 })).unwrap().records, 3);
    assert_eq!(serde_json::to_value([Stopped::Budget, Stopped::Failures]).unwrap(), json!(["budget", "failures"]));
}

#[test]
fn much_slower_is_a_warning_and_no_refusal() {
    let cost = |old, new| {
        let side = |ns| Side { ns_per_record: ns, ..Side::default() };
        Report { records: 100, records_in_sample: 100, old: side(old), new: side(new), ..Report::default() }
    };
    let slower = cost(Some(400), Some(1000));
    let expected = "the candidate takes 1000 ns a record, 2.5 times the 400 ns of the running version";
    assert!(slower.warnings()[0].starts_with(expected), "{:?}", slower.warnings());
    assert_eq!((slower.failure(), slower.refusal(Equal)), (None, None));
    for (old, new) in [(Some(400), Some(799)), (Some(10), Some(209)), (None, Some(9000)), (Some(9000), None)] {
        assert!(cost(old, new).warnings().is_empty(), "{old:?} {new:?}");
    }
    assert_eq!(cost(Some(0), Some(200)).warnings().len(), 1);
}

#[test]
fn the_terminal_shows_it_at_a_glance() {
    let sample = sample(&[&["same", "a", "b", "c", "d"]]);
    let mut old = Double::new(|value| if value == "d" { lines(&[]) } else { lines(&["m f=1 7"]) });
    let mut new = Double::new(|value| match value {
        "a" => lines(&["m f=1i 7"]),
        "b" => reject("no separator"),
        "c" => fail("trap: unreachable"),
        _ => lines(&["m f=1 7"]),
    });
    let mut report = run(&mut old, &mut new, &sample);
    (report.old.ns_per_record, report.new.ns_per_record) = (Some(210), None);
    let expected = "\
records    5 of 5 compared, 4 differ
lines      1 equal, 1 differing, 1 added, 2 gone
             rejected  unwritable    failed  ns per record
running             0           0         0            210
candidate           1           0         1              -
newly rejected: 1, the first is t-0@2: no separator
newly failed: 1, the first is t-0@3: transform played failed in `transform`: trap: unreachable
warning: field \"f\" of measurement \"m\" changes its type from float to float and integer: InfluxDB refuses points that do not \
fit those it has; give it another name, or the old type
warning: the candidate writes 3 lines of records of which the running version writes 4 lines
differences:
t-0@1
  - m f=1 7
  + m f=1i 7
t-0@2
  - m f=1 7
  + (rejected) no separator
t-0@3
  - m f=1 7
  + (failed) transform played failed in `transform`: trap: unreachable
t-0@4
  - (filtered)
  + m f=1 7";
    assert_eq!(report.to_string(), expected);
}
