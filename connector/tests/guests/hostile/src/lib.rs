//! The hostile guest. The setting `mode` says which rule it breaks; the names are in [`MODES`]. With the setting `when` it breaks it
//! only for a batch that has this value, and behaves otherwise.
//!
//! It speaks the columns directly, without the SDK, because the SDK would not let it do any of this.

mod variant;

use std::cell::{Cell, RefCell};
use std::hint::black_box;

use bindings::sluice::transform::log::{self, Level};
use bindings::sluice::transform::types::{Column, NullableColumn, Rejects};
use bindings::{Batch, Guest, Inputs, Output, Setting};

#[allow(clippy::allow_attributes_without_reason, reason = "generated code")]
mod bindings {
    wit_bindgen::generate!({ path: "../../../../wit", world: "transform" });
}

type Behaviour = fn(&Batch) -> Output;

/// What `mode` can be, and what it does with a batch. `configure-error` and `configure-trap` never get one.
const MODES: &[(&str, Behaviour)] = &[
    ("ok", ok),
    ("panic", |_| panic!("as asked")),
    ("trap-on-value", trap_on_value),
    ("trap-every-tenth-call", |batch| trap_every(10, batch)),
    ("trap-every-second-call-and-on-value", |batch| {
        trap_on_value(batch);
        trap_every(2, batch)
    }),
    ("loop", endless_loop),
    ("memory", endless_memory),
    ("leak", leak),
    ("stack", |batch| {
        black_box(recurse(u64::MAX - u64::from(batch.partition.unsigned_abs())));
        ok(batch)
    }),
    ("stack-in-memory", |batch| {
        black_box(recurse_in_memory(u64::from(batch.partition.unsigned_abs())));
        ok(batch)
    }),
    ("lines-ends-descending", |batch| with(batch, |output| output.lines.ends.reverse())),
    ("ends-past-bytes", |batch| with(batch, |output| *last(&mut output.lines.ends) += 1)),
    ("bytes-past-ends", |batch| with(batch, |output| output.lines.bytes.push(b'x'))),
    ("record-index-out-of-range", |batch| with(batch, |output| *last(&mut output.records) += 1)),
    ("records-descending", |batch| with(batch, |output| output.records.reverse())),
    ("count-mismatch", |batch| with(batch, |output| output.records.truncate(count(batch) as usize - 1))),
    ("reject-index-out-of-range", |batch| {
        with(batch, |output| output.rejects = reject(&[count(batch)], b"out of range"))
    }),
    ("reject-and-line", |batch| with(batch, |output| output.rejects = reject(&[0], b"has a line too"))),
    ("rejects-descending", |_| Output { rejects: reject(&[1, 0], b"descending"), ..nothing() }),
    ("reject-count-mismatch", |_| Output { rejects: Rejects { records: vec![0], reasons: column([]) }, ..nothing() }),
    ("reject-all", |batch| Output {
        rejects: reject(&(0..count(batch)).collect::<Vec<_>>(), b"as asked"),
        ..nothing()
    }),
    ("not-utf8-reason", |_| Output { rejects: reject(&[0], b"caf\xe9"), ..nothing() }),
    ("not-utf8-line", |batch| one_line_each(batch, |_| b"hostile caf\xe9=1".to_vec())),
    ("newline-in-line", |batch| one_line_each(batch, |_| b"hostile f=1\nhostile f=2".to_vec())),
    ("not-line-protocol", |batch| one_line_each(batch, |_| b"hostile".to_vec())),
    ("empty-line", |batch| one_line_each(batch, |_| Vec::new())),
    ("flood-logs", flood_logs),
    ("flood-logs-and-panic", |batch| {
        flood_logs(batch);
        panic!("as asked")
    }),
    ("huge-log", huge_log),
    ("huge-output", |batch| {
        one_line_each(batch, |_| [b"hostile f=\"".to_vec(), vec![b'x'; 1 << 20], b"\"".to_vec()].concat())
    }),
    ("gigabyte", gigabyte),
    ("many-lines", many_lines),
    ("echo-inputs", |batch| one_line_each(batch, |index| echo(batch, index))),
    ("digest-inputs", |batch| one_line_each(batch, |index| digest(batch, index))),
];

/// A setting of the modes that break `configure`.
const CONFIGURE_ERROR: &str = "configure-error";
const CONFIGURE_TRAP: &str = "configure-trap";
const CONFIGURE_LOOP: &str = "configure-loop";

struct Hostile;

