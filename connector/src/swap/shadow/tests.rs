//! Every kind of version as a double; what two settings of a real transform differ in is the last test here.

mod doubles;
mod failures;
mod lines;
mod words;

use serde_json::json;

use super::*;
use crate::config::ModuleRef;
use crate::config::ShadowRequire::{Equal, NoNewRejects, None as Nothing};
use crate::transform::engine::Engine;
use crate::transform::{Limits, Output};
use doubles::{Double, FOREVER, fail, lines, reject, run, run_for, sample, sample_with};

#[test]
fn equal_versions_differ_in_nothing() {
    let sample = sample(&[&["a", "b", "filtered"], &["c"]]);
    let make = |value: &str| if value == "filtered" { lines(&[]) } else { lines(&[&format!("m f=\"{value}\"")]) };
    let (mut old, mut new) = (Double::new(make), Double::new(make));
    let report = compare_versions(&mut old, &mut new, &sample, Tiebreak::Offset, FOREVER);
    assert_eq!((report.records, report.records_in_sample, report.records_differing), (4, 4, 0));
    assert_eq!(report.lines, Lines { equal: 3, ..Lines::default() });
    assert!(report.differences.is_empty() && report.schema.is_empty() && report.stopped.is_none());
    assert!(report.old.ns_per_record.is_some() && report.new.ns_per_record.is_some());
    assert_eq!(report.failure(), None);
    for require in [Equal, NoNewRejects, Nothing] {
        assert_eq!(report.refusal(require), None);
    }
}

#[test]
fn an_empty_sample_refuses_nobody() {
    for sample in [&sample(&[])[..], &sample(&[&[]])[..]] {
        let report = run(&mut Double::new(|_| fail("old")), &mut Double::new(|_| fail("new")), sample);
        assert_eq!(report, Report::default());
        assert_eq!((report.failure(), report.refusal(Equal), report.warnings().len()), (None, None, 0));
        assert!(report.to_string().contains("none have been read yet"));
    }
}

#[test]
fn a_changed_line_is_refused_by_equal_alone() {
    let sample = sample(&[&["1", "2"], &["3"]]);
    let mut old = Double::new(|value| lines(&[&format!("m f={value}")]));
    let mut new = Double::new(|value| lines(&[&format!("m f={}", if value == "3" { "7" } else { value })]));
    let report = run(&mut old, &mut new, &sample);
    assert_eq!(report.lines, Lines { equal: 2, differing: 1, ..Lines::default() });
    let refusal = report.refusal(Equal).unwrap();
    for part in ["1 of 3 records", "t-1@0", "m f=3", "m f=7", "transform.shadow.require=no-new-rejects"] {
        assert!(refusal.contains(part), "{refusal} should say {part}");
    }
    assert_eq!((report.refusal(NoNewRejects), report.refusal(Nothing), report.failure()), (None, None, None));
}

#[test]
fn doubled_lines_are_told() {
    let sample = sample(&[&["1", "2", "3"]]);
    let line = |value: &str| format!("m f={value}");
    let mut old = Double::new(|value| lines(&[&line(value)]));
    let mut new = Double::new(|value| lines(&[&line(value), &line(value)]));
    let report = run(&mut old, &mut new, &sample);
    assert_eq!(report.lines, Lines { equal: 3, added: 3, ..Lines::default() });
    assert_eq!(
        report.warnings(),
        ["the candidate writes 6 lines of records of which the running version writes 3 lines"]
    );
    assert!(report.refusal(Equal).is_some() && report.refusal(NoNewRejects).is_none());
}

#[test]
fn a_changed_type_is_a_warning_with_both_types() {
    let sample = sample(&[&["1", "2"]]);
    let mut old = Double::new(|value| lines(&[&format!("prices,a=1 price={value}")]));
    let mut new = Double::new(|value| lines(&[&format!("prices,a=1 price={value}i")]));
    let report = run(&mut old, &mut new, &sample);
    let warnings = report.warnings();
    let expected = "field \"price\" of measurement \"prices\" changes its type from float to integer: InfluxDB refuses";
    assert!(warnings.len() == 1 && warnings[0].starts_with(expected), "{warnings:?}");
    assert_eq!((report.refusal(NoNewRejects), report.failure()), (None, None));
}

