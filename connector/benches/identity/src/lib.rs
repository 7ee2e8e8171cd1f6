//! Gives the column of values back as the column of lines. The setting `inputs` names the columns that it wants besides: `keys,headers`.

use bindings::sluice::transform::types::{Column, Rejects};
use bindings::{Batch, Guest, Inputs, Output, Setting};

#[allow(clippy::allow_attributes_without_reason, reason = "generated code")]
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "transform" });
}

struct Identity;

impl Guest for Identity {
    fn configure(settings: Vec<Setting>) -> Result<Inputs, String> {
        let wanted = settings.into_iter().find(|setting| setting.key == "inputs").map(|setting| setting.value);
        let wants = |column| wanted.iter().any(|wanted| wanted.split(',').any(|name| name == column));
        Ok(Inputs { keys: wants("keys"), headers: wants("headers"), timestamps: false, offsets: false })
    }

    fn transform(batch: Batch) -> Output {
        let lines = batch.values.column;
        Output {
            records: (0..lines.ends.len() as u32).collect(),
            lines,
            rejects: Rejects { records: Vec::new(), reasons: Column { bytes: Vec::new(), ends: Vec::new() } },
        }
    }
}

bindings::export!(Identity with_types_in bindings);
