//! What a transform can do to its host: nothing. The guest `tests/guests/hostile` breaks each rule; every limit is tested from both
//! sides.

mod guest;
mod load;
mod logs;
mod split_concat;

use std::time::{Duration, Instant};

use sluice::batch::{Batch, Inputs, Record};
use sluice::config::Tiebreak;
use sluice::points::{self, Stamper};
use sluice::transform::{Limits, TransformError};

use guest::{LIMITS, STRIKE, both, configured, hostile, lines, run, start, striking, values};
pub(crate) use guest::{core, engine, replaced};

/// Far more than stopping any guest takes, on any machine.
const LONG: Duration = Duration::from_secs(30);

/// A guest that breaks a rule is stopped with these words and its instance is gone; a fresh one does the next batch; and so again.
#[track_caller]
fn fails(mode: &str, limits: Limits, words: &[&str]) -> TransformError {
    let mut transform = striking(mode, limits);
    let (good, bad) = (values(["a", "bc"]), values(["a", STRIKE]));
    let mut fail = || {
        let error = run(&mut transform, &bad).expect_err(mode);
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{mode}: {words:?} are not all in: {text}");
        assert!(text.starts_with("transform hostile "), "{text}");
        assert_eq!(transform.memory_bytes(), 0, "{mode}: the instance is kept");
        let output = run(&mut transform, &good).unwrap_or_else(|error| panic!("after {mode}: {error}"));
        let expected = [(0, "hostile value_bytes=1i".to_owned()), (1, "hostile value_bytes=2i".to_owned())];
        assert_eq!(lines(&output), expected, "after {mode}");
        error
    };
    fail();
    fail()
}

#[test]
fn a_transform_that_behaves_runs_as_core_module_and_as_component() {
    for module in both() {
        let mut transform = start(module, &[], LIMITS).unwrap();
        for _ in 0..3 {
            let output = run(&mut transform, &values(["", "abc"])).unwrap();
            assert_eq!(
                lines(&output),
                [(0, "hostile value_bytes=0i".to_owned()), (1, "hostile value_bytes=3i".to_owned())]
            );
            assert_eq!((output.num_with_lines, output.rejects.len()), (2, 0));
        }
        let memory = transform.memory_bytes();
        assert!(memory > 0 && memory <= LIMITS.memory_max_bytes, "{memory}");
    }
}

#[test]
fn a_trap_is_told_with_its_function() {
    let error = fails("panic", LIMITS, &["failed in `transform`: trap: wasm `unreachable` instruction executed in "]);
    // As it is written, without the compiler's mangling.
    assert!(!error.to_string().contains("_ZN") && !error.to_string().contains("_R"), "{error}");
    assert!(matches!(error, TransformError::Trap { function: "transform", .. }), "{error:?}");
}

#[test]
fn an_endless_loop_is_stopped() {
    let limits = Limits { timeout: Duration::from_millis(30), ..LIMITS };
    // Building the guest does not count.
    both();
    let started = Instant::now();
    fails("loop", limits, &["transform.timeout.ms=30"]);
    assert!(started.elapsed() < LONG);
}

#[test]
fn memory_has_a_limit() {
    fails("memory", LIMITS, &["transform.memory.max.bytes=4194304"]);
    let larger = Limits { memory_max_bytes: 40 << 20, ..LIMITS };
    fails("memory", larger, &["transform.memory.max.bytes=41943040"]);
    // The same batch needs more than one limit and less than the other.
    let batch = values([vec![b'x'; 3 << 20]]);
    assert!(run(&mut configured(&[], LIMITS).unwrap(), &batch).is_err());
    let mut transform = configured(&[], larger).unwrap();
    run(&mut transform, &batch).unwrap();
    assert!(transform.memory_bytes() > 3 << 20 && transform.memory_bytes() <= larger.memory_max_bytes);
}

