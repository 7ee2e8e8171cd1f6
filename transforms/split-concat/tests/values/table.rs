//! What becomes of each kind of value. The tests here run it natively, those of the connector the module in the real host.

use Becomes::{Filtered, Line, Rejected};

/// The fate of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Becomes {
    /// This line.
    Line(String),
    /// Nothing.
    Filtered,
    /// This reason.
    Rejected(String),
}

/// Settings, value (`None` is a tombstone), fate.
pub(crate) type Case = (&'static [(&'static str, &'static str)], Option<Vec<u8>>, Becomes);

const NONE: &[(&str, &str)] = &[];
const TAG: &[(&str, &str)] = &[("symbol.as", "tag")];
const ALL: &[(&str, &str)] =
    &[("symbol.as", "tag"), ("symbol.tag", "a pair"), ("price.field", "usd"), ("measurement", "a,b c=d")];

/// Settings, value, line.
type Row<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);

const LINES: &[Row<'_>] = &[
    (NONE, "BTC-USD,19890.1212", "cryptos BTC-USD=19890.1212"),
    (NONE, " BTC-USD , 19890.1212\r\n", "cryptos BTC-USD=19890.1212"),
    (NONE, "\tBTC-USD\t,\t19890.1212\t\n", "cryptos BTC-USD=19890.1212"),
    (NONE, "BTC-USD,19890.1212,more,columns", "cryptos BTC-USD=19890.1212"),
    (NONE, "BTC-USD,19890.1212,", "cryptos BTC-USD=19890.1212"),
    (NONE, "BTC-USD,100", "cryptos BTC-USD=100"),
    (NONE, "BTC-USD,1e5", "cryptos BTC-USD=1e5"),
    (NONE, "BTC-USD,-0.5", "cryptos BTC-USD=-0.5"),
    (NONE, "BTC-USD,0.10000000000000000000", "cryptos BTC-USD=0.10000000000000000000"),
    (NONE, "BTC USD,1", r"cryptos BTC\ USD=1"),
    (NONE, "A=B,1", r"cryptos A\=B=1"),
    (NONE, "é,1", "cryptos é=1"),
    (NONE, r"A\B,1", r"cryptos A\B=1"),
    (NONE, "#1,1", "cryptos #1=1"),
    (NONE, "A,1", "cryptos A=1"),
    (TAG, "BTC-USD,19890.1212", "cryptos,symbol=BTC-USD price=19890.1212"),
    (TAG, "BTC USD, 1 ", r"cryptos,symbol=BTC\ USD price=1"),
    (TAG, "time,1", "cryptos,symbol=time price=1"),
    (ALL, "BTC,1", r"a\,b\ c=d,a\ pair=BTC usd=1"),
    (&[("separator", ";")], "A,B;1", r"cryptos A\,B=1"),
    (&[("separator", "\t")], "A\t1", "cryptos A=1"),
];

const CONTROL: &str = "symbol contains a line end or another control character";
const BACKSLASH: &str = "symbol has a backslash at its end or before a comma, an equals sign, a blank or a backslash";

