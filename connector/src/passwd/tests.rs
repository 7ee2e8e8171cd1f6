#![allow(clippy::unwrap_used, reason = "tests")]

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::cli::passwd::RoleArg;

fn args(file: &Path, name: &str, role: Option<RoleArg>, remove: bool) -> PasswdArgs {
    PasswdArgs { file: file.to_owned(), name: name.to_owned(), role, remove }
}

fn given(word: &str) -> impl FnOnce() -> Result<String, PasswdError> {
    let word = word.to_owned();
    move || Ok(word)
}

fn users(file: &Path) -> Users {
    Users::parse(&fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn a_user_is_added_changed_and_removed_and_the_rest_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users");
    let mut out = Vec::new();
    change(&args(&file, "ann", Some(RoleArg::Admin), false), given("ann's word"), &mut out).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    change(&args(&file, "bob", None, false), given("bob's word"), &mut out).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("# people\n{text}")).unwrap();
    change(&args(&file, "ann", None, false), given("another word"), &mut out).unwrap();
    let after = users(&file);
    assert_eq!(after.verify("ann", "another word"), Some(Role::Admin), "who changes a password keeps his role");
    assert_eq!(after.verify("ann", "ann's word"), None);
    assert_eq!(after.verify("bob", "bob's word"), Some(Role::Reader), "somebody new is a reader");
    assert!(fs::read_to_string(&file).unwrap().starts_with("# people\nann admin $argon2id$"));
    change(&args(&file, "ann", None, true), || panic!("asked for a password"), &mut out).unwrap();
    assert_eq!(users(&file).role("ann"), None);
    let told = String::from_utf8(out).unwrap();
    for said in [
        "ann (admin) was added",
        "bob (reader) was added",
        "ann (admin) was changed",
        "ann was removed",
        "no user in it is an admin",
    ] {
        assert!(told.contains(said), "{said}: {told}");
    }
}

#[test]
fn what_can_not_be_right_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users");
    let mut out = Vec::new();
    for word in ["", "seven77", "with\ttab in", &"x".repeat(BYTES_MAX + 1)] {
        let error = change(&args(&file, "ann", None, false), given(word), &mut out).unwrap_err();
        assert!(error.is_usage() && !error.to_string().contains("tab"), "{error}");
    }
    assert!(matches!(
        change(&args(&file, "a:n", None, false), given("long enough"), &mut out),
        Err(PasswdError::Name { .. })
    ));
    assert!(matches!(change(&args(&file, "ann", None, true), given(""), &mut out), Err(PasswdError::File { .. })));
    assert!(!file.exists());
    fs::write(&file, "ann admin oops\n").unwrap();
    let error = change(&args(&file, "bob", None, false), given("long enough"), &mut out).unwrap_err();
    assert!(crate::trace(&error).contains("line 1"), "{error}");
    fs::write(&file, "").unwrap();
    assert!(matches!(change(&args(&file, "ann", None, true), given(""), &mut out), Err(PasswdError::Unknown { .. })));
    assert_eq!((fs::read_to_string(&file).unwrap().as_str(), out.len()), ("", 0));
}

#[test]
fn a_link_stays_one() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("users"), folder.path().join("link"));
    fs::write(&file, "").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    change(&args(&link, "ann", None, false), given("ann's word"), &mut Vec::new()).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(users(&file).role("ann"), Some(Role::Reader));
}

#[test]
fn what_is_typed_is_read_letter_by_letter() {
    let read = |bytes: &[u8]| typed(&mut &*bytes);
    assert_eq!(read(b"word\n").unwrap(), "word");
    assert_eq!(
        read("w\u{e4}\x7f\x7f\x7fx\u{e4}y\r".as_bytes()).unwrap(),
        "x\u{e4}y",
        "backspace takes letters, not bytes"
    );
    for end in [&b"wor"[..], b"wor\x03d\n", b"wor\x04d\n", b"\xff\n"] {
        assert!(read(end).is_err(), "{end:?}");
    }
}
