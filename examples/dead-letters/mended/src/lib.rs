//! Prices as all sources write them: `BTC-USD,19890.12`, `BTC-USD;19890.12` and `BTC-USD,$19890.12` become `cryptos
//! BTC-USD=19890.12`.
//!
//! `builtin:split-concat`, which ran when the second and the third source came, rejects what they write. This module
//! replays it. It has no settings.

use sluice_transform::{Emitter, Record, Reject, Settings, Transform, trim};

/// The transform.
#[derive(Debug)]
pub struct Mended;

impl Transform for Mended {
    fn configure(_: &mut Settings) -> Result<Self, String> {
        Ok(Self)
    }

    fn transform(&mut self, record: &Record<'_>, out: &mut Emitter) -> Result<(), Reject> {
        let Some(value) = record.value() else { return Ok(()) };
        let mut parts = value.split(|byte| matches!(byte, b',' | b';')).map(trim);
        let symbol = parts.next().unwrap_or_default();
        let price = parts.next().ok_or("value has neither ',' nor ';'")?;
        let price = price.strip_prefix(b"$").unwrap_or(price);
        out.line("cryptos")?.field_float_text(symbol, price)?.end();
        Ok(())
    }
}

sluice_transform::export!(Mended);
