//! Files of the state folder: written so that whoever reads them finds the old content or the new, whole, wherever the process or
//! the machine died in between.
//!
//! Content goes to a temporary file beside the target (`.NAME.tmp`), is synced, renamed over the target, and the folder is synced: so
//! two files that were written one after the other also survive in that order. The temporary name is always the same. A file has one
//! writer at a time: one process has the state folder ([`super::StateDir`]), and in it one thread has the file.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What one write to the disk takes at most. In tests little, so that they also see what a process that ends in between leaves.
const PIECE_BYTES: usize = if cfg!(test) { 4096 } else { 1 << 20 };

/// One operation on the disk that has just been done: told to tests, and to nobody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op<'a> {
    /// A folder was made.
    Made(&'a Path),
    /// An empty file was made.
    Created(&'a Path),
    /// Bytes were added to it.
    Wrote(&'a Path),
    /// Its content is on the disk.
    Synced(&'a Path),
    /// The first has the name of the second.
    Renamed(&'a Path, &'a Path),
    /// The names in the folder are on the disk.
    FolderSynced(&'a Path),
    /// The file is gone.
    Removed(&'a Path),
}

/// Replaces the file by one with these bytes, that only this user may read. On an error the old one is still there, unless only the
/// last step failed (syncing the folder): then the new one is, but may not outlast a failure of the machine.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (folder, temporary) = temporary(path)?;
    // Of a process that died. It would be followed if it were a link, and keep its mode if it were a file.
    match fs::remove_file(&temporary) {
        Ok(()) => done(Op::Removed(&temporary)),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if let Err(error) = fill(&temporary, bytes).and_then(|()| fs::rename(&temporary, path)) {
        // A full disk needs the room; the error that is told is the first.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    done(Op::Renamed(&temporary, path));
    sync_folder(folder)
}

/// Makes the folder, and those above it that are missing, for this user alone. One that is there already is closed to others.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|found| found.is_dir()) {
        let wanted = Permissions::from_mode(0o700);
        let open = fs::metadata(path)?.permissions().mode() & 0o077 != 0;
        return if open { fs::set_permissions(path, wanted) } else { Ok(()) };
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent
        && !parent.exists()
    {
        make_folder(parent)?;
    }
    DirBuilder::new().mode(0o700).create(path)?;
    done(Op::Made(path));
    sync_folder(parent.unwrap_or(Path::new(".")))
}

/// Gives a file that can't be used another name, that says since when (milliseconds since 1970), and returns that name.
pub(crate) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let mut ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    loop {
        let mut name = OsString::from(path);
        name.push(format!(".damaged-{ms}"));
        let aside = PathBuf::from(name);
        if fs::symlink_metadata(&aside).is_ok() {
            ms += 1;
            continue;
        }
        fs::rename(path, &aside)?;
        done(Op::Renamed(path, &aside));
        sync_folder(path.parent().unwrap_or(Path::new(".")))?;
        return Ok(aside);
    }
}

/// Removes a file. It may be back after a failure of the machine.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    done(Op::Removed(path));
    Ok(())
}

/// Removes a file. When this returns, that outlasts a failure of the machine.
pub(crate) fn remove_for_good(path: &Path) -> io::Result<()> {
    remove(path)?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// Whether [`write()`] made a file of this name, and the process ended before it was renamed.
pub(crate) fn is_left_over(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".tmp")
}

fn temporary(path: &Path) -> io::Result<(&Path, PathBuf)> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(ErrorKind::InvalidInput, "this is no file's name"));
    };
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(".tmp");
    Ok((folder, folder.join(hidden)))
}

fn fill(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    done(Op::Created(path));
    for piece in bytes.chunks(PIECE_BYTES) {
        file.write_all(piece)?;
        done(Op::Wrote(path));
    }
    file.sync_all()?;
    done(Op::Synced(path));
    Ok(())
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match File::open(path)?.sync_all() {
        // Some network file systems have no such thing; there is nothing better to do on them.
        Err(error) if !matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Err(error),
        _ => {
            done(Op::FolderSynced(path));
            Ok(())
        }
    }
}

