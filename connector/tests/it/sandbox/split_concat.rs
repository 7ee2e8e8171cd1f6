//! The shipped transform `split-concat` as a module in the real host does what it does natively.

use std::sync::OnceLock;

use sluice::batch::{Batch, Inputs, Record};
use sluice::config::ModuleRef;
use sluice::transform::engine::Module;
use sluice::transform::{Limits, Output, Transform};

use super::guest::{LIMITS, engine, lines, run, start};
use table::{Becomes, Tally};

#[path = "../../../../transforms/split-concat/tests/values/table.rs"]
mod table;

fn split_concat(settings: &[(&str, &str)]) -> Transform {
    static MODULE: OnceLock<Module> = OnceLock::new();
    let module = MODULE.get_or_init(|| engine().load(&ModuleRef::Builtin("split-concat".to_owned())).unwrap());
    start(module, settings, Limits { memory_max_bytes: 16 << 20, ..LIMITS }).unwrap()
}

fn batch(values: &[Option<Vec<u8>>]) -> Batch {
    let mut batch = Batch::default();
    for (offset, value) in (0..).zip(values) {
        batch.push(&Record { offset, timestamp: 0, key: None, value: value.as_deref() }, Inputs::default());
    }
    batch
}

/// The fates of the records that have a line or a reject, in order.
fn fates(output: &Output) -> Vec<(usize, Becomes)> {
    let lines = lines(output).into_iter().map(|(record, line)| (record as usize, Becomes::Line(line)));
    let rejects =
        output.rejects.iter().map(|reject| (reject.record as usize, Becomes::Rejected(reject.reason.clone())));
    let mut fates: Vec<_> = lines.chain(rejects).collect();
    fates.sort_by_key(|&(record, _)| record);
    fates
}

#[test]
fn every_kind_of_value_has_its_fate() {
    let cases = table::cases();
    for (settings, value, expected) in &cases {
        let output = run(&mut split_concat(settings), &batch(std::slice::from_ref(value))).unwrap();
        let fates = fates(&output);
        let expected = if *expected == Becomes::Filtered { vec![] } else { vec![(0, expected.clone())] };
        assert_eq!(fates, expected, "{value:?} with {settings:?}");
    }
}

#[test]
fn a_record_has_its_fate_whatever_is_beside_it() {
    let cases: Vec<_> = table::cases().into_iter().filter(|(settings, ..)| settings.is_empty()).collect();
    let values: Vec<_> = cases.iter().map(|(_, value, _)| value.clone()).collect();
    let expected: Vec<_> =
        cases.into_iter().map(|(.., fate)| fate).enumerate().filter(|(_, fate)| *fate != Becomes::Filtered).collect();
    assert_eq!(fates(&run(&mut split_concat(&[]), &batch(&values)).unwrap()), expected);
}

#[test]
fn random_values_have_the_same_fate_as_natively() {
    let output = run(&mut split_concat(&[]), &batch(&table::random_values())).unwrap();
    let mut tally = Tally::EMPTY;
    fates(&output).iter().for_each(|(record, fate)| tally.add(*record, fate));
    assert_eq!(tally, table::RANDOM);
}