thread_local! {
    static BEHAVIOUR: Cell<Option<Behaviour>> = const { Cell::new(None) };
    static WHEN: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

impl Guest for Hostile {
    fn configure(settings: Vec<Setting>) -> Result<Inputs, String> {
        let patched = variant::mode();
        let asked = settings.iter().find(|setting| setting.key == "mode").map(|setting| setting.value.as_str());
        let mode = patched.as_deref().or(asked).unwrap_or("ok");
        match mode {
            CONFIGURE_LOOP => while black_box(true) {},
            CONFIGURE_ERROR => return Err("mode: configure-error refuses every configuration".to_owned()),
            CONFIGURE_TRAP => panic!("as asked"),
            _ => {}
        }
        let modes = || MODES.iter().chain(variant::MODES);
        let Some(&(_, behaviour)) = modes().find(|(name, _)| *name == mode) else {
            let names: Vec<_> = modes().map(|&(name, _)| name).chain([CONFIGURE_ERROR, CONFIGURE_TRAP]).collect();
            return Err(format!("mode: {mode:?} is not one of {}", names.join(", ")));
        };
        BEHAVIOUR.set(Some(behaviour));
        WHEN.set(settings.iter().find(|setting| setting.key == "when").map(|when| when.value.clone().into_bytes()));
        let keys = mode == "want-keys";
        let all = matches!(mode, "echo-inputs" | "digest-inputs");
        Ok(Inputs { keys: all || keys, headers: all, timestamps: all, offsets: all })
    }

    fn transform(batch: Batch) -> Output {
        let behaviour = BEHAVIOUR.get().expect("the host configures an instance before its first batch");
        let has = |when: &Vec<u8>| (0..count(&batch)).any(|index| string(&batch.values.column, index) == when);
        if WHEN.with_borrow(|when| when.as_ref().is_none_or(has)) { behaviour(&batch) } else { ok(&batch) }
    }
}

bindings::export!(Hostile with_types_in bindings);

/// A line for each record that shows its value's length.
fn ok(batch: &Batch) -> Output {
    one_line_each(batch, |index| {
        let length = string(&batch.values.column, index).len();
        format!("hostile value_bytes={length}i").into_bytes()
    })
}

fn with(batch: &Batch, change: impl FnOnce(&mut Output)) -> Output {
    let mut output = ok(batch);
    change(&mut output);
    output
}

fn trap_on_value(batch: &Batch) -> Output {
    for index in 0..count(batch) {
        assert!(string(&batch.values.column, index) != b"poison", "the value is poison");
    }
    ok(batch)
}

/// Counts the calls of an instance.
fn trap_every(calls: u32, batch: &Batch) -> Output {
    thread_local!(static CALLS: Cell<u32> = const { Cell::new(0) });
    CALLS.set(CALLS.get() + 1);
    assert!(CALLS.get() % calls != 0, "the call of which it traps on every one");
    ok(batch)
}

fn endless_loop(batch: &Batch) -> Output {
    let mut turns = 0_u64;
    while black_box(turns) < u64::MAX {
        turns = turns.wrapping_add(1) & 0xFFFF;
    }
    ok(batch)
}

fn endless_memory(batch: &Batch) -> Output {
    let mut kept = Vec::new();
    while black_box(kept.len()) < usize::MAX {
        kept.push(vec![1_u8; 1 << 20]);
    }
    ok(batch)
}

/// 64 KiB for each record, never given back.
fn leak(batch: &Batch) -> Output {
    for _ in 0..count(batch) {
        black_box(vec![1_u8; 64 << 10].leak());
    }
    ok(batch)
}

/// Frames on the host's stack only. The result is put together so that no compiler makes a loop of it.
#[inline(never)]
fn recurse(depth: u64) -> u64 {
    if depth == 0 { 1 } else { recurse(depth - 1).wrapping_mul(depth | 1) ^ depth }
}

/// Frames in linear memory, where the guest's toolchain keeps what has an address.
#[allow(unconditional_recursion, reason = "that is the attack")]
fn recurse_in_memory(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    recurse_in_memory(black_box(depth.wrapping_add(1))).wrapping_add(frame[black_box(1)])
}

fn flood_logs(batch: &Batch) -> Output {
    for number in 0..10_000 {
        log::write(Level::Info, &format!("message {number}"));
    }
    ok(batch)
}

fn huge_log(batch: &Batch) -> Output {
    log::write(Level::Warn, &"line one\nline two\u{1b}[31m ".repeat(1 << 16));
    ok(batch)
}

/// One line of 1 GiB, in memory that nobody has touched: it costs the host nothing unless it reads it.
fn gigabyte(batch: &Batch) -> Output {
    const PAGE: usize = 64 << 10;
    let pages = (1 << 30) / PAGE;
    let start = core::arch::wasm32::memory_grow::<0>(pages) * PAGE;
    // SAFETY: the pages are fresh and nobody else's; the host traps before they would be freed.
    let bytes = unsafe { Vec::from_raw_parts(start as *mut u8, pages * PAGE, pages * PAGE) };
    let ends = vec![bytes.len() as u32];
    Output { lines: Column { bytes, ends }, records: vec![count(batch) - 1], ..nothing() }
}

/// A thousand lines for each record.
fn many_lines(batch: &Batch) -> Output {
    let records: Vec<u32> = (0..count(batch)).flat_map(|record| [record; 1000]).collect();
    Output { lines: column(records.iter().map(|_| b"hostile f=1".to_vec())), records, ..nothing() }
}

/// `hostile key="…",headers="a=1;b=null",timestamp=…i,offset=…i`
fn echo(batch: &Batch, index: u32) -> Vec<u8> {
    let headers = &batch.headers;
    let end = headers.ends[index as usize];
    let start = if index == 0 { 0 } else { headers.ends[index as usize - 1] };
    let shown: Vec<_> = (start..end)
        .map(|header| {
            let name = String::from_utf8_lossy(string(&headers.names, header));
            format!("{name}={}", nullable(&headers.values, header))
        })
        .collect();
    format!(
        "hostile key=\"{}\",headers=\"{}\",timestamp={}i,offset={}i",
        nullable(&batch.keys, index),
        shown.join(";"),
        batch.timestamps[index as usize],
        batch.offsets[index as usize],
    )
    .into_bytes()
}

/// `hostile,partition=… key="…",value="…",headers="…",timestamp=…i,offset=…i`, where each text is the length and the hash of the bytes,
/// and the headers' is their number and that of all names and values one after the other.
fn digest(batch: &Batch, index: u32) -> Vec<u8> {
    let headers = &batch.headers;
    let end = headers.ends[index as usize];
    let start = if index == 0 { 0 } else { headers.ends[index as usize - 1] };
    let each = |header| [string(&headers.names, header), b"=", string(&headers.values.column, header), b";"].concat();
    let shown = |column: &NullableColumn| {
        if column.nulls.contains(&index) { "null".to_owned() } else { hash(string(&column.column, index)) }
    };
    format!(
        "hostile,partition={} key=\"{}\",value=\"{}\",headers=\"{} {}\",timestamp={}i,offset={}i",
        batch.partition,
        shown(&batch.keys),
        shown(&batch.values),
        end - start,
        hash(&(start..end).flat_map(each).collect::<Vec<_>>()),
        batch.timestamps[index as usize],
        batch.offsets[index as usize],
    )
    .into_bytes()
}

/// The length, and FNV-1a with 64 bits.
fn hash(bytes: &[u8]) -> String {
    let hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{} {hash:016x}", bytes.len())
}

fn nullable(column: &NullableColumn, index: u32) -> String {
    if column.nulls.contains(&index) {
        "null".to_owned()
    } else {
        String::from_utf8_lossy(string(&column.column, index)).into_owned()
    }
}

fn one_line_each(batch: &Batch, line: impl Fn(u32) -> Vec<u8>) -> Output {
    let records = 0..count(batch);
    Output { lines: column(records.clone().map(line)), records: records.collect(), ..nothing() }
}

fn nothing() -> Output {
    Output { lines: column([]), records: Vec::new(), rejects: reject(&[], b"") }
}

fn reject(records: &[u32], reason: &[u8]) -> Rejects {
    Rejects { records: records.to_vec(), reasons: column(records.iter().map(|_| reason.to_vec())) }
}

fn count(batch: &Batch) -> u32 {
    batch.values.column.ends.len() as u32
}

fn string(column: &Column, index: u32) -> &[u8] {
    let index = index as usize;
    let start = if index == 0 { 0 } else { column.ends[index - 1] as usize };
    &column.bytes[start..column.ends[index] as usize]
}

fn column(strings: impl IntoIterator<Item = Vec<u8>>) -> Column {
    let mut column = Column { bytes: Vec::new(), ends: Vec::new() };
    for string in strings {
        column.bytes.extend(string);
        column.ends.push(column.bytes.len() as u32);
    }
    column
}

fn last(numbers: &mut [u32]) -> &mut u32 {
    numbers.last_mut().expect("a batch has a record")
}
