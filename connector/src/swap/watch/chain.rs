//! Which folder entries decide what a path leads to: each symlink on the way, and the file itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};

/// Symlinks followed on the way to one file; the kernel's own limit.
const LINKS_MAX: usize = 40;

/// Folders, without symlinks in their own paths, and the names in them that matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Chain(BTreeMap<PathBuf, BTreeSet<OsString>>);

enum Part {
    Root,
    Up,
    Name(OsString),
}

// === impl Chain ===

impl Chain {
    /// Walks each of the absolute `paths` as the kernel does. Where something is missing, what is noted last is the missing name in the
    /// last folder there is.
    pub(super) fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut chain = Self::default();
        for path in paths {
            chain.walk(path);
        }
        chain
    }

    /// The folders to watch.
    pub(super) fn folders(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.keys()
    }

    /// Whether `folder` is one of them.
    pub(super) fn has(&self, folder: &Path) -> bool {
        self.0.contains_key(folder)
    }

    /// Whether an event at `path`, an entry of a watched folder, may change what is found.
    pub(super) fn concerns(&self, path: &Path) -> bool {
        let names = path.parent().and_then(|folder| self.0.get(folder));
        names.zip(path.file_name()).is_some_and(|(names, name)| names.contains(name))
    }

    fn walk(&mut self, path: &Path) {
        let mut todo: VecDeque<Part> = parts(path).collect();
        let mut at = PathBuf::from("/");
        let mut links = 0;
        while let Some(part) = todo.pop_front() {
            let name = match part {
                Part::Root => {
                    at = PathBuf::from("/");
                    continue;
                }
                Part::Up => {
                    at.pop();
                    continue;
                }
                Part::Name(name) => name,
            };
            let entry = at.join(&name);
            match read_link(&entry) {
                Entry::Folder if !todo.is_empty() => at = entry,
                Entry::Link(target) if links < LINKS_MAX => {
                    self.note(&at, &name);
                    links += 1;
                    for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
                        todo.push_front(part);
                    }
                }
                _ => {
                    self.note(&at, &name);
                    return;
                }
            }
        }
    }

    fn note(&mut self, folder: &Path, name: &OsStr) {
        self.0.entry(folder.to_owned()).or_default().insert(name.to_owned());
    }
}

enum Entry {
    Folder,
    Link(PathBuf),
    /// A file, nothing, or what may not be looked at.
    Other,
}

fn read_link(entry: &Path) -> Entry {
    let found = || -> io::Result<Entry> {
        let kind = entry.symlink_metadata()?.file_type();
        Ok(match () {
            () if kind.is_symlink() => Entry::Link(entry.read_link()?),
            () if kind.is_dir() => Entry::Folder,
            () => Entry::Other,
        })
    };
    found().unwrap_or(Entry::Other)
}

fn parts(path: &Path) -> impl Iterator<Item = Part> {
    path.components().filter_map(|component| match component {
        Component::RootDir => Some(Part::Root),
        Component::ParentDir => Some(Part::Up),
        Component::Normal(name) => Some(Part::Name(name.to_owned())),
        Component::CurDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn temp() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        (dir, root)
    }

    /// Every entry, relative to `root`.
    fn entries(root: &Path, path: &Path) -> Vec<String> {
        let chain = Chain::of([path]);
        let all = chain.0.iter().flat_map(|(folder, names)| names.iter().map(move |name| folder.join(name)));
        all.map(|entry| entry.strip_prefix(root).unwrap_or(&entry).to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_double_symlink_of_a_config_map_is_followed() {
        let (_dir, root) = temp();
        fs::create_dir_all(root.join("mods/..2026_1")).unwrap();
        fs::write(root.join("mods/..2026_1/t.wasm"), "x").unwrap();
        symlink("..2026_1", root.join("mods/..data")).unwrap();
        symlink("..data/t.wasm", root.join("mods/t.wasm")).unwrap();
        let path = root.join("mods/t.wasm");
        assert_eq!(entries(&root, &path), ["mods/..data", "mods/t.wasm", "mods/..2026_1/t.wasm"]);
        let chain = Chain::of([path.as_path()]);
        assert!(chain.concerns(&root.join("mods/..data")) && !chain.concerns(&root.join("mods/..data_tmp")));
    }

    #[test]
    fn folder_links_absolute_links_and_ways_up_are_followed() {
        let (_dir, root) = temp();
        fs::create_dir_all(root.join("opt/v1/bin")).unwrap();
        fs::create_dir(root.join("lib")).unwrap();
        fs::write(root.join("lib/real.wasm"), "x").unwrap();
        symlink("v1", root.join("opt/current")).unwrap();
        symlink(root.join("lib/x/../real.wasm"), root.join("opt/v1/t.wasm")).unwrap();
        fs::create_dir(root.join("lib/x")).unwrap();
        let path = root.join("opt/current/bin/../t.wasm");
        assert_eq!(entries(&root, &path), ["lib/real.wasm", "opt/current", "opt/v1/t.wasm"]);
    }

    #[test]
    fn what_is_missing_is_waited_for_where_it_would_appear() {
        let (_dir, root) = temp();
        assert_eq!(entries(&root, &root.join("a/b/t.wasm")), ["a"]);
        symlink("nowhere/t.wasm", root.join("t.wasm")).unwrap();
        assert_eq!(entries(&root, &root.join("t.wasm")), ["nowhere", "t.wasm"]);
        fs::write(root.join("file"), "x").unwrap();
        assert_eq!(entries(&root, &root.join("file/t.wasm")), ["file"]);
    }

    #[test]
    fn a_circle_of_links_ends() {
        let (_dir, root) = temp();
        symlink("b", root.join("a")).unwrap();
        symlink("a", root.join("b")).unwrap();
        assert_eq!(entries(&root, &root.join("a")), ["a", "b"]);
    }
}
