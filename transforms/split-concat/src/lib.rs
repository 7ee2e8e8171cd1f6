//! A price from a value `symbol,price`: `BTC-USD,19890.1212` becomes `cryptos BTC-USD=19890.1212`.
//!
//! Blanks and line ends around a part are trimmed, parts after the second are ignored, and a null value is filtered.
//! The price keeps its digits and is always a float.

use sluice_transform::{Emitter, Key, Measurement, Part, Record, Refused, Reject, Settings, Transform, split, trim};

/// The transform, configured.
#[derive(Debug)]
pub struct SplitConcat {
    measurement: Measurement,
    separator: u8,
    symbol: Symbol,
}

/// Where the symbol goes.
#[derive(Debug)]
enum Symbol {
    /// `cryptos BTC-USD=19890.1212`
    Field,
    /// `cryptos,symbol=BTC-USD price=19890.1212`
    Tag { symbol: Key, price: Key },
}

impl Transform for SplitConcat {
    fn configure(settings: &mut Settings) -> Result<Self, String> {
        let as_tag = settings.choice("symbol.as", &[("field", false), ("tag", true)]);
        let tag = Symbol::Tag {
            symbol: settings.tag_key("symbol.tag", "symbol"),
            price: settings.field_key("price.field", "price"),
        };
        Ok(Self {
            measurement: settings.measurement("measurement", "cryptos"),
            separator: settings.ascii("separator", b','),
            symbol: if as_tag { tag } else { Symbol::Field },
        })
    }

    fn transform(&mut self, record: &Record<'_>, out: &mut Emitter) -> Result<(), Reject> {
        let Some(value) = record.value() else { return Ok(()) };
        let (symbol, price) = self.split(value)?;
        let line = out.line(&self.measurement)?;
        let line = match &self.symbol {
            Symbol::Field => line.field_float_text(symbol, price),
            Symbol::Tag { symbol: tag, price: field } => {
                line.tag(tag, symbol).and_then(|line| line.field_float_text(field, price))
            }
        };
        line.map_err(explain)?.end();
        Ok(())
    }
}

impl SplitConcat {
    /// The first two parts of a value.
    fn split<'v>(&self, value: &'v [u8]) -> Result<(&'v [u8], &'v [u8]), Reject> {
        let mut parts = split(value, self.separator);
        match (parts.next(), parts.next()) {
            (Some(symbol), Some(price)) => Ok((trim(symbol), trim(price))),
            _ if value.is_empty() => Err("value is empty".into()),
            _ => Err(format!("value has no separator {:?}", char::from(self.separator)).into()),
        }
    }
}

/// The builder's refusal in the words of this transform.
fn explain(refused: Refused) -> Reject {
    let part = if refused.part == Part::FieldValue { "price" } else { "symbol" };
    format!("{part} {}", refused.fault).into()
}

sluice_transform::export!(SplitConcat);