#[test]
fn a_limit_too_small_to_start_is_named() {
    let limits = Limits { memory_max_bytes: 64 << 10, ..LIMITS };
    let error = configured(&[], limits).unwrap_err();
    assert!(matches!(error, TransformError::Instantiate { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("hostile") && text.contains("transform.memory.max.bytes") && text.contains("65536"),
        "{text}"
    );
}

#[test]
fn a_stack_that_overflows_ends_the_instance_only() {
    fails("stack", LIMITS, &["it overflowed its stack of 512 KiB"]);
    fails("stack-in-memory", LIMITS, &["trap: out of bounds memory access in hostile::recurse_in_memory"]);
}

#[test]
fn every_rule_of_the_output_is_checked_and_named() {
    for (mode, rule) in [
        ("lines-ends-descending", "the ends of `lines` do not ascend"),
        ("ends-past-bytes", "the ends of `lines` stop at"),
        ("bytes-past-ends", "the ends of `lines` stop at"),
        ("record-index-out-of-range", "a line of record 2, but the batch has 2 records"),
        ("records-descending", "the record indexes of the lines do not ascend"),
        ("count-mismatch", "2 lines, but 1 record indexes for them"),
        ("reject-index-out-of-range", "a reject of record 2, but the batch has 2 records"),
        ("reject-and-line", "record 0 has both a line and a reject"),
        ("rejects-descending", "the record indexes of the rejects do not ascend"),
        ("reject-count-mismatch", "1 rejects, but 0 reasons"),
    ] {
        let error = fails(mode, LIMITS, &[rule, "breaks the interface", "bug of the transform"]);
        assert!(matches!(error, TransformError::Output { .. }), "{mode}: {error:?}");
    }
}

#[test]
fn a_result_has_a_limit() {
    let limits = Limits { memory_max_bytes: 1 << 30, ..LIMITS };
    let batch = |records| values(vec![STRIKE; records]);
    let mut huge = striking("huge-output", limits);
    let error = run(&mut huge, &batch(64)).unwrap_err().to_string();
    assert!(error.contains("more than the 64 MiB that one call may"), "{error}");
    assert_eq!(lines(&run(&mut huge, &values(["good"])).unwrap()).len(), 1);
    assert_eq!(run(&mut huge, &batch(60)).unwrap().lines.ends.len(), 60);

    let mut many = striking("many-lines", limits);
    assert!(run(&mut many, &batch(4096)).unwrap_err().to_string().contains("64 MiB"));
    let output = run(&mut many, &batch(3)).unwrap();
    assert_eq!((output.records.len(), output.num_with_lines), (3000, 3));
}

#[test]
fn one_bad_record_does_not_hurt_the_next_batch() {
    let mut transform = hostile("trap-on-value");
    assert!(run(&mut transform, &values(["a", "poison", "b"])).is_err());
    assert_eq!(lines(&run(&mut transform, &values(["a", "b"])).unwrap()).len(), 2);
}

#[test]
fn rejects_come_with_reasons_that_can_be_shown() {
    let output = run(&mut hostile("reject-all"), &values(["a", "b"])).unwrap();
    let told: Vec<_> = output.rejects.iter().map(|reject| (reject.record, reject.reason.as_str())).collect();
    assert_eq!(told, [(0, "as asked"), (1, "as asked")]);
    assert_eq!((output.num_with_lines, output.records.len()), (0, 0));
    let output = run(&mut hostile("not-utf8-reason"), &values(["a"])).unwrap();
    assert_eq!(output.rejects[0].reason, "caf\u{fffd}");
}

#[test]
fn lines_that_are_no_line_protocol_stop_at_the_points_stage() {
    for (mode, word) in
        [("not-utf8-line", "UTF-8"), ("newline-in-line", "line"), ("not-line-protocol", ""), ("empty-line", "empty")]
    {
        let output = run(&mut hostile(mode), &values(["a"])).unwrap();
        let (mut body, mut stamper) = (b"before=1\n".to_vec(), Stamper::new("prices", 0, Tiebreak::Offset));
        let error =
            points::append_line(&mut body, output.lines.get(0), &mut stamper, 0, 0).expect_err(mode).to_string();
        assert!(error.contains(word) && !error.is_empty(), "{mode}: {error}");
        assert_eq!(body, b"before=1\n", "{mode}: nothing of it is written");
    }
}

#[test]
fn configure_can_refuse_and_can_trap() {
    let configure = |mode| configured(&[("mode", mode)], LIMITS).expect_err(mode);
    let refused = configure("configure-error");
    assert!(
        matches!(&refused, TransformError::Configure { reason, .. } if reason == "mode: configure-error refuses every configuration")
    );
    assert!(refused.to_string().contains("transform.config.*"), "{refused}");
    assert!(
        matches!(configure("no-such-mode"), TransformError::Configure { reason, .. } if reason.contains("echo-inputs"))
    );
    let trapped = configure("configure-trap");
    assert!(matches!(&trapped, TransformError::Trap { function: "configure", .. }), "{trapped:?}");
}

#[test]
fn wanted_columns_arrive_as_they_are_and_the_others_not_at_all() {
    for module in both() {
        let mut transform = start(module, &[("mode", "echo-inputs")], LIMITS).unwrap();
        let wanted = transform.inputs();
        assert_eq!(wanted, Inputs { keys: true, headers: true, timestamps: true, offsets: true });
        let mut batch = Batch::default();
        let mut push = |offset, timestamp, key: Option<&str>, value: Option<&str>, headers: &[(&str, Option<&str>)]| {
            let (key, value) = (key.map(str::as_bytes), value.map(str::as_bytes));
            batch.push(&Record { offset, timestamp, key, value }, wanted);
            for (name, value) in headers {
                batch.push_header(name.as_bytes(), value.map(str::as_bytes));
            }
            batch.end_headers();
        };
        push(7, 1_668_902_400_000, None, Some("v"), &[("a", Some("1")), ("b", None), ("c", Some(""))]);
        push(9, -1, Some(""), None, &[]);
        push(i64::MAX, i64::MIN, Some("key"), Some(""), &[("a", Some("2")), ("a", Some("3"))]);
        let told: Vec<_> = lines(&run(&mut transform, &batch).unwrap()).into_iter().map(|(_, line)| line).collect();
        assert_eq!(
            told,
            [
                r#"hostile key="null",headers="a=1;b=null;c=",timestamp=1668902400000i,offset=7i"#,
                r#"hostile key="",headers="",timestamp=-1i,offset=9i"#,
                r#"hostile key="key",headers="a=2;a=3",timestamp=-9223372036854775808i,offset=9223372036854775807i"#,
            ]
        );
    }
    assert_eq!(hostile("ok").inputs(), Inputs::default());
}
