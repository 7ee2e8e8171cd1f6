//! The bytes of the modules that may be needed again: in the state folder, or in memory where there is none.

use std::collections::{BTreeMap, BTreeSet};

use super::history::History;
use super::store::{Store, StoreError};

/// History and modules of one connector.
#[derive(Debug)]
pub struct Shelf {
    store: Option<Store>,
    /// Without a store.
    memory: BTreeMap<String, Vec<u8>>,
    signatures: BTreeMap<String, Vec<u8>>,
}

// === impl Shelf ===

impl Shelf {
    /// With a state folder, or without.
    pub fn new(store: Option<Store>) -> Self {
        Self { store, memory: BTreeMap::new(), signatures: BTreeMap::new() }
    }

    /// What has run before; nothing without a state folder.
    ///
    /// # Errors
    ///
    /// If the state folder can't be read, or was written by a newer version.
    pub fn load(&self) -> Result<History, StoreError> {
        self.store.as_ref().map_or_else(|| Ok(History::default()), Store::load)
    }

    /// Keeps a module's bytes. To be called before a history that names it is saved.
    ///
    /// # Errors
    ///
    /// If the state folder can't be written.
    pub fn keep(&mut self, digest: &str, bytes: &[u8]) -> Result<(), StoreError> {
        match &self.store {
            Some(store) => store.put_module(digest, bytes),
            None => {
                self.memory.insert(digest.to_owned(), bytes.to_owned());
                Ok(())
            }
        }
    }

    /// Keeps the signature that a kept module came with, once the policy has found it good: the module may come back when the policy or
    /// its keys are others, and is asked for it again then.
    ///
    /// # Errors
    ///
    /// If the state folder can't be written.
    pub fn keep_signature(&mut self, digest: &str, signature: Option<&[u8]>) -> Result<(), StoreError> {
        let Some(signature) = signature else { return Ok(()) };
        match &self.store {
            Some(store) => store.put_signature(digest, signature),
            None => {
                self.signatures.insert(digest.to_owned(), signature.to_owned());
                Ok(())
            }
        }
    }

    /// The signature of a kept module, if it came with one.
    ///
    /// # Errors
    ///
    /// If the state folder can't be read.
    pub fn signature(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match &self.store {
            Some(store) => store.signature(digest),
            None => Ok(self.signatures.get(digest).cloned()),
        }
    }

    /// A module's bytes, `None` if they are not kept any more.
    ///
    /// # Errors
    ///
    /// If the state folder can't be read.
    pub fn module(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match &self.store {
            Some(store) => store.module(digest),
            None => Ok(self.memory.get(digest).cloned()),
        }
    }

    /// The newest good version whose bytes are there.
    pub fn last_good(&self, history: &History) -> Option<(String, Vec<u8>)> {
        match &self.store {
            Some(store) => store.last_good_module(history),
            None => history.last_good().and_then(|digest| Some((digest.to_owned(), self.memory.get(digest)?.clone()))),
        }
    }

    /// Saves the history, and lets go of modules that nobody needs any more.
    ///
    /// # Errors
    ///
    /// If the state folder can't be written. What was saved before is intact.
    pub fn save(&mut self, history: &History) -> Result<(), StoreError> {
        let keep: BTreeSet<&str> = history.keeps();
        let Some(store) = &self.store else {
            self.memory.retain(|digest, _| keep.contains(digest.as_str()));
            self.signatures.retain(|digest, _| keep.contains(digest.as_str()));
            return Ok(());
        };
        store.save(history)?;
        store.prune(&keep)
    }
}
