//! What tests change in the compiled module: a number and a mode, so that versions of the guest differ in their bytes alone, as those of a
//! real transform do.

use std::cell::Cell;
use std::hint::black_box;

use crate::bindings::sluice::transform::log::{self, Level};
use crate::bindings::{Batch, Output};
use crate::{Behaviour, column, count, nothing, ok, reject, string};

/// `variant:`, eight digits, a colon, a mode of up to sixteen characters, blanks.
static VARIANT: [u8; 34] = *b"variant:00000000:                ;";

/// Modes that tell in a tag which version made a line: so two versions make two points of a record.
pub(crate) const MODES: &[(&str, Behaviour)] = &[
    ("stamp", |batch| stamped(batch, |_| Fate::Line)),
    ("double", |batch| stamped(batch, |_| Fate::Two)),
    ("reject-tenth", |batch| stamped(batch, |record| if record % 10 == 9 { Fate::Reject } else { Fate::Line })),
    ("filter-tenth", |batch| stamped(batch, |record| if record % 10 == 9 { Fate::Nothing } else { Fate::Line })),
    ("reject-late", |batch| {
        let late = late(batch);
        stamped(batch, |_| if late { Fate::Reject } else { Fate::Line })
    }),
    ("bad-line-late", |batch| {
        let late = late(batch);
        stamped(batch, |_| if late { Fate::BadLine } else { Fate::Line })
    }),
    ("want-keys", |batch| {
        assert_eq!(batch.keys.column.ends.len() as u32, count(batch), "a batch without its keys");
        stamped(batch, |_| Fate::Line)
    }),
    ("other-type", |batch| stamped(batch, |_| Fate::OtherType)),
    ("other-name", |batch| stamped(batch, |_| Fate::OtherName)),
    ("trap-on-poison", |batch| {
        for record in 0..count(batch) {
            assert!(string(&batch.values.column, record) != b"poison", "the value is poison");
        }
        stamped(batch, |_| Fate::Line)
    }),
    ("tell-slowly", |batch| {
        log::write(Level::Info, &format!("begin {}", number()));
        (0..SLOW_TURNS).for_each(|turn| {
            black_box(turn);
        });
        log::write(Level::Info, &format!("end {}", number()));
        stamped(batch, |_| Fate::Line)
    }),
    ("trap-at-10000", |batch| {
        assert!(!late(batch), "ten thousand records are enough");
        stamped(batch, |_| Fate::Line)
    }),
];

/// Some tenths of a second.
const SLOW_TURNS: u32 = 800_000_000;

/// What becomes of a record.
enum Fate {
    Line,
    Two,
    Nothing,
    Reject,
    BadLine,
    OtherType,
    OtherName,
}

/// The mode that the module's bytes ask for, if they do; it weighs more than the setting.
pub(crate) fn mode() -> Option<String> {
    let text = String::from_utf8_lossy(&black_box(&VARIANT)[17..33]).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn number() -> u32 {
    String::from_utf8_lossy(&black_box(&VARIANT)[8..16]).parse().expect("tests put digits there")
}

/// Whether this instance has had ten thousand records.
fn late(batch: &Batch) -> bool {
    thread_local!(static RECORDS: Cell<u32> = const { Cell::new(0) });
    RECORDS.set(RECORDS.get() + count(batch));
    RECORDS.get() > 10_000
}

fn stamped(batch: &Batch, fate: impl Fn(u32) -> Fate) -> Output {
    let version = number();
    let (mut lines, mut records, mut rejects) = (Vec::new(), Vec::new(), Vec::new());
    for record in 0..count(batch) {
        let length = string(&batch.values.column, record).len();
        let line = match fate(record) {
            Fate::Nothing => continue,
            Fate::Reject => {
                rejects.push(record);
                continue;
            }
            Fate::Two => {
                lines.push(format!("hostile,version={version},copy=1 value_bytes={length}i").into_bytes());
                records.push(record);
                format!("hostile,version={version} value_bytes={length}i")
            }
            Fate::BadLine => "hostile".to_owned(),
            Fate::OtherType => format!("hostile,version={version} value_bytes={length}.5"),
            Fate::OtherName => format!("friendly,version={version} value_bytes={length}i"),
            Fate::Line => format!("hostile,version={version} value_bytes={length}i"),
        };
        lines.push(line.into_bytes());
        records.push(record);
    }
    if lines.is_empty() && rejects.is_empty() {
        return if count(batch) == 0 { ok(batch) } else { nothing() };
    }
    Output { lines: column(lines), records, rejects: reject(&rejects, b"as asked") }
}
