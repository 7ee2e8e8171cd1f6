//! Every way of having another file at the same path: links, folders that come and go, folders without events.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

/// As `ln -sfn` does not, and as everybody should: a link is put over another in one step.
fn relink(target: &str, link: &Path) {
    let temporary = link.with_file_name("link.tmp");
    symlink(target, &temporary).unwrap();
    fs::rename(temporary, link).unwrap();
}

#[test]
fn a_link_to_a_file_is_followed_when_it_is_swapped_and_when_its_target_is_written() {
    let rig = Rig::with("t.wasm", BY_EVENTS, true, |root| {
        fs::create_dir(root.join("versions")).unwrap();
        fs::write(root.join("versions/0.wasm"), module(0)).unwrap();
        symlink("versions/0.wasm", root.join("t.wasm")).unwrap();
    });
    fs::write(rig.root.join("versions/1.wasm"), module(1)).unwrap();
    relink("versions/1.wasm", &rig.path);
    rig.expect_module(1);
    fs::write(rig.root.join("versions/1.wasm"), module(2)).unwrap();
    rig.expect_module(2);
    let mut unfinished = fs::File::create(rig.root.join("versions/1.wasm")).unwrap();
    std::io::Write::write_all(&mut unfinished, &module(8)[..SEAM]).unwrap();
    fs::write(rig.root.join("versions/4.wasm"), module(4)).unwrap();
    relink("versions/4.wasm", &rig.path);
    rig.expect_module(4);
    drop(unfinished);
    fs::remove_file(rig.root.join("versions/4.wasm")).unwrap();
    rig.expect_gone();
    fs::write(rig.root.join("versions/0.wasm"), module(3)).unwrap();
    relink("versions/0.wasm", &rig.path);
    rig.expect_module(3);
}

/// A new version of a ConfigMap, in the order in which the kubelet does it.
fn kubelet_writes(mount: &Path, stamp: &str, number: usize) {
    let old = fs::read_link(mount.join("..data")).ok();
    fs::create_dir(mount.join(stamp)).unwrap();
    fs::write(mount.join(stamp).join("t.wasm"), module(number)).unwrap();
    fs::write(mount.join(stamp).join("t.wasm.sha256"), digest(&module(number))).unwrap();
    symlink(stamp, mount.join("..data_tmp")).unwrap();
    fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    if old.is_none() {
        for name in ["t.wasm", "t.wasm.sha256"] {
            symlink(Path::new("..data").join(name), mount.join(name)).unwrap();
        }
    }
    if let Some(old) = old {
        fs::remove_dir_all(mount.join(old)).unwrap();
    }
}

#[test]
fn a_config_map_is_followed_through_its_two_links() {
    let rig = Rig::with("mods/t.wasm", BY_EVENTS, true, |root| {
        fs::create_dir(root.join("mods")).unwrap();
        kubelet_writes(&root.join("mods"), "..2026_0", 0);
    });
    for number in 1..6 {
        kubelet_writes(&rig.root.join("mods"), &format!("..2026_{number}"), number);
        rig.expect_module(number);
    }
}

#[test]
fn a_link_to_a_folder_is_followed() {
    let rig = Rig::with("opt/current/t.wasm", BY_EVENTS, true, |root| {
        fs::create_dir_all(root.join("opt/v0")).unwrap();
        fs::write(root.join("opt/v0/t.wasm"), module(0)).unwrap();
        symlink("v0", root.join("opt/current")).unwrap();
    });
    for number in 1..4 {
        let folder = rig.root.join(format!("opt/v{number}"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("t.wasm"), module(number)).unwrap();
        relink(&format!("v{number}"), &rig.root.join("opt/current"));
        rig.expect_module(number);
    }
    fs::write(rig.root.join("opt/v3/t.wasm"), module(9)).unwrap();
    rig.expect_module(9);
}

#[test]
fn a_folder_may_be_deleted_and_made_again() {
    let rig = Rig::with("a/b/t.wasm", BY_EVENTS, true, |root| {
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/t.wasm"), module(0)).unwrap();
    });
    for number in 1..4 {
        fs::remove_dir_all(rig.root.join("a")).unwrap();
        rig.expect_gone();
        fs::create_dir_all(rig.root.join("a/b")).unwrap();
        fs::write(&rig.path, module(number)).unwrap();
        rig.expect_module(number);
        rig.watch.look_now();
        fs::write(&rig.path, module(number + 10)).unwrap();
        rig.expect_module(number + 10);
    }
}

#[test]
fn a_folder_may_be_renamed_and_another_take_its_place() {
    let rig = Rig::with("a/t.wasm", BY_EVENTS, true, |root| {
        fs::create_dir(root.join("a")).unwrap();
        fs::write(root.join("a/t.wasm"), module(0)).unwrap();
    });
    fs::create_dir(rig.root.join("new")).unwrap();
    fs::write(rig.root.join("new/t.wasm"), module(1)).unwrap();
    fs::rename(rig.root.join("a"), rig.root.join("old")).unwrap();
    rig.expect_gone();
    fs::rename(rig.root.join("new"), rig.root.join("a")).unwrap();
    rig.expect_module(1);
    fs::write(rig.root.join("old/t.wasm"), module(8)).unwrap();
    fs::write(&rig.path, module(2)).unwrap();
    rig.expect_module(2);
}

#[test]
fn a_folder_without_events_is_polled() {
    let rig = Rig::new(BY_POLLS, false);
    rig.put(1);
    rig.expect_module(1);
    fs::write(&rig.path, module(2)).unwrap();
    rig.expect_module(2);
    fs::remove_file(&rig.path).unwrap();
    rig.expect_gone();
    rig.put(2);
    rig.expect_back();
}

#[test]
fn without_events_a_look_comes_when_it_is_asked_for() {
    let rig = Rig::new(BY_EVENTS, false);
    for number in 1..5 {
        rig.put(number);
        rig.watch.look_now();
        rig.expect_module(number);
    }
}
