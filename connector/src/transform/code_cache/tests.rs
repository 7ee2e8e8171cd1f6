use super::folder::{Entry, surplus};
use super::*;

fn entry(name: &str, written: i128, bytes: u64) -> Entry {
    Entry { name: name.to_owned(), written, bytes }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_oldest_go_and_the_newest_never() {
    let all: Vec<Entry> = (0..70).map(|nth| entry(&nth.to_string(), nth, 1)).collect();
    let mut gone = surplus(all.clone(), "69");
    gone.sort_by_key(|name| name.parse::<i32>().unwrap());
    assert_eq!(gone, ["0", "1", "2", "3", "4", "5"]);
    // By the clock of the file system it is as old as the others.
    let same: Vec<Entry> = (0..65).map(|nth| entry(&nth.to_string(), 7, 1)).collect();
    let gone = surplus(same, "64");
    assert!(gone.len() == 1 && gone != ["64"], "{gone:?}");
    assert!(surplus(all[..64].to_vec(), "63").is_empty());
}

#[test]
fn files_have_a_limit_together() {
    let half = 512 << 20;
    let entries = vec![entry("old", 1, 1), entry("middle", 2, half), entry("new", 3, half)];
    assert_eq!(surplus(entries, "new"), ["old"]);
    // One too large stays: it is in use.
    assert_eq!(surplus(vec![entry("huge", 2, 4 * half), entry("old", 1, 1)], "huge"), ["old"]);
    // What is being written is neither counted nor removed.
    assert!(surplus(vec![entry("a.0.new", 1, 4 * half), entry("b", 2, 1)], "b").is_empty());
}

#[test]
fn what_was_kept_is_read_again_and_only_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (key, other) = (Key("a".to_owned()), Key("b".to_owned()));
    let cache = CodeCache::open(&folder.path().join("code")).unwrap();
    cache.keep(&key, b"machine code");
    let file = cache.0.read(&key.0).unwrap().unwrap();
    assert_eq!(verified(&key, &file).unwrap(), b"machine code");
    assert!(verified(&other, &file).unwrap_err().to_string().contains("checksum"));
    assert_eq!(cache.0.read(&other.0).unwrap(), None);
}

#[test]
fn every_change_of_a_file_is_noticed() {
    let key = Key("a".to_owned());
    let file = [MAGIC, &checksum(&key, b"code"), b"code"].concat();
    verified(&key, &file).unwrap();
    for at in 0..file.len() {
        verified(&key, &file[..at]).unwrap_err();
        let mut flipped = file.clone();
        flipped[at] ^= 1;
        verified(&key, &flipped).unwrap_err();
    }
    verified(&key, &[file, vec![0]].concat()).unwrap_err();
}

#[test]
fn the_folder_stays_within_its_limit_and_files_are_ours_alone() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("code");
    let cache = CodeCache::open(&path).unwrap();
    for nth in 0..70 {
        cache.keep(&Key(format!("{nth:02}")), b"code");
    }
    let kept = names(&path);
    assert!(kept.len() == 64 && kept.contains(&"69".to_owned()), "{kept:?}");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&path), mode(&path.join("69"))), (0o700, 0o600));
}

#[test]
fn a_write_that_was_interrupted_leaves_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("code");
    CodeCache::open(&path).unwrap().keep(&Key("whole".to_owned()), b"code");
    std::fs::write(path.join("half.3.new"), b"sluice").unwrap();
    CodeCache::open(&path).unwrap();
    assert_eq!(names(&path), ["whole"]);
}

#[test]
fn a_folder_that_is_gone_costs_nothing_but_the_cache() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("code");
    let cache = CodeCache::open(&path).unwrap();
    std::fs::remove_dir(&path).unwrap();
    // Another in its place is not ours to trust, and is never written to.
    std::fs::create_dir(&path).unwrap();
    cache.keep(&Key("a".to_owned()), b"code");
    assert!(names(&path).is_empty());
    assert_eq!(cache.0.read("a").unwrap(), None);
}