#[test]
fn new_rejects_are_refused_unless_nothing_is_required() {
    let sample = sample(&[&["a", "b", "both", "filtered"]]);
    let filter = |value: &str| if value == "filtered" { lines(&[]) } else { lines(&["m f=1"]) };
    let mut old = Double::new(|value| if value == "both" { reject("an old reason") } else { filter(value) });
    let mut new = Double::new(|value| if value == "a" { filter(value) } else { reject("no separator") });
    let report = run(&mut old, &mut new, &sample);
    assert_eq!((report.old.rejected, report.new.rejected, report.newly_rejected.count), (1, 3, 2));
    assert_eq!(report.lines, Lines { equal: 1, gone: 1, ..Lines::default() });
    // The reason of a reject is no difference; a record that is rejected instead of filtered is one.
    assert_eq!(report.records_differing, 2);
    for require in [Equal, NoNewRejects] {
        let refusal = report.refusal(require).unwrap();
        assert!(refusal.contains("2 of 4 records") && refusal.contains("t-0@1"), "{refusal}");
        assert!(refusal.contains("no separator") && refusal.contains("transform.shadow.require="), "{refusal}");
    }
    assert_eq!((report.refusal(Nothing), report.failure()), (None, None));
}

#[test]
fn a_line_that_cannot_be_written_rejects_its_record() {
    let sample = sample(&[&["good", "bad"]]);
    let mut old = Double::new(|_| lines(&["m f=1", "m f=2 7"]));
    let mut new = Double::new(|value| lines(&["m f=1", if value == "bad" { "m f=2,f=3" } else { "m f=2 7" }]));
    let report = run(&mut old, &mut new, &sample);
    assert_eq!((report.new.unwritable, report.new.rejected, report.newly_rejected.count), (1, 0, 1));
    // Its other line is not written either: a record has one fate.
    assert_eq!(report.lines, Lines { equal: 2, gone: 2, ..Lines::default() });
    let refusal = report.refusal(NoNewRejects).unwrap();
    assert!(refusal.contains("t-0@1") && refusal.contains("is given twice"), "{refusal}");
    assert!(report.schema.is_empty(), "what is not written has no schema: {:?}", report.schema);
}

#[test]
fn a_candidate_that_takes_more_records_is_refused_by_equal_alone() {
    let sample = sample(&[&["a", "b", "c"]]);
    let mut old = Double::new(|value| if value == "a" { reject("why") } else { lines(&["m f=1"]) });
    let mut new = Double::new(|_| lines(&["m f=1"]));
    let report = run(&mut old, &mut new, &sample);
    assert_eq!(report.lines, Lines { equal: 2, added: 1, ..Lines::default() });
    assert!(report.refusal(Equal).is_some() && report.refusal(NoNewRejects).is_none());
}

#[test]
fn a_reject_that_becomes_a_filter_is_a_difference() {
    let sample = sample(&[&["a"]]);
    let report = run(&mut Double::new(|_| reject("why")), &mut Double::new(|_| lines(&[])), &sample);
    assert_eq!((report.records_differing, report.lines), (1, Lines::default()));
    assert!(report.refusal(Equal).is_some());
}