/// Value, what is wrong, and the value as the reason shows it.
const REJECTS: &[(&[u8], &str, &str)] = &[
    (b"", "value is empty", r#""""#),
    (b"BTC-USD", "value has no separator ','", r#""BTC-USD""#),
    (b",1", "symbol is empty", r#"",1""#),
    (b" \t,1", "symbol is empty", r#"" \t,1""#),
    (b"BTC-USD,", "price is empty", r#""BTC-USD,""#),
    (b"BTC-USD, \r\n", "price is empty", r#""BTC-USD, \r\n""#),
    (b"BTC-USD,,1", "price is empty", r#""BTC-USD,,1""#),
    (b"BTC-USD,abc", "price is not a decimal number", r#""BTC-USD,abc""#),
    (b"BTC-USD,NaN", "price is not a decimal number", r#""BTC-USD,NaN""#),
    (b"BTC-USD,inf", "price is not a decimal number", r#""BTC-USD,inf""#),
    (b"BTC-USD,0x10", "price is not a decimal number", r#""BTC-USD,0x10""#),
    (b"BTC-USD,1 2", "price is not a decimal number", r#""BTC-USD,1 2""#),
    (b"BTC-USD,1i", "price is not a decimal number", r#""BTC-USD,1i""#),
    (b"BTC-USD,1e999", "price is not a finite number", r#""BTC-USD,1e999""#),
    (b"BTC\nUSD,1", CONTROL, r#""BTC\nUSD,1""#),
    (b"BTC\x7fUSD,1", CONTROL, r#""BTC\u{7f}USD,1""#),
    (br"BTC\,1", BACKSLASH, r#""BTC\\,1""#),
    (br"BTC\ USD,1", BACKSLASH, r#""BTC\\ USD,1""#),
    (b"B\xffC,1", "symbol is not UTF-8", r#""B\xffC,1""#),
    (b"BTC,1\xff", "price is not UTF-8", r#""BTC,1\xff""#),
];

/// Every case.
pub(crate) fn cases() -> Vec<Case> {
    let lines = LINES.iter().map(|&(settings, value, line)| (settings, Some(value.into()), Line(line.to_owned())));
    // What is wrong with a symbol does not depend on where it goes.
    let rejects = [NONE, TAG].into_iter().flat_map(|settings| {
        REJECTS.iter().map(move |&(value, fault, shown)| {
            (settings, Some(value.to_vec()), Rejected(format!("{fault}: value {shown}")))
        })
    });
    let (symbol, digits) = ("S".repeat(300), "9".repeat(250));
    let cut = format!("price is not a decimal number: value {:?} (the first 64 of 102 bytes)", "a".repeat(64));
    lines
        .chain(rejects)
        .chain([
            (NONE, None, Filtered),
            (TAG, None, Filtered),
            (NONE, Some(format!("{symbol},{digits}").into()), Line(format!("cryptos {symbol}={digits}"))),
            (NONE, Some(format!("{},x", "a".repeat(100)).into()), Rejected(cut)),
        ])
        .collect()
}

/// How many random values there are.
const NUM_RANDOM: usize = 10_000;

/// What becomes of all of [`random_values`], as [`Tally::add`] counts it. The native transform and the module have to agree on it. If
/// a reason was worded anew, the failing test prints what it is now.
pub(crate) const RANDOM: Tally = Tally { lines: 4023, rejects: 5485, digest: 17_570_766_309_659_106_172 };

/// Counts, and a digest of every line and reason with the index of its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    lines: usize,
    rejects: usize,
    digest: u64,
}

// === impl Tally ===

impl Tally {
    pub(crate) const EMPTY: Self = Self { lines: 0, rejects: 0, digest: 0xcbf2_9ce4_8422_2325 };

    /// One more outcome.
    pub(crate) fn add(&mut self, record: usize, becomes: &Becomes) {
        let text = match becomes {
            Line(line) => {
                self.lines += 1;
                format!("{record} line {line}\n")
            }
            Rejected(reason) => {
                self.rejects += 1;
                format!("{record} reject {reason}\n")
            }
            Filtered => return,
        };
        for byte in text.bytes() {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// The same values every time: pieces that matter to line protocol and to numbers, in any order, some of them null.
pub(crate) fn random_values() -> Vec<Option<Vec<u8>>> {
    const PIECES: &[&[u8]] = &[
        b"BTC",
        b"-",
        b"USD",
        b"\xc3\xa9",
        b"1",
        b"9",
        b"0.5",
        b".",
        b"e5",
        b"-",
        b"+",
        b" ",
        b"\t",
        b"\r\n",
        b"\\",
        b"=",
        b"\"",
        b"#",
        b"\0",
        b"\xff",
        b"NaN",
        b"inf",
        b"0x",
        b"time",
        b"_",
        b",",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below
    };
    let value = |random: &mut dyn FnMut(usize) -> usize| {
        let mut value = Vec::new();
        // Half of them are a symbol and a price that mean well.
        let meant_well = random(2) == 0;
        for _ in 0..random(5) + 1 {
            value.extend_from_slice(PIECES[random(if meant_well { 4 } else { PIECES.len() })]);
        }
        value.push(b',');
        for _ in 0..random(4) + 1 {
            let from = if meant_well { &PIECES[4..7] } else { PIECES };
            value.extend_from_slice(from[random(from.len())]);
        }
        value
    };
    (0..NUM_RANDOM).map(|_| (random(20) > 0).then(|| value(&mut random))).collect()
}
