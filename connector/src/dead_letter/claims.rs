//! Which letters decide which records.

use std::collections::HashMap;

use super::{Acknowledged, Claim};

/// The number of no claim.
pub(crate) const NONE: u64 = 0;

/// The open claims, each with the number of letters that are not acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    open: HashMap<u64, (Claim, usize)>,
    next: u64,
}

// === impl Claims ===

impl Claims {
    /// A claim that `letters` letters decide; gives back its number.
    pub(crate) fn open(&mut self, claim: Claim, letters: usize) -> u64 {
        self.next += 1;
        self.open.insert(self.next, (claim, letters));
        self.next
    }

    pub(crate) fn is_open(&self, id: u64) -> bool {
        self.open.contains_key(&id)
    }

    /// One letter of the claim is acknowledged.
    pub(crate) fn settle(&mut self, id: u64) -> Option<Acknowledged> {
        let (claim, left) = self.open.get_mut(&id)?;
        *left = left.saturating_sub(1);
        let acknowledged = Acknowledged { claim: *claim, decided: *left == 0 };
        if acknowledged.decided {
            self.open.remove(&id);
        }
        Some(acknowledged)
    }

    /// Forgets the claims of assignments that are over.
    pub(crate) fn forget(&mut self, is_over: impl Fn(&Claim) -> bool) {
        self.open.retain(|_, (claim, _)| !is_over(claim));
    }
}
