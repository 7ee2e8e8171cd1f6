//! Each thing is told once: what was told, and what of a look is new.

use crate::swap::watch::{Found, Seen};

/// What was told last, without its bytes.
#[derive(Debug)]
pub(super) struct Told {
    digest: Option<String>,
    /// The last one; `None` before the first look. One that vanishes is not forgotten.
    signature: Option<Vec<u8>>,
    /// Whether the bytes that are known came with `signature`: at the start nobody knows.
    signature_known: bool,
    condition: Condition,
}

#[derive(Debug, PartialEq, Eq)]
enum Condition {
    Fine,
    Gone,
    Unusable(String),
}

// === impl Told ===

impl Told {
    /// `known` is the digest of the bytes that count as told.
    pub(super) fn new(known: Option<&str>) -> Self {
        Self {
            digest: known.map(str::to_ascii_lowercase),
            signature: None,
            signature_known: known.is_none(),
            condition: Condition::Fine,
        }
    }

    /// A whole file is there.
    pub(super) fn module(&mut self, found: Found) -> Option<Seen> {
        let signed_anew = found.signature.is_some() && found.signature != self.signature;
        let known = self.digest.as_deref() == Some(&*found.digest);
        let was = std::mem::replace(&mut self.condition, Condition::Fine);
        if signed_anew || !known {
            self.signature.clone_from(&found.signature);
        }
        let signature_known = std::mem::replace(&mut self.signature_known, true);
        if known && !(signed_anew && signature_known) {
            return (was != Condition::Fine).then_some(Seen::Back);
        }
        self.digest = Some(found.digest.as_ref().to_owned());
        Some(Seen::Module(found))
    }

    /// No file is there.
    pub(super) fn gone(&mut self) -> Option<Seen> {
        let was = std::mem::replace(&mut self.condition, Condition::Gone);
        (was != Condition::Gone).then_some(Seen::Gone)
    }

    /// A file is there that can't be taken.
    pub(super) fn unusable(&mut self, text: String) -> Option<Seen> {
        let is = Condition::Unusable(text.clone());
        if self.condition == is {
            return None;
        }
        self.condition = is;
        Some(Seen::Unusable(text))
    }
}
