//! One record, several points: a price book `BTC-USD;bid=19890.1;ask=19890.9` becomes `book,side=bid,symbol=BTC-USD
//! price=19890.1` and `book,side=ask,symbol=BTC-USD price=19890.9`.
//!
//! | setting | default | meaning |
//! | --- | --- | --- |
//! | `measurement` | `book` | where the points go |
//! | `separator` | `;` | what stands between the symbol and each side |
//! | `side.tag` | `side` | the tag for what stands before `=` |
//! | `symbol.tag` | `symbol` | the tag for the symbol |
//! | `price.field` | `price` | the field for what stands after `=` |
//!
//! All points of a record have its time; the tag `side` keeps them apart. A record is written whole or not at all: if
//! one side can't be read, the sides before it are taken back. A record without a side is filtered.

use sluice_transform::{Emitter, Key, Measurement, Record, Reject, Settings, Transform, split, trim};

/// The transform, configured.
#[derive(Debug)]
pub struct OneToMany {
    measurement: Measurement,
    separator: u8,
    side: Key,
    symbol: Key,
    price: Key,
}

impl Transform for OneToMany {
    fn configure(settings: &mut Settings) -> Result<Self, String> {
        Ok(Self {
            measurement: settings.measurement("measurement", "book"),
            separator: settings.ascii("separator", b';'),
            side: settings.tag_key("side.tag", "side"),
            symbol: settings.tag_key("symbol.tag", "symbol"),
            price: settings.field_key("price.field", "price"),
        })
    }

    fn transform(&mut self, record: &Record<'_>, out: &mut Emitter) -> Result<(), Reject> {
        let Some(value) = record.value() else { return Ok(()) };
        let mut parts = split(value, self.separator).map(trim);
        let symbol = parts.next().unwrap_or_default();
        for part in parts {
            let mut sides = split(part, b'=').map(trim);
            let (Some(side), Some(price)) = (sides.next(), sides.next()) else {
                return Err(format!("part {:?} has no '='", String::from_utf8_lossy(part)).into());
            };
            let line = out.line(&self.measurement)?.tag(&self.side, side)?.tag(&self.symbol, symbol)?;
            let line = line.field_float_text(&self.price, price).map_err(|refused| {
                Reject::from(format!("price of {:?} {}", String::from_utf8_lossy(side), refused.fault))
            })?;
            line.end();
        }
        Ok(())
    }
}

sluice_transform::export!(OneToMany);
