//! Prices, version 1: `BTC-USD,19890.12,0.25` becomes `prices,symbol=BTC-USD price=19890.12`. The third part, the
//! volume, is ignored.

use sluice_transform::{Emitter, Record, Reject, Settings, Transform, split, trim};

/// The transform.
#[derive(Debug)]
pub struct Prices;

impl Transform for Prices {
    fn configure(_: &mut Settings) -> Result<Self, String> {
        Ok(Self)
    }

    fn transform(&mut self, record: &Record<'_>, out: &mut Emitter) -> Result<(), Reject> {
        let mut parts = split(record.value().unwrap_or_default(), b',').map(trim);
        let symbol = parts.next().unwrap_or_default();
        let price = parts.next().ok_or("value has no price")?;
        out.line("prices")?.tag("symbol", symbol)?.field_float_text("price", price)?.end();
        Ok(())
    }
}

sluice_transform::export!(Prices);