#[test]
fn records_kept_without_what_a_version_wants_are_passed_over() {
    let all = Inputs { keys: true, headers: true, ..Inputs::default() };
    let (keys, headers) = (Inputs { headers: false, ..all }, Inputs { keys: false, ..all });
    let values: &[&[&str]] = &[&["a", "b"], &["c"]];
    for (kept, wanted, compared) in [
        (all, all, 3),
        (all, Inputs::default(), 3),
        (keys, all, 0),
        (headers, all, 0),
        (Inputs::default(), keys, 0),
        (Inputs::default(), headers, 0),
        (Inputs::default(), Inputs { timestamps: true, offsets: true, ..Inputs::default() }, 3),
    ] {
        let sample = sample_with(values, kept);
        let mut wants = Double { inputs: wanted, ..Double::new(|_| lines(&["m f=1"])) };
        let mut modest = Double::new(|_| lines(&["m f=1"]));
        for report in [run(&mut modest, &mut wants, &sample), run(&mut wants, &mut modest, &sample)] {
            let counts = (report.records, report.records_without_inputs);
            assert_eq!(counts, (compared, 3 - compared), "{kept:?} {wanted:?}");
            assert_eq!(report.warnings().iter().any(|text| text.contains("keys or headers")), compared == 0);
            assert_eq!(report.failure(), None);
        }
    }
}

#[test]
fn a_budget_that_is_over_ends_the_comparison_after_a_chunk() {
    let sample = sample(&[&["a", "b"], &["c"], &["d"]]);
    let (mut old, mut new) = (Double::new(|_| lines(&["m f=1"])), Double::new(|_| lines(&["m f=1"])));
    let report = run_for(Duration::ZERO, &mut old, &mut new, &sample);
    assert_eq!((report.records, report.records_in_sample, report.stopped), (2, 4, Some(Stopped::Budget)));
    assert_eq!(report.warnings(), ["only 2 of 4 records were tried before the time for it was over"]);
    let whole = run(&mut old, &mut new, &sample);
    assert_eq!((whole.records, whole.stopped), (4, None));
}

#[test]
fn a_chunk_is_run_once_before_it_is_measured() {
    let sample = sample(&[&["a", "b"], &["c"]]);
    let mut new = Double::new(|_| lines(&["m f=1"]));
    run(&mut Double::new(|_| lines(&["m f=1"])), &mut new, &sample);
    assert_eq!(new.calls, [2, 2, 1]);
}

#[test]
fn two_settings_of_a_real_transform() {
    let module = Engine::new().load(&ModuleRef::Builtin("split-concat".to_owned())).unwrap();
    let limits = Limits { memory_max_bytes: 64 << 20, timeout: Duration::from_secs(300) };
    let transform = |settings: &[(&str, &str)]| {
        let settings = settings.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        Transform::new(module.clone(), settings, limits).unwrap()
    };
    let sample = sample(&[&["BTC,1.5", "ETH,2", "broken"], &["BTC;3", "BTC,4"]]);
    let mut old = transform(&[]);

    let same = compare(&mut old, &mut transform(&[]), &sample, Tiebreak::Offset, FOREVER);
    assert_eq!((same.records, same.records_differing, same.old.rejected, same.new.rejected), (5, 0, 2, 2));

    let mut new = transform(&[("symbol.as", "tag"), ("measurement", "prices")]);
    let changed = compare(&mut old, &mut new, &sample, Tiebreak::Offset, FOREVER);
    assert_eq!(changed.lines, Lines { differing: 3, ..Lines::default() });
    assert_eq!((changed.newly_rejected.count, changed.failure(), changed.refusal(NoNewRejects)), (0, None, None));
    let changes = serde_json::to_value(&changed.schema.changes).unwrap();
    let gone = json!({ "change": "measurement_gone", "measurement": "cryptos" });
    assert_eq!(changes, json!([gone, { "change": "measurement_added", "measurement": "prices" }]));
    assert!(changed.differences[0].new.texts[0].starts_with("prices,symbol=BTC price=1.5 "), "{changed}");

    let narrower = compare(&mut old, &mut transform(&[("separator", ";")]), &sample, Tiebreak::Offset, FOREVER);
    assert_eq!((narrower.newly_rejected.count, narrower.new.rejected), (3, 4));
    assert!(narrower.refusal(NoNewRejects).unwrap().contains("no separator"));

    let tag = compare(&mut old, &mut transform(&[("symbol.as", "tag")]), &sample, Tiebreak::Offset, FOREVER);
    assert!(tag.warnings().iter().any(|text| text.contains("gets tag \"symbol\"")), "{tag}");
}
