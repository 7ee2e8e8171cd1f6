use ring::signature::{Ed25519KeyPair, KeyPair};
use sha2::{Digest, Sha256};

use super::*;

/// A key pair that is the same in every run.
fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn public(pair: &Ed25519KeyPair) -> [u8; 32] {
    pair.public_key().as_ref().try_into().unwrap()
}

/// The digest of a module, as text and as bytes.
fn digest(module: &[u8]) -> (String, Vec<u8>) {
    let digest = Sha256::digest(module).to_vec();
    (hex(&digest), digest)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn signed(keys: &[[u8; 32]]) -> Policy {
    Policy::new(&PolicyConfig { digests: Vec::new(), signature: true }, keys).unwrap()
}

#[test]
fn without_a_policy_everything_may_run() {
    let policy = Policy::new(&PolicyConfig::default(), &[public(&pair(1))]).unwrap();
    policy.check(&digest(b"module").0, None).unwrap();
    policy.check(&digest(b"module").0, Some(b"no signature at all")).unwrap();
    assert!(!policy.needs_signature());
}

#[test]
fn only_listed_digests_may_run_and_the_message_says_which_to_add() {
    let (listed, other) = (digest(b"listed").0, digest(b"other").0);
    let config = PolicyConfig { digests: vec![digest(b"another").0, listed.to_ascii_uppercase()], signature: false };
    let policy = Policy::new(&config, &[]).unwrap();
    policy.check(&listed, None).unwrap();
    let error = policy.check(&other, None).unwrap_err();
    assert_eq!(error, PolicyError::NotListed { digest: other.clone() });
    assert!(error.to_string().contains("transform.require.digest") && error.to_string().contains(&other), "{error}");
}

#[test]
fn a_signature_by_any_of_the_keys_counts() {
    let (text, raw) = digest(b"module");
    let policy = signed(&[public(&pair(1)), public(&pair(2))]);
    assert!(policy.needs_signature());
    for signer in [1, 2] {
        policy.check(&text, Some(pair(signer).sign(&raw).as_ref())).unwrap();
    }
    let error = policy.check(&text, Some(pair(3).sign(&raw).as_ref())).unwrap_err();
    assert_eq!(error, PolicyError::WrongSignature { digest: text, keys: 2 });
    assert!(error.to_string().contains("transform.signature.keys"), "{error}");
}

#[test]
fn a_signature_is_of_one_module_and_of_its_digest_in_bytes() {
    let policy = signed(&[public(&pair(1))]);
    let ((text, raw), (other, _)) = (digest(b"module"), digest(b"other"));
    let signature = pair(1).sign(&raw);
    policy.check(&other, Some(signature.as_ref())).unwrap_err();
    policy.check(&text, Some(pair(1).sign(text.as_bytes()).as_ref())).unwrap_err();
    for at in 0..SIGNATURE_BYTES {
        let mut flipped = signature.as_ref().to_vec();
        flipped[at] ^= 1;
        assert!(policy.check(&text, Some(&flipped)).is_err(), "byte {at}");
    }
    // What is no digest is signed by nobody.
    policy.check("", Some(signature.as_ref())).unwrap_err();
    policy.check(&text[..62], Some(signature.as_ref())).unwrap_err();
}

#[test]
fn a_signature_may_be_bytes_or_text() {
    let policy = signed(&[public(&pair(1))]);
    let (text, raw) = digest(b"module");
    let signature = pair(1).sign(&raw).as_ref().to_vec();
    let base64 = BASE64_STANDARD.encode(&signature);
    // As the command base64 breaks its lines.
    let broken = format!("{}\n{}\n", &base64[..76], &base64[76..]);
    let (lower, upper) = (hex(&signature), format!(" {}\r\n", hex(&signature).to_ascii_uppercase()));
    for file in [signature.as_slice(), base64.as_bytes(), broken.as_bytes(), lower.as_bytes(), upper.as_bytes()] {
        policy.check(&text, Some(file)).unwrap();
    }
}

#[test]
fn what_is_no_signature_is_told_apart_from_a_wrong_one() {
    let policy = signed(&[public(&pair(1))]);
    let (text, _) = digest(b"module");
    for file in [&b""[..], b"-----BEGIN SIGNATURE-----", &[0; 63], &[0; 65], &[b'g'; 128], &[b'A'; 88]] {
        let error = policy.check(&text, Some(file)).unwrap_err();
        assert_eq!(error, PolicyError::Form { digest: text.clone(), bytes: file.len() }, "{}", file.escape_ascii());
    }
    let error = policy.check(&text, None).unwrap_err();
    assert!(matches!(error, PolicyError::Unsigned { .. }) && error.to_string().contains("<file>.sig"), "{error}");
}

#[test]
fn both_rules_hold_together() {
    let (text, raw) = digest(b"module");
    let config = PolicyConfig { digests: vec![text.clone()], signature: true };
    let policy = Policy::new(&config, &[public(&pair(1))]).unwrap();
    assert!(matches!(policy.check(&text, None), Err(PolicyError::Unsigned { .. })));
    policy.check(&text, Some(pair(1).sign(&raw).as_ref())).unwrap();
    let (other, other_raw) = digest(b"other");
    let signature = pair(1).sign(&other_raw);
    assert!(matches!(policy.check(&other, Some(signature.as_ref())), Err(PolicyError::NotListed { .. })));
}

#[test]
fn signatures_without_a_key_are_refused_with_advice() {
    let error = Policy::new(&PolicyConfig { digests: Vec::new(), signature: true }, &[]).unwrap_err();
    assert!(error.to_string().contains("transform.signature.keys") && error.to_string().contains("openssl"), "{error}");
}

/// Made by the commands of docs/SECURITY.md, with OpenSSL 3.0, for a file with the text "hello" and a line end.
#[test]
fn what_openssl_signs_is_accepted() {
    let public = from_hex(b"39ffea34a731852c19852070d3c75e8f3a45558da2cdbf7e72e19a919dbf10da").unwrap();
    let signature = "EXhK0howR8IZb2IqvlOy9PGBsV5xq80kIjDKn0KB9tkdO8Aqni/SNxZ++9X8m14XaRRZlWyoyC8RCZE4VKmuAg==";
    let policy = signed(&[public.try_into().unwrap()]);
    policy.check(&digest(b"hello\n").0, Some(signature.as_bytes())).unwrap();
    policy.check(&digest(b"hello").0, Some(signature.as_bytes())).unwrap_err();
}
