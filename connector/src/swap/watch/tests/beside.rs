//! The digest and the signature beside the module, and the one reading at the start of the program.

use super::super::file::{Look, found, look, look_by};
use super::*;

/// As `sha256sum` writes it.
fn sum(number: usize) -> String {
    format!("{}  t.wasm\n", digest(&module(number)))
}

#[test]
fn a_module_is_taken_when_it_and_its_digest_fit_whichever_comes_first() {
    let rig = Rig::by_events();
    fs::write(rig.beside("sha256"), sum(1)).unwrap();
    rig.watch.look_now();
    std::thread::sleep(Duration::from_millis(150));
    rig.put(1);
    rig.expect_module(1);
    rig.put(2);
    rig.watch.look_now();
    std::thread::sleep(Duration::from_millis(150));
    fs::write(rig.beside("sha256"), sum(2).to_uppercase()).unwrap();
    rig.expect_module(2);
    fs::write(rig.beside("sha256"), digest(&module(3))).unwrap();
    rig.put(3);
    rig.expect_module(3);
}

#[test]
fn a_digest_that_stays_wrong_is_told_until_it_is_right_or_gone() {
    let rig = Rig::new(Timing { misfit: Duration::from_millis(100), ..BY_EVENTS }, true);
    rig.put(1);
    rig.expect_module(1);
    fs::write(rig.beside("sha256"), sum(2)).unwrap();
    rig.expect_unusable(&format!("has the sha256 {}, but", digest(&module(1))));
    fs::write(rig.beside("sha256"), sum(1)).unwrap();
    rig.expect_back();
    fs::write(rig.beside("sha256"), "SHA256 (t.wasm) = 12").unwrap();
    rig.expect_unusable("does not start with a sha256 of 64 hexadecimal digits");
    fs::remove_file(rig.beside("sha256")).unwrap();
    rig.expect_back();
}

#[test]
fn a_folder_without_events_has_its_digest_polled_too() {
    let rig = Rig::new(BY_POLLS, false);
    rig.put(1);
    fs::write(rig.beside("sha256"), sum(2)).unwrap();
    rig.put(2);
    loop {
        match rig.next() {
            Seen::Module(found) if number_of(&found.bytes) == Some(2) => break,
            Seen::Module(found) => assert_eq!(number_of(&found.bytes), Some(1)),
            other => panic!("{other:?}"),
        }
    }
    fs::remove_file(rig.beside("sha256")).unwrap();
    rig.put(3);
    rig.expect_module(3);
}

#[test]
fn a_module_is_told_again_with_a_new_signature() {
    let rig = Rig::new(Timing { misfit: Duration::from_millis(100), ..BY_EVENTS }, true);
    fs::write(rig.beside("sig"), [1; 64]).unwrap();
    assert_eq!(rig.expect_module(0).signature, Some(vec![1; 64]));
    fs::write(rig.beside("sig"), [1; 64]).unwrap();
    rig.watch.look_now();
    rig.put(1);
    assert_eq!(rig.expect_module(1).signature, Some(vec![1; 64]));
    fs::write(rig.beside("sig"), [2; 4097]).unwrap();
    rig.expect_unusable("has more than 4096 bytes, so it is no detached signature");
    fs::write(rig.beside("sig"), [2; 4096]).unwrap();
    assert_eq!(rig.expect_module(1).signature, Some(vec![2; 4096]));
    fs::remove_file(rig.beside("sig")).unwrap();
    rig.watch.look_now();
    rig.put(2);
    assert_eq!(rig.expect_module(2).signature, None);
}

#[test]
fn one_reading_finds_all_or_says_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.wasm");
    let error = || read(&path).unwrap_err();
    assert!(matches!(error(), ReadError::Absent { .. }));
    fs::write(&path, "").unwrap();
    assert!(matches!(error(), ReadError::Empty { .. }));
    fs::write(&path, &module(1)[..50]).unwrap();
    assert!(matches!(error(), ReadError::CutOff { bytes: 50, .. }));
    fs::write(&path, module(1)).unwrap();
    fs::write(dir.path().join("t.wasm.sha256"), sum(2)).unwrap();
    assert!(matches!(error(), ReadError::OtherDigest { .. }));
    fs::write(dir.path().join("t.wasm.sha256"), "?").unwrap();
    assert!(matches!(error(), ReadError::NoDigest { .. }));
    fs::write(dir.path().join("t.wasm.sha256"), format!("\n{}", sum(1))).unwrap();
    fs::write(dir.path().join("t.wasm.sig"), "s").unwrap();
    let found = read(&path).unwrap();
    assert_eq!((number_of(&found.bytes), &*found.digest), (Some(1), digest(&module(1)).as_str()));
    assert_eq!(found.signature.as_deref(), Some(b"s".as_slice()));
    fs::write(dir.path().join("t.wasm.sig"), "").unwrap();
    assert_eq!(read(&path).unwrap().signature, None);
    assert!(matches!(read(dir.path()).unwrap_err(), ReadError::NotRegular { .. }));
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len(FILE_MAX_BYTES + 1).unwrap();
    assert!(matches!(error(), ReadError::TooLarge { bytes: 33_554_433, .. }));
}

#[test]
fn a_pipe_stops_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.wasm");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(matches!(read(&path).unwrap_err(), ReadError::NotRegular { .. }));
}

#[test]
fn what_changes_during_a_look_or_just_before_it_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let paths = Paths::of(&dir.path().join("t.wasm"));
    fs::write(&paths.module, module(1)).unwrap();
    assert!(matches!(look(&paths, Duration::ZERO), Look::Still(_, Ok(_))));
    assert!(matches!(look(&paths, NEVER), Look::Moving));
    for changed in paths.all() {
        let during = look_by(&paths, Duration::ZERO, |paths| {
            let found = found(paths);
            fs::write(changed, module(2)).unwrap();
            found
        });
        assert!(matches!(during, Look::Moving), "{changed:?}");
    }
}
