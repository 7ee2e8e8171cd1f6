//! Which modules may run at all: an allow-list of digests, and signatures. Decided by the digest alone, before anything is compiled.
//!
//! What is signed is the sha256 of the module, its 32 bytes and not its text, with ed25519. docs/SECURITY.md shows how, with openssl.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};
use thiserror::Error;

use crate::config::PolicyConfig;

/// Bytes of an ed25519 signature.
const SIGNATURE_BYTES: usize = 64;

/// What may run (`transform.require.*`). Modules shipped inside the program are not asked.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    digests: BTreeSet<String>,
    /// `None` if no signature is needed; otherwise at least one.
    keys: Option<Vec<[u8; 32]>>,
}

/// Why a module may not run.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PolicyError {
    /// Signatures are required, and nothing could be one.
    #[error(
        "transform.require.signature=true, but the worker has no transform.signature.keys, so no module could ever run; give the worker the \
         public keys in base64 (openssl pkey -in key.pem -pubout -outform DER | base64), see docs/SECURITY.md"
    )]
    NoKeys,
    /// It is not on the list.
    #[error(
        "module sha256:{digest} is not in transform.require.digest; if it is meant to run, add {digest} to that list (separated by commas)"
    )]
    NotListed {
        /// The module's digest.
        digest: String,
    },
    /// There is no signature.
    #[error(
        "module sha256:{digest} has no signature, and transform.require.signature=true; sign its sha256 and put the signature beside the \
         module's file as <file>.sig, see docs/SECURITY.md"
    )]
    Unsigned {
        /// The module's digest.
        digest: String,
    },
    /// The signature is not one.
    #[error(
        "the signature of module sha256:{digest} is none of ed25519: it has {bytes} bytes; it has to be the 64 bytes that openssl pkeyutl -sign \
         writes, or these as base64 or as 128 hexadecimal digits"
    )]
    Form {
        /// The module's digest.
        digest: String,
        /// How many bytes were given.
        bytes: usize,
    },
    /// The signature is by somebody else, or of another module.
    #[error(
        "the signature of module sha256:{digest} is by none of the {keys} keys of transform.signature.keys, or of another module; sign the 32 \
         bytes of this module's sha256 anew (openssl dgst -sha256 -binary), or add the signer's public key, see docs/SECURITY.md"
    )]
    WrongSignature {
        /// The module's digest.
        digest: String,
        /// How many keys were tried.
        keys: usize,
    },
}

// === impl Policy ===

impl Policy {
    /// The policy of a connector, with the keys of the worker (`transform.signature.keys`).
    ///
    /// # Errors
    ///
    /// If signatures are required and there is no key.
    pub fn new(config: &PolicyConfig, keys: &[[u8; 32]]) -> Result<Self, PolicyError> {
        if config.signature && keys.is_empty() {
            return Err(PolicyError::NoKeys);
        }
        let digests = config.digests.iter().map(|digest| digest.to_ascii_lowercase()).collect();
        Ok(Self { digests, keys: config.signature.then(|| keys.to_vec()) })
    }

    /// Whether a signature has to be there: if not, nobody needs to look for one.
    pub fn needs_signature(&self) -> bool {
        self.keys.is_some()
    }

    /// Whether the module with this digest (64 hexadecimal digits in lower case) may run. `signature` is the content of its signature's
    /// file: 64 bytes, or text in base64 or hexadecimal.
    ///
    /// # Errors
    ///
    /// The first thing that the policy asks for and that is missing or wrong.
    pub fn check(&self, digest: &str, signature: Option<&[u8]>) -> Result<(), PolicyError> {
        self.check_digest(digest)?;
        let digest_text = || digest.to_owned();
        let Some(keys) = &self.keys else { return Ok(()) };
        let Some(file) = signature else { return Err(PolicyError::Unsigned { digest: digest_text() }) };
        let wrong_form = || PolicyError::Form { digest: digest_text(), bytes: file.len() };
        let signature = read_signature(file).ok_or_else(wrong_form)?;
        let wrong = || PolicyError::WrongSignature { digest: digest_text(), keys: keys.len() };
        let message = from_hex(digest.as_bytes()).filter(|message| message.len() == 32).ok_or_else(wrong)?;
        let signed_by = |key: &[u8; 32]| UnparsedPublicKey::new(&ED25519, key).verify(&message, &signature).is_ok();
        if keys.iter().any(signed_by) { Ok(()) } else { Err(wrong()) }
    }

    fn check_digest(&self, digest: &str) -> Result<(), PolicyError> {
        if self.digests.is_empty() || self.digests.contains(digest) {
            return Ok(());
        }
        Err(PolicyError::NotListed { digest: digest.to_owned() })
    }
}

/// The 64 bytes of a signature, as they are or from text. `base64` breaks its lines, so blanks count nowhere in text.
fn read_signature(file: &[u8]) -> Option<[u8; SIGNATURE_BYTES]> {
    if let Ok(raw) = file.try_into() {
        return Some(raw);
    }
    let text: Vec<u8> = file.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = match text.len() {
        128 => from_hex(&text)?,
        _ => BASE64_STANDARD.decode(&text).ok()?,
    };
    bytes.try_into().ok()
}

/// The bytes of pairs of hexadecimal digits, `None` if they are not that.
fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
        _ => None,
    };
    text.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests;
