//! Files of the cache's folder, by the folder's handle: another folder put in its place is never looked into.

use super::*;

/// The most files that are kept: those of many versions of several modules.
const FILES_MAX: usize = 64;

/// The most bytes that they may have together.
const BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// The largest file that is read.
const FILE_MAX_BYTES: u64 = 600 * 1024 * 1024;

/// A file, for the choice of those that go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    /// When it was written, in nanoseconds since 1970.
    pub(super) written: i128,
    pub(super) bytes: u64,
}

// === impl Folder ===

impl Folder {
    /// The bytes of a file that nobody else can have written, `None` if there is no such file.
    pub(super) fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        // A pipe of that name must not be waited for.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.handle, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(rustix::io::Errno::LOOP) => return Err(io::Error::other("it is a link")),
            Err(error) => return Err(error.into()),
        };
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::other("it is no regular file"));
        }
        if stat.st_uid != geteuid().as_raw() || stat.st_mode & OTHERS != 0 {
            let (mode, owner) = (stat.st_mode & 0o7777, stat.st_uid);
            return Err(io::Error::other(format!("others may touch it (mode {mode:04o}, user {owner})")));
        }
        let mut bytes = Vec::new();
        File::from(file).take(FILE_MAX_BYTES).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Writes a file so that it is there whole or not at all.
    pub(super) fn write(&self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let unfinished = format!("{name}.{}{UNFINISHED}", COUNT.fetch_add(1, Ordering::Relaxed));
        let written = self.write_unfinished(&unfinished, parts);
        let written = written.and_then(|()| Ok(rustix::fs::renameat(&self.handle, &unfinished, &self.handle, name)?));
        if written.is_err() {
            self.remove(&unfinished);
        }
        written
    }

    fn write_unfinished(&self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(&self.handle, name, flags, Mode::RUSR | Mode::WUSR)?);
        for part in parts {
            file.write_all(part)?;
        }
        file.sync_all()
    }

    /// Removes a file, if it can be: a folder that somebody has put there stays, and is never read.
    pub(super) fn remove(&self, name: &str) {
        match rustix::fs::unlinkat(&self.handle, name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(error) => {
                let file = self.path.join(name);
                tracing::warn!(file = %file.display(), %error, "could not remove a file of machine code");
            }
        }
    }

    /// Removes what another process was writing when it ended.
    pub(super) fn remove_unfinished(&self) -> io::Result<()> {
        self.entries()?
            .iter()
            .filter(|entry| entry.name.ends_with(UNFINISHED))
            .for_each(|entry| self.remove(&entry.name));
        Ok(())
    }

    /// Removes the oldest files where there are too many. `newest` stays.
    pub(super) fn prune(&self, newest: &str) -> io::Result<()> {
        surplus(self.entries()?, newest).iter().for_each(|name| self.remove(name));
        Ok(())
    }

    fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.handle)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if name == "." || name == ".." {
                continue;
            }
            let stat = match rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stat,
                // Removed meanwhile.
                Err(rustix::io::Errno::NOENT) => continue,
                Err(error) => return Err(error.into()),
            };
            let written = i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec);
            entries.push(Entry { name: name.to_owned(), written, bytes: stat.st_size.unsigned_abs() });
        }
        Ok(entries)
    }
}

/// The names of the files that are too many, or too large together: the oldest ones, and never `newest`. Files that are being written
/// are not counted.
pub(super) fn surplus(mut entries: Vec<Entry>, newest: &str) -> Vec<String> {
    entries.retain(|entry| !entry.name.ends_with(UNFINISHED));
    entries.sort_by_key(|entry| (entry.name != newest, std::cmp::Reverse(entry.written)));
    let mut bytes = 0;
    let mut kept = 0;
    let mut goes = |entry: &Entry| {
        bytes += entry.bytes;
        kept += 1;
        entry.name != newest && (kept > FILES_MAX || bytes > BYTES_MAX)
    };
    entries.iter().filter(|entry| goes(entry)).map(|entry| entry.name.clone()).collect()
}
