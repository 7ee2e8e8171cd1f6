//! Every way of writing a file.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;

/// Longer than the debounce: a pause in which a mistake would be made.
const PAUSE: Duration = Duration::from_millis(150);

#[test]
fn rename_over() {
    let rig = Rig::by_events();
    for number in 1..5 {
        rig.put(number);
        rig.expect_module(number);
    }
}

#[test]
fn a_copy_in_place_in_pieces_is_never_told_half() {
    let rig = Rig::by_events();
    let mut file = File::create(&rig.path).unwrap();
    for piece in [&module(1)[..8], &module(1)[8..SEAM], &module(1)[SEAM..SEAM + 102], &module(1)[SEAM + 102..]] {
        thread::sleep(PAUSE);
        file.write_all(piece).unwrap();
        // As `cp -p` does before it closes: no sign that it is done.
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        rig.watch.look_now();
    }
    thread::sleep(PAUSE);
    drop(file);
    rig.expect_module(1);
}

#[test]
fn pieces_by_several_writers_are_told_apart_by_their_sections() {
    let rig = Rig::by_events();
    File::create(&rig.path).unwrap();
    for piece in [&module(1)[..5], &module(1)[5..SEAM + 50], &module(1)[SEAM + 50..]] {
        thread::sleep(PAUSE);
        OpenOptions::new().append(true).open(&rig.path).unwrap().write_all(piece).unwrap();
    }
    rig.expect_module(1);
}

#[test]
fn truncate_and_write() {
    let rig = Rig::by_events();
    for number in 1..5 {
        fs::write(&rig.path, module(number)).unwrap();
        rig.expect_module(number);
    }
}

#[test]
fn editors_rename_the_old_one_to_a_backup_and_write_a_new_one() {
    let rig = Rig::by_events();
    fs::rename(&rig.path, rig.root.join("t.wasm~")).unwrap();
    fs::write(&rig.path, module(1)).unwrap();
    let mut next = rig.next();
    // Only if this thread was stopped between the two for longer than the debounce.
    if matches!(next, Seen::Gone) {
        next = rig.next();
    }
    assert!(matches!(next, Seen::Module(found) if number_of(&found.bytes) == Some(1)));
}

#[test]
fn editors_write_a_backup_and_then_over_the_file() {
    let rig = Rig::by_events();
    fs::copy(&rig.path, rig.root.join("t.wasm.bak")).unwrap();
    fs::write(&rig.path, module(1)).unwrap();
    rig.expect_module(1);
    fs::remove_file(rig.root.join("t.wasm.bak")).unwrap();
    rig.put(2);
    rig.expect_module(2);
}

#[test]
fn unlink_and_create() {
    let rig = Rig::by_events();
    fs::remove_file(&rig.path).unwrap();
    rig.expect_gone();
    let mut file = File::create(&rig.path).unwrap();
    file.write_all(&module(1)[..SEAM]).unwrap();
    thread::sleep(PAUSE);
    file.write_all(&module(1)[SEAM..]).unwrap();
    drop(file);
    rig.expect_module(1);
}

#[test]
fn a_hard_link_makes_no_write_and_is_seen() {
    let rig = Rig::by_events();
    fs::write(rig.root.join("build.wasm"), module(1)).unwrap();
    fs::remove_file(&rig.path).unwrap();
    rig.expect_gone();
    fs::hard_link(rig.root.join("build.wasm"), &rig.path).unwrap();
    rig.expect_module(1);
}

#[test]
fn deletion_is_told_once_and_so_is_the_return() {
    let rig = Rig::by_events();
    fs::remove_file(&rig.path).unwrap();
    rig.expect_gone();
    rig.watch.look_now();
    fs::write(rig.beside("sig"), "s").unwrap();
    fs::remove_file(rig.beside("sig")).unwrap();
    rig.watch.look_now();
    rig.put(0);
    rig.expect_back();
    rig.put(1);
    rig.expect_module(1);
}

#[test]
fn equal_bytes_are_not_told() {
    let rig = Rig::by_events();
    fs::write(&rig.path, module(0)).unwrap();
    thread::sleep(PAUSE);
    File::open(&rig.path).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    thread::sleep(PAUSE);
    rig.put(0);
    thread::sleep(PAUSE);
    rig.put(1);
    rig.expect_module(1);
}

#[test]
fn two_hundred_changes_in_a_row_end_in_the_last_bytes() {
    let rig = Rig::by_events();
    for number in 1..=200 {
        match number % 4 {
            0 => fs::write(&rig.path, module(number)).unwrap(),
            1 => {
                fs::remove_file(&rig.path).unwrap();
                fs::write(&rig.path, module(number)).unwrap();
            }
            2 => {
                let mut file = File::create(&rig.path).unwrap();
                file.write_all(&module(number)[..SEAM]).unwrap();
                thread::sleep(Duration::from_millis(number as u64 % 7 * 10));
                file.write_all(&module(number)[SEAM..]).unwrap();
            }
            _ => rig.put(number),
        }
        thread::sleep(Duration::from_millis(number as u64 % 5 * 10));
    }
    let mut last = 0;
    while last < 200 {
        match rig.next() {
            Seen::Module(found) => {
                let number = number_of(&found.bytes).unwrap();
                assert!(number > last, "{number} after {last}");
                last = number;
            }
            Seen::Gone => {}
            other => panic!("{other:?}"),
        }
    }
    fs::remove_file(&rig.path).unwrap();
    rig.expect_gone();
}

#[test]
fn what_others_write_in_the_folder_keeps_no_look_away() {
    let rig = Rig::by_events();
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, noise) = (Arc::clone(&stop), rig.root.join("t.wasm.log"));
    let writer = thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            fs::write(&noise, "x").unwrap();
        }
    });
    for number in 1..5 {
        rig.put(number);
        rig.expect_module(number);
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
}

#[test]
fn what_is_no_webassembly_is_told_for_the_loader_to_judge() {
    let rig = Rig::by_events();
    fs::write(&rig.path, "(module)").unwrap();
    let next = rig.next();
    assert!(matches!(&next, Seen::Module(found) if *found.bytes == *b"(module)"), "{next:?}");
}

#[test]
fn what_can_not_be_taken_is_told_with_its_reason() {
    let rig = Rig::new(Timing { cut_off: PAUSE, ..BY_EVENTS }, true);
    fs::write(&rig.path, &module(1)[..50]).unwrap();
    rig.expect_unusable("after 50 bytes, so it was not copied whole; copy it again");
    fs::write(&rig.path, "").unwrap();
    rig.expect_unusable("t.wasm is empty");
    File::options().write(true).open(&rig.path).unwrap().set_len(FILE_MAX_BYTES + 1).unwrap();
    rig.expect_unusable("has 33554433 bytes, the limit is 33554432");
    fs::remove_file(&rig.path).unwrap();
    rig.expect_gone();
    fs::create_dir(&rig.path).unwrap();
    rig.expect_unusable("is a folder");
    fs::remove_dir(&rig.path).unwrap();
    rig.expect_gone();
    rig.put(0);
    rig.expect_back();
}

#[test]
fn a_file_that_may_not_be_read_is_told_and_taken_when_it_may() {
    use std::os::unix::fs::PermissionsExt;
    let rig = Rig::by_events();
    let allow = |mode| fs::set_permissions(&rig.path, fs::Permissions::from_mode(mode)).unwrap();
    allow(0o000);
    if fs::read(&rig.path).is_ok() {
        // The superuser may read everything.
        return;
    }
    rig.expect_unusable("could not read");
    allow(0o600);
    rig.expect_back();
}
