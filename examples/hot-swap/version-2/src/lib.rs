//! Prices, version 2: `BTC-USD,19890.12,0.25` becomes `prices,symbol=BTC-USD price=19890.12,volume=0.25`. A value
//! without a volume becomes what version 1 makes of it.

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
        let line = out.line("prices")?.tag("symbol", symbol)?.field_float_text("price", price)?;
        match parts.next() {
            Some(volume) => line.field_float_text("volume", volume)?.end(),
            None => line.end(),
        }
        Ok(())
    }
}

sluice_transform::export!(Prices);