#[cfg(not(test))]
fn done(_: Op<'_>) {}

#[cfg(test)]
use probe::done;
#[cfg(test)]
pub(crate) use probe::observed;

/// Lets a test look at the disk after every single operation of its thread.
#[cfg(test)]
mod probe {
    use std::cell::RefCell;

    use super::Op;

    type Observer = Box<dyn FnMut(Op<'_>)>;

    thread_local! {
        static OBSERVER: RefCell<Option<Observer>> = const { RefCell::new(None) };
    }

    pub(super) fn done(op: Op<'_>) {
        OBSERVER.with_borrow_mut(|observer| {
            if let Some(observer) = observer {
                observer(op);
            }
        });
    }

    /// Calls `observer` after each operation that `run` does.
    pub(crate) fn observed<R>(observer: impl FnMut(Op<'_>) + 'static, run: impl FnOnce() -> R) -> R {
        OBSERVER.set(Some(Box::new(observer)));
        let result = run();
        OBSERVER.set(None);
        result
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::os::unix::fs::symlink;
    use std::rc::Rc;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn content_is_on_the_disk_before_it_has_the_name_and_the_name_before_it_returns() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let trace = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&trace);
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let folder = dir.path().to_owned();
        let observe = move |op: Op<'_>| {
            seen.borrow_mut().push(match op {
                Op::Created(path) => format!("create {}", name(path)),
                Op::Wrote(path) => format!("write {}", name(path)),
                Op::Synced(path) => format!("sync {}", name(path)),
                Op::Renamed(from, to) => format!("rename {} {}", name(from), name(to)),
                Op::FolderSynced(path) if path == folder => "sync folder".to_owned(),
                other => format!("{other:?}"),
            });
        };
        observed(observe, || write(&path, &[7; PIECE_BYTES + 1])).unwrap();
        let trace = trace.borrow();
        let expected = [
            "create .file.tmp",
            "write .file.tmp",
            "write .file.tmp",
            "sync .file.tmp",
            "rename .file.tmp file",
            "sync folder",
        ];
        assert_eq!(*trace, expected);
        assert_eq!(fs::read(&path).unwrap(), [7; PIECE_BYTES + 1]);
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn what_cannot_be_written_leaves_the_old_one_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        write(&path, b"old").unwrap();
        // Also root fails on this one.
        fs::create_dir(dir.path().join(".file.tmp")).unwrap();
        write(&path, b"new").unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        fs::remove_dir(dir.path().join(".file.tmp")).unwrap();
        // The rename fails, after all was written: the room is given back.
        fs::create_dir_all(dir.path().join("target/full")).unwrap();
        write(&dir.path().join("target"), b"new").unwrap_err();
        assert!(!dir.path().join(".target.tmp").exists(), "the temporary file is removed");
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn what_is_left_in_the_temporary_place_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("file"), dir.path().join("other"));
        fs::write(&other, "mine").unwrap();
        symlink(&other, dir.path().join(".file.tmp")).unwrap();
        write(&path, b"new").unwrap();
        assert_eq!((fs::read(&other).unwrap(), fs::read(&path).unwrap()), (b"mine".to_vec(), b"new".to_vec()));
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
    }

    #[test]
    fn folders_are_closed_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        make_folder(&deep).unwrap();
        assert_eq!((mode(&deep), mode(&dir.path().join("a"))), (0o700, 0o700));
        fs::set_permissions(&deep, Permissions::from_mode(0o755)).unwrap();
        make_folder(&deep).unwrap();
        assert_eq!(mode(&deep), 0o700);
        fs::write(dir.path().join("file"), "").unwrap();
        make_folder(&dir.path().join("file/x")).unwrap_err();
    }

    #[test]
    fn nothing_that_was_set_aside_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let mut aside = Vec::new();
        for text in ["a", "b", "c", "d"] {
            fs::write(&path, text).unwrap();
            aside.push(set_aside(&path).unwrap());
        }
        let found: Vec<_> = aside.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        assert_eq!(found, ["a", "b", "c", "d"]);
    }
}
